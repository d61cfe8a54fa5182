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
        self.first(breach.takes_for_granted(level))
    }

    /// The first kind that is missing, and without which a property may be broken unseen.
    pub(super) fn needed_to_hold(&self, property: PropertyId) -> Option<EventWord> {
        self.first(property.seen_by())
    }

    fn first(&self, needed: &[EventWord]) -> Option<EventWord> {
        needed.iter().copied().find(|word| self.0.contains(word))
    }
}
