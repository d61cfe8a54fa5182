//! A recorded history: the events of all processes, in the order in which they took effect.
//!
//! Histories are JSON Lines: a header, then one event a line. [`Reader`] streams a history, [`History::read`] reads a
//! whole one, [`HistoryWriter`] writes one line by line, and [`History::join`] joins the parts that several processes
//! wrote. Reading is validation of the format. What the events mean for delivery is left to the semantics.

mod at;
mod build;
mod diagnose;
mod error;
mod join;
mod line;
mod names;
mod parts;
mod read;
mod scan;
mod share;
mod words;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

pub use self::at::At;
pub use self::error::HistoryError;
pub use self::join::JoinError;
pub use self::names::{MessageName, Names, Partition, PartitionName, TooManyNames};
pub(crate) use self::parts::{Joined, PLACE, placed, read_line};
pub use self::read::Reader;
pub use self::share::Share;
pub use self::words::EventWord;
pub(crate) use self::words::Key;
pub use self::write::HistoryWriter;
use crate::pipeline::{Level, Obligation, Pipeline};
use crate::vocab::{Event, EventKind, TransactionId};

/// The longest line that is read or written, in bytes without its line end. The limit bounds the memory for a line.
pub const LINE_LIMIT: usize = 1 << 20;

/// The most topics to which a group can subscribe.
pub(crate) const LISTED_MAX: usize = 10_000;

/// The `format` of a history's header.
pub(crate) const FORMAT: &str = "delivery-history";
/// The `version` of a history's header.
pub(crate) const VERSION: u32 = 1;

/// The pipeline of a history, as its header names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PipelineOf {
    /// Its name only.
    Named(String),
    /// All its settings.
    Whole(Box<Pipeline>),
}

impl PipelineOf {
    /// The name of the pipeline.
    pub fn name(&self) -> &str {
        match self {
            PipelineOf::Named(name) => name,
            PipelineOf::Whole(pipeline) => &pipeline.name,
        }
    }
}

/// What a consumer group subscribes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Subscribed {
    /// The topics. The group owes the messages of these, and no others.
    pub topics: Vec<String>,
}

/// The first line of a history. [`Header::default`] states nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The pipeline that was recorded.
    pub pipeline: Option<PipelineOf>,
    /// The level at which the history is to be judged.
    pub level: Option<Level>,
    /// The obligation by which the history is to be judged.
    pub obligation: Option<Obligation>,
    /// The consumer groups that subscribe to some topics only. A group that is not named here owes every message.
    pub groups: BTreeMap<String, Subscribed>,
    /// The kinds of events that are on record without gaps; none: all of them. Where others are missing, as in sampled
    /// traces, a verdict that leans on them is unknown.
    pub complete: Option<BTreeSet<EventWord>>,
}

impl From<&Pipeline> for Header {
    /// The header for a history of this pipeline, with what a judge needs to know.
    fn from(pipeline: &Pipeline) -> Self {
        Header {
            pipeline: Some(PipelineOf::Whole(Box::new(pipeline.clone()))),
            level: Some(pipeline.level),
            obligation: Some(pipeline.obligation),
            ..Header::default()
        }
    }
}

/// An event of a history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recorded {
    /// The time at which it took effect, never earlier than that of the event before it.
    pub at: At,
    /// The line of the event, counted from 1; line 1 is the header.
    pub line: u32,
    /// The event.
    pub event: Event,
}

/// What a line says beyond its event.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// The topic of a submit or an attempt. That of a position stands in its [`Partition`].
    pub topic: Option<Arc<str>>,
    /// The transaction of an attempt or a settle.
    pub transaction: Option<TransactionId>,
    /// The attributes, a JSON object.
    pub attributes: Option<Box<RawValue>>,
}

impl Extra {
    /// Whether the line says nothing beyond its event.
    pub fn is_empty(&self) -> bool {
        self.topic.is_none() && self.transaction.is_none() && self.attributes.is_none()
    }
}

impl PartialEq for Extra {
    /// Compares attributes as texts.
    fn eq(&self, other: &Self) -> bool {
        let text = |extra: &Extra| extra.attributes.as_ref().map(|json| json.get().to_owned());
        (&self.topic, self.transaction, text(self)) == (&other.topic, other.transaction, text(other))
    }
}

/// The treatment of a last line that is truncated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TruncatedTail {
    /// It is an error.
    #[default]
    Refuse,
    /// The line is named in [`History::truncated`], and the other lines are read.
    NameAndIgnore,
}

/// The options for reading a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The treatment of a truncated last line.
    pub truncated_tail: TruncatedTail,
    /// Each line begins with its number in the whole history, and a tab. Numbers rise, and some may be missing: the lines
    /// of a part of a history.
    pub numbered: bool,
    /// The messages that are read. None: all.
    pub share: Option<Share>,
}

/// A whole history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// The header.
    pub header: Header,
    /// The names and payloads for the ids of the events.
    pub names: Names,
    /// The events, in order.
    pub events: Vec<Recorded>,
    /// What some lines say beyond their events, by the number of the line.
    pub extras: BTreeMap<u32, Extra>,
    /// The last line, if it was truncated and ignored.
    pub truncated: Option<u32>,
    /// Where `events` is an excerpt: the line and the time of the last event of the whole.
    pub end: Option<(u32, At)>,
}

impl History {
    /// The line and the time of the last event.
    pub fn last(&self) -> Option<(u32, At)> {
        self.end.or_else(|| self.events.last().map(|last| (last.line, last.at)))
    }

    /// Adds an event on the next line.
    pub fn push(&mut self, at: At, event: Event) {
        let line = u32::try_from(self.events.len() + 2).expect("a history in memory has fewer than 2^32 lines");
        self.events.push(Recorded { at, line, event });
    }

    /// Adds an event on the next line, with what else is known of it.
    pub fn push_with(&mut self, at: At, event: Event, extra: Extra) {
        self.push(at, event);
        if !extra.is_empty() {
            let line = self.events.last().expect("an event was added").line;
            self.extras.insert(line, extra);
        }
    }

    /// The event on a line.
    pub fn on_line(&self, line: u32) -> Option<&Recorded> {
        let place = self.events.binary_search_by_key(&line, |recorded| recorded.line).ok()?;
        Some(&self.events[place])
    }

    /// What a line says beyond its event.
    pub fn extra(&self, line: u32) -> Option<&Extra> {
        self.extras.get(&line)
    }

    /// The `quiescent` event at which the whole came to rest: the last event apart from faults, with no truncated
    /// line after it.
    pub fn rest(&self) -> Option<&Recorded> {
        let happened = |it: &&Recorded| !matches!(it.event.kind, EventKind::Fault { .. } | EventKind::Heal { .. });
        let last = self.events.iter().rev().find(happened);
        last.filter(|last| last.event.kind == EventKind::Quiescent && self.truncated.is_none())
    }
}
