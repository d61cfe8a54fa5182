//! Logical points of a run, and how planned faults are told. Which kinds strike where stands in their rows.

use std::fmt;

use super::PlannedFault;
use crate::vocab::{Fault, MessageId, Position, StepWord, Strikes, Target};

/// The largest `time` of a point.
pub(crate) const TIME_LIMIT: u32 = 1_000_000;

/// A logical point: this step of this message, for the nth time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// Which step.
    pub step: StepWord,
    /// Of which message; none for a sync, which is about all of them.
    pub message: Option<MessageId>,
    /// Which time, counted from 1.
    pub nth: u32,
}

impl fmt::Display for Point {
    /// As in "the ack of message 2, first time".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {}", self.step.noun())?;
        if let Some(message) = self.message {
            write!(f, " of message {message}")?;
        }
        match self.nth {
            1 => f.write_str(", first time"),
            2 => f.write_str(", second time"),
            3 => f.write_str(", third time"),
            n => write!(f, ", time {n}"),
        }
    }
}

impl PlannedFault {
    /// The key of what a document may say of this kind beyond its point.
    pub(super) fn detail(fault: Fault) -> Option<&'static str> {
        match fault {
            _ if fault.names(Target::Records(0)) => Some("keeps"),
            _ if fault.names(Target::Position(Position(0))) => Some("to"),
            _ => None,
        }
    }
}

impl fmt::Display for PlannedFault {
    /// As in "publish-ack-lost: the ack of message 2, first time", "broker-crash after the append of message 1, first
    /// time, keeping 0 unsynced records".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.fault, self.fault.row().strikes, self.at) {
            // A message is submitted once and for all, so that it says it all.
            (fault, Strikes::Before, Point { step: StepWord::Submit, message: Some(message), .. }) => {
                write!(f, "{fault}: message {message}")?;
            }
            (fault, Strikes::Of | Strikes::Before | Strikes::Instead, at) => write!(f, "{fault}: {at}")?,
            (fault, Strikes::After, at) => write!(f, "{fault} after {at}")?,
        }
        match self.keeps {
            Some(1) => f.write_str(", keeping 1 unsynced record")?,
            Some(records) => write!(f, ", keeping {records} unsynced records")?,
            None => {}
        }
        self.to.map_or(Ok(()), |position| write!(f, ", to position {position}"))
    }
}
