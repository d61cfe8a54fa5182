//! Consumers that come and go: who gets what, how much at once, and when nothing is left for them.

use delivery_model::pipeline::{Commits, Pipeline, RecordsSettles, Settles};
use delivery_model::vocab::{Epoch, Position};

use super::*;
use crate::core::broker::{Drain, DrainEnd, Misplaced, Unsynced};
use crate::core::deliveries::Next;
use crate::core::delivery::{ConsumerId, DeliveryId, Lease, SettleRequest};
use crate::data::positions::Positions;
use crate::store::Covers;

const FIRST: ConsumerId = ConsumerId(0);
const SECOND: ConsumerId = ConsumerId(1);

fn subscribe(broker: &mut Broker<SimulatedJournal>, consumer: ConsumerId, workers: u32) {
    broker.subscribe(consumer, workers, [], Positions::default());
}

/// A consumer with so many workers, before so many messages.
fn served(change: impl FnOnce(&mut Pipeline), workers: u32, messages: u64) -> Broker<SimulatedJournal> {
    let mut broker = broker_with(&pipeline(change), messages);
    subscribe(&mut broker, FIRST, workers);
    broker
}

/// Whoever is next gets it.
fn hand_off(broker: &mut Broker<SimulatedJournal>) -> (ConsumerId, DeliveryId) {
    match broker.next() {
        Some((consumer, Next::HandOff(position))) => (consumer, broker.hand_off(NOW, position, consumer).unwrap().hand),
        other => panic!("a hand-off is next, not {other:?}"),
    }
}

fn settle(hand: DeliveryId, finishes: bool) -> SettleRequest {
    SettleRequest { hand, covers: Covers::One(hand.position), finishes }
}

/// The attempt at the second message.
fn second() -> Publish {
    let mut producer = producer_with(&pipeline(|it| it.producer.in_flight = 2), 2);
    let [_, second] = [(); 2].map(|()| producer.transmit(NOW).unwrap().unwrap());
    second
}

#[test]
fn a_consumer_gets_as_much_as_it_has_workers_and_more_when_one_is_free() {
    let mut broker = served(|_| (), 2, 9);
    let hands = [(); 2].map(|()| hand_off(&mut broker).1);
    assert_eq!(broker.next(), None);
    broker.settle(NOW, settle(hands[0], false)).unwrap();
    assert_eq!(broker.next(), None, "its handler is still to run");
    broker.handle_free(hands[0]);
    assert_eq!(broker.next(), Some((FIRST, Next::HandOff(Position(2)))));
    hand_off(&mut broker);
    assert_eq!(broker.next(), None);
    broker.settle(NOW, settle(hands[1], true)).unwrap();
    hand_off(&mut broker);
    let late = broker.next_for(SECOND, &[]);
    assert_eq!((broker.next(), late), (None, Some(Next::HandOff(Position(4)))));
    broker.handle_leave(FIRST);
    broker.release(hands[0]);
    broker.drain(Drain::Until(Millis(1)));
    assert_eq!((broker.next(), broker.drain_end(NOW)), (None, Some(DrainEnd::GaveUp)));
}

/// Its settle comes too late, and is its last word all the same.
#[test]
fn a_worker_whose_settle_is_refused_is_free() {
    let mut broker = served(|_| (), 1, 2);
    let (_, hand) = hand_off(&mut broker);
    broker.end_lease(hand.position);
    assert_eq!(broker.next(), None, "it is at work");
    broker.settle(NOW, settle(hand, true)).unwrap();
    assert_eq!(hand_off(&mut broker).1.position, hand.position);
}

#[test]
fn a_worker_whose_lease_ended_by_time_is_taken_for_free() {
    let mut broker = served(|_| (), 1, 2);
    let (_, hand) = hand_off(&mut broker);
    broker.handle_timeout(Tuning::default().lease);
    let (_, again) = hand_off(&mut broker);
    assert_eq!((again.position, again == hand), (hand.position, false));
    broker.release(hand);
    assert_eq!(broker.next(), None, "the newer one is at work");
}

#[test]
fn the_first_consumer_with_a_free_worker_is_next() {
    let mut broker = served(|_| (), 1, 3);
    subscribe(&mut broker, SECOND, 1);
    assert_eq!(hand_off(&mut broker).0, FIRST);
    let (second, hand) = hand_off(&mut broker);
    assert_eq!((second, broker.next()), (SECOND, None));
    broker.release(hand);
    assert_eq!(hand_off(&mut broker), (SECOND, hand), "a lease that was given back is used again");
    broker.unsubscribe(FIRST);
    assert_eq!(broker.next(), None);
    subscribe(&mut broker, FIRST, 1);
    let (consumer, again) = hand_off(&mut broker);
    assert_eq!((consumer, again.position), (FIRST, Position(0)), "what it held is free");
}

