//! What others recorded, as histories to judge: OpenTelemetry traces, Jepsen histories, the lines of Kafka's verifiable
//! clients, and CSV.
//!
//! ```
//! use delivery_import::{Format, Input, Options, import, recognise};
//! use delivery_model::semantics::{Question, Verdict, judge};
//!
//! let lost = Input::new("history.txt", "0\t:invoke\t:enqueue\t7\n0\t:ok\t:enqueue\t7\n1\t:invoke\t:drain\tnil\n1\t:ok\t:drain\t[]\n");
//! assert_eq!(recognise(&lost.bytes), Some(Format::Jepsen));
//! let imported = import(Format::Jepsen, &[lost], &Options::default())?;
//! assert_eq!(imported.history.events.len(), 4);
//! println!("{}", imported.report);
//! # Ok::<(), delivery_import::ImportError>(())
//! ```
//!
//! Architecture Invariant: an importer says what a record tells and what it leaves out. What the events mean for delivery
//! is the model's to say: this crate names no property and no verdict.
//!
//! Memory is bounded by the size of the input, times a constant: `tests/memory.rs`. No input makes it panic: `tests/any_bytes.rs`.

mod build;
mod error;
mod jepsen;
mod json_lines;
mod kafka_verifiable;
mod open;
mod otlp;
mod report;
mod rest;
mod row;
mod table;

use delivery_model::history::History;

pub use self::error::ImportError;
pub use self::open::decompressed;
pub use self::otlp::{DEFAULT_MAPPING, Mapping};
pub use self::report::{Dropped, ImportReport};
pub use self::table::{COLUMNS, EVENTS, Table};

/// The formats that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenTelemetry traces: OTLP as JSON, as the Collector's file exporter writes it.
    Otlp,
    /// A Jepsen history of a queue or Kafka workload: EDN, or the lines of `history.txt`.
    Jepsen,
    /// The JSON lines of Kafka's VerifiableProducer and VerifiableConsumer.
    KafkaVerifiable,
    /// A table, one event a record.
    Csv,
}

impl Format {
    /// Every format.
    pub const ALL: &[Format] = &[Format::Otlp, Format::Jepsen, Format::KafkaVerifiable, Format::Csv];

    /// The word for it on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Format::Otlp => "otlp",
            Format::Jepsen => "jepsen",
            Format::KafkaVerifiable => "kafka-verifiable",
            Format::Csv => "csv",
        }
    }

    /// The format with this word.
    pub fn from_word(word: &str) -> Option<Format> {
        Format::ALL.iter().copied().find(|format| format.word() == word)
    }
}

/// A file to import, decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// How errors and processes name it.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Input {
    /// A file with this name and these bytes.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Input { name: name.into(), bytes: bytes.into() }
    }

    /// Whether this is how a user calls it: its name, or the last part of it.
    pub(crate) fn is_called(&self, file: &str) -> bool {
        self.name == file || self.name.rsplit(['/', '\\']).next() == Some(file)
    }

    /// The name without folders and without what follows the first dot: what a process is called that has no name.
    pub(crate) fn stem(&self) -> &str {
        let file = self.name.rsplit(['/', '\\']).next().unwrap_or_default();
        file.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or("input")
    }
}

/// What the user knows and the files do not say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The record ends at rest: faults are healed, and whatever has not come by its end will not come. Without it an
    /// importer goes by what the record shows.
    pub quiescent: bool,
    /// How spans are read; none: the default.
    pub mapping: Option<Mapping>,
    /// The consumer group, where the files name none.
    pub group: Option<String>,
    /// The consumer groups of single files: the file, by its name or its whole path, and the group.
    pub groups: Vec<(String, String)>,
    /// How a table differs from what is expected.
    pub table: Table,
}

/// A history and what was left out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The history.
    pub history: History,
    /// What was read, and what was left out and why.
    pub report: ImportReport,
}

/// The format of a file, by its first bytes (64 KiB suffice); none if it is none of these, or compressed.
pub fn recognise(start: &[u8]) -> Option<Format> {
    match start {
        start if otlp::is_traces(start) => Some(Format::Otlp),
        start if jepsen::is_history(start) => Some(Format::Jepsen),
        start if kafka_verifiable::is_record(start) => Some(Format::KafkaVerifiable),
        start if table::is_table(start) => Some(Format::Csv),
        _ => None,
    }
}

/// Imports files of one format as one history.
///
/// # Errors
///
/// The first thing that is not of the format, with its file and line.
pub fn import(format: Format, inputs: &[Input], options: &Options) -> Result<Imported, ImportError> {
    let mut imported = match format {
        Format::Otlp => otlp::import(inputs, options)?,
        Format::Jepsen => jepsen::import(inputs, options)?,
        Format::KafkaVerifiable => kafka_verifiable::import(inputs, options)?,
        Format::Csv => table::import(inputs, options)?,
    };
    imported.report.events = imported.history.events.len() as u64;
    Ok(imported)
}
