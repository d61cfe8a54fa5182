//! One event's line: its keys in the order in which they are written, and the conversion between events and lines.
//!
//! This is the fast path: one pass over the bytes, no copies. It accepts only correct lines; `diagnose` finds out why
//! a line is not correct.

use std::borrow::Cow;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::names::{MessageName, Names, Partition, PartitionName};
use super::words::{EventWord, Key};
use super::{At, Extra};
use crate::document::{quoted, words_of};
use crate::vocab::{
    AttemptNumber, DeliveryNumber, Event, EventKind, GroupId, MessageId, PartitionId, PayloadId, Position,
    TransactionId,
};
use crate::words::Word;

/// Text that borrows from the line unless it holds an escape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// A line with every key that it may have, in the order in which they are written. A `null` counts as left out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub process: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub event: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(borrow)]
    pub message: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptNumber>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub group: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<PartitionName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryNumber>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Text<'a>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<&'a RawValue>,
}

/// The name of a message in a line: a number or a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Message<'a> {
    Number(u64),
    Text(Text<'a>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Message<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl<'de> Visitor<'de> for Name {
            type Value = Message<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number or a text")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Message<'de>, E> {
                Ok(Message::Number(number))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Message<'de>, E> {
                Ok(Message::Text(Text(Cow::Borrowed(text))))
            }

            fn visit_str<E>(self, text: &str) -> Result<Message<'de>, E> {
                Ok(Message::Text(Text(Cow::Owned(text.to_owned()))))
            }
        }

        deserializer.deserialize_any(Name)
    }
}

/// A line as a JSON object. Serde alone would also accept a list of the values.
pub(super) struct Object<'a>(pub Line<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Line<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, keys: A) -> Result<Line<'de>, A::Error> {
                Line::deserialize(MapAccessDeserializer::new(keys))
            }
        }

        deserializer.deserialize_map(Keys).map(Object)
    }
}

/// The ids of the names in a line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ids {
    pub message: Option<MessageId>,
    pub group: GroupId,
    pub partition: PartitionId,
    pub transaction: Option<TransactionId>,
    pub payload: Option<PayloadId>,
}

/// The flaw of a line that is valid JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub found: String,
    pub expected: String,
}

impl Flaw {
    fn missing(word: EventWord, key: Key) -> Flaw {
        Flaw { found: format!("\"{word}\" without `{key}`"), expected: format!("`{key}`: {}", key.allowed()) }
    }

    fn text(key: Key, found: &str, expected: String) -> Flaw {
        Flaw { found: format!("`{key}` {}", quoted(found)), expected }
    }
}

impl<'a> Line<'a> {
    /// The event word of the line. It is an error if the line has keys that such an event may not have.
    pub fn word(&self) -> Result<EventWord, Flaw> {
        let expected = || Key::Event.allowed();
        let text = self.event.as_ref().ok_or_else(|| Flaw { found: "no `event`".to_owned(), expected: expected() })?;
        let word = EventWord::from_word(&text.0).ok_or_else(|| Flaw::text(Key::Event, &text.0, expected()))?;
        let keys = word.keys();
        let bits = |keys: &[Key]| keys.iter().fold(0_u16, |bits, &key| bits | 1 << key as u16);
        if self.keys() & !(bits(&Key::EVERYWHERE) | bits(keys)) == 0 {
            return Ok(word);
        }
        match Key::ALL.into_iter().find(|&key| self.has(key) && !keys.contains(&key) && !key.is_everywhere()) {
            None => Ok(word),
            Some(key) => {
                let keys: Vec<&str> = Key::EVERYWHERE.iter().chain(keys).map(|key| key.word()).collect();
                let expected = format!("no other keys than {}", keys.join(", "));
                Err(Flaw { found: format!("\"{word}\" with `{key}`"), expected })
            }
        }
    }

    /// The keys that the line has, one bit each.
    fn keys(&self) -> u16 {
        const { assert!(Key::ALL.len() <= u16::BITS as usize) };
        Key::ALL.into_iter().fold(0, |bits, key| bits | u16::from(self.has(key)) << key as u16)
    }

