//! What runs have come to: which steps, after which fault, in worlds of which shape.
//!
//! A guided search keeps the schedules of runs that came to something new.

use std::collections::HashSet;

use delivery_model::schedule::StepWord;
use delivery_model::vocab::{Fault, Step};
use foldhash::fast::FixedState;

use super::world::{Shape, World};

/// What is new about a step: its kind, the fault that struck last, and the shape of the world after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Feature {
    step: Kind,
    fault: Option<Fault>,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Move(StepWord),
    Fault(Fault),
}

impl Kind {
    fn of(step: Step) -> Kind {
        match step {
            Step::Move(it) => Kind::Move(it.word()),
            Step::Fault(strike) => Kind::Fault(strike.fault()),
        }
    }
}

/// What all runs together have come to.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    seen: HashSet<Feature, FixedState>,
    struck: Option<Fault>,
    news: usize,
}

impl Coverage {
    /// A run begins.
    pub(super) fn begin(&mut self) {
        (self.struck, self.news) = (None, 0);
    }

    /// A step was taken, and led to this world.
    pub(super) fn note(&mut self, step: Step, world: &World) {
        self.struck = step.fault().or(self.struck);
        let feature = Feature { step: Kind::of(step), fault: self.struck, shape: world.shape() };
        self.news += usize::from(self.seen.insert(feature));
    }

    /// How much of the latest run was new.
    pub(super) fn news(&self) -> usize {
        self.news
    }

    /// How many different things were seen.
    pub fn seen(&self) -> usize {
        self.seen.len()
    }
}
