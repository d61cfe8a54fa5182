//! Reports: what a core did, emitted at the moment it took effect.

use delivery_model::vocab::EventKind;

use crate::data::record::Payload;

/// An event without what only the recorder knows: its process, and the id of its payload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Report {
    /// The event; its `payload` is none.
    pub kind: EventKind,
    /// The payload of the event's message, if the event carries it.
    pub payload: Option<Payload>,
}

impl Report {
    /// An event without a payload.
    pub fn of(kind: EventKind) -> Self {
        Report { kind, payload: None }
    }

    /// An event with this payload.
    pub fn with(kind: EventKind, payload: &Payload) -> Self {
        Report { kind, payload: Some(Payload::clone(payload)) }
    }
}
