//! The broker's publishing side: receives an attempt, recognises retries, stores the record and confirms it.
//!
//! A retry joins the attempt that is not decided yet ([`Broker::join`]) or whose record waits for its sync. All that joined get
//! the same reply. Over one connection, only the newest attempt at a message is answered, since its producer has given up the
//! earlier ones.
//!
//! Architecture Invariant: attempts of different epochs never meet before they are decided. Whether an older epoch may still
//! store is for fencing to decide, and a newer one must not be refused along with it.

use delivery_model::pipeline::{self, Acks, AnswersDuplicates, Dedup, Overflow};
use delivery_model::vocab::{AttemptNumber, Epoch, MessageId, Position};

use super::Broker;
use crate::core::deliveries::Subscription;
use crate::core::ledger::Entry;
use crate::core::steps::BrokerSteps;
use crate::data::positions::Positions;
use crate::data::record::{Identity, ProducerId, Publish, Record, Reply, Submission, Verdict};
use crate::store::{Journal, StoreError};

/// A connection to a producer: replies go back the way the attempt came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u64);

/// Who waits for a reply, and which attempt each made last. One connection takes no heap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Waiting {
    /// The lowest connection.
    first: Option<(Peer, AttemptNumber)>,
    /// The others, lowest first.
    others: Vec<(Peer, AttemptNumber)>,
}

impl Waiting {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Whether this connection waits.
    pub fn has(&self, peer: Peer) -> bool {
        self.iter().any(|(other, _)| other == peer)
    }

    /// Each connection and its attempt, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (Peer, AttemptNumber)> + '_ {
        self.first.iter().chain(&self.others).copied()
    }

    /// This connection waits with this attempt, and no more with an earlier one.
    pub fn insert(&mut self, peer: Peer, attempt: AttemptNumber) {
        let added = (peer, attempt);
        match &mut self.first {
            Some(first) if first.0 == peer => *first = added,
            Some(first) if first.0 < peer => match self.others.binary_search_by_key(&peer, |(other, _)| *other) {
                Ok(place) => self.others[place] = added,
                Err(place) => self.others.insert(place, added),
            },
            first => {
                let later = first.replace(added);
                self.others.splice(..0, later);
            }
        }
    }

    /// This connection waits no more.
    pub fn remove(&mut self, peer: Peer) {
        self.others.retain(|(other, _)| *other != peer);
        if self.first.is_some_and(|(first, _)| first == peer) {
            self.first = if self.others.is_empty() { None } else { Some(self.others.remove(0)) };
        }
    }
}

/// An attempt in the broker's memory, not decided about yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Received {
    /// What came.
    pub publish: Publish,
    /// The connections that wait for a reply; empty for a straggler.
    pub waiting: Waiting,
}

/// By what attempts at one message are recognised before anything is decided.
pub type AttemptKey = (ProducerId, Epoch, MessageId, Identity);

/// The key of an attempt that others may join; none where each is decided by itself: retries are not recognised, or each
/// attempt has a reply of its own.
pub fn attempt_key(settings: &pipeline::Broker, publish: &Publish) -> Option<AttemptKey> {
    let Record { producer, epoch, message, identity, .. } = publish.record;
    let joins = settings.dedup != Dedup::None && settings.acks.wait_for_disk() && identity != Identity::None;
    joins.then_some((producer, epoch, message, identity))
}

/// A confirmation that waits for the disk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owed {
    waiting: Waiting,
    identity: Identity,
    stored: Stored,
    is_duplicate: bool,
}

/// Where the last record of a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stored {
    /// It does not exist: the message was taken for a duplicate by its number alone. There is nothing to wait for.
    Nowhere,
    /// It was durable, and was dropped.
    Gone,
    /// Here in the log.
    At(Position),
}

/// The broker has not decided about an earlier attempt yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the attempt at message {0} is to be decided first")]
pub struct Busy(pub MessageId);

