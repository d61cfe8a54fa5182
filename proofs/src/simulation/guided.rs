//! Campaigns whose schedules are made by the [`Guide`], one after the other: each depends on what the ones before it did.

use std::ops::ControlFlow;

use delivery_model::pipeline::Pipeline;
use delivery_model::semantics::PropertyId;

use super::campaign::until;
use super::guide::Guide;
use super::report::{CampaignReport, Counterexample, Progress};
use super::shrink::shrunk;
use crate::mutants::Mutant;

/// Runs so many guided schedules, on one thread. `progress` is asked before every run, and stops it with `false`.
///
/// A report is one of the schedules that were run: a guided campaign has more that strike in odd places than a drawn one.
pub fn guided_campaign(
    pipeline: &Pipeline,
    mutant: Mutant,
    schedules: u32,
    seed: u64,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> CampaignReport {
    let mut report = CampaignReport::empty(pipeline, schedules);
    let mut guide = Guide::new(pipeline, mutant, seed);
    let mut found = Vec::new();
    for number in 0..schedules {
        if !progress(Progress { runs: report.runs, of: schedules, broken: report.broken }) {
            break;
        }
        let (drawn, judged) = guide.run_next();
        guide.simulator().count(&mut report, &drawn.faults, &judged);
        let newly = judged.broken - report.broken;
        report.broken |= newly;
        found.extend(newly.iter().map(|property| (property, number, drawn.clone())));
    }
    let small = |(property, run, drawn): (PropertyId, u32, _)| -> Counterexample {
        shrunk(pipeline, mutant, property, run, drawn)
    };
    report.counterexamples = found.into_iter().map(small).collect();
    report.judged()
}

/// How many guided schedules it takes until one of them breaks the property; none, if `most` do not, or if `go_on` says to
/// stop. It is asked before each, with how many there were.
pub fn guided_until(
    pipeline: &Pipeline,
    mutant: Mutant,
    property: PropertyId,
    seed: u64,
    most: u32,
    go_on: &dyn Fn(u32) -> ControlFlow<()>,
) -> Option<u32> {
    let mut guide = Guide::new(pipeline, mutant, seed);
    until(most, go_on, || guide.run_next().1.broken.contains(property))
}
