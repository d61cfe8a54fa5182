//! The promises about whole runs, each as two conditions on a moment, `P ~> Q`.
//!
//! They are read off what the state and the monitors hold anyway, so that they cost no states.

use std::fmt;

use super::super::protocol::{Moment, Protocol};
use crate::pipeline::{Acks, Obligation, Pipeline, Semantics};
use crate::semantics::{PropertyId, PropertySet};
use crate::spec::Phase;
use crate::spec::bounds::LOG_MAX;
use crate::vocab::{Fault, MessageId, Position};

/// A promise about whole runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// The producer is done with every message some time.
    Resolves,
    /// What must not be lost arrives.
    Arrives,
    /// What nobody has a lease on is handed off.
    HandsOff,
    /// A message that fails its handler every time blocks no other.
    PoisonBlocksNone,
}

impl Claim {
    /// All of them.
    pub const ALL: [Claim; 4] = [Claim::Resolves, Claim::Arrives, Claim::HandsOff, Claim::PoisonBlocksNone];

    /// The word that output uses.
    pub const fn word(self) -> &'static str {
        match self {
            Claim::Resolves => "resolves",
            Claim::Arrives => "arrives",
            Claim::HandsOff => "hands-off",
            Claim::PoisonBlocksNone => "poison-blocks-none",
        }
    }

    /// The meaning of the claim for people, in one line. The definitions:
    ///
    /// - resolves: submitted(m) ~> acked(m), given up after a refusal or an unknown outcome, or forgotten in a crash
    /// - arrives: obliged(m) ~> m counted at the level, or dead-lettered where allowed
    /// - hands-off: p is durable, unsettled, and no lease on it lives ~> p is handed off, settled or dead-lettered
    /// - poison-blocks-none: the same, while another message is poison
    pub const fn meaning(self) -> &'static str {
        match self {
            Claim::Resolves => "no message leaves its producer waiting for ever",
            Claim::Arrives => "what must not be lost arrives in the end",
            Claim::HandsOff => "no stored message waits for ever to be handed off",
            Claim::PoisonBlocksNone => "a message that always fails holds up no other",
        }
    }

    /// Those that a pipeline owes.
    pub fn of(pipeline: &Pipeline) -> Vec<Claim> {
        Claim::ALL.into_iter().filter(|claim| claim.applies_to(pipeline)).collect()
    }

    /// Whether a pipeline owes it: one that promises to deliver at most once may lose, and where nothing is acked or no
    /// message is poison, there is nothing to say.
    pub fn applies_to(self, pipeline: &Pipeline) -> bool {
        match self {
            Claim::Resolves | Claim::HandsOff => true,
            Claim::Arrives => {
                pipeline.promises != Some(Semantics::AtMostOnce)
                    && (pipeline.obligation == Obligation::Submitted || pipeline.broker.acks != Acks::Never)
            }
            Claim::PoisonBlocksNone => {
                [Fault::Poison, Fault::HandlerCrashes].iter().any(|&fault| pipeline.faults.of(fault) > 0)
            }
        }
    }

    /// The properties that must be watched for it.
    pub(super) fn watched(self, pipeline: &Pipeline) -> PropertySet {
        match (self, pipeline.obligation) {
            (Claim::Arrives, Obligation::Acked) => PropertyId::AckedNotLost.into(),
            (Claim::Arrives, Obligation::Submitted) => PropertyId::SubmittedNotLost.into(),
            _ => PropertySet::EMPTY,
        }
    }

    /// About what it is claimed, one by one.
    pub(super) fn subjects(self, messages: u32) -> Vec<Subject> {
        match self {
            Claim::Resolves | Claim::Arrives => {
                (1..=messages.into()).map(|id| Subject::Message(MessageId(id))).collect()
            }
            Claim::HandsOff | Claim::PoisonBlocksNone => {
                (0..LOG_MAX as u64).map(|place| Subject::Position(Position(place))).collect()
            }
        }
    }

    /// The moment makes the promise.
    pub(super) fn is_made(self, protocol: &Protocol, moment: &Moment, subject: Subject) -> bool {
        let poison = || {
            (1..=protocol.spec.settings().messages() as usize)
                .find(|&id| moment.state.fails(id) || moment.state.kills(id))
        };
        let applies = match self {
            Claim::Resolves | Claim::Arrives => true,
            Claim::HandsOff => poison().is_none(),
            Claim::PoisonBlocksNone => poison().is_some_and(|id| Some(MessageId(id as u64)) != subject.message(moment)),
        };
        applies && !self.is_kept(protocol, moment, subject)
    }

    /// The moment keeps the promise.
    pub(super) fn is_kept(self, protocol: &Protocol, moment: &Moment, subject: Subject) -> bool {
        match subject {
            Subject::Message(message) if self == Claim::Resolves => {
                let phase = moment.state.phase(message.0 as usize - 1);
                matches!(phase, Phase::Unsubmitted | Phase::Acked | Phase::GivenUp | Phase::Forgotten | Phase::Skipped)
            }
            Subject::Message(message) => !protocol.monitor.is_owed(&moment.observed, message),
            Subject::Position(position) => !protocol.spec.is_waiting(&moment.state, position),
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// About what a promise is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Message(MessageId),
    Position(Position),
}

impl Subject {
    /// The message it is about, at a moment when it is known.
    pub(super) fn message(self, moment: &Moment) -> Option<MessageId> {
        match self {
            Subject::Message(message) => Some(message),
            Subject::Position(position) => {
                moment.state.log().nth(position.0 as usize).map(|(message, _)| MessageId(message as u64 + 1))
            }
        }
    }
}
