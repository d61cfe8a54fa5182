//! The automata together: one pass over the events of one consumer group.
//!
//! [`Monitor`] is the constant part, [`Observed`] the part that changes. With a [`Bounded`](super::Bounded) store
//! `Observed` is `Copy + Eq + Hash`: the history variable of a model, the oracle of a property test, the assertion of a
//! concurrency test. With a [`Unbounded`](super::Unbounded) one it is the engine of the judge. Nothing here allocates
//! except a growing store that meets a new message. No property is named here.

use super::{
    Breach, PropertyId, PropertySet, Rules,
    states::{GroupStates, MessageStates},
    store::MonitorStore,
};
use crate::vocab::{Event, EventKind, MessageId};

/// What is watched, and by which rules: constant for a run, so it stays out of a model's states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Monitor {
    /// How the properties are read.
    pub rules: Rules,
    /// Which of them are watched. The others cost no states.
    pub watched: PropertySet,
}

/// What one consumer group's events have come to so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Observed<S> {
    /// What the automata remember.
    pub(crate) store: S,
    /// The properties that were broken so far. A broken property stays broken.
    pub(crate) violated: PropertySet,
}

impl<S> Observed<S> {
    /// The properties that were broken so far. A broken property stays broken.
    pub fn violated(&self) -> PropertySet {
        self.violated
    }
}

impl Monitor {
    /// Watches every property that says something under these rules.
    pub fn new(rules: Rules) -> Self {
        Monitor { rules, watched: rules.applicable() }
    }

    /// Takes in one event of the group, or one that belongs to every group.
    ///
    /// Stops watching what is broken and forgets its automata's states, so that a model does not tell apart in how many
    /// ways a thing was broken.
    pub fn observe<S: MonitorStore>(&self, observed: &mut Observed<S>, event: &Event) {
        let watched = self.watched - observed.violated;
        let mut broken = PropertySet::EMPTY;
        Monitor { watched, ..*self }.feed(&mut observed.store, event, |property, _| broken.insert(property));
        if !broken.is_empty() {
            observed.violated |= broken;
            observed.store.for_each(|states| states.forget(broken));
            observed.store.group_mut().forget(broken);
        }
    }

    /// The properties that are broken if nothing more can happen.
    pub fn at_quiescence<S: MonitorStore>(&self, observed: &Observed<S>) -> PropertySet {
        let mut broken = observed.violated;
        self.finish(&observed.store, |_, property, _| broken.insert(property));
        broken
    }

    /// The properties that are broken if what happens next is a loop that is repeated for ever and pays nothing.
    pub fn in_a_loop<S: MonitorStore>(&self, observed: &Observed<S>) -> PropertySet {
        observed.violated() | self.at_quiescence(observed) & PropertySet::OF_ENDLESS_RUNS
    }

    /// Whether something of this message is still to come, so that a property would be broken if nothing came.
    pub fn is_owed<S: MonitorStore>(&self, observed: &Observed<S>, message: MessageId) -> bool {
        let mut owed = false;
        self.finish(&observed.store, |other, _, _| owed |= other == message);
        owed
    }

    /// Takes in one event and says which properties it broke, each time anew.
    pub fn feed<S: MonitorStore>(&self, store: &mut S, event: &Event, breached: impl FnMut(PropertyId, Breach)) {
        if let EventKind::Rewind { partition, position, .. } = event.kind {
            store.group_mut().rewind(partition, position);
            store.for_each(|states| states.rewind(self.watched));
        }
        let Some(message) = event.kind.message() else { return };
        let (nth, states, group) = store.split(message);
        let mut never_seen = MessageStates::default();
        group.observe(self, states.unwrap_or(&mut never_seen), event, nth, breached);
    }

    /// Says which properties are broken for which messages if nothing more can happen.
    pub fn finish<S: MonitorStore>(&self, store: &S, mut breached: impl FnMut(MessageId, PropertyId, Breach)) {
        for (nth, (message, states)) in store.messages().enumerate() {
            store.group().at_quiescence(self, states, nth, |property, breach| breached(message, property, breach));
        }
    }
}
