//! What a producer has not finished: which messages wait for an attempt, which wait for a reply.
//!
//! The lowest message is attempted first, so first attempts go out in the order of submission.

use std::collections::{BTreeMap, BTreeSet};

use delivery_model::vocab::MessageId;

use super::time::Millis;
use crate::data::record::{Identity, Payload};

/// Where an unfinished message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Waits {
    /// For its next attempt, not before this time.
    ForAttempt(Millis),
    /// For a reply to its last attempt, until this time.
    ForReply(Millis),
}

/// An unfinished message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unfinished {
    /// The application's bytes.
    pub payload: Payload,
    /// By what it is recognised, in every attempt of this incarnation.
    pub identity: Identity,
    /// Attempts so far, in this incarnation.
    pub attempts: u32,
    /// What it waits for.
    pub waits: Waits,
}

/// The unfinished messages of one producer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Outbox {
    messages: BTreeMap<MessageId, Unfinished>,
    /// Those that wait for an attempt.
    queued: BTreeSet<MessageId>,
}

impl Outbox {
    /// Adds a message, or changes what is known of it.
    pub fn put(&mut self, message: MessageId, unfinished: Unfinished) {
        match unfinished.waits {
            Waits::ForAttempt(_) => self.queued.insert(message),
            Waits::ForReply(_) => self.queued.remove(&message),
        };
        self.messages.insert(message, unfinished);
    }

    /// Takes a message out: it is finished, or about to be put back changed.
    pub fn take(&mut self, message: MessageId) -> Option<Unfinished> {
        self.queued.remove(&message);
        self.messages.remove(&message)
    }

    /// An unfinished message.
    pub fn of(&self, message: MessageId) -> Option<&Unfinished> {
        self.messages.get(&message)
    }

    /// The lowest message that waits for an attempt.
    pub fn first_queued(&self) -> Option<(MessageId, &Unfinished)> {
        let message = *self.queued.first()?;
        Some((message, &self.messages[&message]))
    }

    /// How many messages wait for a reply.
    pub fn in_flight(&self) -> usize {
        self.messages.len() - self.queued.len()
    }

    /// Whether nothing is unfinished.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Every unfinished message, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (MessageId, &Unfinished)> {
        self.messages.iter().map(|(&message, unfinished)| (message, unfinished))
    }

    /// The messages that wait for a reply, with their deadlines.
    ///
    /// The first attempts went out in order and a window bounds them, so they stand near the front: the walk stops
    /// once it has seen as many as there are.
    pub fn waiting_for_reply(&self) -> impl Iterator<Item = (MessageId, Millis)> + '_ {
        let waiting = self.messages.iter().filter_map(|(&message, unfinished)| match unfinished.waits {
            Waits::ForReply(deadline) => Some((message, deadline)),
            Waits::ForAttempt(_) => None,
        });
        waiting.take(self.in_flight())
    }
}
