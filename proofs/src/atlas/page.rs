//! What the atlas knows of one pipeline.

use std::collections::{BTreeMap, BTreeSet};

use delivery_model::pipeline::{Level, Pipeline, Semantics};
use delivery_model::semantics::{Doubt, PropertyId, Rules, Verdict, Verdicts};
use delivery_model::spec::Spec;
use delivery_model::spec::bounds::{self, BoundCut};
use delivery_model::story::{Row, story};

use super::faults::FaultSet;
use super::search::{Log, Promise, Story};
use super::survey::Scope;

/// What the atlas knows of one pipeline.
#[derive(Clone, Debug)]
pub struct Page {
    /// The pipeline. Its own budget of faults is not looked at.
    pub pipeline: Pipeline,
    /// How many messages were submitted.
    pub messages: u32,
    /// Which faults were tried, alone and in pairs.
    pub faults: FaultSet,
    /// The minimal sets of faults that break each promise, smallest first.
    pub breaks: Vec<Break>,
    /// The minimal sets of faults under which a message ends as a dead letter, and a shortest story of each.
    pub dead_letters: Vec<(FaultSet, Story)>,
    /// The faults that can strike at all.
    pub strikes: FaultSet,
    /// Unique states, of all walks.
    pub states: usize,
    /// Bounds of the model that the pipeline exceeds.
    pub bounds_exceeded: Vec<BoundCut>,
    /// The minimal sets of faults in which a bound of the model was met: what they do not break is unknown. The empty set
    /// if a search was ended by its limit of states.
    pub cut: Vec<FaultSet>,
}

/// A minimal set of faults that breaks a promise: no part of it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// At which level.
    pub level: Level,
    /// The property that breaks.
    pub property: PropertyId,
    /// The faults, each of which strikes once.
    pub faults: FaultSet,
    /// How it breaks.
    pub story: Story,
}

impl Page {
    /// Puts together what all voyages of a pipeline found, those with fewer messages first.
    pub(super) fn new(pipeline: &Pipeline, course: Scope, logs: &[Log]) -> Self {
        let mut broken: BTreeMap<(FaultSet, Promise), &Story> = BTreeMap::new();
        for (key, story) in logs.iter().flat_map(|log| &log.broken) {
            broken.entry(*key).or_insert(story);
        }
        let is_minimal = |&(faults, promise): &(FaultSet, Promise)| {
            broken.keys().all(|&(other, same)| same != promise || other == faults || !other.is_within(faults))
        };
        let breaks = broken.iter().filter(|(key, _)| is_minimal(key));
        let mut breaks: Vec<Break> = breaks
            .map(|(&(faults, (level, property)), &story)| Break { level, property, faults, story: story.clone() })
            .collect();
        breaks.sort_by_key(|it| (it.level, it.property, it.faults.len(), it.faults));
        let mut dead_letters: BTreeMap<FaultSet, &Story> = BTreeMap::new();
        for (&faults, story) in logs.iter().flat_map(|log| &log.dead_letters) {
            dead_letters.entry(faults).or_insert(story);
        }
        let sets = minimal(dead_letters.keys().copied());
        let dead_letters = sets.into_iter().map(|faults| (faults, dead_letters[&faults].clone())).collect();
        Page {
            pipeline: pipeline.clone(),
            dead_letters,
            messages: course.messages,
            faults: course.faults,
            breaks,
            strikes: logs.iter().flat_map(|log| log.fired.iter()).fold(FaultSet::NONE, FaultSet::with),
            states: logs.iter().map(|log| log.states).sum(),
            // What the file says of faults is not asked about, so its budget exceeds nothing.
            bounds_exceeded: bounds::exceeded(&Pipeline {
                faults: course.faults.budget().capped(2),
                ..pipeline.clone()
            }),
            cut: minimal(logs.iter().flat_map(|log| log.cut.iter().copied())),
        }
    }

