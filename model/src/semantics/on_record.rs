//! The kinds of events that a record has with gaps, and the verdicts that depend on them.
//!
//! A missing event can show that a breach is none: a message that seems lost was delivered. A missing event can also break
//! a property that seems to hold: a message was delivered twice. In both cases the verdict is unknown.

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

    /// The first kind with gaps whose missing events could show that this breach is none.
    pub(super) fn behind(&self, breach: Breach, level: Level) -> Option<EventWord> {
        self.first(breach.takes_for_granted(level))
    }

    /// The first kind with gaps whose missing events could break this property.
    pub(super) fn needed_to_hold(&self, property: PropertyId) -> Option<EventWord> {
        self.first(property.seen_by())
    }

    /// Whether this kind has gaps.
    pub(super) fn has(&self, word: EventWord) -> bool {
        self.0.contains(&word)
    }

    fn first(&self, needed: &[EventWord]) -> Option<EventWord> {
        needed.iter().copied().find(|word| self.0.contains(word))
    }
}
