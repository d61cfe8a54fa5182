//! refused-not-delivered: every attempt of m definitely refused => m never delivered.
//!
//! Judged at quiescence: as long as a retry may still be made or answered, not every attempt is known. Which attempts
//! count as refused is said in `attempts`. An effect tells of a delivery as well as a delivery does.

use super::{Automaton, Breach, Property, PropertyId, Rules, attempts::Attempts, finite::finite};
use crate::history::EventWord;
use crate::vocab::{Event, EventKind};

/// The property.
pub struct RefusedNotDelivered;

/// The attempts, and whether the message arrived all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    attempts: Attempts,
    arrived: bool,
}

finite!(State { attempts: Attempts, arrived: bool });

impl Property for RefusedNotDelivered {
    const ID: PropertyId = PropertyId::RefusedNotDelivered;
    const WORD: &'static str = "refused-not-delivered";
    const FORMULA: &'static str = "every attempt of m definitely refused => m never delivered";
    const NEEDS_QUIESCENCE: bool = true;
    const SEEN_BY: &'static [EventWord] = &[EventWord::Attempt, EventWord::Outcome, EventWord::Deliver];
    const IS_USUAL: bool = true;
    type State = State;
    type Bounded = ();
    type Unbounded = ();

    fn is_watched(_: &Rules) -> bool {
        true
    }
}

impl Automaton<()> for RefusedNotDelivered {
    fn observe(_: &Rules, state: &mut State, _: &mut (), event: &Event, _: usize) -> Result<(), Breach> {
        state.attempts.observe(&event.kind);
        state.arrived |= matches!(event.kind, EventKind::Deliver { .. } | EventKind::Effect { .. });
        // Once it may have been stored, an arrival is no news: forgetting it keeps a model small.
        state.arrived &= state.attempts != Attempts::MayBeStored;
        Ok(())
    }

    fn at_quiescence(_: &Rules, state: &State, _: &(), _: usize) -> Result<(), Breach> {
        if state.arrived && state.attempts == Attempts::AllRefused { Err(Breach::RefusedDelivered) } else { Ok(()) }
    }
}
