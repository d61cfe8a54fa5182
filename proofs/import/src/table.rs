//! CSV: one event a record. Columns are named by the header, or by the user; what is no column of a history is kept as an
//! attribute.

use std::sync::Arc;

use csv::{ReaderBuilder, StringRecord};
use delivery_model::history::{At, Header, PartitionName};
use delivery_model::numbers::grouped;
use delivery_model::vocab::{Fault, Outcome, SettleOutcome};
use delivery_model::words::Word;

use crate::build::{self, End, LONGEST, Rows};
use crate::error::{Flaw, ImportError, quoted};
use crate::report::ImportReport;
use crate::row::{Name, Row, What};
use crate::{Format, Imported, Input, Options};

/// How the user's CSV differs from what is expected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns in order, where the first record is no header.
    pub header: Option<Vec<String>>,
    /// The columns that have another name: what it is in a history (`at`), and what it is called in the file.
    pub columns: Vec<(String, String)>,
    /// The values that have another name: a word of a history (`submit`, `acked`), and what the file says for it.
    pub words: Vec<(String, String)>,
}

/// The columns of a history.
pub const COLUMNS: &[&str] = &[
    "at",
    "process",
    "event",
    "message",
    "attempt",
    "group",
    "topic",
    "partition",
    "position",
    "delivery",
    "outcome",
    "payload",
    "fault",
    "transaction",
];

/// The words of the column `event`. The outcomes may stand there by themselves.
pub const EVENTS: &[&str] = &[
    "submit",
    "attempt",
    "outcome",
    "deliver",
    "effect",
    "settle",
    "dead-letter",
    "rewind",
    "fault",
    "heal",
    "commit",
    "abort",
    "quiescent",
    "acked",
    "refused",
    "unknown",
];

/// The separators that are recognised: the one that is most often in the first line.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Whether a file begins with the header of such a table.
pub(crate) fn is_table(start: &[u8]) -> bool {
    let line = first_line(start);
    let separator = separator(line);
    let names: Vec<String> = line.split(|byte| *byte == separator).map(column_name).collect();
    ["event", "message"].iter().all(|name| names.iter().any(|it| it == name))
}

fn first_line(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == b'\n').next().unwrap_or_default()
}

fn separator(line: &[u8]) -> u8 {
    let count = |separator: u8| line.iter().filter(|byte| **byte == separator).count();
    // Of equal ones the first: max_by_key takes the last.
    SEPARATORS.into_iter().rev().max_by_key(|separator| count(*separator)).unwrap_or(b',')
}

fn column_name(field: &[u8]) -> String {
    let name = String::from_utf8_lossy(field);
    name.trim_matches(|letter: char| letter.is_whitespace() || letter == '"' || letter == '\u{feff}').to_lowercase()
}

/// Imports the files as one history.
pub(crate) fn import(inputs: &[Input], options: &Options) -> Result<Imported, ImportError> {
    let mut report = ImportReport::new(Format::Csv, "records");
    let mut rows = Vec::new();
    for input in inputs {
        read(input, &options.table, &mut rows, &mut report)?;
    }
    let end = if options.quiescent { End::AtRest } else { End::Open };
    if end == End::Open && !rows.iter().any(|row| row.what == What::Quiescent) {
        report.note("no record says `quiescent`, so that losses are unknown; --quiescent says it");
    }
    let file = inputs.first().map_or("csv", |input| &input.name);
    let history =
        build::history(Rows { rows, header: Header::default(), end }, &mut report).map_err(|flaw| flaw.of(file))?;
    Ok(Imported { history, report })
}

