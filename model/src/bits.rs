//! Values as rows of bits, so that a checker can hold millions of states in memory.
//!
//! A type says once how it is coded, field by field, and that one list both writes and reads: [`Bits::code`] takes a value
//! and gives back the one to keep, which is the same when writing and the one found when reading.
//!
//! Left out: any format for files. Two versions of the code need not agree on a single bit.

/// A row of bits that is written, read, or merely measured, from its beginning on.
pub trait Bits {
    /// Writes the value in so many bits and gives it back; or reads so many bits and gives what they say.
    ///
    /// # Panics
    ///
    /// If the value needs more bits: to cut it short would make one of two states.
    fn code(&mut self, value: u64, width: u32) -> u64;

    /// The same for a small number in its place.
    fn byte(&mut self, value: &mut u8, width: u32) {
        *value = self.code((*value).into(), width) as u8;
    }

    /// The same for a flag, which is one bit.
    fn flag(&mut self, value: &mut bool) {
        *value = self.code((*value).into(), 1) != 0;
    }
}

/// Something that knows how it is coded.
pub trait Coded {
    /// Passes each of its parts to `bits`, and takes over what comes back.
    fn code(&mut self, bits: &mut impl Bits);
}

impl Coded for bool {
    fn code(&mut self, bits: &mut impl Bits) {
        bits.flag(self);
    }
}

/// Codes an enum without fields, whose values are listed in the order of their declaration.
macro_rules! coded {
    ($name:ident in $width:literal bits: $($value:ident),* $(,)?) => {
        impl $crate::bits::Coded for $name {
            fn code(&mut self, bits: &mut impl $crate::bits::Bits) {
                const ALL: &[$name] = &[$($name::$value),*];
                const { assert!(ALL.len() <= 1 << $width, "a value needs more bits") };
                let place = match self { $($name::$value => $name::$value as u64 - ALL[0] as u64),* };
                *self = ALL[bits.code(place, $width) as usize];
            }
        }
    };
}
pub(crate) use coded;

/// How many bits were passed.
#[derive(Debug, Default)]
pub struct Measure {
    /// That many.
    pub bits: u32,
}

impl Bits for Measure {
    fn code(&mut self, value: u64, width: u32) -> u64 {
        self.bits += width;
        value
    }
}

/// Writes at most `64 * WORDS` bits.
#[derive(Debug)]
pub struct Write<const WORDS: usize> {
    words: [u64; WORDS],
    /// The words that are full.
    full: usize,
    /// The word under way, and how many of its bits are written.
    word: u64,
    used: u32,
}

impl<const WORDS: usize> Write<WORDS> {
    /// An empty row.
    pub fn new() -> Self {
        Write { words: [0; WORDS], full: 0, word: 0, used: 0 }
    }

    /// The row, and zeros behind it.
    pub fn finish(mut self) -> [u64; WORDS] {
        if self.used > 0 {
            self.words[self.full] = self.word;
        }
        self.words
    }
}

impl<const WORDS: usize> Default for Write<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORDS: usize> Bits for Write<WORDS> {
    #[inline(always)]
    fn code(&mut self, value: u64, width: u32) -> u64 {
        assert!(width < 64 && value >> width == 0, "{value} needs more than {width} bits");
        self.word |= value << self.used;
        self.used += width;
        if self.used >= 64 {
            self.words[self.full] = self.word;
            self.full += 1;
            self.used -= 64;
            // What did not fit goes into the next word; with nothing left over, all of the value did.
            self.word = if self.used == 0 { 0 } else { value >> (width - self.used) };
        }
        value
    }
}

/// Reads what [`Write`] wrote.
#[derive(Debug)]
pub struct Read<'a> {
    words: &'a [u64],
    at: u32,
}

impl<'a> Read<'a> {
    /// From the row's beginning.
    pub fn new(words: &'a [u64]) -> Self {
        Read { words, at: 0 }
    }
}

impl Bits for Read<'_> {
    #[inline(always)]
    fn code(&mut self, _value: u64, width: u32) -> u64 {
        if width == 0 {
            return 0;
        }
        let (place, shift) = ((self.at / 64) as usize, self.at % 64);
        self.at += width;
        let low = self.words[place] >> shift;
        let all = if shift + width > 64 { low | self.words[place + 1] << (64 - shift) } else { low };
        all & ((1 << width) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Fruit {
        Apple,
        Pear,
        Plum,
    }

    coded!(Fruit in 2 bits: Apple, Pear, Plum);

    #[test]
    fn an_enum_is_read_as_it_was_written() {
        for fruit in [Fruit::Apple, Fruit::Pear, Fruit::Plum] {
            let (mut written, mut found) = (Write::<1>::new(), Fruit::Apple);
            { fruit }.code(&mut written);
            found.code(&mut Read::new(&written.finish()));
            assert_eq!(found, fruit);
        }
    }

    #[test]
    #[should_panic(expected = "8 needs more than 3 bits")]
    fn a_value_is_never_cut_short() {
        Write::<1>::new().code(8, 3);
    }

    proptest! {
        #[test]
        fn a_row_is_read_as_it_was_written(row in prop::collection::vec((any::<u64>(), 0u32..64), 0..20)) {
            let row: Vec<(u64, u32)> = row.into_iter().map(|(value, width)| (value & ((1 << width) - 1), width)).collect();
            let (mut measured, mut written) = (Measure::default(), Write::<20>::new());
            for &(value, width) in &row {
                measured.code(value, width);
                written.code(value, width);
            }
            prop_assert_eq!(measured.bits, row.iter().map(|(_, width)| width).sum::<u32>());
            let words = written.finish();
            let mut read = Read::new(&words);
            for (value, width) in row {
                prop_assert_eq!(read.code(0, width), value);
            }
        }
    }
}
