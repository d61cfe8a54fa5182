//! What a user writes: the settings of producer, broker and consumer, the promise, and the faults it must survive.
//!
//! One value configures the model and the concrete implementation. Loading is validation: a [`Pipeline`] that exists
//! is one that means something.

use serde::{Deserialize, Serialize};

use crate::vocab::Fault;

/// The three delivery semantics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Semantics {
    /// Never twice.
    AtMostOnce,
    /// Never lost.
    AtLeastOnce,
    /// Never lost and never twice.
    ExactlyOnce,
}

impl Semantics {
    /// All three, weakest promise first.
    pub const ALL: [Semantics; 3] = [Semantics::AtMostOnce, Semantics::AtLeastOnce, Semantics::ExactlyOnce];

    /// The word that files and output use.
    pub fn word(self) -> &'static str {
        match self {
            Semantics::AtMostOnce => "at-most-once",
            Semantics::AtLeastOnce => "at-least-once",
            Semantics::ExactlyOnce => "exactly-once",
        }
    }
}

impl std::fmt::Display for Semantics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// What is counted: hand-offs, or durable effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Hand-offs that a consumer received.
    Delivery,
    /// Durable changes that a consumer made.
    #[default]
    Effect,
}

/// Which messages must not be lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Obligation {
    /// Those that the broker confirmed.
    #[default]
    Acked,
    /// Every one that the application submitted.
    Submitted,
}

/// A whole pipeline. [`Pipeline::default`] has every setting at the value that a file leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pipeline {
    /// Its name; files without one take the file's stem.
    pub name: String,
    /// The semantics it claims.
    pub promises: Option<Semantics>,
    /// Where the claim is judged.
    pub level: Level,
    /// Which messages must not be lost.
    pub obligation: Obligation,
    /// It claims first deliveries in submission order.
    pub ordered: bool,
    /// The producer's settings.
    pub producer: Producer,
    /// The broker's settings.
    pub broker: Broker,
    /// The consumer's settings.
    pub consumer: Consumer,
    /// The faults it must survive.
    pub faults: FaultBudget,
}

/// How often a message is transmitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Attempts {
    /// Retry until the broker confirms. (`until-acked`)
    #[default]
    UntilAcked,
    /// At most this many attempts, at least 1. (`once` is 1)
    AtMost(u32),
}

/// By what a message is recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identity {
    /// By nothing.
    None,
    /// By an id that its producer gives it.
    MessageId,
    /// By producer id, epoch and sequence number.
    #[default]
    Sequence,
}

/// What becomes of unfinished messages when the producer restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnRestart {
    /// They are lost.
    Forgets,
    /// They are sent again under a fresh identity.
    Resubmits,
    /// They are sent again under the same identity.
    #[default]
    Outbox,
}

/// The producer's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Producer {
    /// How often a message is transmitted.
    pub attempts: Attempts,
    /// By what it is recognised.
    pub identity: Identity,
    /// What a restart does to unfinished messages.
    pub on_restart: OnRestart,
    /// How many messages may be unresolved at once, at least 1.
    pub in_flight: u32,
}

impl Default for Producer {
    fn default() -> Self {
        Producer {
            attempts: Attempts::UntilAcked,
            identity: Identity::Sequence,
            on_restart: OnRestart::Outbox,
            in_flight: 1,
        }
    }
}

/// When the broker confirms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acks {
    /// It never does.
    Never,
    /// As soon as the attempt is in its memory.
    OnReceipt,
    /// Once the record is durable.
    #[default]
    AfterSync,
}

/// How the broker recognises a retry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dedup {
    /// It does not.
    None,
    /// By a set of identities that it has stored.
    MessageId,
    /// By sequence number: the next one is stored, an older one is a duplicate, a gap is refused.
    #[default]
    Sequence,
}

/// What the broker's restart does to its memory of seen messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DedupOnRestart {
    /// It is lost; an identity it does not know is accepted.
    Forgotten,
    /// It is made anew from the log.
    #[default]
    Rebuilt,
}

/// How often the broker hands a position off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivers {
    /// Once: the hand-off is recorded durably first, and never repeated.
    Once,
    /// Until it is settled.
    #[default]
    UntilSettled,
}

