//! The stores of the cores: three small traits for what must survive a crash. Each has an implementation on a
//! simulated disk ([`simulated`]) and one on a real disk: journals in a plain [`mod@file`], the [`outbox`] in such a
//! journal, and the inventory in an [`embedded`] database.
//!
//! After [`StoreError::Refused`], [`StoreError::Full`] and [`StoreError::Fenced`] nothing of the write is or will be
//! stored. After [`StoreError::Failed`] the result is not known, and the owner of the store must stop and recover.

use delivery_model::vocab::{Epoch, MessageId, Position};

use crate::data::positions::Positions;
use crate::data::record::{DecodeError, Key, Payload};
use crate::data::snapshot::SnapshotError;
use crate::inventory::{Order, Sku};

pub mod embedded;
pub mod file;
pub mod frame;
pub mod outbox;
pub mod simulated;

/// The reason why a write failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StoreError {
    /// The store refused; nothing was written.
    #[error("the store refused to write")]
    Refused,
    /// There was no room; nothing was written.
    #[error("the store is full: {needed} bytes needed, {free} of {capacity} free")]
    Full {
        /// The size of the write, in bytes.
        needed: u64,
        /// The room that is left, in bytes.
        free: u64,
        /// The capacity of the store, in bytes.
        capacity: u64,
    },
    /// A later generation has taken over; nothing was written.
    #[error("generation {found} was fenced off by generation {current}")]
    Fenced {
        /// The generation that may write.
        current: Generation,
        /// The generation that tried to.
        found: Generation,
    },
    /// The write may have happened or not.
    #[error("the store failed to {what}: {why}")]
    Failed {
        /// The operation that failed.
        what: &'static str,
        /// The message of the cause.
        why: String,
    },
}

impl StoreError {
    /// Whether nothing was written. Otherwise the write may have happened.
    pub fn is_definite(&self) -> bool {
        !matches!(self, StoreError::Failed { .. })
    }
}

/// The reason why a store cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// A record does not have the bytes that were written, and intact records follow it.
    #[error("record {record} at byte {offset} is corrupt, and intact records follow it")]
    Corrupt {
        /// The index of the record, counted from 0.
        record: u64,
        /// The offset of its first byte.
        offset: u64,
    },
    /// A record has the bytes that were written, but they cannot be decoded.
    #[error("record {record} cannot be read: {why}")]
    Undecodable {
        /// The index of the record, counted from 0.
        record: u64,
        /// The cause.
        why: DecodeError,
    },
    /// The snapshot of the dropped records cannot be decoded.
    #[error("the snapshot before the records cannot be read: {0}")]
    Snapshot(#[from] SnapshotError),
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a journal writes as a record.
pub trait Encode {
    /// Adds its bytes.
    fn encode_into(&self, bytes: &mut Vec<u8>);
}

impl Encode for [u8] {
    fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self);
    }
}

impl Encode for Vec<u8> {
    fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self);
    }
}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode_into(&self, bytes: &mut Vec<u8>) {
        (*self).encode_into(bytes);
    }
}

/// A file of records that grows at its end. The broker has two: the log of messages, and the ledger of their
/// deliveries.
pub trait Journal {
    /// Appends a record. It is not durable before [`Journal::sync`]: a crash may lose any suffix of what was appended
    /// since, and may tear the last record.
    fn append(&mut self, record: &[u8]) -> Result<(), StoreError>;

    /// Makes all appended records durable. After an error it is not known how many of them are.
    fn sync(&mut self) -> Result<(), StoreError>;

    /// Replaces all records by these, durably and atomically: after a crash the journal has all of the old records or
    /// all of the new ones. After a definite error it has the old ones.
    fn rewrite(&mut self, records: impl IntoIterator<Item = impl Encode>) -> Result<(), StoreError>;

    /// Reads all records in order. The records that it returns are durable; a torn tail is removed.
    fn recover(&mut self) -> Result<Vec<Vec<u8>>, RecoverError>;
}

/// A message that the broker has not confirmed to the producer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutboxRow {
    /// The message id of the application.
    pub message: MessageId,
    /// The payload of the message.
    pub payload: Payload,
    /// The sequence number, if it must be the same after a restart.
    pub number: Option<u64>,
}

