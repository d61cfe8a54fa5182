//! The ring of words under an [`AckWindow`](super::AckWindow), and how a position maps to a bit of it.
//!
//! A word holds 32 settled bits and, above them, its *lap*: how often the ring has wrapped when the word is in use.
//! The lap is what makes reuse safe without a barrier between laps: a word is reused by the settle that first needs it,
//! and a settle that comes a lap late finds another lap than its own and changes nothing.
//!
//! Leaves out any rule about *when* a word may be reused: that is the window's.

use crate::sync::{AtomicU64, Ordering};

/// Settled bits in a word.
pub const BITS: u32 = 32;
/// A word all of whose positions are settled.
const FULL: u32 = u32::MAX;

/// Where a position's bit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Which word of the ring.
    pub index: usize,
    /// On which lap, modulo 2^32.
    pub lap: u32,
    /// Which bit of the word, below [`BITS`].
    pub bit: u32,
}

/// What a word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The lap whose positions the bits stand for, modulo 2^32.
    pub lap: u32,
    /// One bit a position, the lowest position in the lowest bit.
    pub settled: u32,
}

impl Word {
    /// The word as an atomic stores it.
    pub fn pack(self) -> u64 {
        u64::from(self.lap) << BITS | u64::from(self.settled)
    }

    /// The reverse of [`Word::pack`].
    pub fn unpack(packed: u64) -> Word {
        Word { lap: (packed >> BITS) as u32, settled: packed as u32 }
    }
}

/// A power of two of words.
#[derive(Debug)]
pub struct Ring {
    words: Box<[AtomicU64]>,
}

impl Ring {
    /// A ring in which every position below `start` is settled and no other is.
    pub(super) fn new(start: u64, words: usize) -> Ring {
        assert!(words.is_power_of_two(), "a ring has a power of two of words, found {words}");
        let mut ring = Ring { words: Box::default() };
        let first = word_number(start);
        let mut values = vec![0; words];
        for number in first..first + words as u64 {
            let settled = if number == first { !(FULL << (start % u64::from(BITS))) } else { 0 };
            let slot = slot(number * u64::from(BITS), words);
            values[slot.index] = Word { lap: slot.lap, settled }.pack();
        }
        ring.words = values.into_iter().map(AtomicU64::new).collect();
        ring
    }

    /// How many words there are.
    pub(super) fn words(&self) -> usize {
        self.words.len()
    }

    /// Where the position's bit is.
    pub fn slot(&self, position: u64) -> Slot {
        slot(position, self.words.len())
    }

    /// The word at a slot.
    pub fn word(&self, slot: Slot) -> &AtomicU64 {
        &self.words[slot.index]
    }

    /// The first position past those that have a word while `watermark` is the lowest unsettled one.
    ///
    /// The window moves by whole words: a word may still hold unsettled positions of its old lap until the watermark
    /// has left it.
    pub fn end(&self, watermark: u64) -> u64 {
        (word_number(watermark) + self.words.len() as u64).saturating_mul(u64::from(BITS))
    }

    /// Whether the position's bit is set, or its lap is gone.
    pub(super) fn is_settled(&self, position: u64) -> bool {
        let slot = self.slot(position);
        self.settled_bits(slot) >> slot.bit & 1 == 1
    }

    /// Which positions from `from` on are seen settled, one bit each, the lowest position in the lowest bit: as many as
    /// have a word while `from` is the lowest unsettled one.
    ///
    /// Reads with acquire: everything that happened before those settles happens before the return.
    pub fn settled_from(&self, from: u64) -> Vec<u32> {
        let firsts = (0..self.words.len() as u64).map(|number| (word_number(from) + number) * u64::from(BITS));
        let words: Vec<u32> = firsts.map(|first| self.settled_bits(self.slot(first))).collect();
        let shift = (from % u64::from(BITS)) as u32;
        let next = words.iter().skip(1).chain([&0]);
        let joined = words.iter().zip(next).map(|(low, high)| (u64::from(*high) << BITS | u64::from(*low)) >> shift);
        joined.map(|bits| bits as u32).collect()
    }

    /// The bits of the slot's word, as they are for the slot's lap.
    fn settled_bits(&self, slot: Slot) -> u32 {
        let word = Word::unpack(self.word(slot).load(Ordering::Acquire));
        // Less than half the laps there are apart, so the difference says which came first.
        match slot.lap.wrapping_sub(word.lap) {
            0 => word.settled,
            ahead if ahead < 1 << 31 => 0,
            _ => FULL,
        }
    }

    /// The first position at or after `from` that is not seen settled.
    ///
    /// Reads with acquire: everything that happened before those settles happens before the return.
    pub fn settled_run_end(&self, from: u64) -> u64 {
        let mut end = from;
        // At most one turn a word: after a whole lap of full words the next one carries an older lap than asked for.
        loop {
            let slot = self.slot(end);
            let word = Word::unpack(self.word(slot).load(Ordering::Acquire));
            if word.lap != slot.lap {
                return end;
            }
            let run = (word.settled >> slot.bit).trailing_ones();
            end += u64::from(run);
            if slot.bit + run < BITS {
                return end;
            }
        }
    }
}

fn word_number(position: u64) -> u64 {
    position / u64::from(BITS)
}

fn slot(position: u64, words: usize) -> Slot {
    let number = word_number(position);
    let words = words as u64;
    Slot {
        index: (number & (words - 1)) as usize,
        lap: (number >> words.trailing_zeros()) as u32,
        bit: (position % u64::from(BITS)) as u32,
    }
}
