//! Many runs of drawn schedules, judged by the monitors; the first that breaks a property is shrunk.
//!
//! The same pipeline, number of schedules and seed give the same report. A schedule depends on the seed and its number
//! alone, so that a share of a campaign can run apart from the others. A campaign shows that a promise is broken, or that
//! so many runs kept it; it never shows that all do.

use std::ops::ControlFlow;

use crate::mutants::Mutant;
use delivery_model::history::Share;
use delivery_model::pipeline::{Pipeline, Semantics};
use delivery_model::schedule::Schedule;
use delivery_model::semantics::{
    Doubt, Monitor, Observed, PropertyId, PropertySet, Rules, Unbounded, Verdict, Verdicts,
};
use delivery_model::vocab::{EventKind, Fault};
use proptest::strategy::{Strategy, ValueTree};

use super::run::{Ending, Run, run};
use super::shrink::shrink;
use super::strategy::schedules;
use super::{numbered_runner, seeded_runner};

/// How far a campaign has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Runs so far.
    pub runs: u32,
    /// Runs in all.
    pub of: u32,
    /// The properties that were broken so far.
    pub broken: PropertySet,
}

/// A small schedule that breaks a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// Which property.
    pub property: PropertyId,
    /// The schedule, shrunk.
    pub schedule: Schedule,
    /// How many faults the schedule had that was found first.
    pub faults_found: usize,
    /// The number of the schedule in the campaign, counted from 0.
    pub run: u32,
}

/// What a campaign found.
#[derive(Clone, Debug, PartialEq)]
pub struct CampaignReport {
    /// How many runs were asked for.
    pub schedules: u32,
    /// How many there were; fewer, if the caller stopped it.
    pub runs: u32,
    /// The micro-steps of all runs.
    pub steps: u64,
    /// The events of all runs.
    pub events: u64,
    /// Deliveries and effects of all runs: without any, nothing was judged.
    pub deliveries_and_effects: u64,
    /// Runs that were cut before nothing could happen any more.
    pub not_quiescent: u32,
    /// Runs that go on for ever: they came back to where they were, and a run that repeats that is fair.
    pub endless: u32,
    /// How often each kind of fault was planned, in the order of [`Fault::ALL`].
    pub planned: [u64; Fault::ALL.len()],
    /// How often each struck.
    pub fired: [u64; Fault::ALL.len()],
    /// How many messages were set aside.
    pub dead_lettered: u64,
    /// How the properties were read.
    pub rules: Rules,
    /// The properties that a run broke.
    pub broken: PropertySet,
    /// The verdict on each semantics.
    pub verdicts: Verdicts,
    /// One for each broken property, in the order in which they broke.
    pub counterexamples: Vec<Counterexample>,
}

impl CampaignReport {
    /// The report of a campaign of so many schedules before the first run.
    pub(super) fn empty(pipeline: &Pipeline, schedules: u32) -> CampaignReport {
        let rules = Rules::from(pipeline);
        CampaignReport {
            schedules,
            runs: 0,
            steps: 0,
            events: 0,
            deliveries_and_effects: 0,
            not_quiescent: 0,
            endless: 0,
            planned: [0; Fault::ALL.len()],
            fired: [0; Fault::ALL.len()],
            dead_lettered: 0,
            rules,
            broken: PropertySet::EMPTY,
            verdicts: Verdicts::new(&rules, |_| Verdict::Unknown(Doubt::NothingRead)),
            counterexamples: Vec::new(),
        }
    }

    /// The same report with the verdicts that follow from its figures.
    pub(super) fn judged(mut self) -> CampaignReport {
        self.verdicts = Verdicts::new(&self.rules, |property| self.verdict(property));
        self
    }

    /// The verdict on one property.
    pub fn verdict(&self, property: PropertyId) -> Verdict {
        let needs_rest = PropertySet::NEED_QUIESCENCE.contains(property);
        let never_rests = self.endless > 0 && !PropertySet::OF_ENDLESS_RUNS.contains(property);
        if self.broken.contains(property) {
            Verdict::Violated
        } else if self.runs < self.schedules {
            Verdict::Unknown(Doubt::Stopped)
        } else if self.deliveries_and_effects == 0 {
            Verdict::Unknown(Doubt::NothingRead)
        } else if needs_rest && (self.not_quiescent > 0 || never_rests) {
            Verdict::Unknown(Doubt::NotQuiescent)
        } else {
            Verdict::Holds
        }
    }

    /// Whether that nothing is lost rests on dead letters, which pay the debt.
    pub fn or_dead_lettered(&self) -> bool {
        self.rules.dead_letters && self.dead_lettered > 0
    }

