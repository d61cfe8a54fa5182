//! A bit window for every session, as IPsec, QUIC and WireGuard use it against replays (RFC 6479): one bit a number,
//! in a ring of words, so that sliding clears words and shifts no bits.
//!
//! It accepts numbers in any order within its width, and slides whenever a higher one comes. It cannot tell whether a
//! number left of the window was seen. Those protocols drop such a packet as a replay, which would lose a message;
//! here it is refused.

use std::convert::Infallible;

use delivery_impls::data::snapshot::{self, SnapshotError, Writer};

use super::sessions::{AHEAD, Sessions};
use super::{Answer, Dedup, Errs, Numbered, sealed};

const TAG: u8 = 2;

/// The number of bits in a word.
const BITS: u64 = 64;

/// A window of `WORDS` words of 64 numbers for every session. It knows the highest number and at least the
/// `64 * WORDS - 64` numbers before it, because the word of the highest number is only partly used.
#[derive(Clone, Debug, Default)]
pub struct BitWindow<const WORDS: usize> {
    windows: Sessions<Window<WORDS>>,
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

    /// Whether the number has a bit, or will have one when the window has slid to it.
    fn is_known(&self, number: u64) -> bool {
        number / BITS + WORDS as u64 > self.highest / BITS
    }

    fn judge(&self, number: u64) -> Answer {
        if !self.is_known(number) {
            Answer::Forgotten
        } else if number <= self.highest && self.has(number) {
            Answer::Duplicate
        } else {
            Answer::New
        }
    }

    fn has(&self, number: u64) -> bool {
        self.ring[index::<WORDS>(number)] >> (number % BITS) & 1 == 1
    }

    /// Judges and remembers. A number that was seen has its bit already, so the bit is set without asking.
    #[inline]
    fn admit(&mut self, number: u64) -> Answer {
        if number > self.highest {
            self.slide(number);
        } else if !self.is_known(number) {
            return Answer::Forgotten;
        }
        let word = &mut self.ring[index::<WORDS>(number)];
        let bit = 1 << (number % BITS);
        let was_seen = *word & bit != 0;
        *word |= bit;
        if was_seen { Answer::Duplicate } else { Answer::New }
    }

    fn slide(&mut self, highest: u64) {
        let (before, now) = (self.highest / BITS, highest / BITS);
        if before != now {
            // New words still have the bits of the last lap. At most all words are new.
            for word in (before + 1..=now).rev().take(WORDS) {
                self.ring[index::<WORDS>(word * BITS)] = 0;
            }
        }
        self.highest = highest;
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
        Ok(self.windows.row(session).map_or(Answer::New, |window| window.judge(number)))
    }

    fn is_certain(&self, Numbered { session, number }: Numbered) -> Result<bool, Infallible> {
        Ok(self.windows.row(session).is_none_or(|window| window.is_known(number)))
    }

    fn remember(&mut self, name: Numbered) -> Result<(), Infallible> {
        self.admit(name).map(drop)
    }

    fn admit(&mut self, Numbered { session, number }: Numbered) -> Result<Answer, Infallible> {
        Ok(self.windows.row_or_new(session, Window::new).admit(number))
    }

    fn admit_all(&mut self, names: &[Numbered], answers: &mut Vec<Answer>) -> Result<(), Infallible> {
        for batch in names.chunks(AHEAD) {
            self.windows.fetch(batch.iter().map(|name| name.session));
            for run in batch.chunk_by(|name, next| name.session == next.session) {
                let window = self.windows.row_or_new(run[0].session, Window::new);
                answers.extend(run.iter().map(|name| window.admit(name.number)));
            }
        }
        Ok(())
    }

    fn into_snapshot(self) -> Vec<u8> {
        let each = |writer: Writer, window: Window<WORDS>| {
            window.ring.into_iter().fold(writer.u64(window.highest), Writer::u64)
        };
        sealed::seal(self.windows.write(Writer::new(TAG).u64(WORDS as u64), each))
    }

    fn recover(bytes: Vec<u8>) -> Result<Self, SnapshotError> {
        sealed::read(TAG, &bytes, |reader| {
            let words = reader.u64()?;
            snapshot::expect(reader, words == WORDS as u64, "windows as wide as these")?;
            let windows = Sessions::read(reader, |reader| {
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
