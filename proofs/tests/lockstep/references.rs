//! The references, the presets, each kind of fault and each changed setting, and what a seeded bug does to them.

use delivery_model::pipeline::{Commits, FaultBudget, Leases, OnFailure, Pipeline, Remembers, Settles};
use delivery_model::vocab::Fault;
use delivery_model::{presets, reference};
use delivery_proofs::lockstep::Walked;
use delivery_proofs::mutants::Mutant;
use delivery_proofs::simulation::kill_schedules::kill_schedule;
use serde_json::Value as Json;

use super::{check_within, preset, walked};

fn references() -> impl Iterator<Item = Pipeline> {
    presets::REFERENCES.into_iter().map(preset)
}

fn check(pipeline: &Pipeline, messages: u32) -> Walked {
    check_within(usize::MAX, pipeline, messages)
}

/// The counts change when protocol, bounds or cores do: then look whether they should.
#[test]
fn the_references_walk_in_lockstep() {
    let counted: Vec<_> = references()
        .map(|pipeline| {
            let walked = check(&pipeline, 2);
            (walked.states, walked.pairs, walked.edges)
        })
        .collect();
    assert_eq!(counted, [(2_482, 3_632, 6_979), (39_989, 178_951, 458_099), (12_845, 33_899, 85_303)]);
}

/// With one message each in full; with two in full where they have at most so many states, and else that many.
#[test]
fn every_preset_walks_in_lockstep() {
    let mut in_full = 0;
    for (name, _) in presets::ALL {
        check(&preset(name), 1);
        in_full += usize::from(check_within(13_000, &preset(name), 2).complete);
    }
    assert_eq!((in_full, presets::ALL.len()), (14, 44));
}

/// Where one message kills its consumer for ever, the effects of another may be repeated for ever, and the cores' stock counts
/// them: such a walk has no end, and ends after so many steps.
const ENDLESS: usize = 600_000;

/// Each kind of fault, alone and twice, with two messages.
#[test]
fn every_fault_walks_in_lockstep() {
    let mut idle = Vec::new();
    for reference in references() {
        for fault in Fault::ALL {
            let mut pipeline = reference.clone();
            pipeline.faults = FaultBudget::NONE.with(fault, 2);
            if fault == Fault::PublishReordered {
                pipeline.producer.in_flight = 2;
            }
            let keeps_on = |_, edges| fault != Fault::HandlerCrashes || edges < ENDLESS;
            if !walked(&pipeline, 2, keeps_on).struck.contains_key(&fault) {
                idle.push((pipeline.name, fault));
            }
        }
    }
    let cannot =
        |name: &str, faults: &[Fault]| faults.iter().map(|fault| (name.to_owned(), *fault)).collect::<Vec<_>>();
    let no_dead_letter = [Fault::DeadLetterLost, Fault::Redrive];
    let expected = [
        cannot("at-most-once", &[Fault::LeaseExpiry, Fault::DedupForgotten]),
        cannot("at-most-once", &no_dead_letter),
        cannot("at-most-once", &[Fault::CommitReordered, Fault::Rebalance]),
        cannot("at-least-once", &[Fault::DedupForgotten]),
        cannot("at-least-once", &no_dead_letter),
        cannot("at-least-once", &[Fault::Rebalance]),
        cannot("exactly-once", &no_dead_letter),
        cannot("exactly-once", &[Fault::Rebalance]),
    ];
    assert_eq!(idle, expected.concat(), "no lease that matters, no memory, no dead letter, no outbox, or no cursor");
}

/// What becomes of a lease: it is granted, settled, given back (its delivery or its settle was lost), ended while its holder
/// is at work or with its holder, and its position set aside when its deliveries are used up. The core is the only owner of
/// leases, so these interleavings are walked here; what is left to threads is `proofs/loom/tests/arrivals.rs`.
#[test]
fn leases_end_in_every_way_in_lockstep() {
    let faults = [Fault::LeaseExpiry, Fault::DeliveryLost, Fault::SettleLost, Fault::ConsumerCrash];
    for leases in [Leases::Checked, Leases::Unchecked] {
        for settles in [Settles::AfterEffect, Settles::BeforeEffect] {
            for max_deliveries in 0..3 {
                let mut pipeline = preset("at-least-once");
                (pipeline.broker.leases, pipeline.broker.max_deliveries) = (leases, max_deliveries);
                pipeline.consumer.settles = settles;
                pipeline.faults = FaultBudget::once_each(faults).capped(3);
                let walked = check(&pipeline, 1);
                let all_struck = faults.iter().all(|fault| walked.struck.contains_key(fault));
                assert!(all_struck, "{leases:?} {settles:?} {max_deliveries}: {:?}", walked.struck);
                check_within(10_000, &pipeline, 2);
            }
        }
    }
}

/// The values of a setting that are tried, as a file writes them: every word, both flags, and of numbers the lowest ones.
fn values(schema: &Json) -> Vec<String> {
    let allowed = |it: &Json| match (it.get("const"), it["minimum"].as_u64()) {
        (Some(word), _) => vec![word.to_string()],
        (None, Some(least)) => (least..=3).map(|number| number.to_string()).collect(),
        (None, None) => vec!["false".to_owned(), "true".to_owned()],
    };
    schema["anyOf"].as_array().map_or_else(|| allowed(schema), |ways| ways.iter().flat_map(allowed).collect())
}

