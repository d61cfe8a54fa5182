//! The model's verdicts on whole pipelines: what holds, what breaks, by which property, and in how few steps.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use delivery_model::check::graph::Walk;
use delivery_model::check::{Limits, Protocol, explore};
use delivery_model::pipeline::{
    Acks, Attempts, Dedup, FaultBudget, Identity, Leases, Level, Obligation, OnRestart, Pipeline, Remembers, Semantics,
    Settles,
};
use delivery_model::presets;
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::Fault;
use stateright::{Checker, Model};

const AMO: Option<Semantics> = Some(Semantics::AtMostOnce);
const ALO: Option<Semantics> = Some(Semantics::AtLeastOnce);
const EO: Option<Semantics> = Some(Semantics::ExactlyOnce);

fn preset(name: &str, change: impl FnOnce(&mut Pipeline)) -> Pipeline {
    let mut pipeline = presets::named(name).expect("the preset exists");
    change(&mut pipeline);
    pipeline
}

/// The strongest semantics of a pipeline, and the broken properties among those of exactly-once, with their stories' lengths.
fn check(pipeline: &Pipeline, strongest: Option<Semantics>, broken: &[(PropertyId, usize)]) {
    let explored = explore(pipeline, Limits::default(), &|_| true).expect("two messages fit");
    assert!(explored.is_complete(), "{}: {}", pipeline.name, explored.completeness);
    assert_eq!(explored.never_fired, [], "{}: a fault that never fires makes the check vacuous", pipeline.name);
    assert_eq!(explored.verdicts.strongest(), strongest, "{}", pipeline.name);
    let told: Vec<_> =
        explored.violations.iter().map(|violation| (violation.property, violation.steps.len())).collect();
    assert_eq!(told, broken, "{}", pipeline.name);
}

#[test]
fn the_references_keep_their_promises_and_no_stronger_one() {
    use PropertyId::*;
    check(&preset("at-most-once", |_| {}), AMO, &[(AckedNotLost, 9)]);
    check(&preset("at-least-once", |_| {}), ALO, &[(NoDuplicateEffect, 12)]);
    check(&preset("exactly-once", |_| {}), EO, &[]);
}

#[test]
fn one_weakened_setting_breaks_a_named_property() {
    use PropertyId::*;
    let weakened = |change: fn(&mut Pipeline)| preset("exactly-once", change);
    check(&weakened(|it| it.producer.attempts = Attempts::AtMost(1)), AMO, &[(SubmittedNotLost, 4)]);
    check(
        &weakened(|it| (it.producer.identity, it.broker.dedup) = (Identity::None, Dedup::None)),
        ALO,
        &[(NoDuplicateEffect, 16)],
    );
    check(
        &weakened(|it| it.consumer.settles = Settles::BeforeEffect),
        AMO,
        &[(SubmittedNotLost, 12), (SettledAfterEffect, 9)],
    );
    check(&weakened(|it| it.consumer.remembers = Remembers::Nothing), ALO, &[(NoDuplicateEffect, 12)]);
    check(&weakened(|it| it.broker.acks = Acks::OnReceipt), AMO, &[(SubmittedNotLost, 5)]);
    check(&weakened(|it| it.producer.on_restart = OnRestart::Forgets), AMO, &[(SubmittedNotLost, 2)]);
    check(&weakened(|it| it.level = Level::Delivery), ALO, &[(NoDuplicateDelivery, 10)]);
}

#[test]
fn losing_what_was_never_acked_breaks_no_promise_about_acked_messages() {
    let acked = |change: fn(&mut Pipeline)| {
        preset("exactly-once", |it| {
            it.obligation = Obligation::Acked;
            change(it);
        })
    };
    check(&acked(|it| it.producer.on_restart = OnRestart::Forgets), EO, &[]);
    check(&acked(|it| it.producer.attempts = Attempts::AtMost(1)), EO, &[]);
}