#[test]
fn a_consumer_that_comes_back_says_what_its_workers_have() {
    let lease = Lease { incarnation: 7, number: 1 };
    let hand = |position| DeliveryId { position: Position(position), lease };
    let check = |change: fn(&mut Pipeline), is_live| {
        let mut broker = broker_with(&pipeline(change), 2);
        // There is no position 2.
        broker.subscribe(FIRST, 1, [hand(0), hand(2)], Positions::default());
        [hand(0), hand(2)].into_iter().for_each(|hand| broker.resume(NOW, hand, FIRST));
        assert_eq!((broker.is_live(hand(0)), broker.is_live(hand(2)), broker.next()), (is_live, false, None));
        broker.release(hand(0));
        assert_eq!(hand_off(&mut broker).1.position, Position(0));
    };
    check(|_| (), false);
    check(|it| it.consumer.commits = Commits::Prefix, true);
}

#[test]
fn the_owner_of_a_cursor_is_handed_what_it_does_not_have_and_told_what_is_committed() {
    let mut broker = served(|it| it.consumer.commits = Commits::Prefix, 9, 4);
    subscribe(&mut broker, SECOND, 1);
    assert_eq!(broker.poll_committed(), None);
    broker.handle_has(FIRST, Positions::below(Position(2)));
    let (consumer, hand) = hand_off(&mut broker);
    assert_eq!((consumer, hand.position), (FIRST, Position(2)));
    broker.settle(NOW, SettleRequest { hand, covers: Covers::Below(Position(3)), finishes: true }).unwrap();
    assert_eq!(broker.poll_committed(), Some(Positions::below(Position(3))));
    assert_eq!(broker.poll_committed(), None, "once");
    broker.pass_to(SECOND).unwrap();
    assert_eq!(hand_off(&mut broker).0, SECOND);
    assert_eq!(broker.poll_committed(), Some(Positions::below(Position(3))), "it was told nothing yet");
    assert_eq!(served(|_| (), 1, 1).poll_committed(), None, "no cursor");
}

#[test]
fn a_group_waits_where_it_is_too_far_ahead_of_what_is_not_settled() {
    let check = |change: fn(&mut Pipeline), waits: bool| {
        let pipeline = pipeline(change);
        let journals = broker_with(&pipeline, 4).into_journals();
        let mut broker = Broker::open(&pipeline, Tuning { ahead_max: 2, ..Tuning::default() }, journals).unwrap();
        subscribe(&mut broker, FIRST, 9);
        let hands = [(); 2].map(|()| hand_off(&mut broker).1);
        assert_eq!(broker.next().is_none(), waits);
        broker.settle(NOW, settle(hands[1], true)).unwrap();
        assert_eq!(broker.next().is_none(), waits);
        assert!(!is_drained(&broker));
        broker.settle(NOW, settle(hands[0], true)).unwrap();
        for _ in 0..2 {
            hand_off(&mut broker);
        }
    };
    check(|_| (), true);
    check(|it| it.consumer.commits = Commits::Highest, false);
}

#[test]
fn a_consumer_settles_what_the_log_has_and_its_lease_is_of() {
    let below = |end| Covers::Below(Position(end));
    let one = |position| Covers::One(Position(position));
    let beyond = |found, end| Err(Misplaced::BeyondTheLog { found: Position(found), end: Position(end) });
    let check = |commits, covers, expected| {
        let mut broker = served(|it| it.consumer.commits = commits, 1, 2);
        let hand = hand_off(&mut broker).1;
        let checked = broker.check_settle(&SettleRequest { hand, covers, finishes: true });
        assert_eq!(checked, expected, "{commits:?} {covers:?}");
    };
    check(Commits::Each, one(0), Ok(()));
    check(Commits::Each, one(1), Err(Misplaced::NotItsOwn { leased: Position(0) }));
    check(Commits::Each, below(1), Err(Misplaced::NotItsOwn { leased: Position(0) }));
    check(Commits::Each, one(2), beyond(3, 2));
    check(Commits::Prefix, one(u64::MAX), beyond(u64::MAX, 2));
    check(Commits::Prefix, below(2), Ok(()));
    check(Commits::Prefix, below(3), beyond(3, 2));
}

