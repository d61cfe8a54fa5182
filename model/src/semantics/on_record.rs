//! What a verdict leans on where a record is incomplete: kinds of events that must all be on record.
//!
//! A breach that was found may be none if an event of such a kind is missing, and a property that seems kept may be
//! broken by one. In both cases the verdict is unknown.

use std::collections::BTreeSet;

use super::{Breach, PropertyId};
use crate::history::{EventWord, Header};
use crate::pipeline::Level;

/// The kinds of events that are not on record completely.
#[derive(Clone, Debug, Default)]
pub(super) struct Missing(BTreeSet<EventWord>);

impl Missing {
    pub(super) fn from(header: &Header) -> Self {
        let complete = header.complete.as_ref();
        let is_missing = |word: &EventWord| complete.is_some_and(|complete| !complete.contains(word));
        Missing(EventWord::ALL.into_iter().filter(is_missing).collect())
    }

    /// The first kind that is missing, and without which a breach may be none.
    pub(super) fn behind(&self, breach: Breach, level: Level) -> Option<EventWord> {
        self.first(taken_for_granted(breach, level))
    }

    /// The first kind that is missing, and without which a property may be broken unseen.
    pub(super) fn needed_to_hold(&self, property: PropertyId) -> Option<EventWord> {
        self.first(seen_by(property))
    }

    fn first(&self, needed: &[EventWord]) -> Option<EventWord> {
        needed.iter().copied().find(|word| self.0.contains(word))
    }
}

/// The kinds of events whose absence a breach takes for granted.
fn taken_for_granted(breach: Breach, level: Level) -> &'static [EventWord] {
    use Breach::*;
    use EventWord::*;
    match (breach, level) {
        (NeverSubmitted, _) => &[Submit],
        (AckedLost | SubmittedLost, Level::Effect) => &[Effect, DeadLetter],
        (AckedLost | SubmittedLost, Level::Delivery) => &[Deliver, DeadLetter],
        (RefusedDelivered, _) => &[Attempt, Outcome],
        (Overtaken | Skipped, _) => &[Submit, Deliver],
        (SettledFirst, _) => &[Effect],
        (EffectFirst, _) => &[Settle],
        (DeliveredAfterSettle, _) => &[Rewind],
        (PayloadDiffers | DeliveredAgain | EffectedAgain | EffectAfterDeadLetter | DeadLetterAfterEffect, _) => &[],
    }
}

/// The kinds of events that can break a property, or show what it promises.
fn seen_by(property: PropertyId) -> &'static [EventWord] {
    use EventWord::*;
    match property {
        PropertyId::Integrity => &[Deliver, Effect],
        PropertyId::NoDuplicateDelivery => &[Deliver],
        PropertyId::NoDuplicateEffect => &[Effect],
        PropertyId::AckedNotLost => &[Outcome],
        PropertyId::SubmittedNotLost => &[Submit],
        PropertyId::RefusedNotDelivered => &[Attempt, Outcome, Deliver],
        PropertyId::Order => &[Submit, Deliver],
        PropertyId::SettledAfterEffect => &[Effect, Settle],
        PropertyId::NoDeliveryAfterSettle => &[Deliver, Settle],
        PropertyId::EffectOrDeadLetter => &[Effect, DeadLetter],
        _ => &[],
    }
}
