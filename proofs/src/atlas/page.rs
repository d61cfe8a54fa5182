//! The result of the atlas for one pipeline.

use std::collections::{BTreeMap, BTreeSet};

use delivery_model::pipeline::{Level, Pipeline, Semantics};
use delivery_model::semantics::{Doubt, PropertyId, Rules, Verdict, Verdicts};
use delivery_model::spec::Spec;
use delivery_model::spec::bounds::{self, BoundCut};
use delivery_model::story::{self, Asked, End};

use super::faults::FaultSet;
use super::scope::Scope;
use super::search::{Findings, Promise, Story};

/// The result for one pipeline.
#[derive(Clone, Debug)]
pub struct Page {
    /// The pipeline. Its own fault budget is ignored.
    pub pipeline: Pipeline,
    /// The number of messages that were submitted.
    pub messages: u32,
    /// The kinds of fault that were tried, alone and in pairs.
    pub faults: FaultSet,
    /// The minimal sets of faults that break each promise, smallest first.
    pub breaks: Vec<Break>,
    /// The minimal sets of faults under which a message becomes a dead letter, each with a shortest story.
    pub dead_letters: Vec<(FaultSet, Story)>,
    /// The faults that can strike at all.
    pub strikes: FaultSet,
    /// The number of unique states of all searches.
    pub states: usize,
    /// The bounds of the model that the pipeline exceeds.
    pub bounds_exceeded: Vec<BoundCut>,
    /// The minimal sets of faults under which a bound of the model was met: a promise that they do not break is
    /// unknown. The set is empty if a search reached its limit of states.
    pub bounds_met: Vec<FaultSet>,
}

/// A minimal set of faults that breaks a promise: no smaller set within it breaks the same promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The level at which it breaks.
    pub level: Level,
    /// The property that breaks.
    pub property: PropertyId,
    /// The faults, each of which strikes once.
    pub faults: FaultSet,
    /// A shortest run that breaks the promise.
    pub story: Story,
}

impl Page {
    /// Combines the findings of all searches of a pipeline. Searches with fewer messages come first.
    pub(super) fn new(pipeline: &Pipeline, scope: Scope, findings: &[Findings]) -> Self {
        let mut broken: BTreeMap<(FaultSet, Promise), &Story> = BTreeMap::new();
        for (key, story) in findings.iter().flat_map(|found| &found.broken) {
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
        for (&faults, story) in findings.iter().flat_map(|found| &found.dead_letters) {
            dead_letters.entry(faults).or_insert(story);
        }
        let sets = minimal(dead_letters.keys().copied());
        let dead_letters = sets.into_iter().map(|faults| (faults, dead_letters[&faults].clone())).collect();
        Page {
            pipeline: pipeline.clone(),
            dead_letters,
            messages: scope.messages,
            faults: scope.faults,
            breaks,
            strikes: findings.iter().flat_map(|found| found.fired.iter()).fold(FaultSet::NONE, FaultSet::with),
            states: findings.iter().map(|found| found.states).sum(),
            // The pipeline's own fault budget is ignored, so it cannot exceed a bound.
            bounds_exceeded: bounds::exceeded(&Pipeline {
                faults: scope.faults.budget().capped(2),
                ..pipeline.clone()
            }),
            bounds_met: minimal(findings.iter().flat_map(|found| found.bounds_met.iter().copied())),
        }
    }

    /// The rules by which the properties are read at a level.
    pub fn rules(&self, level: Level) -> Rules {
        Rules { level, ..Rules::from(&self.pipeline) }
    }

    /// The verdicts at a level if these faults may strike, each once.
    pub fn verdicts(&self, level: Level, faults: FaultSet) -> Verdicts {
        self.verdicts_if_any(level, std::iter::once(faults))
    }

    /// The verdicts at a level if any one of these sets of faults may strike.
    pub fn verdicts_if_any(&self, level: Level, sets: impl Iterator<Item = FaultSet> + Clone) -> Verdicts {
        let not_asked = sets.clone().any(|faults| !faults.is_within(self.faults));
        let met = self.bounds_met.iter().any(|met| sets.clone().any(|faults| met.is_within(faults)));
        let unknown = not_asked || met || !self.bounds_exceeded.is_empty();
        Verdicts::new(&self.rules(level), |property| {
            let breaks = |it: &&Break| it.level == level && it.property == property;
            let breaks = |faults: FaultSet| self.breaks.iter().filter(breaks).any(|it| it.faults.is_within(faults));
            match () {
                _ if sets.clone().any(breaks) => Verdict::Violated,
                _ if unknown => Verdict::Unknown(Doubt::BoundCut),
                _ => Verdict::Holds,
            }
        })
    }

    /// The verdicts at a level under the usual faults: each at most once, two at most in one run.
    pub fn verdicts_as_usual(&self, level: Level) -> Verdicts {
        let usual = FaultSet::none_singles_and_pairs().filter(|faults| faults.is_within(FaultSet::usual()));
        self.verdicts_if_any(level, usual)
    }

    /// The semantics that the pipeline promises, with the verdict under the usual faults; none if it promises none.
    pub fn claim(&self) -> Option<(Semantics, Verdict)> {
        let promise = self.pipeline.promises?;
        Some((promise, self.verdicts_as_usual(self.pipeline.level).of(promise)))
    }

    /// Whether the claim holds under the usual faults only because dead letters count as delivered.
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

    /// The run under these faults as a story, which marks how it breaks this promise.
    pub fn told(&self, faults: FaultSet, run: &Story, promise: Option<Promise>) -> story::Story {
        let pipeline = Pipeline { faults: faults.budget(), ..self.pipeline.clone() };
        let spec = Spec::new(&pipeline, run.messages).expect("the story was found with as many messages");
        let path = [&*run.steps, &*run.cycle].concat();
        let end = if run.cycle.is_empty() { End::Last } else { End::Loop };
        let mut breaks = Vec::new();
        if let Some((level, property)) = promise {
            breaks = Asked::new(&pipeline, self.rules(level), property.into()).breaks(&spec, &path, end);
            breaks.truncate(1);
        }
        let told = story::Story::of(&spec, &path).marked(&breaks);
        if run.cycle.is_empty() { told } else { told.endless(run.steps.len()) }
    }

    /// Whether no bound was met, so that every verdict covers all runs within the bounds.
    pub fn is_complete(&self) -> bool {
        self.bounds_met.is_empty() && self.bounds_exceeded.is_empty()
    }
}

/// The sets under which a bound was met and that contain none of the breaking sets.
pub(super) fn undecided<'a>(
    breaking: &'a [FaultSet],
    bounds_met: &'a [FaultSet],
) -> impl Iterator<Item = FaultSet> + 'a {
    bounds_met.iter().copied().filter(|met| !breaking.iter().any(|it| it.is_within(*met)))
}

/// The sets that contain no other set.
fn minimal(sets: impl Iterator<Item = FaultSet>) -> Vec<FaultSet> {
    let sets: BTreeSet<FaultSet> = sets.collect();
    let contains_another = |set: &FaultSet| sets.iter().any(|other| other != set && other.is_within(*set));
    sets.iter().copied().filter(|set| !contains_another(set)).collect()
}
