//! Values as rows of bits, so that a checker can hold millions of states in memory.
//!
//! A state is packed in two steps. First every field is written to a fixed place of an image of a few words, with a
//! fixed width, so that all shifts are constants. Then a [`Sieve`] moves those bits together that can differ under
//! the current settings. The same list of fields gives these bits, in a [`Used`].
//!
//! A type defines its code once, field by field; that one list writes, reads and finds the used bits. [`Bits::code`]
//! takes a value and returns the one to keep: the same value when writing, the stored one when reading.
//!
//! Left out: a format for files. Two versions of the code may use different bits.

/// A word of an image that is written, read, or described, from its lowest bit on.
pub trait Bits {
    /// Whether `code` returns stored values, so that the caller must keep them.
    const READS: bool;

    /// Codes a value in `width` bits, less than 64: writes it and returns it, or reads the bits and returns their
    /// value. `used` has the bits that can be set under the current settings.
    ///
    /// A value that needs other bits stops the search, here or in the sieve, because without these bits two states
    /// would look the same.
    fn code(&mut self, value: u64, width: u32, used: u64) -> u64;

    /// Codes a small number in `width` bits, of which the lowest `used` are used.
    #[inline(always)]
    fn byte(&mut self, value: &mut u8, width: u32, used: u32) {
        let found = self.code((*value).into(), width, ones(used));
        if Self::READS {
            *value = found as u8;
        }
    }
}

/// A number whose lowest `count` bits are ones; `count` is less than 64.
#[inline(always)]
pub const fn ones(count: u32) -> u64 {
    (1 << count) - 1
}

/// A word that is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Put {
    bits: u64,
    at: u32,
    /// The bits of all values that did not fit into their widths.
    excess: u64,
}

impl Put {
    /// The words, and whether every value fitted into its width.
    #[inline(always)]
    pub fn finish<const N: usize>(words: [Put; N]) -> ([u64; N], bool) {
        let fits = words.iter().fold(0, |excess, word| excess | word.excess) == 0;
        (words.map(|word| word.bits), fits)
    }
}

impl Bits for Put {
    const READS: bool = false;

    #[inline(always)]
    fn code(&mut self, value: u64, width: u32, _: u64) -> u64 {
        debug_assert!(self.at + width <= u64::BITS, "a word is full");
        self.excess |= value >> width;
        self.bits |= value << self.at;
        self.at += width;
        value
    }
}

/// A word that is read.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    /// The bits that are still to be read.
    pub rest: u64,
}

impl Bits for Take {
    const READS: bool = true;

    #[inline(always)]
    fn code(&mut self, _: u64, width: u32, _: u64) -> u64 {
        let value = self.rest & ones(width);
        self.rest >>= width;
        value
    }
}

/// The bits of a word that are used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// The used bits.
    pub mask: u64,
    at: u32,
}

impl Bits for Used {
    const READS: bool = false;

    fn code(&mut self, value: u64, width: u32, used: u64) -> u64 {
        assert!(width < u64::BITS && self.at + width <= u64::BITS, "no room for {width} bits at {}", self.at);
        assert!(used <= ones(width), "of {width} bits, {used:b} are said to be used");
        self.mask |= used.checked_shl(self.at).unwrap_or(0);
        self.at += width;
        value
    }
}

/// Small numbers in lanes of `LANE` bits each, of which at most `WIDTH` are needed.
///
/// The numbers are moved together in pairs, then in pairs of pairs: a few steps, whatever their count.
pub struct Lanes<const LANE: u32, const WIDTH: u32>;

/// A step that keeps every other part of a word and shifts the parts in between.
#[derive(Clone, Copy)]
struct Merge {
    stays: u64,
    moves: u64,
    by: u32,
}

impl<const LANE: u32, const WIDTH: u32> Lanes<LANE, WIDTH> {
    const STEPS: [Merge; 4] = {
        assert!(0 < WIDTH && WIDTH < LANE, "there is nothing to narrow");
        let mut steps = [Merge { stays: u64::MAX, moves: 0, by: 0 }; 4];
        let (mut step, mut size) = (0, LANE);
        while size < u64::BITS {
            let part = WIDTH * size / LANE;
            let stays = repeated(ones(part), 2 * size);
            steps[step] = Merge { stays, moves: stays << size, by: size - part };
            (step, size) = (step + 1, 2 * size);
        }
        steps
    };
    const EACH: u64 = repeated(ones(WIDTH), LANE);

