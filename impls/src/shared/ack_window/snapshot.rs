//! What an [`AckWindow`](super::AckWindow) has settled, as a pair of an offset and a bitmap: the form in which a consumer
//! stores it with its commit, so that a restart repeats only what was not settled.
//!
//! The pair is what matters. Stored from two states (an offset that has moved on since the bitmap was taken), bit after
//! bit stands for another position, and what was never handled counts as settled (parallel-consumer #893, #894).
//!
//! Leaves out the bytes: whoever stores it has a format.

use delivery_model::vocab::Position;

use super::BITS;

/// Settled positions: all below the offset, and some beyond.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    offset: Position,
    /// Bit `i` of word `w` stands for the offset plus `32 w + i`. The first is clear.
    bitmap: Vec<u32>,
}

impl Snapshot {
    /// Everything below `offset` is settled, and what the bitmap says from there on. The offset moves up over the bits
    /// that follow it without a gap, and the bitmap ends with its last bit, so equal sets are equal values.
    pub fn new(offset: u64, mut bitmap: Vec<u32>) -> Snapshot {
        let mut offset = offset;
        while bitmap.first().is_some_and(|first| first & 1 == 1) {
            offset += 1;
            shift_down(&mut bitmap);
        }
        bitmap.truncate(bitmap.iter().rposition(|bits| *bits != 0).map_or(0, |last| last + 1));
        Snapshot { offset: Position(offset), bitmap }
    }

    /// What these runs hold, lowest first, each as its first position and the first one after it. Leaves out what does
    /// not lie within `room` positions from the offset on: a window of that capacity has no place for it.
    pub fn of(runs: impl IntoIterator<Item = (Position, Position)>, room: u32) -> Snapshot {
        let mut runs = runs.into_iter().peekable();
        let offset = runs.next_if(|(start, _)| start.0 == 0).map_or(0, |(_, end)| end.0);
        let end = offset.saturating_add(u64::from(room));
        let mut bitmap = Vec::new();
        for ahead in runs.flat_map(|(start, after)| start.0..after.0.min(end)).map(|position| position - offset) {
            let word = (ahead / u64::from(BITS)) as usize;
            bitmap.resize(bitmap.len().max(word + 1), 0);
            bitmap[word] |= 1 << (ahead % u64::from(BITS));
        }
        Snapshot::new(offset, bitmap)
    }

    /// The lowest position that is not settled.
    pub fn offset(&self) -> Position {
        self.offset
    }

    /// The settled positions beyond the offset, lowest first.
    pub fn ahead(&self) -> impl Iterator<Item = Position> + '_ {
        let bits = self.bitmap.iter().flat_map(|bits| (0..BITS).map(move |bit| bits >> bit & 1 == 1));
        (self.offset.0..).zip(bits).filter(|(_, is_settled)| *is_settled).map(|(position, _)| Position(position))
    }

    /// Whether it has this position as settled.
    pub fn is_settled(&self, position: Position) -> bool {
        let Some(ahead) = position.0.checked_sub(self.offset.0) else {
            return true;
        };
        let bits = usize::try_from(ahead / u64::from(BITS)).ok().and_then(|word| self.bitmap.get(word));
        bits.is_some_and(|bits| bits >> (ahead % u64::from(BITS)) & 1 == 1)
    }
}

/// Every bit moves to the position before its own; the first one falls out.
fn shift_down(bitmap: &mut [u32]) {
    let mut carry = 0;
    for bits in bitmap.iter_mut().rev() {
        let lowest = *bits & 1;
        *bits = *bits >> 1 | carry << (BITS - 1);
        carry = lowest;
    }
}
