//! The time of an event: nanoseconds or logical steps, whichever the recorder counts, or a date and time.

use std::cmp::Ordering;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

/// A point in a history's time. Whole numbers are exact, because nanoseconds since 1970 do not fit a double.
#[derive(Clone, Copy, Debug)]
pub enum At {
    /// A whole number: what nearly every recorder writes.
    Whole(u64),
    /// A fraction or a negative number.
    Fraction(f64),
    /// A date and time, as nanoseconds since the beginning of 1970 in UTC. Written as in RFC 3339.
    Instant(i64),
}

impl At {
    /// The time as a number, for a plot: a date as nanoseconds since 1970. Large numbers are rounded.
    pub fn as_f64(self) -> f64 {
        match self {
            At::Whole(whole) => whole as f64,
            At::Fraction(fraction) => fraction,
            At::Instant(nanoseconds) => nanoseconds as f64,
        }
    }

    /// Whether it is a date and time, not a number. A history has times of one kind.
    pub fn is_instant(self) -> bool {
        matches!(self, At::Instant(_))
    }

    /// The date and time that this text names as in RFC 3339; none if it names none, or one outside the years 1678 to
    /// 2261.
    pub fn instant(text: &str) -> Option<At> {
        let timestamp: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(timestamp.as_nanosecond()).ok().map(At::Instant)
    }

    /// The nanoseconds from an earlier time to this one; none unless both are dates and times, or both whole numbers.
    pub fn since(self, earlier: At) -> Option<u64> {
        match (earlier, self) {
            (At::Instant(earlier), At::Instant(later)) => u64::try_from(later.checked_sub(earlier)?).ok(),
            (At::Whole(earlier), At::Whole(later)) => later.checked_sub(earlier),
            _ => None,
        }
    }

    /// Whether the number is finite: JSON has no infinities and no NaN.
    pub fn is_finite(self) -> bool {
        self.as_f64().is_finite()
    }
}

impl PartialOrd for At {
    /// Compares two whole numbers or two instants exactly, others as doubles.
    fn partial_cmp(&self, other: &At) -> Option<Ordering> {
        match (self, other) {
            (At::Whole(this), At::Whole(other)) => Some(this.cmp(other)),
            (At::Instant(this), At::Instant(other)) => Some(this.cmp(other)),
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
            At::Instant(nanoseconds) => {
                jiff::Timestamp::from_nanosecond((*nanoseconds).into()).expect("an i64 is in range").fmt(f)
            }
        }
    }
}

impl Serialize for At {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            At::Whole(whole) => serializer.serialize_u64(*whole),
            At::Fraction(fraction) => serializer.serialize_f64(*fraction),
            At::Instant(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = At;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a date and time as in RFC 3339")
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

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<At, E> {
                At::instant(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(Number)
    }
}
