//! How a walk keeps the states that it has seen: as they are, or packed by someone who knows them.

use std::hash::Hash;

/// A way to keep a state in less room. Equal states, and no others, are packed equally.
pub trait Packing<S>: Send + Sync + 'static {
    /// What is kept of a state.
    type Packed: Clone + Eq + Hash + Send + Sync + 'static;

    /// Packs a state.
    fn pack(&self, state: S) -> Self::Packed;

    /// The state that was packed.
    fn unpack(&self, packed: &Self::Packed) -> S;
}

/// Keeps states as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AsIs;

impl<S: Clone + Eq + Hash + Send + Sync + 'static> Packing<S> for AsIs {
    type Packed = S;

    fn pack(&self, state: S) -> S {
        state
    }

    fn unpack(&self, packed: &S) -> S {
        packed.clone()
    }
}

/// States by id, however they are kept.
pub(super) trait States<S>: Send + Sync {
    fn state(&self, id: u32) -> S;
}

/// States by id, packed.
pub(super) struct Packed<S, P: Packing<S>> {
    pub(super) packing: P,
    pub(super) states: Vec<P::Packed>,
}

impl<S, P: Packing<S>> States<S> for Packed<S, P> {
    fn state(&self, id: u32) -> S {
        self.packing.unpack(&self.states[id as usize])
    }
}
