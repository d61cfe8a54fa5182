//! What a white-box property is: an inspection of each step, and of the rest.

use std::fmt::Debug;

use super::whitebox_rules::WhiteboxRules;
use crate::party_state::PartyState;
use crate::pipeline::Pipeline;
use crate::vocab::{Event, EventKind, MessageId, Outcome, SettleOutcome, Step};

/// One white-box property, judged step by step. It breaks for a message.
pub(in crate::semantics) trait Inspection {
    /// The word that output uses.
    const WORD: &'static str;

    /// What it says, in one line.
    const FORMULA: &'static str;

    /// What it must know of the moment before a step: a few bits.
    type Note: Copy + Debug + Default;

    /// Whether a pipeline of these settings, under these faults, means to keep it.
    fn is_claimed_by(pipeline: &Pipeline) -> bool;

    /// Whether such a step could break it. No other step is looked at.
    fn concerns(terms: &WhiteboxRules, step: Step) -> bool;

    fn before(_: &WhiteboxRules, _: Step, _: &impl PartyState) -> Self::Note {
        Self::Note::default()
    }

    fn after(_: &WhiteboxRules, _: Self::Note, _: Step, _: Happened, _: &impl PartyState) -> Result<(), MessageId>;

    /// What must be true once nothing more can happen.
    fn at_rest(_: &WhiteboxRules, _: &impl PartyState) -> Result<(), MessageId> {
        Ok(())
    }
}

/// What of a step's events matters here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Happened {
    /// The producer was told that the message is stored.
    pub(super) acked: Option<MessageId>,
    /// A settle was confirmed.
    pub(super) settled: Option<MessageId>,
    /// An effect was made.
    pub(super) effected: Option<MessageId>,
}

impl Happened {
    /// Takes in one event.
    pub fn note(&mut self, event: &Event) {
        match event.kind {
            EventKind::Outcome { message, outcome: Outcome::Acked, .. } => self.acked = Some(message),
            EventKind::Settle { message, outcome: SettleOutcome::Ok, .. } => self.settled = Some(message),
            EventKind::Effect { message, .. } => self.effected = Some(message),
            _ => {}
        }
    }
}

impl<'a> FromIterator<&'a Event> for Happened {
    fn from_iter<I: IntoIterator<Item = &'a Event>>(events: I) -> Self {
        let mut happened = Happened::default();
        events.into_iter().for_each(|event| happened.note(event));
        happened
    }
}
