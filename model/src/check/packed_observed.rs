//! What was observed of a run as a few words, as short as what is watched allows.
//!
//! Every property gives its states as small numbers; here they get their places, always the same ones, and what is not
//! watched is said not to be used. Knows no property by name.

use std::array::from_fn;

use crate::bits::{Bits, Used};
use crate::semantics::{Bounded, BoundedGroup, Finite, MessageStates, Monitor, Observed, PropertySet};
use crate::spec::bounds::MESSAGES_MAX;

/// How much of what is observed can differ from run to run, so that an image needs to keep no more.
#[derive(Clone, Debug)]
pub(super) struct ObservedLayout {
    /// The bits of each message.
    messages: [u64; MESSAGES_MAX],
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
            messages: from_fn(
                |place| if place < messages as usize { MessageStates::bits_used(monitor.watched) } else { 0 },
            ),
            group: BoundedGroup::bits_used(monitor.watched, messages, positions),
            violated: monitor.watched.to_bits(),
        }
    }

    /// The bits that an event about this message reads and changes, as long as it breaks nothing.
    pub(super) fn of_message(&self, message: usize) -> [u64; Self::WORDS] {
        let messages = from_fn(|place| if place == message { self.messages[place] } else { 0 });
        ObservedLayout { messages, ..self.clone() }.used()
    }

    /// The bits that say whether one of these properties is broken.
    pub(super) fn of_violated(&self, properties: PropertySet) -> [u64; Self::WORDS] {
        let violated = self.violated & properties.to_bits();
        ObservedLayout { messages: [0; MESSAGES_MAX], group: 0, violated }.used()
    }

    /// Every bit that is used.
    pub(super) fn used(&self) -> [u64; Self::WORDS] {
        let mut words = [Used::default(); Self::WORDS];
        self.code(&mut Observed::default(), words.each_mut());
        words.map(|word| word.mask)
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
    fn message<B: Bits>(&self, states: &mut MessageStates, place: usize, bits: &mut B) {
        code(states, self.messages[place], bits);
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
