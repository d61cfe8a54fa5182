//! Values as rows of bits, so that a checker can hold millions of states in memory.
//!
//! A type says once how it is coded, field by field, and that one list both writes and reads: [`Bits::code`] takes a value
//! and gives back the one to keep, which is the same when writing and the one found when reading.
//!
//! Left out: any format for files. Two versions of the code need not agree on a single bit.

/// A row of bits that is written, read, or merely measured, from its beginning on.
pub trait Bits {
    /// Whether values are replaced by what is found, so that there is something to take over.
    const READS: bool;

    /// What takes in the values of a group.
    type Group: Bits;

    /// Writes the value in so many bits, less than 64, and gives it back; or reads so many bits and gives what they say.
    ///
    /// A value that needs more bits makes the writer panic, then or at the end: to cut it short would make one of two
    /// states.
    fn code(&mut self, value: u64, width: u32) -> u64;

    /// Values of less than 64 bits in all, which are cheaper to pass together. It changes nothing else.
    fn group(&mut self, values: impl FnOnce(&mut Self::Group));

    /// Codes a small number in its place.
    #[inline(always)]
    fn byte(&mut self, value: &mut u8, width: u32) {
        *value = self.code((*value).into(), width) as u8;
    }

    /// Codes a flag in its place, as one bit.
    #[inline(always)]
    fn flag(&mut self, value: &mut bool) {
        *value = self.code((*value).into(), 1) != 0;
    }
}

/// Something that knows how it is coded.
pub trait Coded {
    /// Passes each of its parts to `bits`, and takes over what comes back.
    fn code<B: Bits>(&mut self, bits: &mut B);
}

impl Coded for bool {
    #[inline(always)]
    fn code<B: Bits>(&mut self, bits: &mut B) {
        bits.flag(self);
    }
}

