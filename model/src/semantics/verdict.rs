//! Verdicts, three-valued, and how they combine.
//!
//! `violated` beats `unknown` beats `holds`: one counterexample settles a matter that no amount of other evidence can
//! save, and one open question keeps it from being settled well.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::rules::Rules;
use crate::history::EventWord;
use crate::pipeline::Semantics;

/// What was found out about a property, or about a set of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It holds in all that was looked at, and that was enough to tell.
    Holds,
    /// Nothing speaks against it, but that was not enough to tell.
    Unknown(Doubt),
    /// It does not hold.
    Violated,
}

/// Why a verdict is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// The history ends before things came to rest, so that something may still have happened.
    #[error("not quiescent")]
    NotQuiescent,
    /// The recording was cut off.
    #[error("the history is truncated")]
    Truncated,
    /// No delivery and no effect was recorded: every promise about them would hold vacuously.
    #[error("nothing was read")]
    NothingRead,
    /// Something is on record, but nothing of what is counted: no effects, or no deliveries.
    #[error("nothing was read at this level")]
    NothingAtLevel,
    /// Events of a kind that the verdict leans on are not on record completely.
    #[error("not every \"{0}\" is on record")]
    NotOnRecord(EventWord),
    /// A transaction has no end on record, so that it is not known whether what belongs to it counts.
    #[error("a transaction has no end on record")]
    OpenTransaction,
    /// A group subscribes to some topics, and of which topic a message is is not on record.
    #[error("the topic of a message is not on record")]
    UnknownTopic,
    /// Something came later than the horizon, when nothing was known of its message any more.
    #[error("something came after the horizon")]
    PastHorizon,
    /// The record contradicts itself, so that something is missing from it.
    #[error("the record contradicts itself")]
    Contradiction,
    /// A search stopped at a bound before it had seen every state.
    #[error("a bound was cut")]
    BoundCut,
    /// It was stopped before it was through.
    #[error("it was stopped")]
    Stopped,
}

impl Verdict {
    /// The verdict on both of two things.
    pub fn and(self, other: Verdict) -> Verdict {
        self.max(other)
    }

    /// The word that output uses.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Unknown(_) => "unknown",
            Verdict::Violated => "violated",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The verdict on each semantics, from the verdicts on its properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdicts {
    by_semantics: [Verdict; Semantics::ALL.len()],
}

impl Verdicts {
    /// Combines what was found out about the single properties.
    pub fn new(rules: &Rules, of_property: impl Fn(super::PropertyId) -> Verdict) -> Self {
        let of = |semantics| rules.required_by(semantics).iter().map(&of_property).fold(Verdict::Holds, Verdict::and);
        Verdicts { by_semantics: Semantics::ALL.map(of) }
    }

    /// The verdicts on both of two things.
    pub fn and(&self, other: &Verdicts) -> Verdicts {
        Verdicts { by_semantics: Semantics::ALL.map(|semantics| self.of(semantics).and(other.of(semantics))) }
    }

    /// The same, now that this property was seen to break.
    pub fn broken_by(&self, rules: &Rules, property: super::PropertyId) -> Verdicts {
        self.and(&Verdicts::new(rules, |other| if other == property { Verdict::Violated } else { Verdict::Holds }))
    }

    /// The verdict on this semantics.
    pub fn of(&self, semantics: Semantics) -> Verdict {
        self.by_semantics[semantics as usize]
    }

    /// The strongest semantics that holds.
    ///
    /// At-least-once counts as stronger than at-most-once: not losing is the harder of the two, and a consumer can make
    /// up for duplicates but not for losses.
    pub fn strongest(&self) -> Option<Semantics> {
        Semantics::ALL.into_iter().rev().find(|&semantics| self.of(semantics) == Verdict::Holds)
    }

    /// The word for the strongest semantics that holds; "unknown" or "none" if none does.
    pub fn strongest_word(&self) -> &'static str {
        let otherwise = if self.is_unknown() { "unknown" } else { "none" };
        self.strongest().map_or(otherwise, Semantics::word)
    }

    /// Whether no semantics is known to hold, and of some that is unknown.
    pub fn is_unknown(&self) -> bool {
        let is_unknown = |semantics| matches!(self.of(semantics), Verdict::Unknown(_));
        self.strongest().is_none() && Semantics::ALL.into_iter().any(is_unknown)
    }
}
