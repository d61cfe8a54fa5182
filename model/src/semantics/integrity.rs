//! integrity: delivered or effected m was submitted, payload equal.
//!
//! An arrival (a delivery or an effect) must come after a submit of the same message. Payloads are compared where both
//! sides state one; a submit that does not is spoken for by the first attempt that does. Says nothing about how often or
//! whether a message arrives.

use super::{Automaton, Breach, GroupState, Property, PropertyId, Rules, finite::finite};
use crate::history::EventWord;
use crate::pages::Column;
use crate::vocab::{Event, EventKind, PayloadId};

/// The property.
pub struct Integrity;

/// Whether the message was submitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct State {
    submitted: bool,
}

finite!(State { submitted: bool });

/// What messages carry, where their producers said so: by the order in which messages were first seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payloads(Column<u32>);

impl GroupState for Payloads {
    fn forget_below(&mut self, nth: u32) {
        self.0.forget_below(nth);
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

/// What was said of payloads.
trait Carried {
    /// Its producer says what the message carries. What was said first stays.
    fn carry(&mut self, nth: usize, payload: PayloadId);

    /// What the message carries, where that was said.
    fn payload(&self, nth: usize) -> Option<PayloadId>;
}

/// A model's network does not touch payloads, and no event of a model states one.
impl Carried for () {
    fn carry(&mut self, nth: usize, _: PayloadId) {
        debug_assert!(
            false,
            "message number {nth} of a model carries a payload, which only a history's store can compare"
        );
    }

    fn payload(&self, _: usize) -> Option<PayloadId> {
        None
    }
}

impl Carried for Payloads {
    fn carry(&mut self, nth: usize, payload: PayloadId) {
        if self.payload(nth).is_none() {
            self.0.set(nth as u32, payload.0);
        }
    }

    fn payload(&self, nth: usize) -> Option<PayloadId> {
        self.0.get(nth as u32).map(PayloadId)
    }
}

impl Property for Integrity {
    const ID: PropertyId = PropertyId::Integrity;
    const WORD: &'static str = "integrity";
    const FORMULA: &'static str = "delivered or effected m was submitted, payload equal";
    const SEEN_BY: &'static [EventWord] = &[EventWord::Deliver, EventWord::Effect];
    const IS_USUAL: bool = true;
    type State = State;
    type Bounded = ();
    type Unbounded = Payloads;

    fn is_watched(_: &Rules) -> bool {
        true
    }
}

impl<G: Carried> Automaton<G> for Integrity {
    fn observe(_: &Rules, state: &mut State, group: &mut G, event: &Event, nth: usize) -> Result<(), Breach> {
        match event.kind {
            EventKind::Submit { payload, .. } => {
                state.submitted = true;
                payload.inspect(|&payload| group.carry(nth, payload));
            }
            EventKind::Attempt { payload: Some(payload), .. } => group.carry(nth, payload),
            EventKind::Deliver { payload, .. } | EventKind::Effect { payload, .. } => {
                if !state.submitted {
                    return Err(Breach::NeverSubmitted);
                }
                let differs = |(sent, arrived)| sent != arrived;
                if group.payload(nth).zip(payload).is_some_and(differs) {
                    return Err(Breach::PayloadDiffers);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
