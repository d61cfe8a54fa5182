//! The words of the field as types: ids, events, faults, and the micro-steps of the protocol.
//!
//! Architecture Invariant: this module knows nothing of properties, of the protocol's rules or of any implementation.
//! Everything else speaks in these words, so that a model's path, a simulated run, a threaded run and a recorded
//! history can be laid side by side.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// A payload of a history: an index into its table of distinct payloads, so that equal ids mean equal bytes.
    PayloadId(u32)
);

/// What came of an attempt, as its producer knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The broker confirmed it.
    Acked,
    /// The broker said no, definitely.
    Refused,
    /// A time-out or a cut: it may have happened.
    Unknown,
}

impl Outcome {
    /// The word that files use.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Acked => "acked",
            Outcome::Refused => "refused",
            Outcome::Unknown => "unknown",
        }
    }
}

/// What came of a settle, as its consumer knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SettleOutcome {
    /// The broker recorded it.
    Ok,
    /// The broker said no: this delivery may not settle any more.
    Refused,
    /// A time-out or a cut: it may have been recorded.
    Unknown,
}

impl SettleOutcome {
    /// The word that files use.
    pub fn word(self) -> &'static str {
        match self {
            SettleOutcome::Ok => "ok",
            SettleOutcome::Refused => "refused",
            SettleOutcome::Unknown => "unknown",
        }
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
            Rewind { .. } | Fault { .. } | Heal { .. } | Quiescent => None,
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
            Submit { .. } | Attempt { .. } | Outcome { .. } | Fault { .. } | Heal { .. } | Quiescent => None,
        }
    }
}

macro_rules! faults {
    ($($(#[$($attribute:tt)*])* $name:ident = $word:literal),* $(,)?) => {
        /// The kinds of fault, in the order in which tables list them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Fault {
            $($(#[$($attribute)*])* #[serde(rename = $word)] $name),*
        }

        impl Fault {
            /// Every kind.
            pub const ALL: [Fault; 15] = [$(Fault::$name),*];

            /// The word that files use.
            pub fn word(self) -> &'static str {
                match self { $(Fault::$name => $word),* }
            }

            /// What it does, in a sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Fault::$name => $crate::words::doc_text!($([$($attribute)*])*).trim_ascii_start()),* }
            }
        }
    };
}

faults! {
    /// An attempt vanishes on the way.
    PublishLost = "publish-lost",
    /// The broker fails to store, and says so.
    PublishRefused = "publish-refused",
    /// Stored, but the ack vanishes.
    PublishAckLost = "publish-ack-lost",
    /// The network delivers one attempt twice, the copy possibly late.
    PublishDuplicated = "publish-duplicated",
    /// Attempt n fails, n+1 lands, n is retried.
    PublishReordered = "publish-reordered",
    /// The producer loses what is not in its outbox.
    ProducerCrash = "producer-crash",
    /// An old incarnation's attempt arrives after its successor registered.
    ProducerZombie = "producer-zombie",
    /// The broker loses any suffix of its log beyond the last sync, and its memory.
    BrokerCrash = "broker-crash",
    /// A hand-off vanishes.
    DeliveryLost = "delivery-lost",
    /// The consumer loses its memory.
    ConsumerCrash = "consumer-crash",
    /// The settle vanishes.
    SettleLost = "settle-lost",
    /// The lease ends while its delivery is still on its way or at work.
    LeaseExpiry = "lease-expiry",
    /// The memory of seen messages is evicted or lost.
    DedupForgotten = "dedup-forgotten",
    /// One message makes its handler fail every time.
    Poison = "poison",
    /// The consumer is reset to an earlier position.
    Rewind = "rewind",
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// One hand-off, as the protocol's steps name it: a position, and which of its hand-offs.
///
/// A position has at most one hand-off with a live lease. Those whose lease has ended, the late ones, are numbered from
/// the one that ended first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryRef {
    /// Which place in the log was handed off.
    pub position: Position,
    /// 0: its lease is live. Otherwise its lease has ended, whatever it still does comes late, and it is the nth of those
    /// of its position, counted from 1. Files write 0 by leaving it out and 1 as `true`.
    #[serde(default, skip_serializing_if = "is_live", with = "late_word")]
    pub late: u8,
}

impl DeliveryRef {
    /// The hand-off of this position that has a live lease.
    pub const fn live(position: Position) -> Self {
        DeliveryRef { position, late: 0 }
    }

    /// Its lease has ended.
    pub const fn is_late(self) -> bool {
        self.late > 0
    }
}

fn is_live(late: &u8) -> bool {
    *late == 0
}

/// How files write which of a position's late hand-offs is meant.
mod late_word {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    struct Late;

    impl Visitor<'_> for Late {
        type Value = u8;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true, false, or a whole number from 0 to 255")
        }

        fn visit_bool<E: Error>(self, late: bool) -> Result<u8, E> {
            Ok(late.into())
        }

        fn visit_u64<E: Error>(self, nth: u64) -> Result<u8, E> {
            u8::try_from(nth).map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(nth), &self))
        }

        fn visit_i64<E: Error>(self, nth: i64) -> Result<u8, E> {
            u8::try_from(nth).map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(nth), &self))
        }
    }

    pub(super) fn serialize<S: Serializer>(late: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        match late {
            1 => serializer.serialize_bool(true),
            nth => serializer.serialize_u8(*nth),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        deserializer.deserialize_any(Late)
    }
}

