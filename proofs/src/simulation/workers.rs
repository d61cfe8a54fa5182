//! The threads of a campaign: each takes the next few schedules, runs them, and adds up what it saw.
//!
//! The report is the same whatever their number: its figures are sums, and of each property the broken run with the lowest
//! number is told. Numbers are taken in their order, so what a thread finds first has the lowest number of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use delivery_model::pipeline::Pipeline;
use delivery_model::semantics::{PropertyId, PropertySet};
use proptest::strategy::{Strategy, ValueTree};

use super::numbered_runner;
use super::report::{CampaignReport, Counterexample, Extent, Progress};
use super::shrink::shrunk;
use super::simulator::Simulator;
use super::strategy::{Drawn, drawn};
use crate::mutants::Mutant;

/// How many schedules a thread takes at a time: enough that threads seldom meet, few enough that all end together.
const AT_A_TIME: u64 = 16;

/// The number of the first run that broke a property.
type Found = BTreeMap<PropertyId, u32>;

/// What the threads of a campaign share.
pub(super) struct Workers<'a> {
    pipeline: &'a Pipeline,
    mutant: Mutant,
    extent: Extent,
    /// How many of the share's schedules were taken.
    taken: AtomicU64,
    runs: AtomicU32,
    /// What any of the threads saw broken.
    broken: Mutex<PropertySet>,
    stopped: AtomicBool,
}

impl<'a> Workers<'a> {
    pub(super) fn new(pipeline: &'a Pipeline, mutant: Mutant, extent: Extent) -> Self {
        let (taken, runs) = (AtomicU64::new(0), AtomicU32::new(0));
        let (broken, stopped) = (Mutex::new(PropertySet::EMPTY), AtomicBool::new(false));
        Workers { pipeline, mutant, extent, taken, runs, broken, stopped }
    }

    /// Runs all schedules, or those until `progress` says to stop, and adds their figures to the report.
    pub(super) fn run(&self, progress: &mut dyn FnMut(Progress) -> bool, report: &mut CampaignReport) -> Found {
        let of = report.schedules;
        let empty = report.clone();
        let mut found = Found::new();
        let mut add = |of_thread: CampaignReport, found_there: Found| {
            report.add_figures(&of_thread);
            for (property, run) in found_there {
                found.entry(property).and_modify(|first| *first = run.min(*first)).or_insert(run);
            }
        };
        thread::scope(|scope| {
            let others: Vec<_> = (1..self.threads())
                .map(|_| scope.spawn(|| self.work(empty.clone(), || !self.stopped.load(Ordering::Relaxed))))
                .collect();
            let ask = || {
                let runs = self.runs.load(Ordering::Relaxed);
                let goes_on = progress(Progress { runs, of, broken: self.broken() });
                self.stopped.store(!goes_on, Ordering::Relaxed);
                goes_on
            };
            let (own, found_here) = self.work(empty.clone(), ask);
            add(own, found_here);
            for other in others {
                let (of_thread, found_there) = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                add(of_thread, found_there);
            }
        });
        found
    }

    fn threads(&self) -> usize {
        self.extent.threads.max(1)
    }

    fn broken(&self) -> PropertySet {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs schedules until there are no more, or until it is not to go on.
    fn work(&self, mut report: CampaignReport, mut goes_on: impl FnMut() -> bool) -> (CampaignReport, Found) {
        let mut found = Found::new();
        let (strategy, mut simulator) = (drawn(self.pipeline), Simulator::new(self.pipeline, self.mutant));
        let mut numbers = self.extent.share.numbers(self.extent.schedules);
        let mut passed = 0;
        loop {
            let first = self.taken.fetch_add(AT_A_TIME, Ordering::Relaxed);
            if first >= report.schedules.into() {
                return (report, found);
            }
            numbers.by_ref().take((first - passed) as usize).for_each(drop);
            for number in numbers.by_ref().take(AT_A_TIME as usize) {
                if !goes_on() {
                    return (report, found);
                }
                let drawn = draw(&strategy, self.extent.seed, number);
                let judged = simulator.run(drawn.messages, &drawn.faults, drawn.seed);
                simulator.count(&mut report, &drawn.faults, &judged);
                let newly = judged.broken - report.broken;
                if !newly.is_empty() {
                    report.broken |= newly;
                    *self.broken.lock().unwrap_or_else(PoisonError::into_inner) |= newly;
                    found.extend(newly.iter().map(|property| (property, number)));
                }
                self.runs.fetch_add(1, Ordering::Relaxed);
            }
            passed = first + AT_A_TIME;
        }
    }

    /// The counterexamples of what was found, in the order in which one thread finds them.
    pub(super) fn shrink_all(&self, found: Found) -> Vec<Counterexample> {
        let mut found: Vec<(u32, PropertyId)> = found.into_iter().map(|(property, run)| (run, property)).collect();
        found.sort_unstable();
        let next = AtomicUsize::new(0);
        let shrunk = Mutex::new(vec![None; found.len()]);
        let work = || {
            while let Some((place, &(run, property))) = {
                let place = next.fetch_add(1, Ordering::Relaxed);
                found.get(place).map(|it| (place, it))
            } {
                let counterexample = self.counterexample(property, run);
                shrunk.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(counterexample);
            }
        };
        thread::scope(|scope| {
            (1..self.threads().min(found.len())).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        shrunk.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
    }

    fn counterexample(&self, property: PropertyId, run: u32) -> Counterexample {
        let drawn = draw(&drawn(self.pipeline), self.extent.seed, run);
        shrunk(self.pipeline, self.mutant, property, run, drawn)
    }
}

/// The schedule of this number.
fn draw(strategy: &impl Strategy<Value = Drawn>, seed: u64, number: u32) -> Drawn {
    let mut runner = numbered_runner(seed, number.into());
    strategy.new_tree(&mut runner).expect("nothing is filtered out").current()
}
