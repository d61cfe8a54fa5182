//! The names of the properties, and sets of them.
//!
//! A name says nothing about how its property is judged: that is its own module's business.
//! Black-box properties are judged from a history alone, white-box ones by what the parties hold.

use std::{
    fmt,
    ops::{BitAnd, BitOr, BitOrAssign, Sub},
};

use serde::{Deserialize, Serialize};

use crate::bits::Bits;
use crate::words::Word;

macro_rules! properties {
    ($($name:ident = $word:literal: $formula:literal),* $(,)?) => {
        /// A property by name. Each has its formula beside it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum PropertyId {
            $(#[doc = $formula] #[serde(rename = $word)] $name),*
        }

        impl PropertyId {
            /// Every property, in the order of the overview tables: first the black-box ones.
            pub const ALL: &[PropertyId] = &[$(PropertyId::$name),*];

            /// The word that output uses.
            pub const fn word(self) -> &'static str {
                match self { $(PropertyId::$name => $word),* }
            }

            /// What the property says, in one line.
            pub const fn formula(self) -> &'static str {
                match self { $(PropertyId::$name => $formula),* }
            }
        }
    };
}

properties! {
    Integrity = "integrity": "delivered or effected m was submitted, payload equal",
    NoDuplicateDelivery = "no-duplicate-delivery": "deliveries(m) <= 1 per consumer group",
    NoDuplicateEffect = "no-duplicate-effect": "effects(m) <= 1 per consumer group",
    AckedNotLost = "acked-not-lost": "at quiescence, acked(m) => m counted at the level, or dead-lettered where allowed",
    SubmittedNotLost = "submitted-not-lost": "at quiescence, submitted(m) => m counted at the level, or dead-lettered where allowed",
    RefusedNotDelivered = "refused-not-delivered": "every attempt of m definitely refused => m never delivered",
    Order = "order": "per producer, first deliveries come in submission order, without gaps",
    SettledAfterEffect = "settled-after-effect": "settle(m) ok => effect(m) before it (at-least-once), or settle before effect (at-most-once)",
    NoDeliveryAfterSettle = "no-delivery-after-settle": "settle of a position confirmed => no later delivery of it, unless rewound",
    EffectOrDeadLetter = "effect-or-dead-letter": "an effect and a dead letter of m exclude each other",
    AckHonesty = "ack-honesty": "producer ack => the record is durable",
    DedupHonesty = "dedup-honesty": "suppressed as a duplicate => this very m is in the log",
    DedupCompleteness = "dedup-completeness": "within the window, a retry is never stored twice",
    LeaseExclusive = "lease-exclusive": "at most one live lease a position",
    StaleSettleRefused = "stale-settle-refused": "only the current delivery settles",
    Fencing = "fencing": "after epoch e registers, nothing of an older epoch is stored, settled or effected",
    CumulativeCommit = "cumulative-commit": "committed(n) => every position below n has its effect, or is dead-lettered",
    PoisonBounded = "poison-bounded": "hand-offs(p) <= max; dead-lettered and settled exclude each other; nothing vanishes",
    ReplaySafe = "replay-safe": "a rewind repeats deliveries, and no effect",
}

impl PropertyId {
    /// The properties of a history.
    pub const BLACK_BOX: &[PropertyId] = Self::ALL.split_at(10).0;

    /// The properties of what the parties hold.
    pub const WHITE_BOX: &[PropertyId] = Self::ALL.split_at(10).1;
}

impl Word for PropertyId {
    const ALL: &'static [Self] = PropertyId::ALL;

    fn word(self) -> &'static str {
        PropertyId::word(self)
    }
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A set of properties: one bit each, so that a state can carry it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertySet(u32);

const _: () = assert!(PropertyId::ALL.len() <= u32::BITS as usize);

impl PropertySet {
    /// No property.
    pub const EMPTY: PropertySet = PropertySet(0);
    /// The properties of a history.
    pub const BLACK_BOX: PropertySet = PropertySet::of(PropertyId::BLACK_BOX);
    /// The properties of what the parties hold.
    pub const WHITE_BOX: PropertySet = PropertySet::of(PropertyId::WHITE_BOX);

    /// The set of these.
    pub const fn of(properties: &[PropertyId]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < properties.len() {
            bits |= 1 << properties[i] as u32;
            i += 1;
        }
        PropertySet(bits)
    }

    /// Whether the set has none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many it has.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether it has this one.
    pub const fn contains(self, property: PropertyId) -> bool {
        self.0 & (1 << property as u32) != 0
    }

    /// Adds one.
    pub const fn insert(&mut self, property: PropertyId) {
        self.0 |= 1 << property as u32;
    }

    /// Its members, in the order of [`PropertyId::ALL`].
    pub fn iter(self) -> impl Iterator<Item = PropertyId> {
        PropertyId::ALL.iter().copied().filter(move |&property| self.contains(property))
    }
}

impl PropertySet {
    /// Passes a set of black-box properties to `bits`, of which these can be in it.
    #[inline(always)]
    pub(super) fn code<B: Bits>(&mut self, possible: PropertySet, bits: &mut B) {
        let found = bits.code(self.0.into(), PropertyId::BLACK_BOX.len() as u32, possible.0.into());
        if B::READS {
            self.0 = found as u32;
        }
    }
}

impl BitOr for PropertySet {
    type Output = PropertySet;

    fn bitor(self, other: PropertySet) -> PropertySet {
        PropertySet(self.0 | other.0)
    }
}

impl BitAnd for PropertySet {
    type Output = PropertySet;

    fn bitand(self, other: PropertySet) -> PropertySet {
        PropertySet(self.0 & other.0)
    }
}

impl BitOrAssign for PropertySet {
    fn bitor_assign(&mut self, other: PropertySet) {
        self.0 |= other.0;
    }
}

impl Sub for PropertySet {
    type Output = PropertySet;

    fn sub(self, other: PropertySet) -> PropertySet {
        PropertySet(self.0 & !other.0)
    }
}

impl From<PropertyId> for PropertySet {
    fn from(property: PropertyId) -> Self {
        PropertySet::of(&[property])
    }
}

impl FromIterator<PropertyId> for PropertySet {
    fn from_iter<I: IntoIterator<Item = PropertyId>>(properties: I) -> Self {
        properties.into_iter().fold(PropertySet::EMPTY, |set, property| set | property.into())
    }
}

impl fmt::Debug for PropertySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(PropertyId::word)).finish()
    }
}
