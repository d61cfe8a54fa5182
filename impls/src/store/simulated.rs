//! A simulated disk in memory, which loses what was not synced.
//!
//! It is a plain value: a clone is another disk with the same bytes. Faults are set by the caller, never drawn at
//! random. [`SimulatedJournal::crash`] takes the number of records that survive; `refuse_next`, `capacity_bytes` and
//! `fail_next_rewrite` make writes fail.
//!
//! Left out: writes that reach the disk out of order, and corruption of synced bytes (use
//! [`SimulatedJournal::corrupt`]).

use delivery_model::vocab::{Epoch, MessageId, Position};

use super::frame::{self, HEADER_BYTES};
use super::outbox::Kept;
use super::{
    Change, EffectStore, Encode, Generation, InventoryStore, Journal, OutboxContents, OutboxStore, RecoverError,
    StoreError,
};
use crate::data::keys::Keys;
use crate::data::positions::Positions;
use crate::data::record::{DecodeError, Key, Payload};
use crate::data::small_map::SmallMap;
use crate::inventory::{Order, Sku};

/// The state of the first record that a crash lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tear {
    /// None of its bytes were written.
    Clean,
    /// Half of its frame was written.
    Torn,
}

/// A journal in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SimulatedJournal {
    bytes: Vec<u8>,
    synced_bytes: usize,
    /// The offsets at which the records end that are not synced.
    unsynced_ends: Vec<usize>,
    /// Whether the next append is refused.
    pub refuse_next: bool,
    /// The capacity in bytes; none: no limit.
    pub capacity_bytes: Option<usize>,
    /// The point at which the next rewrite fails; none: it succeeds.
    pub fail_next_rewrite: Option<Halfway>,
}

/// The point of a rewrite at which it fails, so that its result is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Halfway {
    /// Before the new records took the place of the old ones.
    Before,
    /// After the new records took the place of the old ones.
    After,
}

impl SimulatedJournal {
    /// Simulates a loss of power: the first `keeps` of the unsynced records survive.
    ///
    /// # Panics
    /// If there are fewer unsynced records.
    pub fn crash(&mut self, keeps: usize, tear: Tear) {
        let end = if keeps == 0 { self.synced_bytes } else { self.unsynced_ends[keeps - 1] };
        let torn = match (tear, self.unsynced_ends.get(keeps)) {
            (Tear::Torn, Some(next)) => (next - end) / 2,
            (Tear::Torn, None) | (Tear::Clean, _) => 0,
        };
        self.bytes.truncate(end + torn);
        self.synced_bytes = self.bytes.len();
        self.unsynced_ends.clear();
    }

    /// Replaces the disk by an empty one that works, in the room that this one took.
    pub fn replace(&mut self) {
        self.bytes.clear();
        self.synced_bytes = 0;
        self.unsynced_ends.clear();
        (self.refuse_next, self.capacity_bytes, self.fail_next_rewrite) = (false, None, None);
    }

    /// Simulates a failover: the journal of a follower takes its place, with the first `records` records, all durable.
    pub fn cut_to(&mut self, records: usize) {
        let kept = self.recover().expect("nothing is corrupt");
        self.bytes.clear();
        kept.iter().take(records).for_each(|record| frame::write(&mut self.bytes, record));
        self.synced_bytes = self.bytes.len();
        self.unsynced_ends.clear();
    }

    /// Records that a sync made the oldest `records` of the unsynced records durable, and not yet the others.
    pub fn synced_more(&mut self, records: usize) {
        let count = records.min(self.unsynced_ends.len());
        self.synced_bytes = self.unsynced_ends.drain(..count).next_back().unwrap_or(self.synced_bytes);
    }

    /// The number of records that a crash may lose.
    pub fn unsynced(&self) -> usize {
        self.unsynced_ends.len()
    }

    /// Flips every bit of one byte.
    ///
    /// # Panics
    /// If the file ends before it.
    pub fn corrupt(&mut self, offset: usize) {
        self.bytes[offset] ^= 0xff;
    }
}

impl Journal for SimulatedJournal {
    fn append(&mut self, record: &[u8]) -> Result<(), StoreError> {
        if std::mem::take(&mut self.refuse_next) {
            return Err(StoreError::Refused);
        }
        let needed = record.len() + HEADER_BYTES;
        if let Some(capacity) = self.capacity_bytes
            && self.bytes.len() + needed > capacity
        {
            let free = capacity.saturating_sub(self.bytes.len());
            return Err(StoreError::Full { needed: needed as u64, free: free as u64, capacity: capacity as u64 });
        }
        frame::write(&mut self.bytes, record);
        self.unsynced_ends.push(self.bytes.len());
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.synced_bytes = self.bytes.len();
        self.unsynced_ends.clear();
        Ok(())
    }

