//! What a core did, told at the moment it took effect.

use delivery_model::vocab::EventKind;

use crate::data::record::Payload;

/// An event without the ids that only its recorder knows: whose process it was, and the number of its payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Report {
    /// What happened; its `payload` is none.
    pub kind: EventKind,
    /// The bytes of the message it is about, where the event tells of them.
    pub payload: Option<Payload>,
}

impl Report {
    /// An event that tells of no bytes.
    pub fn of(kind: EventKind) -> Self {
        Report { kind, payload: None }
    }

    /// An event that tells of these bytes.
    pub fn with(kind: EventKind, payload: &Payload) -> Self {
        Report { kind, payload: Some(Payload::clone(payload)) }
    }
}