/// Unique states of the references, within two messages, each default fault once and two in all. They change when the
/// protocol, its bounds or the watched properties do: then look whether they should.
#[test]
fn state_counts_are_pinned_and_agree_with_stateright() {
    for (name, states) in [("at-most-once", 2_754), ("at-least-once", 58_374), ("exactly-once", 16_993)] {
        let pipeline = preset(name, |_| {});
        let limits = Limits { reduced: false, ..Limits::default() };
        let explored = explore(&pipeline, limits, &|_| true).expect("two messages fit");
        assert_eq!(explored.states, states, "{name}");
        let model = || Protocol::new(&pipeline, 2).expect("two messages fit").checker();
        assert_eq!(model().spawn_dfs().join().unique_state_count(), states, "{name}, depth first");
        let breadth_first = model().spawn_bfs().join();
        assert_eq!(breadth_first.unique_state_count(), states, "{name}, breadth first");
        let found = breadth_first.discoveries();
        for violation in &explored.violations {
            assert!(found.contains_key(violation.property.word()), "{name}: {} as well", violation.property);
        }
    }
}

/// Each story is shown by the model it is told of, and by no shorter run of as many messages and faults.
#[test]
fn a_story_ends_where_its_property_breaks() {
    let pipeline = preset("exactly-once", |it| it.consumer.remembers = Remembers::Nothing);
    let explored = explore(&pipeline, Limits::default(), &|_| true).expect("two messages fit");
    let story = &explored.violations[0];
    let protocol = Protocol::new(&pipeline, story.messages).expect("one message fits");
    let broken: Vec<bool> = protocol
        .along(&story.steps)
        .map(|moment| protocol.broken(&moment, false).contains(PropertyId::NoDuplicateEffect))
        .collect();
    assert_eq!(broken.iter().position(|&broken| broken), Some(story.steps.len()));
}

#[test]
fn more_messages_than_the_encoding_holds_are_refused() {
    let pipeline = preset("exactly-once", |_| {});
    let error =
        explore(&pipeline, Limits { messages: 5, ..Limits::default() }, &|_| true).expect_err("five do not fit");
    assert_eq!(error.to_string(), "a model has 1 to 4 messages, not 5");
}

/// What the walk and Stateright's searches decide: broken properties, and faults that struck. They must agree.
fn decided_by_all(protocol: &Protocol, name: &str) -> BTreeSet<String> {
    let walked = protocol.run(Walk::new(protocol).checks(protocol.checks()));
    let decided = walked.findings.iter().filter(|finding| finding.decided_by.is_some());
    let decided: BTreeSet<String> = decided.map(|finding| finding.check.name.clone()).collect();
    let agrees = |checker: &dyn Checker<Protocol>| {
        assert_eq!(checker.unique_state_count(), walked.graph.len(), "{name}");
        let theirs: BTreeSet<String> = checker.discoveries().into_keys().map(str::to_owned).collect();
        assert_eq!(theirs, decided, "{name}");
    };
    agrees(&protocol.clone().checker().spawn_bfs().join());
    agrees(&protocol.clone().checker().spawn_dfs().join());
    decided
}

/// Of every preset, with one message: any two faults in each family, and elsewhere any one, and two of the usual ones. On two
/// threads, as nothing else takes as long.
#[test]
fn stateright_sees_the_same_states_and_decides_the_same() {
    let each_once = FaultBudget::once_each(Fault::ALL);
    let (families, others) = presets::ALL.split_at(presets::FAMILIES);
    let families = families.iter().map(|preset| (preset, each_once.capped(2)));
    let budgets = [each_once.capped(1), FaultBudget::default()];
    let others = others.iter().flat_map(|preset| budgets.map(|faults| (preset, faults)));
    let all = Mutex::new(families.chain(others));
    let decide = || {
        while let Some(((name, _), faults)) = { all.lock().expect("nobody panics with it").next() } {
            let pipeline = preset(name, |it| it.faults = faults);
            decided_by_all(&Protocol::new(&pipeline, 1).expect("one message fits"), name);
        }
    };
    thread::scope(|scope| {
        scope.spawn(decide);
        decide();
    });
}

/// Where leases are not checked nobody claims that stale settles are refused. Claimed all the same, it is found broken,
/// by a look inside.
#[test]
fn stateright_looks_inside_too() {
    let pipeline = preset("exactly-once", |it| {
        it.broker.leases = Leases::Unchecked;
        it.faults = FaultBudget::NONE.with(Fault::LeaseExpiry, 1);
    });
    let mut protocol = Protocol::new(&pipeline, 1).expect("one message fits");
    assert!(!decided_by_all(&protocol, "not claimed").contains("stale-settle-refused"));
    protocol.watch.watched.insert(PropertyId::StaleSettleRefused);
    assert!(decided_by_all(&protocol, "claimed").contains("stale-settle-refused"));
}
