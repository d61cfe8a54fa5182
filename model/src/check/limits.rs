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
    /// Whether something is broken at all is looked for with fewer steps: where one commutes with all others, no other is
    /// looked at. See [`Reduced`](super::Reduced); where its conditions do not hold, all steps are looked at. Shortest stories are
    /// looked for among all steps in any case, and so are promises about whole runs.
    pub reduced: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { messages: 2, threads: 2, states_max: 50_000_000, reduced: true }
    }
}

/// The budget, cut to no fault at all, to one fault, to two, and so on.
pub(super) fn budgets(faults: FaultBudget) -> impl Iterator<Item = FaultBudget> {
    let sum = faults.each.iter().fold(0, |sum: u32, &times| sum.saturating_add(times));
    let most = if faults.total == 0 { sum } else { faults.total.min(sum) };
    std::iter::once(FaultBudget::NONE).chain((1..=most).map(move |total| faults.capped(total)))
}
