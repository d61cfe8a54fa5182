//! A step of the protocol: a move or a fault, and what it names.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{DeliveryRef, Fault, MessageId, Move, Position, StepWord, Strike};
use crate::words::Word as _;

/// One micro-step of the protocol. Crashes fall between any two.
///
/// Model, simulation and exact schedules share these, so that a path of one is a path of the other.
/// `model/src/spec` says when each is enabled and what it changes. Files write both kinds alike, as a table whose `step`
/// is the kind's word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A party does its next thing.
    Move(Move),
    /// Something goes wrong.
    Fault(Strike),
}

/// What a step names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Nothing: its kind says it all.
    Nothing,
    /// A message.
    Message(MessageId),
    /// A position of the log.
    Position(Position),
    /// A hand-off.
    Delivery(DeliveryRef),
    /// A consumer of the group, 0 or 1.
    Consumer(u8),
    /// So many leading records of the log, which survive.
    Records(u64),
}

/// The [`Target`] that a field of a step holds, by the field's name: an expression, and a pattern.
macro_rules! target {
    () => {
        $crate::vocab::Target::Nothing
    };
    (message $it:ident) => {
        $crate::vocab::Target::Message($it)
    };
    (position $it:ident) => {
        $crate::vocab::Target::Position($it)
    };
    (hand $it:ident) => {
        $crate::vocab::Target::Delivery($it)
    };
    (consumer $it:ident) => {
        $crate::vocab::Target::Consumer($it)
    };
    (keeps $it:ident) => {
        $crate::vocab::Target::Records($it)
    };
}
pub(super) use target;

impl Step {
    /// What it names.
    #[inline]
    pub const fn target(self) -> Target {
        match self {
            Step::Move(it) => it.target(),
            Step::Fault(it) => it.target(),
        }
    }

    /// The hand-off that it names.
    #[inline]
    pub const fn hand(&self) -> Option<DeliveryRef> {
        match self.target() {
            Target::Delivery(hand) => Some(hand),
            _ => None,
        }
    }

    /// The kind of fault, if it is one.
    #[inline]
    pub const fn fault(&self) -> Option<Fault> {
        match self {
            Step::Move(_) => None,
            Step::Fault(strike) => Some(strike.fault()),
        }
    }
}

impl StepWord {
    /// The kind of move, if the step is one.
    #[inline]
    pub const fn of(step: &Step) -> Option<StepWord> {
        match step {
            Step::Move(it) => Some(it.word()),
            Step::Fault(_) => None,
        }
    }
}

impl From<Move> for Step {
    fn from(it: Move) -> Self {
        Step::Move(it)
    }
}

impl From<Strike> for Step {
    fn from(strike: Strike) -> Self {
        Step::Fault(strike)
    }
}

impl fmt::Debug for Step {
    /// As the move or the fault that it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Move(it) => it.fmt(f),
            Step::Fault(it) => it.fmt(f),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Move(it) => it.fmt(f),
            Step::Fault(it) => it.fmt(f),
        }
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Move::*;
        match self {
            Submit { message } => write!(f, "order service submits message {message}"),
            Attempt { message } => write!(f, "order service publishes message {message}"),
            Receive { message } => write!(f, "broker receives message {message}"),
            ReceiveLate { message } => write!(f, "broker receives a late copy of message {message}"),
            Append { message } => write!(f, "broker decides about message {message}"),
            Sync => write!(f, "broker syncs"),
            SyncSettles => write!(f, "broker syncs its settles"),
            Ack { message } => write!(f, "broker acks message {message}"),
            TakeReply { message } => write!(f, "order service takes the reply about message {message}"),
            TimeOut { message } => write!(f, "order service stops waiting for message {message}"),
            HandOff { position } => write!(f, "broker hands off position {position}"),
            DeadLetter { position } => write!(f, "broker dead-letters position {position}"),
            Deliver { hand } => write!(f, "inventory service receives {hand}"),
            Handle { hand } => write!(f, "inventory service handles {hand}"),
            Remember { hand } => write!(f, "inventory service notes {hand} as seen"),
            Settle { hand } => write!(f, "inventory service settles {hand}"),
            RecordSettle { hand } => write!(f, "broker records the settle of {hand}"),
        }
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault {}", self.fault())?;
        match self.target() {
            Target::Message(message) => write!(f, ": message {message}"),
            Target::Delivery(hand) => write!(f, ": {hand}"),
            Target::Records(keeps) => write!(f, ": keeps {keeps} records"),
            Target::Position(position) => write!(f, ": to position {position}"),
            Target::Consumer(1) => write!(f, ": the second consumer"),
            Target::Consumer(_) | Target::Nothing => Ok(()),
        }
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Step::Move(it) => it.serialize(serializer),
            Step::Fault(it) => it.serialize(serializer),
        }
    }
}

/// The words of all steps, the moves first.
const WORDS: [&str; StepWord::ALL.len() + Fault::ALL.len()] = {
    let mut words = [""; StepWord::ALL.len() + Fault::ALL.len()];
    let mut at = 0;
    while at < words.len() {
        words[at] = match at.checked_sub(StepWord::ALL.len()) {
            None => StepWord::ALL[at].word(),
            Some(fault) => Fault::ALL[fault].word(),
        };
        at += 1;
    }
    words
};

impl<'de> Deserialize<'de> for Step {
    /// The word says which of the two kinds it is.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let word = value.get("step").ok_or_else(|| D::Error::missing_field("step"))?;
        let step = match word.as_str() {
            Some(word) if StepWord::from_word(word).is_some() => serde_json::from_value(value).map(Step::Move),
            Some(word) if Fault::from_word(word).is_some() => serde_json::from_value(value).map(Step::Fault),
            Some(word) => return Err(D::Error::unknown_variant(word, &WORDS)),
            None => return Err(D::Error::custom(format!("`step` is {word}; expected a text"))),
        };
        step.map_err(D::Error::custom)
    }
}
