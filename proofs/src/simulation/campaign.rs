//! Many runs of drawn schedules, judged by the monitors; the first that breaks a property is shrunk.
//!
//! The same pipeline, number of schedules and seed give the same report, whatever the number of threads. A schedule depends on
//! the seed and its number alone, so that a share of a campaign can run apart from the others. A campaign shows that a promise is broken, or that
//! so many runs kept it; it never shows that all do.

use std::ops::ControlFlow;

use delivery_model::pipeline::Pipeline;
use delivery_model::semantics::PropertyId;
use proptest::strategy::{Strategy, ValueTree};

pub use super::report::{CampaignReport, Counterexample, Extent, Progress};
use super::seeded_runner;
use super::simulator::Simulator;
pub use super::simulator::broken_by;
use super::strategy::drawn;
use super::workers::Workers;
use crate::mutants::Mutant;

/// Runs so many schedules, drawn from the seed, on one thread. `progress` is asked before every run, and stops it with
/// `false`.
pub fn campaign(
    pipeline: &Pipeline,
    mutant: Mutant,
    schedules: u32,
    seed: u64,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> CampaignReport {
    campaign_of(pipeline, mutant, Extent::whole(schedules, seed), progress)
}

/// Runs the schedules of this extent. `progress` is asked by one of the threads, before each of its runs, and stops all with
/// `false`.
pub fn campaign_of(
    pipeline: &Pipeline,
    mutant: Mutant,
    extent: Extent,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> CampaignReport {
    let mut report = CampaignReport::empty(pipeline, extent.share.numbers(extent.schedules).len() as u32);
    let workers = Workers::new(pipeline, mutant, extent);
    let found = workers.run(progress, &mut report);
    report.counterexamples = workers.shrink_all(found);
    report.judged()
}

/// How many random schedules it takes until one of them breaks the property; none, if `most` do not, or if `go_on` says to
/// stop. It is asked before each, with how many there were.
pub fn schedules_until(
    pipeline: &Pipeline,
    mutant: Mutant,
    property: PropertyId,
    seed: u64,
    most: u32,
    go_on: &dyn Fn(u32) -> ControlFlow<()>,
) -> Option<u32> {
    let (strategy, mut simulator) = (drawn(pipeline), Simulator::new(pipeline, mutant));
    let mut runner = seeded_runner(seed);
    until(most, go_on, || {
        let drawn = strategy.new_tree(&mut runner).expect("nothing is filtered out").current();
        simulator.run(drawn.messages, &drawn.faults, drawn.seed).broken.contains(property)
    })
}

/// The number of runs until `breaks`, which makes one, says so. None, and `go_on`, as in [`schedules_until`].
pub(super) fn until(
    most: u32,
    go_on: &dyn Fn(u32) -> ControlFlow<()>,
    mut breaks: impl FnMut() -> bool,
) -> Option<u32> {
    let found = (0..most).find(|nth| go_on(*nth).is_break() || breaks())?;
    go_on(found).is_continue().then_some(found + 1)
}
