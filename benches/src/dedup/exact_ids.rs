//! A set of identities with a queue of their order, as in NATS JetStream (`Nats-Msg-Id`) and SQS FIFO, which limit it
//! by time instead of count.
//!
//! It forgets identities beyond its capacity, and takes a retry of one for new. Every identity takes an entry in the
//! set and one in the queue.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;

use delivery_impls::data::record::Identity;
use delivery_impls::data::snapshot::{self, SnapshotError, Writer};

use super::{Answer, Dedup, Errs, identities};

const TAG: u8 = 5;

/// The latest identities, up to a capacity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExactIds {
    capacity: usize,
    ids: BTreeSet<Identity>,
    /// The identities, oldest first.
    order: VecDeque<Identity>,
    has_forgotten: bool,
}

impl ExactIds {
    /// A set of at most `capacity` identities.
    ///
    /// # Panics
    ///
    /// If the capacity is 0.
    pub fn new(capacity: usize) -> ExactIds {
        assert!(capacity > 0, "a set that remembers nothing recognises nothing");
        let (ids, order, has_forgotten) = Default::default();
        ExactIds { capacity, ids, order, has_forgotten }
    }
}

impl Dedup for ExactIds {
    const ERRS: Errs = Errs::Accepts;
    type Name = Identity;
    type Error = Infallible;
    type Snapshot = Vec<u8>;
    type RecoverError = SnapshotError;

    fn judge(&self, id: Identity) -> Result<Answer, Infallible> {
        Ok(if self.ids.contains(&id) { Answer::Duplicate } else { Answer::New })
    }

    fn is_certain(&self, id: Identity) -> Result<bool, Infallible> {
        Ok(!self.has_forgotten || self.ids.contains(&id))
    }

    fn remember(&mut self, id: Identity) -> Result<(), Infallible> {
        if self.ids.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
            self.has_forgotten = true;
        }
        Ok(())
    }

    fn into_snapshot(self) -> Vec<u8> {
        let head = Writer::new(TAG).u64(self.capacity as u64).u32(self.has_forgotten.into());
        head.list(self.order.into_iter(), Writer::identity).finish()
    }

    fn recover(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        snapshot::read(TAG, &bytes, |reader| {
            let (capacity, has_forgotten) = (reader.u64()?, reader.u32()?);
            let order = VecDeque::from(identities(reader)?);
            let ids: BTreeSet<_> = order.iter().copied().collect();
            snapshot::expect(reader, ids.len() == order.len(), "every identity once")?;
            let fits = (1..=usize::MAX as u64).contains(&capacity) && ids.len() as u64 <= capacity;
            snapshot::expect(reader, fits, "no more identities than it remembers")?;
            // Once it has forgotten an identity, it stays full.
            let is_full = ids.len() as u64 == capacity;
            snapshot::expect(reader, has_forgotten == 0 || has_forgotten == 1 && is_full, "a full set, or no loss")?;
            Ok(ExactIds { capacity: capacity as usize, ids, order, has_forgotten: has_forgotten == 1 })
        })
    }
}
