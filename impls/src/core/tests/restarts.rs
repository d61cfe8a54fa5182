//! What producer and broker know after a crash.

use delivery_model::pipeline::{Dedup, DedupOnRestart, Identity as By, OnRestart, Pipeline};
use delivery_model::vocab::{Epoch, Position};

use super::*;
use crate::data::record::{Identity, Session, Verdict};

/// The identities under which the messages are sent that are unfinished after a crash in the first one's attempt.
fn identities_after_crash(on_restart: OnRestart, identity: By) -> Vec<(u64, Identity)> {
    let pipeline = pipeline(|it| {
        (it.producer.on_restart, it.producer.identity, it.producer.in_flight) = (on_restart, identity, 9);
        it.broker.dedup = Dedup::None;
    });
    let mut producer = producer_with(&pipeline, 3);
    let first = producer.transmit(NOW).unwrap().unwrap();
    let verdict = Verdict::Acked(None);
    producer.handle_reply(NOW, Reply { message: message(1), attempt: first.attempt, verdict }).unwrap();
    producer.transmit(NOW).unwrap().unwrap();
    let mut successor = open_producer(&pipeline, producer.into_store());
    assert_eq!((successor.id(), successor.epoch()), (ProducerId(1), Epoch(1)));
    successor.submit(message(4), order(4)).unwrap();
    let attempts = std::iter::from_fn(|| successor.transmit(NOW).unwrap());
    let attempts = attempts.inspect(|publish| assert_eq!((publish.record.epoch, publish.attempt.0), (Epoch(1), 1)));
    attempts.map(|publish| (publish.record.message.0, publish.record.identity)).collect()
}

#[test]
fn a_restart_forgets_resubmits_or_goes_on() {
    let session = |session| Session { producer: ProducerId(1), session: Epoch(session) };
    let sequence = |in_session, number| Identity::Sequence { session: session(in_session), number };
    let id = |of, in_session| Identity::Message { message: message(of), session: session(in_session) };
    let check = |on_restart, identity, expected: &[(u64, Identity)]| {
        assert_eq!(identities_after_crash(on_restart, identity), expected, "{on_restart:?} {identity:?}");
    };
    use OnRestart::{Forgets, Outbox, Resubmits};
    check(Outbox, By::Sequence, &[(2, sequence(0, 1)), (3, sequence(0, 2)), (4, sequence(0, 3))]);
    check(Resubmits, By::Sequence, &[(2, sequence(1, 0)), (3, sequence(1, 1)), (4, sequence(1, 2))]);
    check(Forgets, By::Sequence, &[(4, sequence(1, 0))]);
    check(Outbox, By::MessageId, &[(2, id(2, 0)), (3, id(3, 0)), (4, id(4, 0))]);
    check(Resubmits, By::MessageId, &[(2, id(2, 1)), (3, id(3, 1)), (4, id(4, 1))]);
    check(Forgets, By::MessageId, &[(4, id(4, 0))]);
    check(Outbox, By::None, &[(2, Identity::None), (3, Identity::None), (4, Identity::None)]);
}

#[test]
fn the_memory_of_what_was_stored_is_rebuilt_or_forgotten() {
    let check = |on_restart, identity, dedup, window, expected| {
        let pipeline = pipeline(|it| {
            (it.producer.identity, it.broker.dedup, it.broker.dedup_window) = (identity, dedup, window);
            (it.broker.dedup_on_restart, it.producer.in_flight) = (on_restart, 2);
        });
        let mut producer = producer_with(&pipeline, 2);
        let mut broker = open_broker(&pipeline, Journals::default());
        let attempts = [(); 2].map(|()| producer.transmit(NOW).unwrap().unwrap());
        attempts.iter().for_each(|publish| store(&mut broker, publish.clone()));
        broker.sync().unwrap();
        let (covered, changes) = (broker.memory().covers(), broker.restart_changes_memory());
        let mut broker = crash(&pipeline, broker, 0);
        assert_eq!(broker.memory().covers() != covered, changes);
        let [first, _] = attempts;
        store(&mut broker, first);
        assert_eq!(broker.log().end(), Position(expected), "{on_restart:?} {dedup:?} {window}");
    };
    check(DedupOnRestart::Rebuilt, By::Sequence, Dedup::Sequence, 0, 2);
    check(DedupOnRestart::Rebuilt, By::MessageId, Dedup::MessageId, 0, 2);
    check(DedupOnRestart::Rebuilt, By::MessageId, Dedup::MessageId, 1, 3);
    check(DedupOnRestart::Forgotten, By::Sequence, Dedup::Sequence, 0, 3);
    check(DedupOnRestart::Forgotten, By::MessageId, Dedup::MessageId, 0, 3);
}

