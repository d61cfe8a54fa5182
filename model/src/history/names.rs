//! The names and payloads of a history. Each is stored once, so that events are small and equal ids mean equal bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use hashbrown::HashTable;
use thiserror::Error;

use serde::{Deserialize, Deserializer, Serialize};

use crate::numbers::grouped;
use crate::pages::{Column, Sparse};
use crate::vocab::{GroupId, MessageId, PartitionId, PayloadId, ProcessId, TransactionId};

/// A history has more names than ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("more than {} different {what}", grouped(*limit as u64))]
pub struct TooManyNames {
    /// The kind of names.
    pub what: &'static str,
    /// The limit.
    pub limit: usize,
}

/// Texts with their ids, which count from 0. The map is used for look-ups only, so its order has no effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    texts: Vec<Arc<str>>,
    ids: HashMap<Arc<str>, usize>,
}

/// The most texts that are compared one by one.
const FEW: usize = 8;

impl Table {
    fn id(&mut self, text: &str, what: &'static str, limit: usize) -> Result<usize, TooManyNames> {
        // Most tables are small: a few processes and groups.
        if self.texts.len() <= FEW {
            if let Some(id) = self.texts.iter().position(|its| **its == *text) {
                return Ok(id);
            }
        } else if let Some(&id) = self.ids.get(text) {
            return Ok(id);
        }
        let id = self.texts.len();
        if id == limit {
            return Err(TooManyNames { what, limit });
        }
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.ids.insert(text, id);
        Ok(id)
    }
}

/// Texts by their digests of 128 bits, for a history that is not kept in memory. Two texts with one digest would be taken
/// for one: among 10^12 texts that has a chance of 10^-15.
#[derive(Clone, Debug, Default)]
struct Digests {
    ids: HashTable<u32>,
    /// The two halves of each digest, by id.
    halves: (Column<u64>, Column<u64>),
    count: u32,
    /// The ids below this one were forgotten.
    forgotten: u32,
    /// The digests of forgotten texts that are to be told.
    told: BTreeMap<u32, (u64, u64)>,
    /// No text is added any more: all others have the highest id.
    is_closed: bool,
    /// The texts that are to be told.
    kept: BTreeMap<u32, Arc<str>>,
}

impl Digests {
    fn id(&mut self, text: &str, what: &'static str) -> Result<u32, TooManyNames> {
        let (high, low) = (digest(text, 0), digest(text, 1));
        let Digests { ids, halves, forgotten, .. } = self;
        let is_it = |id: &u32| *id >= *forgotten && halves.0.get(*id) == Some(high) && halves.1.get(*id) == Some(low);
        if let Some(id) = ids.find(high, is_it) {
            return Ok(*id);
        }
        if self.is_closed {
            return Ok(u32::MAX);
        }
        let id = self.count;
        self.count = id.checked_add(1).ok_or(TooManyNames { what, limit: IDS_32 })?;
        halves.0.set(id, high);
        halves.1.set(id, low);
        ids.insert_unique(high, id, |id| halves.0.get(*id).unwrap_or_default());
        Ok(id)
    }

    /// Forgets the texts that are not remembered; their ids are lower than those that are.
    fn forget(&mut self, remembers: impl Fn(u32) -> bool, told: impl Fn(u32) -> bool) {
        let Digests { ids, halves, count, forgotten, told: stashed, .. } = self;
        let halves_of = |id| Some((halves.0.get(id)?, halves.1.get(id)?));
        let mut lowest = *count;
        ids.retain(|&mut id| {
            let stays = remembers(id);
            if stays {
                lowest = lowest.min(id);
            } else if told(id) {
                stashed.extend(halves_of(id).map(|halves| (id, halves)));
            }
            stays
        });
        ids.shrink_to(ids.len() * 2, |id| halves.0.get(*id).unwrap_or_default());
        *forgotten = lowest;
        halves.0.forget_below(lowest);
        halves.1.forget_below(lowest);
    }

    /// A table of these texts alone.
    fn only(self, wanted: impl Iterator<Item = u32>) -> Digests {
        let halves_of =
            |id| self.told.get(&id).copied().or_else(|| Some((self.halves.0.get(id)?, self.halves.1.get(id)?)));
        let mut only = Digests { count: self.count, is_closed: true, ..Digests::default() };
        for id in wanted {
            if let Some((high, low)) = halves_of(id) {
                only.halves.0.set(id, high);
                only.halves.1.set(id, low);
            }
        }
        let high = |id| only.halves.0.get(id).unwrap_or_default();
        let ids: Vec<u32> = self
            .told
            .keys()
            .copied()
            .chain(self.ids.iter().copied())
            .filter(|id| only.halves.0.get(*id).is_some())
            .collect();
        for id in ids {
            only.ids.insert_unique(high(id), id, |id| high(*id));
        }
        only
    }
}

