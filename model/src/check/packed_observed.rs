//! What was observed of a run as a few words, as short as what is watched allows.
//!
//! Every property gives its states as small numbers; here they get their places, always the same ones, and what is not
//! watched is said not to be used. Knows no property by name.

use crate::bits::Bits;
use crate::semantics::{Bounded, BoundedGroup, Finite, MessageStates, Monitor, Observed, PropertySet};
use crate::spec::bounds::MESSAGES_MAX;

/// How much of what is observed can differ from run to run, so that an image needs to keep no more.
#[derive(Clone, Debug)]
pub(super) struct ObservedLayout {
    messages: u32,
    /// The bits of one message.
    message: u64,
    group: u64,
    violated: u64,
}

/// A word for every two messages, and one for the rest.
const _: () = assert!(2 * MessageStates::BITS < u64::BITS && BoundedGroup::BITS + PropertySet::BITS < u64::BITS);

impl ObservedLayout {
    /// The words of an image of what was observed.
    pub(super) const WORDS: usize = 3;

    /// The layout for a run of so many messages over so many positions.
    pub(super) fn new(monitor: &Monitor, messages: u32, positions: u32) -> Self {
        ObservedLayout {
            messages,
            message: MessageStates::bits_used(monitor.watched),
            group: BoundedGroup::bits_used(monitor.watched, messages, positions),
            violated: monitor.watched.to_bits(),
        }
    }

    /// Passes everything that was observed to one of these words.
    #[inline(always)]
    pub(super) fn code<B: Bits>(
        &self,
        observed: &mut Observed<Bounded<MESSAGES_MAX>>,
        [first, second, third]: [&mut B; Self::WORDS],
    ) {
        let Bounded { messages: [one, two, three, four], group } = &mut observed.store;
        self.message(one, 0, first);
        self.message(two, 1, first);
        self.message(three, 2, second);
        self.message(four, 3, second);
        code(group, self.group, third);
        code(&mut observed.violated, self.violated, third);
    }

    #[inline(always)]
    fn message<B: Bits>(&self, states: &mut MessageStates, place: u32, bits: &mut B) {
        code(states, if place < self.messages { self.message } else { 0 }, bits);
    }
}

/// Codes a value by its number, of which these bits are used. Where none is, what is read stays the default, number 0.
#[inline(always)]
fn code<T: Finite + Copy, B: Bits>(value: &mut T, used: u64, bits: &mut B) {
    let found = bits.code(value.to_bits(), T::BITS, used);
    if B::READS && used != 0 {
        *value = T::from_bits(found);
    }
}
