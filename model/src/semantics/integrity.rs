//! integrity: delivered or effected m was submitted, payload equal.
//!
//! An arrival (a delivery or an effect) must come after a submit of the same message. Payloads are compared where both
//! sides state one; a submit that does not is spoken for by the first attempt that does. Says nothing about how often or
//! whether a message arrives.

use super::{Automaton, Breach, PropertyId, Rules, store::GroupState};
use crate::bits::coded;
use crate::vocab::{Event, EventKind};

/// The automaton of [`PropertyId::Integrity`].
pub struct Integrity;

/// Whether the message was submitted; what it carries is in the group state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    submitted: bool,
}

coded!(State { submitted: bool });

impl Automaton for Integrity {
    const PROPERTY: PropertyId = PropertyId::Integrity;
    type State = State;

    fn observe(_: &Rules, state: &mut State, group: &mut impl GroupState, event: &Event) -> Result<(), Breach> {
        match event.kind {
            EventKind::Submit { message, payload } => {
                state.submitted = true;
                payload.inspect(|&payload| group.carry(message, payload));
            }
            EventKind::Attempt { message, payload: Some(payload), .. } => group.carry(message, payload),
            EventKind::Deliver { message, payload, .. } | EventKind::Effect { message, payload, .. } => {
                if !state.submitted {
                    return Err(Breach::NeverSubmitted);
                }
                let differs = |(sent, arrived)| sent != arrived;
                if group.payload(message).zip(payload).is_some_and(differs) {
                    return Err(Breach::PayloadDiffers);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
