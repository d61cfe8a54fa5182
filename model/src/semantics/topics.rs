//! Which messages a consumer group owes, where the header says that it subscribes to some topics only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::history::{Header, Names, Subscribed};
use crate::pages::Map;
use crate::vocab::EventKind;

/// Which messages each group owes, where groups subscribe to some topics only.
#[derive(Clone, Debug, Default)]
pub(super) struct Topics {
    /// The topics of each such group.
    subscribed: BTreeMap<String, BTreeSet<Arc<str>>>,
    /// The topic of each message by its number: the first that is on record.
    of_message: Map<u32, Arc<str>>,
}

impl Topics {
    /// Reads which groups subscribe to some topics only.
    pub(super) fn new(header: &Header) -> Self {
        let topics = |subscribed: &Subscribed| subscribed.topics.iter().map(|topic| topic.as_str().into()).collect();
        let groups = header.groups.iter().map(|(group, subscribed)| (group.clone(), topics(subscribed)));
        Topics { subscribed: groups.collect(), of_message: Map::default() }
    }

    /// Takes in an event about the `nth` message, and the topic that its line states beyond it.
    pub(super) fn observe(&mut self, kind: &EventKind, nth: u32, stated: Option<&Arc<str>>, names: &Names) {
        if self.subscribed.is_empty() {
            return;
        }
        let of_position = || match *kind {
            EventKind::Outcome { partition, .. }
            | EventKind::Deliver { partition, .. }
            | EventKind::Settle { partition, .. } => names.partition(partition)?.topic.as_ref(),
            _ => None,
        };
        if let Some(topic) = stated.or_else(of_position) {
            self.of_message.entry(nth).or_insert_with(|| Arc::clone(topic));
        }
    }

    /// Whether a group owes the `nth` message; none if that is not known.
    pub(super) fn owes(&self, group: &str, nth: u32) -> Option<bool> {
        let Some(subscribed) = self.subscribed.get(group) else { return Some(true) };
        self.of_message.get(&nth).map(|topic| subscribed.contains(topic))
    }

    /// Forgets the messages below the `nth`.
    pub(super) fn forget_below(&mut self, nth: u32) {
        self.of_message.retain(|its, _| *its >= nth);
    }
}
