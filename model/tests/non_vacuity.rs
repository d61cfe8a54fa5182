//! Nothing is vacuous and nothing is paid for twice: every fault's mark is set by its action alone, and what a pipeline does
//! not use costs no states.

use delivery_model::check::graph::{Check, Checks, Verdict, Walk};
use delivery_model::check::{Moment, Protocol};
use delivery_model::pipeline::*;
use delivery_model::presets;
use delivery_model::vocab::{Fault, Step};
use stateright::{Model, Property};

fn reference(faults: &[Fault], change: fn(&mut Pipeline)) -> Pipeline {
    let mut pipeline = presets::named("exactly-once").expect("a reference");
    pipeline.faults = FaultBudget::once_each(faults.iter().copied());
    change(&mut pipeline);
    pipeline
}

/// The protocol with one fault's action deleted; its budget and its mark stay.
struct Without {
    protocol: Protocol,
    deleted: Option<Fault>,
}

impl Model for Without {
    type State = Moment;
    type Action = Step;

    fn init_states(&self) -> Vec<Moment> {
        self.protocol.init_states()
    }

    fn actions(&self, moment: &Moment, actions: &mut Vec<Step>) {
        self.protocol.actions(moment, actions);
        actions.retain(|step| step.fault().is_none() || step.fault() != self.deleted);
    }

