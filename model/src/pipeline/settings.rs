//! Every setting, once: its field, its default, its key, its limits, what it is for, and how its value is read and written.
//!
//! Reader, writer, the lists of allowed keys and the reference in `docs/formats` all go by these tables. A setting of a
//! section is one row, which declares its field too; the fields of [`Pipeline`] itself stand with it. Left out here:
//! the budgets of `[faults]`, whose keys are the kinds of fault, and what combinations of settings mean.

use std::ops::RangeInclusive;

use super::{
    Acks, AnswersDuplicates, Attempts, Commits, DeadLettering, Dedup, DedupOnRestart, Delivers, ForgottenProducers,
    HandsOff, Identity, Leases, NewGroup, OnDuplicate, OnFailure, OnRefusal, OnRestart, OutboxRead, Overflow, Pipeline,
    RecordsSettles, RelayCommits, Remembers, Semantics, Settles,
};
use crate::document::{Cursor, Location, Mistake, Value, quoted};
use crate::numbers::whole_number;
use crate::words::Explained;

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
/// The most workers, whose effects may share a transaction in a real run.
pub const WORKERS_LIMIT: u32 = 64;
/// The largest capacity of a queue: the model's log is short.
pub const CAPACITY_LIMIT: u32 = 3;
/// The most deliveries that are handled as one.
pub const BATCH_LIMIT: u32 = 3;
/// The most deliveries that wait in the consumer's buffer.
pub const PREFETCH_LIMIT: u32 = 2;
/// The largest budget of a kind of fault, and of all together.
pub const FAULTS_LIMIT: u32 = 1_000_000;

/// One setting of the section `S`.
pub(super) struct Setting<S: 'static> {
    pub key: &'static str,
    /// What it is for, in a sentence of the reference.
    pub says: &'static str,
    /// What a file may write there.
    pub takes: fn(&S) -> Takes,
    pub read: fn(&mut S, &Cursor<'_>) -> Result<(), Mistake>,
    /// The value as a file has it; [`Value::Null`] where a file leaves it out.
    pub write: fn(&S) -> Value,
}

/// What a file may write as the value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// A text of 1 to [`NAME_LIMIT`] characters without control characters.
    Name,
    /// `true` or `false`.
    Flag,
    /// One of these words, each with what it means.
    Words(Vec<(&'static str, &'static str)>),
    /// A whole number in this range.
    Number(RangeInclusive<u32>),
    /// One of these words, or a whole number in this range.
    WordsOrNumber(Vec<(&'static str, &'static str)>, RangeInclusive<u32>),
}

impl Takes {
    fn words<W: Explained>() -> Takes {
        Takes::Words(W::ALL.iter().map(|value| (value.word(), value.meaning())).collect())
    }
}

