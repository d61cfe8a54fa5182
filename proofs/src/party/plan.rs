//! Which planned fault strikes at the logical point that a run has just reached.

use std::collections::BTreeMap;

use delivery_model::schedule::{PlannedFault, StepWord};
use delivery_model::vocab::{Fault, MessageId};

/// The planned faults of one run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    faults: Vec<PlannedFault>,
    passed: BTreeMap<(StepWord, Option<MessageId>), u32>,
    fired: Vec<bool>,
}

impl Plan {
    pub(super) fn new(faults: &[PlannedFault]) -> Self {
        Plan { faults: faults.to_vec(), passed: BTreeMap::new(), fired: vec![false; faults.len()] }
    }

    /// The run passes a point: which faults are planned for it, apart from those that come before their point.
    pub(super) fn pass(&mut self, step: StepWord, message: u64) -> Vec<usize> {
        let message = step.has_message().then_some(MessageId(message));
        let times = self.passed.entry((step, message)).or_default();
        *times += 1;
        let times = *times;
        let is_due = |planned: &PlannedFault| !is_ahead(planned.fault) && planned.at.nth == times;
        self.at(step, message, is_due)
    }

    /// A point is next: which faults decide what becomes of it.
    pub(super) fn ahead(&self, step: StepWord, message: u64) -> Vec<usize> {
        let message = Some(MessageId(message));
        let times = self.passed.get(&(step, message)).copied().unwrap_or_default() + 1;
        self.at(step, message, |planned| is_ahead(planned.fault) && planned.at.nth == times)
    }

    fn at(&self, step: StepWord, message: Option<MessageId>, is_due: impl Fn(&PlannedFault) -> bool) -> Vec<usize> {
        let is_here = |planned: &PlannedFault| (planned.at.step, planned.at.message) == (step, message);
        let planned = self.faults.iter().enumerate();
        planned.filter(|(_, planned)| is_here(planned) && is_due(planned)).map(|(index, _)| index).collect()
    }

    pub(super) fn planned(&self, index: usize) -> PlannedFault {
        self.faults[index]
    }

    pub(super) fn fire(&mut self, index: usize) {
        self.fired[index] = true;
    }

    pub(super) fn into_fired(self) -> Vec<bool> {
        self.fired
    }
}

/// It decides what becomes of its step, and so comes before it.
fn is_ahead(fault: Fault) -> bool {
    fault.row().strikes.comes_first()
}
