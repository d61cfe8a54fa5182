//! The reasons why a history without a violation is no evidence that a property holds.

use super::{Counts, Doubt, PropertyId, PropertySet, Verdict};
use crate::pipeline::Level;

/// The doubts about a history as a whole.
pub(super) struct Doubts {
    any: Option<Doubt>,
    /// Nothing of what is counted was read.
    nothing_at_level: bool,
    quiescent: bool,
    /// What the history shows goes on for ever.
    pub endless: bool,
    /// Something may have come twice that is not on record.
    pub duplicates: bool,
    /// Something came after the horizon had passed its message.
    pub late: bool,
}

impl Doubts {
    pub fn about(truncated: bool, counts: &Counts, level: Level, quiescent: bool) -> Self {
        let nothing_read = counts.delivered == 0 && counts.effects == 0;
        let any = match (truncated, nothing_read) {
            (true, _) => Some(Doubt::Truncated),
            (false, true) => Some(Doubt::NothingRead),
            (false, false) => None,
        };
        let counted = if level == Level::Effect { counts.effects } else { counts.delivered };
        Doubts { any, nothing_at_level: counted == 0, quiescent, endless: false, duplicates: false, late: false }
    }

    /// The verdict on a property that was not broken, as far as is known.
    pub fn verdict(&self, property: PropertyId, withheld: Option<Doubt>) -> Verdict {
        let ends = self.quiescent || self.endless && PropertySet::OF_ENDLESS_RUNS.contains(property);
        let unfinished = !ends && PropertySet::NEED_QUIESCENCE.contains(property);
        let duplicates = PropertySet::of(&[PropertyId::NoDuplicateDelivery, PropertyId::NoDuplicateEffect]);
        let counts = duplicates.contains(property);
        let contradicted = self.duplicates && counts;
        let doubt = self
            .any
            .or(withheld)
            .or(self.late.then_some(Doubt::PastHorizon))
            .or(contradicted.then_some(Doubt::Contradiction))
            .or((self.nothing_at_level && counts).then_some(Doubt::NothingAtLevel))
            .or(unfinished.then_some(Doubt::NotQuiescent));
        doubt.map_or(Verdict::Holds, Verdict::Unknown)
    }
}