    /// How the properties are read at a level.
    pub fn rules(&self, level: Level) -> Rules {
        Rules { level, ..Rules::from(&self.pipeline) }
    }

    /// The verdicts at a level where these faults may strike, each once.
    pub fn verdicts(&self, level: Level, faults: FaultSet) -> Verdicts {
        self.verdicts_if_any(level, std::iter::once(faults))
    }

    /// The verdicts at a level where any one of these sets of faults may strike.
    pub fn verdicts_if_any(&self, level: Level, sets: impl Iterator<Item = FaultSet> + Clone) -> Verdicts {
        let not_asked = sets.clone().any(|faults| !faults.is_within(self.faults));
        let met = self.cut.iter().any(|cut| sets.clone().any(|faults| cut.is_within(faults)));
        let cut = not_asked || met || !self.bounds_exceeded.is_empty();
        Verdicts::new(&self.rules(level), |property| {
            let breaks = |it: &&Break| it.level == level && it.property == property;
            let breaks = |faults: FaultSet| self.breaks.iter().filter(breaks).any(|it| it.faults.is_within(faults));
            match () {
                _ if sets.clone().any(breaks) => Verdict::Violated,
                _ if cut => Verdict::Unknown(Doubt::BoundCut),
                _ => Verdict::Holds,
            }
        })
    }

    /// The verdicts at a level under the usual faults: each once, two at most in one run.
    pub fn verdicts_as_usual(&self, level: Level) -> Verdicts {
        let usual = FaultSet::none_singles_and_pairs().filter(|faults| faults.is_within(FaultSet::usual()));
        self.verdicts_if_any(level, usual)
    }

    /// What its vendor or author claims, under the usual faults; none, where nothing is claimed.
    pub fn claim(&self) -> Option<(Semantics, Verdict)> {
        let promise = self.pipeline.promises?;
        Some((promise, self.verdicts_as_usual(self.pipeline.level).of(promise)))
    }

    /// Whether the claim holds, under the usual faults, because dead letters pay the debt.
    pub fn claims_or_dead_lettered(&self) -> bool {
        let rests = |(promise, verdict)| promise != Semantics::AtMostOnce && verdict == Verdict::Holds;
        let usual = |(faults, _): &(FaultSet, Story)| faults.is_within(FaultSet::usual());
        let pays = self.rules(self.pipeline.level).dead_letters;
        pays && self.claim().is_some_and(rests) && self.dead_letters.iter().any(usual)
    }

    /// The minimal sets that break this property at this level.
    pub fn breaks_of(&self, level: Level, property: PropertyId) -> impl Iterator<Item = &Break> {
        self.breaks.iter().filter(move |it| it.level == level && it.property == property)
    }

    /// A story under these faults as rows of a sequence diagram.
    pub fn rows(&self, faults: FaultSet, told: &Story) -> Vec<Row> {
        let pipeline = Pipeline { faults: faults.budget(), ..self.pipeline.clone() };
        let spec = Spec::new(&pipeline, told.messages).expect("the story was found with as many messages");
        story(&spec, &[&*told.steps, &*told.cycle].concat())
    }

    /// Whether every verdict is one on all runs within the bounds.
    pub fn is_complete(&self) -> bool {
        self.cut.is_empty() && self.bounds_exceeded.is_empty()
    }
}

/// The sets in which a bound was met and which none of these decide.
pub(super) fn undecided<'a>(breaking: &'a [FaultSet], cut: &'a [FaultSet]) -> impl Iterator<Item = FaultSet> + 'a {
    cut.iter().copied().filter(|cut| !breaking.iter().any(|it| it.is_within(*cut)))
}

/// Those of the sets that contain no other.
fn minimal(sets: impl Iterator<Item = FaultSet>) -> Vec<FaultSet> {
    let sets: BTreeSet<FaultSet> = sets.collect();
    let contains_another = |set: &FaultSet| sets.iter().any(|other| other != set && other.is_within(*set));
    sets.iter().copied().filter(|set| !contains_another(set)).collect()
}