    fn has(&self, key: Key) -> bool {
        match key {
            Key::At => self.at.is_some(),
            Key::Process => self.process.is_some(),
            Key::Event => self.event.is_some(),
            Key::Message => self.message.is_some(),
            Key::Attempt => self.attempt.is_some(),
            Key::Group => self.group.is_some(),
            Key::Topic => self.topic.is_some(),
            Key::Partition => self.partition.is_some(),
            Key::Position => self.position.is_some(),
            Key::Delivery => self.delivery.is_some(),
            Key::Outcome => self.outcome.is_some(),
            Key::Transaction => self.transaction.is_some(),
            Key::Fault => self.fault.is_some(),
            Key::Payload => self.payload.is_some(),
            Key::Attributes => self.attributes.is_some(),
        }
    }

    /// The time of the event.
    pub fn at(&self, word: EventWord) -> Result<At, Flaw> {
        self.at.ok_or_else(|| Flaw::missing(word, Key::At))
    }

    /// The process of the event.
    pub fn process(&self, word: EventWord) -> Result<&str, Flaw> {
        name(Key::Process, self.process.as_ref())?.ok_or_else(|| Flaw::missing(word, Key::Process))
    }

    /// The consumer group, if the line names one.
    pub fn group(&self) -> Result<Option<&str>, Flaw> {
        name(Key::Group, self.group.as_ref())
    }

