//! What an import did: what it read, what it made of it, and what it left out and why, in counts.

use std::collections::BTreeMap;
use std::fmt;

use crate::Format;

/// Counts of what was read, made and left out. Its `Display` is what people read, one reason a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport {
    /// The format that was read.
    pub format: Format,
    /// What one record of the format is called, in the plural: "operations", "spans".
    pub records: &'static str,
    /// The records that were read.
    pub read: u64,
    /// The events of the history.
    pub events: u64,
    /// What was left out: the reason and how often.
    pub dropped: Dropped,
    /// What else is to be known to read the verdicts rightly.
    pub notes: Vec<String>,
}

/// What was left out: reasons with counts, in alphabetical order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped(BTreeMap<String, u64>);

impl Dropped {
    /// Counts one thing that was left out for this reason.
    pub(crate) fn count(&mut self, reason: &str) {
        self.count_many(reason, 1);
    }

    /// Counts things that were left out for this reason.
    pub(crate) fn count_many(&mut self, reason: &str, things: u64) {
        /// More different reasons than that are told as one: a reason can name a word of the file.
        const REASONS: usize = 64;
        let reason = if self.0.len() < REASONS || self.0.contains_key(reason) { reason } else { "of other kinds" };
        if things > 0 {
            *self.0.entry(reason.to_owned()).or_default() += things;
        }
    }

    /// The reasons and their counts.
    pub fn reasons(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(reason, count)| (&**reason, *count))
    }

    /// How often this was the reason.
    pub fn of(&self, reason: &str) -> u64 {
        self.0.get(reason).copied().unwrap_or_default()
    }
}

impl ImportReport {
    pub(crate) fn new(format: Format, records: &'static str) -> Self {
        ImportReport { format, records, read: 0, events: 0, dropped: Dropped::default(), notes: Vec::new() }
    }

    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ImportReport { format, records, read, events, dropped, notes } = self;
        write!(f, "{}: {read} {records} read, {events} events made", format.word())?;
        for (reason, count) in dropped.reasons() {
            write!(f, "\n  left out: {reason} ({count})")?;
        }
        for note in notes {
            write!(f, "\n  note: {note}")?;
        }
        Ok(())
    }
}
