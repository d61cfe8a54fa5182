//! The store for recorded histories: any number of messages, producers and positions.
//!
//! Nothing that leaves it depends on the order of its hash map: messages are numbered as they are first seen.

use super::monitor::Observed;
use super::property::PropertySet;
use super::states::{GroupStates, MessageStates, UnboundedGroup};
use super::store::MonitorStore;
use crate::pages::Map;
use crate::vocab::MessageId;

/// The store of a recorded history. Grows with the number of distinct messages, and with what the properties remember
/// beyond them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unbounded {
    /// One more than the number of each message with a low id; 0 if it was not seen. Messages are counted from 0 as they are
    /// first seen.
    low: Vec<u32>,
    /// The number of each other message.
    high: Map<MessageId, usize>,
    /// The messages by that number, and their states.
    messages: Vec<MessageId>,
    states: Vec<MessageStates>,
    group: UnboundedGroup,
}

impl Observed<Unbounded> {
    /// Forgets everything, and keeps the room for it: the next run is about to begin.
    pub fn clear(&mut self) {
        self.violated = PropertySet::EMPTY;
        self.store.low.clear();
        self.store.high.clear();
        self.store.messages.clear();
        self.store.states.clear();
        self.store.group.clear();
    }
}

/// The ids below this one are low: simulated messages and those of short histories.
const LOW: u64 = 1 << 12;

impl Unbounded {
    /// The number of this message: the next one, if it is new.
    #[inline]
    fn number(&mut self, message: MessageId) -> usize {
        let next = self.messages.len();
        if message.0 >= LOW {
            return *self.high.entry(message).or_insert(next);
        }
        let id = message.0 as usize;
        if id >= self.low.len() {
            self.low.resize(id + 1, 0);
        }
        let number = &mut self.low[id];
        if *number == 0 {
            *number = next as u32 + 1;
        }
        *number as usize - 1
    }
}

impl MonitorStore for Unbounded {
    type Group = UnboundedGroup;

    fn split(&mut self, message: MessageId) -> (usize, Option<&mut MessageStates>, &mut UnboundedGroup) {
        let nth = self.number(message);
        if nth == self.messages.len() {
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
