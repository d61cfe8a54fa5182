//! The conditions of the argument hold at every moment.

use std::ops::ControlFlow;

use delivery_model::check::audit;
use delivery_model::check::graph::{Checks, Walk};
use delivery_model::pipeline::{
    Commits, FaultBudget, Identity, OnDuplicate, OnFailure, OnRefusal, OnRestart, OutboxRead, Pipeline, RelayCommits,
    Remembers, Settles,
};
use delivery_model::vocab::{Fault, Move};

use crate::{preset, presets, protocol};

/// Checks every moment of the full graph, up to so many states. Returns the number of moments at which some move commutes
/// although faults may still strike: where it is 0, little was checked.
fn check(pipeline: &Pipeline, messages: u32, states_max: u32) -> usize {
    let protocol = protocol(pipeline, messages);
    let graph = protocol.run(Walk::new(&protocol).checks(Checks::none()).threads(2).states_max(states_max)).graph;
    let mut commute = 0;
    for moment in graph.ids().map(|id| graph.state(id)) {
        let sound = audit(&protocol, &moment, &|state, fault| protocol.spec.is_in_budget(state, fault));
        assert_eq!(sound.map_err(|unsound| unsound.to_string()), Ok(()), "{}: {moment:?}", pipeline.name);
        let may_strike = |fault| protocol.spec.is_in_budget(&moment.state, fault);
        let found = protocol.spec.commuting(&moment.state, may_strike, &mut |_| ControlFlow::Break(()));
        commute += usize::from(found.is_break() && Fault::ALL.into_iter().any(may_strike));
    }
    commute
}

#[test]
fn the_conditions_hold_at_every_moment_of_a_preset_under_the_usual_faults() {
    assert_eq!(presets().filter(|it| check(it, 1, u32::MAX) > 0).count(), 38, "of 44");
}

/// As long as these may strike, no rule says that anything commutes.
const REARRANGING: [Fault; 5] =
    [Fault::DeadLetterLost, Fault::Redrive, Fault::Failover, Fault::RecordExpired, Fault::GroupForgotten];

/// Each kind alone: a rule says that a move commutes only if none of the faults that it asks about may strike.
#[test]
fn the_conditions_hold_under_two_faults_of_any_one_kind() {
    let (mut checked, mut commute) = (0, 0);
    for fault in Fault::ALL.into_iter().filter(|fault| !REARRANGING.contains(fault)) {
        for preset in presets() {
            let faults = FaultBudget::NONE.with(fault, 2);
            checked += 1;
            commute += usize::from(check(&Pipeline { faults, ..preset }, 1, 5_000) > 0);
        }
    }
    assert_eq!((commute, checked), (722, 836), "something has to commute while a fault may strike");
}

#[test]
fn nothing_commutes_while_records_may_be_rearranged() {
    for fault in REARRANGING {
        for preset in presets() {
            let name = preset.name.clone();
            let faults = FaultBudget::NONE.with(fault, 1);
            assert_eq!(check(&Pipeline { faults, ..preset }, 1, 2_000), 0, "{name}: {fault}");
        }
    }
}

#[test]
fn the_conditions_hold_where_two_messages_meet() {
    check(&preset("exactly-once", |_| {}), 2, u32::MAX);
    check(&preset("kafka-transactional", |_| {}), 2, u32::MAX);
    for pipeline in presets() {
        let faults = [Fault::PublishReordered, Fault::PublishDuplicated, Fault::BrokerCrash, Fault::ConsumerCrash];
        check(&Pipeline { faults: FaultBudget::once_each(faults).capped(2), ordered: true, ..pipeline }, 2, 10_000);
    }
}

/// Whatever faults may still strike: none, all, or one kind alone.
#[test]
fn a_move_commutes_unless_a_fault_may_strike_that_its_rule_asks_about() {
    let all = Fault::ALL.iter().fold(0, |bits, &fault| bits | bit(fault));
    let outlooks: Vec<u32> = [0, all].into_iter().chain(Fault::ALL.map(bit)).collect();
    let mut both = [false; 2];
    for preset in presets() {
        let name = preset.name.clone();
        let protocol = protocol(&preset, 2);
        let graph = protocol.run(Walk::new(&protocol).checks(Checks::none()).states_max(3_000)).graph;
        for moment in graph.ids().map(|id| graph.state(id)) {
            let mut rules: Vec<(Move, u32)> = Vec::new();
            protocol.spec.commuting_unless(&moment.state, &mut |it, unless| rules.push((it, unless)));
            for &outlook in &outlooks {
                let mut found = Vec::new();
                let _ = protocol.spec.commuting(&moment.state, |fault| outlook & bit(fault) != 0, &mut |it| {
                    found.push(it);
                    ControlFlow::Continue(())
                });
                let expected = rules.iter().filter(|(_, unless)| unless & outlook == 0);
                let expected: Vec<Move> = expected.map(|&(it, _)| it).collect();
                assert_eq!(found, expected, "{name}, {outlook:b}: {moment:?}");
                both[usize::from(found.len() < rules.len())] |= !rules.is_empty();
            }
        }
    }
    assert_eq!(both, [true; 2], "some rule has to notice a fault");
}

