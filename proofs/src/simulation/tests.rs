//! Worlds that run to their end, faults that strike where they were planned, and campaigns that find what is weak.

use crate::mutants::Mutant;
use delivery_model::history::HistoryWriter;
use delivery_model::pipeline::{
    Acks, Attempts, Commits, DeadLettering, Dedup, FaultBudget, Identity, Obligation, OnRestart, Pipeline,
    RecordsSettles, Remembers, Semantics, Settles,
};
use delivery_model::presets;
use delivery_model::schedule::{Interleaving, PlannedFault, Point, Schedule, StepWord};
use delivery_model::semantics::whitebox::Watch;
use delivery_model::semantics::{PropertyId, PropertySet, Rules, Verdict};
use delivery_model::vocab::{EventKind, Fault, MessageId, Move, Position, Step, Strike};

use super::campaign::{broken_by, campaign};
use super::run::{Ending, Run, run};

fn references() -> Vec<Pipeline> {
    presets::REFERENCES.iter().map(|name| presets::named(name).expect("a reference is a preset")).collect()
}

fn schedule(pipeline: &Pipeline, messages: u32, faults: Vec<PlannedFault>, seed: u64) -> Schedule {
    Schedule { pipeline: pipeline.clone(), messages, faults, interleaving: Interleaving::Seeded(seed) }
}

fn at(fault: Fault, step: StepWord, message: u64) -> PlannedFault {
    let message = step.has_message().then_some(MessageId(message));
    PlannedFault::new(fault, Point { step, message, nth: 1 })
}

fn count(run: &Run, is_one: impl Fn(&EventKind) -> bool) -> usize {
    run.history.events.iter().filter(|recorded| is_one(&recorded.event.kind)).count()
}

