//! order: per producer, first deliveries come in submission order, without gaps (where the pipeline claims order).
//!
//! A producer is the process that submitted. The order is broken at once when a message is first delivered after one
//! that its producer submitted later, and at quiescence by a gap: a message that was overtaken and never delivered. A
//! message that was dead-lettered, or whose every attempt was refused, leaves no gap. Repetitions are free to come in
//! any order. Messages of which no submit was seen have no place in the order; they are integrity's business.

use super::{Automaton, Breach, PropertyId, Rules, attempts::Attempts, store::GroupState};
use crate::bits::coded;
use crate::vocab::{Event, EventKind, MessageId};

/// The automaton of [`PropertyId::Order`]. How far each producer has come is in the group state.
pub struct Order;

/// What became of the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    attempts: Attempts,
    fate: Fate,
}

coded!(State { attempts: Attempts, fate: Fate });

/// Whether the message still has to find its place in the order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Fate {
    /// It has no place in the order yet.
    #[default]
    NotSubmitted,
    /// It has a place and must be delivered in it.
    Pending,
    /// It leaves no gap, but it may still be delivered out of order.
    DeadLettered,
    /// It was delivered, wherever in the order that was.
    Delivered,
}

coded!(Fate in 2 bits: NotSubmitted, Pending, DeadLettered, Delivered);

impl Automaton for Order {
    const PROPERTY: PropertyId = PropertyId::Order;
    const NEEDS_QUIESCENCE: bool = true;
    type State = State;

    fn observe(_: &Rules, state: &mut State, group: &mut impl GroupState, event: &Event) -> Result<(), Breach> {
        if state.fate == Fate::Delivered {
            return Ok(());
        }
        state.attempts.observe(&event.kind);
        match (event.kind, state.fate) {
            (EventKind::Submit { message, .. }, Fate::NotSubmitted) => {
                state.fate = Fate::Pending;
                group.submit(message, event.process);
            }
            (EventKind::DeadLetter { .. }, Fate::Pending) => state.fate = Fate::DeadLettered,
            (EventKind::Deliver { message, .. }, before) => {
                *state = State { attempts: Attempts::None, fate: Fate::Delivered };
                return if before == Fate::NotSubmitted { Ok(()) } else { take_place(group, message) };
            }
            _ => {}
        }
        Ok(())
    }

    fn at_quiescence(_: &Rules, state: &State, group: &impl GroupState, message: MessageId) -> Result<(), Breach> {
        let missing = state.fate == Fate::Pending && state.attempts != Attempts::AllRefused;
        if missing && group.overtaken(message) { Err(Breach::Skipped) } else { Ok(()) }
    }
}

/// The message is first delivered.
fn take_place(group: &mut impl GroupState, message: MessageId) -> Result<(), Breach> {
    if group.overtaken(message) {
        return Err(Breach::Overtaken);
    }
    group.overtake(message);
    Ok(())
}