/// When a settle is durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordsSettles {
    /// Some time after it was confirmed: a broker crash forgets some.
    Lazily,
    /// Before it is confirmed.
    #[default]
    AfterSync,
}

/// Whether only the current delivery may settle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leases {
    /// A stale settle is refused.
    #[default]
    Checked,
    /// A stale settle is recorded like any other.
    Unchecked,
}

/// The broker's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broker {
    /// When it confirms a publish.
    pub acks: Acks,
    /// How it recognises a retry.
    pub dedup: Dedup,
    /// How many of the latest records the recognition covers; 0: all.
    pub dedup_window: u32,
    /// What a restart does to that memory.
    pub dedup_on_restart: DedupOnRestart,
    /// It refuses attempts of older producer epochs (where messages carry an epoch: `identity = "sequence"`).
    pub fencing: bool,
    /// How often it hands a position off.
    pub delivers: Delivers,
    /// When a settle is durable.
    pub records_settles: RecordsSettles,
    /// Whether only the current delivery may settle.
    pub leases: Leases,
    /// After so many deliveries a position is dead-lettered; 0: never.
    pub max_deliveries: u32,
}

impl Default for Broker {
    fn default() -> Self {
        Broker {
            acks: Acks::default(),
            dedup: Dedup::default(),
            dedup_window: 0,
            dedup_on_restart: DedupOnRestart::default(),
            fencing: true,
            delivers: Delivers::default(),
            records_settles: RecordsSettles::default(),
            leases: Leases::default(),
            max_deliveries: 0,
        }
    }
}

/// When the consumer settles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settles {
    /// First; its handler runs once the settle is confirmed.
    BeforeEffect,
    /// Once its effect is durable.
    #[default]
    AfterEffect,
    /// Its position is stored in the effect's transaction, and it resumes from there.
    WithEffect,
}

/// What a settle covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Commits {
    /// One position.
    #[default]
    Each,
    /// Every position of the contiguous settled prefix.
    Prefix,
    /// Every position up to the highest seen: a common mistake.
    Highest,
}

/// Where the consumer remembers what it has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remembers {
    /// Nowhere.
    Nothing,
    /// In memory, noted after the effect.
    InMemory,
    /// In an inbox that is part of the effect's transaction.
    #[default]
    WithEffect,
}

/// The consumer's settings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Consumer {
    /// When it settles.
    pub settles: Settles,
    /// What a settle covers.
    pub commits: Commits,
    /// Where it remembers what it has seen, by identity, or by position where there is none.
    pub remembers: Remembers,
    /// How many deliveries it works on at once, at least 1.
    pub workers: u32,
}

impl Default for Consumer {
    fn default() -> Self {
        Consumer {
            settles: Settles::default(),
            commits: Commits::default(),
            remembers: Remembers::default(),
            workers: 1,
        }
    }
}

/// How often each fault may strike in one run, and how many may strike in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultBudget {
    /// At most so many in one run; 0: no cap beyond the kinds' own.
    pub total: u32,
    /// By [`Fault`], in the order of [`Fault::ALL`].
    pub each: [u32; Fault::ALL.len()],
}

impl FaultBudget {
    /// No faults at all: what an empty `[faults]` means.
    pub const NONE: FaultBudget = FaultBudget { total: 0, each: [0; Fault::ALL.len()] };

    /// How often this kind may strike.
    pub fn of(&self, fault: Fault) -> u32 {
        self.each[fault as usize]
    }

    /// The same budget with this kind's share changed.
    pub fn with(mut self, fault: Fault, times: u32) -> Self {
        self.each[fault as usize] = times;
        self
    }

    /// The kinds that may strike.
    pub fn kinds(&self) -> impl Iterator<Item = Fault> + '_ {
        Fault::ALL.into_iter().filter(|&fault| self.of(fault) > 0)
    }
}

impl Default for FaultBudget {
    /// What a left-out `[faults]` means: each of the five failure points once, two at most in one run.
    fn default() -> Self {
        use Fault::*;
        let points = [
            PublishLost,
            PublishRefused,
            PublishAckLost,
            ProducerCrash,
            BrokerCrash,
            DeliveryLost,
            SettleLost,
            ConsumerCrash,
        ];
        points.into_iter().fold(FaultBudget { total: 2, ..FaultBudget::NONE }, |budget, fault| budget.with(fault, 1))
    }
}
