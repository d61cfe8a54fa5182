//! What the broker owes to whom: decisions, confirmations, and what becomes of them when disks and connections fail.

use delivery_model::pipeline::{Dedup, Pipeline};
use delivery_model::vocab::{AttemptNumber, Epoch, Position};

use super::publishing::of_first;
use super::*;
use crate::core::broker::PublishDecision;
use crate::core::deliveries::Next;
use crate::core::delivery::ConsumerId;
use crate::data::record::{Identity, Verdict};
use crate::store::{Encode, Journal, RecoverError, StoreError};

const OTHER: Peer = Peer(8);

/// The attempts at so many messages, by a producer with room for all of them.
fn attempts(messages: u64) -> Vec<Publish> {
    let mut producer = producer_with(&pipeline(|it| it.producer.in_flight = 9), messages);
    std::iter::from_fn(|| producer.transmit(NOW).unwrap()).collect()
}

fn broker() -> Broker<SimulatedJournal> {
    open_broker(&Pipeline::default(), Journals::default())
}

fn acked(number: u64, position: u64) -> Reply {
    let verdict = Verdict::Acked(Some(Position(position)));
    Reply { message: message(number), attempt: AttemptNumber(1), verdict }
}

#[test]
fn a_decision_is_known_before_it_is_taken() {
    let mut broker = broker();
    assert_eq!(broker.decision(), None);
    let [first, second, third] = attempts(3).try_into().unwrap();
    let mut decide = |publish: &Publish, expected| {
        broker.receive(publish.clone(), None).unwrap();
        assert_eq!(broker.decision(), Some(expected), "{publish:?}");
        assert!(broker.append_next().unwrap() && broker.decision().is_none());
    };
    decide(&first, PublishDecision::Store);
    decide(&first, PublishDecision::Duplicate);
    decide(&third, PublishDecision::Refuse);
    decide(&second, PublishDecision::Store);
}

#[test]
fn a_newer_epoch_fences_off_and_any_other_changes_nothing() {
    let mut broker = broker();
    let [zombie] = attempts(1).try_into().unwrap();
    broker.register(ProducerId(1), Epoch(0), PEER).unwrap();
    broker.receive(zombie, None).unwrap();
    assert_eq!(broker.decision(), Some(PublishDecision::Store), "its own epoch");
    broker.register(ProducerId(2), Epoch(5), PEER).unwrap();
    assert_eq!(broker.decision(), Some(PublishDecision::Store), "another producer's epoch");
    broker.register(ProducerId(1), Epoch(1), PEER).unwrap();
    assert_eq!(broker.decision(), Some(PublishDecision::Refuse));
    let before = broker.clone();
    broker.register(ProducerId(1), Epoch(1), PEER).unwrap();
    broker.register(ProducerId(1), Epoch(0), PEER).unwrap();
    assert_eq!(broker, before, "not even the ledger grows");
}

#[test]
fn the_newest_connection_of_the_newest_incarnation_replaces_the_others() {
    let mut broker = broker();
    let mut register = |producer, epoch, peer| broker.register(ProducerId(producer), Epoch(epoch), Peer(peer)).unwrap();
    assert_eq!(register(1, 1, 1), None);
    assert_eq!(register(2, 1, 2), None, "another producer");
    assert_eq!(register(1, 1, 3), Some(Peer(1)), "it comes back");
    assert_eq!(register(1, 2, 4), Some(Peer(3)), "its successor");
    assert_eq!(register(1, 1, 5), None, "an older one is served beside it");
    assert_eq!(register(1, 2, 4), None, "itself");
    assert_eq!(register(1, 3, 6), Some(Peer(4)));
}

#[test]
fn a_connection_that_ends_takes_only_its_own_replies_with_it() {
    let mut broker = broker();
    let attempts = attempts(4);
    let from = [PEER, OTHER, PEER, OTHER];
    for (publish, peer) in attempts.iter().zip(from) {
        broker.receive(publish.clone(), Some(peer)).unwrap();
        assert!(broker.append_next().unwrap());
        assert!(broker.owes(publish.record.submission()) && broker.owes_any());
    }
    broker.sync().unwrap();
    // Two replies are on their way already, two are due.
    assert!(broker.confirm(of_first(1)) && broker.confirm(of_first(2)));
    broker.receive(attempts[0].clone(), Some(OTHER)).unwrap();
    broker.disconnect(PEER);
    assert_eq!(broker.due().collect::<Vec<_>>(), [of_first(4)]);
    assert!(!broker.owes(of_first(3)) && broker.received().unwrap().waiting.has(OTHER));
    broker.confirm_due();
    let told: Vec<(Peer, Reply)> = std::iter::from_fn(|| broker.poll_reply()).collect();
    assert_eq!(told, [(OTHER, acked(2, 1)), (OTHER, acked(4, 3))]);
    assert!(!broker.owes_any());
}

