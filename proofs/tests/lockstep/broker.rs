//! Full queues, records that go, dead letters in all their ways, and groups that begin anew.

use delivery_model::pipeline::{
    Acks, Commits, DeadLettering, Dedup, Delivers, FaultBudget, HandsOff, Identity, Leases, NewGroup, OnFailure,
    Overflow, Pipeline, RecordsSettles, Remembers, Settles,
};
use delivery_model::vocab::Fault;

use super::{check_within, exactly_once};

/// A walk ends after so many states: there are many walks.
const STATES_MAX: usize = 800;

/// Walks both together, and says how often this fault struck.
#[track_caller]
fn check(pipeline: &Pipeline, fault: Fault) -> usize {
    check_within(STATES_MAX, pipeline, 2).struck.get(&fault).copied().unwrap_or_default()
}

/// Every way to settle and to follow the log.
fn groups() -> impl Iterator<Item = (Settles, Commits, Delivers)> {
    let settles = Settles::ALL.iter().flat_map(|settles| Commits::ALL.iter().map(move |commits| (*settles, *commits)));
    settles.flat_map(|(settles, commits)| Delivers::ALL.iter().map(move |delivers| (settles, commits, *delivers)))
}

fn of(group: (Settles, Commits, Delivers)) -> Pipeline {
    exactly_once(|it| (it.consumer.settles, it.consumer.commits, it.broker.delivers) = group)
}

fn under(pipeline: Pipeline, faults: &[Fault]) -> Pipeline {
    let faults = FaultBudget::once_each(faults.iter().copied()).capped(2);
    Pipeline { faults, ..pipeline }
}

#[test]
fn a_queue_that_is_full_walks_in_lockstep() {
    for group in groups() {
        for overflow in Overflow::ALL {
            let mut pipeline = of(group);
            (pipeline.broker.capacity, pipeline.broker.overflow) = (1, overflow);
            pipeline.producer.in_flight = 2;
            let faults = [Fault::BrokerCrash, Fault::ConsumerCrash, Fault::SettleLost, Fault::LeaseExpiry];
            assert!(check(&under(pipeline, &faults), Fault::BrokerCrash) > 0, "{group:?}");
        }
    }
}

#[test]
fn a_record_that_expires_walks_in_lockstep() {
    for group in groups() {
        let faults = [Fault::RecordExpired, Fault::ConsumerCrash, Fault::BrokerCrash, Fault::LeaseExpiry];
        assert!(check(&under(of(group), &faults), Fault::RecordExpired) > 0, "{group:?}");
    }
}

#[test]
fn a_group_that_begins_anew_walks_in_lockstep() {
    for (group, new_group) in groups().flat_map(|group| NewGroup::ALL.iter().map(move |it| (group, *it))) {
        let mut pipeline = of(group);
        pipeline.broker.new_group = new_group;
        (pipeline.consumer.workers, pipeline.producer.in_flight) = (2, 2);
        let faults =
            [Fault::GroupForgotten, Fault::ConsumerCrash, Fault::BrokerCrash, Fault::LeaseExpiry, Fault::Rewind];
        let struck = check(&under(pipeline, &faults), Fault::GroupForgotten) > 0;
        assert_eq!(struck, group.0 != Settles::WithEffect, "{group:?}");
    }
}

#[test]
fn a_dead_letter_walks_in_lockstep_however_it_is_published() {
    for (group, dead_lettering) in groups().flat_map(|group| DeadLettering::ALL.iter().map(move |it| (group, *it))) {
        for on_failure in [OnFailure::Release, OnFailure::DeadLetter] {
            let mut pipeline = of(group);
            (pipeline.broker.dead_lettering, pipeline.broker.max_deliveries) = (dead_lettering, 2);
            pipeline.consumer.on_failure = on_failure;
            let faults = [Fault::Poison, Fault::DeadLetterLost, Fault::Redrive, Fault::BrokerCrash, Fault::LeaseExpiry];
            let mut pipeline = under(pipeline, &faults);
            pipeline.faults = pipeline.faults.capped(3);
            check(&pipeline, Fault::DeadLetterLost);
        }
    }
}

