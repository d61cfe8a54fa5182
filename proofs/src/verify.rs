//! The verification of one pipeline in two worlds, the model and the simulated implementation, and whether they
//! agree.
//!
//! The model covers every interleaving within its bounds. The cores replay each of its counterexamples step by step,
//! and must break the same property. The cores also run a campaign of random schedules. A violation that only the
//! campaign found, beyond the model's bounds, is replayed in the model if its encoding holds as many messages. The
//! worlds agree if every replay breaks the expected property, each world has a verdict, and no verdict contradicts
//! the other's. A world without an answer does not agree.
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

use crate::simulation::campaign::{CampaignReport, Extent, Progress, broken_by, campaign_of};
use crate::simulation::run::{CannotReplay, Ending, Run, run};

/// The bounds of the search in each world.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The limits of the model.
    pub limits: Limits,
    /// Whether the model judges whole runs, for which it searches the whole graph.
    pub whole_runs: bool,
    /// The number of random schedules of the simulation.
    pub schedules: u32,
    /// The seed of the random schedules.
    pub seed: u64,
}

/// The results of both worlds for a pipeline.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The rules by which the properties are read.
    pub rules: Rules,
    /// The model's result.
    pub model: Explored,
    /// The model's result on liveness: whether what was begun ends. Empty if nobody asked.
    pub liveness: Vec<LivenessFinding>,
    /// The replays of the model's counterexamples on the cores, in the same order.
    pub replays: Vec<Replay>,
    /// The result of the random schedules.
    pub campaign: CampaignReport,
    /// The verdicts of the cores, from the campaign and the replays.
    pub simulated: Verdicts,
    /// The properties that the cores broke, each with a run that breaks it.
    pub broken: Vec<Broken>,
}

/// A replay of one of the model's counterexamples on the cores.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The property that it breaks in the model.
    pub property: PropertyId,
    /// The counterexample.
    pub schedule: Schedule,
    /// The properties that it breaks in the cores; an error if the cores cannot take its steps.
    pub outcome: Result<PropertySet, CannotReplay>,
}

impl Replay {
    /// Whether the cores break the same property.
    pub fn confirms(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|broken| broken.contains(self.property))
    }
}

/// A property that the cores broke.
#[derive(Clone, Debug)]
pub struct Broken {
    /// The property.
    pub property: PropertyId,
    /// The message for which it is broken.
    pub message: Option<MessageId>,
    /// The schedule that breaks it.
    pub schedule: Schedule,
    /// The steps of the run, with those of a loop once.
    pub steps: Vec<Step>,
    /// The index of the first step of the loop that is repeated without end; none if the run ends.
    pub cycle: Option<usize>,
}

impl Broken {
    /// The steps of the stem, and the steps of the loop; without a loop the second is empty.
    pub fn run(&self) -> (&[Step], &[Step]) {
        self.steps.split_at(self.cycle.unwrap_or(self.steps.len()))
    }
}

/// A world that has no verdict on a semantics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{world} has no verdict on {semantics}: {why}")]
pub struct CouldNotSay {
    /// The world.
    pub world: &'static str,
    /// The semantics.
    pub semantics: Semantics,
    /// The reason.
    pub why: Doubt,
}

/// A disagreement between the two worlds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// A counterexample of the model that the cores refuse.
    #[error("the cores cannot take the model's steps to a broken {property}: {why}")]
    CannotReplay {
        /// The property that it breaks in the model.
        property: PropertyId,
        /// The step that the cores refuse.
        why: CannotReplay,
    },
    /// A counterexample of the model that breaks nothing in the cores.
    #[error("the model's steps to a broken {property} do not break it in the cores")]
    NotBroken {
        /// The property that it breaks in the model.
        property: PropertyId,
    },
    /// A property that the cores break and that holds in the model.
    #[error("the cores break {property}, which holds in the model")]
    OnlyInCores {
        /// The property.
        property: PropertyId,
    },
}

