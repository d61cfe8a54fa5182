//! What a reduced search says is what a search over all steps says, and it is cheaper.

use std::path::{Path, PathBuf};

use delivery_model::check::graph::{Checks, Walk};
use delivery_model::check::{Explored, Limits, Reduced, explore};
use delivery_model::pipeline::{Dedup, FaultBudget, Identity, Pipeline};
use delivery_model::vocab::Fault;
use stateright::{Checker, Model};

use crate::{preset, presets, protocol};

fn explored(pipeline: &Pipeline, messages: u32, reduced: bool) -> Explored {
    explore(pipeline, Limits { messages, reduced, ..Limits::default() }, &|_| true).expect("so many messages fit")
}

/// Both searches say the same, down to the length of the stories.
fn check(pipeline: &Pipeline, messages: u32) -> [Explored; 2] {
    let both = [false, true].map(|reduced| explored(pipeline, messages, reduced));
    let [full, reduced] = both.each_ref().map(|it| {
        let stories: Vec<_> = it.violations.iter().map(|it| (it.property, it.messages, it.steps.len())).collect();
        (it.verdicts.strongest(), stories, it.never_fired.clone(), it.is_complete())
    });
    assert_eq!(full, reduced, "{}, {messages} messages, {:?}", pipeline.name, pipeline.faults);
    both
}

#[test]
fn a_reduced_search_says_the_same_of_presets_and_samples() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/pipelines");
    let files = std::fs::read_dir(folder).expect("the folder exists").map(|entry| entry.expect("it is read").path());
    let texts = files.filter(|file| file.extension().is_some_and(|ext| ext == "toml"));
    let read = |file: PathBuf| Pipeline::from_toml(&std::fs::read_to_string(file).expect("it is read"), "sample");
    let samples: Vec<Pipeline> = texts.map(|file| read(file).expect("a pipeline")).collect();
    assert!(!samples.is_empty());
    for pipeline in presets().chain(samples) {
        check(&pipeline, 1);
        check(&Pipeline { faults: pipeline.faults.capped(1), ..pipeline }, 2);
    }
}

#[test]
fn a_reduced_search_says_the_same_under_pairs_of_faults() {
    use Fault::*;
    let pairs = [
        [PublishLost, BrokerCrash],
        [PublishRefused, ConsumerCrash],
        [PublishAckLost, DedupForgotten],
        [PublishDuplicated, BrokerCrash],
        [ProducerCrash, DeliveryLost],
        [ProducerZombie, SettleLost],
        [LeaseExpiry, ConsumerCrash],
        [Poison, BrokerCrash],
        [Rewind, PublishDuplicated],
    ];
    for pipeline in presets() {
        for pair in pairs {
            check(&Pipeline { faults: FaultBudget::once_each(pair), ..pipeline.clone() }, 1);
        }
    }
    let reordered = preset("at-least-once", |it| {
        (it.producer.in_flight, it.ordered) = (2, true);
        it.faults = FaultBudget::once_each([PublishReordered, PublishAckLost]);
    });
    check(&reordered, 2);
}

/// Nine acks are lost, and each retry is stored: the log is full before that.
#[test]
fn a_reduced_search_meets_the_bounds_of_the_encoding_too() {
    let overflowing = preset("at-least-once", |it| {
        (it.producer.identity, it.broker.dedup) = (Identity::None, Dedup::None);
        it.faults = FaultBudget::NONE.with(Fault::PublishAckLost, 9);
    });
    let [full, reduced] = check(&overflowing, 1);
    assert!(!full.is_complete() && !reduced.is_complete());
}

/// Unique states under the default faults, within two messages: of the full walk and of the reduced one. They change when the
/// protocol, its rules of commuting or the watched properties do: then look whether they should.
#[test]
fn what_a_reduced_search_saves_is_pinned_and_agrees_with_stateright() {
    for (name, states) in [("at-most-once", 910), ("at-least-once", 3_011), ("exactly-once", 1_412)] {
        let reduced = Reduced(protocol(&preset(name, |_| {}), 2));
        let graph = reduced.0.run(Walk::new(&reduced).checks(Checks::none())).graph;
        assert_eq!(graph.len(), states, "{name}");
        assert_eq!(reduced.clone().checker().spawn_dfs().join().unique_state_count(), states, "{name}, depth first");
        assert_eq!(reduced.checker().spawn_bfs().join().unique_state_count(), states, "{name}, breadth first");
    }
}
