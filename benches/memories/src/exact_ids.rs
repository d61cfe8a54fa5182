//! The latest ids, exactly: a ring of them in the order in which they came, and an index of the ring.
//!
//! NATS JetStream (`Nats-Msg-Id`) and SQS FIFO keep a map of strings and a queue, which they limit by time instead of
//! count. Here an id stands once, in the ring: sixteen bytes, and about eight of the index.
//!
//! It forgets ids beyond its capacity, and takes a retry of one for new.

use std::convert::Infallible;

use delivery_impls::data::snapshot::{self, SnapshotError, Writer};
use prefetch_index::prefetch_index;

use super::sessions::{AHEAD, FETCH_FROM};
use super::slots::{self, Slots};
use super::{Answer, Dedup, Errs, Id, ids, sealed};

const TAG: u8 = 5;

/// The latest ids, up to a capacity.
#[derive(Clone, Debug)]
pub struct ExactIds {
    capacity: usize,
    index: Slots,
    /// The ids; once it is full, the next one takes the place of the oldest.
    ring: Vec<Id>,
    /// The place of the oldest id, once the ring is full.
    oldest: usize,
    has_forgotten: bool,
}

impl ExactIds {
    /// A memory of at most `capacity` ids.
    ///
    /// # Panics
    ///
    /// If the capacity is 0, or more than the index can count.
    pub fn new(capacity: usize) -> ExactIds {
        assert!(capacity > 0, "a set that remembers nothing recognises nothing");
        assert!(capacity < u32::MAX as usize, "an index of 32 bits");
        ExactIds { capacity, index: Slots::with_capacity(0), ring: Vec::new(), oldest: 0, has_forgotten: false }
    }

    #[inline]
    fn find(&self, hash: u64, id: Id) -> Option<u32> {
        self.index.find(hash, |slot| self.ring[slot as usize] == id)
    }

    /// Remembers an id that is not known.
    #[inline]
    fn push(&mut self, hash: u64, id: Id) {
        let slot = if self.ring.len() < self.capacity {
            self.make_room();
            self.ring.push(id);
            self.ring.len() - 1
        } else {
            let slot = self.oldest;
            let forgotten = std::mem::replace(&mut self.ring[slot], id);
            let was_known = self.index.remove(hash_of(forgotten), slot as u32);
            debug_assert!(was_known, "what is in the ring is in the index");
            self.oldest = if slot + 1 == self.capacity { 0 } else { slot + 1 };
            self.has_forgotten = true;
            slot
        };
        let ring = &self.ring;
        self.index.insert(hash, slot as u32, |slot| hash_of(ring[slot as usize]));
    }

    /// Room for one more in the ring: twice as much as before, but not for more than it may have.
    fn make_room(&mut self) {
        let len = self.ring.len();
        if len == self.ring.capacity() {
            self.ring.reserve_exact(len.max(16).min(self.capacity - len));
        }
    }

    #[inline]
    fn admit_hashed(&mut self, hash: u64, id: Id) -> Answer {
        if self.find(hash, id).is_some() {
            return Answer::Duplicate;
        }
        self.push(hash, id);
        Answer::New
    }

    /// The ids, oldest first.
    fn in_order(&self) -> impl ExactSizeIterator<Item = Id> + '_ {
        (0..self.ring.len()).map(|nth| self.ring[(self.oldest + nth) % self.ring.len()])
    }
}

#[inline]
fn hash_of(Id(first, second): Id) -> u64 {
    slots::hash(first, second)
}

impl Dedup for ExactIds {
    const ERRS: Errs = Errs::Accepts;
    type Name = Id;
    type Error = Infallible;
    type Snapshot = Vec<u8>;
    type RecoverError = SnapshotError;

    fn judge(&self, id: Id) -> Result<Answer, Infallible> {
        Ok(if self.find(hash_of(id), id).is_some() { Answer::Duplicate } else { Answer::New })
    }

    fn is_certain(&self, id: Id) -> Result<bool, Infallible> {
        Ok(!self.has_forgotten || self.find(hash_of(id), id).is_some())
    }

    fn remember(&mut self, id: Id) -> Result<(), Infallible> {
        self.admit(id).map(drop)
    }

    fn admit(&mut self, id: Id) -> Result<Answer, Infallible> {
        Ok(self.admit_hashed(hash_of(id), id))
    }

    fn admit_all(&mut self, ids: &[Id], answers: &mut Vec<Answer>) -> Result<(), Infallible> {
        if self.ring.len() < FETCH_FROM {
            return super::one_by_one(self, ids, answers);
        }
        answers.reserve(ids.len());
        // Each id takes three steps, with others in between: its bucket is fetched, then the id that is likely to be the
        // same, then it is judged.
        let mut hashes = [0; 2 * AHEAD];
        for step in 0..ids.len() + 2 * AHEAD {
            if let Some(judged) = step.checked_sub(2 * AHEAD) {
                answers.push(self.admit_hashed(hashes[judged % (2 * AHEAD)], ids[judged]));
            }
            if let Some(found) = step.checked_sub(AHEAD).filter(|nth| *nth < ids.len())
                && let Some(slot) = self.index.guess(hashes[found % (2 * AHEAD)])
            {
                prefetch_index(&self.ring, slot as usize);
            }
            if let Some(id) = ids.get(step) {
                hashes[step % (2 * AHEAD)] = hash_of(*id);
                self.index.prefetch(hashes[step % (2 * AHEAD)]);
                // What is forgotten by then, or a little later where there are retries.
                if let Some(id) = self.ring.get(self.oldest + 2 * AHEAD) {
                    self.index.prefetch(hash_of(*id));
                }
            }
        }
        Ok(())
    }

    fn into_snapshot(self) -> Vec<u8> {
        let head = Writer::new(TAG).u64(self.capacity as u64).u32(self.has_forgotten.into());
        sealed::seal(head.list(self.in_order(), Id::write))
    }

    fn recover(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        sealed::read(TAG, &bytes, |reader| {
            let (capacity, has_forgotten) = (reader.u64()?, reader.u32()?);
            let ids = ids(reader)?;
            let fits = (1..u64::from(u32::MAX)).contains(&capacity) && ids.len() as u64 <= capacity;
            snapshot::expect(reader, fits, "no more ids than it remembers")?;
            // Once it has forgotten an id, it stays full.
            let is_full = ids.len() as u64 == capacity;
            snapshot::expect(reader, has_forgotten == 0 || has_forgotten == 1 && is_full, "a full set, or no loss")?;
            let mut memory = ExactIds::new(capacity as usize);
            let mut answers = Vec::new();
            let Ok(()) = memory.admit_all(&ids, &mut answers);
            snapshot::expect(reader, memory.ring.len() == ids.len(), "every id once")?;
            Ok(ExactIds { has_forgotten: has_forgotten == 1, ..memory })
        })
    }
}
