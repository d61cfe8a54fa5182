//! From attempt to confirmation: receive, recognise, store, confirm.

use delivery_model::pipeline::Acks;
use delivery_model::vocab::{AttemptNumber, Epoch, MessageId, Position};

use super::Broker;
use crate::core::ledger::Entry;
use crate::core::steps::BrokerSteps;
use crate::data::record::{Identity, ProducerId, Publish, Reply, Submission, Verdict};
use crate::store::{Journal, StoreError};

/// A connection to a producer: replies go back the way the attempt came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub u64);

/// An attempt in the broker's memory, not decided about yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Received {
    /// What came.
    pub publish: Publish,
    /// Who waits for a reply; nobody for a straggler.
    pub from: Option<Peer>,
}

/// A confirmation that waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owed {
    to: Peer,
    attempt: AttemptNumber,
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
}

impl<J: Journal, S: BrokerSteps> Broker<J, S> {
    /// A producer's incarnation starts: from now on, older ones are fenced off (if the settings say so). Durable when
    /// it returns. An epoch that is not newer changes nothing.
    pub fn register(&mut self, producer: ProducerId, epoch: Epoch) -> Result<(), StoreError> {
        if self.epochs.get(&producer).is_none_or(|known| *known < epoch) {
            self.ledger.record(&[Entry::Registered(producer, epoch)])?;
            self.epochs.insert(producer, epoch);
        }
        Ok(())
    }

    /// Takes an attempt into memory. `from`: who waits for the reply.
    pub fn receive(&mut self, publish: Publish, from: Option<Peer>) -> Result<(), Busy> {
        if let Some(received) = &self.slot {
            return Err(Busy(received.publish.record.message));
        }
        if self.settings.acks == Acks::OnReceipt {
            self.reply(from, &publish, Verdict::Acked(None));
        }
        self.slot = Some(Received { publish, from });
        Ok(())
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
        let Some(Received { publish, from }) = self.slot.take() else {
            return Ok(false);
        };
        let decision = self.decide(&publish);
        self.note_early(&publish, decision);
        match decision {
            PublishDecision::Store => match self.store(&publish) {
                Ok(position) => self.owe(from, &publish, Stored::At(position), false),
                Err(error) if error.is_definite() => self.refuse(from, &publish),
                Err(error) => return Err(error),
            },
            PublishDecision::Duplicate => {
                let stored = self.whereabouts(&publish);
                self.owe(from, &publish, stored, true);
            }
            PublishDecision::Refuse => self.refuse(from, &publish),
        }
        Ok(true)
    }

    /// The store failed under what was received, and nothing of it is stored: says so. False if there is nothing.
    pub fn refuse_next(&mut self) -> bool {
        let Some(Received { publish, from }) = self.slot.take() else {
            return false;
        };
        self.note_early(&publish, self.decide(&publish));
        self.refuse(from, &publish);
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
        self.steps.decide(self.memory.judge(record.identity))
    }

    fn store(&mut self, publish: &Publish) -> Result<Position, StoreError> {
        let record = &publish.record;
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

    /// Notes that a confirmation is due when the record is durable, if anybody waits for one.
    fn owe(&mut self, from: Option<Peer>, publish: &Publish, stored: Stored, is_duplicate: bool) {
        if let (Acks::AfterSync, Some(to)) = (self.settings.acks, from) {
            let Publish { record, attempt } = publish;
            let owed = Owed { to, attempt: *attempt, identity: record.identity, stored, is_duplicate };
            self.owed.insert(record.submission(), owed);
        }
    }

    /// Says no, if the producer has not been told yes already.
    fn refuse(&mut self, from: Option<Peer>, publish: &Publish) {
        if self.settings.acks == Acks::AfterSync {
            self.reply(from, publish, Verdict::Refused);
        }
    }

    fn reply(&mut self, to: Option<Peer>, publish: &Publish, verdict: Verdict) {
        if let Some(to) = to {
            let reply = Reply { message: publish.record.message, attempt: publish.attempt, verdict };
            self.replies.push_back((to, reply));
        }
    }

    /// What may be confirmed: producer by producer, lowest message first.
    pub fn due(&self) -> impl Iterator<Item = Submission> + '_ {
        self.owed.iter().filter(|(_, owed)| self.is_due(owed)).map(|(&submission, _)| submission)
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
        let Some(owed) = self.owed.get(&submission).copied().filter(|owed| self.is_due(owed)) else {
            return false;
        };
        self.owed.remove(&submission);
        let position = match owed.stored {
            Stored::At(position) => Some(position),
            Stored::Nowhere | Stored::Gone => None,
        };
        let reply = Reply { message: submission.message, attempt: owed.attempt, verdict: Verdict::Acked(position) };
        self.replies.push_back((owed.to, reply));
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

    /// A producer is gone: nobody waits for what it was owed.
    pub fn disconnect(&mut self, peer: Peer) {
        self.owed.retain(|_, owed| owed.to != peer);
        self.replies.retain(|(to, _)| *to != peer);
        if let Some(received) = &mut self.slot
            && received.from == Some(peer)
        {
            received.from = None;
        }
    }
}