    /// The name of the message, if the line names one.
    pub fn message(&self) -> Result<Option<MessageName<'_>>, Flaw> {
        match &self.message {
            None => Ok(None),
            Some(Message::Number(number)) => Ok(Some(MessageName::Number(*number))),
            Some(Message::Text(text)) => Ok(name(Key::Message, Some(text))?.map(MessageName::Text)),
        }
    }

    /// The topic, if the line names one.
    pub fn topic(&self) -> Result<Option<&str>, Flaw> {
        name(Key::Topic, self.topic.as_ref())
    }

    /// The partition of the position, as far as the line states it.
    pub fn partition(&self) -> Result<Partition, Flaw> {
        Ok(Partition { topic: self.topic()?.map(Into::into), partition: self.partition.clone() })
    }

    /// The transaction, if the line names one.
    pub fn transaction(&self) -> Result<Option<&str>, Flaw> {
        name(Key::Transaction, self.transaction.as_ref())
    }

    /// The attributes, if the line has any.
    pub fn attributes(&self) -> Result<Option<&RawValue>, Flaw> {
        match self.attributes {
            Some(json) if !json.get().starts_with('{') => {
                Err(Flaw::text(Key::Attributes, json.get(), Key::Attributes.allowed()))
            }
            json => Ok(json),
        }
    }

    /// The event, given the ids of the names in the line.
    pub fn kind(
        &self,
        word: EventWord,
        Ids { message, group, partition, transaction, payload }: Ids,
    ) -> Result<EventKind, Flaw> {
        let Line { attempt, position, delivery, .. } = *self;
        let message = || message.ok_or_else(|| Flaw::missing(word, Key::Message));
        let transaction = || transaction.ok_or_else(|| Flaw::missing(word, Key::Transaction));
        Ok(match word {
            EventWord::Submit => EventKind::Submit { message: message()?, payload },
            EventWord::Attempt => EventKind::Attempt { message: message()?, attempt, payload },
            EventWord::Outcome => {
                let outcome = choice(word, Key::Outcome, self.outcome.as_ref())?;
                EventKind::Outcome { message: message()?, attempt, outcome, partition, position }
            }
            EventWord::Deliver => {
                EventKind::Deliver { message: message()?, group, partition, position, delivery, payload }
            }
            EventWord::Effect => EventKind::Effect { message: message()?, group, payload },
            EventWord::Settle => {
                let outcome = choice(word, Key::Outcome, self.outcome.as_ref())?;
                EventKind::Settle { message: message()?, group, partition, position, delivery, outcome }
            }
            EventWord::DeadLetter => EventKind::DeadLetter { message: message()?, group },
            EventWord::Rewind => {
                let position = position.ok_or_else(|| Flaw::missing(word, Key::Position))?;
                EventKind::Rewind { group, partition, position }
            }
            EventWord::Commit => EventKind::Commit { transaction: transaction()? },
            EventWord::Abort => EventKind::Abort { transaction: transaction()? },
            EventWord::Fault => EventKind::Fault { fault: choice(word, Key::Fault, self.fault.as_ref())? },
            EventWord::Heal => EventKind::Heal { fault: choice(word, Key::Fault, self.fault.as_ref())? },
            EventWord::Quiescent => EventKind::Quiescent,
        })
    }

    /// The line of an event, with what else is known of it. A group without a name is left out.
    pub fn of(names: &'a Names, at: At, event: &Event, extra: &'a Extra) -> Line<'a> {
        let Extra { topic, transaction, attributes } = extra;
        let line = Line::plain(names, at, event);
        let text = |text: &'a str| Text(Cow::Borrowed(text));
        Line {
            topic: topic.as_deref().map(text).or(line.topic),
            transaction: transaction.map(|id| text(names.transaction(id))).or(line.transaction),
            attributes: attributes.as_deref(),
            ..line
        }
    }

    fn plain(names: &'a Names, at: At, event: &Event) -> Line<'a> {
        let text = |text: &'a str| Some(Text(Cow::Borrowed(text)));
        let payload = |id: Option<PayloadId>| id.and_then(|id| text(names.payload(id)));
        let group = event.kind.group().map(|id| names.group(id)).filter(|name| !name.is_empty()).and_then(text);
        let (at, process) = (Some(at), text(names.process(event.process)));
        let line = |word: EventWord| Line {
            at,
            process,
            event: text(word.word()),
            group,
            message: event.kind.message().map(|id| match names.message(id) {
                MessageName::Number(number) => Message::Number(number),
                MessageName::Text(text) => Message::Text(Text(Cow::Borrowed(text))),
            }),
            ..Line::default()
        };
        let at_partition = |id: PartitionId, line: Line<'a>| match names.partition(id) {
            Some(Partition { topic, partition }) => {
                let topic = topic.as_deref().and_then(text);
                Line { topic, partition: partition.clone(), ..line }
            }
            None => line,
        };
        match event.kind {
            EventKind::Submit { payload: id, .. } => Line { payload: payload(id), ..line(EventWord::Submit) },
            EventKind::Attempt { attempt, payload: id, .. } => {
                Line { attempt, payload: payload(id), ..line(EventWord::Attempt) }
            }
            EventKind::Outcome { attempt, outcome, partition, position, .. } => {
                let outcome = text(outcome.word());
                at_partition(partition, Line { attempt, outcome, position, ..line(EventWord::Outcome) })
            }
            EventKind::Deliver { partition, position, delivery, payload: id, .. } => {
                let payload = payload(id);
                at_partition(partition, Line { position, delivery, payload, ..line(EventWord::Deliver) })
            }
            EventKind::Effect { payload: id, .. } => Line { payload: payload(id), ..line(EventWord::Effect) },
            EventKind::Settle { partition, position, delivery, outcome, .. } => {
                let outcome = text(outcome.word());
                at_partition(partition, Line { position, delivery, outcome, ..line(EventWord::Settle) })
            }
            EventKind::DeadLetter { .. } => line(EventWord::DeadLetter),
            EventKind::Rewind { partition, position, .. } => {
                at_partition(partition, Line { position: Some(position), ..line(EventWord::Rewind) })
            }
            EventKind::Commit { transaction } => {
                Line { transaction: text(names.transaction(transaction)), ..line(EventWord::Commit) }
            }
            EventKind::Abort { transaction } => {
                Line { transaction: text(names.transaction(transaction)), ..line(EventWord::Abort) }
            }
            EventKind::Fault { fault } => Line { fault: text(fault.word()), ..line(EventWord::Fault) },
            EventKind::Heal { fault } => Line { fault: text(fault.word()), ..line(EventWord::Heal) },
            EventKind::Quiescent => line(EventWord::Quiescent),
        }
    }
}

/// Whether a name can be printed on terminals.
pub(super) fn is_shown(name: &str) -> bool {
    if !name.is_empty() && name.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return true;
    }
    !name.is_empty() && !name.contains(char::is_control)
}

/// A name, which must not be empty or have control characters, because it is printed on terminals.
fn name<'t>(key: Key, text: Option<&'t Text<'_>>) -> Result<Option<&'t str>, Flaw> {
    match text {
        Some(Text(name)) if !is_shown(name) => Err(Flaw::text(key, name, key.allowed())),
        name => Ok(name.map(|Text(name)| &**name)),
    }
}

fn choice<W: Word>(event: EventWord, key: Key, text: Option<&Text<'_>>) -> Result<W, Flaw> {
    let expected = || format!("one of {}", words_of(W::ALL));
    match text {
        None => Err(Flaw { found: format!("\"{event}\" without `{key}`"), expected: expected() }),
        Some(Text(word)) => W::from_word(word).ok_or_else(|| Flaw::text(key, word, expected())),
    }
}
