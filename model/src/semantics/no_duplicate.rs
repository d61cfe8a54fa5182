//! no-duplicate-delivery: deliveries(m) <= 1 per consumer group.
//! no-duplicate-effect: effects(m) <= 1 per consumer group.
//!
//! One formula at the two levels. A rewind excuses nothing: whoever resets a group asks for the duplicates. An arrival
//! counts whatever it carries and whether or not its message was submitted: that is integrity's business.

use super::{Automaton, Breach, Property, PropertyId, Rules, finite::finite};
use crate::history::EventWord;
use crate::pipeline::Level;
use crate::vocab::{Event, EventKind};

/// The property at the level of deliveries.
pub struct NoDuplicateDelivery;

/// The property at the level of effects.
pub struct NoDuplicateEffect;

/// How often the message arrived, as far as it matters: not yet, or at least once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    arrived: bool,
}

finite!(State { arrived: bool });

impl State {
    fn arrive(&mut self, again: Breach) -> Result<(), Breach> {
        if std::mem::replace(&mut self.arrived, true) { Err(again) } else { Ok(()) }
    }
}

impl Property for NoDuplicateDelivery {
    const ID: PropertyId = PropertyId::NoDuplicateDelivery;
    const WORD: &'static str = "no-duplicate-delivery";
    const FORMULA: &'static str = "deliveries(m) <= 1 per consumer group";
    const SEEN_BY: &'static [EventWord] = &[EventWord::Deliver];
    const IS_USUAL: bool = false;
    type State = State;
    type Bounded = ();
    type Unbounded = ();

    fn is_watched(rules: &Rules) -> bool {
        rules.level == Level::Delivery
    }
}

impl Automaton<()> for NoDuplicateDelivery {
    fn observe(_: &Rules, state: &mut State, _: &mut (), event: &Event, _: usize) -> Result<(), Breach> {
        match event.kind {
            EventKind::Deliver { .. } => state.arrive(Breach::DeliveredAgain),
            _ => Ok(()),
        }
    }
}

impl Property for NoDuplicateEffect {
    const ID: PropertyId = PropertyId::NoDuplicateEffect;
    const WORD: &'static str = "no-duplicate-effect";
    const FORMULA: &'static str = "effects(m) <= 1 per consumer group";
    const SEEN_BY: &'static [EventWord] = &[EventWord::Effect];
    const IS_USUAL: bool = true;
    type State = State;
    type Bounded = ();
    type Unbounded = ();

    fn is_watched(rules: &Rules) -> bool {
        rules.level == Level::Effect
    }
}

impl Automaton<()> for NoDuplicateEffect {
    fn observe(_: &Rules, state: &mut State, _: &mut (), event: &Event, _: usize) -> Result<(), Breach> {
        match event.kind {
            EventKind::Effect { .. } => state.arrive(Breach::EffectedAgain),
            _ => Ok(()),
        }
    }
}
