//! Where the automata of one consumer group keep what they remember.
//!
//! A [`MonitorStore`] has two parts: the states of each message, which belong to one automaton each, and [`GroupState`], which hold
//! what goes beyond a single message. [`Bounded`] is a fixed array inside a model's state; [`Unbounded`](super::Unbounded)
//! is a map for the millions of messages of a recorded history.

use std::{fmt::Debug, hash::Hash};

use super::monitor::MessageStates;
use crate::vocab::{MessageId, PartitionId, PayloadId, Position, ProcessId};

/// The automata's memory for one consumer group.
pub trait MonitorStore: Clone + Debug + Eq {
    /// What goes beyond a single message.
    type GroupState: GroupState;

    /// The states of one message, and the group state. `None` where the store has no room for this message: then it was
    /// never submitted.
    fn split(&mut self, message: MessageId) -> (Option<&mut MessageStates>, &mut Self::GroupState);

    /// The group state alone.
    fn group_state(&self) -> &Self::GroupState;

    /// Every message seen, in an order that depends on the events alone.
    fn messages(&self) -> impl Iterator<Item = (MessageId, &MessageStates)>;

    /// Does something to every message's states.
    fn for_each(&mut self, change: impl FnMut(&mut MessageStates));

    /// Forgets what was noted about positions from this one on, of this partition or, where none is stated, of all.
    fn rewind(&mut self, partition: PartitionId, position: Position);
}

/// A place in the broker's log: a position counts within its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionedPosition {
    /// Which partition.
    pub partition: PartitionId,
    /// Where in it.
    pub position: Position,
}

/// What some automata must remember beyond one message's bits.
pub trait GroupState {
    /// Its producer says what the message carries. What was said first stays.
    fn carry(&mut self, message: MessageId, payload: PayloadId);

    /// What the message carries, where that was said.
    fn payload(&self, message: MessageId) -> Option<PayloadId>;

    /// A process submits a message: it comes after all that the process submitted before.
    fn submit(&mut self, message: MessageId, producer: ProcessId);

    /// Whether a message that the same process submitted later has been delivered.
    fn overtaken(&self, message: MessageId) -> bool;

    /// The message is delivered: all that its process submitted earlier and that is not yet delivered is overtaken.
    fn overtake(&mut self, message: MessageId);

    /// A settle of this message there is confirmed.
    fn settle(&mut self, message: MessageId, place: PartitionedPosition);

    /// Whether a settle of this message there is confirmed and no rewind undid it.
    fn settled(&self, message: MessageId, place: PartitionedPosition) -> bool;
}

/// The store of a model: `N` messages, numbered from 1 in the order in which their one producer submits them, in a log
/// of which the first 16 positions are watched. No heap, and no bytes: a model's network does not touch payloads.
///
/// `N` must cover every message that is submitted; one beyond is taken for one that never was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounded<const N: usize> {
    messages: [MessageStates; N],
    group: BoundedGroupState,
}

/// The group state of [`Bounded`]. A model has one partition, and a position is one message's for as long as it can be settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoundedGroupState {
    /// One bit for each of the first positions.
    settled: u16,
    /// The highest message that has been delivered.
    frontier: u8,
}

impl<const N: usize> Default for Bounded<N> {
    fn default() -> Self {
        const { assert!(N <= u8::MAX as usize, "messages are numbered in a byte") };
        Bounded { messages: [MessageStates::default(); N], group: BoundedGroupState::default() }
    }
}

impl<const N: usize> MonitorStore for Bounded<N> {
    type GroupState = BoundedGroupState;

    fn split(&mut self, message: MessageId) -> (Option<&mut MessageStates>, &mut BoundedGroupState) {
        let slot = (message.0 as usize).wrapping_sub(1);
        (self.messages.get_mut(slot), &mut self.group)
    }

    fn group_state(&self) -> &BoundedGroupState {
        &self.group
    }

    fn messages(&self) -> impl Iterator<Item = (MessageId, &MessageStates)> {
        (1..).map(MessageId).zip(&self.messages)
    }

    fn for_each(&mut self, change: impl FnMut(&mut MessageStates)) {
        self.messages.iter_mut().for_each(change);
    }

    fn rewind(&mut self, _: PartitionId, position: Position) {
        let below = if position.0 < u64::from(u16::BITS) { (1 << position.0) - 1 } else { u16::MAX };
        self.group.settled &= below;
    }
}

impl<const N: usize> Bounded<N> {
    /// The states of each message, the positions that are settled, and the highest message that was delivered.
    pub(super) fn parts(&mut self) -> (&mut [MessageStates; N], &mut u16, &mut u8) {
        (&mut self.messages, &mut self.group.settled, &mut self.group.frontier)
    }
}

impl BoundedGroupState {
    fn bit(position: Position) -> u16 {
        1_u16.checked_shl(u32::try_from(position.0).unwrap_or(u32::MAX)).unwrap_or(0)
    }
}

impl GroupState for BoundedGroupState {
    fn carry(&mut self, message: MessageId, _payload: PayloadId) {
        debug_assert!(false, "message {message} carries a payload, which only a growing store can compare");
    }

    fn payload(&self, _message: MessageId) -> Option<PayloadId> {
        None
    }

    fn submit(&mut self, _message: MessageId, _producer: ProcessId) {
        // Messages are numbered as they are submitted: the number is the place in the order.
    }

    fn overtaken(&self, message: MessageId) -> bool {
        message.0 < u64::from(self.frontier)
    }

    fn overtake(&mut self, message: MessageId) {
        self.frontier = self.frontier.max(u8::try_from(message.0).unwrap_or(0));
    }

    fn settle(&mut self, _: MessageId, place: PartitionedPosition) {
        self.settled |= Self::bit(place.position);
    }

    fn settled(&self, _: MessageId, place: PartitionedPosition) -> bool {
        self.settled & Self::bit(place.position) != 0
    }
}
