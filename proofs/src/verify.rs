//! One pipeline in both worlds, the model and the simulated implementation, and whether they agree.
//!
//! The model looks at every interleaving within its bounds. The cores replay each of its counterexamples, step by step,
//! and must break the same property; beside that they run a campaign of random schedules. What those break beyond the
//! model's bounds is replayed in the model, as far as its encoding holds so many messages. The two agree if every replay
//! breaks what it should, and each has a verdict and none contradicts the other's: who cannot say does not agree.
//!
//! Leaves out: driving every edge of the model through the cores, which [`lockstep`](crate::lockstep) does.

use crate::mutants::Mutant;
use delivery_model::check::graph;
use delivery_model::check::{Claim, Explored, Limits, LivenessFinding, Protocol, Violation, explore, explore_whole};
use delivery_model::pipeline::{FaultBudget, Pipeline, Semantics};
use delivery_model::schedule::Schedule;
use delivery_model::semantics::whitebox::Watch;
use delivery_model::semantics::{
    Doubt, Monitor, PropertyId, PropertySet, Question, Rules, Unbounded, Verdict, Verdicts, judge,
};
use delivery_model::spec::State;
use delivery_model::spec::bounds::{MESSAGES_MAX, TooManyMessages};
use delivery_model::story;
use delivery_model::vocab::{MessageId, Step};

use crate::simulation::campaign::{CampaignReport, Progress, broken_by, campaign};
use crate::simulation::run::{CannotReplay, Ending, Run, run};

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
    /// The steps that it takes, those of a loop once.
    pub steps: Vec<Step>,
    /// Where the loop begins that is repeated for ever; none if the run ends.
    pub cycle: Option<usize>,
}

impl Broken {
    /// Its steps, and those that are then repeated for ever; none of these if the run ends.
    pub fn run(&self) -> (&[Step], &[Step]) {
        self.steps.split_at(self.cycle.unwrap_or(self.steps.len()))
    }
}

/// A world without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{world} could not say whether {semantics} holds: {why}")]
pub struct CouldNotSay {
    /// Which world.
    pub world: &'static str,
    /// About what.
    pub semantics: Semantics,
    /// Why not.
    pub why: Doubt,
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
    /// Where the worlds contradict each other.
    pub fn disagreements(&self) -> Vec<Disagreement> {
        let not_confirmed =
            self.replays.iter().filter(|replay| !replay.confirms()).map(|replay| match replay.outcome {
                Err(why) => Disagreement::CannotReplay { property: replay.property, why },
                Ok(_) => Disagreement::NotBroken { property: replay.property },
            });
        let in_model: PropertySet = self.model.violations.iter().map(|violation| violation.property).collect();
        // What the model did not see to the end, or has no room for, it does not contradict.
        let contradicts = |broken: &&Broken| {
            !in_model.contains(broken.property)
                && self.model.is_complete()
                && broken.schedule.messages as usize <= MESSAGES_MAX
        };
        let only = self.broken.iter().filter(contradicts);
        not_confirmed.chain(only.map(|it| Disagreement::OnlyInCores { property: it.property })).collect()
    }

    /// Which world has no answer to what.
    pub fn could_not_say(&self) -> Vec<CouldNotSay> {
        let worlds = [("model", &self.model.verdicts), ("simulation", &self.simulated)];
        let of_world = |(world, verdicts): (&'static str, &Verdicts)| {
            let verdicts = Semantics::ALL.map(|semantics| (semantics, verdicts.of(semantics)));
            verdicts.into_iter().filter_map(move |(semantics, verdict)| match verdict {
                Verdict::Unknown(why) => Some(CouldNotSay { world, semantics, why }),
                Verdict::Holds | Verdict::Violated => None,
            })
        };
        worlds.into_iter().flat_map(of_world).collect()
    }

    /// Both worlds have an answer to everything, and it is the same.
    pub fn agree(&self) -> bool {
        self.disagreements().is_empty() && self.could_not_say().is_empty()
    }

    /// The verdicts in both worlds together.
    pub fn verdicts(&self) -> Verdicts {
        self.model.verdicts.and(&self.simulated)
    }

    /// What the pipeline claims, in both worlds: its promise, and the order of its messages. A claim that is not made
    /// is kept.
    pub fn claims(&self, pipeline: &Pipeline) -> Verdict {
        let promise = pipeline.promises.map_or(Verdict::Holds, |semantics| self.verdicts().of(semantics));
        let is_broken = |property| {
            self.model.violations.iter().any(|violation| violation.property == property)
                || self.broken.iter().any(|broken| broken.property == property)
        };
        if pipeline.ordered && is_broken(PropertyId::Order) { Verdict::Violated } else { promise }
    }
}

/// Callbacks for progress. Each is asked whether to go on; after a no, the result is what there is by then.
pub struct Watcher<'a> {
    /// Of the model's search.
    pub model: &'a dyn Fn(&graph::Progress) -> bool,
    /// Of the campaign.
    pub campaign: &'a mut dyn FnMut(Progress) -> bool,
}

