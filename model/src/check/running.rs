//! Runs a walk over the protocol, or over a model made of it, with packed states.

use stateright::Model;

use super::graph::{Exploration, Walk};
use super::packed::{Rows, Watched, image};
use super::protocol::Protocol;
use super::reduced::Reduced;
use super::sides::Sides;
use crate::vocab::Step;

/// A model of which a protocol's moments are the states.
pub trait OfMoments: Model<Action = Step, State: Into<Watched<1>> + From<Watched<1>> + 'static> + Sync {
    /// Whether it goes on by itself where a step commutes with all others.
    const IS_REDUCED: bool;
}

impl OfMoments for Protocol {
    const IS_REDUCED: bool = false;
}

impl OfMoments for Reduced {
    const IS_REDUCED: bool = true;
}

const IMAGE: usize = image(1);

impl Protocol {
    /// Walks, over the protocol or a model made of it, and keeps moments in as few words as this protocol's take.
    pub fn run<M: OfMoments>(&self, walk: Walk<'_, M>) -> Exploration<M::State> {
        let is_reduced = M::IS_REDUCED;
        match Rows::<IMAGE, 1, IMAGE>::of(self).words() {
            0..=3 => walk.run_over(Sides::<3, IMAGE>::new(self, Rows::of(self), is_reduced)),
            4 => walk.run_over(Sides::<4, IMAGE>::new(self, Rows::of(self), is_reduced)),
            5 => walk.run_over(Sides::<5, IMAGE>::new(self, Rows::of(self), is_reduced)),
            6..=7 => walk.run_over(Sides::<7, IMAGE>::new(self, Rows::of(self), is_reduced)),
            _ => walk.run_over(Sides::<IMAGE, IMAGE>::new(self, Rows::of(self), is_reduced)),
        }
    }
}
