//! Spec and cores walk in lockstep under the consumer's rarer settings, together with the faults that matter to them.

use delivery_model::pipeline::{
    Broker, Commits, FaultBudget, Leases, OnDuplicate, OnFailure, Pipeline, Remembers, Settles,
};
use delivery_model::vocab::Fault;
use delivery_proofs::lockstep::Walked;

use super::{check_within, exactly_once};

/// The exactly-once reference with some settings changed, under these faults, each once and at most two in a run.
fn pipeline(faults: &[Fault], change: impl FnOnce(&mut Pipeline)) -> Pipeline {
    exactly_once(|it| {
        it.producer.in_flight = 2;
        it.faults = FaultBudget::once_each(faults.iter().copied()).capped(2);
        change(it);
    })
}

/// Walks at most so many states of two messages; each fault strikes.
fn check(states_max: usize, pipeline: &Pipeline) -> Walked {
    let walked = check_within(states_max, pipeline, 2);
    let idle: Vec<Fault> = pipeline.faults.kinds().filter(|fault| !walked.struck.contains_key(fault)).collect();
    assert_eq!(idle, [], "a fault that never strikes makes the walk vacuous");
    walked
}

/// Every way to settle with every way to commit.
fn settling() -> impl Iterator<Item = (Settles, Commits)> {
    Settles::ALL.into_iter().flat_map(|settles| Commits::ALL.into_iter().map(move |commits| (settles, commits)))
}

#[test]
fn a_duplicate_that_is_ignored_walks_in_lockstep() {
    for (settles, commits) in settling() {
        for remembers in [Remembers::InMemory, Remembers::WithEffect] {
            let faults = [Fault::SettleLost, Fault::LeaseExpiry, Fault::ConsumerCrash, Fault::PublishAckLost];
            let pipeline = pipeline(&faults, |it| {
                (it.consumer.on_duplicate, it.consumer.remembers) = (OnDuplicate::Ignore, remembers);
                (it.consumer.settles, it.consumer.commits) = (settles, commits);
                (it.broker.max_deliveries, it.broker.dedup) = (2, Default::default());
                it.producer.in_flight = 1;
                // Without a position of its own to lose, a settle is part of the transaction.
                if settles == Settles::WithEffect {
                    it.faults = it.faults.with(Fault::SettleLost, 0);
                }
            });
            check(5_000, &pipeline);
        }
    }
}

#[test]
fn settles_in_the_background_walk_in_lockstep() {
    let faults = [Fault::SettleLost, Fault::LeaseExpiry, Fault::ConsumerCrash, Fault::BrokerCrash, Fault::HandlerFails];
    for commits in Commits::ALL {
        for (remembers, leases) in [(Remembers::InMemory, Leases::Checked), (Remembers::WithEffect, Leases::Unchecked)]
        {
            for (on_failure, on_duplicate) in OnFailure::ALL.into_iter().zip(OnDuplicate::ALL.into_iter().cycle()) {
                for (prefetch, workers) in [(0, 1), (1, 1), (0, 2)] {
                    let pipeline = pipeline(&faults, |it| {
                        it.consumer.settles = Settles::InBackground;
                        (it.consumer.commits, it.consumer.remembers) = (commits, remembers);
                        (it.consumer.on_failure, it.consumer.on_duplicate) = (on_failure, on_duplicate);
                        (it.consumer.prefetch, it.consumer.workers) = (prefetch, workers);
                        (it.broker.leases, it.broker.max_deliveries) = (leases, 2);
                    });
                    check(4_000, &pipeline);
                }
            }
        }
    }
}

#[test]
fn batches_walk_in_lockstep() {
    let faults = [Fault::SettleLost, Fault::LeaseExpiry, Fault::ConsumerCrash, Fault::HandlerFails, Fault::Poison];
    for (settles, commits) in settling().filter(|(settles, _)| *settles != Settles::InBackground) {
        for (remembers, on_duplicate) in
            [(Remembers::InMemory, OnDuplicate::Settle), (Remembers::WithEffect, OnDuplicate::Ignore)]
        {
            for on_failure in OnFailure::ALL {
                let pipeline = pipeline(&faults, |it| {
                    (it.consumer.settles, it.consumer.commits) = (settles, commits);
                    (it.consumer.remembers, it.consumer.on_duplicate) = (remembers, on_duplicate);
                    (it.consumer.on_failure, it.consumer.batch) = (on_failure, 2);
                    if settles == Settles::WithEffect {
                        it.faults = it.faults.with(Fault::SettleLost, 0);
                    }
                });
                assert!(pipeline.means_something());
                check(4_000, &pipeline);
            }
        }
    }
}

#[test]
fn deliveries_ahead_of_the_workers_walk_in_lockstep() {
    for (settles, commits) in settling() {
        for (prefetch, workers) in [(1, 1), (2, 1), (1, 2)] {
            let faults = [Fault::LeaseExpiry, Fault::ConsumerCrash, Fault::BrokerCrash, Fault::HandlerFails];
            let pipeline = pipeline(&faults, |it| {
                (it.consumer.prefetch, it.consumer.workers) = (prefetch, workers);
                (it.consumer.settles, it.consumer.commits) = (settles, commits);
                it.consumer.remembers = Remembers::InMemory;
            });
            check(5_000, &pipeline);
        }
    }
}

#[test]
fn a_message_that_kills_its_consumer_walks_in_lockstep() {
    for (settles, commits) in settling() {
        for (prefetch, workers) in [(0, 1), (1, 1), (0, 2)] {
            let faults = [Fault::HandlerCrashes, Fault::LeaseExpiry, Fault::Poison, Fault::BrokerCrash];
            let pipeline = pipeline(&faults, |it| {
                (it.consumer.prefetch, it.consumer.workers) = (prefetch, workers);
                (it.consumer.settles, it.consumer.commits) = (settles, commits);
                it.consumer.on_failure = OnFailure::Skip;
            });
            check(5_000, &pipeline);
            let limited = Broker { max_deliveries: 2, ..pipeline.broker.clone() };
            check(5_000, &Pipeline { broker: limited, ..pipeline });
        }
    }
}

/// Crashes without end lead back to where they began.
#[test]
fn a_message_that_kills_its_consumer_for_ever_is_a_loop() {
    for change in [|_: &mut Pipeline| {}, |it: &mut Pipeline| it.consumer.commits = Commits::Prefix] {
        assert!(check(usize::MAX, &pipeline(&[Fault::HandlerCrashes], change)).complete);
    }
}

#[test]
fn a_cursor_that_passes_on_walks_in_lockstep() {
    for (settles, commits) in settling() {
        for (leases, workers) in [(Leases::Checked, 1), (Leases::Unchecked, 2)] {
            let faults = [Fault::Rebalance, Fault::ConsumerCrash, Fault::BrokerCrash];
            let pipeline = pipeline(&faults, |it| {
                (it.consumer.settles, it.consumer.commits) = (settles, commits);
                (it.broker.leases, it.consumer.workers) = (leases, workers);
                it.consumer.remembers = Remembers::InMemory;
                it.faults = match it.consumer.follows_cursor() {
                    true => it.faults.with(Fault::Rebalance, 2),
                    false => it.faults.with(Fault::Rebalance, 0),
                };
            });
            check(8_000, &pipeline);
        }
    }
}