/// One micro-step of the protocol. Crashes fall between any two.
///
/// Model, simulation and exact schedules share these, so that a path of one is a path of the other.
/// `model/src/spec` says when each is enabled and what it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "step", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are named and documented by their types")]
pub enum Step {
    /// The application hands the next message to the producer, which keeps it (in its outbox, if it has one).
    Submit { message: MessageId },
    /// The producer transmits the message.
    Attempt { message: MessageId },
    /// The broker takes the oldest attempt on the wire into its memory.
    Receive { message: MessageId },
    /// The broker takes a straggler into its memory: a late copy, or an old incarnation's attempt.
    ReceiveLate { message: MessageId },
    /// The broker decides about what it received: append it, recognise it as a duplicate, or refuse it.
    Append { message: MessageId },
    /// The broker's log, and settles recorded lazily, reach the disk.
    Sync,
    /// The broker confirms the message to its producer.
    Ack { message: MessageId },
    /// The producer takes in the broker's ack or refusal.
    TakeReply { message: MessageId },
    /// The producer stops waiting for an attempt of which nothing is left on the way.
    TimeOut { message: MessageId },
    /// The broker hands the position to the consumer.
    HandOff { position: Position },
    /// The consumer receives it.
    Deliver { hand: DeliveryRef },
    /// The consumer's handler runs: the effect is committed, or the message is recognised as seen.
    Handle { hand: DeliveryRef },
    /// The consumer notes in memory that it has seen the message.
    Remember { hand: DeliveryRef },
    /// The consumer tells the broker that it is done.
    Settle { hand: DeliveryRef },
    /// The broker records (or refuses) the settle, and the consumer learns of it.
    RecordSettle { hand: DeliveryRef },
    /// The broker sets the position aside after too many deliveries.
    DeadLetter { position: Position },

    /// Fault: the oldest attempt on the wire vanishes.
    PublishLost { message: MessageId },
    /// Fault: the broker fails to store what it received, and says so if it can.
    PublishRefused { message: MessageId },
    /// Fault: the ack on its way vanishes.
    PublishAckLost { message: MessageId },
    /// Fault: a copy of the attempt on the wire is made, which may come late.
    PublishDuplicated { message: MessageId },
    /// Fault: the attempt vanishes while a later message's attempt is behind it.
    PublishReordered { message: MessageId },
    /// Fault: the producer crashes, with everything on the wire to and from it, and its successor registers.
    ProducerCrash,
    /// Fault: the producer crashes as above, but this attempt lingers and arrives after its successor registered.
    ProducerZombie { message: MessageId },
    /// Fault: the broker crashes and recovers; of its log, the first `keeps` records survive, at least the synced ones.
    BrokerCrash { keeps: u64 },
    /// Fault: the hand-off on its way vanishes.
    DeliveryLost { hand: DeliveryRef },
    /// Fault: a consumer crashes and restarts. `consumer` is 0 unless leases expire, when the group has a second one.
    ConsumerCrash { consumer: u8 },
    /// Fault: the settle on its way vanishes.
    SettleLost { hand: DeliveryRef },
    /// Fault: the lease ends although its hand-off is still on its way or at work.
    LeaseExpiry { hand: DeliveryRef },
    /// Fault: the broker forgets which messages it has seen.
    DedupForgotten,
    /// Fault: from now on the handler fails on this message.
    Poison { message: MessageId },
    /// Fault: the group is reset to this position.
    Rewind { position: Position },
}