    fn rewrite(&mut self, records: impl IntoIterator<Item = impl Encode>) -> Result<(), StoreError> {
        if self.capacity_bytes.is_none() && self.fail_next_rewrite.is_none() {
            // Nothing can fail, so the records are written in the place of the old ones.
            self.bytes.clear();
            records.into_iter().for_each(|record| frame::write(&mut self.bytes, record));
            return self.sync();
        }
        let mut bytes = Vec::new();
        records.into_iter().for_each(|record| frame::write(&mut bytes, record));
        if let Some(capacity) = self.capacity_bytes.filter(|capacity| bytes.len() > *capacity) {
            let (needed, capacity) = (bytes.len() as u64, capacity as u64);
            return Err(StoreError::Full { needed, free: capacity, capacity });
        }
        let fails = self.fail_next_rewrite.take();
        if fails != Some(Halfway::Before) {
            self.bytes = bytes;
            self.sync()?;
        }
        match fails {
            Some(_) => Err(StoreError::Failed { what: "rewrite", why: "asked to".into() }),
            None => Ok(()),
        }
    }

    fn recover(&mut self) -> Result<Vec<Vec<u8>>, RecoverError> {
        let recovered = frame::recover(&self.bytes)?;
        self.bytes.truncate(recovered.intact_bytes);
        self.synced_bytes = self.bytes.len();
        self.unsynced_ends.clear();
        Ok(recovered.records)
    }
}

/// An outbox in memory. Its transactions are durable when they return, so a crash loses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SimulatedOutbox {
    kept: Kept,
    /// Whether the next insert is refused.
    pub refuse_next: bool,
}

impl SimulatedOutbox {
    /// Replaces the disk by an empty one that works, in the room that this one took.
    pub fn replace(&mut self) {
        let mut rows = std::mem::take(&mut self.kept.rows);
        rows.clear();
        *self = SimulatedOutbox { kept: Kept { rows, ..Kept::default() }, refuse_next: false };
    }
}

impl OutboxStore for SimulatedOutbox {
    fn recover(&mut self) -> Result<OutboxContents, RecoverError> {
        Ok(self.kept.contents())
    }

    fn begin(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.kept.epoch = Some(epoch);
        Ok(())
    }

    fn renew(&mut self, epoch: Epoch, numbers: &[(MessageId, u64)]) -> Result<(), StoreError> {
        self.kept.renew(epoch, numbers);
        Ok(())
    }

    fn advance(&mut self, position: MessageId) -> Result<(), StoreError> {
        self.kept.position = position;
        Ok(())
    }

    fn insert(&mut self, message: MessageId, payload: &Payload, number: Option<u64>) -> Result<(), StoreError> {
        if std::mem::take(&mut self.refuse_next) {
            return Err(StoreError::Refused);
        }
        self.kept.insert(message, Payload::clone(payload), number);
        Ok(())
    }

    fn delete(&mut self, message: MessageId) -> Result<(), StoreError> {
        self.kept.rows.remove(&message);
        Ok(())
    }
}

/// The progress of a consumer, as a database in memory keeps it beside the application's data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Progress {
    inbox: Keys,
    finished: Positions,
    generation: Generation,
}

impl Progress {
    /// Applies the consumer's part of a change. After a refusal nothing is changed.
    pub fn apply<E>(&mut self, change: &Change<E>) -> Result<(), StoreError> {
        if let Some(found) = change.fenced_by.filter(|found| *found < self.generation) {
            return Err(StoreError::Fenced { current: self.generation, found });
        }
        change.inbox.iter().for_each(|key| self.inbox.insert(key));
        change.finished.iter().for_each(|covers| covers.mark(&mut self.finished));
        Ok(())
    }

    /// Lets this generation in, and every earlier one no more.
    pub fn fence(&mut self, generation: Generation) {
        self.generation = self.generation.max(generation);
    }

    /// Whether the inbox knows this message.
    pub fn seen(&self, key: &Key) -> bool {
        self.inbox.contains(key)
    }

    /// The finished positions.
    pub fn finished(&self) -> &Positions {
        &self.finished
    }

    /// Forgets that this position and later ones are finished.
    pub fn rewind(&mut self, to: Position) {
        self.finished.truncate(to);
    }
}

