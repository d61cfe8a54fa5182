//! Retries of what is under way: who is told what, over which connection.

use delivery_model::pipeline::{self, Acks, Dedup};
use delivery_model::vocab::{AttemptNumber, Epoch, Position};

use super::*;
use crate::core::broker::attempt_key;
use crate::data::record::{Identity, Verdict};

const OTHER: Peer = Peer(8);

fn first_attempt() -> Publish {
    producer_with(&Pipeline::default(), 1).transmit(NOW).unwrap().unwrap()
}

fn nth(attempt: u32) -> Publish {
    Publish { attempt: AttemptNumber(attempt), ..first_attempt() }
}

fn told(broker: &mut Broker<SimulatedJournal>) -> Vec<(Peer, u32, Verdict)> {
    let replies = std::iter::from_fn(|| broker.poll_reply());
    replies.map(|(peer, reply)| (peer, reply.attempt.0, reply.verdict)).collect()
}

const STORED: Verdict = Verdict::Acked(Some(Position(0)));

#[test]
fn everybody_who_waits_for_a_message_is_told_when_it_is_durable() {
    let mut broker = open_broker(&Pipeline::default(), Journals::default());
    for (attempt, peer) in [(1, PEER), (2, OTHER)] {
        broker.receive(nth(attempt), Some(peer)).unwrap();
        assert!(broker.append_next().unwrap());
    }
    broker.confirm_due();
    assert_eq!((told(&mut broker), broker.log().end()), (vec![], Position(1)));
    broker.sync().unwrap();
    broker.confirm_due();
    assert_eq!(told(&mut broker), [(PEER, 1, STORED), (OTHER, 2, STORED)]);
    assert!(!broker.owes_any());
}

/// Its producer has given up the earlier one.
#[test]
fn over_one_connection_the_newest_attempt_is_answered() {
    let mut broker = open_broker(&Pipeline::default(), Journals::default());
    for attempt in 1..=2 {
        broker.receive(nth(attempt), Some(PEER)).unwrap();
        broker.join(AttemptNumber(attempt + 2), PEER);
        assert!(broker.append_next().unwrap());
    }
    broker.sync().unwrap();
    broker.confirm_due();
    assert_eq!(told(&mut broker), [(PEER, 4, STORED)]);
}

#[test]
fn attempts_that_are_decided_together_are_refused_together() {
    let mut journals = Journals::default();
    let journal: &mut SimulatedJournal = &mut journals.log;
    journal.refuse_next = true;
    let mut broker = open_broker(&Pipeline::default(), journals);
    for verdict in [Verdict::Refused, STORED] {
        broker.receive(first_attempt(), Some(PEER)).unwrap();
        broker.join(AttemptNumber(2), OTHER);
        assert!(broker.append_next().unwrap());
        broker.sync().unwrap();
        broker.confirm_due();
        assert_eq!(told(&mut broker), [(PEER, 1, verdict), (OTHER, 2, verdict)]);
    }
    broker.join(AttemptNumber(3), OTHER);
    assert!(broker.received().is_none(), "there is nothing to join");
}

#[test]
fn a_connection_that_ends_leaves_the_others_waiting() {
    let mut broker = open_broker(&Pipeline::default(), Journals::default());
    broker.receive(nth(1), Some(PEER)).unwrap();
    broker.join(AttemptNumber(2), OTHER);
    assert!(broker.append_next().unwrap());
    broker.receive(nth(3), Some(PEER)).unwrap();
    broker.join(AttemptNumber(4), OTHER);
    broker.disconnect(PEER);
    assert!(broker.append_next().unwrap());
    broker.sync().unwrap();
    broker.confirm_due();
    assert_eq!(told(&mut broker), [(OTHER, 4, STORED)]);
}

/// An earlier life of the producer numbered otherwise: that is another record, and nobody waits for both.
#[test]
fn attempts_under_another_identity_do_not_join() {
    let mut broker = open_broker(&pipeline(|it| it.broker.dedup = Dedup::None), Journals::default());
    store(&mut broker, first_attempt());
    let mut renamed = nth(2);
    renamed.record.identity = Identity::None;
    broker.receive(renamed, Some(OTHER)).unwrap();
    assert!(broker.append_next().unwrap());
    broker.sync().unwrap();
    broker.confirm_due();
    assert_eq!(told(&mut broker), [(OTHER, 2, Verdict::Acked(Some(Position(1))))]);
}

#[test]
fn attempts_meet_where_retries_are_recognised_and_confirmed_once_and_the_epoch_is_the_same() {
    let check = |settings: pipeline::Broker, second: Publish, meets: bool| {
        let [first, second] = [first_attempt(), second].map(|publish| attempt_key(&settings, &publish));
        assert_eq!(first.is_some() && first == second, meets, "{settings:?}");
    };
    let settings = pipeline::Broker::default;
    check(settings(), nth(2), true);
    let mut newer = nth(2);
    newer.record.epoch = Epoch(1);
    check(settings(), newer, false);
    let mut of_another_message = nth(2);
    of_another_message.record.message = message(2);
    check(settings(), of_another_message, false);
    check(pipeline::Broker { dedup: Dedup::None, ..settings() }, nth(2), false);
    check(pipeline::Broker { acks: Acks::OnReceipt, ..settings() }, nth(2), false);
    let mut unnamed = nth(2);
    unnamed.record.identity = Identity::None;
    assert_eq!(attempt_key(&settings(), &unnamed), None);
}
