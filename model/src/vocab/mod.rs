//! The words of the field as types: ids, events, faults, and the micro-steps of the protocol.
//!
//! Architecture Invariant: this module knows nothing of properties, of the protocol's rules or of any implementation.
//! Everything else speaks in these words, so that a model's path, a simulated run, a threaded run and a recorded
//! history can be laid side by side.

use std::fmt;

use serde::{Deserialize, Serialize};

mod delivery;
mod faults;
mod moves;
mod step;

pub use self::delivery::DeliveryRef;
pub use self::faults::{Fault, FaultRow, Strike, Strikes};
pub use self::moves::{Move, Party, StepWord};
pub use self::step::{Step, Target};
use crate::words::words;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// What the application submits once. Unique among the messages of its producer, for ever, and in a history unique
    /// among those of all producers: events do not say whose message they are about. The model numbers from 1.
    MessageId(u64)
);
id!(
    /// A place in the broker's log, counted from 0.
    Position(u64)
);
id!(
    /// Which hand-off of a position this is, counted from 1.
    DeliveryNumber(u32)
);
id!(
    /// Which transmission of a message this is, counted from 1.
    AttemptNumber(u32)
);
id!(
    /// An incarnation of the producer: 0 at first, one more with every restart.
    Epoch(u32)
);
id!(
    /// A process of a history: an index into its table of process names.
    ProcessId(u16)
);
id!(
    /// A consumer group of a history: an index into its table of group names.
    GroupId(u16)
);
id!(
    /// A partition of a history's log: 0 where none is stated, else one more than an index into its table of partitions.
    PartitionId(u32)
);
id!(
    /// A transaction of a history: an index into its table of transaction names.
    TransactionId(u32)
);
id!(
    /// A payload of a history: an index into its table of distinct payloads, so that equal ids mean equal bytes.
    PayloadId(u32)
);

words! {
    /// What came of an attempt, as its producer knows it.
    Outcome {
        /// The broker confirmed it.
        Acked = "acked",
        /// The broker said no, definitely.
        Refused = "refused",
        /// A time-out or a lost connection: it may have happened.
        Unknown = "unknown",
    }
}

words! {
    /// What came of a settle, as its consumer knows it.
    SettleOutcome {
        /// The broker recorded it.
        Ok = "ok",
        /// The broker said no: this delivery may not settle any more.
        Refused = "refused",
        /// A time-out or a lost connection: it may have been recorded.
        Unknown = "unknown",
    }
}

/// One thing that happened, at the moment it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Who did it.
    pub process: ProcessId,
    /// What it was.
    pub kind: EventKind,
}

/// What happened. Fields that a history may leave out are options.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields are named and documented by their types")]
pub enum EventKind {
    /// The application asked the producer to send a message.
    Submit { message: MessageId, payload: Option<PayloadId> },
    /// The producer transmitted it.
    Attempt { message: MessageId, attempt: Option<AttemptNumber>, payload: Option<PayloadId> },
    /// The producer learned, or gave up learning, what came of an attempt.
    Outcome {
        message: MessageId,
        attempt: Option<AttemptNumber>,
        outcome: Outcome,
        partition: PartitionId,
        position: Option<Position>,
    },
    /// The consumer received a hand-off.
    Deliver {
        message: MessageId,
        group: GroupId,
        partition: PartitionId,
        position: Option<Position>,
        delivery: Option<DeliveryNumber>,
        payload: Option<PayloadId>,
    },
    /// The consumer's durable change was committed.
    Effect { message: MessageId, group: GroupId, payload: Option<PayloadId> },
    /// The consumer told the broker that it is done, and this came of it.
    Settle {
        message: MessageId,
        group: GroupId,
        partition: PartitionId,
        position: Option<Position>,
        delivery: Option<DeliveryNumber>,
        outcome: SettleOutcome,
    },
    /// The broker set the message aside after too many deliveries.
    DeadLetter { message: MessageId, group: GroupId },
    /// The group was reset: every position from this one on will be delivered again, in this partition, or in all where
    /// none is stated.
    Rewind { group: GroupId, partition: PartitionId, position: Position },
    /// A transaction was committed: its attempts and settles count from now on.
    Commit { transaction: TransactionId },
    /// A transaction was aborted: its attempts and settles count for nothing.
    Abort { transaction: TransactionId },
    /// A fault struck.
    Fault { fault: Fault },
    /// A fault ended.
    Heal { fault: Fault },
    /// Faults are healed and nothing more can happen.
    Quiescent,
}

impl EventKind {
    /// The message the event is about, where it is about one.
    pub fn message(&self) -> Option<MessageId> {
        use EventKind::*;
        match *self {
            Submit { message, .. }
            | Attempt { message, .. }
            | Outcome { message, .. }
            | Deliver { message, .. }
            | Effect { message, .. }
            | Settle { message, .. }
            | DeadLetter { message, .. } => Some(message),
            Rewind { .. } | Commit { .. } | Abort { .. } | Fault { .. } | Heal { .. } | Quiescent => None,
        }
    }

    /// The consumer group whose event this is; the producer's events and the faults belong to every group.
    pub fn group(&self) -> Option<GroupId> {
        use EventKind::*;
        match *self {
            Deliver { group, .. }
            | Effect { group, .. }
            | Settle { group, .. }
            | DeadLetter { group, .. }
            | Rewind { group, .. } => Some(group),
            Submit { .. } | Attempt { .. } | Outcome { .. } | Commit { .. } | Abort { .. } => None,
            Fault { .. } | Heal { .. } | Quiescent => None,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use EventKind::*;
        match self {
            Submit { message, .. } => write!(f, "submit {message}"),
            Attempt { message, .. } => write!(f, "attempt {message}"),
            Outcome { message, outcome, .. } => write!(f, "outcome {message}: {}", outcome.word()),
            Deliver { message, .. } => write!(f, "deliver {message}"),
            Effect { message, .. } => write!(f, "effect {message}"),
            Settle { message, outcome, .. } => write!(f, "settle {message}: {}", outcome.word()),
            DeadLetter { message, .. } => write!(f, "dead-letter {message}"),
            Rewind { position, .. } => write!(f, "rewind to position {position}"),
            Commit { transaction } => write!(f, "commit of transaction {transaction}"),
            Abort { transaction } => write!(f, "abort of transaction {transaction}"),
            Fault { fault } => write!(f, "fault {fault}"),
            Heal { fault } => write!(f, "heal {fault}"),
            Quiescent => f.write_str("quiescent"),
        }
    }
}