/// The pipeline with one setting of a party changed, in every way that means something. The schema lists the settings.
fn variations(pipeline: &Pipeline) -> Vec<Pipeline> {
    let documents = reference::documents();
    let schema = documents.iter().find(|it| it.name == "pipeline.schema.json").expect("it is in the reference");
    let schema: Json = serde_json::from_str(&schema.text).expect("it is JSON");
    let text = pipeline.to_toml();
    let mut all = Vec::new();
    for section in ["producer", "broker", "consumer"] {
        let settings = schema["properties"][section]["properties"].as_object().expect("it has settings");
        for (key, setting) in settings {
            let line = text
                .lines()
                .find(|line| line.split('=').next().map(str::trim) == Some(key.as_str()))
                .expect("each setting is written");
            let changed = values(setting).into_iter().map(|value| text.replace(line, &format!("{key} = {value}")));
            all.extend(changed.filter_map(|text| Pipeline::from_toml(&text, "changed").ok()));
        }
    }
    all.retain(|changed| changed != pipeline);
    all
}

/// Under the default faults, with one message in full and with two within a bound.
#[test]
fn every_changed_setting_walks_in_lockstep() {
    let (mut walked, mut in_full) = (0, 0);
    for pipeline in references().flat_map(|reference| variations(&reference)) {
        check(&pipeline, 1);
        walked += 1;
        in_full += usize::from(check_within(4_000, &pipeline, 2).complete);
    }
    assert_eq!((in_full, walked), (47, 161));
}

/// Once, the cores took a rewind to a dead letter for one that repeats something, and the spec took a consumer's note of a
/// dead letter for something to lose.
#[test]
fn a_dead_letter_is_nothing_to_go_back_to_and_nothing_to_lose() {
    for (leases, commits) in [(Leases::Checked, Commits::Prefix), (Leases::Unchecked, Commits::Highest)] {
        let mut pipeline = preset("exactly-once");
        (pipeline.broker.leases, pipeline.broker.max_deliveries) = (leases, 1);
        (pipeline.consumer.settles, pipeline.consumer.commits) = (Settles::WithEffect, commits);
        let faults = [Fault::DeliveryLost, Fault::LeaseExpiry, Fault::ConsumerCrash, Fault::Rewind];
        pipeline.faults = FaultBudget::once_each(faults).capped(2);
        check(&pipeline, 2);
    }
}

#[test]
fn a_handler_that_fails_walks_in_lockstep() {
    for on_failure in OnFailure::ALL {
        for (settles, commits) in
            Settles::ALL.iter().flat_map(|it| Commits::ALL.iter().map(move |commits| (it, commits)))
        {
            let mut pipeline = preset("exactly-once");
            (pipeline.consumer.settles, pipeline.consumer.commits) = (*settles, *commits);
            (pipeline.consumer.on_failure, pipeline.consumer.workers) = (on_failure, 2);
            (pipeline.producer.in_flight, pipeline.broker.max_deliveries) = (2, 2);
            let others = [Fault::ConsumerCrash, Fault::LeaseExpiry, Fault::Poison, Fault::Rewind, Fault::BrokerCrash];
            let faults = FaultBudget::once_each(others).with(Fault::HandlerFails, 2).capped(2);
            let walked = check_within(5_000, &Pipeline { faults, ..pipeline }, 2);
            assert!(walked.struck.contains_key(&Fault::HandlerFails), "{walked:?}");
        }
    }
}

/// Once, what was handed off before a rewind was committed with what was handed off after it.
#[test]
fn a_generation_of_a_cursor_ends_while_deliveries_are_in_hand() {
    for settles in Settles::ALL {
        for (leases, commits) in [(Leases::Checked, Commits::Prefix), (Leases::Unchecked, Commits::Highest)] {
            let mut pipeline = preset("exactly-once");
            (pipeline.producer.in_flight, pipeline.broker.leases) = (2, leases);
            (pipeline.consumer.settles, pipeline.consumer.commits) = (settles, commits);
            (pipeline.consumer.workers, pipeline.consumer.remembers) = (2, Remembers::Nothing);
            for faults in
                [[(Fault::Rewind, 1), (Fault::SettleLost, 1)], [(Fault::LeaseExpiry, 2), (Fault::SettleLost, 1)]]
            {
                let faults =
                    faults.into_iter().fold(FaultBudget::NONE, |budget, (fault, times)| budget.with(fault, times));
                check_within(25_000, &Pipeline { faults, ..pipeline.clone() }, 2);
            }
        }
    }
}

/// On the pipeline of each seeded bug's kill schedule and under its faults, sound cores do not part from the spec. That those
/// with the bug do, and where, is in the kill matrix.
#[test]
fn sound_cores_walk_in_lockstep_where_a_seeded_bug_parts_from_the_spec() {
    for mutant in Mutant::ALL {
        let kill = kill_schedule(mutant).expect("every bug has a kill schedule");
        let faults = kill.budget();
        check(&Pipeline { faults, ..kill.schedule.pipeline }, kill.schedule.messages);
    }
}
