//! The writer of histories. It refuses what the reader would refuse, so every history that it wrote can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use serde::Serialize;

use super::line::Line;
use super::{
    At, EventWord, Extra, FORMAT, Header, History, LINE_LIMIT, Names, PipelineOf, Recorded, Subscribed, VERSION,
};
use crate::numbers::grouped;
use crate::pipeline::{Level, Obligation};
use crate::vocab::Event;

#[derive(Serialize)]
struct HeaderLine<'a> {
    format: &'a str,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: &'a Option<PipelineOf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<Level>,
    #[serde(skip_serializing_if = "Option::is_none")]
    obligation: Option<Obligation>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    groups: &'a BTreeMap<String, Subscribed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: &'a Option<BTreeSet<EventWord>>,
}

/// A writer that writes the header at once, then one event after another, each with one call to `out`. `out` should
/// be buffered.
pub struct HistoryWriter<W> {
    out: W,
    buffer: Vec<u8>,
    last: Option<At>,
}

impl<W: Write> HistoryWriter<W> {
    /// Writes the header.
    pub fn new(out: W, header: &Header) -> io::Result<HistoryWriter<W>> {
        let mut writer = HistoryWriter { out, buffer: Vec::new(), last: None };
        let Header { pipeline, level, obligation, groups, complete } = header;
        writer.line(&HeaderLine {
            format: FORMAT,
            version: VERSION,
            pipeline,
            level: *level,
            obligation: *obligation,
            groups,
            complete,
        })?;
        Ok(writer)
    }

    /// Continues a history: `out` already has a header, and events up to this time.
    pub fn resume(out: W, last: Option<At>) -> HistoryWriter<W> {
        HistoryWriter { out, buffer: Vec::new(), last }
    }

    /// Writes one event, whose ids are those of `names`.
    ///
    /// Fails if `at` is before the last event's time or not finite, if the line would be longer than [`LINE_LIMIT`],
    /// or if `out` fails.
    pub fn record(&mut self, names: &Names, at: At, event: &Event) -> io::Result<()> {
        self.record_with(names, at, event, &Extra::default())
    }

    /// Writes one event as [`record`](HistoryWriter::record) does, with what else is known of it.
    pub fn record_with(&mut self, names: &Names, at: At, event: &Event, extra: &Extra) -> io::Result<()> {
        if !at.is_finite() || self.last.is_some_and(|last| at < last) {
            return Err(invalid(format!("the time of an event is {at}, but never falls in a history")));
        }
        if self.last.is_some_and(|last| at.is_instant() != last.is_instant()) {
            return Err(invalid(format!("the time of an event is {at}, but a history has times of one kind")));
        }
        self.last = Some(at);
        self.line(&Line::of(names, at, event, extra))
    }

    /// Flushes and returns `out`.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, line)?;
        if self.buffer.len() > LINE_LIMIT {
            let (found, most) = (grouped(self.buffer.len() as u64), grouped(LINE_LIMIT as u64));
            return Err(invalid(format!("a history's line has {found} bytes, at most {most}")));
        }
        self.buffer.push(b'\n');
        self.out.write_all(&self.buffer)
    }
}

fn invalid(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}

impl History {
    /// Writes the whole history.
    pub fn write(&self, out: impl Write) -> io::Result<()> {
        let mut writer = HistoryWriter::new(out, &self.header)?;
        let nothing = Extra::default();
        for Recorded { at, line, event } in &self.events {
            writer.record_with(&self.names, *at, event, self.extra(*line).unwrap_or(&nothing))?;
        }
        writer.finish().map(drop)
    }
}
