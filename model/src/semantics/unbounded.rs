//! The store for recorded histories: any number of messages, producers and positions.
//!
//! Nothing that leaves it depends on the order of its hash map: messages are numbered as they are first seen.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasherDefault, DefaultHasher},
};

use super::{
    monitor::MessageStates,
    store::{GroupState, MonitorStore, PartitionedPosition},
};
use crate::vocab::{MessageId, PartitionId, PayloadId, Position, ProcessId};

/// A map whose hashes are the same in every run.
pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// The store of a recorded history. Grows with the number of distinct messages and of settled positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unbounded {
    states: Vec<MessageStates>,
    group: UnboundedGroupState,
}

/// The group state of [`Unbounded`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnboundedGroupState {
    /// Where each message's states and submission are.
    slots: Map<MessageId, usize>,
    /// By slot.
    submissions: Vec<Submission>,
    /// How far each producer has come.
    producers: Map<ProcessId, Progress>,
    /// What was settled is that message there: after a broker lost its log, positions come again.
    settled: BTreeSet<(PartitionedPosition, MessageId)>,
}

/// What is known of how a message was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Submission {
    message: MessageId,
    /// Who submitted it, and as its how-manieth message, counted from 1.
    by: Option<(ProcessId, u64)>,
    payload: Option<PayloadId>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    submitted: u64,
    /// The latest submission, counted from 1, that has been delivered.
    frontier: u64,
}

impl MonitorStore for Unbounded {
    type GroupState = UnboundedGroupState;

    fn split(&mut self, message: MessageId) -> (Option<&mut MessageStates>, &mut UnboundedGroupState) {
        let slot = self.group.slot(message);
        if slot == self.states.len() {
            self.states.push(MessageStates::default());
        }
        (self.states.get_mut(slot), &mut self.group)
    }

    fn group_state(&self) -> &UnboundedGroupState {
        &self.group
    }

    fn messages(&self) -> impl Iterator<Item = (MessageId, &MessageStates)> {
        self.group.submissions.iter().map(|submission| submission.message).zip(&self.states)
    }

    fn for_each(&mut self, change: impl FnMut(&mut MessageStates)) {
        self.states.iter_mut().for_each(change);
    }

    fn rewind(&mut self, partition: PartitionId, position: Position) {
        let is_anywhere = partition == PartitionId::default();
        self.group
            .settled
            .retain(|(place, _)| place.position < position || !(is_anywhere || place.partition == partition));
    }
}

impl UnboundedGroupState {
    /// The message's slot, a new one if it was not seen before.
    fn slot(&mut self, message: MessageId) -> usize {
        let next = self.submissions.len();
        let slot = *self.slots.entry(message).or_insert(next);
        if slot == next {
            self.submissions.push(Submission { message, by: None, payload: None });
        }
        slot
    }

    fn submission(&self, message: MessageId) -> Option<&Submission> {
        self.slots.get(&message).map(|&slot| &self.submissions[slot])
    }
}

impl GroupState for UnboundedGroupState {
    fn carry(&mut self, message: MessageId, payload: PayloadId) {
        let slot = self.slot(message);
        self.submissions[slot].payload.get_or_insert(payload);
    }

    fn payload(&self, message: MessageId) -> Option<PayloadId> {
        self.submission(message)?.payload
    }

    fn submit(&mut self, message: MessageId, producer: ProcessId) {
        let slot = self.slot(message);
        let submission = &mut self.submissions[slot];
        if submission.by.is_none() {
            let progress = self.producers.entry(producer).or_default();
            progress.submitted += 1;
            submission.by = Some((producer, progress.submitted));
        }
    }

    fn overtaken(&self, message: MessageId) -> bool {
        let by = self.submission(message).and_then(|submission| submission.by);
        by.is_some_and(|(producer, number)| number < self.producers[&producer].frontier)
    }

    fn overtake(&mut self, message: MessageId) {
        let by = self.submission(message).and_then(|submission| submission.by);
        let Some((producer, number)) = by else { return };
        let progress = self.producers.entry(producer).or_default();
        progress.frontier = progress.frontier.max(number);
    }

    fn settle(&mut self, message: MessageId, place: PartitionedPosition) {
        self.settled.insert((place, message));
    }

    fn settled(&self, message: MessageId, place: PartitionedPosition) -> bool {
        self.settled.contains(&(place, message))
    }
}
