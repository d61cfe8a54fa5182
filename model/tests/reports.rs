//! Public reports of lost, repeated and stuck messages, each written down as a pipeline in `reports/`.
//!
//! A file begins with the address of its report. The verdict, the property and the steps that the report tells come out of
//! the model, and the same pipeline with the cause taken away keeps its promise.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use delivery_model::check::{Explored, Limits, explore};
use delivery_model::pipeline::*;
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

/// The promise is broken by this property, and these faults make up the story. Without the cause it is kept.
fn check(name: &str, property: PropertyId, faults: &[Fault], without_cause: fn(&mut Pipeline)) {
    let (pipeline, toml) = read(name);
    assert!(toml.starts_with("# https://github.com/"), "{name}: the file names its report");
    let (explored, verdict) = judged(&pipeline);
    assert_eq!(verdict, Verdict::Violated, "{name}");
    let story = explored.violations.into_iter().find(|violation| violation.property == property);
    let story = story.unwrap_or_else(|| panic!("{name}: it is not {property} that breaks"));
    let struck: BTreeSet<Fault> = story.steps.iter().filter_map(Step::fault).collect();
    assert_eq!(struck, faults.iter().copied().collect(), "{name}: {:#?}", story.steps);
    let mut mended = pipeline;
    without_cause(&mut mended);
    assert_eq!(judged(&mended).1, Verdict::Holds, "{name}, without its cause");
}

fn gives_back(pipeline: &mut Pipeline) {
    pipeline.consumer.on_failure = OnFailure::Release;
}

fn remembers(pipeline: &mut Pipeline) {
    pipeline.consumer.remembers = Remembers::WithEffect;
}

fn settles_duplicates(pipeline: &mut Pipeline) {
    pipeline.consumer.on_duplicate = OnDuplicate::Settle;
}

fn tries_again(pipeline: &mut Pipeline) {
    pipeline.producer.on_refusal = OnRefusal::Retry;
}

fn accepts_anyone(pipeline: &mut Pipeline) {
    pipeline.broker.forgotten_producers = ForgottenProducers::Accept;
}

fn sets_aside(pipeline: &mut Pipeline) {
    pipeline.broker.max_deliveries = 3;
}

fn begins_at_the_first(pipeline: &mut Pipeline) {
    pipeline.broker.new_group = NewGroup::Earliest;
}

fn confirms_dead_letters(pipeline: &mut Pipeline) {
    pipeline.broker.dead_lettering = DeadLettering::AtLeastOnce;
}

#[test]
fn offsets_are_committed_after_the_handlers_failure() {
    check("kafkaflow-283", PropertyId::AckedNotLost, &[Fault::HandlerFails], gives_back);
}

#[test]
fn an_error_in_the_handler_makes_the_offset_jump() {
    check("oleksiyk-kafka-127", PropertyId::AckedNotLost, &[Fault::HandlerFails], |it| {
        gives_back(it);
        it.consumer.commits = Commits::Prefix;
    });
}

#[test]
fn a_committer_that_ignores_failures_loses() {
    check("laravel-kafka-394", PropertyId::AckedNotLost, &[Fault::HandlerFails], gives_back);
}

#[test]
fn a_retry_that_is_published_before_the_ack_is_handled_twice() {
    check("devlane-374", PropertyId::NoDuplicateEffect, &[Fault::HandlerFails, Fault::SettleLost], gives_back);
}

#[test]
fn a_refusal_for_want_of_replicas_is_not_tried_again() {
    check("librdkafka-1421", PropertyId::SubmittedNotLost, &[Fault::PublishRefused], tries_again);
}

#[test]
fn what_a_full_queue_refuses_is_not_tried_again() {
    check("lavinmq-1357", PropertyId::SubmittedNotLost, &[], tries_again);
}

#[test]
fn a_bumped_epoch_stores_what_was_in_flight_again() {
    check("librdkafka-4953", PropertyId::NoDuplicateEffect, &[Fault::PublishReordered], tries_again);
}

#[test]
fn a_relay_that_goes_by_the_last_id_skips_a_late_commit() {
    check("kamu-cli-1398", PropertyId::SubmittedNotLost, &[Fault::CommitReordered], |it| {
        it.producer.outbox = OutboxRead::Rows;
    });
}

#[test]
fn a_position_that_is_committed_before_its_publish_loses() {
    check("debezium-1245", PropertyId::SubmittedNotLost, &[Fault::ProducerCrash], |it| {
        it.producer.relay_commits = RelayCommits::AfterAck;
    });
}

#[test]
fn a_producer_that_was_forgotten_is_refused() {
    check("redpanda-22670", PropertyId::SubmittedNotLost, &[Fault::DedupForgotten], accepts_anyone);
}

#[test]
fn an_unknown_producer_id_never_comes_through() {
    check("aiokafka-510", PropertyId::SubmittedNotLost, &[Fault::DedupForgotten], accepts_anyone);
}

#[test]
fn a_producer_that_was_forgotten_is_stored_twice() {
    check("redpanda-22687", PropertyId::NoDuplicateEffect, &[Fault::DedupForgotten, Fault::PublishAckLost], remembers);
}

#[test]
fn a_duplicate_that_is_refused_is_tried_for_ever() {
    check("rabbitmq-message-deduplication-21", PropertyId::SubmittedNotLost, &[Fault::PublishAckLost], |it| {
        it.broker.answers_duplicates = AnswersDuplicates::Ack;
    });
}