/// A type that knows by itself how files write it.
trait Form: Sized {
    fn takes(&self) -> Takes;
    fn read(cursor: &Cursor<'_>) -> Result<Self, Mistake>;
    fn write(&self) -> Value;
}

macro_rules! setting {
    ($key:literal, $field:ident, $says:literal) => {
        Setting {
            key: $key,
            says: $says,
            takes: |section| section.$field.takes(),
            read: |section, cursor| Form::read(cursor).map(|value| section.$field = value),
            write: |section| section.$field.write(),
        }
    };
    ($key:literal, $field:ident, $range:expr, $says:literal) => {
        Setting {
            key: $key,
            says: $says,
            takes: |_| Takes::Number($range),
            read: |section, cursor| cursor.number($range).map(|value| section.$field = value),
            write: |section| Value::Integer(section.$field.into()),
        }
    };
}

pub(super) const TOP: &[Setting<Pipeline>] = &[
    Setting {
        key: "name",
        says: "The pipeline's name. Left out: the file's name without its ending.",
        takes: |_| Takes::Name,
        read: |pipeline, cursor| read_name(cursor).map(|name| pipeline.name = name.to_owned()),
        write: |pipeline| Value::Text(pipeline.name.clone()),
    },
    setting!(
        "promises",
        promises,
        "The semantics that the pipeline claims. Left out: it claims none, and is told the strongest that holds."
    ),
    setting!("level", level, "Where the claim is judged: what is counted."),
    setting!("obligation", obligation, "Which messages must not be lost."),
    setting!(
        "ordered",
        ordered,
        "The pipeline also claims that each producer's messages are first delivered in the order of their submission."
    ),
    setting!("dead-letters", dead_letters, "What a dead letter is to a promise that nothing is lost."),
];

/// Declares a section: its struct, whose fields have these defaults or else their types' own, and its table of settings.
macro_rules! section {
    (
        #[doc = $doc:literal] $name:ident, $table:ident;
        $($key:literal $field:ident: $type:ty $(= $default:literal)? $(, in $range:expr)?; $says:literal)*
    ) => {
        #[doc = $doc]
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub struct $name {
            $(#[doc = $says] pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                $name { $($field: section!(@default $($default)?),)* }
            }
        }

        pub(super) const $table: &[Setting<$name>] = &[$(setting!($key, $field, $($range,)? $says)),*];
    };
    (@default) => { Default::default() };
    (@default $default:literal) => { $default };
}

section! {
    /// The producer's settings.
    Producer, PRODUCER;
    "attempts" attempts: Attempts;
        "How often the producer transmits a message."
    "identity" identity: Identity;
        "By what a message is recognised."
    "on-restart" on_restart: OnRestart;
        "What becomes of unfinished messages when the producer restarts."
    "on-refusal" on_refusal: OnRefusal;
        "What the producer does when the broker refuses an attempt."
    "outbox" outbox: OutboxRead;
        "How the producer finds in its outbox what is to be sent, where it keeps one (`on-restart` is not \"forgets\")."
    "relay-commits" relay_commits: RelayCommits;
        "When a producer that reads its outbox by position stores the position."
    "in-flight" in_flight: u32 = 1, in 1..=IN_FLIGHT_LIMIT;
        "How many messages may be unresolved at once."
}

section! {
    /// The broker's settings.
    Broker, BROKER;
    "acks" acks: Acks;
        "When the broker confirms a publish."
    "dedup" dedup: Dedup;
        "How the broker recognises a retry."
    "dedup-window" dedup_window: u32 = 0, in 0..=DEDUP_WINDOW_LIMIT;
        "How many of the latest records the recognition covers; 0: all."
    "dedup-on-restart" dedup_on_restart: DedupOnRestart;
        "What the broker's restart does to its memory of seen messages."
    "answers-duplicates" answers_duplicates: AnswersDuplicates;
        "What the broker answers to an attempt that it takes for a duplicate."
    "forgotten-producers" forgotten_producers: ForgottenProducers;
        "What the broker does with a number in the middle of a session that it does not know (`dedup = \"sequence\"`)."
    "fencing" fencing: bool = true;
        "The broker refuses attempts of older producer epochs, where messages carry an epoch (`identity = \"sequence\"`)."
    "capacity" capacity: u32 = 0, in 0..=CAPACITY_LIMIT;
        "How many records that are not settled the queue holds; 0: any number."
    "overflow" overflow: Overflow;
        "What the broker does with a publish that finds the queue full."
    "hands-off" hands_off: HandsOff;
        "From when on the broker hands off a record."
    "delivers" delivers: Delivers;
        "How often the broker hands a position off."
    "records-settles" records_settles: RecordsSettles;
        "When a settle is durable."
    "leases" leases: Leases;
        "Whether only the current delivery may settle."
    "max-deliveries" max_deliveries: u32 = 0, in 0..=MAX_DELIVERIES_LIMIT;
        "After so many deliveries without a settle, a position is set aside as a dead letter; 0: never."
    "dead-lettering" dead_lettering: DeadLettering;
        "How a dead letter is put into its own queue."
    "new-group" new_group: NewGroup;
        "Where a group begins that has no position."
}

section! {
    /// The consumer's settings.
    Consumer, CONSUMER;
    "settles" settles: Settles;
        "When the consumer settles."
    "commits" commits: Commits;
        "What a settle covers."
    "remembers" remembers: Remembers;
        "Where the consumer remembers what it has seen: by identity, or by position where there is none."
    "on-failure" on_failure: OnFailure;
        "What the consumer does with a delivery whose handler failed."
    "on-duplicate" on_duplicate: OnDuplicate;
        "What the consumer does with a delivery of a message that it remembers."
    "batch" batch: u32 = 1, in 1..=BATCH_LIMIT;
        "How many deliveries are handled and settled as one; where one fails, all of them have failed."
    "prefetch" prefetch: u32 = 0, in 0..=PREFETCH_LIMIT;
        "How many deliveries the consumer receives ahead of its workers, each with its lease."
    "workers" workers: u32 = 1, in 1..=WORKERS_LIMIT;
        "How many deliveries the consumer works on at once."
}

impl<W: Explained> Form for W {
    fn takes(&self) -> Takes {
        Takes::words::<W>()
    }

    fn read(cursor: &Cursor<'_>) -> Result<W, Mistake> {
        cursor.word()
    }

    fn write(&self) -> Value {
        Value::Text(self.word().to_owned())
    }
}

impl Form for Option<Semantics> {
    fn takes(&self) -> Takes {
        Takes::words::<Semantics>()
    }

    fn read(cursor: &Cursor<'_>) -> Result<Self, Mistake> {
        cursor.word().map(Some)
    }

    fn write(&self) -> Value {
        self.map_or(Value::Null, |semantics| semantics.write())
    }
}

impl Form for bool {
    fn takes(&self) -> Takes {
        Takes::Flag
    }

    fn read(cursor: &Cursor<'_>) -> Result<bool, Mistake> {
        cursor.bool()
    }

    fn write(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Form for Attempts {
    fn takes(&self) -> Takes {
        let words = [("until-acked", "Until the broker confirms."), ("once", "One transmission, and no retry.")];
        Takes::WordsOrNumber(words.to_vec(), 1..=ATTEMPTS_LIMIT)
    }

    fn read(cursor: &Cursor<'_>) -> Result<Attempts, Mistake> {
        match cursor.value() {
            Value::Text(word) if word == "once" => Ok(Attempts::AtMost(1)),
            Value::Text(word) if word == "until-acked" => Ok(Attempts::UntilAcked),
            _ => {
                let allowed = format!("\"once\", \"until-acked\", or {}", whole_number(1, ATTEMPTS_LIMIT));
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
