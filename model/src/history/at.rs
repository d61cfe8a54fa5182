//! The time of an event: nanoseconds or logical steps, whichever the recorder counts.

use std::cmp::Ordering;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// A point in a history's time. Whole numbers are exact, because nanoseconds since 1970 do not fit a double.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// A whole number: what nearly every recorder writes.
    Whole(u64),
    /// A fraction or a negative number.
    Fraction(f64),
}

impl At {
    fn as_f64(self) -> f64 {
        match self {
            At::Whole(whole) => whole as f64,
            At::Fraction(fraction) => fraction,
        }
    }

    /// Whether the number is finite: JSON has no infinities and no NaN.
    pub fn is_finite(self) -> bool {
        self.as_f64().is_finite()
    }
}

impl PartialOrd for At {
    /// Compares two whole numbers exactly, other numbers as doubles.
    fn partial_cmp(&self, other: &At) -> Option<Ordering> {
        match (self, other) {
            (At::Whole(this), At::Whole(other)) => Some(this.cmp(other)),
            _ => self.as_f64().partial_cmp(&other.as_f64()),
        }
    }
}

impl PartialEq for At {
    fn eq(&self, other: &At) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl Default for At {
    fn default() -> At {
        At::Whole(0)
    }
}

impl From<u64> for At {
    fn from(whole: u64) -> At {
        At::Whole(whole)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Whole(whole) => whole.fmt(f),
            At::Fraction(fraction) => fraction.fmt(f),
        }
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            At::Whole(whole) => serializer.serialize_u64(*whole),
            At::Fraction(fraction) => serializer.serialize_f64(*fraction),
        }
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = At;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_u64<E>(self, number: u64) -> Result<At, E> {
                Ok(At::Whole(number))
            }

            fn visit_i64<E>(self, number: i64) -> Result<At, E> {
                Ok(u64::try_from(number).map_or(At::Fraction(number as f64), At::Whole))
            }

            fn visit_f64<E>(self, number: f64) -> Result<At, E> {
                Ok(At::Fraction(number))
            }
        }

        deserializer.deserialize_any(Number)
    }
}