    /// The numbers side by side. If one is too large, all ones, which is not a valid word.
    #[inline(always)]
    pub fn narrow(lanes: u64) -> u64 {
        let narrow = Self::STEPS.iter().fold(lanes, |bits, step| bits & step.stays | (bits & step.moves) >> step.by);
        if lanes & !Self::EACH == 0 { narrow } else { u64::MAX }
    }

    /// The numbers in their lanes again.
    #[inline(always)]
    pub fn widen(narrow: u64) -> u64 {
        Self::STEPS.iter().rev().fold(narrow, |bits, step| bits & step.stays | bits << step.by & step.moves)
    }
}

/// A word with this part repeated every `every` bits.
const fn repeated(part: u64, every: u32) -> u64 {
    let (mut word, mut at) = (0, 0);
    while at < u64::BITS {
        word |= part << at;
        at += every;
    }
    word
}

/// A sieve: it moves the used bits of an image's words together, and back.
#[derive(Clone, Debug)]
pub struct Sieve<const N: usize> {
    used: [u64; N],
    pieces: Vec<Piece>,
    /// The index after the last piece of each word of a row.
    row_ends: Vec<usize>,
    /// The index after the last piece of each word of the image.
    image_ends: [usize; N],
}

/// A group of used bits that are adjacent in one word of the image and in one word of the row.
#[derive(Clone, Copy, Debug)]
struct Piece {
    mask: u64,
    /// The distance of the rotation to the left.
    by: u32,
    from: u8,
    to: u8,
}

impl<const N: usize> Sieve<N> {
    /// A sieve that keeps these bits of each word; no other bit may be set.
    pub fn new(used: [u64; N]) -> Self {
        let mut sieve = Sieve { used, pieces: Vec::new(), row_ends: Vec::new(), image_ends: [0; N] };
        let mut at = 0;
        for (from, &word) in used.iter().enumerate() {
            let mut rest = word;
            while rest != 0 {
                let first = rest.trailing_zeros();
                let length = (rest >> first).trailing_ones().min(u64::BITS - at);
                let mask = u64::MAX >> (u64::BITS - length) << first;
                let (by, to) = ((u64::BITS + at - first) % u64::BITS, sieve.row_ends.len() as u8);
                sieve.pieces.push(Piece { mask, by, from: from as u8, to });
                rest &= !mask;
                at = (at + length) % u64::BITS;
                if at == 0 {
                    sieve.row_ends.push(sieve.pieces.len());
                }
            }
            sieve.image_ends[from] = sieve.pieces.len();
        }
        if at > 0 {
            sieve.row_ends.push(sieve.pieces.len());
        }
        sieve
    }

    /// The number of words of a row.
    pub fn words(&self) -> usize {
        self.row_ends.len()
    }

    /// The used bits side by side, followed by zeros; none if another bit is set.
    #[inline(always)]
    pub fn narrow<const WORDS: usize>(&self, image: &[u64; N]) -> Option<[u64; WORDS]> {
        let mut row = [0; WORDS];
        let mut start = 0;
        for (word, &end) in row.iter_mut().zip(&self.row_ends) {
            let moved = |piece: &Piece| (image[usize::from(piece.from)] & piece.mask).rotate_left(piece.by);
            *word = self.pieces[start..end].iter().fold(0, |bits, piece| bits | moved(piece));
            start = end;
        }
        let unused = image.iter().zip(&self.used).fold(0, |bits, (word, used)| bits | word & !used);
        (unused == 0).then_some(row)
    }

    /// The bits of a row that come from these bits of an image.
    pub fn select<const WORDS: usize>(&self, mut image: [u64; N]) -> [u64; WORDS] {
        image.iter_mut().zip(&self.used).for_each(|(word, used)| *word &= used);
        self.narrow(&image).expect("only used bits are left")
    }

