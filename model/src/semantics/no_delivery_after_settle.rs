//! no-delivery-after-settle: settle of a position confirmed => no later delivery of it, unless rewound.
//!
//! Positions are the group's, so which are settled is in the notes; a rewind forgets those from its position on. An event
//! without a position speaks of the one position its message has: it is matched by message, and any rewind excuses it.
//!
//! Leaves out when a delivery *began*: a history records when it was received. A hand-off that was on its way already
//! while another of the same position was settled (leases that run out allow it) is a breach here.

use super::{Automaton, Breach, PropertyId, Rules, shelf::Notes};
use crate::vocab::{Event, EventKind, SettleOutcome};

/// The automaton of [`PropertyId::NoDeliveryAfterSettle`].
pub struct NoDeliveryAfterSettle;

/// Confirmed settles of the message since the last rewind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    /// One that said where.
    placed: bool,
    /// One that did not.
    unplaced: bool,
}

impl Automaton for NoDeliveryAfterSettle {
    const PROPERTY: PropertyId = PropertyId::NoDeliveryAfterSettle;
    type State = State;

    fn observe(_: &Rules, state: &mut State, notes: &mut impl Notes, event: &Event) -> Result<(), Breach> {
        match event.kind {
            EventKind::Settle { outcome: SettleOutcome::Ok, position: Some(position), .. } => {
                state.placed = true;
                notes.settle(position);
            }
            EventKind::Settle { outcome: SettleOutcome::Ok, position: None, .. } => state.unplaced = true,
            EventKind::Deliver { position, .. } => {
                let settled_there = position.map_or(state.placed, |position| notes.settled(position));
                if state.unplaced || settled_there {
                    return Err(Breach::DeliveredAfterSettle);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn rewind(state: &mut State) {
        *state = State::default();
    }
}
