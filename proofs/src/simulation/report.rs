//! The extent of a campaign, its progress and its report.

use delivery_model::history::Share;
use delivery_model::pipeline::{Pipeline, Semantics};
use delivery_model::schedule::Schedule;
use delivery_model::semantics::{Doubt, PropertyId, PropertySet, Rules, Verdict, Verdicts};
use delivery_model::vocab::Fault;

/// What is run of a campaign, and on how many threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The number of schedules of the whole campaign.
    pub schedules: u32,
    /// The seed that they are drawn from.
    pub seed: u64,
    /// The share of them that is run. The report counts these alone.
    pub share: Share,
    /// The number of threads; 0 is taken for 1. The report is the same whatever it is.
    pub threads: usize,
}

impl Extent {
    /// All of so many schedules, on one thread.
    pub fn whole(schedules: u32, seed: u64) -> Extent {
        Extent { schedules, seed, share: Share::WHOLE, threads: 1 }
    }
}

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

    /// Adds the figures of other runs, and what they broke. Some are read from files, so that a sum may be larger than any
    /// campaign's.
    pub(super) fn add_figures(&mut self, other: &CampaignReport) {
        for (sum, figure) in [
            (&mut self.steps, other.steps),
            (&mut self.events, other.events),
            (&mut self.deliveries_and_effects, other.deliveries_and_effects),
            (&mut self.dead_lettered, other.dead_lettered),
        ] {
            *sum = sum.saturating_add(figure);
        }
        for (sums, figures) in [(&mut self.planned, &other.planned), (&mut self.fired, &other.fired)] {
            sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum = sum.saturating_add(*figure));
        }
        self.runs = self.runs.saturating_add(other.runs);
        self.not_quiescent = self.not_quiescent.saturating_add(other.not_quiescent);
        self.endless = self.endless.saturating_add(other.endless);
        self.broken |= other.broken;
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
