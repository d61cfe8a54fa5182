//! The automata together: one pass over the events of one consumer group.
//!
//! [`Monitor`] is the constant part, [`Observed`] the part that changes. With a [`Bounded`] store
//! `Observed` is `Copy + Eq + Hash`: the history variable of a model, the oracle of a property test, the assertion of a
//! concurrency test. With a [`Unbounded`](super::Unbounded) one it is the engine of the judge. Nothing here allocates
//! except a growing store that meets a new message.

use super::{
    Automaton, Breach, PropertyId, PropertySet, Rules,
    effect_or_dead_letter::EffectOrDeadLetter,
    integrity::Integrity,
    no_delivery_after_settle::NoDeliveryAfterSettle,
    no_duplicate::{NoDuplicateDelivery, NoDuplicateEffect},
    not_lost::{AckedNotLost, SubmittedNotLost},
    order::Order,
    refused_not_delivered::RefusedNotDelivered,
    settled_after_effect::SettledAfterEffect,
    store::{Bounded, GroupState, MonitorStore},
};
use crate::bits::{Bits, Coded, coded, ones};
use crate::vocab::{Event, EventKind, MessageId, PartitionId, Position};

macro_rules! automata {
    ($($field:ident: $automaton:ident),* $(,)?) => {
        /// What the automata remember of one message: one field each, none of which another reads.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct MessageStates {
            $($field: <$automaton as Automaton>::State),*
        }

        impl MessageStates {
            fn observe(
                &mut self,
                rules: &Rules,
                watched: PropertySet,
                group: &mut impl GroupState,
                event: &Event,
                mut breached: impl FnMut(PropertyId, Breach),
            ) {
                $(if watched.contains($automaton::PROPERTY)
                    && let Err(breach) = $automaton::observe(rules, &mut self.$field, group, event)
                {
                    breached($automaton::PROPERTY, breach);
                })*
            }

            fn at_quiescence(
                &self,
                rules: &Rules,
                watched: PropertySet,
                group: &impl GroupState,
                message: MessageId,
                mut breached: impl FnMut(PropertyId, Breach),
            ) {
                $(if watched.contains($automaton::PROPERTY)
                    && let Err(breach) = $automaton::at_quiescence(rules, &self.$field, group, message)
                {
                    breached($automaton::PROPERTY, breach);
                })*
            }

            fn rewind(&mut self, watched: PropertySet) {
                $(if watched.contains($automaton::PROPERTY) {
                    $automaton::rewind(&mut self.$field);
                })*
            }

            /// Which bits of [`MessageStates::to_bits`] can be other than 0 when these are watched.
            fn watched_bits(watched: PropertySet) -> u64 {
                let (mut mask, mut at) = (0, 0);
                $(
                    let bits = <$automaton as Automaton>::State::BITS;
                    if watched.contains($automaton::PROPERTY) {
                        mask |= ((1 << bits) - 1) << at;
                    }
                    at += bits;
                )*
                let _ = at;
                mask
            }

            fn forget(&mut self, properties: PropertySet) {
                $(if properties.contains($automaton::PROPERTY) {
                    self.$field = Default::default();
                })*
            }
        }

        coded!(MessageStates { $($field: <$automaton as Automaton>::State),* });

        impl PropertySet {
            /// The properties that a run without end can break by what stays owed in it.
            pub const OF_ENDLESS_RUNS: PropertySet = {
                let mut set = PropertySet::EMPTY;
                $(if $automaton::SPEAKS_OF_ENDLESS_RUNS {
                    set.insert($automaton::PROPERTY);
                })*
                set
            };

            /// The properties of which a history is evidence only once things came to rest.
            pub const NEED_QUIESCENCE: PropertySet = {
                let mut set = PropertySet::EMPTY;
                $(if $automaton::NEEDS_QUIESCENCE {
                    set.insert($automaton::PROPERTY);
                })*
                set
            };
        }
    };
}

