//! The words of a history's lines: the events, and the keys of each.

use crate::document::words_of;
use crate::numbers::whole_number;
use crate::vocab::Fault;
use crate::words::words;

words! {
    /// The events of a history.
    EventWord {
        /// The application asked its producer to send a message.
        Submit = "submit",
        /// The producer transmitted the message.
        Attempt = "attempt",
        /// The producer learned the outcome of an attempt, or gave up waiting for it.
        Outcome = "outcome",
        /// The consumer received a hand-off.
        Deliver = "deliver",
        /// The consumer committed its durable change.
        Effect = "effect",
        /// The consumer told the broker that it is done, with the outcome.
        Settle = "settle",
        /// The broker set the message aside after too many deliveries.
        DeadLetter = "dead-letter",
        /// The group was reset: every position from this one on is delivered again,
        /// in this partition, or in all where none is stated.
        Rewind = "rewind",
        /// A transaction was committed: its attempts and settles count from now on.
        Commit = "commit",
        /// A transaction was aborted: its attempts and settles count for nothing.
        Abort = "abort",
        /// A fault struck.
        Fault = "fault",
        /// A fault ended.
        Heal = "heal",
        /// Faults are healed and nothing more can happen.
        Quiescent = "quiescent",
    }
}

words! {
    /// The keys of a line. The first three stand on every line, and the last may.
    Key {
        /// The time of the event, never earlier than on the line before: nanoseconds or logical steps, or a date and
        /// time as in RFC 3339. One kind in a file.
        At = "at",
        /// The process of the event.
        Process = "process",
        /// The event.
        Event = "event",
        /// The message. 7 and "7" are two messages.
        Message = "message",
        /// The number of the attempt at the message, counted from 1.
        Attempt = "attempt",
        /// The consumer group; may be left out where there is one.
        Group = "group",
        /// The topic of the message, or of the position.
        Topic = "topic",
        /// The partition of the position.
        Partition = "partition",
        /// The position in the log, counted from 0.
        Position = "position",
        /// The number of the delivery of the position, counted from 1.
        Delivery = "delivery",
        /// The outcome.
        Outcome = "outcome",
        /// The transaction to which it belongs.
        Transaction = "transaction",
        /// The kind of fault.
        Fault = "fault",
        /// The message's bytes as text, or a digest of them.
        Payload = "payload",
        /// Whatever else is known. It is kept and shown, and changes no verdict.
        Attributes = "attributes",
    }
}

impl EventWord {
    /// The keys of such an event's line, without the three that every line has.
    pub(crate) fn keys(self) -> &'static [Key] {
        use Key::*;
        match self {
            EventWord::Submit => &[Message, Topic, Payload],
            EventWord::Attempt => &[Message, Attempt, Topic, Transaction, Payload],
            EventWord::Outcome => &[Message, Attempt, Topic, Partition, Position, Outcome],
            EventWord::Deliver => &[Message, Group, Topic, Partition, Position, Delivery, Payload],
            EventWord::Effect => &[Message, Group, Transaction, Payload],
            EventWord::Settle => &[Message, Group, Topic, Partition, Position, Delivery, Outcome, Transaction],
            EventWord::DeadLetter => &[Message, Group],
            EventWord::Rewind => &[Group, Topic, Partition, Position],
            EventWord::Commit | EventWord::Abort => &[Transaction],
            EventWord::Fault | EventWord::Heal => &[Fault],
            EventWord::Quiescent => &[],
        }
    }
}

impl Key {
    /// The keys of every line.
    pub(crate) const EVERYWHERE: [Key; 3] = [Key::At, Key::Process, Key::Event];

    /// Whether every line has the key, or may have it.
    pub(crate) fn is_everywhere(self) -> bool {
        self == Key::Attributes || Key::EVERYWHERE.contains(&self)
    }

    /// The values that the key may have, if they do not depend on the event.
    pub(crate) fn allowed(self) -> String {
        let list = |words: &str| format!("one of {words}");
        match self {
            Key::At => "a number, or a date and time as in RFC 3339".to_owned(),
            Key::Process | Key::Group | Key::Topic | Key::Transaction => {
                "a name, not empty, without control characters".to_owned()
            }
            Key::Event => list(&words_of(&EventWord::ALL)),
            Key::Position => whole_number(0, u64::MAX),
            Key::Message => {
                format!("{}, or a name, not empty, without control characters", whole_number(0, u64::MAX))
            }
            Key::Partition => format!("{}, or a text", whole_number(0, u64::MAX)),
            Key::Attempt | Key::Delivery => whole_number(0, u32::MAX),
            Key::Outcome => "a word for the outcome".to_owned(),
            Key::Fault => list(&words_of(&Fault::ALL)),
            Key::Payload => "a text".to_owned(),
            Key::Attributes => "an object".to_owned(),
        }
    }
}
