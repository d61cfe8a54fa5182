//! The words of a history's lines: the events, and the keys that each may have.

use crate::document::words_of;
use crate::vocab::Fault;
use crate::words::words;

words! {
    /// The events of a history.
    EventWord {
        /// See [`EventKind::Submit`](crate::vocab::EventKind::Submit).
        Submit = "submit",
        /// See [`EventKind::Attempt`](crate::vocab::EventKind::Attempt).
        Attempt = "attempt",
        /// See [`EventKind::Outcome`](crate::vocab::EventKind::Outcome).
        Outcome = "outcome",
        /// See [`EventKind::Deliver`](crate::vocab::EventKind::Deliver).
        Deliver = "deliver",
        /// See [`EventKind::Effect`](crate::vocab::EventKind::Effect).
        Effect = "effect",
        /// See [`EventKind::Settle`](crate::vocab::EventKind::Settle).
        Settle = "settle",
        /// See [`EventKind::DeadLetter`](crate::vocab::EventKind::DeadLetter).
        DeadLetter = "dead-letter",
        /// See [`EventKind::Rewind`](crate::vocab::EventKind::Rewind).
        Rewind = "rewind",
        /// See [`EventKind::Fault`](crate::vocab::EventKind::Fault).
        Fault = "fault",
        /// See [`EventKind::Heal`](crate::vocab::EventKind::Heal).
        Heal = "heal",
        /// See [`EventKind::Quiescent`](crate::vocab::EventKind::Quiescent).
        Quiescent = "quiescent",
    }
}

words! {
    /// The keys of a line. The first three stand on every line.
    Key {
        /// When.
        At = "at",
        /// Who.
        Process = "process",
        /// What.
        Event = "event",
        /// About which message.
        Message = "message",
        /// Which transmission of it.
        Attempt = "attempt",
        /// For which consumer group.
        Group = "group",
        /// Of which topic the place in the log is.
        Topic = "topic",
        /// Of which partition of it.
        Partition = "partition",
        /// Which place in the log.
        Position = "position",
        /// Which hand-off of that place.
        Delivery = "delivery",
        /// What came of it.
        Outcome = "outcome",
        /// Which kind of fault.
        Fault = "fault",
        /// The message's bytes, or a digest of them.
        Payload = "payload",
    }
}

impl EventWord {
    /// The keys of such an event's line, apart from the three that every line has.
    pub(super) fn keys(self) -> &'static [Key] {
        use Key::*;
        match self {
            EventWord::Submit => &[Message, Payload],
            EventWord::Attempt => &[Message, Attempt, Payload],
            EventWord::Outcome => &[Message, Attempt, Topic, Partition, Position, Outcome],
            EventWord::Deliver => &[Message, Group, Topic, Partition, Position, Delivery, Payload],
            EventWord::Effect => &[Message, Group, Payload],
            EventWord::Settle => &[Message, Group, Topic, Partition, Position, Delivery, Outcome],
            EventWord::DeadLetter => &[Message, Group],
            EventWord::Rewind => &[Group, Topic, Partition, Position],
            EventWord::Fault | EventWord::Heal => &[Fault],
            EventWord::Quiescent => &[],
        }
    }
}

impl Key {
    /// The keys that every line has.
    pub(super) const EVERYWHERE: [Key; 3] = [Key::At, Key::Process, Key::Event];

    /// Whether every line has it.
    pub(super) fn is_everywhere(self) -> bool {
        Key::EVERYWHERE.contains(&self)
    }

    /// What may stand there, where it does not depend on the event.
    pub(super) fn allowed(self) -> String {
        let list = |words: &str| format!("one of {words}");
        match self {
            Key::At => "a number".to_owned(),
            Key::Process | Key::Group | Key::Topic => "a name, not empty, without control characters".to_owned(),
            Key::Event => list(&words_of(&EventWord::ALL)),
            Key::Message | Key::Position => format!("a whole number from 0 to {}", u64::MAX),
            Key::Partition => format!("a whole number from 0 to {}, or a text", u64::MAX),
            Key::Attempt | Key::Delivery => format!("a whole number from 0 to {}", u32::MAX),
            Key::Outcome => "a word for what came of it".to_owned(),
            Key::Fault => list(&words_of(&Fault::ALL)),
            Key::Payload => "a text".to_owned(),
        }
    }
}