// Those that are mostly watched come first, so that what is kept of a message stands together.
automata! {
    integrity: Integrity,
    refused_not_delivered: RefusedNotDelivered,
    settled_after_effect: SettledAfterEffect,
    no_delivery_after_settle: NoDeliveryAfterSettle,
    no_duplicate_effect: NoDuplicateEffect,
    acked_not_lost: AckedNotLost,
    no_duplicate_delivery: NoDuplicateDelivery,
    submitted_not_lost: SubmittedNotLost,
    order: Order,
    effect_or_dead_letter: EffectOrDeadLetter,
}

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
    store: S,
    violated: PropertySet,
}

impl<S> Observed<S> {
    /// The properties that were broken so far. A broken property stays broken.
    pub fn violated(&self) -> PropertySet {
        self.violated
    }
}

/// How much of what is observed can differ from run to run, so that an image needs to keep no more.
#[derive(Clone, Debug)]
pub struct ObservedLayout {
    watched: PropertySet,
    messages: usize,
    /// The bits of one message.
    message: u64,
    places: u64,
    frontier: u32,
}

impl ObservedLayout {
    /// The words of an image of what was observed.
    pub const WORDS: usize = 2;

    /// Passes everything that was observed to one of these words.
    #[inline(always)]
    pub fn code<B: Bits>(&self, observed: &mut Observed<Bounded<4>>, [first, second]: [&mut B; Self::WORDS]) {
        let ([one, two, three, four], settled, frontier) = observed.store.parts();
        self.message(one, 0, first);
        self.message(two, 1, first);
        let places = first.code((*settled).into(), u16::BITS, self.places);
        if B::READS {
            *settled = places as u16;
        }
        self.message(three, 2, second);
        self.message(four, 3, second);
        second.byte(frontier, u8::BITS, self.frontier);
        observed.violated.code(self.watched, second);
    }

    #[inline(always)]
    fn message<B: Bits>(&self, states: &mut MessageStates, place: usize, bits: &mut B) {
        let used = if place < self.messages { self.message } else { 0 };
        let found = bits.code(states.to_bits(), MessageStates::BITS, used);
        if B::READS {
            *states = MessageStates::from_bits(found);
        }
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
            if broken.contains(PropertyId::NoDeliveryAfterSettle) {
                observed.store.rewind(PartitionId::default(), Position(0));
            }
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

    /// The room for what is observed of so many messages and positions.
    pub fn room(&self, messages: usize, positions: u32) -> ObservedLayout {
        let watches = |property| self.watched.contains(property);
        ObservedLayout {
            watched: self.watched,
            messages,
            message: MessageStates::watched_bits(self.watched),
            places: if watches(PropertyId::NoDeliveryAfterSettle) { ones(positions) } else { 0 },
            frontier: if watches(PropertyId::Order) { u8::BITS } else { 0 },
        }
    }

    /// Takes in one event and says which properties it broke, each time anew.
    pub fn feed<S: MonitorStore>(&self, store: &mut S, event: &Event, breached: impl FnMut(PropertyId, Breach)) {
        if let EventKind::Rewind { partition, position, .. } = event.kind {
            store.rewind(partition, position);
            store.for_each(|states| states.rewind(self.watched));
        }
        let Some(message) = event.kind.message() else { return };
        let (states, group) = store.split(message);
        let mut never_seen = MessageStates::default();
        states.unwrap_or(&mut never_seen).observe(&self.rules, self.watched, group, event, breached);
    }

    /// Says which properties are broken for which messages if nothing more can happen.
    pub fn finish<S: MonitorStore>(&self, store: &S, mut breached: impl FnMut(MessageId, PropertyId, Breach)) {
        for (message, states) in store.messages() {
            states.at_quiescence(&self.rules, self.watched, store.group_state(), message, |property, breach| {
                breached(message, property, breach);
            });
        }
    }
}
