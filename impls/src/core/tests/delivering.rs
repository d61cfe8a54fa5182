//! From the log to the consumers: who gets what, who may settle, and what a restart still knows of it.

use delivery_model::pipeline::{Commits, Delivers, Leases, Pipeline, RecordsSettles, Settles};
use delivery_model::vocab::{DeliveryNumber, EventKind, GroupId, Position, SettleOutcome};

use super::*;
use crate::core::deliveries::Next;
use crate::core::delivery::{ConsumerId, DeliveryId, HandOff, SettleRequest};
use crate::data::positions::Positions;
use crate::store::{Covers, Generation};

const FIRST: ConsumerId = ConsumerId(0);
const SECOND: ConsumerId = ConsumerId(1);

fn p(position: u64) -> Position {
    Position(position)
}

fn settle(hand: DeliveryId) -> SettleRequest {
    SettleRequest { hand, covers: Covers::One(hand.position), finishes: true }
}

/// Hands off whatever comes next.
fn hand_off(broker: &mut Broker<SimulatedJournal>, consumer: ConsumerId) -> HandOff {
    match broker.next_for(consumer, &[]) {
        Some(Next::HandOff(position)) => broker.hand_off(NOW, position, consumer).unwrap(),
        other => panic!("a hand-off is next, not {other:?}"),
    }
}

#[test]
fn the_lowest_position_that_nobody_has_is_next() {
    let mut broker = broker_with(&Pipeline::default(), 3);
    let hands = [(); 3].map(|()| hand_off(&mut broker, FIRST).hand);
    assert_eq!(hands.map(|hand| hand.position), [p(0), p(1), p(2)]);
    assert_eq!(broker.next_for(FIRST, &[]), None);
    broker.release(hands[1]);
    assert_eq!(broker.next_for(FIRST, &[]), Some(Next::HandOff(p(1))));
    assert_eq!(broker.next_for(FIRST, &[&Positions::below(p(3))]), None);
}

#[test]
fn a_record_is_not_handed_off_before_it_is_durable() {
    let pipeline = Pipeline::default();
    let mut broker = open_broker(&pipeline, Journals::default());
    store(&mut broker, producer_with(&pipeline, 1).transmit(NOW).unwrap().unwrap());
    assert_eq!(broker.next_for(FIRST, &[]), None);
    broker.sync().unwrap();
    assert_eq!(broker.next_for(FIRST, &[]), Some(Next::HandOff(p(0))));
}

#[test]
fn a_stale_settle_is_refused_or_recorded_as_the_settings_say() {
    let check = |leases, expected, settled: bool| {
        let pipeline = pipeline(|it| it.broker.leases = leases);
        let mut broker = broker_with(&pipeline, 1);
        let old = hand_off(&mut broker, FIRST).hand;
        let ends = broker.poll_timeout().unwrap();
        assert_eq!(ends, Tuning::default().lease);
        broker.handle_timeout(Millis(ends.0 - 1));
        assert_eq!(broker.next_for(SECOND, &[]), None);
        broker.handle_timeout(ends);
        let new = hand_off(&mut broker, SECOND).hand;
        assert_eq!(broker.settle(NOW, settle(old)), Ok(expected), "{leases:?}");
        assert_eq!(broker.deliveries().settled().contains(p(0)), settled, "{leases:?}");
        assert_eq!(broker.settle(NOW, settle(new)), Ok(SettleOutcome::Ok));
        assert!(broker.deliveries().settled().contains(p(0)) && !broker.is_live(new));
    };
    check(Leases::Checked, SettleOutcome::Refused, false);
    check(Leases::Unchecked, SettleOutcome::Ok, true);
}

/// Once, the loop looked at the clock before it took in what had waited for it.
#[test]
fn a_settle_counts_by_when_it_arrived_and_not_by_when_it_is_taken_in() {
    let lease = Tuning::default().lease;
    let check = |leases, late_by: Option<u64>, expected, settled: bool| {
        let mut broker = broker_with(&pipeline(|it| it.broker.leases = leases), 2);
        let [hand, other] = [(); 2].map(|()| hand_off(&mut broker, FIRST).hand);
        let at = late_by.map_or(Millis(lease.0 - 1), |late_by| Millis(lease.0 + late_by));
        assert_eq!(broker.settle(at, settle(hand)), Ok(expected), "{leases:?} {at:?}");
        assert_eq!(broker.deliveries().settled().contains(p(0)), settled);
        assert!(broker.is_live(other), "its end is for the clock to decide");
        broker.handle_timeout(lease);
        assert_eq!(broker.next_for(FIRST, &[]), Some(Next::HandOff(p(settled.into()))));
        if late_by.is_some() && !settled {
            assert_ne!(hand_off(&mut broker, SECOND).hand.lease, hand.lease, "a lease that ended is not granted again");
        }
    };
    check(Leases::Checked, None, SettleOutcome::Ok, true);
    check(Leases::Checked, Some(0), SettleOutcome::Refused, false);
    check(Leases::Checked, Some(1), SettleOutcome::Refused, false);
    check(Leases::Unchecked, Some(1), SettleOutcome::Ok, true);
}

