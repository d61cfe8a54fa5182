//! A recorded history: what processes did, in the order in which it took effect.
//!
//! Histories are JSON Lines: a header, then one event a line. [`Reader`] streams one, [`History::read`] takes it in
//! whole, [`HistoryWriter`] writes one line by line, [`History::join`] makes one of the parts that several processes
//! wrote. Reading is validation: what was read keeps the format. What the events say about delivery is left to the
//! semantics.

mod at;
mod build;
mod diagnose;
mod error;
mod join;
mod line;
mod names;
mod read;
mod words;
mod write;

use serde::Serialize;

pub use self::at::At;
pub use self::error::HistoryError;
pub use self::join::JoinError;
pub use self::names::{Names, Partition, PartitionName, TooManyNames};
pub use self::read::Reader;
pub(crate) use self::words::{EventWord, Key};
pub use self::write::HistoryWriter;
use crate::pipeline::{Level, Obligation, Pipeline};
use crate::vocab::{Event, EventKind};

/// The longest line that is read or written, in bytes without its end: a mebibyte, so that no input exhausts memory.
pub const LINE_LIMIT: usize = 1 << 20;

/// The `format` of a history's header.
pub(crate) const FORMAT: &str = "delivery-history";
/// The `version` of a history's header.
pub(crate) const VERSION: u32 = 1;

/// The pipeline that a history is of, as its header tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum PipelineOf {
    /// Only its name.
    Named(String),
    /// All its settings.
    Whole(Box<Pipeline>),
}

impl PipelineOf {
    /// The pipeline's name.
    pub fn name(&self) -> &str {
        match self {
            PipelineOf::Named(name) => name,
            PipelineOf::Whole(pipeline) => &pipeline.name,
        }
    }
}

/// What a history's first line says. [`Header::default`] says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The pipeline that was recorded.
    pub pipeline: Option<PipelineOf>,
    /// The level at which it is to be judged.
    pub level: Option<Level>,
    /// The obligation by which it is to be judged.
    pub obligation: Option<Obligation>,
}

impl From<&Pipeline> for Header {
    /// For a history of this pipeline, with all that a judge needs to know of it.
    fn from(pipeline: &Pipeline) -> Self {
        Header {
            pipeline: Some(PipelineOf::Whole(Box::new(pipeline.clone()))),
            level: Some(pipeline.level),
            obligation: Some(pipeline.obligation),
        }
    }
}

/// One event of a history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recorded {
    /// When it took effect: never earlier than the event before it.
    pub at: At,
    /// The line it stands on, counted from 1, which is the header's.
    pub line: u32,
    /// What happened.
    pub event: Event,
}

/// What to do about a last line that was cut off in the middle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TruncatedTail {
    /// The history cannot be read.
    #[default]
    Refuse,
    /// The line is named in [`History::truncated`], and the rest is read.
    NameAndIgnore,
}

/// How to read a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// What to do about a last line that was cut off.
    pub truncated_tail: TruncatedTail,
}

/// A whole history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// What its first line says.
    pub header: Header,
    /// The names and payloads that the events' ids stand for.
    pub names: Names,
    /// The events, in order.
    pub events: Vec<Recorded>,
    /// The last line, if it was cut off and ignored.
    pub truncated: Option<u32>,
}

impl History {
    /// Adds an event, on the line that it will have when the history is written.
    pub fn push(&mut self, at: At, event: Event) {
        let line = u32::try_from(self.events.len() + 2).expect("a history in memory has fewer than 2^32 lines");
        self.events.push(Recorded { at, line, event });
    }

    /// When things came to rest: the last that happened, faults aside, was `quiescent`, and nothing was cut off behind it.
    pub fn rest(&self) -> Option<&Recorded> {
        let happened = |it: &&Recorded| !matches!(it.event.kind, EventKind::Fault { .. } | EventKind::Heal { .. });
        let last = self.events.iter().rev().find(happened);
        last.filter(|last| last.event.kind == EventKind::Quiescent && self.truncated.is_none())
    }
}