/// A digest of 64 bits. Another seed makes another, independent one.
fn digest(text: &str, seed: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write_u64(seed);
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// The names of messages and the payloads of a history that is not kept in memory.
#[derive(Clone, Debug, Default)]
struct Brief {
    messages: Digests,
    /// The digest of 64 bits of the first payload of each message, which has id 0.
    payloads: Sparse<u64>,
    /// The ids of other payloads of the same message.
    others: BTreeMap<(MessageId, u64), PayloadId>,
    /// Payloads are not told apart any more.
    is_closed: bool,
}

impl Brief {
    /// The id of a payload among those of its message.
    fn payload_id(&mut self, message: MessageId, payload: &str) -> PayloadId {
        if self.is_closed {
            return PayloadId(0);
        }
        let digest = digest(payload, 0);
        match self.payloads.get(message.0) {
            None => self.payloads.set(message.0, digest),
            Some(first) if first == digest => {}
            Some(_) => {
                let next = PayloadId(self.others.len() as u32 + 1);
                return *self.others.entry((message, digest)).or_insert(next);
            }
        }
        PayloadId(0)
    }
}

/// The name of a message: a number or a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum MessageName<'a> {
    /// A number.
    Number(u64),
    /// A text.
    Text(&'a str),
}

impl fmt::Display for MessageName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageName::Number(number) => number.fmt(f),
            MessageName::Text(text) => f.pad(text),
        }
    }
}

/// The name of a partition: a number or a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum PartitionName {
    /// A number.
    Number(u64),
    /// A text.
    Text(Arc<str>),
}

impl<'de> Deserialize<'de> for PartitionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl serde::de::Visitor<'_> for Name {
            type Value = PartitionName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or a text")
            }

            fn visit_u64<E>(self, number: u64) -> Result<PartitionName, E> {
                Ok(PartitionName::Number(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<PartitionName, E> {
                Ok(PartitionName::Text(text.into()))
            }
        }

        deserializer.deserialize_any(Name)
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PartitionName::Number(number) => number.fmt(f),
            PartitionName::Text(text) => f.write_str(text),
        }
    }
}

/// A log in which positions count: a partition, or a topic without partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// The topic, if the history states it.
    pub topic: Option<Arc<str>>,
    /// The partition of the topic, if the history states it.
    pub partition: Option<PartitionName>,
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.partition, &self.topic) {
            (Some(partition), Some(topic)) => write!(f, "partition {partition} of {topic}"),
            (Some(partition), None) => write!(f, "partition {partition}"),
            (None, Some(topic)) => write!(f, "topic {topic}"),
            (None, None) => f.write_str("the log"),
        }
    }
}

/// The processes, consumer groups, messages, partitions, transactions and payloads of a history.
///
/// A message that is named by a number has that number as its id. One that is named by a text gets an id from the top
/// of their range downwards.
#[derive(Clone, Debug, Default)]
pub struct Names {
    processes: Table,
    groups: Table,
    messages: Table,
    transactions: Table,
    payloads: Table,
    partitions: Vec<Partition>,
    partition_ids: HashMap<Partition, PartitionId>,
    /// In place of the tables of messages and payloads, where those are not kept.
    brief: Option<Box<Brief>>,
}

const IDS_16: usize = 1 << 16;
const IDS_32: usize = 1 << 32;

impl PartialEq for Names {
    /// Compares the tables of names that are kept.
    fn eq(&self, other: &Self) -> bool {
        let tables = |names: &Names| (names.brief.is_some(), names.partitions.clone());
        self.processes == other.processes
            && self.groups == other.groups
            && self.messages == other.messages
            && self.transactions == other.transactions
            && self.payloads == other.payloads
            && tables(self) == tables(other)
    }
}

impl Eq for Names {}

impl Names {
    /// These names, and from now on digests in place of the texts of messages and payloads: for a history that is too large for memory.
    /// Only the messages that are kept with [`keep`](Names::keep) can be named by their texts.
    pub(super) fn into_brief(self) -> Self {
        Names { brief: Some(Box::default()), ..self }
    }

    /// Whether these names keep digests.
    pub(super) fn is_brief(&self) -> bool {
        self.brief.is_some()
    }

    /// Whether these names are those of a second reading.
    pub(super) fn is_closed(&self) -> bool {
        self.brief.as_ref().is_some_and(|brief| brief.is_closed)
    }

    /// Keeps the text that names a message, in brief names.
    pub(super) fn keep(&mut self, message: MessageId, text: &str) {
        if let Some(brief) = &mut self.brief
            && let Ok(id) = u32::try_from(u64::MAX - message.0)
        {
            brief.messages.kept.entry(id).or_insert_with(|| text.into());
        }
    }

    /// The id of a payload of this message. A new one gets the next id.
    pub(super) fn payload_id_of(&mut self, message: MessageId, payload: &str) -> Result<PayloadId, TooManyNames> {
        match &mut self.brief {
            Some(brief) => Ok(brief.payload_id(message, payload)),
            None => self.payload_id(payload),
        }
    }

    /// Forgets the messages that are not remembered, in brief names. They get new ids if they come again. Those that are
    /// told can still be named in a second reading.
    pub(super) fn forget(&mut self, remembers: impl Fn(MessageId) -> bool, told: &BTreeSet<MessageId>) {
        let Some(brief) = &mut self.brief else { return };
        let message = |id: u32| MessageId(u64::MAX - u64::from(id));
        brief.messages.forget(|id| remembers(message(id)), |id| told.contains(&message(id)));
        brief.payloads.retain(|id, _| remembers(MessageId(id)));
        brief.others.retain(|(id, _), _| remembers(*id));
    }

