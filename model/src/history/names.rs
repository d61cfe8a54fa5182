//! The names and payloads of a history, each kept once, so that events are small and equal ids mean equal bytes.

use std::collections::HashMap;
use std::sync::Arc;

use thiserror::Error;

use crate::vocab::{GroupId, PayloadId, ProcessId};

/// A history names more things than there are ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("more than {limit} different {what}")]
pub struct TooManyNames {
    /// What there are too many of.
    pub what: &'static str,
    /// How many there may be.
    pub limit: usize,
}

/// Texts with their ids, which count from 0. The map is only asked, never walked: its order shows nowhere.
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

/// The processes, consumer groups and payloads of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    processes: Table,
    groups: Table,
    payloads: Table,
}

const IDS_16: usize = 1 << 16;
const IDS_32: usize = 1 << 32;

impl Names {
    /// The id of a process, which it gets when it is first named.
    pub fn process_id(&mut self, name: &str) -> Result<ProcessId, TooManyNames> {
        Ok(ProcessId(self.processes.id(name, "processes", IDS_16)? as u16))
    }

    /// The id of a consumer group, which it gets when it is first named.
    pub fn group_id(&mut self, name: &str) -> Result<GroupId, TooManyNames> {
        Ok(GroupId(self.groups.id(name, "groups", IDS_16)? as u16))
    }

    /// The id of a payload, which it gets when it first appears.
    pub fn payload_id(&mut self, payload: &str) -> Result<PayloadId, TooManyNames> {
        Ok(PayloadId(self.payloads.id(payload, "payloads", IDS_32)? as u32))
    }

    /// A process's name.
    pub fn process(&self, id: ProcessId) -> &str {
        &self.processes.texts[usize::from(id.0)]
    }

    /// A consumer group's name: empty for the one group of a history that names none.
    pub fn group(&self, id: GroupId) -> &str {
        self.groups.texts.get(usize::from(id.0)).map_or("", |name| name)
    }

    /// A payload's text.
    pub fn payload(&self, id: PayloadId) -> &str {
        &self.payloads.texts[id.0 as usize]
    }

    /// Every process, by id.
    pub fn processes(&self) -> impl ExactSizeIterator<Item = &str> {
        self.processes.texts.iter().map(|name| &**name)
    }

    /// Every consumer group that is named, by id. None, if the history names none: then its one group is id 0.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = &str> {
        self.groups.texts.iter().map(|name| &**name)
    }

    /// How many consumer groups owe each message: at least one, named or not.
    pub fn group_count(&self) -> usize {
        self.groups.texts.len().max(1)
    }
}
