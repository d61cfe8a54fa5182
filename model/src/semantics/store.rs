//! Where the automata of one consumer group keep what they remember.
//!
//! A [`MonitorStore`] has two parts: the states of each message, and [`GroupStates`], which hold what goes beyond a single
//! message. [`Bounded`] is a fixed array inside a model's state; [`Unbounded`](super::Unbounded) is made of tables for the
//! millions of messages of a recorded history. What stands in either is each property's own.

use std::{fmt::Debug, hash::Hash};

use super::states::{BoundedGroup, GroupStates, MessageStates};
use crate::vocab::{MessageId, PartitionId, Position};

/// The automata's memory for one consumer group.
pub trait MonitorStore: Clone + Debug + Eq {
    /// What goes beyond a single message.
    type Group: GroupStates;

    /// The number of this message, counted from 0 as the store first sees messages; its states, and those of the group. No
    /// states where the store has no room for this message: then it was never submitted.
    fn split(&mut self, message: MessageId) -> (usize, Option<&mut MessageStates>, &mut Self::Group);

    /// The states of the group alone.
    fn group(&self) -> &Self::Group;

    /// The same, to be changed.
    fn group_mut(&mut self) -> &mut Self::Group;

    /// Every message seen, in the order in which they are counted, which depends on the events alone.
    fn messages(&self) -> impl Iterator<Item = (MessageId, &MessageStates)>;

    /// Does something to every message's states.
    fn for_each(&mut self, change: impl FnMut(&mut MessageStates));
}

/// A place in the broker's log: a position counts within its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionedPosition {
    /// Which partition.
    pub partition: PartitionId,
    /// Where in it.
    pub position: Position,
}

/// The store of a model: `N` messages, numbered from 1 in the order in which their one producer submits them. No heap, and
/// no bytes: a model's network does not touch payloads.
///
/// `N` must cover every message that is submitted; one beyond is taken for one that never was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounded<const N: usize> {
    /// The states of each message.
    pub(crate) messages: [MessageStates; N],
    /// Those of the group.
    pub(crate) group: BoundedGroup,
}

impl<const N: usize> Default for Bounded<N> {
    fn default() -> Self {
        const { assert!(N <= u8::MAX as usize, "messages are numbered in a byte") };
        Bounded { messages: [MessageStates::default(); N], group: BoundedGroup::default() }
    }
}

impl<const N: usize> MonitorStore for Bounded<N> {
    type Group = BoundedGroup;

    #[inline]
    fn split(&mut self, message: MessageId) -> (usize, Option<&mut MessageStates>, &mut BoundedGroup) {
        let nth = (message.0 as usize).wrapping_sub(1);
        (nth, self.messages.get_mut(nth), &mut self.group)
    }

    fn group(&self) -> &BoundedGroup {
        &self.group
    }

    fn group_mut(&mut self) -> &mut BoundedGroup {
        &mut self.group
    }

    fn messages(&self) -> impl Iterator<Item = (MessageId, &MessageStates)> {
        (1..).map(MessageId).zip(&self.messages)
    }

    fn for_each(&mut self, change: impl FnMut(&mut MessageStates)) {
        self.messages.iter_mut().for_each(change);
    }
}
