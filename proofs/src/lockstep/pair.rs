//! The spec and the cores in the same situation, and what must agree of them there: the steps that they offer, the faults
//! that they can suffer, and the events that a step is.

use std::fmt;
use std::ops::ControlFlow;

use crate::mutants::Mutant;
use delivery_model::pipeline::Pipeline;
use delivery_model::spec::bounds::TooManyMessages;
use delivery_model::spec::{Spec, State};
use delivery_model::vocab::{Event, EventKind, Fault, Step};

use crate::simulation::world::World;

/// How spec and cores differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// They offer different steps, or can suffer different faults.
    Enabled {
        /// What only the spec offers.
        spec_only: Vec<Step>,
        /// What only the cores offer.
        cores_only: Vec<Step>,
    },
    /// The cores cannot take a step that they offer.
    Refused {
        /// The step.
        step: Step,
        /// Why not, in the cores' words.
        why: String,
    },
    /// The same step is different events.
    Events {
        /// The step.
        step: Step,
        /// The spec's.
        spec: Vec<EventKind>,
        /// The cores'.
        cores: Vec<EventKind>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Enabled { spec_only, cores_only } => {
                write!(f, "only the spec offers {spec_only:?}, only the cores offer {cores_only:?}")
            }
            Difference::Refused { step, why } => write!(f, "the cores cannot take {step:?}: {why}"),
            Difference::Events { step, spec, cores } => {
                write!(f, "{step:?} is {spec:?} in the spec and {cores:?} in the cores")
            }
        }
    }
}

/// The protocol as both tell it, and where both begin.
pub(super) struct Sides {
    spec: Spec,
    start: World,
}

/// A situation as both see it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Pair {
    pub(super) state: State,
    world: World,
}

impl Sides {
    pub(super) fn new(pipeline: &Pipeline, messages: u32, mutant: Mutant) -> Result<Self, TooManyMessages> {
        Ok(Sides { spec: Spec::new(pipeline, messages)?, start: World::new(pipeline, messages, mutant) })
    }

    pub(super) fn start(&self) -> Pair {
        Pair { state: State::default(), world: self.start.clone() }
    }

    /// The steps that both offer.
    pub(super) fn steps(&self, pair: &Pair) -> Result<Vec<Step>, Difference> {
        let (mut spec, mut cores) = (Vec::new(), Vec::new());
        let _ = self.spec.moves(&pair.state, &mut |it| {
            spec.push(Step::Move(it));
            ControlFlow::Continue(())
        });
        pair.world.enabled(&mut cores);
        same(&mut spec, &mut cores)?;
        Ok(spec)
    }

    /// The faults that both can suffer, of the kinds that may still strike.
    pub(super) fn faults(&self, pair: &Pair) -> Result<Vec<Step>, Difference> {
        let (mut spec, mut cores) = (Vec::new(), Vec::new());
        let may_strike = |fault| self.spec.may_strike(&pair.state, fault);
        if Fault::ALL.into_iter().any(may_strike) {
            self.spec.faults(&pair.state, &mut |it| spec.push(Step::Fault(it)));
            pair.world.faults(&mut cores);
            cores.retain(|step| step.fault().is_some_and(may_strike));
            same(&mut spec, &mut cores)?;
        }
        Ok(spec)
    }

    /// Takes a step that both offer.
    pub(super) fn take(&self, pair: &mut Pair, step: Step) -> Result<(), Difference> {
        let spec: Vec<EventKind> = self.spec.take(&mut pair.state, step).iter().map(essence).collect();
        let mut events = Vec::new();
        pair.world.take(step, &mut events).map_err(|error| Difference::Refused { step, why: error.to_string() })?;
        let cores: Vec<EventKind> = events.iter().map(essence).collect();
        if spec == cores || pair.state.is_cut() { Ok(()) } else { Err(Difference::Events { step, spec, cores }) }
    }
}

/// The order in which the two list their steps means nothing.
fn same(spec: &mut [Step], cores: &mut [Step]) -> Result<(), Difference> {
    spec.sort_unstable();
    cores.sort_unstable();
    if spec == cores {
        return Ok(());
    }
    let only = |these: &[Step], those: &[Step]| -> Vec<Step> {
        these.iter().filter(|step| !those.contains(step)).copied().collect()
    };
    Err(Difference::Enabled { spec_only: only(spec, cores), cores_only: only(cores, spec) })
}

/// What must agree of an event: the counts of attempts and deliveries and the payloads are the cores' alone.
fn essence(event: &Event) -> EventKind {
    use EventKind::*;
    match event.kind {
        Submit { message, .. } => Submit { message, payload: None },
        Attempt { message, .. } => Attempt { message, attempt: None, payload: None },
        Outcome { message, outcome, partition, .. } => {
            Outcome { message, attempt: None, outcome, partition, position: None }
        }
        Deliver { message, group, partition, position, .. } => {
            Deliver { message, group, partition, position, delivery: None, payload: None }
        }
        Effect { message, group, .. } => Effect { message, group, payload: None },
        Settle { message, group, partition, position, outcome, .. } => {
            Settle { message, group, partition, position, delivery: None, outcome }
        }
        other => other,
    }
}
