//! What every property is written as: an automaton that watches the events of one message within one consumer group.
//!
//! Written once over `&mut State, &Event`, an automaton lifts to a small array inside a model's state and to a map over
//! millions of messages: see [`store`](super::store). An automaton sees its own state and nothing of the others'.

use std::{fmt::Debug, hash::Hash};

use super::{PropertyId, Rules, store::GroupState};
use crate::bits::Coded;
use crate::vocab::{Event, MessageId};

/// One property of one message, judged event by event.
pub trait Automaton {
    /// Its name.
    const PROPERTY: PropertyId;

    /// Whether a history without a violation is evidence only once things came to rest.
    const NEEDS_QUIESCENCE: bool = false;

    /// Whether what it finds owed at rest is just as much owed in a run that goes on for ever without paying it.
    const SPEAKS_OF_ENDLESS_RUNS: bool = false;

    /// All it remembers of a message: a few bits, so that a model's state stays small and finite.
    type State: Copy + Default + Eq + Hash + Debug + Coded;

    /// Takes in an event that is about this message. It may be called again after a breach: each further breach is
    /// reported too.
    fn observe(
        rules: &Rules,
        state: &mut Self::State,
        group: &mut impl GroupState,
        event: &Event,
    ) -> Result<(), Breach>;

    /// The group was reset; what that excuses is forgotten.
    fn rewind(_state: &mut Self::State) {}

    /// What is owed once nothing more can happen.
    fn at_quiescence(
        _rules: &Rules,
        _state: &Self::State,
        _notes: &impl GroupState,
        _message: MessageId,
    ) -> Result<(), Breach> {
        Ok(())
    }
}

/// How a property was broken, to be read as "message 7 ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Breach {
    /// Against [`PropertyId::Integrity`].
    #[error("arrived without having been submitted")]
    NeverSubmitted,
    /// Against [`PropertyId::Integrity`].
    #[error("arrived with another payload than it was submitted with")]
    PayloadDiffers,
    /// Against [`PropertyId::NoDuplicateDelivery`].
    #[error("was delivered again")]
    DeliveredAgain,
    /// Against [`PropertyId::NoDuplicateEffect`].
    #[error("had its effect again")]
    EffectedAgain,
    /// Against [`PropertyId::AckedNotLost`].
    #[error("was acked and is lost")]
    AckedLost,
    /// Against [`PropertyId::SubmittedNotLost`].
    #[error("was submitted and is lost")]
    SubmittedLost,
    /// Against [`PropertyId::RefusedNotDelivered`].
    #[error("was delivered although every attempt was refused")]
    RefusedDelivered,
    /// Against [`PropertyId::Order`].
    #[error("was first delivered after a message that was submitted later")]
    Overtaken,
    /// Against [`PropertyId::Order`].
    #[error("was skipped: a message that was submitted later was delivered, it never was")]
    Skipped,
    /// Against [`PropertyId::EffectOrDeadLetter`].
    #[error("had its effect although it was dead-lettered")]
    EffectAfterDeadLetter,
    /// Against [`PropertyId::EffectOrDeadLetter`].
    #[error("was dead-lettered although it had its effect")]
    DeadLetterAfterEffect,
    /// Against [`PropertyId::SettledAfterEffect`].
    #[error("was settled before its effect")]
    SettledFirst,
    /// Against [`PropertyId::SettledAfterEffect`].
    #[error("had its effect before it was settled")]
    EffectFirst,
    /// Against [`PropertyId::NoDeliveryAfterSettle`].
    #[error("was delivered from a position that was settled")]
    DeliveredAfterSettle,
}
