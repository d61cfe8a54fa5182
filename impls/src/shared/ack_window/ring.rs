//! The ring of words under an [`AckWindow`](super::AckWindow), and how a position maps to a bit of it.
//!
//! A word holds 32 settled bits, above them whether the prefix has *reached* it, and above that its *lap*: how often the
//! ring has wrapped when the word is in use. The lap is what makes reuse safe without a barrier between laps: a word is
//! reused by the settle that first needs it, and a settle that comes a lap late finds another lap than its own and changes
//! nothing.
//!
//! Leaves out any rule about *when* a word may be reused: that is the window's.

use crate::sync::{AtomicU64, Ordering};

/// Settled bits in a word.
pub const BITS: u32 = 32;
/// A word all of whose positions are settled.
const FULL: u32 = u32::MAX;
/// The bit of a word that says that the prefix has reached it.
const REACHED: u64 = 1 << BITS;
/// The last lap before they count from 0 again.
const LAP_MAX: u32 = u32::MAX >> 1;

/// Where a position's bit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Which word of the ring.
    pub index: usize,
    /// On which lap, modulo 2^31.
    pub lap: u32,
    /// Which bit of the word, below [`BITS`].
    pub bit: u32,
}

/// What a word holds: the bits of 32 positions, whether the prefix has reached it, and its lap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word(pub u64);

impl Word {
    /// The word of a lap, modulo 2^31, with one bit a position, the lowest position in the lowest bit.
    pub fn new(lap: u32, is_reached: bool, settled: u32) -> Word {
        let reached = if is_reached { REACHED } else { 0 };
        Word(u64::from(lap) << (BITS + 1) | reached | u64::from(settled))
    }

    /// The lap whose positions the bits stand for, modulo 2^31.
    #[inline]
    pub fn lap(self) -> u32 {
        (self.0 >> (BITS + 1)) as u32
    }

    /// Whether every position before this word is settled, and who settled the last of them has said so here.
    #[inline]
    pub fn is_reached(self) -> bool {
        self.0 & REACHED != 0
    }

    /// The settled positions.
    #[inline]
    pub fn settled(self) -> u32 {
        self.0 as u32
    }

    /// The word with this position settled, too.
    #[inline]
    pub fn and(self, bit: u32) -> Word {
        Word(self.0 | 1 << bit)
    }

    /// The word once the prefix has reached it.
    #[inline]
    pub fn reached(self) -> Word {
        Word(self.0 | REACHED)
    }

    /// The word as it is for this lap: without a mark yet if it still serves the lap before, which the caller knows to be
    /// settled throughout. `None` if the lap is gone.
    #[inline]
    pub fn on(self, lap: u32) -> Option<Word> {
        if self.lap() == lap {
            Some(self)
        } else if lap_after(self.lap()) == lap {
            debug_assert_eq!(
                self.settled(),
                FULL,
                "lap {} of a word is taken over before all of it settled",
                self.lap()
            );
            Some(Word::new(lap, false, 0))
        } else {
            None
        }
    }
}

fn lap_after(lap: u32) -> u32 {
    lap.wrapping_add(1) & LAP_MAX
}

/// A power of two of words.
#[derive(Debug)]
pub struct Ring {
    words: Box<[AtomicU64]>,
}

impl Ring {
    /// A ring in which every position below `start` is settled and no other is, and whose prefix ends there.
    pub(super) fn new(start: u64, words: usize) -> Ring {
        assert!(words.is_power_of_two(), "a ring has a power of two of words, found {words}");
        let mut ring = Ring { words: Box::default() };
        let first = word_number(start);
        let mut values = vec![0; words];
        for number in first..first + words as u64 {
            let is_reached = number == first;
            let settled = if is_reached { !(FULL << (start % u64::from(BITS))) } else { 0 };
            let slot = slot(number * u64::from(BITS), words);
            values[slot.index] = Word::new(slot.lap, is_reached, settled).0;
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

    /// The first position past those that have a word while the prefix has reached the word of this number.
    ///
    /// The window moves by whole words: a word may still hold unsettled positions of its old lap until the prefix has left
    /// it.
    pub fn end(&self, reached: u64) -> u64 {
        (reached + self.words.len() as u64).saturating_mul(u64::from(BITS))
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
        let word = Word(self.word(slot).load(Ordering::Acquire));
        // Less than half the laps there are apart, so the difference says which came first.
        match slot.lap.wrapping_sub(word.lap()) & LAP_MAX {
            0 => word.settled(),
            ahead if ahead <= LAP_MAX / 2 => 0,
            _ => FULL,
        }
    }

    /// The first position that is not seen settled, from the first one of the word of this number on. None if a word of them
    /// serves a later lap by now, so that the prefix has reached another one.
    ///
    /// Reads with acquire: everything that happened before those settles happens before the return.
    pub fn settled_run_end(&self, from: u64) -> Option<u64> {
        let mut number = from;
        // At most one turn a word: after a whole lap of full words the next one carries an older lap than asked for.
        loop {
            let slot = self.slot(number * u64::from(BITS));
            let word = Word(self.word(slot).load(Ordering::Acquire));
            if word.lap() != slot.lap {
                let is_before = lap_after(word.lap()) == slot.lap;
                return is_before.then_some(number * u64::from(BITS));
            }
            if word.settled() != FULL {
                return Some(number * u64::from(BITS) + u64::from(word.settled().trailing_ones()));
            }
            number += 1;
        }
    }
}

/// The number of the word that has this position, counted from position 0 on and over all laps.
#[inline]
pub fn word_number(position: u64) -> u64 {
    position / u64::from(BITS)
}

fn slot(position: u64, words: usize) -> Slot {
    let number = word_number(position);
    let words = words as u64;
    Slot {
        index: (number & (words - 1)) as usize,
        lap: (number >> words.trailing_zeros()) as u32 & LAP_MAX,
        bit: (position % u64::from(BITS)) as u32,
    }
}
