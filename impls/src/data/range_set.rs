//! A set of numbers kept as ranges.
//!
//! Numbers that count up form long ranges with few gaps, so the size of the set grows with its gaps, not with its
//! members. Ranges never touch or overlap, so equal sets are equal values.
//!
//! New numbers are usually the highest, so an insertion looks at the last range first and extends it in place. A few
//! ranges stand in the value itself, without a heap; more stand in a tree.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The most ranges that take no heap: a prefix, and a few numbers beyond gaps.
const FEW_MAX: usize = 4;

/// A set of numbers. The cost of an operation is the logarithm of the number of ranges; an extension of the last
/// range costs one look-up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RangeSet {
    few: Few,
    /// All ranges, as first and last number, if there are more than [`FEW_MAX`].
    #[expect(clippy::box_collection, reason = "most sets have none, and a box is a third of the size")]
    many: Option<Box<BTreeMap<u64, u64>>>,
}

/// Up to [`FEW_MAX`] ranges in rising order, each as its first and last number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Few {
    count: usize,
    /// Places that are not in use are 0, so that equal sets are equal values.
    runs: [(u64, u64); FEW_MAX],
}

impl Few {
    #[inline]
    fn as_slice(&self) -> &[(u64, u64)] {
        &self.runs[..self.count]
    }

    /// Puts a range at this place, before those from there on.
    fn insert(&mut self, place: usize, run: (u64, u64)) {
        self.runs.copy_within(place..self.count, place + 1);
        self.runs[place] = run;
        self.count += 1;
    }

    /// Removes the ranges of these places.
    fn remove(&mut self, from: usize, upto: usize) {
        self.runs.copy_within(upto..self.count, from);
        let left = self.count - (upto - from);
        self.runs[left..self.count].fill((0, 0));
        self.count = left;
    }
}

impl RangeSet {
    /// Whether the set has no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.few.count == 0 && self.many.is_none()
    }

    /// Whether this number is a member.
    #[inline]
    pub fn contains(&self, number: u64) -> bool {
        self.over(number).is_some()
    }

    /// The range that this number is in.
    #[inline]
    pub fn over(&self, number: u64) -> Option<RangeInclusive<u64>> {
        let (first, last) = match &self.many {
            None => *self.few.as_slice().iter().rev().find(|(first, _)| *first <= number)?,
            Some(many) => RangeSet::before(many, number)?,
        };
        (number <= last).then_some(first..=last)
    }

    /// The last range that starts at or before this number.
    fn before(many: &BTreeMap<u64, u64>, number: u64) -> Option<(u64, u64)> {
        let (&first, &last) = match many.last_key_value()? {
            highest if *highest.0 <= number => highest,
            _ => many.range(..=number).next_back()?,
        };
        Some((first, last))
    }

    /// Adds a number; returns false if it was a member already.
    pub fn insert(&mut self, number: u64) -> bool {
        let is_new = !self.contains(number);
        if is_new {
            self.insert_run(number..=number);
        }
        is_new
    }

    /// Adds a range, merged with those that it touches. An empty one adds nothing.
    pub fn insert_run(&mut self, run: RangeInclusive<u64>) {
        if run.is_empty() {
            return;
        }
        let run = run.into_inner();
        match &mut self.many {
            None => self.insert_into_few(run),
            Some(many) => {
                RangeSet::insert_into_many(many, run);
                self.keep_few();
            }
        }
    }

    fn insert_into_few(&mut self, (first, last): (u64, u64)) {
        let runs = self.few.as_slice();
        // The ranges from `from` to before `upto` touch or overlap the new one.
        let from = runs.iter().rposition(|(_, other)| *other < first.saturating_sub(1)).map_or(0, |place| place + 1);
        let more = runs[from..].iter().take_while(|(other, _)| *other <= last.saturating_add(1)).count();
        let upto = from + more;
        match more {
            0 if runs.len() < FEW_MAX => self.few.insert(from, (first, last)),
            0 => {
                self.many = Some(Box::new(runs.iter().copied().chain([(first, last)]).collect()));
                self.few = Few::default();
            }
            _ => {
                self.few.runs[from] = (first.min(runs[from].0), last.max(runs[upto - 1].1));
                self.few.remove(from + 1, upto);
            }
        }
    }

    fn insert_into_many(many: &mut BTreeMap<u64, u64>, (mut first, mut last): (u64, u64)) {
        if RangeSet::extends_highest(many, first, last) {
            return;
        }
        while let Some((&other, &other_last)) = many.range(..=last.saturating_add(1)).next_back() {
            if other_last < first.saturating_sub(1) {
                break;
            }
            first = first.min(other);
            last = last.max(other_last);
            many.remove(&other);
        }
        many.insert(first, last);
    }

    fn extends_highest(many: &mut BTreeMap<u64, u64>, first: u64, last: u64) -> bool {
        let Some(mut highest) = many.last_entry() else {
            return false;
        };
        let goes_on = *highest.key() <= first && first.saturating_sub(1) <= *highest.get();
        if goes_on {
            let end = highest.get_mut();
            *end = (*end).max(last);
        }
        goes_on
    }

    /// Takes the ranges out of the tree if they are few.
    fn keep_few(&mut self) {
        if let Some(many) = self.many.take_if(|many| many.len() <= FEW_MAX) {
            for run in *many {
                self.few.insert(self.few.count, run);
            }
        }
    }

    /// Removes this number and all higher ones.
    pub fn truncate(&mut self, from: u64) {
        let left = self.few.as_slice().iter().take_while(|(first, _)| *first < from).count();
        self.few.remove(left, self.few.count);
        if let Some(many) = &mut self.many {
            drop(many.split_off(&from));
            // The range starts below `from`, so `from - 1` exists.
            many.last_entry().into_iter().for_each(|mut highest| *highest.get_mut() = (from - 1).min(*highest.get()));
            self.keep_few();
        } else if let Some((_, last)) = self.few.runs[..self.few.count].last_mut() {
            *last = (*last).min(from - 1);
        }
    }

    /// The highest member.
    #[inline]
    pub fn highest(&self) -> Option<u64> {
        match &self.many {
            None => self.few.as_slice().last().map(|(_, last)| *last),
            Some(many) => many.last_key_value().map(|(_, last)| *last),
        }
    }

    /// The first number of the first range that starts at or after this number.
    #[inline]
    pub fn next_start(&self, number: u64) -> Option<u64> {
        match &self.many {
            None => self.few.as_slice().iter().map(|(first, _)| *first).find(|first| *first >= number),
            Some(many) => many.range(number..).next().map(|(&first, _)| first),
        }
    }

    /// The ranges, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = RangeInclusive<u64>> + '_ {
        let few = self.few.as_slice().iter().map(|&(first, last)| first..=last);
        few.chain(self.many.iter().flat_map(|many| many.iter().map(|(&first, &last)| first..=last)))
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
