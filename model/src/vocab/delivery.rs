//! How the protocol's steps name a hand-off.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Position;

/// One hand-off, as the protocol's steps name it: a position, and which of its hand-offs.
///
/// A position has at most one hand-off with a live lease. Those whose lease has ended, the late ones, are numbered from
/// the one that ended first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryRef {
    /// Which place in the log was handed off.
    pub position: Position,
    /// 0: its lease is live. Otherwise its lease has ended, whatever it still does comes late, and it is the nth of those
    /// of its position, counted from 1. Files write 0 by leaving it out and 1 as `true`.
    #[serde(default, skip_serializing_if = "is_live", with = "late_word")]
    pub late: u8,
}

impl DeliveryRef {
    /// The hand-off of this position that has a live lease.
    pub const fn live(position: Position) -> Self {
        DeliveryRef { position, late: 0 }
    }

    /// Its lease has ended.
    pub const fn is_late(self) -> bool {
        self.late > 0
    }
}

fn is_live(late: &u8) -> bool {
    *late == 0
}

/// How files write which of a position's late hand-offs is meant.
mod late_word {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    struct Late;

    impl Visitor<'_> for Late {
        type Value = u8;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("true, false, or a whole number from 0 to 255")
        }

        fn visit_bool<E: Error>(self, late: bool) -> Result<u8, E> {
            Ok(late.into())
        }

        fn visit_u64<E: Error>(self, nth: u64) -> Result<u8, E> {
            u8::try_from(nth).map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(nth), &self))
        }

        fn visit_i64<E: Error>(self, nth: i64) -> Result<u8, E> {
            u8::try_from(nth).map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(nth), &self))
        }
    }

    pub(super) fn serialize<S: Serializer>(late: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        match late {
            1 => serializer.serialize_bool(true),
            nth => serializer.serialize_u8(*nth),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        deserializer.deserialize_any(Late)
    }
}

impl fmt::Display for DeliveryRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.late {
            0 => write!(f, "position {}", self.position),
            1 => write!(f, "position {} (lease ended)", self.position),
            nth => write!(f, "position {} (lease ended, number {nth} of them)", self.position),
        }
    }
}
