//! Moves: what the parties do when nothing goes wrong. One row declares a move, its word and its noun.

use serde::{Deserialize, Serialize};

use super::step::{Target, target};
use super::{DeliveryRef, MessageId, Position};
use crate::words::words;

macro_rules! moves {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident $({ $field:ident: $type:ty })? = $word:literal, $noun:literal;
    )*) => {
        /// One micro-step of the protocol that is not a fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(tag = "step", deny_unknown_fields)]
        #[expect(missing_docs, reason = "the fields are named and documented by their types")]
        pub enum Move {
            $($(#[doc = $doc])+ #[serde(rename = $word)] $name $({ $field: $type })?),*
        }

        words! {
            /// The kinds of move, as the points of schedules name them.
            StepWord {
                $($(#[doc = $doc])+ $name = $word),*
            }
        }

        impl Move {
            /// A move of this kind that is about this; none if the kind does not name such a thing.
            pub const fn at(word: StepWord, target: Target) -> Option<Move> {
                match (word, target) {
                    $((StepWord::$name, target!($($field $field)?)) => Some(Move::$name $({ $field })?),)*
                    _ => None,
                }
            }

            /// Its kind.
            #[inline]
            pub const fn word(self) -> StepWord {
                match self { $(Move::$name { .. } => StepWord::$name),* }
            }

            /// What it names.
            #[inline]
            pub const fn target(self) -> Target {
                match self { $(Move::$name $({ $field })? => target!($($field $field)?)),* }
            }
        }

        impl StepWord {
            /// The move as a noun, as people say it.
            pub const fn noun(self) -> &'static str {
                match self { $(StepWord::$name => $noun),* }
            }
        }
    };
}

moves! {
    /// The application hands the next message to the producer, which keeps it (in its outbox, if it has one).
    Submit { message: MessageId } = "submit", "submission";
    /// The producer transmits the message.
    Attempt { message: MessageId } = "attempt", "attempt";
    /// The broker takes the oldest attempt on the wire into its memory.
    Receive { message: MessageId } = "receive", "receipt";
    /// The broker takes a straggler into its memory: a late copy, or an old incarnation's attempt.
    ReceiveLate { message: MessageId } = "receive-late", "late receipt";
    /// The broker decides about what it received: append it, recognise it as a duplicate, or refuse it.
    Append { message: MessageId } = "append", "append";
    /// The broker's log reaches the disk.
    Sync = "sync", "sync";
    /// Settles that the broker recorded lazily reach the disk.
    SyncSettles = "sync-settles", "sync of the settles";
    /// The broker confirms the message to its producer.
    /// With `acks = "on-receipt"` the ack that goes out with the receipt counts as this step.
    Ack { message: MessageId } = "ack", "ack";
    /// The producer takes in the broker's ack or refusal.
    TakeReply { message: MessageId } = "take-reply", "taking in of the reply";
    /// The producer stops waiting for an attempt of which nothing is left on the way.
    TimeOut { message: MessageId } = "time-out", "time-out";
    /// The broker hands the position to the consumer.
    HandOff { position: Position } = "hand-off", "hand-off";
    /// The consumer receives it.
    Deliver { hand: DeliveryRef } = "deliver", "delivery";
    /// The consumer's handler runs: the effect is committed, or the message is recognised as seen.
    Handle { hand: DeliveryRef } = "handle", "handling";
    /// The consumer notes in memory that it has seen the message.
    Remember { hand: DeliveryRef } = "remember", "remembering";
    /// The consumer tells the broker that it is done.
    Settle { hand: DeliveryRef } = "settle", "settle";
    /// The broker records (or refuses) the settle, and the consumer learns of it.
    RecordSettle { hand: DeliveryRef } = "record-settle", "recording of the settle";
    /// The broker sets the position aside after too many deliveries.
    DeadLetter { position: Position } = "dead-letter", "dead-lettering";
}

/// The parties of a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// The order service.
    Producer,
    /// The broker.
    Broker,
    /// The inventory service.
    Consumer,
}

impl StepWord {
    /// Who takes the move.
    pub fn party(self) -> Party {
        use StepWord::*;
        match self {
            Submit | Attempt | TakeReply | TimeOut => Party::Producer,
            Receive | ReceiveLate | Append | Sync | SyncSettles | Ack | HandOff | RecordSettle | DeadLetter => {
                Party::Broker
            }
            Deliver | Handle | Remember | Settle => Party::Consumer,
        }
    }

    /// Whether the move is about one message. A sync is about all of them.
    pub fn has_message(self) -> bool {
        !matches!(self, StepWord::Sync | StepWord::SyncSettles)
    }

    /// Whether the move follows from a hand-off, and so comes after its message is stored.
    pub fn is_of_delivery(self) -> bool {
        use StepWord::*;
        matches!(self, HandOff | Deliver | Handle | Remember | Settle | RecordSettle | DeadLetter)
    }
}
