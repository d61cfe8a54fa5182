//! One event as the importers find it: with names instead of ids. What becomes of rows is in [`build`](crate::build).

use std::sync::Arc;

use delivery_model::history::{At, PartitionName};
use delivery_model::vocab::{Fault, Outcome, SettleOutcome};

/// The name of a message: a number or a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Name {
    Number(u64),
    Text(Arc<str>),
}

impl Name {
    /// The number that the text is, in its usual form, else the text.
    pub fn of(text: &str) -> Name {
        match text.parse::<u64>() {
            Ok(number) if number.to_string() == text => Name::Number(number),
            _ => Name::Text(text.into()),
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Submit,
    Attempt,
    Outcome(Outcome),
    Deliver,
    Effect,
    Settle(SettleOutcome),
    DeadLetter,
    Rewind,
    Fault(Fault),
    Heal(Fault),
    Commit,
    Abort,
    Quiescent,
}

impl What {
    /// Whether it is about no message.
    pub fn is_about_none(self) -> bool {
        matches!(self, What::Rewind | What::Fault(_) | What::Heal(_) | What::Commit | What::Abort | What::Quiescent)
    }
}

/// One event. What does not belong to its kind stays empty.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub at: At,
    pub process: Arc<str>,
    pub what: What,
    pub message: Option<Name>,
    pub group: Option<Arc<str>>,
    pub topic: Option<Arc<str>>,
    pub partition: Option<PartitionName>,
    pub position: Option<u64>,
    pub attempt: Option<u32>,
    pub delivery: Option<u32>,
    pub payload: Option<Arc<str>>,
    /// The transaction in which it happened, or that ends.
    pub transaction: Option<Arc<str>>,
    /// A JSON object: what else the record says.
    pub attributes: Option<serde_json::Map<String, serde_json::Value>>,
}

impl Row {
    /// An event about no message yet.
    pub fn new(at: At, process: impl Into<Arc<str>>, what: What) -> Self {
        Row {
            at,
            process: process.into(),
            what,
            message: None,
            group: None,
            topic: None,
            partition: None,
            position: None,
            attempt: None,
            delivery: None,
            payload: None,
            transaction: None,
            attributes: None,
        }
    }

    /// The same row with this message.
    pub fn about(self, message: Name) -> Self {
        Row { message: Some(message), ..self }
    }
}