    fn next_state(&self, moment: &Moment, step: Step) -> Option<Moment> {
        self.protocol.next_state(moment, step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Vec::new()
    }
}

/// What the protocol's own check of this fault's mark comes to, where these faults may strike and one is deleted.
fn fired(mark: Fault, faults: &[Fault], messages: u32, deleted: Option<Fault>) -> Verdict {
    let mut pipeline = reference(faults, |it| {
        it.producer.in_flight = 2;
        it.faults = it.faults.capped(1);
    });
    if faults == [mark] {
        needed_by(mark, &mut pipeline);
    }
    let model = Without { protocol: Protocol::new(&pipeline, messages).expect("they fit"), deleted };
    let properties = model.protocol.properties();
    let check = properties.iter().find(|property| property.name == mark.word()).expect("each fault has a check");
    let reached = |moment: &Moment, _: &[Step]| u64::from((check.condition)(&model.protocol, moment));
    let checks = Checks::new(vec![Check::sometimes(mark.word())], reached);
    Walk::new(&model).checks(checks).stop_when_decided().run().finding(mark.word()).expect("it was checked").verdict
}

/// What the reference lacks for the fault to strike: a cursor, or dead letters.
fn needed_by(fault: Fault, pipeline: &mut Pipeline) {
    match fault {
        Fault::Rebalance => pipeline.consumer.commits = Commits::Prefix,
        Fault::DeadLetterLost | Fault::Redrive => {
            pipeline.consumer.on_failure = OnFailure::DeadLetter;
            pipeline.broker.dead_lettering = DeadLettering::AtMostOnce;
            pipeline.faults = pipeline.faults.with(Fault::Poison, 1).capped(2);
        }
        _ => {}
    }
}

/// Two messages where the fault is the only one, so that it can strike; one where any other may, so that nothing else marks it.
#[test]
fn every_faults_mark_is_reached_and_is_not_once_its_action_is_deleted() {
    for fault in Fault::ALL {
        assert_eq!(fired(fault, &[fault], 2, None), Verdict::Holds, "{fault} never strikes");
        assert_eq!(fired(fault, &[fault], 2, Some(fault)), Verdict::Violated, "{fault} strikes without its action");
        assert_eq!(fired(fault, &Fault::ALL, 1, Some(fault)), Verdict::Violated, "{fault} is marked by another");
    }
}

fn states(pipeline: &Pipeline, messages: u32) -> usize {
    Walk::new(&Protocol::new(pipeline, messages).expect("they fit")).run().graph.len()
}

/// As many states with the change as without.
fn costs_nothing(what: &str, pipeline: Pipeline, messages: u32, change: fn(&mut Pipeline)) {
    let mut changed = pipeline.clone();
    change(&mut changed);
    assert_ne!(changed, pipeline, "{what}: nothing was changed");
    assert_eq!(states(&changed, messages), states(&pipeline, messages), "{what}");
}

/// The change is seen where it is used, so that [`costs_nothing`] says something.
fn costs_something(what: &str, pipeline: Pipeline, messages: u32, change: fn(&mut Pipeline)) {
    let mut changed = pipeline.clone();
    change(&mut changed);
    assert_ne!(states(&changed, messages), states(&pipeline, messages), "{what}");
}

fn usual(change: fn(&mut Pipeline)) -> Pipeline {
    let mut pipeline = reference(&[], change);
    pipeline.faults = FaultBudget::default();
    pipeline
}

#[test]
fn a_setting_that_is_not_used_costs_no_states() {
    let plain = || usual(|it| (it.producer.identity, it.broker.dedup) = (Identity::None, Dedup::None));
    costs_nothing("fencing without epochs", plain(), 2, |it| it.broker.fencing = false);
    costs_nothing("a window without dedup", plain(), 2, |it| it.broker.dedup_window = 1);
    costs_nothing("dedup's restart without dedup", plain(), 2, |it| {
        it.broker.dedup_on_restart = DedupOnRestart::Forgotten;
    });
    costs_nothing("a window wider than the log", usual(|_| {}), 2, |it| it.broker.dedup_window = 8);
    costs_nothing("fencing without stragglers", usual(|_| {}), 2, |it| it.broker.fencing = false);
    costs_nothing("pipelining of one message", usual(|_| {}), 1, |it| it.producer.in_flight = 2);
    costs_nothing("a second worker for one message", reference(&[], |_| {}), 1, |it| it.consumer.workers = 2);
    costs_nothing("lazy settles that nobody sends", usual(|it| it.consumer.settles = Settles::WithEffect), 2, |it| {
        it.broker.records_settles = RecordsSettles::Lazily;
    });
    costs_nothing("leases that never end", reference(&[Fault::SettleLost], |_| {}), 2, |it| {
        it.broker.leases = Leases::Unchecked;
    });
    costs_nothing("an outbox that no crash asks for", reference(&[Fault::PublishLost], |_| {}), 2, |it| {
        it.producer.on_restart = OnRestart::Forgets;
    });
}

#[test]
fn a_setting_that_is_used_is_seen() {
    costs_something("fencing of a zombie", reference(&[Fault::ProducerZombie], |_| {}), 1, |it| {
        it.broker.fencing = false
    });
    costs_something("a window that evicts", usual(|_| {}), 2, |it| {
        (it.producer.on_restart, it.broker.dedup_window) = (OnRestart::Resubmits, 1);
    });
    costs_something("pipelining", usual(|_| {}), 2, |it| it.producer.in_flight = 2);
    costs_something("a second worker", usual(|_| {}), 2, |it| it.consumer.workers = 2);
    costs_something("lazy settles", usual(|_| {}), 1, |it| it.broker.records_settles = RecordsSettles::Lazily);
    costs_something("leases that end", reference(&[Fault::LeaseExpiry], |_| {}), 1, |it| {
        it.broker.leases = Leases::Unchecked;
    });
}

#[test]
fn a_fault_that_cannot_strike_costs_no_states() {
    costs_nothing("dedup-forgotten without dedup", usual(|it| it.broker.dedup = Dedup::None), 2, |it| {
        it.faults = it.faults.with(Fault::DedupForgotten, 1);
    });
    costs_nothing("publish-reordered without pipelining", usual(|_| {}), 2, |it| {
        it.faults = it.faults.with(Fault::PublishReordered, 1);
    });
    costs_nothing(
        "settle-lost where none is sent",
        reference(&[], |it| it.consumer.settles = Settles::WithEffect),
        2,
        |it| {
            it.faults = it.faults.with(Fault::SettleLost, 1);
        },
    );
    costs_nothing("publish-ack-lost where none is sent", reference(&[], never_acks), 2, |it| {
        it.faults = it.faults.with(Fault::PublishAckLost, 1);
    });
    costs_nothing("a total beyond what may strike", reference(&[Fault::SettleLost], |_| {}), 2, |it| {
        it.faults = it.faults.capped(7);
    });
}

fn never_acks(pipeline: &mut Pipeline) {
    (pipeline.producer.attempts, pipeline.broker.acks) = (Attempts::AtMost(1), Acks::Never);
}
