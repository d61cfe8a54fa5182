//! One run of the cores, as a schedule says.
//!
//! An exact interleaving is taken step by step. Otherwise the run chooses among the possible steps with ChaCha8 from the
//! schedule's seed, and planned faults strike at their logical points. A run ends when nothing can happen any more, or
//! at a bound, and says which.

use delivery_impls::mutant::Mutant;
use delivery_model::history::{Header, History};
use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{Interleaving, Schedule};
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::{Event, EventKind, Fault, MessageId, ProcessId, Step};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::inside::Inspector;
use super::plan::{About, Plan};
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
    /// Nothing more could happen. Otherwise the run was cut at [`steps_max`], or its exact interleaving ends earlier.
    pub quiescent: bool,
    /// The white-box properties that it broke, each time anew, and for which message.
    pub breaches: Vec<(PropertyId, MessageId)>,
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
pub fn steps_max(schedule: &Schedule) -> usize {
    1_000 + 100 * schedule.messages as usize + 100 * schedule.faults.len()
}

/// Runs the cores by a schedule.
pub fn run(schedule: &Schedule, mutant: Mutant) -> Result<Run, CannotReplay> {
    let mut running = Running::new(schedule, mutant);
    let fired = match &schedule.interleaving {
        Interleaving::Exact(steps) => {
            for (at, &step) in steps.iter().enumerate() {
                running.take(step).map_err(|why| CannotReplay { at, why })?;
            }
            Vec::new()
        }
        Interleaving::Seeded(seed) => running.seeded(schedule, *seed),
    };
    Ok(running.finish(fired))
}

struct Running {
    world: World,
    inspector: Inspector,
    history: History,
    steps: Vec<Step>,
    events: Vec<Event>,
}

impl Running {
    fn new(schedule: &Schedule, mutant: Mutant) -> Self {
        let header = Header::from(&schedule.pipeline);
        Running {
            world: world_of(schedule, mutant),
            inspector: Inspector::new(schedule),
            history: History { header, names: World::names(), ..History::default() },
            steps: Vec::new(),
            events: Vec::new(),
        }
    }

    fn take(&mut self, step: Step) -> Result<(), CannotTake> {
        let before = self.inspector.before(&self.world, step);
        self.world.take(step, &mut self.events)?;
        self.inspector.after(before, &self.world, step, &self.events);
        self.steps.push(step);
        let at = self.steps.len() as u64;
        self.events.drain(..).for_each(|event| self.history.push(at.into(), event));
        Ok(())
    }

    /// Takes steps until nothing is possible or the bound is reached. Says where each planned fault struck.
    fn seeded(&mut self, schedule: &Schedule, seed: u64) -> Vec<Option<usize>> {
        let mut choice = ChaCha8Rng::seed_from_u64(seed);
        let mut plan = Plan::new(&schedule.pipeline, &schedule.faults);
        let mut enabled = Vec::new();
        while self.steps.len() < steps_max(schedule) && !self.inspector.is_ambiguous() {
            let now = self.steps.len();
            let step = match plan.strike(&self.world, now) {
                Some(fault) => fault,
                None => {
                    enabled.clear();
                    self.world.enabled(&mut enabled);
                    let Some(step) = choose(&mut choice, &enabled, &plan) else {
                        break;
                    };
                    plan.forestall(&self.world, step, now).unwrap_or(step)
                }
            };
            let about = About::step(&self.world, step);
            self.take(step).expect("a step that is offered can be taken");
            plan.note(&self.world, step, about);
        }
        plan.into_fired()
    }

    fn finish(mut self, fired: Vec<Option<usize>>) -> Run {
        let quiescent = self.world.is_quiescent();
        if quiescent {
            let at = self.steps.len() as u64;
            self.history.push(at.into(), Event { process: FAULTS, kind: EventKind::Quiescent });
            self.inspector.at_rest(&self.world);
        }
        let breaches = self.inspector.into_breaches();
        Run { history: self.history, steps: self.steps, fired, quiescent, breaches }
    }
}

/// The world in which a schedule starts.
pub(super) fn world_of(schedule: &Schedule, mutant: Mutant) -> World {
    World::new(&with_room(schedule), schedule.messages, mutant)
}

/// The schedule's pipeline, with all that its faults need, whatever the budgets say: a second consumer where a lease
/// expires, and records to go back to where the group is rewound.
fn with_room(schedule: &Schedule) -> Pipeline {
    let mut pipeline = schedule.pipeline.clone();
    let exact = match &schedule.interleaving {
        Interleaving::Exact(steps) => steps.as_slice(),
        Interleaving::Seeded(_) => &[],
    };
    let planned = schedule.faults.iter().map(|planned| planned.fault);
    for fault in planned.chain(exact.iter().filter_map(|step| step.fault())) {
        if matches!(fault, Fault::LeaseExpiry | Fault::Rewind) {
            pipeline.faults = pipeline.faults.with(fault, pipeline.faults.of(fault).max(1));
        }
    }
    pipeline
}

/// One of the possible steps, each equally likely; those that a fault holds back only if there is no other.
fn choose(choice: &mut ChaCha8Rng, enabled: &[Step], plan: &Plan<'_>) -> Option<Step> {
    let free = enabled.iter().filter(|step| !plan.holds_back(**step));
    let count = free.clone().count();
    if count == 0 { one_of(choice, enabled.len(), enabled.iter()) } else { one_of(choice, count, free) }
}

fn one_of<'a>(choice: &mut ChaCha8Rng, count: usize, mut steps: impl Iterator<Item = &'a Step>) -> Option<Step> {
    // The high half of a product: close enough to uniform for a few steps, and the same on every platform.
    let index = ((u64::from(choice.next_u32()) * count as u64) >> 32) as usize;
    steps.nth(index).copied()
}