fn read(input: &Input, table: &Table, rows: &mut Vec<Row>, report: &mut ImportReport) -> Result<(), ImportError> {
    let mut reader = ReaderBuilder::new()
        .delimiter(separator(first_line(&input.bytes)))
        .has_headers(table.header.is_none())
        .trim(csv::Trim::All)
        .from_reader(&*input.bytes);
    let header = match &table.header {
        Some(names) => names.clone(),
        None => {
            let names = reader.headers().map_err(|error| not_csv(&error, &input.name))?;
            names.iter().map(|name| column_name(name.as_bytes())).collect()
        }
    };
    let columns = Columns::of(&header, table).map_err(|flaw| flaw.at(&input.name, 1))?;
    let stem: Arc<str> = input.stem().into();
    for record in reader.records() {
        let record = record.map_err(|error| not_csv(&error, &input.name))?;
        let line = record.position().map_or(0, |position| position.line()) as usize;
        report.read += 1;
        let row = columns.row(&record, table, &stem).map_err(|flaw| flaw.at(&input.name, line))?;
        rows.push(row);
    }
    Ok(())
}

fn not_csv(error: &csv::Error, file: &str) -> ImportError {
    let line = error.position().map_or(1, |position| position.line()) as usize;
    let found = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields where there are {expected_len} columns")
        }
        csv::ErrorKind::Utf8 { .. } => "bytes that are not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    Flaw::new(found, "a record of CSV in UTF-8, with as many fields as the header").at(file, line)
}

/// Where each column of a history stands, and which columns are attributes.
struct Columns {
    places: Vec<Option<usize>>,
    others: Vec<(usize, String)>,
}

impl Columns {
    fn of(header: &[String], table: &Table) -> Result<Self, Flaw> {
        if let Some((column, _)) = table.columns.iter().find(|(column, _)| !COLUMNS.contains(&&**column)) {
            return Err(Flaw::new(format!("--column {column}"), format!("one of {}", COLUMNS.join(", "))));
        }
        let called = |column: &str| {
            let renamed = table.columns.iter().find(|(it, _)| it == column);
            renamed.map_or_else(|| column.to_owned(), |(_, name)| name.to_lowercase())
        };
        let place = |column: &str| header.iter().position(|it| it.to_lowercase() == called(column));
        let places: Vec<Option<usize>> = COLUMNS.iter().map(|column| place(column)).collect();
        for column in ["at", "event"] {
            if place(column).is_none() {
                let found = format!("no column {} among {}", quoted(&called(column)), quoted(&header.join(", ")));
                return Err(Flaw::new(found, "columns `at` and `event`, or --column at=NAME --column event=NAME"));
            }
        }
        // Each record has the names of its attributes beside their values.
        if let Some(long) = header.iter().find(|name| name.chars().count() > LONGEST) {
            let found = format!("a column named {}", quoted(long));
            return Err(Flaw::new(found, format!("a name of at most {LONGEST} characters")));
        }
        let others = header.iter().enumerate().filter(|(at, _)| !places.contains(&Some(*at)));
        Ok(Columns { others: others.map(|(at, name)| (at, name.clone())).collect(), places })
    }

