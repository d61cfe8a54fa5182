//! refused-not-delivered: every attempt of m definitely refused => m never delivered.
//!
//! Judged at quiescence: as long as a retry may still be made or answered, not every attempt is known. Which attempts
//! count as refused is said in `attempts`. An effect tells of a delivery as well as a delivery does.

use super::{Automaton, Breach, PropertyId, Rules, attempts::Attempts, store::GroupState};
use crate::bits::coded;
use crate::vocab::{Event, EventKind, MessageId};

/// The automaton of [`PropertyId::RefusedNotDelivered`].
pub struct RefusedNotDelivered;

/// The attempts, and whether the message arrived all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    attempts: Attempts,
    arrived: bool,
}

coded!(State { attempts: Attempts, arrived: bool });

impl Automaton for RefusedNotDelivered {
    const PROPERTY: PropertyId = PropertyId::RefusedNotDelivered;
    const NEEDS_QUIESCENCE: bool = true;
    type State = State;

    fn observe(_: &Rules, state: &mut State, _: &mut impl GroupState, event: &Event) -> Result<(), Breach> {
        state.attempts.observe(&event.kind);
        state.arrived |= matches!(event.kind, EventKind::Deliver { .. } | EventKind::Effect { .. });
        // Once it may have been stored, an arrival is no news: forgetting it keeps a model small.
        state.arrived &= state.attempts != Attempts::MayBeStored;
        Ok(())
    }

    fn at_quiescence(_: &Rules, state: &State, _: &impl GroupState, _: MessageId) -> Result<(), Breach> {
        if state.arrived && state.attempts == Attempts::AllRefused { Err(Breach::RefusedDelivered) } else { Ok(()) }
    }
}