/// An inventory in memory. Its transactions are durable when they return, so a crash loses nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SimulatedInventory {
    /// The change of each article's stock, as a negative number.
    stock: SmallMap<Sku, i64>,
    progress: Progress,
    /// Whether the next transaction is refused.
    pub refuse_next: bool,
}

impl SimulatedInventory {
    /// Replaces the disk by an empty one that works, in the room that this one took.
    pub fn replace(&mut self) {
        self.stock.clear();
        self.progress.inbox.clear();
        (self.progress.finished, self.progress.generation) = Default::default();
        self.refuse_next = false;
    }

    /// The finished positions, borrowed.
    pub fn finished_positions(&self) -> &Positions {
        self.progress.finished()
    }

    /// The stock of every article that an order touched.
    pub fn stocks(&self) -> impl Iterator<Item = (Sku, i64)> + '_ {
        self.stock.iter().map(|(sku, &left)| (sku, left))
    }
}

impl EffectStore for SimulatedInventory {
    type Effect = Order;

    fn effect_of(&self, payload: &[u8]) -> Result<Order, DecodeError> {
        Order::decode(payload)
    }

    fn apply(&mut self, change: &Change<Order>) -> Result<(), StoreError> {
        if std::mem::take(&mut self.refuse_next) {
            return Err(StoreError::Refused);
        }
        self.progress.apply(change)?;
        if let Some(order) = change.effect {
            *self.stock.or_default(order.sku) -= i64::from(order.quantity);
        }
        Ok(())
    }

    fn fence(&mut self, generation: Generation) -> Result<(), StoreError> {
        self.progress.fence(generation);
        Ok(())
    }

    fn seen(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.progress.seen(key))
    }

    fn finished(&self) -> Result<Positions, StoreError> {
        Ok(self.progress.finished().clone())
    }

    fn rewind(&mut self, to: Position) -> Result<(), StoreError> {
        self.progress.rewind(to);
        Ok(())
    }
}

impl InventoryStore for SimulatedInventory {
    fn stock(&self, sku: Sku) -> Result<i64, StoreError> {
        Ok(self.stock.get(&sku).copied().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(synced: &[&[u8]], unsynced: &[&[u8]]) -> SimulatedJournal {
        let mut journal = SimulatedJournal::default();
        synced.iter().for_each(|record| journal.append(record).unwrap());
        journal.sync().unwrap();
        unsynced.iter().for_each(|record| journal.append(record).unwrap());
        journal
    }

    #[test]
    fn a_crash_loses_any_suffix_beyond_the_last_sync() {
        let check = |keeps, tear, expected: &[&[u8]]| {
            let mut journal = journal(&[b"one"], &[b"two", b"three"]);
            journal.crash(keeps, tear);
            assert_eq!(journal.recover().unwrap(), expected, "{keeps} kept, {tear:?}");
        };
        check(0, Tear::Clean, &[b"one"]);
        check(1, Tear::Clean, &[b"one", b"two"]);
        check(2, Tear::Clean, &[b"one", b"two", b"three"]);
        check(0, Tear::Torn, &[b"one"]);
        check(1, Tear::Torn, &[b"one", b"two"]);
        check(2, Tear::Torn, &[b"one", b"two", b"three"]);
    }

    #[test]
    fn appends_after_a_torn_tail_follow_the_last_whole_record() {
        let mut journal = journal(&[b"one"], &[b"two"]);
        journal.crash(0, Tear::Torn);
        journal.recover().unwrap();
        journal.append(b"again").unwrap();
        assert_eq!(journal.recover().unwrap(), [&b"one"[..], b"again"]);
    }

    #[test]
    fn a_corrupt_middle_is_refused_with_its_position() {
        let mut journal = journal(&[b"one", b"two", b"three"], &[]);
        journal.corrupt(HEADER_BYTES + 3 + HEADER_BYTES);
        assert_eq!(journal.recover(), Err(RecoverError::Corrupt { record: 1, offset: 11 }));
    }

    #[test]
    fn a_refused_or_full_write_leaves_nothing_behind() {
        let mut journal = journal(&[b"one"], &[]);
        journal.refuse_next = true;
        assert_eq!(journal.append(b"two"), Err(StoreError::Refused));
        journal.capacity_bytes = Some(14);
        assert_eq!(journal.append(b"two"), Err(StoreError::Full { needed: 11, free: 3, capacity: 14 }));
        journal.capacity_bytes = None;
        journal.append(b"three").unwrap();
        assert_eq!(journal.recover().unwrap(), [&b"one"[..], b"three"]);
    }
}
