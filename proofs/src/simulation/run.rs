//! One run of the cores, as a schedule says.
//!
//! An exact interleaving is taken step by step. Otherwise the run chooses among the possible steps with ChaCha8 from the
//! schedule's seed, and planned faults strike at their logical points. A run ends when nothing can happen any more, or
//! when it has found a loop that a fair run may take for ever, or at a bound, and says which. To find the loop, a run that
//! has gone on for too long takes the steps of the class that has waited longest. Worlds are told apart by fingerprints of 64 bits.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use crate::mutants::Mutant;
use delivery_model::check::{Turn, class};
use delivery_model::history::{Header, History};
use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{Interleaving, Schedule};
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::{Event, EventKind, Fault, MessageId, ProcessId, Step};
use foldhash::quality::FixedState;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::enabled::Enabled;
use super::party_state::Inspector;
use super::plan::Plan;
use super::world::{CannotTake, World};

/// The process that faults and quiescence belong to.
const FAULTS: ProcessId = ProcessId(4);

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The events. Their time is the number of the step that they were, counted from 1.
    pub history: History,
    /// The steps, faults included: with them as an exact interleaving, the schedule gives the same run.
    pub steps: Vec<Step>,
    /// For each planned fault the step that it was, counted from 0; none if its point was not reached, or if what it
    /// was to befall was gone.
    pub fired: Vec<Option<usize>>,
    /// How it ended.
    pub ending: Ending,
    /// The white-box properties that it broke, each time anew, and for which message.
    pub breaches: Vec<(PropertyId, MessageId)>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Nothing more could happen.
    Rest,
    /// Its steps from this one on (counted from 0) lead back to where they began, and a run that repeats them for ever is
    /// fair: nobody who could go on is passed over.
    Loop {
        /// The first of the repeated steps.
        from: usize,
    },
    /// It was cut at a bound, or its exact interleaving ends earlier.
    Cut,
}

impl Run {
    /// The run as an exact interleaving.
    pub fn interleaving(&self) -> Interleaving {
        let steps = self.steps.clone();
        match self.ending {
            Ending::Loop { from } => Interleaving::Endless { steps, from },
            Ending::Rest | Ending::Cut => Interleaving::Exact(steps),
        }
    }
}

/// An exact interleaving that the cores do not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("step {}: {why}", .at + 1)]
pub struct CannotReplay {
    /// Which of its steps, counted from 0.
    pub at: usize,
    /// Why not.
    pub why: CannotTake,
}

/// The most steps of a run that is not exact. A message takes some 15 steps when nothing goes wrong; whoever needs
/// several times as many, and some for each fault, goes round in circles.
pub(super) fn steps_max(messages: u32, faults: usize) -> usize {
    1_000 + 100 * messages as usize + 100 * faults
}

/// How many steps a run is given to come back to where it was, once it went on for longer than any that ends.
const LOOP_STEPS_MAX: usize = 1_000;
/// How many turns of a loop the cores may need until their counts of attempts and deliveries stop.
const TURNS_MAX: usize = 8;

/// Runs the cores by a schedule.
pub fn run(schedule: &Schedule, mutant: Mutant) -> Result<Run, CannotReplay> {
    let mut running = Running::new(world_of(schedule, mutant), Inspector::new(schedule), history(schedule));
    let mut looped = None;
    let fired = match &schedule.interleaving {
        Interleaving::Exact(steps) => {
            running.exact(steps)?;
            Vec::new()
        }
        Interleaving::Endless { steps, from } => {
            running.exact(steps)?;
            looped = running.turn(&steps[*from..])?;
            Vec::new()
        }
        Interleaving::Seeded(seed) => {
            let mut plan = Plan::default();
            plan.begin(schedule.pipeline.broker.acks, &schedule.faults);
            let steps_max = steps_max(schedule.messages, schedule.faults.len());
            running.seeded(&mut plan, steps_max, *seed);
            if let Some(from) = running.long_loop(steps_max) {
                (running, looped) = running.looping_soonest(schedule, mutant, from);
            }
            plan.fired().to_vec()
        }
    };
    Ok(running.finish(fired, looped))
}

/// What takes in the events of a run.
pub(super) trait Listener {
    /// Takes in an event of this step, counted from 1.
    fn hear(&mut self, step: u64, event: Event);

