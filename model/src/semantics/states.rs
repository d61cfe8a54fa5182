//! What the automata remember, all of them together: of one message, and of one consumer group in either store.
//!
//! Made from the list of the black-box properties. One field belongs to each, and no property reads another's.

use super::{
    Automaton, BoundedGroupState, Breach, Finite, GroupState, Monitor, Property, PropertyId, PropertySet, Rules,
    finite::finite,
};
use crate::vocab::{Event, PartitionId, Position};

/// What the automata of one consumer group remember beyond single messages, as one store keeps it.
pub trait GroupStates: Clone + Default + Eq + std::fmt::Debug {
    /// Takes in an event about the `nth` message that the store saw, whose states these are.
    fn observe(
        &mut self,
        monitor: &Monitor,
        states: &mut MessageStates,
        event: &Event,
        nth: usize,
        breached: impl FnMut(PropertyId, Breach),
    );

    /// Says what is owed of that message once nothing more can happen.
    fn at_quiescence(
        &self,
        monitor: &Monitor,
        states: &MessageStates,
        nth: usize,
        breached: impl FnMut(PropertyId, Breach),
    );

    /// Forgets what is known of positions from this one on, of this partition or, where none is stated, of all.
    fn rewind(&mut self, partition: PartitionId, position: Position);

    /// Forgets what is remembered for these properties.
    fn forget(&mut self, properties: PropertySet);

    /// Forgets what is known of the messages below the `nth`.
    fn forget_below(&mut self, nth: u32);

    /// Forgets everything, and may keep the room for it.
    fn clear(&mut self);
}

