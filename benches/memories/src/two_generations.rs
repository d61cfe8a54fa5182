//! Two sets of ids: when the current set is full, it replaces the previous one, which is dropped as a whole.
//!
//! It remembers the last `capacity` ids for certain, and up to twice as many. There is no queue, and no cost
//! of forgetting for a single id.

use std::convert::Infallible;
use std::mem;

use delivery_impls::data::snapshot::{self, SnapshotError, Writer};
use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::{Answer, Dedup, Errs, Id, sealed};

const TAG: u8 = 6;

type Ids = HashSet<Id, FixedState>;

/// The latest ids, at least `capacity` and at most twice as many.
#[derive(Clone, Debug)]
pub struct TwoGenerations {
    capacity: usize,
    /// The current set, never full: a full set becomes the previous one.
    current: Ids,
    /// The previous set, full, or empty at first.
    previous: Ids,
    has_forgotten: bool,
}

impl TwoGenerations {
    /// Two sets of at most `capacity` ids each.
    ///
    /// # Panics
    ///
    /// If the capacity is 0.
    pub fn new(capacity: usize) -> TwoGenerations {
        assert!(capacity > 0, "sets that remember nothing recognise nothing");
        let (current, previous, has_forgotten) = Default::default();
        TwoGenerations { capacity, current, previous, has_forgotten }
    }

    fn has(&self, id: Id) -> bool {
        self.current.contains(&id) || self.previous.contains(&id)
    }
}

impl Dedup for TwoGenerations {
    const ERRS: Errs = Errs::Accepts;
    type Name = Id;
    type Error = Infallible;
    type Snapshot = Vec<u8>;
    type RecoverError = SnapshotError;

    fn judge(&self, id: Id) -> Result<Answer, Infallible> {
        Ok(if self.has(id) { Answer::Duplicate } else { Answer::New })
    }

    fn is_certain(&self, id: Id) -> Result<bool, Infallible> {
        Ok(!self.has_forgotten || self.has(id))
    }

    fn remember(&mut self, id: Id) -> Result<(), Infallible> {
        self.current.insert(id);
        if self.current.len() >= self.capacity {
            let dropped = mem::replace(&mut self.previous, mem::take(&mut self.current));
            self.has_forgotten |= !dropped.is_empty();
        }
        Ok(())
    }

    fn into_snapshot(self) -> Vec<u8> {
        let head = Writer::new(TAG).u64(self.capacity as u64).u32(self.has_forgotten.into());
        let sets = [self.previous, self.current].map(|set| {
            let mut ids: Vec<Id> = set.into_iter().collect();
            ids.sort_unstable();
            ids
        });
        sealed::seal(sets.into_iter().fold(head, |writer, ids| writer.list(ids.into_iter(), Id::write)))
    }

    fn recover(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        sealed::read(TAG, &bytes, |reader| {
            let (capacity, has_forgotten) = (reader.u64()?, reader.u32()?);
            let (before, now) = (super::ids(reader)?, super::ids(reader)?);
            let is_rising = |ids: &[Id]| ids.is_sorted_by(|id, next| id < next);
            snapshot::expect(reader, is_rising(&before) && is_rising(&now), "ids in rising order")?;
            let fits = (1..=usize::MAX as u64).contains(&capacity)
                && (now.len() as u64) < capacity
                && [0, capacity].contains(&(before.len() as u64));
            snapshot::expect(reader, fits, "a full set, or none, and one that is not full")?;
            let is_plausible = has_forgotten == 0 || has_forgotten == 1 && !before.is_empty();
            snapshot::expect(reader, is_plausible, "a set that took the place of another, or no loss")?;
            let (current, previous) = (Ids::from_iter(now), Ids::from_iter(before));
            Ok(TwoGenerations { capacity: capacity as usize, current, previous, has_forgotten: has_forgotten == 1 })
        })
    }
}