#[test]
fn what_consumers_finish_by_themselves_is_known_while_they_are_there() {
    let check = |settles, expected: u64| {
        let mut broker = served(|it| it.consumer.settles = settles, 1, 3);
        let misplaced = Misplaced::BeyondTheLog { found: Position(4), end: Position(3) };
        assert_eq!(broker.handle_finished(FIRST, Position(4)), Err(misplaced));
        [2, 3, 1].into_iter().for_each(|end| broker.handle_finished(FIRST, Position(end)).unwrap());
        assert_eq!(broker.finished_elsewhere(), Positions::below(Position(expected)), "{settles:?}");
        broker.unsubscribe(FIRST);
        assert!(broker.finished_elsewhere().is_empty());
    };
    check(Settles::WithEffect, 3);
    check(Settles::AfterEffect, 0);
}

fn is_drained(broker: &Broker<SimulatedJournal>) -> bool {
    let mut drained = broker.clone();
    drained.drain(Drain::Whole);
    drained.drain_end(NOW) == Some(DrainEnd::Drained)
}

#[test]
fn a_broker_is_drained_when_all_is_durable_confirmed_and_delivered() {
    let mut broker = served(|it| it.broker.records_settles = RecordsSettles::Lazily, 1, 1);
    assert!(!is_drained(&broker), "one is to be delivered");
    let (_, hand) = hand_off(&mut broker);
    assert!(!is_drained(&broker), "it is at work");
    broker.settle(NOW, settle(hand, true)).unwrap();
    assert_eq!((is_drained(&broker), broker.unsynced()), (false, Some(Unsynced::Ledger)));
    broker.sync().unwrap();
    assert_eq!((is_drained(&broker), broker.unsynced()), (true, None));
    store(&mut broker, second());
    assert_eq!((is_drained(&broker), broker.unsynced()), (false, Some(Unsynced::Log(Position(2)))));
    broker.sync().unwrap();
    let (_, hand) = hand_off(&mut broker);
    broker.settle(NOW, settle(hand, true)).unwrap();
    broker.sync().unwrap();
    assert!(broker.owes_any() && !is_drained(&broker), "it is not confirmed");
    broker.confirm_due();
    assert!(is_drained(&broker));
    broker.unsubscribe(FIRST);
    assert!(!is_drained(&broker), "nobody is there");
}

#[test]
fn a_sync_is_news_where_it_makes_more_durable_and_takes_lazy_settles_with_it() {
    let mut broker = served(|it| it.broker.records_settles = RecordsSettles::Lazily, 1, 1);
    let (_, hand) = hand_off(&mut broker);
    broker.settle(NOW, settle(hand, true)).unwrap();
    assert_eq!(broker.handle_synced(Position(1)), Ok(false), "as before");
    assert_eq!(broker.unsynced(), Some(Unsynced::Ledger));
    store(&mut broker, second());
    assert_eq!(broker.handle_synced(Position(2)), Ok(true));
    assert_eq!((broker.unsynced(), broker.log().synced()), (None, Position(2)));
    assert_eq!(broker.handle_synced(Position(1)), Ok(false), "it was late");
    assert_eq!(broker.log().synced(), Position(2));
}

#[test]
fn a_broker_drains_until_its_deadline_has_passed_or_nobody_takes_anything() {
    let mut broker = served(|_| {}, 1, 1);
    assert_eq!(broker.drain_end(Millis(9)), None, "it is not to end");
    broker.drain(Drain::Until(Millis(5)));
    assert_eq!([Millis(5), Millis(6)].map(|now| broker.drain_end(now)), [None, Some(DrainEnd::GaveUp)]);
    broker.drain(Drain::Whole);
    assert_eq!(broker.drain_end(Millis(6)), None, "as long as it takes");
    broker.unsubscribe(FIRST);
    assert_eq!(broker.drain_end(Millis(6)), None, "somebody may come");
    broker.drain(Drain::Until(Millis(9)));
    assert_eq!(broker.drain_end(NOW), Some(DrainEnd::GaveUp));
}

#[test]
fn a_broker_is_not_drained_while_a_producer_is_connected() {
    let mut broker = served(|_| {}, 1, 0);
    broker.register(ProducerId(1), Epoch(0), PEER).unwrap();
    assert!(!is_drained(&broker), "it may send more");
    broker.disconnect(Peer(1));
    assert!(!is_drained(&broker), "that was another connection");
    broker.disconnect(PEER);
    assert!(is_drained(&broker));
}