    /// The names for a second reading, in which these messages are told.
    pub(super) fn only(mut self, told: &BTreeSet<MessageId>) -> Self {
        if let Some(brief) = &mut self.brief {
            let ids = told.iter().filter_map(|message| u32::try_from(u64::MAX - message.0).ok());
            brief.messages = std::mem::take(&mut brief.messages).only(ids);
            (brief.payloads, brief.others) = Default::default();
            brief.is_closed = true;
        }
        self
    }

    /// The id of a process. A new name gets the next id.
    pub fn process_id(&mut self, name: &str) -> Result<ProcessId, TooManyNames> {
        Ok(ProcessId(self.processes.id(name, "processes", IDS_16)? as u16))
    }

    /// The id of a consumer group. A new name gets the next id.
    pub fn group_id(&mut self, name: &str) -> Result<GroupId, TooManyNames> {
        Ok(GroupId(self.groups.id(name, "groups", IDS_16)? as u16))
    }

    /// The id of a message that is named by a text. A new name gets the next id.
    pub fn message_id(&mut self, name: &str) -> Result<MessageId, TooManyNames> {
        let id = match &mut self.brief {
            Some(brief) => brief.messages.id(name, "messages")?.into(),
            None => self.messages.id(name, "messages", IDS_32)? as u64,
        };
        Ok(MessageId(u64::MAX - id))
    }

    /// The name of a message.
    pub fn message(&self, id: MessageId) -> MessageName<'_> {
        let place = u64::MAX - id.0;
        let text = match &self.brief {
            Some(brief) => u32::try_from(place).ok().and_then(|place| brief.messages.kept.get(&place)),
            None => usize::try_from(place).ok().and_then(|place| self.messages.texts.get(place)),
        };
        text.map_or(MessageName::Number(id.0), |text| MessageName::Text(text))
    }

    /// The lowest id of a message that is named by a text: no number may reach it.
    pub(super) fn messages_end(&self) -> Option<MessageId> {
        let texts = self.brief.as_ref().map_or(self.messages.texts.len(), |brief| brief.messages.count as usize);
        let last = texts.checked_sub(1)?;
        Some(MessageId(u64::MAX - last as u64))
    }

    /// The id of a transaction. A new name gets the next id.
    pub fn transaction_id(&mut self, name: &str) -> Result<TransactionId, TooManyNames> {
        Ok(TransactionId(self.transactions.id(name, "transactions", IDS_32)? as u32))
    }

    /// The name of a transaction.
    pub fn transaction(&self, id: TransactionId) -> &str {
        &self.transactions.texts[id.0 as usize]
    }

    /// The id of a payload. A new payload gets the next id.
    pub fn payload_id(&mut self, payload: &str) -> Result<PayloadId, TooManyNames> {
        Ok(PayloadId(self.payloads.id(payload, "payloads", IDS_32)? as u32))
    }

    /// The id of a partition. A new one gets the next id; 0 means that neither topic nor partition is stated.
    pub fn partition_id(&mut self, partition: Partition) -> Result<PartitionId, TooManyNames> {
        if partition == Partition::default() {
            return Ok(PartitionId::default());
        }
        if let Some(&id) = self.partition_ids.get(&partition) {
            return Ok(id);
        }
        if self.partitions.len() + 1 == IDS_32 {
            return Err(TooManyNames { what: "partitions", limit: IDS_32 });
        }
        let id = PartitionId(self.partitions.len() as u32 + 1);
        self.partitions.push(partition.clone());
        self.partition_ids.insert(partition, id);
        Ok(id)
    }

    /// The partition with this id; none if neither topic nor partition is stated.
    pub fn partition(&self, id: PartitionId) -> Option<&Partition> {
        self.partitions.get((id.0 as usize).checked_sub(1)?)
    }

    /// The name of a process.
    pub fn process(&self, id: ProcessId) -> &str {
        &self.processes.texts[usize::from(id.0)]
    }

    /// The name of a consumer group; empty for the one group of a history that names none.
    pub fn group(&self, id: GroupId) -> &str {
        self.groups.texts.get(usize::from(id.0)).map_or("", |name| name)
    }

    /// The text of a payload.
    ///
    /// # Panics
    ///
    /// If the names keep digests: then there are no texts.
    pub fn payload(&self, id: PayloadId) -> &str {
        &self.payloads.texts[id.0 as usize]
    }

    /// The names of all processes, by id.
    pub fn processes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.processes.texts.iter().map(|name| &**name)
    }

    /// The names of all consumer groups, by id; empty if the history names none: its one group then has id 0.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &str> {
        self.groups.texts.iter().map(|name| &**name)
    }

    /// The number of consumer groups that must receive each message: at least one, named or not.
    pub fn group_count(&self) -> usize {
        self.groups.texts.len().max(1)
    }
}