macro_rules! group_states {
    ($(#[$doc:meta])* $group:ident: $store:ident { $($field:ident: $name:ident),* }) => {
        $(#[$doc])*
        pub struct $group {
            $($field: <$name as Property>::$store),*
        }

        impl GroupStates for $group {
            #[inline]
            fn observe(
                &mut self,
                monitor: &Monitor,
                states: &mut MessageStates,
                event: &Event,
                nth: usize,
                mut breached: impl FnMut(PropertyId, Breach),
            ) {
                let Monitor { rules, watched } = monitor;
                $(if watched.contains($name::ID)
                    && let Err(breach) = $name::observe(rules, &mut states.$field, &mut self.$field, event, nth)
                {
                    breached($name::ID, breach);
                })*
            }

            #[inline]
            fn at_quiescence(
                &self,
                monitor: &Monitor,
                states: &MessageStates,
                nth: usize,
                mut breached: impl FnMut(PropertyId, Breach),
            ) {
                let Monitor { rules, watched } = monitor;
                $(if watched.contains($name::ID)
                    && let Err(breach) = $name::at_quiescence(rules, &states.$field, &self.$field, nth)
                {
                    breached($name::ID, breach);
                })*
            }

            fn rewind(&mut self, partition: PartitionId, position: Position) {
                $(self.$field.rewind(partition, position);)*
            }

            fn forget(&mut self, properties: PropertySet) {
                $(if properties.contains($name::ID) {
                    self.$field = Default::default();
                })*
            }

            fn forget_below(&mut self, nth: u32) {
                $(self.$field.forget_below(nth);)*
            }

            fn clear(&mut self) {
                $(self.$field.clear();)*
            }
        }
    };
}

macro_rules! states {
    ([$($field:ident: $module:ident::$name:ident),* $(,)?]) => {
        $(use super::$module::$name;)*

        /// What the automata remember of one message.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct MessageStates {
            $($field: <$name as Property>::State),*
        }

        group_states! {
            /// What the automata remember of a group in a model. No heap.
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
            BoundedGroup: Bounded { $($field: $name),* }
        }

        group_states! {
            /// What the automata remember of a group of a recorded history.
            #[derive(Clone, Debug, Default, PartialEq, Eq)]
            UnboundedGroup: Unbounded { $($field: $name),* }
        }

        impl MessageStates {
            /// Where the bits of each property's state begin.
            const BEGINS: [u32; PropertyId::BLACK_BOX.len()] =
                begins([$((<$name as Property>::State::BITS, $name::IS_USUAL)),*]);

            /// Which bits of a message's number can be other than 0 when these properties are watched.
            pub fn bits_used(watched: PropertySet) -> u64 {
                let mut used = 0;
                $(if watched.contains($name::ID) {
                    used |= lowest(<$name as Property>::State::BITS) << Self::BEGINS[$name::ID as usize];
                })*
                used
            }

            pub(super) fn rewind(&mut self, watched: PropertySet) {
                $(if watched.contains($name::ID) {
                    $name::rewind(&mut self.$field);
                })*
            }

            pub(super) fn forget(&mut self, properties: PropertySet) {
                $(if properties.contains($name::ID) {
                    self.$field = Default::default();
                })*
            }
        }

        impl Finite for MessageStates {
            const BITS: u32 = 0 $(+ <$name as Property>::State::BITS)*;

            #[inline(always)]
            fn to_bits(self) -> u64 {
                0 $(| self.$field.to_bits() << const { Self::BEGINS[$name::ID as usize] })*
            }

            // A call of its own: written out for each message it costs the checker 4 % more instructions.
            #[inline(never)]
            fn from_bits(bits: u64) -> Self {
                MessageStates {
                    $($field: Finite::from_bits(
                        bits >> const { Self::BEGINS[$name::ID as usize] }
                            & const { lowest(<$name as Property>::State::BITS) },
                    )),*
                }
            }
        }

        finite!(BoundedGroup { $($field: <$name as Property>::Bounded),* });

        impl BoundedGroup {
            /// Which bits of a group's number can be other than 0 when these properties are watched, in a run of so many
            /// messages over so many positions.
            pub fn bits_used(watched: PropertySet, messages: u32, positions: u32) -> u64 {
                let (mut used, mut begin) = (0, 0);
                $(
                    if watched.contains($name::ID) {
                        used |= lowest(<$name as Property>::Bounded::bits_used(messages, positions)) << begin;
                    }
                    begin += <$name as Property>::Bounded::BITS;
                )*
                let _ = begin;
                used
            }
        }

        impl PropertySet {
            /// The properties that a run without end can break by what stays owed in it.
            pub const OF_ENDLESS_RUNS: PropertySet = {
                let mut set = PropertySet::EMPTY;
                $(if $name::SPEAKS_OF_ENDLESS_RUNS {
                    set.insert($name::ID);
                })*
                set
            };

            /// The properties of which a history is evidence only once things came to rest.
            pub const NEED_QUIESCENCE: PropertySet = {
                let mut set = PropertySet::EMPTY;
                $(if $name::NEEDS_QUIESCENCE {
                    set.insert($name::ID);
                })*
                set
            };
        }

        impl Rules {
            /// Every property that says something under these rules. The other level's and the other obligation's do not,
            /// nor does an order that nobody claimed.
            pub fn applicable(&self) -> PropertySet {
                let mut set = PropertySet::EMPTY;
                $(if $name::is_watched(self) {
                    set.insert($name::ID);
                })*
                set
            }
        }
    };
}

black_box_properties!(states);

/// So many ones.
const fn lowest(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// Where each state's bits begin, from how many it has and whether its property is usually watched: those come first, so
/// that what is kept of a message stands together.
const fn begins<const N: usize>(states: [(u32, bool); N]) -> [u32; N] {
    let (mut begins, mut at) = ([0; N], 0);
    let mut pass = 0;
    while pass < 2 {
        let mut place = 0;
        while place < N {
            let (bits, is_usual) = states[place];
            if is_usual == (pass == 0) {
                begins[place] = at;
                at += bits;
            }
            place += 1;
        }
        pass += 1;
    }
    begins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_states_stand_together_and_no_two_overlap() {
        assert_eq!(begins([(1, true), (3, false), (2, true), (4, false)]), [0, 3, 1, 6]);
        let all = MessageStates::bits_used(PropertySet::BLACK_BOX);
        assert_eq!(all, lowest(MessageStates::BITS), "every bit belongs to a property");
        let bits = |&id: &PropertyId| MessageStates::bits_used(id.into()).count_ones();
        assert_eq!(PropertyId::BLACK_BOX.iter().map(bits).sum::<u32>(), MessageStates::BITS, "and to one only");
    }
}
