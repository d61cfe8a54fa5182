//! Which messages a consumer group owes, where the header says that it subscribes to some topics only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::unbounded::Map;
use crate::history::{History, Recorded};
use crate::vocab::{EventKind, GroupId, MessageId};

/// Which messages each group owes, where groups subscribe to some topics only.
#[derive(Default)]
pub(super) struct Topics {
    /// The topics of each such group.
    subscribed: BTreeMap<GroupId, BTreeSet<Arc<str>>>,
    /// The topic of each message: the first that is on record.
    of_message: Map<MessageId, Arc<str>>,
}

impl Topics {
    /// Reads the header, and, where it names topics, the topics of all messages.
    pub(super) fn of(history: &History) -> Self {
        let mut topics = Topics::default();
        for (id, group) in history.names.groups().enumerate() {
            if let Some(subscribed) = history.header.groups.get(group) {
                let its = subscribed.topics.iter().map(|topic| topic.as_str().into()).collect();
                topics.subscribed.insert(GroupId(id as u16), its);
            }
        }
        if topics.subscribed.is_empty() {
            return topics;
        }
        for Recorded { event, line, .. } in &history.events {
            let stated = history.extra(*line).and_then(|extra| extra.topic.clone());
            let of_position = || match event.kind {
                EventKind::Outcome { partition, .. }
                | EventKind::Deliver { partition, .. }
                | EventKind::Settle { partition, .. } => history.names.partition(partition)?.topic.clone(),
                _ => None,
            };
            if let (Some(message), Some(topic)) = (event.kind.message(), stated.or_else(of_position)) {
                topics.of_message.entry(message).or_insert(topic);
            }
        }
        topics
    }

    /// Whether a group owes a message; none if that is not known.
    pub(super) fn owes(&self, group: GroupId, message: MessageId) -> Option<bool> {
        let Some(subscribed) = self.subscribed.get(&group) else { return Some(true) };
        self.of_message.get(&message).map(|topic| subscribed.contains(topic))
    }
}
