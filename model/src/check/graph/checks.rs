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
        Checks { list, always, conditions: Box::new(conditions) }
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

    pub(super) fn list(&self) -> &[Check] {
        &self.list
    }

    /// The checks that this state decides, as bits: an `always` that it violates, a `sometimes` that it shows.
    pub(super) fn decided_by(&self, state: &M::State, actions: &[M::Action]) -> u64 {
        (self.conditions)(state, actions) & self.all() ^ self.always
    }

    /// Every check, as bits.
    pub(super) fn all(&self) -> u64 {
        u64::MAX.checked_shr(u64::BITS - self.list.len() as u32).unwrap_or(0)
    }
}
