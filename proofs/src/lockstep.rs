//! The tie between model and code: the spec and the running cores walk in lockstep.
//!
//! Every reachable state of the spec is visited, within the same bounds as the model's, and every edge out of it is driven
//! through the cores: at each state both must offer the very same steps, the cores must be able to suffer every fault
//! that the spec has, and each step must be the same events on both sides. So what breaks the model breaks the code,
//! and what the code does the model allows.
//!
//! What it does not show: each state of the spec is driven from one path to it, the first one found; anything that the
//! cores remember of other paths to the same state is left to the simulation's random runs.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::ops::ControlFlow;

use delivery_impls::mutant::Mutant;
use delivery_model::pipeline::Pipeline;
use delivery_model::spec::bounds::TooManyMessages;
use delivery_model::spec::{Spec, State};
use delivery_model::vocab::{Event, EventKind, Step};

use crate::simulation::world::World;

/// How far the two walked together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// States of the spec that were visited.
    pub states: usize,
    /// Edges of the spec that were driven through the cores.
    pub edges: usize,
    /// Where they parted; none, if every edge was driven.
    pub parted: Option<Parted>,
    /// Every reachable state was visited. False if they parted, or if the caller wanted no more.
    pub complete: bool,
}

/// Where spec and cores differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parted {
    /// The path there.
    pub path: Vec<Step>,
    /// How they differ.
    pub how: Difference,
}

/// How spec and cores differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// They offer different steps.
    Enabled {
        /// What only the spec offers.
        spec_only: Vec<Step>,
        /// What only the cores offer.
        cores_only: Vec<Step>,
    },
    /// The cores cannot take a step that the spec offers.
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

impl fmt::Display for Parted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.how {
            Difference::Enabled { spec_only, cores_only } => {
                write!(f, "only the spec offers {spec_only:?}, only the cores offer {cores_only:?}")?;
            }
            Difference::Refused { step, why } => write!(f, "the cores cannot take {step:?}: {why}")?,
            Difference::Events { step, spec, cores } => {
                write!(f, "{step:?} is {spec:?} in the spec and {cores:?} in the cores")?;
            }
        }
        write!(f, "\nafter")?;
        self.path.iter().try_for_each(|step| write!(f, "\n  {step:?}"))
    }
}

/// Walks spec and cores together. `keep_going` is asked now and then, with the states and edges so far.
pub fn walk(
    pipeline: &Pipeline,
    messages: u32,
    mutant: Mutant,
    keep_going: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Walked, TooManyMessages> {
    let spec = Spec::new(pipeline, messages)?;
    let mut walk = Walk { spec, parents: HashMap::new(), queue: VecDeque::new(), edges: 0 };
    walk.visit(State::default(), None, World::new(pipeline, messages, mutant));
    let mut parted = None;
    let mut stopped = false;
    while let Some((state, world)) = walk.queue.pop_front() {
        if let Err(how) = walk.expand(state, &world) {
            parted = Some(Parted { path: walk.path_to(state), how });
            break;
        }
        if walk.edges % 1024 < 8 && !keep_going(walk.parents.len(), walk.edges) {
            stopped = true;
            break;
        }
    }
    let complete = parted.is_none() && !stopped;
    Ok(Walked { states: walk.parents.len(), edges: walk.edges, parted, complete })
}

struct Walk {
    spec: Spec,
    parents: HashMap<State, Option<(State, Step)>>,
    queue: VecDeque<(State, World)>,
    edges: usize,
}

impl Walk {
    fn visit(&mut self, state: State, parent: Option<(State, Step)>, world: World) {
        self.parents.insert(state, parent);
        self.queue.push_back((state, world));
    }

    fn expand(&mut self, state: State, world: &World) -> Result<(), Difference> {
        if state.is_cut() {
            return Ok(());
        }
        let mut steps = Vec::new();
        let _ = self.spec.steps(&state, &mut |step| {
            steps.push(step);
            ControlFlow::Continue(())
        });
        same_offers(&steps, world)?;
        self.spec.faults(&state, &mut |step| steps.push(step));
        for step in steps {
            let (mut next, mut after) = (state, world.clone());
            let spec_events: Vec<EventKind> = self.spec.take(&mut next, step).iter().map(essence).collect();
            let mut events = Vec::new();
            after.take(step, &mut events).map_err(|error| Difference::Refused { step, why: error.to_string() })?;
            let cores: Vec<EventKind> = events.iter().map(essence).collect();
            if spec_events != cores {
                return Err(Difference::Events { step, spec: spec_events, cores });
            }
            self.edges += 1;
            if !self.parents.contains_key(&next) {
                self.visit(next, Some((state, step)), after);
            }
        }
        Ok(())
    }

    fn path_to(&self, state: State) -> Vec<Step> {
        let mut path = Vec::new();
        let mut at = state;
        while let Some((parent, step)) = self.parents[&at] {
            path.push(step);
            at = parent;
        }
        path.reverse();
        path
    }
}

fn same_offers(spec: &[Step], world: &World) -> Result<(), Difference> {
    let mut cores = Vec::new();
    world.enabled(&mut cores);
    let only = |these: &[Step], those: &[Step]| -> Vec<Step> {
        these.iter().filter(|step| !those.contains(step)).copied().collect()
    };
    let (spec_only, cores_only) = (only(spec, &cores), only(&cores, spec));
    if spec_only.is_empty() && cores_only.is_empty() {
        Ok(())
    } else {
        Err(Difference::Enabled { spec_only, cores_only })
    }
}

/// What must agree of an event: the counts of attempts and deliveries and the payloads are the cores' alone.
fn essence(event: &Event) -> EventKind {
    use EventKind::*;
    match event.kind {
        Submit { message, .. } => Submit { message, payload: None },
        Attempt { message, .. } => Attempt { message, attempt: None, payload: None },
        Outcome { message, outcome, .. } => Outcome { message, attempt: None, outcome, position: None },
        Deliver { message, group, position, .. } => Deliver { message, group, position, delivery: None, payload: None },
        Effect { message, group, .. } => Effect { message, group, payload: None },
        Settle { message, group, position, outcome, .. } => {
            Settle { message, group, position, delivery: None, outcome }
        }
        other => other,
    }
}