/// Checks a pipeline in both worlds.
pub fn verify(pipeline: &Pipeline, bounds: Bounds, watcher: Watcher<'_>) -> Result<Verified, TooManyMessages> {
    let claims = match bounds.limits.reduced {
        // Whole runs are read off the whole graph, which a reduced search is asked not to make.
        true => Vec::new(),
        false => Claim::of(pipeline),
    };
    let (mut model, liveness) = explore_whole(pipeline, bounds.limits, &claims, watcher.model)?;
    let rules = Rules::from(pipeline);
    let mut broken = Vec::new();
    let mut replays = Vec::new();
    for violation in &model.violations {
        let interleaving = violation.interleaving();
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
    let mut searches = Vec::new();
    for broken in &broken {
        let is_known = model.violations.iter().any(|violation| violation.property == broken.property);
        let is_beyond = broken.schedule.messages > bounds.limits.messages || !model.is_complete();
        if let Some(violation) = Some(broken).filter(|_| !is_known && is_beyond).and_then(in_model) {
            model.verdicts = model.verdicts.broken_by(&rules, violation.property);
            let shortest = shortest(&violation, &mut searches, pipeline, bounds.limits, watcher.model);
            model.violations.push(shortest.unwrap_or(violation));
        }
    }
    model.violations.sort_by_key(|violation| violation.property);
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
    let cycle = match run.ending {
        Ending::Loop { from } if of_property.is_none() && inside.is_none() => Some(from),
        Ending::Loop { .. } | Ending::Rest | Ending::Cut => None,
    };
    let message = message.or_else(|| owed(property, schedule, run));
    Broken { property, message, schedule: schedule.clone(), steps: run.steps.clone(), cycle }
}

/// The message that is still owed something at the end of a run.
fn owed(property: PropertyId, schedule: &Schedule, run: &Run) -> Option<MessageId> {
    let monitor = Monitor { rules: Rules::from(&schedule.pipeline), watched: property.into() };
    let mut store = Unbounded::default();
    run.history.events.iter().for_each(|recorded| monitor.feed(&mut store, &recorded.event, |_, _| {}));
    let mut owed = None;
    monitor.finish(&store, |message, _, _| owed = owed.or(Some(message)));
    owed
}

/// The cores' counterexample as the model's: none if the model has no room for it, does not allow it, or keeps the
/// property all the same.
fn in_model(broken: &Broken) -> Option<Violation> {
    let Broken { property, schedule, steps, cycle, .. } = broken;
    let spec = story::spec_for(&schedule.pipeline, schedule.messages, steps).ok()?;
    let watched = PropertySet::from(*property);
    let protocol = Protocol {
        spec,
        monitor: Monitor { rules: Rules::from(&schedule.pipeline), watched: watched & PropertySet::BLACK_BOX },
        watch: Watch { watched: watched & PropertySet::WHITE_BOX, ..Watch::new(&schedule.pipeline) },
    };
    let (stem, repeated) = broken.run();
    let message = match cycle {
        Some(_) => broken_in_a_loop(&protocol, stem, repeated),
        None => protocol.broken_for(stem, *property).or_else(|| broken_inside(&protocol, stem)),
    }?;
    let (steps, cycle) = (stem.to_vec(), repeated.to_vec());
    let messages = schedule.messages;
    Some(Violation {
        property: *property,
        message: Some(message),
        messages,
        steps,
        cycle,
        needs: None,
        is_shortest: false,
    })
}

/// So many states are looked at for a shorter story of what the cores broke.
const SHORTEST_WITHIN: u32 = 500_000;

/// What breaks with so many messages under these faults, by a shortest story each.
struct Search {
    messages: u32,
    faults: FaultBudget,
    violations: Vec<Violation>,
}

/// The model's shortest story of the same: with as many messages, and with the faults that strike in the found one. None
/// if that takes too long. A search that was made for another property serves again.
fn shortest(
    found: &Violation,
    searches: &mut Vec<Search>,
    pipeline: &Pipeline,
    limits: Limits,
    keep_going: &dyn Fn(&graph::Progress) -> bool,
) -> Option<Violation> {
    let messages = found.messages;
    let struck = found.steps.iter().chain(&found.cycle).filter_map(|step| step.fault());
    let faults = struck.fold(FaultBudget::NONE, |budget, fault| budget.with(fault, budget.of(fault) + 1));
    let is_this = |search: &Search| (search.messages, search.faults) == (messages, faults);
    if !searches.iter().any(is_this) {
        let limits = Limits { messages, states_max: SHORTEST_WITHIN, ..limits };
        let violations = explore(&Pipeline { faults, ..pipeline.clone() }, limits, keep_going).ok()?.violations;
        searches.push(Search { messages, faults, violations });
    }
    let search = searches.iter().find(|search| is_this(search))?;
    search.violations.iter().find(|violation| violation.property == found.property).cloned()
}

/// For which message the run that repeats this loop for ever leaves a debt open.
fn broken_in_a_loop(protocol: &Protocol, stem: &[Step], cycle: &[Step]) -> Option<MessageId> {
    let path = [stem, cycle].concat();
    let before = protocol.along(stem).last()?;
    let after = protocol.along(&path).last()?;
    let messages = 1..=u64::from(protocol.spec.settings().messages());
    let mut owed = messages.map(MessageId).filter(|&message| protocol.monitor.is_owed(&after.observed, message));
    owed.next().filter(|_| before.state == after.state)
}

/// For which message the path breaks what the parties should hold.
fn broken_inside(protocol: &Protocol, path: &[Step]) -> Option<MessageId> {
    let (mut state, mut broken) = (State::default(), None);
    for &step in path {
        protocol.breaks(&state, step, |_, message| broken = broken.or(Some(message)));
        protocol.spec.take(&mut state, step);
    }
    if protocol.spec.is_quiescent(&state) {
        protocol.breaks_at_rest(&state, |_, message| broken = broken.or(Some(message)));
    }
    broken
}
