//! What is claimed: the settings that decide how the properties are read, and the semantics as sets of properties.
//!
//! [`Rules`] come from a [`Pipeline`], or from what the judge of a bare history is told.

use super::property::{PropertyId, PropertySet};
use crate::pipeline::{DeadLetters, Level, Obligation, Pipeline, Semantics, Settles};
use crate::vocab::Fault;

/// In which order a message's effect and the confirmation of its settle must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SettleRule {
    /// No settle is confirmed before the effect: what could still be lost must not be ticked off.
    AfterEffect,
    /// No effect is made before a settle is confirmed: what could still come again must not be made.
    BeforeEffect,
}

impl SettleRule {
    /// The order that this promise needs.
    pub const fn needed_by(promise: Semantics) -> Self {
        match promise {
            Semantics::AtMostOnce => SettleRule::BeforeEffect,
            Semantics::AtLeastOnce | Semantics::ExactlyOnce => SettleRule::AfterEffect,
        }
    }
}

/// How the properties are read. Constant for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// What is counted.
    pub level: Level,
    /// Which messages must not be lost.
    pub obligation: Obligation,
    /// Messages may be dead-lettered, and stay so.
    pub sets_aside: bool,
    /// A dead-lettered message counts as not lost.
    pub dead_letters: bool,
    /// First deliveries in submission order are claimed.
    pub ordered: bool,
    /// A message may be settled because it was published again.
    pub requeues: bool,
    /// How effects and settles must follow each other.
    pub settle: SettleRule,
}

impl Rules {
    /// For a history that comes without a pipeline: settings that nobody stated have their defaults, and dead letters
    /// are taken as allowed, since whoever recorded one has a broker that makes them.
    pub fn bare(level: Level, obligation: Obligation) -> Self {
        let settle = SettleRule::AfterEffect;
        Rules { level, obligation, sets_aside: true, dead_letters: true, ordered: false, requeues: false, settle }
    }

    /// The same rules where this semantics is expected.
    pub fn expecting(self, semantics: Semantics) -> Self {
        Rules { settle: SettleRule::needed_by(semantics), ..self }
    }

    /// The properties of this semantics, at these rules' level and for their obligation.
    pub const fn required_by(&self, semantics: Semantics) -> PropertySet {
        let unique = match self.level {
            Level::Delivery => PropertyId::NoDuplicateDelivery,
            Level::Effect => PropertyId::NoDuplicateEffect,
        };
        let kept = match self.obligation {
            Obligation::Acked => PropertyId::AckedNotLost,
            Obligation::Submitted => PropertyId::SubmittedNotLost,
        };
        match semantics {
            Semantics::AtMostOnce => PropertySet::of(&[PropertyId::Integrity, unique]),
            Semantics::AtLeastOnce => PropertySet::of(&[PropertyId::Integrity, kept]),
            Semantics::ExactlyOnce => PropertySet::of(&[PropertyId::Integrity, unique, kept]),
        }
    }
}

impl From<&Pipeline> for Rules {
    fn from(pipeline: &Pipeline) -> Self {
        let settle = match (pipeline.promises, pipeline.consumer.settles) {
            (Some(promise), _) => SettleRule::needed_by(promise),
            (None, Settles::BeforeEffect) => SettleRule::BeforeEffect,
            (None, Settles::AfterEffect | Settles::WithEffect | Settles::InBackground) => SettleRule::AfterEffect,
        };
        let sets_aside = pipeline.sets_aside();
        Rules {
            level: pipeline.level,
            obligation: pipeline.obligation,
            // One that is put back may well have its effect afterwards.
            sets_aside: sets_aside && pipeline.faults.of(Fault::Redrive) == 0,
            dead_letters: sets_aside && pipeline.dead_letters == DeadLetters::Pay,
            ordered: pipeline.ordered,
            requeues: pipeline.consumer.requeues_failures(),
            settle,
        }
    }
}
