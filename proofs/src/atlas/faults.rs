//! Sets of kinds of fault: none, one, or a pair. Each kind may strike once in a run.

use std::fmt;

use delivery_model::pipeline::FaultBudget;
use delivery_model::spec::State;
use delivery_model::vocab::Fault;

/// A set of kinds of fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultSet(u32);

const _: () = assert!(Fault::ALL.len() <= u32::BITS as usize);

impl FaultSet {
    /// No fault.
    pub const NONE: FaultSet = FaultSet(0);

    /// The set of these faults.
    pub fn of(faults: impl IntoIterator<Item = Fault>) -> Self {
        FaultSet(faults.into_iter().fold(0, |bits, fault| bits | 1 << fault as u32))
    }

    /// The kinds that struck on the way to a state.
    pub fn fired(state: &State) -> Self {
        FaultSet::of(state.faults_fired())
    }

    /// The faults that a pipeline must survive if it names none.
    pub fn usual() -> Self {
        FaultSet::of(FaultBudget::default().kinds())
    }

    /// The sets that the atlas covers: no fault, then every single fault, then every pair.
    pub fn none_singles_and_pairs() -> impl Iterator<Item = FaultSet> + Clone {
        let pairs = Fault::ALL.into_iter().enumerate().flat_map(|(place, first)| {
            Fault::ALL[place + 1..].iter().map(move |&second| FaultSet::of([first, second]))
        });
        std::iter::once(FaultSet::NONE).chain(FaultSet::singles()).chain(pairs)
    }

    /// Every single fault.
    pub fn singles() -> impl Iterator<Item = FaultSet> + Clone {
        Fault::ALL.into_iter().map(|fault| FaultSet::of([fault]))
    }

    /// The members, in the order of [`Fault::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.into_iter().filter(move |&fault| self.contains(fault))
    }

    /// The number of members.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the set has no member.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this fault is a member.
    pub fn contains(self, fault: Fault) -> bool {
        self.0 >> fault as u32 & 1 == 1
    }

    /// The set with this fault added.
    pub fn with(self, fault: Fault) -> Self {
        FaultSet(self.0 | 1 << fault as u32)
    }

    /// The members of either set.
    pub fn union(self, other: FaultSet) -> Self {
        FaultSet(self.0 | other.0)
    }

    /// Whether every member is also a member of the other set.
    pub fn is_within(self, other: FaultSet) -> bool {
        self.0 & !other.0 == 0
    }

    /// The fault budget that lets each member strike once.
    pub fn budget(self) -> FaultBudget {
        FaultBudget::once_each(self.iter())
    }
}

impl fmt::Display for FaultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.iter().map(Fault::word).collect();
        f.pad(&if words.is_empty() { "no fault".to_owned() } else { words.join(" + ") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_up_to_two_kinds_is_asked_about_once() {
        let sets: Vec<FaultSet> = FaultSet::none_singles_and_pairs().collect();
        let distinct: std::collections::BTreeSet<FaultSet> = sets.iter().copied().collect();
        let kinds = Fault::ALL.len();
        let expected = 1 + kinds + kinds * (kinds - 1) / 2;
        assert_eq!((sets.len(), distinct.len()), (expected, expected));
        assert!(sets.iter().all(|set| set.len() <= 2));
    }
}
