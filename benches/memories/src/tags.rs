//! Buckets of twelve places, each with a byte of a hash, that are searched at once; and where a search of a hash table begins
//! and goes on.

/// The places of a bucket.
pub(super) const PLACES: usize = 12;

/// One in each byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of the bytes of all places.
const HIGHS: u128 = ((ONES as u128 | (ONES as u128) << 64) << 7) & ((1 << (8 * PLACES)) - 1);

/// The bytes of a bucket's places, and the count of the keys that passed it because it was full.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(16))]
pub(super) struct Tags {
    /// For each place 0 if it is empty, else seven bits of the hash below a 1.
    pub(super) bytes: [u8; PLACES],
    /// The number of keys that were to be here or before, and are further on.
    pub(super) passed: u32,
}

impl Tags {
    #[inline]
    fn word(&self) -> u128 {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.bytes;
        let last = u32::from_le_bytes([i, j, k, l]);
        u128::from(u64::from_le_bytes([a, b, c, d, e, f, g, h])) | u128::from(last) << 64
    }

    /// The places that have the byte of this hash, and now and then one after them.
    #[inline]
    pub(super) fn like(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let wanted = ONES * u64::from(byte(hash));
        let differ = self.word() ^ (u128::from(wanted) | u128::from(wanted) << 64);
        // The highest bit of each byte that does not differ, and now and then of one above it.
        let mut like = differ.wrapping_sub(HIGHS >> 7) & !differ & HIGHS;
        std::iter::from_fn(move || {
            let place = (like != 0).then(|| like.trailing_zeros() as usize / 8)?;
            like &= like - 1;
            Some(place)
        })
    }

    /// A place that is empty.
    #[inline]
    pub(super) fn empty(&self) -> Option<usize> {
        let empty = !self.word() & HIGHS;
        (empty != 0).then(|| empty.trailing_zeros() as usize / 8)
    }
}

/// The byte of a place whose key has this hash.
#[inline]
pub(super) fn byte(hash: u64) -> u8 {
    0x80 | (hash >> 32) as u8
}

/// The bucket, or the place, where a search begins, of so many, by the upper half of the hash.
#[inline]
pub(super) fn home(hash: u64, buckets: usize) -> usize {
    (((hash >> 32) * buckets as u64) >> 32) as usize
}

/// The bucket, or the place, after this one, of so many.
#[inline]
pub(super) fn after(bucket: usize, buckets: usize) -> usize {
    if bucket + 1 == buckets { 0 } else { bucket + 1 }
}
