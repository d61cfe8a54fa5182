//! The store for recorded histories: any number of messages, producers and positions.
//!
//! Nothing that leaves it depends on the order of its hash map: messages are numbered as they are first seen.

use super::monitor::Observed;
use super::property::PropertySet;
use super::states::{MessageStates, UnboundedGroup};
use super::store::MonitorStore;
use crate::pages::Map;
use crate::vocab::MessageId;

/// The store of a recorded history. Grows with the number of distinct messages, and with what the properties remember
/// beyond them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unbounded {
    /// The number of each message: messages are counted from 0 as they are first seen.
    numbers: Map<MessageId, usize>,
    /// The messages by that number, and their states.
    messages: Vec<MessageId>,
    states: Vec<MessageStates>,
    group: UnboundedGroup,
}

impl Observed<Unbounded> {
    /// Forgets everything, and keeps the room for it: the next run is about to begin.
    pub fn clear(&mut self) {
        self.violated = PropertySet::EMPTY;
        self.store.numbers.clear();
        self.store.messages.clear();
        self.store.states.clear();
        self.store.group = UnboundedGroup::default();
    }
}

impl MonitorStore for Unbounded {
    type Group = UnboundedGroup;

    fn split(&mut self, message: MessageId) -> (usize, Option<&mut MessageStates>, &mut UnboundedGroup) {
        let next = self.messages.len();
        let nth = *self.numbers.entry(message).or_insert(next);
        if nth == next {
            self.messages.push(message);
            self.states.push(MessageStates::default());
        }
        (nth, self.states.get_mut(nth), &mut self.group)
    }

    fn group(&self) -> &UnboundedGroup {
        &self.group
    }

    fn group_mut(&mut self) -> &mut UnboundedGroup {
        &mut self.group
    }

    fn messages(&self) -> impl Iterator<Item = (MessageId, &MessageStates)> {
        self.messages.iter().copied().zip(&self.states)
    }

    fn for_each(&mut self, change: impl FnMut(&mut MessageStates)) {
        self.states.iter_mut().for_each(change);
    }
}
