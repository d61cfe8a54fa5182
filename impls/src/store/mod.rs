//! Where the cores keep what must survive a crash: three small contracts, each realised by a simulated disk
//! ([`simulated`]) and on a real one: journals by a plain [`mod@file`], outbox and inventory by an [`embedded`] database.
//!
//! A store's "no" is definite: after [`StoreError::Refused`] or [`StoreError::Full`] nothing of the write will ever
//! be seen. After [`StoreError::Failed`] nobody knows, and its owner must stop and recover.

use delivery_model::vocab::{Epoch, MessageId, Position};

use crate::data::positions::Positions;
use crate::data::record::{DecodeError, Key, Payload};
use crate::data::snapshot::SnapshotError;
use crate::inventory::{Order, Sku};

pub mod embedded;
pub mod file;
pub mod frame;
pub mod simulated;

/// Why a write did not happen, or may not have happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StoreError {
    /// Definitely not written.
    #[error("the store refused to write")]
    Refused,
    /// Definitely not written.
    #[error("the store is full: {needed} bytes needed, {free} of {capacity} free")]
    Full {
        /// What the write takes, in bytes.
        needed: u64,
        /// What is left, in bytes.
        free: u64,
        /// What the store holds at most, in bytes.
        capacity: u64,
    },
    /// Definitely not written: somebody else took over since.
    #[error("generation {found} was fenced off by generation {current}")]
    Fenced {
        /// Who may write.
        current: Generation,
        /// Who tried.
        found: Generation,
    },
    /// It may have been written, or not.
    #[error("the store failed to {what}: {why}")]
    Failed {
        /// What it was doing.
        what: &'static str,
        /// What it said.
        why: String,
    },
}

impl StoreError {
    /// Nothing of the write will ever be seen; otherwise it may have happened.
    pub fn is_definite(&self) -> bool {
        !matches!(self, StoreError::Failed { .. })
    }
}

/// Why a store cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// A record in the middle does not have the bytes that were written; what follows it is intact.
    #[error("record {record} at byte {offset} is corrupt, and intact records follow it")]
    Corrupt {
        /// Which record, counted from 0.
        record: u64,
        /// Where it starts.
        offset: u64,
    },
    /// A record has its bytes, but they mean nothing.
    #[error("record {record} cannot be read: {why}")]
    Undecodable {
        /// Which record, counted from 0.
        record: u64,
        /// Why.
        why: DecodeError,
    },
    /// What a log keeps of the records that it dropped means nothing.
    #[error("the snapshot before the records cannot be read: {0}")]
    Snapshot(#[from] SnapshotError),
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file of records that grows at its end. The broker has two: messages, and what became of their deliveries.
pub trait Journal {
    /// Puts a record at the end. It is not durable before [`Journal::sync`]: a crash may lose any suffix of what was
    /// appended since, and may tear the last record.
    fn append(&mut self, record: &[u8]) -> Result<(), StoreError>;

    /// Makes everything appended durable. After an error nobody knows how much of it is.
    fn sync(&mut self) -> Result<(), StoreError>;

    /// Puts these records in the place of everything, durably and at once: a crash leaves all of the old ones or all of
    /// the new ones. After a definite error it is the old ones.
    fn rewrite(&mut self, records: impl IntoIterator<Item = Vec<u8>>) -> Result<(), StoreError>;

    /// Reads every record in order, first to last; what it returns is durable. A torn tail is cut off.
    fn recover(&mut self) -> Result<Vec<Vec<u8>>, RecoverError>;
}

/// A message that a producer still owes the broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutboxRow {
    /// The application's id.
    pub message: MessageId,
    /// The application's bytes.
    pub payload: Payload,
    /// Its sequence number, where it must keep one over restarts.
    pub number: Option<u64>,
}

/// What an outbox held at a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OutboxContents {
    /// The epoch of the last incarnation; none before the first.
    pub epoch: Option<Epoch>,
    /// The next sequence number.
    pub next_number: u64,
    /// What is owed, lowest message id first.
    pub rows: Vec<OutboxRow>,
}

/// What a producer keeps. Every call is one transaction, durable when it returns.
pub trait OutboxStore {
    /// Reads what an earlier incarnation left, before anything else.
    fn recover(&mut self) -> Result<OutboxContents, RecoverError>;

    /// Notes the epoch of the incarnation that starts now.
    fn begin(&mut self, epoch: Epoch) -> Result<(), StoreError>;

    /// Adds a row. The next number is the one after its own, where it has one.
    fn insert(&mut self, message: MessageId, payload: &[u8], number: Option<u64>) -> Result<(), StoreError>;

    /// Removes a row; nothing happens if there is none.
    fn delete(&mut self, message: MessageId) -> Result<(), StoreError>;
}

/// How often the group's work passed from one consumer to another: a later one fences off the earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Which positions a consumer has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Covers {
    /// One position.
    One(Position),
    /// Every position below this one.
    Below(Position),
}

impl Covers {
    /// Adds what it covers.
    pub fn mark(self, positions: &mut Positions) {
        match self {
            Covers::One(position) => {
                positions.insert(position);
            }
            Covers::Below(end) => positions.insert_below(end),
        }
    }
}

/// What one transaction of the inventory changes. Parts that are `None` stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Change<E> {
    /// Refuses the transaction if a later generation was let in.
    pub fenced_by: Option<Generation>,
    /// Makes this effect.
    pub effect: Option<E>,
    /// Notes in the inbox that this message was handled.
    pub inbox: Option<Key>,
    /// Notes that these positions are finished.
    pub finished: Option<Covers>,
}

impl<E> Default for Change<E> {
    fn default() -> Self {
        Change { fenced_by: None, effect: None, inbox: None, finished: None }
    }
}

/// The consuming application's database: its own data, the inbox, and the positions that the group has finished.
pub trait EffectStore {
    /// What handling one message changes in the application's data.
    type Effect;

    /// The effect of a message with this payload.
    fn effect_of(&self, payload: &[u8]) -> Result<Self::Effect, DecodeError>;

    /// Applies a change as one transaction, durable when it returns.
    fn apply(&mut self, change: &Change<Self::Effect>) -> Result<(), StoreError>;

    /// Lets this generation in, durably, and every earlier one no more.
    fn fence(&mut self, generation: Generation) -> Result<(), StoreError>;

    /// Whether the inbox knows this message.
    fn seen(&self, key: &Key) -> Result<bool, StoreError>;

    /// The finished positions.
    fn finished(&self) -> Result<Positions, StoreError>;

    /// Forgets that this position and later ones are finished, durably.
    fn rewind(&mut self, to: Position) -> Result<(), StoreError>;
}

/// The inventory service's database: orders take from the stock of their articles.
pub trait InventoryStore: EffectStore<Effect = Order> {
    /// How much is left of an article: what was there at first less what was taken.
    fn stock(&self, sku: Sku) -> Result<i64, StoreError>;
}
