//! Draws schedules: a number of messages, an interleaving, and a few faults at logical points.
//!
//! The kinds of fault are drawn first, as a random subset of those that the pipeline must survive, so that some runs
//! have many faults of few kinds. Then come records at points where that kind can strike, as many as the pipeline's
//! budget allows. Shrinking drops records first.

use delivery_model::pipeline::{FaultBudget, Pipeline};
use delivery_model::schedule::{Interleaving, PlannedFault, Point, Schedule, StepWord};
use delivery_model::vocab::{Fault, MessageId, Position, Target};
use proptest::prelude::*;
use proptest::sample::Index;

/// The most messages of a drawn schedule: enough for a window, a prefix with holes and a straggler that is overtaken.
pub const MESSAGES_MAX: u32 = 8;
/// The most faults of a drawn schedule, whatever the budget: every run has a suffix without faults.
pub const FAULTS_MAX: usize = 12;
/// A retry of a retry is as far as points look ahead.
const NTH_MAX: u32 = 3;
/// Of the records that a crash might lose, how many may survive.
const KEEPS_MAX: u64 = 3;

/// What is drawn of one fault, before it is known which kinds there are and how many messages.
type Draft = (Index, Index, Index, u32, Option<u64>, Index);

/// What is drawn of a schedule: all but its pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The number of messages.
    pub messages: u32,
    /// The planned faults.
    pub faults: Vec<PlannedFault>,
    /// The seed of the interleaving.
    pub seed: u64,
}

impl Drawn {
    /// The schedule of this pipeline.
    pub fn of(self, pipeline: &Pipeline) -> Schedule {
        let Drawn { messages, faults, seed } = self;
        Schedule { pipeline: pipeline.clone(), messages, faults, interleaving: Interleaving::Seeded(seed) }
    }
}

/// Schedules of this pipeline.
pub fn schedules(pipeline: &Pipeline) -> impl Strategy<Value = Schedule> + use<> {
    let of = pipeline.clone();
    drawn(pipeline).prop_map(move |drawn| drawn.of(&of))
}

/// Schedules of this pipeline, without the pipeline.
pub fn drawn(pipeline: &Pipeline) -> impl Strategy<Value = Drawn> + use<> {
    let kinds: Vec<Fault> = pipeline.faults.kinds().collect();
    let subset = prop::sample::subsequence(kinds.clone(), 0..=kinds.len());
    let budget = pipeline.faults;
    let drafts = prop::collection::vec(draft(), 0..=faults_max(&budget));
    (1..=MESSAGES_MAX, subset, drafts, any::<u64>().no_shrink()).prop_map(move |(messages, kinds, drafts, seed)| {
        let faults = within_budget(&budget, drafts.iter().filter_map(|it| planned(it, &kinds, messages)));
        Drawn { messages, faults, seed }
    })
}

fn draft() -> impl Strategy<Value = Draft> {
    let keeps = prop_oneof![Just(None), (1..=KEEPS_MAX).prop_map(Some)];
    let nth = prop_oneof![4 => Just(1), 1 => 2..=NTH_MAX];
    (any::<Index>(), any::<Index>(), any::<Index>(), nth, keeps, any::<Index>())
}

/// How many faults one run may have.
pub(super) fn faults_max(budget: &FaultBudget) -> usize {
    let each = budget.kinds().fold(0usize, |sum, kind| sum.saturating_add(budget.of(kind) as usize));
    let total = if budget.total == 0 { usize::MAX } else { budget.total as usize };
    each.min(total).min(FAULTS_MAX)
}

fn planned(draft: &Draft, kinds: &[Fault], messages: u32) -> Option<PlannedFault> {
    let (kind, step, message, nth, keeps, to) = draft;
    let fault = *kinds.get(kind.index(kinds.len().max(1)))?;
    let steps = fault.row().at;
    let step: StepWord = steps[step.index(steps.len())];
    let message = step.has_message().then(|| MessageId(message.index(messages as usize) as u64 + 1));
    let keeps = keeps.filter(|_| fault.names(Target::Records(0)));
    let to = Some(Position(to.index(messages as usize) as u64)).filter(|to| fault.names(Target::Position(*to)));
    Some(PlannedFault { fault, at: Point { step, message, nth: *nth }, keeps, to })
}

/// Leaves out what is drawn too often of one kind.
fn within_budget(budget: &FaultBudget, planned: impl Iterator<Item = PlannedFault>) -> Vec<PlannedFault> {
    let mut left = budget.each;
    let affordable = planned.filter(|planned| {
        let of_kind = &mut left[planned.fault as usize];
        let is_affordable = *of_kind > 0;
        *of_kind = of_kind.saturating_sub(1);
        is_affordable
    });
    affordable.collect()
}

#[cfg(test)]
mod tests {
    use proptest::strategy::ValueTree;

    use super::*;

    fn named() -> Pipeline {
        let faults = FaultBudget::once_each(Fault::ALL);
        Pipeline { name: "drawn".to_owned(), faults, ..Pipeline::default() }
    }

    proptest! {
        #[test]
        fn a_drawn_schedule_is_written_and_read_as_the_same(schedule in schedules(&named())) {
            prop_assert_eq!(Schedule::from_json(&schedule.to_json()).unwrap(), schedule);
        }

        #[test]
        fn no_budget_is_exceeded(
            total in 0..4u32,
            each in prop::collection::vec(0..3u32, Fault::ALL.len()),
            seed: u64,
        ) {
            let faults = FaultBudget { total, each: each.clone().try_into().unwrap() };
            let pipeline = Pipeline { faults, ..Pipeline::default() };
            let mut runner = super::super::seeded_runner(seed);
            let schedule = schedules(&pipeline).new_tree(&mut runner).unwrap().current();
            for fault in Fault::ALL {
                let planned = schedule.faults.iter().filter(|planned| planned.fault == fault).count();
                prop_assert!(planned <= each[fault as usize] as usize, "{} {}", planned, fault);
            }
            prop_assert!(total == 0 || schedule.faults.len() <= total as usize);
        }
    }
}