#[test]
fn a_settle_before_the_effect_leaves_the_lease_to_whoever_is_at_work() {
    let mut broker = broker_with(&pipeline(|it| it.consumer.settles = Settles::BeforeEffect), 1);
    let hand = hand_off(&mut broker, FIRST).hand;
    for _ in 0..2 {
        let request = SettleRequest { finishes: false, ..settle(hand) };
        assert_eq!(broker.settle(NOW, request), Ok(SettleOutcome::Ok), "its answer may be lost, and it says so again");
    }
    assert!(broker.is_live(hand));
    broker.handle_timeout(Tuning::default().lease);
    assert_eq!((broker.is_live(hand), broker.next_for(FIRST, &[])), (false, None));
}

#[test]
fn a_lease_of_before_the_restart_does_not_settle() {
    let pipeline = Pipeline::default();
    let mut broker = broker_with(&pipeline, 1);
    let old = hand_off(&mut broker, FIRST).hand;
    let mut broker = crash(&pipeline, broker, 0);
    let new = hand_off(&mut broker, FIRST).hand;
    assert_eq!(broker.settle(NOW, settle(old)), Ok(SettleOutcome::Refused));
    assert_eq!(broker.settle(NOW, settle(new)), Ok(SettleOutcome::Ok));
}

#[test]
fn everything_of_a_consumer_that_is_gone_is_free() {
    let mut broker = broker_with(&Pipeline::default(), 2);
    hand_off(&mut broker, FIRST);
    hand_off(&mut broker, SECOND);
    broker.unsubscribe(FIRST);
    assert_eq!(broker.next_for(SECOND, &[]), Some(Next::HandOff(p(0))));
    broker.end_lease(p(1));
    hand_off(&mut broker, SECOND);
    assert_eq!(broker.next_for(SECOND, &[]), Some(Next::HandOff(p(1))));
}

#[test]
fn a_settle_survives_a_crash_from_its_sync_on() {
    let check = |records_settles, syncs: bool, expected: bool| {
        let pipeline = pipeline(|it| it.broker.records_settles = records_settles);
        let mut broker = broker_with(&pipeline, 2);
        let hand = hand_off(&mut broker, FIRST).hand;
        broker.settle(NOW, settle(hand)).unwrap();
        assert_eq!(broker.next_for(FIRST, &[]), Some(Next::HandOff(p(1))));
        assert_eq!(broker.needs_sync(), records_settles == RecordsSettles::Lazily);
        if syncs {
            broker.sync().unwrap();
            assert!(!broker.needs_sync());
        }
        let broker = crash(&pipeline, broker, 0);
        let survives = broker.deliveries().settled().contains(p(0));
        assert_eq!(survives, expected, "{records_settles:?}, synced: {syncs}");
    };
    check(RecordsSettles::AfterSync, false, true);
    check(RecordsSettles::Lazily, false, false);
    check(RecordsSettles::Lazily, true, true);
}

#[test]
fn a_hand_off_that_happens_once_is_never_repeated() {
    let check = |delivers, expected| {
        let pipeline = pipeline(|it| it.broker.delivers = delivers);
        let mut broker = broker_with(&pipeline, 1);
        let hand = hand_off(&mut broker, FIRST).hand;
        broker.release(hand);
        let before = broker.next_for(FIRST, &[]);
        let after = crash(&pipeline, broker, 0).next_for(FIRST, &[]);
        assert_eq!((before, after), (expected, expected), "{delivers:?}");
    };
    check(Delivers::Once, None);
    check(Delivers::UntilSettled, Some(Next::HandOff(p(0))));
}

#[test]
fn a_message_that_nobody_manages_is_set_aside_and_blocks_no_other() {
    let pipeline = pipeline(|it| it.broker.max_deliveries = 2);
    let mut broker = broker_with(&pipeline, 2);
    let first = hand_off(&mut broker, FIRST);
    assert_eq!(first.delivery, Some(DeliveryNumber(1)));
    broker.release(first.hand);
    // The count is durable: a crash does not give the message more deliveries.
    let mut broker = crash(&pipeline, broker, 0);
    let second = hand_off(&mut broker, FIRST);
    assert_eq!(second.delivery, Some(DeliveryNumber(2)));
    broker.release(second.hand);
    assert_eq!(broker.next_for(FIRST, &[]), Some(Next::DeadLetter(p(0))));
    broker.dead_letter(p(0)).unwrap();
    let dead = EventKind::DeadLetter { message: message(1), group: GroupId(0) };
    assert_eq!(kinds(|| broker.poll_report()), [dead]);
    let mut broker = crash(&pipeline, broker, 0);
    assert_eq!(broker.next_for(FIRST, &[]), Some(Next::HandOff(p(1))));
    let last = hand_off(&mut broker, FIRST).hand;
    broker.settle(NOW, SettleRequest { covers: Covers::Below(p(2)), ..settle(last) }).unwrap();
    assert_eq!(*broker.deliveries().settled(), Positions::below(p(2)).minus(&Positions::below(p(1))));
}