/// A copy that the broker does not recognise is stored after the message, while the message's confirmation is still
/// owed. It names the later record, which is the one that a restart may lose.
#[test]
fn a_confirmation_waits_for_the_last_record_of_its_message() {
    let mut broker = broker();
    let [first, second] = attempts(2).try_into().unwrap();
    store(&mut broker, first.clone());
    store(&mut broker, second);
    broker.forget_seen();
    broker.receive(first, None).unwrap();
    assert!(broker.append_next().unwrap());
    broker.handle_synced(Position(2)).unwrap();
    assert_eq!(broker.due().collect::<Vec<_>>(), [of_first(2)]);
    broker.handle_synced(Position(3)).unwrap();
    broker.confirm_due();
    assert_eq!(replies(&mut broker), [acked(1, 2), acked(2, 1)]);
}

/// A straggler of an earlier life, when the producer numbered anew: another record, which nobody waits for.
#[test]
fn a_confirmation_does_not_wait_for_a_record_of_another_identity() {
    let pipeline = pipeline(|it| it.broker.dedup = Dedup::None);
    let mut broker = open_broker(&pipeline, Journals::default());
    let [first] = attempts(1).try_into().unwrap();
    store(&mut broker, first.clone());
    let mut straggler = first;
    straggler.record.identity = Identity::None;
    broker.receive(straggler, None).unwrap();
    assert!(broker.append_next().unwrap());
    broker.handle_synced(Position(1)).unwrap();
    broker.confirm_due();
    assert_eq!(replies(&mut broker), [acked(1, 0)]);
}

#[test]
fn what_somebody_else_made_durable_is_confirmed_and_handed_off() {
    let mut broker = broker();
    let [first, second] = attempts(2).try_into().unwrap();
    store(&mut broker, first);
    store(&mut broker, second);
    broker.handle_synced(Position(1)).unwrap();
    broker.confirm_due();
    assert_eq!((replies(&mut broker), broker.needs_sync()), (vec![acked(1, 0)], true));
    assert_eq!(broker.next_for(ConsumerId(0), &[]), Some(Next::HandOff(Position(0))));
    broker.handle_synced(Position(2)).unwrap();
    assert!(!broker.needs_sync());
}

#[test]
fn a_refused_write_leaves_no_memory_and_its_retry_is_stored() {
    let mut journals = Journals::default();
    let [first] = attempts(1).try_into().unwrap();
    let journal: &mut SimulatedJournal = &mut journals.log;
    journal.refuse_next = true;
    let mut broker = open_broker(&Pipeline::default(), journals);
    for (verdict, records) in [(Some(Verdict::Refused), 0), (None, 1)] {
        store(&mut broker, first.clone());
        assert_eq!(replies(&mut broker).first().map(|reply| reply.verdict), verdict);
        assert_eq!((broker.log().end(), broker.memory().covers()), (Position(records), records));
    }
    // Whoever says no for the broker leaves no memory either.
    let mut broker = self::broker();
    broker.receive(first.clone(), Some(PEER)).unwrap();
    assert!(broker.refuse_next());
    store(&mut broker, first);
    assert_eq!(broker.log().end(), Position(1));
}

/// A journal that may fail without saying what became of the write.
struct Mute {
    fails: bool,
}

impl Journal for Mute {
    fn append(&mut self, _: &[u8]) -> Result<(), StoreError> {
        if self.fails { Err(StoreError::Failed { what: "append", why: "no answer".into() }) } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn rewrite(&mut self, _: impl IntoIterator<Item = impl Encode>) -> Result<(), StoreError> {
        unreachable!("nobody rewrites it")
    }

    fn recover(&mut self) -> Result<Vec<Vec<u8>>, RecoverError> {
        Ok(vec![])
    }
}

#[test]
fn a_write_that_may_have_happened_is_neither_confirmed_nor_refused() {
    let journals = Journals { log: Mute { fails: true }, ledger: Mute { fails: false } };
    let mut broker = Broker::open(&Pipeline::default(), Tuning::default(), journals).unwrap();
    let [first] = attempts(1).try_into().unwrap();
    broker.receive(first, Some(PEER)).unwrap();
    assert!(matches!(broker.append_next(), Err(StoreError::Failed { .. })));
    assert!(broker.poll_reply().is_none() && !broker.owes_any());
}

#[test]
fn a_broker_whose_start_may_be_on_disk_or_not_is_opened_anew() {
    let journals = Journals { log: Mute { fails: false }, ledger: Mute { fails: true } };
    let opened = Broker::open(&Pipeline::default(), Tuning::default(), journals);
    assert!(matches!(opened, Err(RecoverError::Store(StoreError::Failed { .. }))), "{:?}", opened.err());
}