impl Verified {
    /// The contradictions between the worlds.
    pub fn disagreements(&self) -> Vec<Disagreement> {
        let not_confirmed =
            self.replays.iter().filter(|replay| !replay.confirms()).map(|replay| match replay.outcome {
                Err(why) => Disagreement::CannotReplay { property: replay.property, why },
                Ok(_) => Disagreement::NotBroken { property: replay.property },
            });
        let in_model: PropertySet = self.model.violations.iter().map(|violation| violation.property).collect();
        // A model that met a bound, or that cannot hold the messages, contradicts nothing.
        let contradicts = |broken: &&Broken| {
            !in_model.contains(broken.property)
                && self.model.is_complete()
                && broken.schedule.messages as usize <= MESSAGES_MAX
        };
        let only = self.broken.iter().filter(contradicts);
        not_confirmed.chain(only.map(|it| Disagreement::OnlyInCores { property: it.property })).collect()
    }

    /// The semantics on which a world has no verdict.
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

    /// Whether both worlds have a verdict on everything, and the verdicts are the same.
    pub fn agree(&self) -> bool {
        self.disagreements().is_empty() && self.could_not_say().is_empty()
    }

    /// The verdicts of both worlds together.
    pub fn verdicts(&self) -> Verdicts {
        self.model.verdicts.and(&self.simulated)
    }

    /// The verdict of both worlds on the pipeline's claims: its promise, and the order of its messages. A claim that
    /// is not made holds.
    pub fn claims(&self, pipeline: &Pipeline) -> Verdict {
        let promise = pipeline.promises.map_or(Verdict::Holds, |semantics| self.verdicts().of(semantics));
        let is_broken = |property| {
            self.model.violations.iter().any(|violation| violation.property == property)
                || self.broken.iter().any(|broken| broken.property == property)
        };
        if pipeline.ordered && is_broken(PropertyId::Order) { Verdict::Violated } else { promise }
    }
}

/// The callbacks of a verification. Each returns whether to go on; after false, the result so far is returned.
pub struct Watcher<'a> {
    /// Receives the progress of the model's search.
    pub model: &'a dyn Fn(&graph::Progress) -> bool,
    /// Receives the progress of the campaign.
    pub campaign: &'a mut dyn FnMut(Progress) -> bool,
}

/// Verifies a pipeline in both worlds.
pub fn verify(pipeline: &Pipeline, bounds: Bounds, watcher: Watcher<'_>) -> Result<Verified, TooManyMessages> {
    let claims = if bounds.whole_runs { Claim::of(pipeline) } else { Vec::new() };
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
    let extent = Extent { threads: bounds.limits.threads, ..Extent::whole(bounds.schedules, bounds.seed) };
    let campaign = campaign_of(pipeline, Mutant::None, extent, watcher.campaign);
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

/// The run as a broken property, with the message for which it is broken.
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

/// The message to which a debt is still open at the end of a run.
fn owed(property: PropertyId, schedule: &Schedule, run: &Run) -> Option<MessageId> {
    let monitor = Monitor { rules: Rules::from(&schedule.pipeline), watched: property.into() };
    let mut store = Unbounded::default();
    run.history.events.iter().for_each(|recorded| monitor.feed(&mut store, &recorded.event, |_, _| {}));
    let mut owed = None;
    monitor.finish(&store, |message, _, _| owed = owed.or(Some(message)));
    owed
}

/// The cores' counterexample in the model; none if the model cannot hold it, does not allow it, or does not break the
/// property.
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

/// The limit of states of a search for a shorter story of a violation of the cores.
const SHORTEST_WITHIN: u32 = 500_000;

/// The result of a search for the shortest violations with this many messages under these faults.
struct Search {
    messages: u32,
    faults: FaultBudget,
    violations: Vec<Violation>,
}

/// The model's shortest story of the same violation: with as many messages, and with the faults that strike in the
/// run that was found. None if the search meets its limit of states. A search for one property is used again for the
/// others.
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

/// The message whose debt stays open in the run that repeats this loop.
fn broken_in_a_loop(protocol: &Protocol, stem: &[Step], cycle: &[Step]) -> Option<MessageId> {
    let path = [stem, cycle].concat();
    let before = protocol.along(stem).last()?;
    let after = protocol.along(&path).last()?;
    let messages = 1..=u64::from(protocol.spec.settings().messages());
    let mut owed = messages.map(MessageId).filter(|&message| protocol.monitor.is_owed(&after.observed, message));
    owed.next().filter(|_| before.state == after.state)
}

/// The message for which the path breaks a white-box property.
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
