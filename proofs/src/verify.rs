//! One pipeline in both worlds, the model and the simulated implementation, and whether they agree.
//!
//! The model looks at every interleaving within its bounds. The cores replay each of its counterexamples, step by step,
//! and must break the same property; beside that they run a campaign of random schedules, which may break what the
//! model's bounds were too narrow for. The two agree if every replay breaks what it should and no verdict contradicts
//! another.
//!
//! Leaves out: driving every edge of the model through the cores, which [`lockstep`](crate::lockstep) does.

use delivery_impls::mutant::Mutant;
use delivery_model::check::graph;
use delivery_model::check::{Explored, Limits, LivenessFinding, explore, liveness};
use delivery_model::pipeline::{Pipeline, Semantics};
use delivery_model::schedule::{Interleaving, Schedule};
use delivery_model::semantics::{PropertyId, PropertySet, Question, Rules, Verdict, Verdicts, judge};
use delivery_model::spec::bounds::TooManyMessages;
use delivery_model::vocab::{MessageId, Step};

use crate::simulation::campaign::{CampaignReport, Progress, broken_by, campaign};
use crate::simulation::run::{CannotReplay, Run, run};

/// How far to look in each world.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The model's.
    pub limits: Limits,
    /// How many random schedules the simulation runs.
    pub schedules: u32,
    /// Where they come from.
    pub seed: u64,
}

/// What both worlds say of a pipeline.
#[derive(Clone, Debug)]
pub struct Verified {
    /// How the properties were read.
    pub rules: Rules,
    /// The model's word.
    pub model: Explored,
    /// The model's word on whole runs: that what was begun ends. A reduced search has none.
    pub liveness: Vec<LivenessFinding>,
    /// What the cores made of each of the model's counterexamples, in the same order.
    pub replays: Vec<Replay>,
    /// What the random schedules came to.
    pub campaign: CampaignReport,
    /// The cores' word: that of the campaign, and of the replays.
    pub simulated: Verdicts,
    /// What the cores broke, each with a run that shows it.
    pub broken: Vec<Broken>,
}

/// A counterexample of the model on the cores.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What it breaks in the model.
    pub property: PropertyId,
    /// The counterexample.
    pub schedule: Schedule,
    /// What it breaks in the cores; an error, if they cannot go that way.
    pub outcome: Result<PropertySet, CannotReplay>,
}

impl Replay {
    /// The cores break the same property.
    pub fn confirms(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|broken| broken.contains(self.property))
    }
}

/// A property that the cores broke.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which.
    pub property: PropertyId,
    /// For which message.
    pub message: Option<MessageId>,
    /// The schedule that shows it.
    pub schedule: Schedule,
    /// The steps that it takes.
    pub steps: Vec<Step>,
}

/// How two worlds can disagree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// A counterexample of the model that the cores refuse.
    #[error("the cores cannot go the model's way to a broken {property}: {why}")]
    CannotReplay {
        /// What it breaks in the model.
        property: PropertyId,
        /// Where they stop.
        why: CannotReplay,
    },
    /// A counterexample of the model that breaks nothing in the cores.
    #[error("the model's way to a broken {property} does not break it in the cores")]
    NotBroken {
        /// What it breaks in the model.
        property: PropertyId,
    },
    /// The cores broke what the model says holds.
    #[error("the cores break {property}, which holds in the model")]
    OnlyInCores {
        /// What they break.
        property: PropertyId,
    },
}

impl Verified {
    /// Where the worlds disagree; nowhere, it is hoped.
    pub fn disagreements(&self) -> Vec<Disagreement> {
        let not_confirmed =
            self.replays.iter().filter(|replay| !replay.confirms()).map(|replay| match replay.outcome {
                Err(why) => Disagreement::CannotReplay { property: replay.property, why },
                Ok(_) => Disagreement::NotBroken { property: replay.property },
            });
        let in_model: PropertySet = self.model.violations.iter().map(|violation| violation.property).collect();
        let broken: PropertySet = self.broken.iter().map(|broken| broken.property).collect();
        // What the model did not see to the end it does not contradict.
        let only = if self.model.is_complete() { broken - in_model } else { PropertySet::EMPTY };
        not_confirmed.chain(only.iter().map(|property| Disagreement::OnlyInCores { property })).collect()
    }

