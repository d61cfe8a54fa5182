//! A set of log positions kept as ranges, such as the settled positions.

use delivery_model::vocab::Position;

use super::range_set::RangeSet;

/// A set of positions. The cost of an operation is the logarithm of the number of ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Positions {
    runs: RangeSet,
}

impl Positions {
    /// The set of all positions below this one.
    pub fn below(end: Position) -> Self {
        let mut positions = Positions::default();
        positions.insert_below(end);
        positions
    }

    /// Whether the set has no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether this position is a member.
    #[inline]
    pub fn contains(&self, position: Position) -> bool {
        self.runs.contains(position.0)
    }

    /// Adds a position; returns false if it was a member already.
    pub fn insert(&mut self, position: Position) -> bool {
        self.runs.insert(position.0)
    }

    /// Adds all positions below this one.
    pub fn insert_below(&mut self, end: Position) {
        self.insert_run(0, end.0);
    }

    /// Adds the members of another set.
    pub fn extend(&mut self, other: &Positions) {
        for (start, end) in other.runs() {
            self.insert_run(start.0, end.0);
        }
    }

    /// The members that are not in the other set.
    pub fn minus(&self, other: &Positions) -> Positions {
        if self.is_empty() || other.is_empty() {
            return self.clone();
        }
        let mut left = Positions::default();
        for (mut start, end) in self.runs() {
            while start < end {
                let from = other.first_missing(start);
                let upto = other.runs.next_start(from.0).map_or(end, |next| end.min(Position(next)));
                left.insert_run(from.0, upto.0);
                start = upto.max(from);
            }
        }
        left
    }

    /// Removes this position and all later ones.
    pub fn truncate(&mut self, from: Position) {
        self.runs.truncate(from.0);
    }

    /// The first position at or after this one that is not a member.
    #[inline]
    pub fn first_missing(&self, from: Position) -> Position {
        self.runs.over(from.0).map_or(from, |run| Position(run.end() + 1))
    }

    /// The first position at or after this one that is a member of none of these sets.
    #[inline]
    pub fn first_in_none<'a>(from: Position, sets: impl Iterator<Item = &'a Positions> + Clone) -> Position {
        let mut position = from;
        loop {
            let later = sets.clone().filter(|set| !set.is_empty()).fold(position, |at, set| set.first_missing(at));
            if later == position {
                return position;
            }
            position = later;
        }
    }

    /// One past the highest member; 0 if there is none.
    #[inline]
    pub fn end(&self) -> Position {
        Position(self.runs.highest().map_or(0, |highest| highest + 1))
    }

    /// The ranges, lowest first, each as its first position and the first one after it.
    pub fn runs(&self) -> impl Iterator<Item = (Position, Position)> + '_ {
        self.runs.iter().map(|run| (Position(*run.start()), Position(run.end() + 1)))
    }

    /// Adds the positions from `start` to before `end`.
    pub(crate) fn insert_run(&mut self, start: u64, end: u64) {
        if let Some(last) = end.checked_sub(1) {
            self.runs.insert_run(start..=last);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Change {
        Insert(u64),
        InsertBelow(u64),
        Truncate(u64),
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            6 => (0..24u64).prop_map(Change::Insert),
            1 => (0..24u64).prop_map(Change::InsertBelow),
            1 => (0..24u64).prop_map(Change::Truncate),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_set(changes in prop::collection::vec(change(), 0..40)) {
            let (mut runs, mut plain) = (Positions::default(), BTreeSet::new());
            for change in changes {
                match change {
                    Change::Insert(p) => prop_assert_eq!(runs.insert(Position(p)), plain.insert(p)),
                    Change::InsertBelow(end) => { runs.insert_below(Position(end)); plain.extend(0..end); }
                    Change::Truncate(from) => { runs.truncate(Position(from)); plain.retain(|&p| p < from); }
                }
                for p in 0..26 {
                    prop_assert_eq!(runs.contains(Position(p)), plain.contains(&p));
                    let missing = (p..).find(|q| !plain.contains(q)).unwrap();
                    prop_assert_eq!(runs.first_missing(Position(p)), Position(missing));
                }
                prop_assert_eq!(runs.end().0, plain.last().map_or(0, |last| last + 1));
                prop_assert_eq!(runs.is_empty(), plain.is_empty());
                let odd: Vec<u64> = (1..26).step_by(2).collect();
                let mut without = Positions::default();
                odd.iter().for_each(|&p| { without.insert(Position(p)); });
                let left: Vec<u64> = (0..26).filter(|&p| runs.minus(&without).contains(Position(p))).collect();
                prop_assert_eq!(left, plain.iter().copied().filter(|p| p % 2 == 0).collect::<Vec<_>>());
                let mut rebuilt = Positions::default();
                for &p in plain.iter().rev() { rebuilt.insert(Position(p)); }
                prop_assert_eq!(&runs, &rebuilt);
            }
        }
    }
}