/// The contents of an outbox after a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct OutboxContents {
    /// The epoch of the last incarnation; none before the first.
    pub epoch: Option<Epoch>,
    /// The epoch in which the session of the rows' numbers began; 0 before any was begun anew.
    pub session: Epoch,
    /// The next sequence number.
    pub next_number: u64,
    /// The stored position of a producer that reads by position: it does not read rows of lower ids. 0 before it stored any.
    pub position: MessageId,
    /// The rows, lowest message id first.
    pub rows: Vec<OutboxRow>,
}

/// The durable store of a producer. Every call is one transaction, durable when it returns.
pub trait OutboxStore {
    /// Reads the contents that an earlier incarnation left. It is the first call.
    fn recover(&mut self) -> Result<OutboxContents, RecoverError>;

    /// Stores the epoch of the incarnation that starts now.
    fn begin(&mut self, epoch: Epoch) -> Result<(), StoreError>;

    /// Stores a new epoch and the session that begins with it, in one transaction. Numbers begin again with 0: these rows get
    /// these numbers, and the others have none.
    fn renew(&mut self, epoch: Epoch, numbers: &[(MessageId, u64)]) -> Result<(), StoreError>;

    /// Stores the position at which a producer goes on that reads by position.
    fn advance(&mut self, position: MessageId) -> Result<(), StoreError>;

    /// Inserts a row, or replaces it; its payload may be shared. If it has a number, the next number is the one after it.
    fn insert(&mut self, message: MessageId, payload: &Payload, number: Option<u64>) -> Result<(), StoreError>;

    /// Deletes a row; without such a row nothing happens.
    fn delete(&mut self, message: MessageId) -> Result<(), StoreError>;
}

/// The generation of a consumer group: the number of times that its work passed from one consumer to another. A later
/// generation fences off the earlier ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub u32);

impl std::fmt::Display for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The positions that a consumer has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Covers {
    /// One position.
    One(Position),
    /// Every position below this one.
    Below(Position),
}

impl Covers {
    /// One past the last position that it covers.
    pub fn end(self) -> Position {
        match self {
            Covers::One(position) => Position(position.0.saturating_add(1)),
            Covers::Below(end) => end,
        }
    }

    /// Adds these positions to a set.
    pub fn mark(self, positions: &mut Positions) {
        match self {
            Covers::One(position) => {
                positions.insert(position);
            }
            Covers::Below(end) => positions.insert_below(end),
        }
    }
}

/// The changes of one transaction of the inventory. Fields that are `None` change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Change<E> {
    /// The generation of the writer: the transaction is refused if a later one was let in.
    pub fenced_by: Option<Generation>,
    /// The effect to make.
    pub effect: Option<E>,
    /// The key of a message that was handled, for the inbox.
    pub inbox: Option<Key>,
    /// The positions that are finished.
    pub finished: Option<Covers>,
}

impl<E> Default for Change<E> {
    fn default() -> Self {
        Change { fenced_by: None, effect: None, inbox: None, finished: None }
    }
}

/// The database of the consuming application: its own data, the inbox, and the finished positions of the group.
pub trait EffectStore {
    /// The change of the application's data that handling one message makes.
    type Effect;

    /// Decodes the effect from a message's payload.
    fn effect_of(&self, payload: &[u8]) -> Result<Self::Effect, DecodeError>;

    /// Applies a change as one transaction, durable when it returns.
    fn apply(&mut self, change: &Change<Self::Effect>) -> Result<(), StoreError>;

    /// Lets this generation in and fences off every earlier one, durably.
    fn fence(&mut self, generation: Generation) -> Result<(), StoreError>;

    /// Whether the inbox has this key.
    fn seen(&self, key: &Key) -> Result<bool, StoreError>;

    /// The finished positions.
    fn finished(&self) -> Result<Positions, StoreError>;

    /// Removes this position and all later ones from the finished positions, durably.
    fn rewind(&mut self, to: Position) -> Result<(), StoreError>;
}

/// The database of the inventory service: orders reduce the stock of their articles.
pub trait InventoryStore: EffectStore<Effect = Order> {
    /// The stock of an article: its initial stock less what was taken.
    fn stock(&self, sku: Sku) -> Result<i64, StoreError>;
}