/// A position that a consumer stored itself stays finished, although a crash forgets that it was set aside.
#[test]
fn what_a_consumer_stored_outlives_its_dead_letter_in_lockstep() {
    for commits in Commits::ALL {
        let mut pipeline = of((Settles::WithEffect, commits, Delivers::UntilSettled));
        pipeline.consumer.remembers = Remembers::Nothing;
        let broker = &mut pipeline.broker;
        (broker.dead_lettering, broker.max_deliveries) = (DeadLettering::AtLeastOnce, 1);
        (broker.leases, broker.records_settles) = (Leases::Unchecked, RecordsSettles::Lazily);
        let pipeline = under(pipeline, &[Fault::Rebalance, Fault::LeaseExpiry, Fault::BrokerCrash]);
        assert!(check_within(20_000, &pipeline, 1).struck.contains_key(&Fault::BrokerCrash), "{commits}");
    }
}

/// A dead letter that a crash forgot comes again, and can be put back again.
#[test]
fn a_dead_letter_that_comes_again_is_put_back_again_in_lockstep() {
    let mut pipeline = of((Settles::AfterEffect, Commits::Each, Delivers::UntilSettled));
    (pipeline.broker.dead_lettering, pipeline.broker.max_deliveries) = (DeadLettering::AtLeastOnce, 1);
    pipeline.faults = [(Fault::Redrive, 2), (Fault::BrokerCrash, 2), (Fault::DeliveryLost, 1)]
        .into_iter()
        .fold(FaultBudget::NONE, |budget, (fault, times)| budget.with(fault, times));
    let walked = check_within(200_000, &pipeline, 1);
    assert!(walked.complete, "the whole graph, with both redrives, is walked");
}

#[test]
fn a_failed_message_that_is_set_aside_or_published_again_walks_in_lockstep() {
    for (group, leases) in groups().flat_map(|group| Leases::ALL.iter().map(move |it| (group, *it))) {
        for on_failure in [OnFailure::DeadLetter, OnFailure::Requeue] {
            let mut pipeline = of(group);
            (pipeline.consumer.on_failure, pipeline.broker.leases) = (on_failure, leases);
            pipeline.consumer.workers = 2;
            let faults = [Fault::HandlerFails, Fault::ConsumerCrash, Fault::BrokerCrash, Fault::LeaseExpiry];
            assert!(check(&under(pipeline, &faults), Fault::HandlerFails) > 0, "{group:?}");
        }
    }
}

#[test]
fn a_consumer_that_joins_a_group_without_a_position_walks_in_lockstep() {
    for group in groups() {
        let mut pipeline = of(group);
        pipeline.broker.new_group = NewGroup::Latest;
        let faults = [Fault::ConsumerCrash, Fault::LeaseExpiry, Fault::Rewind, Fault::BrokerCrash];
        assert!(check(&under(pipeline, &faults), Fault::ConsumerCrash) > 0, "{group:?}");
    }
}

/// Whatever the log loses is still in hand, and remembered.
#[test]
fn records_that_are_lost_after_they_were_handed_off_walk_in_lockstep() {
    for (group, acks) in groups().flat_map(|group| [Acks::AfterSync, Acks::Replicated].map(|acks| (group, acks))) {
        for (hands_off, identity) in [
            (HandsOff::Appended, Identity::Sequence),
            (HandsOff::Appended, Identity::None),
            (HandsOff::Synced, Identity::MessageId),
        ] {
            let mut pipeline = of(group);
            (pipeline.broker.hands_off, pipeline.broker.acks) = (hands_off, acks);
            (pipeline.producer.identity, pipeline.consumer.workers) = (identity, 2);
            if identity != Identity::Sequence {
                pipeline.broker.dedup = Dedup::None;
            }
            let lost = if hands_off == HandsOff::Appended { Fault::BrokerCrash } else { Fault::Failover };
            for other in [Fault::LeaseExpiry, Fault::ConsumerCrash, lost] {
                let faults = FaultBudget::NONE.with(other, 1).with(lost, 1 + u32::from(other == lost));
                assert!(check(&Pipeline { faults, ..pipeline.clone() }, lost) > 0, "{group:?}");
            }
        }
    }
}

#[test]
fn settles_that_are_synced_apart_from_the_log_walk_in_lockstep() {
    for (group, hands_off) in groups().flat_map(|group| HandsOff::ALL.iter().map(move |it| (group, *it))) {
        let mut pipeline = of(group);
        (pipeline.broker.records_settles, pipeline.broker.hands_off) = (RecordsSettles::Lazily, hands_off);
        let faults = [Fault::BrokerCrash, Fault::ConsumerCrash, Fault::LeaseExpiry, Fault::SettleLost];
        assert!(check(&under(pipeline, &faults), Fault::BrokerCrash) > 0, "{group:?}");
    }
}
