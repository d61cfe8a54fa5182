//! The bounds of a search, and the order in which fault budgets are tried: the fewest faults first.

use crate::pipeline::FaultBudget;

/// How far to look.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many messages are submitted.
    pub messages: u32,
    /// How many threads search.
    pub threads: usize,
    /// Stop at so many states.
    pub states_max: u32,
    /// Where a step commutes with all others, look at no other: see [`Reduced`](super::Reduced). Shortest stories are looked for among
    /// all steps all the same.
    pub reduced: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { messages: 2, threads: 2, states_max: 50_000_000, reduced: false }
    }
}

/// The budget, cut to no fault at all, to one fault, to two, and so on.
pub(super) fn budgets(faults: FaultBudget) -> impl Iterator<Item = FaultBudget> {
    let sum = faults.each.iter().fold(0, |sum: u32, &times| sum.saturating_add(times));
    let most = if faults.total == 0 { sum } else { faults.total.min(sum) };
    std::iter::once(FaultBudget::NONE).chain((1..=most).map(move |total| faults.capped(total)))
}
