//! Logical points of a run, and which of them each kind of fault can strike at.

use std::fmt;

use super::PlannedFault;
use crate::vocab::{Fault, MessageId, Step};
use crate::words::words;

/// The largest `time` of a point.
pub(crate) const TIME_LIMIT: u32 = 1_000_000;

words! {
    /// The steps that are not faults, as points name them.
    StepWord {
        /// The application hands the next message to the producer, which keeps it (in its outbox, if it has one).
        Submit = "submit",
        /// The producer transmits the message.
        Attempt = "attempt",
        /// The broker takes the oldest attempt on the wire into its memory.
        Receive = "receive",
        /// The broker takes a straggler into its memory: a late copy, or an old incarnation's attempt.
        ReceiveLate = "receive-late",
        /// The broker decides about what it received: append it, recognise it as a duplicate, or refuse it.
        Append = "append",
        /// The broker's log, and settles recorded lazily, reach the disk.
        Sync = "sync",
        /// The broker confirms the message to its producer.
        /// With `acks = "on-receipt"` the ack that goes out with the receipt counts as this step.
        Ack = "ack",
        /// The producer takes in the broker's ack or refusal.
        TakeReply = "take-reply",
        /// The producer stops waiting for an attempt of which nothing is left on the way.
        TimeOut = "time-out",
        /// The broker hands the position to the consumer.
        HandOff = "hand-off",
        /// The consumer receives it.
        Deliver = "deliver",
        /// The consumer's handler runs: the effect is committed, or the message is recognised as seen.
        Handle = "handle",
        /// The consumer notes in memory that it has seen the message.
        Remember = "remember",
        /// The consumer tells the broker that it is done.
        Settle = "settle",
        /// The broker records (or refuses) the settle, and the consumer learns of it.
        RecordSettle = "record-settle",
        /// The broker sets the position aside after too many deliveries.
        DeadLetter = "dead-letter",
    }
}

impl StepWord {
    /// The word of a step; faults have none.
    pub fn of(step: &Step) -> Option<StepWord> {
        Some(match step {
            Step::Submit { .. } => StepWord::Submit,
            Step::Attempt { .. } => StepWord::Attempt,
            Step::Receive { .. } => StepWord::Receive,
            Step::ReceiveLate { .. } => StepWord::ReceiveLate,
            Step::Append { .. } => StepWord::Append,
            Step::Sync => StepWord::Sync,
            Step::Ack { .. } => StepWord::Ack,
            Step::TakeReply { .. } => StepWord::TakeReply,
            Step::TimeOut { .. } => StepWord::TimeOut,
            Step::HandOff { .. } => StepWord::HandOff,
            Step::Deliver { .. } => StepWord::Deliver,
            Step::Handle { .. } => StepWord::Handle,
            Step::Remember { .. } => StepWord::Remember,
            Step::Settle { .. } => StepWord::Settle,
            Step::RecordSettle { .. } => StepWord::RecordSettle,
            Step::DeadLetter { .. } => StepWord::DeadLetter,
            fault => {
                debug_assert!(fault.fault().is_some(), "{fault:?} is neither a fault nor named");
                return None;
            }
        })
    }

    /// Whether the step is about one message. A sync is about all of them.
    pub fn has_message(self) -> bool {
        self != StepWord::Sync
    }

    /// The step as a noun, as people say it.
    fn noun(self) -> &'static str {
        match self {
            StepWord::Submit => "submission",
            StepWord::Attempt => "attempt",
            StepWord::Receive => "receipt",
            StepWord::ReceiveLate => "late receipt",
            StepWord::Append => "append",
            StepWord::Sync => "sync",
            StepWord::Ack => "ack",
            StepWord::TakeReply => "taking in of the reply",
            StepWord::TimeOut => "time-out",
            StepWord::HandOff => "hand-off",
            StepWord::Deliver => "delivery",
            StepWord::Handle => "handling",
            StepWord::Remember => "remembering",
            StepWord::Settle => "settle",
            StepWord::RecordSettle => "recording of the settle",
            StepWord::DeadLetter => "dead-lettering",
        }
    }
}

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

/// How a kind of fault relates to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strikes {
    /// It befalls what the step sends, or the step itself: the ack, the append. (`of`)
    Of,
    /// It comes right after the step. (`after`)
    After,
}

impl Strikes {
    /// The key that documents use.
    pub fn word(self) -> &'static str {
        match self {
            Strikes::Of => "of",
            Strikes::After => "after",
        }
    }

    /// How this kind of fault relates to its point, and the steps at which it can strike.
    pub fn by(fault: Fault) -> (Strikes, &'static [StepWord]) {
        use StepWord::*;
        const PUBLISHING: &[StepWord] = &[Submit, Attempt, Receive, ReceiveLate, Append, Sync, Ack, TakeReply, TimeOut];
        const CONSUMING: &[StepWord] = &[HandOff, Deliver, Handle, Remember, Settle, RecordSettle];
        match fault {
            Fault::PublishLost | Fault::PublishDuplicated | Fault::PublishReordered | Fault::ProducerZombie => {
                (Strikes::Of, &[Attempt])
            }
            Fault::PublishRefused => (Strikes::Of, &[Append]),
            Fault::PublishAckLost => (Strikes::Of, &[Ack]),
            Fault::DeliveryLost => (Strikes::Of, &[HandOff]),
            Fault::SettleLost => (Strikes::Of, &[Settle]),
            Fault::Poison => (Strikes::Of, &[Submit]),
            Fault::ProducerCrash => (Strikes::After, PUBLISHING),
            Fault::ConsumerCrash | Fault::LeaseExpiry => (Strikes::After, CONSUMING),
            Fault::BrokerCrash | Fault::DedupForgotten | Fault::Rewind => (Strikes::After, &StepWord::ALL),
        }
    }
}

impl fmt::Display for PlannedFault {
    /// As in "publish-ack-lost: the ack of message 2, first time", "broker-crash after the append of message 1, first
    /// time, keeping 0 unsynced records".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.fault, Strikes::by(self.fault).0, self.at.message) {
            // A message is submitted once and for all, so that it says it all.
            (Fault::Poison, _, Some(message)) => write!(f, "poison: message {message}")?,
            (fault, Strikes::Of, _) => write!(f, "{fault}: {}", self.at)?,
            (fault, Strikes::After, _) => write!(f, "{fault} after {}", self.at)?,
        }
        match self.keeps {
            Some(1) => f.write_str(", keeping 1 unsynced record")?,
            Some(records) => write!(f, ", keeping {records} unsynced records")?,
            None => {}
        }
        self.to.map_or(Ok(()), |position| write!(f, ", to position {position}"))
    }
}