/// The broker dies between the record of the hand-off and the hand-off, or after it: nobody can tell which.
#[test]
fn a_message_with_one_delivery_is_set_aside_after_a_crash_and_never_handed_off_again() {
    let pipeline = pipeline(|it| it.broker.max_deliveries = 1);
    let mut broker = broker_with(&pipeline, 2);
    assert_eq!(hand_off(&mut broker, FIRST).delivery, Some(DeliveryNumber(1)));
    let mut broker = crash(&pipeline, broker, 0);
    assert_eq!(broker.next_for(FIRST, &[]), Some(Next::DeadLetter(p(0))));
    broker.dead_letter(p(0)).unwrap();
    assert_eq!(hand_off(&mut broker, FIRST).hand.position, p(1));
    let mut broker = crash(&pipeline, broker, 0);
    assert_eq!(broker.next_for(FIRST, &[]), Some(Next::DeadLetter(p(1))));
    broker.dead_letter(p(1)).unwrap();
    assert_eq!(broker.next_for(FIRST, &[]), None);
}

#[test]
fn a_rewind_delivers_again_what_was_settled_and_survives_a_crash() {
    let pipeline = pipeline(|it| (it.broker.delivers, it.broker.max_deliveries) = (Delivers::Once, 1));
    let mut broker = broker_with(&pipeline, 3);
    for _ in 0..3 {
        let hand = hand_off(&mut broker, FIRST).hand;
        broker.settle(NOW, settle(hand)).unwrap();
    }
    broker.rewind(p(1)).unwrap();
    let mut broker = crash(&pipeline, broker, 0);
    assert_eq!(hand_off(&mut broker, FIRST).hand.position, p(1));
    assert_eq!(hand_off(&mut broker, FIRST).hand.position, p(2));
}

/// A late holder settled where leases are not checked, and works on. Once, the position's next lease after a rewind was
/// granted under the number that the holder had, and the holder passed for current.
#[test]
fn a_lease_after_a_rewind_is_none_that_anybody_had_before() {
    let pipeline = pipeline(|it| it.broker.leases = Leases::Unchecked);
    let mut broker = broker_with(&pipeline, 1);
    let late = hand_off(&mut broker, FIRST).hand;
    broker.end_lease(p(0));
    assert_eq!(broker.settle(NOW, settle(late)), Ok(SettleOutcome::Ok));
    broker.rewind(p(0)).unwrap();
    let current = hand_off(&mut broker, SECOND).hand;
    assert_eq!((broker.is_live(late), broker.is_live(current)), (false, true));
}

/// What is in hand at a rewind comes late: its settle is refused, and the position is handed off again meanwhile.
#[test]
fn a_rewind_ends_the_leases_of_what_is_in_hand() {
    let mut broker = broker_with(&Pipeline::default(), 2);
    let old = hand_off(&mut broker, FIRST).hand;
    broker.rewind(p(0)).unwrap();
    let new = hand_off(&mut broker, SECOND).hand;
    assert_eq!((old.position, new.position), (p(0), p(0)));
    assert_eq!(broker.settle(NOW, settle(old)), Ok(SettleOutcome::Refused));
    assert_eq!(broker.settle(NOW, settle(new)), Ok(SettleOutcome::Ok));
}

#[test]
fn only_the_owner_of_a_cursor_gets_anything() {
    let pipeline = pipeline(|it| it.consumer.commits = Commits::Prefix);
    let mut broker = broker_with(&pipeline, 1);
    assert_eq!(broker.next_for(SECOND, &[]), None);
    let old = hand_off(&mut broker, FIRST);
    assert_eq!(broker.pass_to(SECOND), Ok(Generation(1)));
    assert_eq!((broker.next_for(FIRST, &[]), broker.is_live(old.hand)), (None, false));
    let broker = crash(&pipeline, broker, 0);
    assert_eq!(broker.deliveries().owner(), (SECOND, Generation(1)));
    assert_eq!(broker.next_for(SECOND, &[]), Some(Next::HandOff(p(0))));
}

#[test]
fn a_cursor_goes_on_over_a_restart_of_the_broker() {
    let pipeline = pipeline(|it| it.consumer.commits = Commits::Prefix);
    let mut broker = broker_with(&pipeline, 1);
    let hand = hand_off(&mut broker, FIRST).hand;
    let mut broker = crash(&pipeline, broker, 0);
    broker.resume(NOW, hand, FIRST);
    assert_eq!(broker.settle(NOW, settle(hand)), Ok(SettleOutcome::Ok));
}