    /// The image of a row.
    #[inline(always)]
    pub fn widen<const WORDS: usize>(&self, row: &[u64; WORDS]) -> [u64; N] {
        let mut image = [0; N];
        let mut start = 0;
        for (word, &end) in image.iter_mut().zip(&self.image_ends) {
            let moved = |piece: &Piece| row[usize::from(piece.to)].rotate_right(piece.by) & piece.mask;
            *word = self.pieces[start..end].iter().fold(0, |bits, piece| bits | moved(piece));
            start = end;
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_is_never_cut_short() {
        let mut word = Put::default();
        word.code(7, 3, 0);
        assert!(Put::finish([word]).1);
        word.code(8, 3, 0);
        assert!(!Put::finish([word]).1);
    }

    #[test]
    #[should_panic(expected = "no room for 40 bits at 40")]
    fn a_word_holds_no_more_than_it_can() {
        let mut word = Used::default();
        word.code(0, 40, 0);
        word.code(0, 40, 0);
    }

    #[test]
    #[should_panic(expected = "of 2 bits, 100 are said to be used")]
    fn no_bit_is_used_that_is_not_there() {
        Used::default().code(0, 2, 4);
    }

    fn narrowed<const LANE: u32, const WIDTH: u32>(values: &[u8]) {
        let side_by_side = |width: u32| {
            let at = |(place, &value): (usize, &u8)| u64::from(value) << (place as u32 * width);
            values.iter().enumerate().map(at).fold(0, |all, one| all | one)
        };
        let fits = values.iter().all(|&value| u64::from(value) <= ones(WIDTH));
        let narrow = Lanes::<LANE, WIDTH>::narrow(side_by_side(LANE));
        assert_eq!(narrow, if fits { side_by_side(WIDTH) } else { u64::MAX });
        if fits {
            assert_eq!(Lanes::<LANE, WIDTH>::widen(narrow), side_by_side(LANE));
        }
    }

    /// Numbers of at most this many bits, most of them shorter.
    fn numbers(count: usize, bits: u32) -> impl Strategy<Value = Vec<u8>> {
        (0..=bits).prop_flat_map(move |bits| prop::collection::vec(0..=ones(bits) as u8, count))
    }

    proptest! {
        #[test]
        fn lanes_are_narrowed_and_widened_and_no_number_is_cut_short(
            bytes in numbers(8, 8),
            nibbles in numbers(16, 4),
        ) {
            narrowed::<8, 2>(&bytes);
            narrowed::<8, 3>(&bytes);
            narrowed::<8, 4>(&bytes);
            narrowed::<8, 6>(&bytes);
            narrowed::<8, 7>(&bytes);
            narrowed::<4, 1>(&nibbles);
            narrowed::<4, 2>(&nibbles);
        }

        #[test]
        fn a_word_is_read_as_it_was_written(values in prop::collection::vec((any::<u64>(), 1u32..13), 0..5)) {
            let (mut written, mut used) = (Put::default(), Used::default());
            for &(value, width) in &values {
                written.code(value & ones(width), width, 0);
                used.code(0, width, ones(width));
            }
            let ([word], fits) = Put::finish([written]);
            prop_assert!(fits && word & !used.mask == 0);
            let mut read = Take { rest: word };
            for &(value, width) in &values {
                prop_assert_eq!(read.code(0, width, 0), value & ones(width));
            }
        }

        #[test]
        fn a_sieve_keeps_every_used_bit_in_as_little_room_as_there_can_be(
            image in any::<[u64; 5]>(),
            used in any::<[[u64; 5]; 3]>(),
        ) {
            // Sparse bits, so that there are short runs and long gaps.
            let used: [u64; 5] = std::array::from_fn(|word| used[0][word] & used[1][word] | used[2][word] >> 40);
            let image: [u64; 5] = std::array::from_fn(|word| image[word] & used[word]);
            let sieve = Sieve::new(used);
            let bits: u32 = used.iter().map(|word| word.count_ones()).sum();
            prop_assert_eq!(sieve.words(), bits.div_ceil(64) as usize);
            let row: [u64; 5] = sieve.narrow(&image).expect("only used bits are set");
            prop_assert!(row[sieve.words()..].iter().all(|&word| word == 0));
            prop_assert_eq!(sieve.widen(&row), image);
        }

        #[test]
        fn no_bit_is_dropped_that_is_not_used(mut used in any::<[u64; 3]>(), word in 0usize..3, bit in 0u32..64) {
            used[word] &= !(1_u64 << bit);
            let mut image = [0_u64; 3];
            image[word] = 1 << bit;
            prop_assert_eq!(Sieve::new(used).narrow::<3>(&image), None);
        }
    }
}
