//! effect-or-dead-letter: an effect and a dead letter of one message exclude each other, in one group and in either order.
//!
//! A dead letter says that no handler finished the message; whoever sends it again then repeats the effect. Several
//! brokers set a message aside although it was handled: its last settle was lost, or came while the limit was counted.
//! A rewind excuses nothing. Judged where messages can be set aside.

use super::{Automaton, Breach, PropertyId, Rules, store::GroupState};
use crate::bits::coded;
use crate::vocab::{Event, EventKind};

/// The automaton of [`PropertyId::EffectOrDeadLetter`].
pub struct EffectOrDeadLetter;

/// How the message ended so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// It has not.
    #[default]
    Open,
    /// With an effect.
    Effect,
    /// As a dead letter.
    DeadLetter,
}

coded!(End in 2 bits: Open, Effect, DeadLetter);

impl Automaton for EffectOrDeadLetter {
    const PROPERTY: PropertyId = PropertyId::EffectOrDeadLetter;
    type State = End;

    fn observe(_: &Rules, end: &mut End, _: &mut impl GroupState, event: &Event) -> Result<(), Breach> {
        match (event.kind, *end) {
            (EventKind::Effect { .. }, End::Open) => *end = End::Effect,
            (EventKind::DeadLetter { .. }, End::Open) => *end = End::DeadLetter,
            (EventKind::Effect { .. }, End::DeadLetter) => return Err(Breach::EffectAfterDeadLetter),
            (EventKind::DeadLetter { .. }, End::Effect) => return Err(Breach::DeadLetterAfterEffect),
            _ => {}
        }
        Ok(())
    }
}