    /// The first counterexample to a semantics.
    pub fn counterexample(&self, semantics: Semantics) -> Option<&Counterexample> {
        let required = self.rules.required_by(semantics);
        self.counterexamples.iter().find(|found| required.contains(found.property))
    }
}

/// Runs so many schedules, drawn from the seed. `progress` is asked before every run, and stops it with `false`.
pub fn campaign(
    pipeline: &Pipeline,
    mutant: Mutant,
    schedules: u32,
    seed: u64,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> CampaignReport {
    campaign_of_share(pipeline, mutant, schedules, seed, Share::WHOLE, progress)
}

/// Runs those of a campaign's schedules whose numbers are in the share. The report counts these alone.
pub fn campaign_of_share(
    pipeline: &Pipeline,
    mutant: Mutant,
    schedules: u32,
    seed: u64,
    share: Share,
    progress: &mut dyn FnMut(Progress) -> bool,
) -> CampaignReport {
    let numbers = share.numbers(schedules);
    let mut campaign = Campaign { mutant, report: CampaignReport::empty(pipeline, numbers.len() as u32) };
    let strategy = self::schedules(pipeline);
    for number in numbers {
        let report = &campaign.report;
        if !progress(Progress { runs: report.runs, of: report.schedules, broken: report.broken }) {
            break;
        }
        let mut runner = numbered_runner(seed, number.into());
        let schedule = strategy.new_tree(&mut runner).expect("nothing is filtered out").current();
        campaign.run(number, schedule);
    }
    campaign.report.judged()
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
    let (rules, strategy) = (Rules::from(pipeline), schedules(pipeline));
    let mut runner = seeded_runner(seed);
    let mut breaks = |nth: &u32| {
        let schedule = strategy.new_tree(&mut runner).expect("nothing is filtered out").current();
        go_on(*nth).is_break() || broken_by(&seeded(&schedule, mutant), rules).contains(property)
    };
    let found = (0..most).find(|nth| breaks(nth))?;
    go_on(found).is_continue().then_some(found + 1)
}

/// The properties that a run breaks, black-box and white-box: of those that need it to come to rest only if it did, but
/// for what stays owed in a run without end.
pub fn broken_by(run: &Run, rules: Rules) -> PropertySet {
    let monitor = Monitor::new(rules);
    let mut observed = Observed::<Unbounded>::default();
    run.history.events.iter().for_each(|recorded| monitor.observe(&mut observed, &recorded.event));
    let seen = match run.ending {
        Ending::Rest => monitor.at_quiescence(&observed),
        Ending::Loop { .. } => monitor.in_a_loop(&observed),
        Ending::Cut => observed.violated(),
    };
    seen | run.breaches.iter().map(|(property, _)| *property).collect()
}

struct Campaign {
    mutant: Mutant,
    report: CampaignReport,
}

impl Campaign {
    fn run(&mut self, number: u32, schedule: Schedule) {
        let run = seeded(&schedule, self.mutant);
        self.count(&schedule, &run);
        for property in (broken_by(&run, self.report.rules) - self.report.broken).iter() {
            let found = self.counterexample(property, number, schedule.clone());
            self.report.broken.insert(property);
            self.report.counterexamples.push(found);
        }
        self.report.runs += 1;
    }

    fn count(&mut self, schedule: &Schedule, run: &Run) {
        let report = &mut self.report;
        report.steps += run.steps.len() as u64;
        report.events += run.history.events.len() as u64;
        for recorded in &run.history.events {
            match recorded.event.kind {
                EventKind::Deliver { .. } | EventKind::Effect { .. } => report.deliveries_and_effects += 1,
                EventKind::DeadLetter { .. } => report.dead_lettered += 1,
                _ => (),
            }
        }
        report.not_quiescent += u32::from(run.ending == Ending::Cut);
        report.endless += u32::from(matches!(run.ending, Ending::Loop { .. }));
        for (planned, fired) in schedule.faults.iter().zip(&run.fired) {
            report.planned[planned.fault as usize] += 1;
            report.fired[planned.fault as usize] += u64::from(fired.is_some());
        }
    }

    fn counterexample(&self, property: PropertyId, run: u32, schedule: Schedule) -> Counterexample {
        let faults_found = schedule.faults.len();
        let mut fails = |candidate: &Schedule| {
            let run = seeded(candidate, self.mutant);
            broken_by(&run, self.report.rules).contains(property).then_some(run.steps.len())
        };
        let schedule = shrink(schedule, &mut fails);
        Counterexample { property, schedule, faults_found, run }
    }
}

fn seeded(schedule: &Schedule, mutant: Mutant) -> Run {
    run(schedule, mutant).expect("a seeded run takes only what is offered")
}
