//! What every property is written as: an automaton that watches the events of one message within one consumer group.
//!
//! A property's file holds all of it: its row (word, formula, when it is watched), the automaton, and what the automaton
//! remembers of a message and of its group. An automaton sees its own states and nothing of the others'.
//!
//! Written once over its state and its group state, an automaton lifts to a small array inside a model's state and to
//! tables over the millions of messages of a history: see [`store`](super::store).

use std::{fmt::Debug, hash::Hash};

use super::{Finite, PropertyId, Rules};
use crate::history::EventWord;
use crate::pipeline::Level;
use crate::vocab::{Event, PartitionId, Position};

/// One property: its row, and what is remembered for it.
pub trait Property {
    /// Which it is.
    const ID: PropertyId;

    /// The word that output uses.
    const WORD: &'static str;

    /// What it says, in one line.
    const FORMULA: &'static str;

    /// Whether a history without a violation is evidence only once things came to rest.
    const NEEDS_QUIESCENCE: bool = false;

    /// Whether what it finds owed at rest is just as much owed in a run that goes on for ever without paying it.
    const SPEAKS_OF_ENDLESS_RUNS: bool = false;

    /// The kinds of events that must be on record without gaps for the verdict "holds": a missing one could break the
    /// property.
    const SEEN_BY: &'static [EventWord];

    /// Whether most pipelines have it watched. What is remembered for those has neighbouring bits.
    const IS_USUAL: bool;

    /// All it remembers of a message: a few bits, so that a model's state stays small and finite.
    type State: Copy + Default + Eq + Ord + Hash + Debug + Finite;

    /// What it remembers beyond one message, in a model: `()` where there is nothing.
    type Bounded: BoundedGroupState;

    /// The same in the judge of a recorded history.
    type Unbounded: GroupState;

    /// Whether it says something under these rules.
    fn is_watched(rules: &Rules) -> bool;

    /// The group was reset; what that excuses is forgotten.
    fn rewind(_state: &mut Self::State) {}
}

/// How a property is judged, event by event. `G` is what it remembers of the group, as the store at hand keeps it.
pub trait Automaton<G>: Property {
    /// Takes in an event that is about this message, the `nth` that its store saw, counted from 0. It may be called again
    /// after a breach: each further breach is reported too.
    fn observe(rules: &Rules, state: &mut Self::State, group: &mut G, event: &Event, nth: usize) -> Result<(), Breach>;

    /// What is owed once nothing more can happen.
    fn at_quiescence(_rules: &Rules, _state: &Self::State, _group: &G, _nth: usize) -> Result<(), Breach> {
        Ok(())
    }
}

/// What one property remembers of a group, beyond its messages' states.
pub trait GroupState: Clone + Default + Eq + Debug {
    /// Forgets what it knows of positions from this one on, of this partition or, where none is stated, of all.
    fn rewind(&mut self, _partition: PartitionId, _position: Position) {}

    /// Forgets what it knows of the messages below the `nth`: a judge with a horizon asks no more about them.
    fn forget_below(&mut self, _nth: u32) {}

    /// Forgets everything, and may keep the room for it.
    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The same in a model's state: a number of a few bits.
pub trait BoundedGroupState: GroupState + Copy + Ord + Hash + Finite {
    /// How many of its bits can be other than 0, the lowest ones, in a run of so many messages over so many positions.
    fn bits_used(messages: u32, positions: u32) -> u32;
}

impl GroupState for () {}

impl BoundedGroupState for () {
    fn bits_used(_: u32, _: u32) -> u32 {
        0
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

impl Breach {
    /// The kinds of events that must be on record without gaps for this breach to be certain: a missing one could show that
    /// it is none.
    pub(super) fn takes_for_granted(self, level: Level) -> &'static [EventWord] {
        use Breach::*;
        use EventWord::*;
        match (self, level) {
            (NeverSubmitted, _) => &[Submit],
            (AckedLost | SubmittedLost, Level::Effect) => &[Effect, DeadLetter],
            (AckedLost | SubmittedLost, Level::Delivery) => &[Deliver, DeadLetter],
            (RefusedDelivered, _) => &[Attempt, Outcome],
            (Overtaken | Skipped, _) => &[Submit, Deliver],
            (SettledFirst, _) => &[Effect],
            (EffectFirst, _) => &[Settle],
            (DeliveredAfterSettle, _) => &[Rewind],
            (PayloadDiffers | DeliveredAgain | EffectedAgain, _) => &[],
            (EffectAfterDeadLetter | DeadLetterAfterEffect, _) => &[],
        }
    }
}
