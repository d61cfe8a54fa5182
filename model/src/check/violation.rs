//! A broken property with its story, whichever search found it.

use crate::schedule::Interleaving;
use crate::semantics::PropertyId;
use crate::vocab::{MessageId, Step};

/// A broken property and its story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What is broken.
    pub property: PropertyId,
    /// For which message, where it is about one.
    pub message: Option<MessageId>,
    /// How many messages the story needs.
    pub messages: u32,
    /// The story; of a run without end, what comes before its loop.
    pub steps: Vec<Step>,
    /// What is then repeated for ever; empty where the story ends.
    pub cycle: Vec<Step>,
    /// The pipeline's weak setting that the story needs, as key and value: with the stronger word it is no run, or breaks
    /// nothing. Looked for among a few settings whose harm hides behind common faults.
    pub needs: Option<&'static str>,
    /// The search is breadth-first: no run with fewer steps breaks the property, nor, where the story needs a setting, does
    /// so by that setting.
    pub is_shortest: bool,
}

impl Violation {
    /// The run as an interleaving that every world can follow.
    pub fn interleaving(&self) -> Interleaving {
        match self.cycle.is_empty() {
            true => Interleaving::Exact(self.steps.clone()),
            false => Interleaving::Endless { steps: [&*self.steps, &*self.cycle].concat(), from: self.steps.len() },
        }
    }
}