    /// A step was taken, and led to this world.
    fn look(&mut self, _step: Step, _world: &World) {}
}

impl Listener for History {
    fn hear(&mut self, step: u64, event: Event) {
        self.push(step.into(), event);
    }
}

/// A run on its way.
pub(super) struct Running<L> {
    pub(super) world: World,
    pub(super) inspector: Inspector,
    pub(super) listener: L,
    pub(super) steps: Vec<Step>,
    events: Vec<Event>,
    enabled: Enabled,
}

impl<L: Listener> Running<L> {
    pub(super) fn new(world: World, inspector: Inspector, listener: L) -> Self {
        let (steps, events, enabled) = Default::default();
        Running { world, inspector, listener, steps, events, enabled }
    }

    /// Another run begins, in the world as it is now.
    pub(super) fn begin(&mut self) {
        self.steps.clear();
        self.enabled.clear();
    }

    fn take(&mut self, step: Step) -> Result<(), CannotTake> {
        if !self.world.can(step) {
            return self.world.take(step, &mut self.events);
        }
        self.take_possible(step);
        Ok(())
    }

    /// Takes a step of which it is known that it is possible.
    fn take_possible(&mut self, step: Step) {
        let before = self.inspector.before(&self.world, step);
        self.world.take_possible(step, &mut self.events);
        self.enabled.changed(self.world.changed_by(step));
        self.inspector.after(before, &self.world, step, &self.events);
        self.steps.push(step);
        let at = self.steps.len() as u64;
        self.events.drain(..).for_each(|event| self.listener.hear(at, event));
        self.listener.look(step, &self.world);
    }

    fn exact(&mut self, steps: &[Step]) -> Result<(), CannotReplay> {
        steps.iter().try_for_each(|&step| {
            let at = self.steps.len();
            self.take(step).map_err(|why| CannotReplay { at, why })
        })
    }

    /// Takes these steps again and again, until the world is the same before and after. Says where that turn began, if it
    /// is one that a fair run may take for ever.
    fn turn(&mut self, cycle: &[Step]) -> Result<Option<usize>, CannotReplay> {
        let mut enabled = Vec::new();
        for _ in 0..TURNS_MAX {
            let (before, from) = (self.world.clone(), self.steps.len());
            let mut turn = Turn::default();
            for &step in cycle {
                enabled.clear();
                self.world.enabled(&mut enabled);
                turn.take(step, &enabled);
                self.exact(&[step])?;
            }
            if self.world == before {
                return Ok(turn.is_fair().then_some(from));
            }
        }
        Ok(None)
    }

    /// Takes the step whose class has waited longest, until the world equals an earlier one. Says at which step that one
    /// was, if repeating the steps since then for ever is fair.
    fn go_round(&mut self) -> Option<usize> {
        let mut served: BTreeMap<u8, usize> = BTreeMap::new();
        let mut seen: HashMap<u64, usize, FixedState> = HashMap::default();
        let mut taken: Vec<(Step, Vec<Step>)> = Vec::new();
        let start = self.steps.len();
        for now in 0..LOOP_STEPS_MAX {
            let fingerprint = FixedState::default().hash_one(&self.world);
            if let Some(&since) = seen.get(&fingerprint) {
                let mut turn = Turn::default();
                taken[since..].iter().for_each(|(step, enabled)| turn.take(*step, enabled));
                if turn.is_fair() {
                    return Some(start + since);
                }
            } else {
                seen.insert(fingerprint, now);
            }
            let mut enabled = Vec::new();
            self.world.enabled(&mut enabled);
            let longest = |step: &&Step| served.get(&class(step)).map_or(0, |last| last + 1);
            let step = *enabled.iter().min_by_key(longest)?;
            served.insert(class(&step), now);
            self.take_possible(step);
            taken.push((step, enabled));
        }
        None
    }

