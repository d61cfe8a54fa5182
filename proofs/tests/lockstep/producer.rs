//! The producer's settings walk in lockstep under the faults that matter to them.
//!
//! Every result has its bounds beside it: how many messages, which budgets, and how many states where a walk is not full.

use delivery_model::pipeline::{
    Attempts, Dedup, FaultBudget, Identity, OnRefusal, OnRestart, OutboxRead, Pipeline, RelayCommits,
};
use delivery_model::vocab::Fault;

use super::{check_within, exactly_once};

/// In every way in which a session is kept or renewed, with refusals, crashes and what is left of old epochs.
#[test]
fn a_new_epoch_after_a_refusal_walks_in_lockstep() {
    for on_restart in OnRestart::ALL {
        for (identity, dedup) in [(Identity::Sequence, Dedup::Sequence), (Identity::MessageId, Dedup::MessageId)] {
            let faults = FaultBudget::once_each([Fault::PublishRefused, Fault::ProducerCrash, Fault::PublishAckLost]);
            let faults = faults.with(Fault::PublishRefused, 2).capped(3);
            let pipeline = exactly_once(|it| {
                (it.producer.on_restart, it.producer.on_refusal) = (on_restart, OnRefusal::NewEpoch);
                (it.producer.identity, it.broker.dedup, it.producer.in_flight) = (identity, dedup, 2);
                it.faults = faults;
            });
            let walked = check_within(20_000, &pipeline, 2);
            assert!(walked.struck.contains_key(&Fault::ProducerCrash), "{walked:?}");
            let mut zombies = pipeline;
            zombies.faults = FaultBudget::once_each([Fault::PublishRefused, Fault::ProducerZombie, Fault::BrokerCrash]);
            (zombies.broker.fencing, zombies.producer.attempts) = (false, Attempts::AtMost(2));
            check_within(20_000, &zombies, 2);
        }
    }
}

/// A producer that has no epochs left is cut off in both alike: refusals come again and again.
#[test]
fn epochs_end_in_lockstep() {
    let pipeline = exactly_once(|it| {
        it.producer.on_refusal = OnRefusal::NewEpoch;
        it.faults = FaultBudget::NONE.with(Fault::PublishRefused, 9);
    });
    assert!(check_within(usize::MAX, &pipeline, 1).complete);
}

/// A relay that reads its outbox by position, whatever it does with its position, its identities and refusals.
#[test]
fn an_outbox_that_is_read_by_position_walks_in_lockstep() {
    for (on_restart, relay_commits) in
        OnRestart::ALL.iter().flat_map(|it| RelayCommits::ALL.iter().map(move |commits| (*it, *commits)))
    {
        for (identity, dedup) in [
            (Identity::Sequence, Dedup::Sequence),
            (Identity::MessageId, Dedup::MessageId),
            (Identity::None, Dedup::None),
        ] {
            for on_refusal in OnRefusal::ALL {
                let pipeline = exactly_once(|it| {
                    (it.producer.on_restart, it.producer.relay_commits) = (on_restart, relay_commits);
                    (it.producer.outbox, it.producer.on_refusal) = (OutboxRead::Cursor, on_refusal);
                    (it.producer.identity, it.broker.dedup, it.producer.in_flight) = (identity, dedup, 2);
                });
                let crashes = FaultBudget::once_each([Fault::PublishRefused, Fault::PublishLost]);
                let crashes = crashes.with(Fault::ProducerCrash, 2).capped(3);
                let walked = check_within(3_000, &Pipeline { faults: crashes, ..pipeline.clone() }, 3);
                assert!(walked.struck.contains_key(&Fault::ProducerCrash), "{walked:?}");
                let reordered = crashes.with(Fault::CommitReordered, 2);
                let walked = check_within(6_000, &Pipeline { faults: reordered, ..pipeline }, 3);
                let strikes = walked.struck.contains_key(&Fault::CommitReordered);
                assert_eq!(strikes, on_restart != OnRestart::Forgets, "{walked:?}");
            }
        }
    }
}

/// Rows that become visible in another order than their positions are numbered and sent in that order.
#[test]
fn rows_that_are_committed_in_another_order_walk_in_lockstep() {
    for (identity, dedup) in [(Identity::Sequence, Dedup::Sequence), (Identity::MessageId, Dedup::MessageId)] {
        for on_restart in [OnRestart::Outbox, OnRestart::Resubmits] {
            let pipeline = exactly_once(|it| {
                (it.producer.on_restart, it.producer.in_flight) = (on_restart, 2);
                (it.producer.identity, it.broker.dedup) = (identity, dedup);
                let faults = [Fault::CommitReordered, Fault::ProducerCrash, Fault::PublishRefused];
                it.faults = FaultBudget::once_each(faults).capped(2);
            });
            let walked = check_within(20_000, &pipeline, 3);
            assert!(walked.struck.contains_key(&Fault::CommitReordered), "{walked:?}");
        }
    }
}