/// Codes an enum without fields, whose values are listed in the order of their declaration.
macro_rules! coded {
    ($name:ident in $width:literal bits: $($value:ident),* $(,)?) => {
        impl $crate::bits::Coded for $name {
            #[inline(always)]
            fn code<B: $crate::bits::Bits>(&mut self, bits: &mut B) {
                const ALL: &[$name] = &[$($name::$value),*];
                const { assert!(ALL.len() <= 1 << $width, "a value needs more bits") };
                const _: fn($name) = |value| match value { $($name::$value => {})* };
                let place = bits.code(*self as u64, $width);
                if B::READS {
                    *self = ALL[place as usize];
                }
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
    const READS: bool = false;
    type Group = Self;

    fn code(&mut self, value: u64, width: u32) -> u64 {
        self.bits += width;
        value
    }

    fn group(&mut self, values: impl FnOnce(&mut Self)) {
        values(self);
    }
}

/// Writes at most `64 * WORDS` bits.
#[derive(Debug)]
pub struct Write<const WORDS: usize> {
    words: [u64; WORDS],
    /// How many words are full.
    full: usize,
    /// The word under way.
    word: Group,
}

/// Up to a word's bits.
#[derive(Debug, Default)]
pub struct Group {
    bits: u64,
    width: u32,
    /// What did not fit into a width, of all values together.
    excess: u64,
}

impl<const WORDS: usize> Write<WORDS> {
    /// An empty row.
    pub fn new() -> Self {
        Write { words: [0; WORDS], full: 0, word: Group::default() }
    }

    /// The row, and zeros behind it.
    ///
    /// # Panics
    ///
    /// If a value needed more bits than it was given.
    pub fn finish(mut self) -> [u64; WORDS] {
        assert_eq!(self.word.excess, 0, "a value needs more bits than it was given");
        if self.word.width > 0 {
            self.words[self.full] = self.word.bits;
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
    const READS: bool = false;
    type Group = Group;

    #[inline(always)]
    fn code(&mut self, value: u64, width: u32) -> u64 {
        let used = self.word.width;
        self.word.code(value, width);
        if self.word.width >= 64 {
            self.words[self.full] = self.word.bits;
            self.full += 1;
            self.word.width -= 64;
            // What did not fit goes into the next word; with nothing left over, all of the value did.
            self.word.bits = if self.word.width == 0 { 0 } else { value >> (64 - used) };
        }
        value
    }

    #[inline(always)]
    fn group(&mut self, values: impl FnOnce(&mut Group)) {
        let mut group = Group::default();
        values(&mut group);
        assert!(group.width < 64, "a group of {} bits", group.width);
        self.word.excess |= group.excess;
        self.code(group.bits, group.width);
    }
}

impl Bits for Group {
    const READS: bool = false;
    type Group = Self;

    #[inline(always)]
    fn code(&mut self, value: u64, width: u32) -> u64 {
        self.excess |= value.wrapping_shr(width);
        self.bits |= value.wrapping_shl(self.width);
        self.width += width;
        value
    }

    #[inline(always)]
    fn group(&mut self, values: impl FnOnce(&mut Self)) {
        values(self);
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
    const READS: bool = true;
    type Group = Self;

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

    #[inline(always)]
    fn group(&mut self, values: impl FnOnce(&mut Self)) {
        values(self);
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
    #[should_panic(expected = "needs more bits than it was given")]
    fn a_value_is_never_cut_short() {
        let mut written = Write::<1>::new();
        written.code(8, 3);
        written.finish();
    }

    #[test]
    #[should_panic(expected = "needs more bits than it was given")]
    fn nor_is_one_of_a_group() {
        let mut written = Write::<1>::new();
        written.group(|bits| {
            bits.code(1, 0);
            bits.code(1, 3);
        });
        written.finish();
    }

    #[test]
    #[should_panic(expected = "a group of 80 bits")]
    fn a_group_is_no_longer_than_a_word() {
        Write::<4>::new().group(|bits| {
            bits.code(1, 40);
            bits.code(1, 40);
        });
    }

    fn pass(row: &mut [(u64, u32)], grouped: bool, bits: &mut impl Bits) {
        fn all(pair: &mut [(u64, u32)], bits: &mut impl Bits) {
            pair.iter_mut().for_each(|(value, width)| *value = bits.code(*value, *width));
        }
        for pair in row.chunks_mut(2) {
            if grouped { bits.group(|bits| all(pair, bits)) } else { all(pair, bits) }
        }
    }

    proptest! {
        #[test]
        fn a_row_is_read_as_it_was_written(
            row in prop::collection::vec((any::<u64>(), 0u32..32), 0..20),
            grouped in any::<[bool; 2]>(),
        ) {
            let mut row: Vec<(u64, u32)> =
                row.into_iter().map(|(value, width)| (value & ((1 << width) - 1), width)).collect();
            let (mut measured, mut written) = (Measure::default(), Write::<10>::new());
            pass(&mut row, grouped[0], &mut measured);
            pass(&mut row, grouped[0], &mut written);
            prop_assert_eq!(measured.bits, row.iter().map(|(_, width)| width).sum::<u32>());
            let mut found: Vec<(u64, u32)> = row.iter().map(|&(_, width)| (0, width)).collect();
            pass(&mut found, grouped[1], &mut Read::new(&written.finish()));
            prop_assert_eq!(found, row);
        }

        #[test]
        fn wide_values_are_read_as_they_were_written(row in prop::collection::vec((any::<u64>(), 32u32..64), 0..10)) {
            let mut written = Write::<10>::new();
            let row: Vec<(u64, u32)> =
                row.into_iter().map(|(value, width)| (value & ((1 << width) - 1), width)).collect();
            row.iter().for_each(|&(value, width)| { written.code(value, width); });
            let words = written.finish();
            let mut read = Read::new(&words);
            for (value, width) in row {
                prop_assert_eq!(read.code(0, width), value);
            }
        }
    }
}