    /// Takes steps until nothing is possible or the bound is reached. The plan notes where each planned fault struck. Says
    /// whether nothing is possible any more.
    pub(super) fn seeded(&mut self, plan: &mut Plan, steps_max: usize, seed: u64) -> bool {
        let mut choice = ChaCha8Rng::seed_from_u64(seed);
        while self.steps.len() < steps_max && !self.inspector.is_ambiguous() {
            let now = self.steps.len();
            let step = match plan.strike(&self.world, now) {
                Some(fault) => fault,
                None => {
                    self.enabled.refresh(&self.world);
                    let Some(step) = choose(&mut choice, &self.enabled, plan) else {
                        return true;
                    };
                    plan.forestall(&self.world, step, now).unwrap_or(step)
                }
            };
            let about = plan.about(&self.world, step);
            self.take_possible(step);
            if let Some(about) = about {
                plan.note(&self.world, step, about);
            }
        }
        false
    }

    /// The loop of a run that has gone on for as long as it may: at which step it begins.
    pub(super) fn long_loop(&mut self, steps_max: usize) -> Option<usize> {
        let is_long = self.steps.len() >= steps_max && !self.inspector.is_ambiguous();
        if is_long { self.go_round() } else { None }
    }

    /// The same loop, begun as soon as the run comes to the world in which it begins.
    pub(super) fn looping_soonest(
        &self,
        schedule: &Schedule,
        mutant: Mutant,
        from: usize,
    ) -> (Running<History>, Option<usize>) {
        let (long, cycle) = self.steps.split_at(from);
        let exactly = |steps: &[Step]| {
            let mut running = Running::new(world_of(schedule, mutant), Inspector::new(schedule), history(schedule));
            running.exact(steps).expect("the run took them before");
            running
        };
        let begins = exactly(long).world;
        let mut world = world_of(schedule, mutant);
        let mut events = Vec::new();
        let mut stem = 0;
        while world != begins {
            world.take(long[stem], &mut events).expect("the run took it before");
            stem += 1;
        }
        (exactly(&[&long[..stem], cycle].concat()), Some(stem))
    }
}

impl Running<History> {
    pub(super) fn finish(mut self, fired: Vec<Option<usize>>, looped: Option<usize>) -> Run {
        let ending = match looped {
            Some(from) => Ending::Loop { from },
            None if self.world.is_quiescent() => Ending::Rest,
            None => Ending::Cut,
        };
        if ending == Ending::Rest {
            let at = self.steps.len() as u64;
            self.listener.push(at.into(), Event { process: FAULTS, kind: EventKind::Quiescent });
            self.inspector.at_rest(&self.world);
        }
        let breaches = self.inspector.breaches().to_vec();
        Run { history: self.listener, steps: self.steps, fired, ending, breaches }
    }
}

/// The empty history of a run of this schedule.
fn history(schedule: &Schedule) -> History {
    History { header: Header::from(&schedule.pipeline), names: World::names(), ..History::default() }
}

/// The world in which a schedule starts.
pub(super) fn world_of(schedule: &Schedule, mutant: Mutant) -> World {
    World::new(&with_room(schedule), schedule.messages, mutant)
}

/// The schedule's pipeline, with all that its faults need, whatever the budgets say: a second consumer where a lease
/// expires or a cursor passes on, and records to go back to where the group is rewound.
fn with_room(schedule: &Schedule) -> Pipeline {
    let mut pipeline = schedule.pipeline.clone();
    let planned = schedule.faults.iter().map(|planned| planned.fault);
    for fault in planned.chain(schedule.interleaving.faults()) {
        if matches!(fault, Fault::LeaseExpiry | Fault::Rebalance | Fault::Rewind) {
            pipeline.faults = pipeline.faults.with(fault, pipeline.faults.of(fault).max(1));
        }
    }
    pipeline
}

/// One of the possible steps, each equally likely; those that a fault holds back only if there is no other.
fn choose(choice: &mut ChaCha8Rng, enabled: &Enabled, plan: &Plan) -> Option<Step> {
    if plan.is_armed() {
        let mut free = enabled.iter().filter(|step| !plan.holds_back(**step));
        let count = free.clone().count();
        if count > 0 {
            return free.nth(below(choice, count)).copied();
        }
    }
    enabled.nth(below(choice, enabled.len()))
}

fn below(choice: &mut ChaCha8Rng, count: usize) -> usize {
    // The high half of a product: close enough to uniform for a few steps, and the same on every platform.
    ((u64::from(choice.next_u32()) * count as u64) >> 32) as usize
}
