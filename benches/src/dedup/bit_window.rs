//! A bit window for every session, as IPsec, QUIC and WireGuard use it against replays (RFC 6479): one bit a number,
//! in a ring of words, so that sliding clears words and shifts no bits.
//!
//! It accepts numbers in any order within its width, and slides whenever a higher one comes. It cannot tell whether a
//! number left of the window was seen. Those protocols drop such a packet as a replay, which would lose a message;
//! here it is refused.

use std::collections::BTreeMap;
use std::convert::Infallible;

use delivery_impls::data::record::Session;
use delivery_impls::data::snapshot::{self, SnapshotError, Writer};

use super::{Answer, Dedup, Errs, Numbered};

const TAG: u8 = 2;

/// The number of bits in a word.
const BITS: u64 = 64;

/// A window of `WORDS` words of 64 numbers for every session. It knows the highest number and at least the
/// `64 * WORDS - 64` numbers before it, because the word of the highest number is only partly used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BitWindow<const WORDS: usize> {
    windows: BTreeMap<Session, Window<WORDS>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Window<const WORDS: usize> {
    highest: u64,
    /// The bits: number `n` is in word `n / 64` modulo `WORDS`. All bits above the highest number are clear.
    ring: [u64; WORDS],
}

impl<const WORDS: usize> Window<WORDS> {
    fn new() -> Self {
        const { assert!(WORDS > 1, "a window of one word may tell nothing but its highest number") };
        Window { highest: 0, ring: [0; WORDS] }
    }

    /// The lowest number that has a bit.
    fn start(&self) -> u64 {
        (self.highest / BITS).saturating_sub(WORDS as u64 - 1) * BITS
    }

    fn judge(&self, number: u64) -> Answer {
        if number > self.highest {
            Answer::New
        } else if number < self.start() {
            Answer::Forgotten
        } else if self.has(number) {
            Answer::Duplicate
        } else {
            Answer::New
        }
    }

    fn has(&self, number: u64) -> bool {
        self.ring[index::<WORDS>(number)] >> (number % BITS) & 1 == 1
    }

    fn remember(&mut self, number: u64) {
        if number < self.start() {
            return;
        }
        // New words still have the bits of the last lap. At most all words are new.
        let come_in = self.highest / BITS + 1..=number / BITS;
        for word in come_in.rev().take(WORDS) {
            self.ring[index::<WORDS>(word * BITS)] = 0;
        }
        self.highest = self.highest.max(number);
        self.ring[index::<WORDS>(number)] |= 1 << (number % BITS);
    }

    /// Whether the window is valid: the highest number is in it, and no higher one.
    fn is_plausible(&self) -> bool {
        let last = self.highest / BITS;
        let beyond = self.ring[index::<WORDS>(self.highest)] >> (self.highest % BITS);
        let not_reached = (last + 1..WORDS as u64).map(|word| self.ring[index::<WORDS>(word * BITS)]);
        beyond == 1 && not_reached.into_iter().all(|word| word == 0)
    }
}

fn index<const WORDS: usize>(number: u64) -> usize {
    (number / BITS % WORDS as u64) as usize
}

impl<const WORDS: usize> Dedup for BitWindow<WORDS> {
    const ERRS: Errs = Errs::Refuses;
    type Name = Numbered;
    type Error = Infallible;
    type Snapshot = Vec<u8>;
    type RecoverError = SnapshotError;

    fn judge(&self, Numbered { session, number }: Numbered) -> Result<Answer, Infallible> {
        Ok(self.windows.get(&session).map_or(Answer::New, |window| window.judge(number)))
    }

    fn is_certain(&self, Numbered { session, number }: Numbered) -> Result<bool, Infallible> {
        Ok(self.windows.get(&session).is_none_or(|window| number >= window.start()))
    }

    fn remember(&mut self, Numbered { session, number }: Numbered) -> Result<(), Infallible> {
        self.windows.entry(session).or_insert_with(Window::new).remember(number);
        Ok(())
    }

    fn into_snapshot(self) -> Vec<u8> {
        let each = |writer: Writer, window: Window<WORDS>| {
            window.ring.into_iter().fold(writer.u64(window.highest), Writer::u64)
        };
        Writer::new(TAG).u64(WORDS as u64).by_session(self.windows, each).finish()
    }

    fn recover(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        snapshot::read(TAG, &bytes, |reader| {
            let words = reader.u64()?;
            snapshot::expect(reader, words == WORDS as u64, "windows as wide as these")?;
            let windows = snapshot::by_session(reader, |reader| {
                let mut window = Window { highest: reader.u64()?, ..Window::new() };
                for word in &mut window.ring {
                    *word = reader.u64()?;
                }
                snapshot::expect(reader, window.is_plausible(), "a window that ends with its highest number")?;
                Ok(window)
            })?;
            Ok(BitWindow { windows })
        })
    }
}