impl Step {
    /// The hand-off that the step is about, where it is about one that exists.
    pub fn hand(&self) -> Option<DeliveryRef> {
        use Step::*;
        match *self {
            Deliver { hand } | Handle { hand } | Remember { hand } | Settle { hand } | RecordSettle { hand } => {
                Some(hand)
            }
            DeliveryLost { hand } | SettleLost { hand } | LeaseExpiry { hand } => Some(hand),
            _ => None,
        }
    }

    /// The fault this step is, if it is one.
    pub fn fault(&self) -> Option<Fault> {
        use Step::*;
        Some(match self {
            PublishLost { .. } => Fault::PublishLost,
            PublishRefused { .. } => Fault::PublishRefused,
            PublishAckLost { .. } => Fault::PublishAckLost,
            PublishDuplicated { .. } => Fault::PublishDuplicated,
            PublishReordered { .. } => Fault::PublishReordered,
            ProducerCrash => Fault::ProducerCrash,
            ProducerZombie { .. } => Fault::ProducerZombie,
            BrokerCrash { .. } => Fault::BrokerCrash,
            DeliveryLost { .. } => Fault::DeliveryLost,
            ConsumerCrash { .. } => Fault::ConsumerCrash,
            SettleLost { .. } => Fault::SettleLost,
            LeaseExpiry { .. } => Fault::LeaseExpiry,
            DedupForgotten => Fault::DedupForgotten,
            Poison { .. } => Fault::Poison,
            Rewind { .. } => Fault::Rewind,
            Submit { .. }
            | Attempt { .. }
            | Receive { .. }
            | ReceiveLate { .. }
            | Append { .. }
            | Sync
            | Ack { .. }
            | TakeReply { .. }
            | TimeOut { .. }
            | HandOff { .. }
            | Deliver { .. }
            | Handle { .. }
            | Remember { .. }
            | Settle { .. }
            | RecordSettle { .. }
            | DeadLetter { .. } => return None,
        })
    }
}

impl fmt::Display for DeliveryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.late {
            0 => write!(f, "position {}", self.position),
            1 => write!(f, "position {} (lease ended)", self.position),
            nth => write!(f, "position {} (lease ended, number {nth} of them)", self.position),
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
            Fault { fault } => write!(f, "fault {fault}"),
            Heal { fault } => write!(f, "heal {fault}"),
            Quiescent => f.write_str("quiescent"),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Step::*;
        if let Some(fault) = self.fault() {
            write!(f, "fault {fault}")?;
        }
        match self {
            Submit { message } => write!(f, "order service submits message {message}"),
            Attempt { message } => write!(f, "order service publishes message {message}"),
            Receive { message } => write!(f, "broker receives message {message}"),
            ReceiveLate { message } => write!(f, "broker receives a late copy of message {message}"),
            Append { message } => write!(f, "broker decides about message {message}"),
            Sync => write!(f, "broker syncs"),
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
            PublishLost { message }
            | PublishRefused { message }
            | PublishAckLost { message }
            | PublishDuplicated { message }
            | PublishReordered { message }
            | ProducerZombie { message }
            | Poison { message } => write!(f, ": message {message}"),
            DeliveryLost { hand } | SettleLost { hand } | LeaseExpiry { hand } => write!(f, ": {hand}"),
            BrokerCrash { keeps } => write!(f, ": keeps {keeps} records"),
            ConsumerCrash { consumer: 1 } => write!(f, ": the second consumer"),
            Rewind { position } => write!(f, ": to position {position}"),
            ProducerCrash | ConsumerCrash { .. } | DedupForgotten => Ok(()),
        }
    }
}