fn bit(fault: Fault) -> u32 {
    1 << fault as u32
}

/// Nine acks are lost, and what is sent again is stored again.
#[test]
fn the_conditions_hold_where_the_log_is_full() {
    let overflowing = preset("at-least-once", |it| it.faults = FaultBudget::NONE.with(Fault::PublishAckLost, 9));
    check(&overflowing, 1, u32::MAX);
}

/// Settings that no preset has, each of which some rule looks at.
#[test]
fn the_conditions_hold_under_unusual_settings() {
    let unusual: &[fn(&mut Pipeline)] = &[
        |it| (it.consumer.workers, it.consumer.commits) = (2, Commits::Highest),
        |it| (it.consumer.commits, it.consumer.settles) = (Commits::Highest, Settles::WithEffect),
        |it| it.consumer.commits = Commits::Highest,
        |it| it.consumer.remembers = Remembers::InMemory,
        |it| (it.consumer.settles, it.consumer.commits) = (Settles::BeforeEffect, Commits::Prefix),
        |it| (it.producer.on_restart, it.producer.in_flight) = (OnRestart::Resubmits, 2),
        |it| (it.producer.identity, it.broker.dedup) = (Identity::None, Default::default()),
        |it| (it.broker.max_deliveries, it.faults) = (2, it.faults.with(Fault::Poison, 1).with(Fault::Rewind, 1)),
        |it| it.faults = it.faults.with(Fault::LeaseExpiry, 1).with(Fault::DedupForgotten, 1),
        |it| it.faults = it.faults.with(Fault::HandlerFails, 2),
        |it| (it.producer.on_refusal, it.producer.in_flight) = (OnRefusal::GiveUp, 2),
        |it| it.consumer.on_duplicate = OnDuplicate::Ignore,
        |it| (it.consumer.on_duplicate, it.consumer.commits) = (OnDuplicate::Ignore, Commits::Prefix),
        |it| it.consumer.prefetch = 1,
        |it| it.consumer.batch = 2,
        |it| it.consumer.settles = Settles::InBackground,
        |it| (it.consumer.settles, it.consumer.commits) = (Settles::InBackground, Commits::Highest),
        |it| (it.broker.max_deliveries, it.faults) = (2, it.faults.with(Fault::HandlerCrashes, 1)),
        |it| (it.consumer.commits, it.faults) = (Commits::Prefix, it.faults.with(Fault::Rebalance, 1)),
        |it| {
            (it.producer.on_refusal, it.producer.in_flight) = (OnRefusal::NewEpoch, 2);
            it.faults = FaultBudget::once_each([Fault::PublishRefused, Fault::ProducerCrash, Fault::BrokerCrash]);
        },
        |it| it.faults = FaultBudget::once_each([Fault::CommitReordered, Fault::ProducerCrash]),
        |it| {
            (it.producer.outbox, it.producer.in_flight) = (OutboxRead::Cursor, 2);
            it.faults = FaultBudget::once_each([Fault::CommitReordered, Fault::ProducerCrash, Fault::PublishRefused]);
        },
        |it| {
            (it.producer.outbox, it.producer.relay_commits) = (OutboxRead::Cursor, RelayCommits::BeforePublish);
            it.faults = FaultBudget::once_each([Fault::CommitReordered, Fault::ProducerCrash, Fault::PublishLost]);
        },
        |it| {
            (it.consumer.on_failure, it.consumer.commits) = (OnFailure::Skip, Commits::Prefix);
            it.faults = it.faults.with(Fault::HandlerFails, 2);
        },
    ];
    unusual.iter().for_each(|&change| assert!(check(&preset("exactly-once", change), 2, 10_000) > 0));
}
