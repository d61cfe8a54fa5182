//! What to look for on the way: conditions over a state and what it enables, answered for all checks at once.
//!
//! `always` and `sometimes` only. `eventually` needs the whole graph and a word about fairness: that is liveness.

use stateright::{Expectation, Model};

/// What a check claims about its condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expects {
    /// It is true in every reachable state.
    Always,
    /// It is true in some reachable state.
    Sometimes,
}

/// A named claim about one condition.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    /// What people call it.
    pub name: String,
    /// The claim.
    pub expects: Expects,
}

impl Check {
    /// The condition is true in every reachable state.
    pub fn always(name: impl Into<String>) -> Self {
        Check { name: name.into(), expects: Expects::Always }
    }

    /// The condition is true in some reachable state.
    pub fn sometimes(name: impl Into<String>) -> Self {
        Check { name: name.into(), expects: Expects::Sometimes }
    }
}

type Conditions<'a, M> = dyn Fn(&<M as Model>::State, &[<M as Model>::Action]) -> u64 + Sync + 'a;

/// The checks of a walk, and one function that answers them all for a state.
pub struct Checks<'a, M: Model> {
    list: Vec<Check>,
    /// Those that say `always`, as bits.
    always: u64,
    conditions: Box<Conditions<'a, M>>,
    /// By check: the signs without which no state decides it.
    signs: Vec<u64>,
}

impl<'a, M: Model> Checks<'a, M> {
    /// The most checks that one walk can decide.
    pub const MOST: usize = u64::BITS as usize;

    /// Checks whose conditions a function answers together: bit `i` says whether the condition of `list[i]` is true.
    ///
    /// The function also sees the actions that the state enables, in the model's order, so that a condition like "when
    /// nothing can happen any more" costs nothing. It must depend on nothing else.
    ///
    /// # Panics
    ///
    /// If there are more than [`Checks::MOST`].
    pub fn new(list: Vec<Check>, conditions: impl Fn(&M::State, &[M::Action]) -> u64 + Sync + 'a) -> Self {
        assert!(list.len() <= Self::MOST, "at most {} checks in one walk, found {}", Self::MOST, list.len());
        let is_always = |check: &Check| u64::from(check.expects == Expects::Always);
        let always = list.iter().enumerate().fold(0, |bits, (i, check)| bits | is_always(check) << i);
        let signs = vec![u64::MAX; list.len()];
        Checks { list, always, conditions: Box::new(conditions), signs }
    }

    /// No checks: the walk only counts, and keeps the graph.
    pub fn none() -> Self {
        Checks::new(Vec::new(), |_, _| 0)
    }

    /// The model's own `always` and `sometimes` properties. Those that say `eventually` are left out.
    pub fn of(model: &'a M) -> Self
    where
        M: Sync,
    {
        let mut list = Vec::new();
        let mut conditions = Vec::new();
        for property in model.properties() {
            list.push(match property.expectation {
                Expectation::Always => Check::always(property.name),
                Expectation::Sometimes => Check::sometimes(property.name),
                Expectation::Eventually => continue,
            });
            conditions.push(property.condition);
        }
        Checks::new(list, move |state, _| {
            conditions.iter().enumerate().fold(0, |bits, (i, holds)| bits | u64::from(holds(model, state)) << i)
        })
    }

    /// Says of each check by which signs a state is known that may decide it, where successors come with signs: bits with
    /// a meaning that the caller and whoever finds the successors agree on.
    pub(in crate::check) fn shown_by(self, signs: Vec<u64>) -> Self {
        assert_eq!(signs.len(), self.list.len(), "each check has its signs");
        Checks { signs, ..self }
    }

    /// The signs of a state that may decide one of these checks.
    pub(in crate::check) fn signs_of(&self, open: u64) -> u64 {
        let is_open = |(i, signs): (usize, &u64)| if open >> i & 1 == 0 { 0 } else { *signs };
        self.signs.iter().enumerate().map(is_open).fold(0, |all, signs| all | signs)
    }

    pub(super) fn list(&self) -> &[Check] {
        &self.list
    }

    /// The checks that this state decides, as bits: an `always` that it violates, a `sometimes` that it shows.
    pub(in crate::check) fn decided_by(&self, state: &M::State, actions: &[M::Action]) -> u64 {
        (self.conditions)(state, actions) & self.all() ^ self.always
    }

    /// Every check, as bits.
    pub(super) fn all(&self) -> u64 {
        u64::MAX.checked_shr(u64::BITS - self.list.len() as u32).unwrap_or(0)
    }
}
