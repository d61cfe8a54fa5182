//! A set of numbers kept as ranges.
//!
//! Numbers that count up form long ranges with few gaps, so the size of the set grows with its gaps, not with its
//! members. Ranges never touch or overlap, so equal sets are equal values.
//!
//! New numbers are usually the highest, so an insertion looks at the last range first and extends it in place.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// A set of numbers. The cost of an operation is the logarithm of the number of ranges; an extension of the last
/// range costs one look-up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RangeSet {
    /// The first number of a range to its last one, inclusive, so that the highest number there is can be a member.
    runs: BTreeMap<u64, u64>,
}

impl RangeSet {
    /// Whether the set has no member.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether this number is a member.
    pub fn contains(&self, number: u64) -> bool {
        self.over(number).is_some()
    }

    /// The range that this number is in.
    pub fn over(&self, number: u64) -> Option<RangeInclusive<u64>> {
        let (&first, &last) = match self.runs.last_key_value()? {
            highest if *highest.0 <= number => highest,
            _ => self.runs.range(..=number).next_back()?,
        };
        (number <= last).then_some(first..=last)
    }

    /// Adds a number; returns false if it was a member already.
    pub fn insert(&mut self, number: u64) -> bool {
        let is_new = !self.contains(number);
        if is_new {
            self.insert_run(number..=number);
        }
        is_new
    }

    /// Adds a range, merged with those that it touches.
    pub fn insert_run(&mut self, run: RangeInclusive<u64>) {
        if run.is_empty() || self.extends_highest(&run) {
            return;
        }
        let (mut first, mut last) = run.into_inner();
        while let Some((&other, &other_last)) = self.runs.range(..=last.saturating_add(1)).next_back() {
            if other_last < first.saturating_sub(1) {
                break;
            }
            first = first.min(other);
            last = last.max(other_last);
            self.runs.remove(&other);
        }
        self.runs.insert(first, last);
    }

    /// Extends the highest range, if this one starts inside it or at its end: the usual case.
    fn extends_highest(&mut self, run: &RangeInclusive<u64>) -> bool {
        let Some(mut highest) = self.runs.last_entry() else {
            return false;
        };
        let goes_on = *highest.key() <= *run.start() && run.start().saturating_sub(1) <= *highest.get();
        if goes_on {
            let last = highest.get_mut();
            *last = (*last).max(*run.end());
        }
        goes_on
    }

    /// Removes this number and all higher ones.
    pub fn truncate(&mut self, from: u64) {
        let higher = self.runs.split_off(&from);
        drop(higher);
        if let Some(mut highest) = self.runs.last_entry()
            && *highest.get() >= from
        {
            // The range starts below `from`, so `from - 1` exists.
            *highest.get_mut() = from - 1;
        }
    }

    /// The highest member.
    pub fn highest(&self) -> Option<u64> {
        self.runs.last_key_value().map(|(_, &last)| last)
    }

    /// The first number of the first range that starts at or after this number.
    pub fn next_start(&self, number: u64) -> Option<u64> {
        self.runs.range(number..).next().map(|(&first, _)| first)
    }

    /// The ranges, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = RangeInclusive<u64>> + '_ {
        self.runs.iter().map(|(&first, &last)| first..=last)
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
        InsertRun(u64, u64),
        Truncate(u64),
    }

    /// Numbers near 0 and near the highest number.
    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0..24u64, u64::MAX - 23..=u64::MAX]
    }

    fn change() -> impl Strategy<Value = Change> {
        prop_oneof![
            6 => number().prop_map(Change::Insert),
            2 => (number(), 0..4u64).prop_map(|(first, more)| Change::InsertRun(first, first.saturating_add(more))),
            1 => number().prop_map(Change::Truncate),
        ]
    }

    fn members(runs: &RangeSet) -> Vec<u64> {
        runs.iter().flatten().collect()
    }

    proptest! {
        #[test]
        fn it_is_a_set_and_equal_sets_are_equal_values(changes in prop::collection::vec(change(), 0..60)) {
            let (mut runs, mut plain) = (RangeSet::default(), BTreeSet::new());
            for change in changes {
                match change {
                    Change::Insert(n) => prop_assert_eq!(runs.insert(n), plain.insert(n)),
                    Change::InsertRun(first, last) => { runs.insert_run(first..=last); plain.extend(first..=last); }
                    Change::Truncate(from) => { runs.truncate(from); plain.retain(|&n| n < from); }
                }
                prop_assert_eq!(members(&runs), plain.iter().copied().collect::<Vec<_>>());
                prop_assert_eq!(runs.highest(), plain.last().copied());
                for n in (0..26).chain(u64::MAX - 25..=u64::MAX) {
                    prop_assert_eq!(runs.contains(n), plain.contains(&n));
                }
                let mut rebuilt = RangeSet::default();
                for &n in plain.iter().rev() { rebuilt.insert(n); }
                prop_assert_eq!(&runs, &rebuilt);
            }
        }
    }

    #[test]
    fn numbers_that_count_up_are_one_run() {
        let mut runs = RangeSet::default();
        (0..1000).for_each(|number| assert!(runs.insert(number)));
        assert_eq!(runs.iter().collect::<Vec<_>>(), [0..=999]);
    }

    #[test]
    fn an_empty_run_adds_nothing() {
        let mut runs = RangeSet::default();
        for empty in [RangeInclusive::new(5, 4), RangeInclusive::new(9, 2), RangeInclusive::new(u64::MAX, 0)] {
            runs.insert_run(empty.clone());
            assert!(runs.is_empty(), "{empty:?}");
        }
        runs.insert(7);
        runs.insert_run(RangeInclusive::new(20, 19));
        assert_eq!(runs.iter().collect::<Vec<_>>(), [7..=7]);
    }
}
