//! The names and payloads of a history. Each is stored once, so that events are small and equal ids mean equal bytes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use serde::{Deserialize, Deserializer, Serialize};

use crate::numbers::grouped;
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

impl Table {
    fn id(&mut self, text: &str, what: &'static str, limit: usize) -> Result<usize, TooManyNames> {
        if let Some(&id) = self.ids.get(text) {
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    processes: Table,
    groups: Table,
    messages: Table,
    transactions: Table,
    payloads: Table,
    partitions: Vec<Partition>,
    partition_ids: HashMap<Partition, PartitionId>,
}

const IDS_16: usize = 1 << 16;
const IDS_32: usize = 1 << 32;

impl Names {
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
        Ok(MessageId(u64::MAX - self.messages.id(name, "messages", IDS_32)? as u64))
    }

    /// The name of a message.
    pub fn message(&self, id: MessageId) -> MessageName<'_> {
        let text = usize::try_from(u64::MAX - id.0).ok().and_then(|place| self.messages.texts.get(place));
        text.map_or(MessageName::Number(id.0), |text| MessageName::Text(text))
    }

    /// The lowest id of a message that is named by a text: no number may reach it.
    pub(super) fn messages_end(&self) -> Option<MessageId> {
        let last = self.messages.texts.len().checked_sub(1)?;
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
