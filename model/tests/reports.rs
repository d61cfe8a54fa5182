//! Public reports of lost, repeated and stuck messages, each written down as a pipeline in `reports/`.
//!
//! A file begins with the address of its report. The verdict, the property and the step that the report tells come out of
//! the model, and the same pipeline with the cause taken away keeps its promise.

use std::fs;
use std::path::Path;

use delivery_model::check::{Explored, Limits, explore};
use delivery_model::pipeline::{Commits, OnFailure, OnRefusal, Pipeline};
use delivery_model::semantics::{PropertyId, Verdict};
use delivery_model::vocab::{Fault, Step};

/// A pipeline of the folder, and its file.
fn read(name: &str) -> (Pipeline, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports").join(format!("{name}.toml"));
    let toml = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    (Pipeline::from_toml(&toml, name).expect("a pipeline"), toml)
}

/// What the model says of it, and of its promise.
fn judged(pipeline: &Pipeline) -> (Explored, Verdict) {
    let explored = explore(pipeline, Limits::default(), &|_| true).expect("two messages fit");
    assert!(explored.is_complete(), "{}", explored.completeness);
    let promised = explored.verdicts.of(pipeline.promises.expect("it promises something"));
    (explored, promised)
}

/// The promise is broken by this property, and this fault is part of the story. Without the cause it is kept.
fn check(name: &str, property: PropertyId, fault: Fault, without_cause: fn(&mut Pipeline)) {
    let (pipeline, toml) = read(name);
    assert!(toml.starts_with("# https://github.com/"), "{name}: the file names its report");
    let (explored, verdict) = judged(&pipeline);
    assert_eq!(verdict, Verdict::Violated, "{name}");
    let story = explored.violations.into_iter().find(|violation| violation.property == property);
    let story = story.unwrap_or_else(|| panic!("{name}: it is not {property} that breaks"));
    assert!(story.steps.iter().filter_map(Step::fault).eq([fault]), "{name}: {:#?}", story.steps);
    let mut mended = pipeline;
    without_cause(&mut mended);
    assert_eq!(judged(&mended).1, Verdict::Holds, "{name}, without its cause");
}

fn gives_back(pipeline: &mut Pipeline) {
    pipeline.consumer.on_failure = OnFailure::Release;
}

#[test]
fn offsets_are_committed_after_the_handlers_failure() {
    check("kafkaflow-283", PropertyId::AckedNotLost, Fault::HandlerFails, gives_back);
}

#[test]
fn an_error_in_the_handler_makes_the_offset_jump() {
    check("oleksiyk-kafka-127", PropertyId::AckedNotLost, Fault::HandlerFails, |it| {
        gives_back(it);
        it.consumer.commits = Commits::Prefix;
    });
}

#[test]
fn a_committer_that_ignores_failures_loses() {
    check("laravel-kafka-394", PropertyId::AckedNotLost, Fault::HandlerFails, gives_back);
}

#[test]
fn a_refusal_for_want_of_replicas_is_not_tried_again() {
    check("librdkafka-1421", PropertyId::SubmittedNotLost, Fault::PublishRefused, |it| {
        it.producer.on_refusal = OnRefusal::Retry;
    });
}

#[test]
fn a_message_that_is_requeued_for_ever_never_arrives() {
    check("spring-cloud-stream-627", PropertyId::AckedNotLost, Fault::Poison, |it| it.broker.max_deliveries = 3);
}

#[test]
fn every_file_of_the_folder_is_checked() {
    let tests = include_str!("reports.rs");
    let folder = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reports")).expect("the reports");
    for file in folder {
        let name = file.expect("it is readable").path().file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(tests.contains(&format!("\"{name}\"")), "{name} is checked by no test");
    }
}
