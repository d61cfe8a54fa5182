//! Histories made by a program: each event in one call, with all that may be left out left out.
//!
//! Whoever has more to tell (positions, payloads, groups) writes the [`EventKind`] out and uses [`History::push`].

use super::{At, History, TooManyNames};
use crate::vocab::{Event, EventKind, GroupId, MessageId, Outcome, PartitionId, SettleOutcome};

impl History {
    /// Adds an event of the process of this name, one step after the last event.
    pub fn record(&mut self, process: &str, kind: EventKind) -> Result<(), TooManyNames> {
        let process = self.names.process_id(process)?;
        self.push(At::from(self.events.len() as u64 + 1), Event { process, kind });
        Ok(())
    }
}

impl EventKind {
    /// The application asked to send the message.
    pub const fn submit(message: u64) -> EventKind {
        EventKind::Submit { message: MessageId(message), payload: None }
    }

    /// The producer transmitted it.
    pub const fn attempt(message: u64) -> EventKind {
        EventKind::Attempt { message: MessageId(message), attempt: None, payload: None }
    }

    /// This came of an attempt.
    pub const fn outcome(message: u64, outcome: Outcome) -> EventKind {
        let partition = PartitionId(0);
        EventKind::Outcome { message: MessageId(message), attempt: None, outcome, partition, position: None }
    }

    /// The broker confirmed it.
    pub const fn acked(message: u64) -> EventKind {
        EventKind::outcome(message, Outcome::Acked)
    }

    /// The consumer received it, in the one group that there is.
    pub const fn deliver(message: u64) -> EventKind {
        let (message, group, partition) = (MessageId(message), GroupId(0), PartitionId(0));
        EventKind::Deliver { message, group, partition, position: None, delivery: None, payload: None }
    }

    /// Its effect was committed, in the one group that there is.
    pub const fn effect(message: u64) -> EventKind {
        EventKind::Effect { message: MessageId(message), group: GroupId(0), payload: None }
    }

    /// The consumer settled it, in the one group that there is, and this came of it.
    pub const fn settle(message: u64, outcome: SettleOutcome) -> EventKind {
        let (message, group, partition) = (MessageId(message), GroupId(0), PartitionId(0));
        EventKind::Settle { message, group, partition, position: None, delivery: None, outcome }
    }
}
