//! The words of a history's lines: the events, and the keys that each may have.

use crate::document::words_of;
use crate::vocab::Fault;
use crate::words::words;

words! {
    /// The events of a history.
    EventWord {
        /// The application asked its producer to send a message.
        Submit = "submit",
        /// The producer transmitted the message.
        Attempt = "attempt",
        /// The producer learned, or gave up learning, what came of an attempt.
        Outcome = "outcome",
        /// The consumer received a hand-off.
        Deliver = "deliver",
        /// The consumer's durable change was committed.
        Effect = "effect",
        /// The consumer told the broker that it is done, and this came of it.
        Settle = "settle",
        /// The broker set the message aside after too many deliveries.
        DeadLetter = "dead-letter",
        /// The group was reset: every position from this one on is delivered again,
        /// in this partition, or in all where none is stated.
        Rewind = "rewind",
        /// A fault struck.
        Fault = "fault",
        /// A fault ended.
        Heal = "heal",
        /// Faults are healed and nothing more can happen.
        Quiescent = "quiescent",
    }
}

words! {
    /// The keys of a line. The first three stand on every line.
    Key {
        /// When it took effect: nanoseconds or logical steps, never less than on the line before.
        At = "at",
        /// Who did it.
        Process = "process",
        /// What happened.
        Event = "event",
        /// Which message it is about.
        Message = "message",
        /// Which transmission of the message, counted from 1.
        Attempt = "attempt",
        /// Which consumer group; may be left out where there is one.
        Group = "group",
        /// Which topic the position is of.
        Topic = "topic",
        /// Which partition the position is of.
        Partition = "partition",
        /// Which place in the log, counted from 0.
        Position = "position",
        /// Which hand-off of that position, counted from 1.
        Delivery = "delivery",
        /// What came of it.
        Outcome = "outcome",
        /// Which kind of fault.
        Fault = "fault",
        /// The message's bytes as text, or a digest of them.
        Payload = "payload",
    }
}

impl EventWord {
    /// The keys of such an event's line, apart from the three that every line has.
    pub(crate) fn keys(self) -> &'static [Key] {
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
    pub(crate) const EVERYWHERE: [Key; 3] = [Key::At, Key::Process, Key::Event];

    /// Whether every line has it.
    pub(crate) fn is_everywhere(self) -> bool {
        Key::EVERYWHERE.contains(&self)
    }

    /// What may stand there, where it does not depend on the event.
    pub(crate) fn allowed(self) -> String {
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