    /// The value of a column; none if it is empty or there is no such column.
    fn value<'r>(&self, record: &'r StringRecord, column: &str) -> Option<&'r str> {
        let place = COLUMNS.iter().position(|it| *it == column).and_then(|at| self.places[at])?;
        record.get(place).filter(|value| !value.is_empty())
    }

    fn row(&self, record: &StringRecord, table: &Table, stem: &Arc<str>) -> Result<Row, Flaw> {
        let text = |column| self.value(record, column).map(Arc::<str>::from);
        let number = |column, most: u64| self.value(record, column).map(|value| whole(column, value, most)).transpose();
        let word = |column| self.value(record, column).map(|value| table.word(value));
        let missing = |column: &str, expected: String| Flaw::new(format!("nothing in column `{column}`"), expected);
        let event = word("event").ok_or_else(|| missing("event", one_of(EVENTS)))?;
        let what = what(event, word("outcome"), word("fault"))?;
        let at = self.value(record, "at").ok_or_else(|| missing("at", TIME.to_owned()))?;
        let mut row = Row::new(time(at)?, text("process").unwrap_or_else(|| Arc::clone(stem)), what);
        row.message = self.value(record, "message").map(Name::of);
        if row.message.is_none() && !what.is_about_none() {
            return Err(missing("message", format!("the message of `{event}`: a number or a text")));
        }
        (row.group, row.topic, row.payload) = (text("group"), text("topic"), text("payload"));
        row.transaction = text("transaction");
        if row.transaction.is_none() && matches!(what, What::Commit | What::Abort) {
            return Err(missing("transaction", format!("the transaction of `{event}`: a text")));
        }
        row.partition = self.value(record, "partition").map(|name| match Name::of(name) {
            Name::Number(number) => PartitionName::Number(number),
            Name::Text(text) => PartitionName::Text(text),
        });
        row.position = number("position", u64::MAX)?;
        if row.position.is_none() && what == What::Rewind {
            return Err(missing("position", "the position to which the group is reset".to_owned()));
        }
        let most = u64::from(u32::MAX);
        row.attempt = number("attempt", most)?.map(|number| number as u32);
        row.delivery = number("delivery", most)?.map(|number| number as u32);
        let others = self.others.iter().filter_map(|(at, name)| Some((name.clone(), record.get(*at)?)));
        let others = others.filter(|(_, value)| !value.is_empty());
        let attributes: serde_json::Map<_, _> = others.map(|(name, value)| (name, value.into())).collect();
        row.attributes = (!attributes.is_empty()).then_some(attributes);
        Ok(row)
    }
}

impl Table {
    /// The word of a history for a value of the file.
    fn word<'v>(&'v self, value: &'v str) -> &'v str {
        self.words.iter().find(|(_, text)| text == value).map_or(value, |(word, _)| word)
    }
}

const TIME: &str = "a number of nanoseconds or steps, or a date and time as in RFC 3339";

fn time(text: &str) -> Result<At, Flaw> {
    let number = text.parse::<u64>().map(At::Whole).ok();
    let number = number.or_else(|| text.parse::<f64>().ok().map(At::Fraction).filter(|at| at.is_finite()));
    number.or_else(|| At::instant(text)).ok_or_else(|| Flaw::new(format!("`at` {}", quoted(text)), TIME))
}

fn whole(column: &str, text: &str, most: u64) -> Result<u64, Flaw> {
    let flaw =
        || Flaw::new(format!("`{column}` {}", quoted(text)), format!("a whole number of at most {}", grouped(most)));
    text.parse::<u64>().ok().filter(|number| *number <= most).ok_or_else(flaw)
}

fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.join(", "))
}

fn choice<W: Word>(column: &str, word: Option<&str>) -> Result<W, Flaw> {
    let words: Vec<&str> = W::ALL.iter().map(|word| word.word()).collect();
    let found =
        word.map_or_else(|| format!("nothing in column `{column}`"), |word| format!("`{column}` {}", quoted(word)));
    word.and_then(W::from_word).ok_or_else(|| Flaw::new(found, one_of(&words)))
}

fn what(event: &str, outcome: Option<&str>, fault: Option<&str>) -> Result<What, Flaw> {
    Ok(match event {
        "submit" => What::Submit,
        "attempt" => What::Attempt,
        "outcome" => What::Outcome(choice("outcome", outcome)?),
        "acked" => What::Outcome(Outcome::Acked),
        "refused" => What::Outcome(Outcome::Refused),
        "unknown" => What::Outcome(Outcome::Unknown),
        "deliver" => What::Deliver,
        "effect" => What::Effect,
        "settle" if outcome.is_none() => What::Settle(SettleOutcome::Unknown),
        "settle" => What::Settle(choice("outcome", outcome)?),
        "dead-letter" => What::DeadLetter,
        "rewind" => What::Rewind,
        "fault" => What::Fault(choice::<Fault>("fault", fault)?),
        "heal" => What::Heal(choice::<Fault>("fault", fault)?),
        "commit" => What::Commit,
        "abort" => What::Abort,
        "quiescent" => What::Quiescent,
        other => {
            return Err(Flaw::new(
                format!("`event` {}", quoted(other)),
                format!("{}, or --word WORD={other}", one_of(EVENTS)),
            ));
        }
    })
}