fn bytes(run: &Run) -> Vec<u8> {
    let mut writer = HistoryWriter::new(Vec::new(), &run.history.header).unwrap();
    for recorded in &run.history.events {
        writer.record(&run.history.names, recorded.at, &recorded.event).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn without_faults_every_message_is_delivered_and_effected_once() {
    for pipeline in references() {
        for seed in 0..20 {
            let run = run(&schedule(&pipeline, 5, Vec::new(), seed), Mutant::None).unwrap();
            assert_eq!(run.ending, Ending::Rest, "{} seed {seed}", pipeline.name);
            assert_eq!(count(&run, |kind| matches!(kind, EventKind::Deliver { .. })), 5, "{}", pipeline.name);
            assert_eq!(count(&run, |kind| matches!(kind, EventKind::Effect { .. })), 5, "{}", pipeline.name);
            assert!(broken_by(&run, Rules::from(&pipeline)).is_empty(), "{} seed {seed}", pipeline.name);
        }
    }
}

#[test]
fn thousands_of_messages_are_delivered_under_faults() {
    let pipeline = presets::named("exactly-once").unwrap();
    let messages = 3_000;
    let mut faults = Vec::new();
    for message in (1..messages).step_by(100) {
        faults.push(at(Fault::PublishAckLost, StepWord::Ack, message.into()));
        faults.push(at(Fault::ConsumerCrash, StepWord::Handle, u64::from(message) + 10));
        faults.push(at(Fault::BrokerCrash, StepWord::Append, u64::from(message) + 20));
        faults.push(at(Fault::SettleLost, StepWord::Settle, u64::from(message) + 30));
    }
    let run = run(&schedule(&pipeline, messages, faults, 7), Mutant::None).unwrap();
    assert!(run.ending == Ending::Rest && run.fired.iter().all(Option::is_some));
    assert_eq!(count(&run, |kind| matches!(kind, EventKind::Effect { .. })), messages as usize);
    assert!(count(&run, |kind| matches!(kind, EventKind::Deliver { .. })) > messages as usize);
    assert!(broken_by(&run, Rules::from(&pipeline)).is_empty());
}

#[test]
fn the_same_schedule_gives_the_same_bytes_and_another_seed_others() {
    let pipeline = presets::named("exactly-once").unwrap();
    let faults = vec![at(Fault::BrokerCrash, StepWord::Append, 2), at(Fault::SettleLost, StepWord::Settle, 1)];
    let by_seed = |seed| bytes(&run(&schedule(&pipeline, 4, faults.clone(), seed), Mutant::None).unwrap());
    assert_eq!(by_seed(3), by_seed(3));
    assert_ne!(by_seed(3), by_seed(4));
}

#[test]
fn the_steps_of_a_run_replay_exactly() {
    for pipeline in references() {
        let faults = vec![at(Fault::PublishLost, StepWord::Attempt, 1), at(Fault::ConsumerCrash, StepWord::Deliver, 2)];
        let seeded = run(&schedule(&pipeline, 3, faults, 11), Mutant::None).unwrap();
        let interleaving = Interleaving::Exact(seeded.steps.clone());
        let exact = Schedule { interleaving, ..schedule(&pipeline, 3, Vec::new(), 0) };
        let replayed = run(&exact, Mutant::None).unwrap();
        assert_eq!(bytes(&replayed), bytes(&seeded));
    }
}

#[test]
fn a_step_that_is_not_possible_is_named() {
    let steps =
        vec![Step::Move(Move::Submit { message: MessageId(1) }), Step::Move(Move::Receive { message: MessageId(1) })];
    let interleaving = Interleaving::Exact(steps);
    let exact = Schedule { interleaving, ..schedule(&Pipeline::default(), 1, Vec::new(), 0) };
    let error = run(&exact, Mutant::None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "step 2: \"broker receives message 1\" cannot be taken: it is not the oldest attempt, or the slot is full"
    );
}

/// Every kind of fault, at every step at which it can be planned, strikes under some interleaving.
#[test]
fn every_fault_strikes_at_each_of_its_points() {
    let mut pipeline = presets::named("exactly-once").unwrap();
    pipeline.producer.in_flight = 2;
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        for &step in fault.row().at {
            // What leads to the points that nothing but a fault leads to.
            let mut leads = match step {
                StepWord::ReceiveLate => vec![at(Fault::PublishDuplicated, StepWord::Attempt, 1)],
                StepWord::TimeOut => vec![at(Fault::PublishAckLost, StepWord::Ack, 1)],
                StepWord::DeadLetter => vec![at(Fault::Poison, StepWord::Submit, 2)],
                _ => Vec::new(),
            };
            // A rewind to a dead letter would repeat nothing.
            let mut message = if step == StepWord::DeadLetter { 2 } else { 1 };
            let mut pipeline = pipeline.clone();
            if step == StepWord::DeadLetter || fault == Fault::Redrive {
                pipeline.broker.max_deliveries = 1;
            }
            match fault {
                Fault::DeadLetterLost => pipeline.broker.dead_lettering = DeadLettering::AtMostOnce,
                Fault::Rebalance => pipeline.consumer.commits = Commits::Prefix,
                // There is a dead letter before the last message is through.
                Fault::Redrive => {
                    leads = match step {
                        StepWord::ReceiveLate => vec![at(Fault::PublishDuplicated, StepWord::Attempt, 3)],
                        StepWord::TimeOut => vec![at(Fault::PublishAckLost, StepWord::Ack, 3)],
                        _ => Vec::new(),
                    };
                    leads.push(at(Fault::Poison, StepWord::Submit, 1));
                    message = if step == StepWord::DeadLetter { 1 } else { 3 };
                }
                _ => {}
            }
            if step == StepWord::SyncSettles {
                pipeline.broker.records_settles = RecordsSettles::Lazily;
            }
            if (fault, step) == (Fault::LeaseExpiry, StepWord::RecordSettle) {
                pipeline.consumer.settles = Settles::BeforeEffect;
            }
            if step == StepWord::Remember {
                pipeline.consumer.remembers = Remembers::InMemory;
            }
            let strikes = (0..200).any(|seed| {
                let faults = leads.iter().copied().chain([at(fault, step, message)]).collect();
                let run = run(&schedule(&pipeline, 3, faults, seed), Mutant::None).unwrap();
                let fired = run.fired.last().copied().flatten();
                fired.is_some_and(|step| run.steps[step].fault() == Some(fault))
            });
            if !strikes {
                missed.push(format!("{fault} at {}", step.word()));
            }
        }
    }
    assert_eq!(missed, [""; 0]);
}

#[test]
fn a_loss_befalls_what_its_point_sent_and_a_crash_comes_right_after() {
    let pipeline = presets::named("exactly-once").unwrap();
    let check = |planned: PlannedFault, before: Step, fault: Step| {
        let run = run(&schedule(&pipeline, 2, vec![planned], 5), Mutant::None).unwrap();
        let struck = run.fired[0].expect("it strikes");
        assert_eq!((run.steps[struck - 1], run.steps[struck]), (before, fault), "{planned}");
    };
    let message = MessageId(2);
    check(
        at(Fault::PublishLost, StepWord::Attempt, 2),
        Step::Move(Move::Attempt { message }),
        Step::Fault(Strike::PublishLost { message }),
    );
    check(
        at(Fault::PublishAckLost, StepWord::Ack, 2),
        Step::Move(Move::Ack { message }),
        Step::Fault(Strike::PublishAckLost { message }),
    );
    let crash = Step::Fault(Strike::BrokerCrash { keeps: 1 });
    check(at(Fault::BrokerCrash, StepWord::Append, 2), Step::Move(Move::Append { message }), crash);
    let kept = PlannedFault { keeps: Some(1), ..at(Fault::BrokerCrash, StepWord::Append, 2) };
    check(kept, Step::Move(Move::Append { message }), Step::Fault(Strike::BrokerCrash { keeps: 2 }));
}

/// A message that fails its handler every time is handed off for ever: the run is told up to where that begins, with one
/// turn of it, and keeps no promise that nothing is lost.
#[test]
fn a_run_that_goes_on_for_ever_is_told_as_stem_and_loop() {
    let pipeline = presets::named("exactly-once").unwrap();
    let schedule = schedule(&pipeline, 1, vec![at(Fault::Poison, StepWord::Submit, 1)], 0);
    let ran = run(&schedule, Mutant::None).unwrap();
    let Ending::Loop { from } = ran.ending else { panic!("it goes on for ever, and ended as {:?}", ran.ending) };
    assert_eq!(ran.steps.len() - from, 3, "hand off, deliver, fail: {:?}", &ran.steps[from..]);
    assert!(ran.steps.len() < 40, "the stem is as short as the run allows, not {from} steps");
    assert_eq!(count(&ran, |kind| *kind == EventKind::Quiescent), 0);
    assert!(broken_by(&ran, Rules::from(&pipeline)).contains(PropertyId::SubmittedNotLost));
    // As an exact interleaving with a loop it is the same.
    let exact = Schedule { faults: Vec::new(), interleaving: ran.interleaving(), ..schedule };
    let again = run(&exact, Mutant::None).unwrap();
    assert!(matches!(again.ending, Ending::Loop { .. }));
    assert!(broken_by(&again, Rules::from(&pipeline)).contains(PropertyId::SubmittedNotLost));
}

/// Of three steps that are repeated none passes anybody over only if nobody else could go on: with a second message that
/// waits to be sent, the same loop is not fair, and shows nothing.
#[test]
fn a_loop_that_passes_somebody_over_is_none() {
    let pipeline = presets::named("exactly-once").unwrap();
    let poisoned = schedule(&pipeline, 1, vec![at(Fault::Poison, StepWord::Submit, 1)], 0);
    let ran = run(&poisoned, Mutant::None).unwrap();
    let Ending::Loop { from } = ran.ending else { panic!("{:?}", ran.ending) };
    let mut steps = ran.steps.clone();
    steps.insert(from, Step::Move(Move::Submit { message: MessageId(2) }));
    let interleaving = Interleaving::Endless { steps, from: from + 1 };
    let unfair = Schedule { messages: 2, faults: Vec::new(), interleaving, ..poisoned };
    assert_eq!(run(&unfair, Mutant::None).unwrap().ending, Ending::Cut);
}

#[test]
fn payloads_arrive_as_they_were_sent() {
    let pipeline = presets::named("at-least-once").unwrap();
    let run = run(&schedule(&pipeline, 30, Vec::new(), 1), Mutant::None).unwrap();
    let mut sent = [None; 31];
    for recorded in &run.history.events {
        match recorded.event.kind {
            EventKind::Submit { message, payload } => sent[message.0 as usize] = Some(payload.unwrap()),
            EventKind::Effect { message, payload, .. } => assert_eq!(payload, sent[message.0 as usize]),
            _ => {}
        }
    }
    assert_ne!(sent[1], sent[2]);
}

fn judged(pipeline: &Pipeline, mutant: Mutant) -> super::campaign::CampaignReport {
    campaign(pipeline, mutant, 400, 1, &mut |_| true)
}

#[test]
fn the_references_keep_their_promises() {
    for pipeline in references() {
        let report = judged(&pipeline, Mutant::None);
        let promise = pipeline.promises.expect("references promise something");
        assert_eq!(report.verdicts.of(promise), Verdict::Holds, "{}: {report:#?}", pipeline.name);
        for kind in pipeline.faults.kinds() {
            assert!(report.fired[kind as usize] > 0, "{}: {kind} never struck", pipeline.name);
        }
    }
}

#[test]
fn a_campaign_repeats_for_its_seed_and_stops_when_told() {
    let pipeline = presets::named("at-least-once").unwrap();
    assert_eq!(judged(&pipeline, Mutant::None), judged(&pipeline, Mutant::None));
    let stopped = campaign(&pipeline, Mutant::None, 100, 1, &mut |progress| progress.runs < 10);
    assert_eq!((stopped.runs, stopped.schedules), (10, 100));
    assert_ne!(stopped.verdicts.of(Semantics::AtLeastOnce), Verdict::Holds);
}

/// Each reference with one setting weakened: the property that breaks, and in how few faults it is told.
#[test]
fn a_weakened_setting_breaks_a_named_property() {
    let submitted = presets::named("exactly-once").unwrap();
    let acked = Pipeline { obligation: Obligation::Acked, ..submitted.clone() };
    let check = |pipeline: &Pipeline, change: &dyn Fn(&mut Pipeline), property, faults| {
        let mut weakened = pipeline.clone();
        change(&mut weakened);
        let report = judged(&weakened, Mutant::None);
        let found = report.counterexamples.iter().find(|found| found.property == property);
        let found = found.unwrap_or_else(|| panic!("{property} holds of {weakened:#?}"));
        assert_eq!(found.schedule.faults.len(), faults, "{property}: {:?}", found.schedule.faults);
        let again = run(&found.schedule, Mutant::None).unwrap();
        assert!(broken_by(&again, report.rules).contains(property));
    };
    check(&submitted, &|it| it.producer.attempts = Attempts::AtMost(1), PropertyId::SubmittedNotLost, 1);
    check(&submitted, &|it| it.producer.on_restart = OnRestart::Forgets, PropertyId::SubmittedNotLost, 1);
    check(&acked, &|it| it.broker.acks = Acks::OnReceipt, PropertyId::AckedNotLost, 1);
    check(&acked, &|it| it.consumer.remembers = Remembers::Nothing, PropertyId::NoDuplicateEffect, 1);
    check(&acked, &|it| it.consumer.settles = Settles::BeforeEffect, PropertyId::AckedNotLost, 1);
    let unrecognised = |it: &mut Pipeline| (it.producer.identity, it.broker.dedup) = (Identity::None, Dedup::None);
    check(&acked, &unrecognised, PropertyId::NoDuplicateEffect, 1);
}

#[test]
fn a_rewind_repeats_deliveries_and_no_effects() {
    let pipeline = presets::named("exactly-once").unwrap();
    let rewind = PlannedFault { to: Some(Position(0)), ..at(Fault::Rewind, StepWord::RecordSettle, 3) };
    let run = run(&schedule(&pipeline, 3, vec![rewind], 2), Mutant::None).unwrap();
    assert!(run.fired[0].is_some());
    assert!(count(&run, |kind| matches!(kind, EventKind::Deliver { .. })) > 3);
    assert_eq!(count(&run, |kind| matches!(kind, EventKind::Effect { .. })), 3);
}

/// What every preset claims of its inside is kept by the cores, under its own faults and under those of the reference.
#[test]
fn the_presets_keep_what_they_claim_of_their_inside() {
    for (name, _) in presets::ALL {
        let pipeline = presets::named(name).expect("it is a preset");
        let report = campaign(&pipeline, Mutant::None, 100, 3, &mut |_| true);
        assert_eq!(report.broken & PropertySet::WHITE_BOX, PropertySet::EMPTY, "{name}: {:#?}", report.counterexamples);
    }
}

/// Under every kind of fault at once, and with every mechanism that is watched.
#[test]
fn under_every_fault_the_cores_keep_what_is_claimed_of_their_inside() {
    for change in [
        |_: &mut Pipeline| {},
        |it: &mut Pipeline| (it.consumer.commits, it.consumer.workers) = (Commits::Prefix, 3),
        |it: &mut Pipeline| (it.consumer.settles, it.consumer.commits) = (Settles::WithEffect, Commits::Prefix),
        |it: &mut Pipeline| (it.producer.identity, it.broker.dedup) = (Identity::MessageId, Dedup::MessageId),
    ] {
        let mut pipeline = presets::named("exactly-once").expect("the preset exists");
        (pipeline.producer.in_flight, pipeline.broker.max_deliveries) = (3, 4);
        pipeline.faults = FaultBudget::once_each(Fault::ALL);
        // Under these little is claimed of what is kept by position, or of a memory.
        for fault in [Fault::DedupForgotten, Fault::Failover, Fault::GroupForgotten] {
            pipeline.faults = pipeline.faults.with(fault, 0);
        }
        change(&mut pipeline);
        let report = campaign(&pipeline, Mutant::None, 400, 5, &mut |_| true);
        assert_eq!(report.broken & PropertySet::WHITE_BOX, PropertySet::EMPTY, "{:#?}", report.counterexamples);
        let of_steps = Watch::new(&pipeline).watched;
        assert!(of_steps.len() >= 7, "little is claimed: {of_steps:?}");
    }
}

/// What a pipeline does not claim, and does not keep, is no news.
#[test]
fn what_is_not_claimed_of_the_inside_is_not_watched() {
    let mut pipeline = presets::named("exactly-once").expect("the preset exists");
    pipeline.broker.acks = Acks::OnReceipt;
    let run = run(&schedule(&pipeline, 3, Vec::new(), 1), Mutant::None).unwrap();
    assert_eq!(run.breaches, []);
    pipeline.broker.acks = Acks::AfterSync;
    let run = run_until_acked_early(&pipeline);
    assert_eq!(run.breaches.first(), Some(&(PropertyId::AckHonesty, MessageId(1))));
}

/// The first run, over interleavings, in which the bug confirms what is not durable.
fn run_until_acked_early(pipeline: &Pipeline) -> Run {
    let runs = (0..100).map(|seed| run(&schedule(pipeline, 1, Vec::new(), seed), Mutant::AckBeforeSync).unwrap());
    runs.into_iter().find(|run| !run.breaches.is_empty()).expect("an ack overtakes a sync")
}
