//! The names of the properties, and sets of them.
//!
//! A name says nothing about how its property is judged: that is its own module's business.
//! Black-box properties are judged from a history alone, white-box ones by what the parties hold.

use std::{
    fmt,
    ops::{BitAnd, BitOr, BitOrAssign, Sub},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::whitebox::{Inspection, white_box_properties};
use super::{Finite, Property};
use crate::history::EventWord;
use crate::words::Word;

/// The names of both lists.
macro_rules! property_ids {
    (
        [$($black_field:ident: $black_module:ident::$black:ident),* $(,)?]
        [$($white_field:ident: $white_module:ident::$white:ident),* $(,)?]
    ) => {
        /// A property by name. What it says stands in its own file.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum PropertyId {
            $(#[doc = concat!("See [`", stringify!($black_module), "`](super::", stringify!($black_module), ").")] $black,)*
            $(#[doc = concat!("See [`", stringify!($white_module), "`](super::whitebox::", stringify!($white_module), ").")] $white,)*
        }

        impl PropertyId {
            /// The properties of a history.
            pub const BLACK_BOX: &[PropertyId] = &[$(PropertyId::$black),*];

            /// The properties of what the parties hold.
            pub const WHITE_BOX: &[PropertyId] = &[$(PropertyId::$white),*];

            /// Every property, in the order of the overview tables: first the black-box ones.
            pub const ALL: &[PropertyId] = &[$(PropertyId::$black,)* $(PropertyId::$white,)*];

            /// The word that output uses.
            pub const fn word(self) -> &'static str {
                match self {
                    $(PropertyId::$black => <super::$black_module::$black as Property>::WORD,)*
                    $(PropertyId::$white => <super::whitebox::$white_module::$white as Inspection>::WORD,)*
                }
            }

            /// The kinds of events that must be on record without gaps for the verdict "holds"; none for a white-box property.
            pub(super) const fn seen_by(self) -> &'static [EventWord] {
                match self {
                    $(PropertyId::$black => <super::$black_module::$black as Property>::SEEN_BY,)*
                    $(PropertyId::$white => &[],)*
                }
            }

            /// What the property says, in one line.
            pub const fn formula(self) -> &'static str {
                match self {
                    $(PropertyId::$black => <super::$black_module::$black as Property>::FORMULA,)*
                    $(PropertyId::$white => <super::whitebox::$white_module::$white as Inspection>::FORMULA,)*
                }
            }
        }
    };
}

macro_rules! with_white_box {
    ($black_box:tt) => {
        white_box_properties!(property_ids $black_box);
    };
}

black_box_properties!(with_white_box);

impl Word for PropertyId {
    const ALL: &'static [Self] = PropertyId::ALL;

    fn word(self) -> &'static str {
        PropertyId::word(self)
    }
}

impl Serialize for PropertyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for PropertyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let unknown = || D::Error::custom(format_args!("no property is called {word:?}"));
        PropertyId::from_word(&word).ok_or_else(unknown)
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

const _: () = assert!(PropertyId::ALL.len() <= PropertySet::CAPACITY);

impl PropertySet {
    /// How many properties there can be.
    pub const CAPACITY: usize = u32::BITS as usize;
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

impl Finite for PropertySet {
    const BITS: u32 = PropertyId::ALL.len() as u32;

    fn to_bits(self) -> u64 {
        self.0.into()
    }

    fn from_bits(bits: u64) -> Self {
        PropertySet(bits as u32)
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
