//! The ids that new states got, for whoever still holds their provisional ones.

use super::table::{Bucket, Fresh};

/// The ids of new states, wherever they are asked for.
pub(super) struct Named<'a, K> {
    known: u32,
    buckets: &'a [Vec<Bucket<K>>],
    fresh: &'a [Vec<Fresh>],
}

impl<'a, K> Named<'a, K> {
    /// The ids of the new states in these buckets; `known` is the first provisional one.
    pub(super) fn new(known: u32, buckets: &'a [Vec<Bucket<K>>], fresh: &'a [Vec<Fresh>]) -> Self {
        Named { known, buckets, fresh }
    }

    /// The id of a new state.
    pub(super) fn id(&self, shard: usize, fresh: &Fresh) -> u32 {
        self.buckets[fresh.bucket as usize][shard].keys[fresh.index as usize]
    }

    /// The id of the new state that has this provisional one.
    pub(super) fn id_for(&self, shard: usize, provisional: u32) -> u32 {
        self.id(shard, &self.fresh[shard][(provisional - self.known) as usize])
    }
}
