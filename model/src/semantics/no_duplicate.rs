//! no-duplicate-delivery: deliveries(m) <= 1 per consumer group.
//! no-duplicate-effect: effects(m) <= 1 per consumer group.
//!
//! One formula at the two levels. A rewind excuses nothing: whoever resets a group asks for the duplicates. An arrival
//! counts whatever it carries and whether or not its message was submitted: that is integrity's business.

use super::{Automaton, Breach, PropertyId, Rules, store::GroupState};
use crate::bits::coded;
use crate::vocab::{Event, EventKind};

/// The automaton of [`PropertyId::NoDuplicateDelivery`].
pub struct NoDuplicateDelivery;

/// The automaton of [`PropertyId::NoDuplicateEffect`].
pub struct NoDuplicateEffect;

/// How often the message arrived, as far as it matters: not yet, or at least once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    arrived: bool,
}

coded!(State { arrived: bool });

impl State {
    fn arrive(&mut self, again: Breach) -> Result<(), Breach> {
        if std::mem::replace(&mut self.arrived, true) { Err(again) } else { Ok(()) }
    }
}

impl Automaton for NoDuplicateDelivery {
    const PROPERTY: PropertyId = PropertyId::NoDuplicateDelivery;
    type State = State;

    fn observe(_: &Rules, state: &mut State, _: &mut impl GroupState, event: &Event) -> Result<(), Breach> {
        match event.kind {
            EventKind::Deliver { .. } => state.arrive(Breach::DeliveredAgain),
            _ => Ok(()),
        }
    }
}

impl Automaton for NoDuplicateEffect {
    const PROPERTY: PropertyId = PropertyId::NoDuplicateEffect;
    type State = State;

    fn observe(_: &Rules, state: &mut State, _: &mut impl GroupState, event: &Event) -> Result<(), Breach> {
        match event.kind {
            EventKind::Effect { .. } => state.arrive(Breach::EffectedAgain),
            _ => Ok(()),
        }
    }
}