/// The broker starts again on an empty log. A memory that is made anew from it knows that nothing was stored, and waits
/// for the first number; one that is forgotten cannot know that, stores the second, and takes the first for a duplicate:
/// it acks it without a record.
#[test]
fn a_forgotten_memory_lets_a_session_begin_anywhere_whatever_the_log_holds() {
    let check = |on_restart, stored: u64| {
        let pipeline = pipeline(|it| (it.broker.dedup_on_restart, it.producer.in_flight) = (on_restart, 2));
        let mut producer = producer_with(&pipeline, 2);
        let broker = open_broker(&pipeline, Journals::default());
        assert_eq!(broker.restart_changes_memory(), on_restart == DedupOnRestart::Forgotten, "an empty log");
        let mut broker = crash(&pipeline, broker, 0);
        assert!(!broker.restart_changes_memory());
        let [first, second] = [(); 2].map(|()| producer.transmit(NOW).unwrap().unwrap());
        store(&mut broker, second);
        assert_eq!(broker.log().end(), Position(stored), "{on_restart:?}");
        let refused = replies(&mut broker).len();
        store(&mut broker, first);
        broker.confirm_due();
        let is_ack = |reply: &Reply| matches!(reply.verdict, Verdict::Acked(_));
        let acked = replies(&mut broker).iter().filter(|reply| is_ack(reply)).count();
        assert_eq!((broker.log().end(), refused, acked), (Position(1), 1 - stored as usize, stored as usize));
    };
    check(DedupOnRestart::Rebuilt, 0);
    check(DedupOnRestart::Forgotten, 1);
}

#[test]
fn an_evicted_memory_stores_a_retry_again() {
    let pipeline = Pipeline::default();
    let publish = producer_with(&pipeline, 1).transmit(NOW).unwrap().unwrap();
    let mut broker = open_broker(&pipeline, Journals::default());
    store(&mut broker, publish.clone());
    broker.forget_seen();
    store(&mut broker, publish);
    assert_eq!(broker.log().end(), Position(2));
}

#[test]
fn an_older_incarnation_is_fenced_off_even_after_a_restart_of_the_broker() {
    let check = |fencing, identity, expected| {
        let pipeline = pipeline(|it| {
            (it.broker.fencing, it.producer.identity, it.broker.dedup) = (fencing, identity, Dedup::None);
        });
        let zombie = producer_with(&pipeline, 1).transmit(NOW).unwrap().unwrap();
        let mut broker = open_broker(&pipeline, Journals::default());
        broker.register(ProducerId(1), Epoch(1), PEER).unwrap();
        broker.register(ProducerId(1), Epoch(0), PEER).unwrap();
        let mut broker = crash(&pipeline, broker, 0);
        broker.receive(zombie, None).unwrap();
        assert!(broker.append_next().unwrap());
        assert_eq!(broker.log().end(), Position(expected), "{fencing} {identity:?}");
    };
    check(true, By::Sequence, 0);
    check(false, By::Sequence, 1);
    // Only a sequence number carries an epoch.
    check(true, By::MessageId, 1);
}

#[test]
fn a_crash_loses_what_was_received_and_owed_and_keeps_what_was_synced() {
    let pipeline = pipeline(|it| it.producer.in_flight = 3);
    let mut producer = producer_with(&pipeline, 3);
    let mut broker = open_broker(&pipeline, Journals::default());
    store(&mut broker, producer.transmit(NOW).unwrap().unwrap());
    broker.sync().unwrap();
    store(&mut broker, producer.transmit(NOW).unwrap().unwrap());
    broker.receive(producer.transmit(NOW).unwrap().unwrap(), Some(PEER)).unwrap();
    for keeps in 0..2 {
        let restarted = crash(&pipeline, broker.clone(), keeps);
        assert_eq!(restarted.log().end(), Position(1 + keeps as u64));
        assert!(!restarted.owes_any() && restarted.received().is_none() && !restarted.needs_sync());
    }
}