/// What the broker makes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishDecision {
    /// Append it.
    Store,
    /// It was stored before: confirm it again, once that is durable.
    Duplicate,
    /// It comes from an older epoch, or something before it is missing.
    Refuse,
    /// The queue is full: refuse it.
    Overflow,
}

impl<J: Journal, S: BrokerSteps> Broker<J, S> {
    /// A producer's incarnation starts, or connects again: from now on, older ones are fenced off (if the settings say so).
    /// Durable when it returns. An epoch that is not newer makes nothing durable.
    ///
    /// Returns the connection that this one replaces, which is to be closed. The newest incarnation that is connected is the
    /// producer, over its newest connection. An older one that comes late replaces nothing and is served beside it.
    pub fn register(&mut self, producer: ProducerId, epoch: Epoch, from: Peer) -> Result<Option<Peer>, StoreError> {
        if self.epochs.get(&producer).is_none_or(|known| *known < epoch) {
            self.steps.record_epoch(&mut self.ledger, Entry::Registered(producer, epoch))?;
            self.epochs.insert(producer, epoch);
        }
        let connected = self.connected.get(&producer).copied();
        if connected.is_some_and(|(current, _)| epoch < current) {
            return Ok(None);
        }
        self.connected.insert(producer, (epoch, from));
        Ok(connected.map(|(_, replaced)| replaced).filter(|replaced| *replaced != from))
    }

    /// Takes an attempt into memory. `from`: who waits for the reply.
    pub fn receive(&mut self, publish: Publish, from: Option<Peer>) -> Result<(), Busy> {
        if let Some(received) = &self.slot {
            return Err(Busy(received.publish.record.message));
        }
        let waiting = Waiting { first: from.map(|peer| (peer, publish.attempt)), others: Vec::new() };
        if self.settings.acks == Acks::OnReceipt {
            self.reply(&waiting, publish.record.message, Verdict::Acked(None));
        }
        self.slot = Some(Received { publish, waiting });
        Ok(())
    }

    /// Adds another attempt of the same [`AttemptKey`] to the one that is not decided yet. Both get the same reply.
    pub fn join(&mut self, attempt: AttemptNumber, from: Peer) {
        if let Some(received) = &mut self.slot {
            received.waiting.insert(from, attempt);
        }
    }

    /// What was received and not decided about.
    pub fn received(&self) -> Option<&Received> {
        self.slot.as_ref()
    }

    /// What would be made of it now.
    pub fn decision(&self) -> Option<PublishDecision> {
        self.received().map(|received| self.decide(&received.publish))
    }

    /// Decides about what was received: stores it, recognises it as a duplicate, or refuses it. False if there is
    /// nothing.
    ///
    /// A definite failure to store is a refusal to the producer and no error here.
    pub fn append_next(&mut self) -> Result<bool, StoreError> {
        let Some(Received { publish, waiting }) = self.slot.take() else {
            return Ok(false);
        };
        let decision = self.decide(&publish);
        self.note_early(&publish, decision);
        match decision {
            PublishDecision::Store => match self.store(&publish) {
                Ok(position) => self.owe(waiting, &publish, Stored::At(position), false),
                Err(error) if error.is_definite() => self.answer_to_failed_store(&waiting, &publish),
                Err(error) => return Err(error),
            },
            PublishDecision::Duplicate if self.settings.answers_duplicates == AnswersDuplicates::Refuse => {
                self.answer(&waiting, &publish, Verdict::Refused);
            }
            PublishDecision::Duplicate => {
                let stored = self.whereabouts(&publish);
                self.owe(waiting, &publish, stored, true);
            }
            PublishDecision::Refuse => self.answer(&waiting, &publish, Verdict::Refused),
            PublishDecision::Overflow => self.answer(&waiting, &publish, self.steps.answer_to_overflow()),
        }
        Ok(true)
    }

    /// The store failed under what was received, and nothing of it is stored: says so. False if there is nothing.
    pub fn refuse_next(&mut self) -> bool {
        let Some(Received { publish, waiting }) = self.slot.take() else {
            return false;
        };
        self.note_early(&publish, self.decide(&publish));
        self.answer_to_failed_store(&waiting, &publish);
        true
    }