#[test]
fn deliveries_carry_no_number_beyond_the_count() {
    let pipeline = Pipeline::default();
    let journals = broker_with(&pipeline, 1).into_journals();
    let tuning = Tuning { numbers_max: 3, ..Tuning::default() };
    let mut broker = Broker::open(&pipeline, tuning, journals).unwrap();
    let mut deliver = || {
        let HandOff { hand, delivery, .. } = hand_off(&mut broker, FIRST);
        broker.release(hand);
        delivery.map(|number| number.0)
    };
    assert_eq!([(); 4].map(|()| deliver()), [Some(1), Some(2), None, None]);
}

#[test]
fn hand_offs_are_in_the_ledger_where_they_happen_once_or_are_counted() {
    let check = |delivers, max_deliveries, after_crash: Option<u32>| {
        let pipeline = pipeline(|it| (it.broker.delivers, it.broker.max_deliveries) = (delivers, max_deliveries));
        let mut broker = broker_with(&pipeline, 1);
        assert!(!broker.deliveries().was_handed_off(p(0)));
        let first = hand_off(&mut broker, FIRST);
        let is_counted = delivers == Delivers::Once || max_deliveries > 0;
        assert_eq!(broker.deliveries().was_handed_off(p(0)), is_counted, "{delivers:?} {max_deliveries}");
        assert!(!broker.deliveries().was_handed_off(p(1)));
        broker.release(first.hand);
        let mut broker = crash(&pipeline, broker, 0);
        let second = match broker.next_for(FIRST, &[]) {
            Some(Next::HandOff(_)) => hand_off(&mut broker, FIRST).delivery.map(|number| number.0),
            _ => None,
        };
        assert_eq!(second, after_crash, "{delivers:?} {max_deliveries}");
    };
    check(Delivers::UntilSettled, 0, Some(1));
    check(Delivers::UntilSettled, 3, Some(2));
    check(Delivers::Once, 0, None);
    check(Delivers::Once, 3, None);
}

#[test]
fn a_message_is_set_aside_when_its_deliveries_are_used_up_however_far_they_are_numbered() {
    let pipeline = pipeline(|it| it.broker.max_deliveries = 3);
    let journals = broker_with(&pipeline, 1).into_journals();
    let tuning = Tuning { numbers_max: 1, ..Tuning::default() };
    let mut broker = Broker::open(&pipeline, tuning, journals).unwrap();
    for number in 1..=3 {
        let HandOff { hand, delivery, .. } = hand_off(&mut broker, FIRST);
        assert_eq!(delivery, Some(DeliveryNumber(number)));
        broker.release(hand);
    }
    assert_eq!(broker.next_for(FIRST, &[]), Some(Next::DeadLetter(p(0))));
}

#[test]
fn settled_durable_and_dead_positions_are_told_apart() {
    let pipeline = pipeline(|it| {
        (it.broker.records_settles, it.broker.max_deliveries) = (RecordsSettles::Lazily, 1);
    });
    let mut broker = broker_with(&pipeline, 3);
    let [first, second, _] = [(); 3].map(|()| hand_off(&mut broker, FIRST).hand);
    broker.settle(NOW, settle(first)).unwrap();
    broker.sync().unwrap();
    broker.settle(NOW, settle(second)).unwrap();
    broker.end_lease(p(2));
    broker.dead_letter(p(2)).unwrap();
    let deliveries = broker.deliveries();
    assert_eq!(*deliveries.durable(), Positions::below(p(1)));
    assert_eq!(*deliveries.settled(), Positions::below(p(2)));
    assert_eq!(*deliveries.dead(), Positions::below(p(3)).minus(&Positions::below(p(2))));
    assert_eq!(broker.next_for(FIRST, &[]), None);
}

#[test]
fn every_restart_grants_under_an_incarnation_of_its_own() {
    let pipeline = Pipeline::default();
    let mut broker = broker_with(&pipeline, 1);
    for incarnation in 1..=3 {
        let hand = hand_off(&mut broker, FIRST).hand;
        assert_eq!((hand.lease.incarnation, hand.lease.number), (incarnation, 1));
        broker = crash(&pipeline, broker, 0);
    }
}

#[test]
fn a_consumer_that_stores_its_positions_is_settled_elsewhere() {
    let check = |settles, expected| {
        let broker = broker_with(&pipeline(|it| it.consumer.settles = settles), 0);
        assert_eq!(broker.is_settled_elsewhere(), expected, "{settles:?}");
    };
    check(Settles::AfterEffect, false);
    check(Settles::BeforeEffect, false);
    check(Settles::WithEffect, true);
}
