//! The possible moves of a run, kept from step to step: a step makes those parts stale that it may change, and only they are
//! listed anew.

use delivery_model::vocab::Step;

use super::world::{Parts, World};

/// The possible moves, in the order in which [`World::enabled`] lists them.
#[derive(Clone, Debug, Default)]
pub(super) struct Enabled {
    /// The moves of each part, in the parts' order.
    parts: [Vec<Step>; Parts::COUNT],
    /// The parts that are listed.
    fresh: Parts,
    /// The number of moves in all parts.
    count: usize,
}

impl Enabled {
    /// Makes all parts stale: another run begins.
    pub fn clear(&mut self) {
        self.fresh = Parts::NONE;
    }

    /// A step may have changed these parts.
    pub fn changed(&mut self, parts: Parts) {
        self.fresh = self.fresh - parts;
    }

    /// Lists what is stale, of a world that the steps since the last call led to.
    pub fn refresh(&mut self, world: &World) {
        let stale = Parts::ALL - self.fresh;
        for part in stale.iter() {
            let moves = &mut self.parts[part.place()];
            self.count -= moves.len();
            moves.clear();
            world.enabled_of(part, moves);
            self.count += moves.len();
        }
        self.fresh = Parts::ALL;
        debug_assert!(self.is_of(world), "a step changed more than it said");
    }

    /// How many moves there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// All moves.
    pub fn iter(&self) -> impl Iterator<Item = &Step> + Clone {
        self.parts.iter().flatten()
    }

    /// The move at this place.
    pub fn nth(&self, mut place: usize) -> Option<Step> {
        for moves in &self.parts {
            match moves.get(place) {
                Some(step) => return Some(*step),
                None => place -= moves.len(),
            }
        }
        None
    }

    fn is_of(&self, world: &World) -> bool {
        let mut anew = Vec::new();
        world.enabled(&mut anew);
        self.iter().eq(&anew)
    }
}
