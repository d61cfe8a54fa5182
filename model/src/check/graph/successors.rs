//! The source of a packed state's successors: the model's own interface, or a faster way to the same ones.

use stateright::Model;

use super::checks::Checks;
use super::packing::Packing;

/// How an action is classed, for fairness and for export.
pub(in crate::check) type Class<'a, M> = dyn Fn(&<M as Model>::Action) -> u8 + Sync + 'a;

/// What a walk asks of each state.
pub(in crate::check) struct Asked<'a, M: Model> {
    pub(in crate::check) model: &'a M,
    pub(in crate::check) class: Option<&'a Class<'a, M>>,
    pub(in crate::check) checks: &'a Checks<'a, M>,
}

/// What became of one state.
#[derive(Clone, Copy, Default)]
pub(in crate::check) struct Seen {
    /// The open checks that it decides, as bits.
    pub(in crate::check) decided: u64,
    /// How many of its successors are beyond the model's boundary.
    pub(in crate::check) beyond: u64,
}

/// What packed states lead to.
///
/// The answers are those of the model's `actions`, `next_state` and `within_boundary`, in their order, whichever way
/// they are found. What one thread remembers for the next states is its own: no answer depends on it.
pub(in crate::check) trait Successors<M: Model>: Send + Sync {
    /// How states are kept.
    type Packing: Packing<M::State>;
    /// What a thread remembers.
    type Memory: Send;
    /// What is used again for the states of one part of a batch.
    type Scratch: Default;

    fn packing(&self) -> &Self::Packing;

    fn into_packing(self) -> Self::Packing;

    fn memory(&self) -> Self::Memory;

    /// Bytes that one thread's memory takes.
    fn bytes(memory: &Self::Memory) -> usize;

    /// Calls `found` with each successor within the boundary, and the class of the action that leads to it where edges
    /// are kept. `open`: the checks that are not decided.
    fn expand(
        &self,
        asked: &Asked<'_, M>,
        memory: &mut Self::Memory,
        scratch: &mut Self::Scratch,
        state: &PackedBy<Self, M>,
        open: u64,
        found: &mut impl FnMut(PackedBy<Self, M>, Option<u8>),
    ) -> Seen;
}

/// A state as these successors keep it.
pub(in crate::check) type PackedBy<S, M> = <<S as Successors<M>>::Packing as Packing<<M as Model>::State>>::Packed;

/// Asks the model.
pub(super) struct Plain<P>(pub(super) P);

impl<M: Model, P: Packing<M::State>> Successors<M> for Plain<P> {
    type Packing = P;
    type Memory = ();
    type Scratch = Vec<M::Action>;

    fn packing(&self) -> &P {
        &self.0
    }

    fn into_packing(self) -> P {
        self.0
    }

    fn memory(&self) {}

    fn bytes(_: &()) -> usize {
        0
    }

    fn expand(
        &self,
        asked: &Asked<'_, M>,
        _: &mut (),
        actions: &mut Vec<M::Action>,
        state: &P::Packed,
        open: u64,
        found: &mut impl FnMut(P::Packed, Option<u8>),
    ) -> Seen {
        let state = self.0.unpack(state);
        asked.model.actions(&state, actions);
        let mut seen = Seen::default();
        if open != 0 {
            seen.decided = open & asked.checks.decided_by(&state, actions);
        }
        for action in actions.drain(..) {
            let class = asked.class.map(|class| class(&action));
            let Some(next) = asked.model.next_state(&state, action) else { continue };
            match asked.model.within_boundary(&next) {
                true => found(self.0.pack(next), class),
                false => seen.beyond += 1,
            }
        }
        seen
    }
}
