//! Every setting, once: its key, its limits, and how its value is read and written.
//!
//! Reader, writer and the lists of allowed keys all go by these tables. Left out
//! here: the budgets of `[faults]`, whose keys are the kinds of fault, and what combinations of settings mean.

use super::{Attempts, Broker, Consumer, Pipeline, Producer, Semantics};
use crate::document::{Cursor, Location, Mistake, Value, quoted};
use crate::words::Word;

/// The most characters of a name: it stands in tables.
pub const NAME_LIMIT: usize = 100;
/// The most attempts as a number: beyond it, `until-acked` is meant.
pub const ATTEMPTS_LIMIT: u32 = 1000;
/// The most messages in flight, which bounds the wires and the memory of both sides.
pub const IN_FLIGHT_LIMIT: u32 = 64;
/// The widest dedup window, which bounds the broker's memory.
pub const DEDUP_WINDOW_LIMIT: u32 = 1_000_000;
/// The most deliveries before a dead letter.
pub const MAX_DELIVERIES_LIMIT: u32 = 1000;
/// The most workers, each of which is a thread in a real run.
pub const WORKERS_LIMIT: u32 = 64;
/// The largest budget of a kind of fault, and of all together.
pub const FAULTS_LIMIT: u32 = 1_000_000;

/// One setting of the section `S`.
pub(super) struct Setting<S: 'static> {
    pub key: &'static str,
    pub read: fn(&mut S, &Cursor<'_>) -> Result<(), Mistake>,
    /// The value as a file has it; [`Value::Null`] where a file leaves it out.
    pub write: fn(&S) -> Value,
}

/// A type that knows by itself how files write it.
trait Form: Sized {
    fn read(cursor: &Cursor<'_>) -> Result<Self, Mistake>;
    fn write(&self) -> Value;
}

macro_rules! setting {
    ($key:literal, $field:ident) => {
        Setting {
            key: $key,
            read: |section, cursor| Form::read(cursor).map(|value| section.$field = value),
            write: |section| section.$field.write(),
        }
    };
    ($key:literal, $field:ident, $range:expr) => {
        Setting {
            key: $key,
            read: |section, cursor| cursor.number($range).map(|value| section.$field = value),
            write: |section| Value::Integer(section.$field.into()),
        }
    };
}

pub(super) const TOP: &[Setting<Pipeline>] = &[
    Setting {
        key: "name",
        read: |pipeline, cursor| read_name(cursor).map(|name| pipeline.name = name.to_owned()),
        write: |pipeline| Value::Text(pipeline.name.clone()),
    },
    setting!("promises", promises),
    setting!("level", level),
    setting!("obligation", obligation),
    setting!("ordered", ordered),
    setting!("dead-letters", dead_letters),
];

pub(super) const PRODUCER: &[Setting<Producer>] = &[
    setting!("attempts", attempts),
    setting!("identity", identity),
    setting!("on-restart", on_restart),
    setting!("in-flight", in_flight, 1..=IN_FLIGHT_LIMIT),
];

pub(super) const BROKER: &[Setting<Broker>] = &[
    setting!("acks", acks),
    setting!("dedup", dedup),
    setting!("dedup-window", dedup_window, 0..=DEDUP_WINDOW_LIMIT),
    setting!("dedup-on-restart", dedup_on_restart),
    setting!("fencing", fencing),
    setting!("delivers", delivers),
    setting!("records-settles", records_settles),
    setting!("leases", leases),
    setting!("max-deliveries", max_deliveries, 0..=MAX_DELIVERIES_LIMIT),
];

pub(super) const CONSUMER: &[Setting<Consumer>] = &[
    setting!("settles", settles),
    setting!("commits", commits),
    setting!("remembers", remembers),
    setting!("workers", workers, 1..=WORKERS_LIMIT),
];

impl<W: Word> Form for W {
    fn read(cursor: &Cursor<'_>) -> Result<W, Mistake> {
        cursor.word()
    }

    fn write(&self) -> Value {
        Value::Text(self.word().to_owned())
    }
}

impl Form for Option<Semantics> {
    fn read(cursor: &Cursor<'_>) -> Result<Self, Mistake> {
        cursor.word().map(Some)
    }

    fn write(&self) -> Value {
        self.map_or(Value::Null, |semantics| semantics.write())
    }
}

impl Form for bool {
    fn read(cursor: &Cursor<'_>) -> Result<bool, Mistake> {
        cursor.bool()
    }

    fn write(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Form for Attempts {
    fn read(cursor: &Cursor<'_>) -> Result<Attempts, Mistake> {
        match cursor.value() {
            Value::Text(word) if word == "once" => Ok(Attempts::AtMost(1)),
            Value::Text(word) if word == "until-acked" => Ok(Attempts::UntilAcked),
            _ => {
                let allowed = format!("\"once\", \"until-acked\", or a whole number from 1 to {ATTEMPTS_LIMIT}");
                cursor.number(1..=ATTEMPTS_LIMIT).map(Attempts::AtMost).map_err(|_| cursor.unfit(allowed))
            }
        }
    }

    fn write(&self) -> Value {
        match self {
            Attempts::UntilAcked => Value::Text("until-acked".to_owned()),
            Attempts::AtMost(1) => Value::Text("once".to_owned()),
            Attempts::AtMost(times) => Value::Integer((*times).into()),
        }
    }
}

fn allowed_name() -> String {
    format!("a text of 1 to {NAME_LIMIT} characters without control characters")
}

fn is_name(text: &str) -> bool {
    (1..=NAME_LIMIT).contains(&text.chars().count()) && !text.contains(char::is_control)
}

/// A name that stands in the document.
pub(crate) fn read_name<'a>(cursor: &Cursor<'a>) -> Result<&'a str, Mistake> {
    let name = cursor.text(&allowed_name())?;
    if is_name(name) { Ok(name) } else { Err(cursor.unfit(allowed_name())) }
}

/// The name to use where the document has none.
pub(super) fn default_name(name: &str, document: &Location) -> Result<String, Mistake> {
    if is_name(name) {
        return Ok(name.to_owned());
    }
    let found = format!("none, and {} to use instead", quoted(name));
    Err(Mistake::Unfit { place: document.child(None, "name"), found, allowed: allowed_name() })
}