    /// Lets the memory know what is about to be stored, if it is to know that early.
    fn note_early(&mut self, publish: &Publish, decision: PublishDecision) {
        if decision == PublishDecision::Store {
            let (end, identity) = (self.log.end(), publish.record.identity);
            self.steps.remember_before_storing(&mut self.memory, end, identity);
        }
    }

    fn decide(&self, publish: &Publish) -> PublishDecision {
        let record = &publish.record;
        let has_epoch = matches!(record.identity, Identity::Sequence { .. });
        let newest = self.epochs.get(&record.producer).copied();
        if has_epoch && self.settings.fencing && self.steps.is_fenced(record.epoch, newest) {
            return PublishDecision::Refuse;
        }
        let decision = self.steps.decide(self.memory.judge(record.identity));
        match decision {
            PublishDecision::Store if self.settings.overflow == Overflow::Refuse && self.is_full() => {
                PublishDecision::Overflow
            }
            decision => decision,
        }
    }

    /// The queue holds as many records as it may. Of a cursor, all that is not committed counts.
    fn is_full(&self) -> bool {
        let capacity = self.settings.capacity as usize;
        capacity > 0 && self.unfinished().nth(capacity - 1).is_some()
    }

    /// The positions that the queue still holds, oldest first.
    fn unfinished(&self) -> impl Iterator<Item = Position> + '_ {
        let is_cursor = self.deliveries.subscription() == Subscription::Cursor;
        let first = if is_cursor { self.first_uncommitted() } else { self.log.start() };
        let next = move |from| {
            let open = if is_cursor { from } else { self.deliveries.first_unfinished(from) };
            (open < self.log.end()).then_some(open)
        };
        std::iter::successors(next(first), move |position| next(Position(position.0 + 1)))
    }

    fn first_uncommitted(&self) -> Position {
        let elsewhere = self.finished_elsewhere();
        let of = [self.deliveries.settled(), self.deliveries.dead(), &elsewhere];
        Positions::first_in_none(Position(0), of.into_iter())
    }

    /// Drops the oldest record of a full queue. What is dropped is durable first: its position will not come again.
    fn make_room(&mut self) -> Result<(), StoreError> {
        if !self.is_full() {
            return Ok(());
        }
        let oldest = self.unfinished().next().expect("a full queue holds a record");
        if oldest >= self.log.synced() {
            self.log.sync()?;
        }
        self.drop_record(oldest)
    }

    fn store(&mut self, publish: &Publish) -> Result<Position, StoreError> {
        let record = &publish.record;
        self.make_room()?;
        let position = self.log.append(record.clone())?;
        self.steps.remember_stored(&mut self.memory, position, record.identity);
        // A confirmation that is owed for the same message now waits for this record too.
        if let Some(owed) = self.owed.get_mut(&record.submission()).filter(|owed| owed.identity == record.identity) {
            owed.stored = Stored::At(position);
        }
        Ok(position)
    }

    fn whereabouts(&self, publish: &Publish) -> Stored {
        let identity = publish.record.identity;
        match self.log.last_of(publish.record.message, identity) {
            Some(position) => Stored::At(position),
            None if self.log.dropped().holds(identity) => Stored::Gone,
            None => Stored::Nowhere,
        }
    }

    /// Notes that a confirmation is due when the record is durable, if anybody waits for one. Who waits already for one of
    /// the same message gets it then too.
    fn owe(&mut self, waiting: Waiting, publish: &Publish, stored: Stored, is_duplicate: bool) {
        if !self.settings.acks.wait_for_disk() || waiting.is_empty() {
            return;
        }
        let (submission, identity) = (publish.record.submission(), publish.record.identity);
        let before = self.owed.remove(&submission).filter(|before| before.identity == identity);
        let waiting = match before {
            Some(mut before) => {
                waiting.iter().for_each(|(peer, attempt)| before.waiting.insert(peer, attempt));
                before.waiting
            }
            None => waiting,
        };
        self.owed.insert(submission, Owed { waiting, identity, stored, is_duplicate });
    }

    fn answer_to_failed_store(&mut self, waiting: &Waiting, publish: &Publish) {
        self.answer(waiting, publish, self.steps.answer_to_failed_store());
    }

    /// Replies at once, unless the broker acked on receipt.
    fn answer(&mut self, waiting: &Waiting, publish: &Publish, verdict: Verdict) {
        if self.settings.acks.wait_for_disk() {
            self.reply(waiting, publish.record.message, verdict);
        }
    }

    fn reply(&mut self, waiting: &Waiting, message: MessageId, verdict: Verdict) {
        let replies = waiting.iter().map(|(peer, attempt)| (peer, Reply { message, attempt, verdict }));
        self.replies.extend(replies);
    }

    /// What may be confirmed: producer by producer, lowest message first.
    pub fn due(&self) -> impl Iterator<Item = Submission> + '_ {
        self.owed.iter().filter(|(_, owed)| self.is_due(owed)).map(|(submission, _)| submission)
    }

    fn is_due(&self, owed: &Owed) -> bool {
        match owed.stored {
            Stored::Nowhere | Stored::Gone => true,
            Stored::At(position) => self.steps.may_confirm(position, self.log.synced(), owed.is_duplicate),
        }
    }

    /// Whether this producer is owed a confirmation of this message, due or not.
    pub fn owes(&self, submission: Submission) -> bool {
        self.owed.contains_key(&submission)
    }

    /// Whether any confirmation is owed.
    pub fn owes_any(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Confirms what is due for confirmation. False if it is not.
    pub fn confirm(&mut self, submission: Submission) -> bool {
        if !self.owed.get(&submission).is_some_and(|owed| self.is_due(owed)) {
            return false;
        }
        let owed = self.owed.remove(&submission).expect("it is owed");
        let position = match owed.stored {
            Stored::At(position) => Some(position),
            Stored::Nowhere | Stored::Gone => None,
        };
        self.reply(&owed.waiting, submission.message, Verdict::Acked(position));
        true
    }

    /// Confirms everything that is due.
    pub fn confirm_due(&mut self) {
        let due: Vec<Submission> = self.due().collect();
        for submission in due {
            self.confirm(submission);
        }
    }

    /// The next reply and where it goes, oldest first.
    pub fn poll_reply(&mut self) -> Option<(Peer, Reply)> {
        self.replies.pop_front()
    }

    /// Ends a producer's connection: its replies and confirmations are dropped.
    pub fn disconnect(&mut self, peer: Peer) {
        self.connected.retain(|_, (_, of)| *of != peer);
        self.owed.retain(|_, owed| {
            owed.waiting.remove(peer);
            !owed.waiting.is_empty()
        });
        self.replies.retain(|(to, _)| *to != peer);
        if let Some(received) = &mut self.slot {
            received.waiting.remove(peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn who_waits_is_a_map(changes in prop::collection::vec((0..5u64, prop::option::of(1..9u32)), 0..24)) {
            let (mut waiting, mut plain) = (Waiting::default(), BTreeMap::new());
            for (peer, attempt) in changes {
                let peer = Peer(peer);
                match attempt.map(AttemptNumber) {
                    Some(attempt) => {
                        waiting.insert(peer, attempt);
                        plain.insert(peer, attempt);
                    }
                    None => {
                        waiting.remove(peer);
                        plain.remove(&peer);
                    }
                }
                prop_assert!(waiting.iter().eq(plain.iter().map(|(&peer, &attempt)| (peer, attempt))));
                prop_assert_eq!(waiting.is_empty(), plain.is_empty());
                (0..5).map(Peer).for_each(|peer| assert_eq!(waiting.has(peer), plain.contains_key(&peer)));
            }
        }
    }
}
