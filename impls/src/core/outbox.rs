//! The unfinished messages of a producer: those that wait for an attempt, and those that wait for a reply.
//!
//! Messages with sequence numbers are attempted in the order of their numbers. The others come after them, the lowest message
//! first. So first attempts go out in the order of submission; where an outbox is read by position, in the order of positions.

use delivery_model::vocab::MessageId;

use super::time::Millis;
use crate::data::record::{Identity, Payload};
use crate::data::small_map::SmallMap;

/// The state of an unfinished message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waits {
    /// The message waits for its next attempt, until this time at least.
    ForAttempt(Millis),
    /// The message waits for a reply to its last attempt, until this time at most.
    ForReply(Millis),
}

/// An unfinished message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unfinished {
    /// The payload of the message.
    pub payload: Payload,
    /// The identity of the message, the same in every attempt of this incarnation.
    pub identity: Identity,
    /// The number of attempts in this incarnation.
    pub attempts: u32,
    /// The state of the message.
    pub waits: Waits,
}

/// The unfinished messages of one producer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Outbox {
    messages: SmallMap<MessageId, Unfinished>,
    /// The messages that wait for an attempt, in the order of their attempts.
    queued: SmallMap<(u64, MessageId), ()>,
}

/// The place of a message in the order of attempts: its number, or the end.
fn turn(unfinished: &Unfinished) -> u64 {
    unfinished.identity.number().unwrap_or(u64::MAX)
}

impl Outbox {
    /// Removes all messages.
    pub fn clear(&mut self) {
        self.messages.clear();
        self.queued.clear();
    }

    /// Inserts or replaces a message.
    pub fn put(&mut self, message: MessageId, unfinished: Unfinished) {
        self.take(message);
        if let Waits::ForAttempt(_) = unfinished.waits {
            self.queued.insert((turn(&unfinished), message), ());
        }
        self.messages.insert(message, unfinished);
    }

    /// Removes a message: it is finished, or will be put back changed.
    pub fn take(&mut self, message: MessageId) -> Option<Unfinished> {
        let unfinished = self.messages.remove(&message)?;
        self.queued.remove(&(turn(&unfinished), message));
        Some(unfinished)
    }

    /// The unfinished message of this id.
    pub fn of(&self, message: MessageId) -> Option<&Unfinished> {
        self.messages.get(&message)
    }

    /// The message that is attempted next, of those that wait for an attempt.
    pub fn first_queued(&self) -> Option<(MessageId, &Unfinished)> {
        let ((_, message), ()) = self.queued.first()?;
        Some((message, self.of(message)?))
    }

    /// The number of messages that wait for a reply.
    pub fn in_flight(&self) -> usize {
        self.messages.len() - self.queued.len()
    }

    /// The number of unfinished messages.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether nothing is unfinished.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// All unfinished messages, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (MessageId, &Unfinished)> {
        self.messages.iter()
    }

    /// The messages that wait for a reply, with their deadlines.
    ///
    /// First attempts go out in order and a window bounds them, so these messages are near the front: the walk stops
    /// when it has seen all of them.
    pub fn waiting_for_reply(&self) -> impl Iterator<Item = (MessageId, Millis)> + '_ {
        let waiting = self.messages.iter().filter_map(|(message, unfinished)| match unfinished.waits {
            Waits::ForReply(deadline) => Some((message, deadline)),
            Waits::ForAttempt(_) => None,
        });
        waiting.take(self.in_flight())
    }
}