    /// The strongest semantics that holds in both worlds.
    pub fn strongest(&self) -> Option<Semantics> {
        let holds = |semantics: &Semantics| {
            [self.model.verdicts, self.simulated].iter().all(|verdicts| verdicts.of(*semantics) == Verdict::Holds)
        };
        Semantics::ALL.into_iter().rev().find(holds)
    }

    /// What the pipeline claims, in both worlds: its promise, and the order of its messages. A claim that is not made
    /// is kept.
    pub fn claims(&self, pipeline: &Pipeline) -> Verdict {
        let promise = pipeline
            .promises
            .map_or(Verdict::Holds, |semantics| self.model.verdicts.of(semantics).and(self.simulated.of(semantics)));
        let is_broken = |property| {
            self.model.violations.iter().any(|violation| violation.property == property)
                || self.broken.iter().any(|broken| broken.property == property)
        };
        if pipeline.ordered && is_broken(PropertyId::Order) { Verdict::Violated } else { promise }
    }
}

/// Who wants to know how far it has come; each may say no, and is told what there is by then.
pub struct Watcher<'a> {
    /// Of the model's search.
    pub model: &'a dyn Fn(&graph::Progress) -> bool,
    /// Of the campaign.
    pub campaign: &'a mut dyn FnMut(Progress) -> bool,
}

/// Checks a pipeline in both worlds.
pub fn verify(pipeline: &Pipeline, bounds: Bounds, watcher: Watcher<'_>) -> Result<Verified, TooManyMessages> {
    let model = explore(pipeline, bounds.limits, watcher.model)?;
    let liveness = match bounds.limits.reduced {
        // Whole runs are read off the whole graph, which a reduced search is asked not to make.
        true => Vec::new(),
        false => liveness(pipeline, bounds.limits, watcher.model)?,
    };
    let rules = Rules::from(pipeline);
    let mut broken = Vec::new();
    let mut replays = Vec::new();
    for violation in &model.violations {
        let interleaving = Interleaving::Exact(violation.steps.clone());
        let messages = violation.messages;
        let schedule = Schedule { pipeline: pipeline.clone(), messages, faults: Vec::new(), interleaving };
        let replayed = run(&schedule, Mutant::None);
        let outcome = replayed.as_ref().map(|run| broken_by(run, rules)).map_err(|why| *why);
        let replay = Replay { property: violation.property, schedule, outcome };
        if let (true, Ok(run)) = (replay.confirms(), &replayed) {
            broken.push(shown(replay.property, &replay.schedule, run));
        }
        replays.push(replay);
    }
    let campaign = campaign(pipeline, Mutant::None, bounds.schedules, bounds.seed, watcher.campaign);
    for found in &campaign.counterexamples {
        if broken.iter().all(|broken| broken.property != found.property) {
            let run = run(&found.schedule, Mutant::None).expect("the campaign ran it before");
            broken.push(shown(found.property, &found.schedule, &run));
        }
    }
    let is_broken = |property| broken.iter().any(|broken| broken.property == property);
    let simulated = Verdicts::new(&rules, |property| match is_broken(property) {
        true => Verdict::Violated,
        false => campaign.verdict(property),
    });
    Ok(Verified { rules, model, liveness, replays, campaign, simulated, broken })
}

/// A run that breaks a property, and the message for which it does.
pub fn shown(property: PropertyId, schedule: &Schedule, run: &Run) -> Broken {
    let judgement = judge(&run.history, Question::default());
    let of_property = judgement.violations.iter().find(|violation| violation.property == property);
    let inside = run.breaches.iter().find(|(broken, _)| *broken == property);
    let message = of_property.map(|violation| violation.message).or(inside.map(|(_, message)| *message));
    Broken { property, message, schedule: schedule.clone(), steps: run.steps.clone() }
}