#[test]
fn a_confirmed_message_finds_the_queue_full() {
    check("mosquitto-3687", PropertyId::AckedNotLost, &[], |it| it.broker.acks = Acks::AfterSync);
}

#[test]
fn a_full_queue_discards_its_oldest_message() {
    check("rabbitmq-server-995", PropertyId::AckedNotLost, &[], |it| it.broker.overflow = Overflow::Refuse);
}

#[test]
fn a_stream_is_trimmed_before_it_was_read() {
    check("jac-7696", PropertyId::AckedNotLost, &[], |it| it.broker.capacity = 0);
}

#[test]
fn retention_is_shorter_than_the_lag() {
    check("pinot-8219", PropertyId::AckedNotLost, &[Fault::RecordExpired], |it| it.faults = FaultBudget::NONE);
}

#[test]
fn a_failover_loses_what_was_enqueued() {
    check("sidekiq-3811", PropertyId::AckedNotLost, &[Fault::Failover], |it| it.broker.acks = Acks::Replicated);
}

#[test]
fn a_confirm_does_not_wait_for_the_followers() {
    check("lavinmq-2002", PropertyId::AckedNotLost, &[Fault::Failover], |it| it.broker.acks = Acks::Replicated);
}

#[test]
fn a_checkpoint_ahead_of_a_truncated_log_hides_new_messages() {
    check("kurrentdb-3972", PropertyId::AckedNotLost, &[Fault::Failover], |it| it.broker.hands_off = HandsOff::Synced);
}

#[test]
fn an_ack_floor_ahead_of_the_stream_hides_new_messages() {
    check("nats-server-5412", PropertyId::AckedNotLost, &[Fault::BrokerCrash], |it| {
        it.broker.hands_off = HandsOff::Synced;
    });
}

#[test]
fn an_ack_floor_that_was_not_synced_begins_anew() {
    check("nats-server-8036", PropertyId::NoDuplicateEffect, &[Fault::BrokerCrash], |it| {
        it.broker.records_settles = RecordsSettles::AfterSync;
    });
}

#[test]
fn a_group_whose_offsets_expired_begins_anew() {
    check("librdkafka-1442", PropertyId::NoDuplicateEffect, &[Fault::GroupForgotten], |it| {
        it.consumer.settles = Settles::WithEffect;
    });
}

#[test]
fn a_group_whose_offsets_expired_begins_at_the_end() {
    check("pykafka-504", PropertyId::AckedNotLost, &[Fault::GroupForgotten], begins_at_the_first);
}

#[test]
fn a_group_that_never_committed_begins_at_the_end_again() {
    check("kafka-node-886", PropertyId::AckedNotLost, &[Fault::ConsumerCrash], begins_at_the_first);
}

#[test]
fn an_automatic_commit_covers_what_is_still_at_work() {
    check("librdkafka-1122", PropertyId::AckedNotLost, &[Fault::ConsumerCrash], |it| {
        it.consumer.settles = Settles::AfterEffect;
    });
}

#[test]
fn a_rebalance_repeats_what_was_not_committed() {
    check("dekaf-2063", PropertyId::NoDuplicateEffect, &[Fault::Rebalance], |it| {
        it.consumer.settles = Settles::WithEffect;
    });
}

#[test]
fn a_failure_in_a_batch_repeats_its_neighbours() {
    check("powertools-lambda-java-119", PropertyId::NoDuplicateEffect, &[Fault::HandlerFails], |it| {
        it.consumer.batch = 1;
    });
}

#[test]
fn a_message_that_is_requeued_for_ever_never_arrives() {
    check("spring-cloud-stream-627", PropertyId::AckedNotLost, &[Fault::Poison], sets_aside);
}

#[test]
fn a_task_that_kills_its_worker_is_requeued_for_ever() {
    check("taskiq-aio-pika-35", PropertyId::AckedNotLost, &[Fault::HandlerCrashes], sets_aside);
}

#[test]
fn a_job_that_kills_its_process_is_lost() {
    check("sidekiq-4633", PropertyId::AckedNotLost, &[Fault::HandlerCrashes], |it| {
        it.broker.delivers = Delivers::UntilSettled;
        sets_aside(it);
    });
}

#[test]
fn a_move_to_the_dead_letters_loses_the_message() {
    check(
        "rabbitmq-server-3100",
        PropertyId::AckedNotLost,
        &[Fault::Poison, Fault::DeadLetterLost],
        confirms_dead_letters,
    );
}

#[test]
fn an_ack_without_its_dead_letter_loses_the_message() {
    check(
        "protean-1263",
        PropertyId::AckedNotLost,
        &[Fault::HandlerFails, Fault::DeadLetterLost],
        confirms_dead_letters,
    );
}

#[test]
fn nobody_looks_at_the_dead_letters() {
    check("watchdog-proxy-13", PropertyId::AckedNotLost, &[Fault::HandlerFails], sets_aside);
}

#[test]
fn a_duplicate_that_is_ignored_freezes_its_partition() {
    check("wolverine-2639", PropertyId::AckedNotLost, &[Fault::PublishAckLost], settles_duplicates);
}

#[test]
fn a_duplicate_that_is_ignored_becomes_a_dead_letter_and_is_put_back() {
    check("tomodachi-2074", PropertyId::NoDuplicateEffect, &[Fault::SettleLost, Fault::Redrive], settles_duplicates);
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
