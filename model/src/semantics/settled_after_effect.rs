//! settled-after-effect: settle(m) ok => effect(m) before it (at-least-once), or settle before effect (at-most-once).
//!
//! Which of the two is the [`SettleRule`]. Only confirmed settles count: of one that was refused or is unknown nothing
//! follows. Under [`SettleRule::AfterEffect`] any earlier effect of the message in the group state will do, since a
//! repetition that is recognised has none of its own. Under [`SettleRule::BeforeEffect`] the settle that comes too late
//! is the breach, so that a consumer which never settles breaks nothing; one settle covers all later effects. Not watched where
//! a message that was published again is settled without an effect.

use super::{Automaton, Breach, Property, PropertyId, Rules, finite::finite, rules::SettleRule};
use crate::history::EventWord;
use crate::vocab::{Event, EventKind, SettleOutcome};

/// The property.
pub struct SettledAfterEffect;

/// Which of the two came first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum First {
    /// Neither came yet.
    #[default]
    Neither,
    /// The effect.
    Effect,
    /// The confirmation of a settle.
    Settle,
}

finite!(First in 2 bits: Neither, Effect, Settle);

impl Property for SettledAfterEffect {
    const ID: PropertyId = PropertyId::SettledAfterEffect;
    const WORD: &'static str = "settled-after-effect";
    const FORMULA: &'static str =
        "settle(m) ok => effect(m) before it (at-least-once), or settle before effect (at-most-once)";
    const SEEN_BY: &'static [EventWord] = &[EventWord::Effect, EventWord::Settle];
    const IS_USUAL: bool = true;
    type State = First;
    type Bounded = ();
    type Unbounded = ();

    fn is_watched(rules: &Rules) -> bool {
        !rules.requeues
    }
}

impl Automaton<()> for SettledAfterEffect {
    fn observe(rules: &Rules, first: &mut First, _: &mut (), event: &Event, _: usize) -> Result<(), Breach> {
        match (event.kind, rules.settle, *first) {
            (EventKind::Effect { .. }, _, First::Neither) => *first = First::Effect,
            (EventKind::Settle { outcome: SettleOutcome::Ok, .. }, SettleRule::AfterEffect, First::Neither) => {
                return Err(Breach::SettledFirst);
            }
            (EventKind::Settle { outcome: SettleOutcome::Ok, .. }, SettleRule::BeforeEffect, First::Effect) => {
                return Err(Breach::EffectFirst);
            }
            (EventKind::Settle { outcome: SettleOutcome::Ok, .. }, SettleRule::BeforeEffect, First::Neither) => {
                *first = First::Settle;
            }
            _ => {}
        }
        Ok(())
    }
}
