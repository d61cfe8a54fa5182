//! effect-or-dead-letter: an effect and a dead letter of one message exclude each other, in one group and in either order.
//!
//! A dead letter says that no handler finished the message; whoever sends it again then repeats the effect. Several
//! brokers set a message aside although it was handled: its last settle was lost, or came while the limit was counted.
//! A rewind excuses nothing. Judged where messages can be set aside.

use super::{Automaton, Breach, Property, PropertyId, Rules, finite::finite};
use crate::history::EventWord;
use crate::vocab::{Event, EventKind};

/// The property.
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

finite!(End in 2 bits: Open, Effect, DeadLetter);

impl Property for EffectOrDeadLetter {
    const ID: PropertyId = PropertyId::EffectOrDeadLetter;
    const WORD: &'static str = "effect-or-dead-letter";
    const FORMULA: &'static str = "an effect and a dead letter of m exclude each other";
    const SEEN_BY: &'static [EventWord] = &[EventWord::Effect, EventWord::DeadLetter];
    const IS_USUAL: bool = false;
    type State = End;
    type Bounded = ();
    type Unbounded = ();

    fn is_watched(rules: &Rules) -> bool {
        rules.sets_aside
    }
}

impl Automaton<()> for EffectOrDeadLetter {
    fn observe(_: &Rules, end: &mut End, _: &mut (), event: &Event, _: usize) -> Result<(), Breach> {
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
