//! A journal keeps what was synced or rewritten; a crash loses no more than a suffix of the rest.

use delivery_impls::store::frame::HEADER_BYTES;
use delivery_impls::store::{Journal, StoreError};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{Disk, Nonconforming, run, same};

#[derive(Clone, Debug)]
enum Operation {
    Append(Vec<u8>),
    Sync,
    SyncSlowly(usize),
    Rewrite(Vec<Vec<u8>>),
    Limit(u64),
    Crash,
}

/// Puts a kind of journal through so many sequences of appends, syncs, rewrites and crashes, each on a place of its own.
pub fn journal<D: Disk>(cases: u32, place: impl Fn() -> D) -> Result<(), Nonconforming> {
    run("a journal keeps what was synced or rewritten", cases, operation(), |operations| {
        let mut subject = Subject::new(place())?;
        operations.iter().try_for_each(|operation| subject.take(operation))?;
        subject.crash()
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => vec(any::<u8>(), 1..40).prop_map(Operation::Append),
        2 => Just(Operation::Sync),
        1 => (0..4usize).prop_map(Operation::SyncSlowly),
        1 => vec(vec(any::<u8>(), 1..40), 0..4).prop_map(Operation::Rewrite),
        1 => (0..200u64).prop_map(Operation::Limit),
        1 => Just(Operation::Crash),
    ]
}

/// A journal, and what it should hold.
struct Subject<D: Disk> {
    disk: D,
    journal: Option<D::Store>,
    synced: Vec<Vec<u8>>,
    unsynced: Vec<Vec<u8>>,
    /// How many bytes there is room for, where that can be said.
    capacity: Option<u64>,
}

fn size(record: &[u8]) -> u64 {
    (HEADER_BYTES + record.len()) as u64
}

impl<D: Disk> Subject<D> {
    fn new(mut disk: D) -> Result<Self, String> {
        let mut journal = disk.open();
        same("a new journal", journal.recover(), Ok(Vec::new()))?;
        Ok(Subject { disk, journal: Some(journal), synced: Vec::new(), unsynced: Vec::new(), capacity: None })
    }

    fn journal(&mut self) -> &mut D::Store {
        self.journal.as_mut().expect("it is open")
    }

    fn take(&mut self, operation: &Operation) -> Result<(), String> {
        match operation {
            Operation::Append(record) => self.append(record),
            Operation::Sync => {
                same("a sync", self.journal().sync(), Ok(()))?;
                self.synced.append(&mut self.unsynced);
                Ok(())
            }
            Operation::SyncSlowly(records) => {
                let journal = self.journal.as_mut().expect("it is open");
                if self.disk.sync_slowly(journal, *records) {
                    self.synced.extend(self.unsynced.drain(..self.unsynced.len().min(*records)));
                }
                Ok(())
            }
            Operation::Rewrite(records) => self.rewrite(records),
            Operation::Limit(bytes) => {
                self.limit(*bytes);
                Ok(())
            }
            Operation::Crash => self.crash(),
        }
    }

    fn limit(&mut self, bytes: u64) {
        let journal = self.journal.as_mut().expect("it is open");
        self.capacity = self.disk.limit(journal, bytes).then_some(bytes);
    }

    fn append(&mut self, record: &[u8]) -> Result<(), String> {
        let taken: u64 = self.synced.iter().chain(&self.unsynced).map(|record| size(record)).sum();
        let full = |capacity: u64| {
            let free = capacity.saturating_sub(taken);
            Err(StoreError::Full { needed: size(record), free, capacity })
        };
        let expected = self.capacity.filter(|capacity| taken + size(record) > *capacity).map_or(Ok(()), full);
        same("an append", self.journal().append(record), expected.clone())?;
        self.unsynced.extend(expected.is_ok().then(|| record.to_vec()));
        Ok(())
    }

    fn rewrite(&mut self, records: &[Vec<u8>]) -> Result<(), String> {
        let rewritten = self.journal().rewrite(records.iter().cloned());
        let needed: u64 = records.iter().map(|record| size(record)).sum();
        if self.capacity.is_none_or(|capacity| needed <= capacity) {
            same("a rewrite", rewritten, Ok(()))?;
            (self.synced, self.unsynced) = (records.to_vec(), Vec::new());
            return Ok(());
        }
        match rewritten {
            Err(StoreError::Full { .. }) => Ok(()),
            other => Err(format!("a rewrite without room for it is {other:?}, not full")),
        }
    }

    /// Checks a crash: all synced records survive, and of the others a prefix, which is durable from then on.
    fn crash(&mut self) -> Result<(), String> {
        let journal = self.journal.take().expect("it is open");
        self.disk.crash(journal);
        let mut journal = self.disk.open();
        let found = journal.recover();
        self.journal = Some(journal);
        let all = [&self.synced[..], &self.unsynced].concat();
        match found {
            Ok(records) if records.len() >= self.synced.len() && all.starts_with(&records) => {
                (self.synced, self.unsynced) = (records, Vec::new());
            }
            other => return same("what a crash leaves", other, Ok(self.synced.clone())),
        }
        self.capacity.into_iter().for_each(|capacity| self.limit(capacity));
        Ok(())
    }
}
