//! Jepsen histories of the queue and Kafka workloads: EDN (`history.edn`) or lines (`history.txt`).
//!
//! | operation | is |
//! |---|---|
//! | `:enqueue`, `:send` invoked | submit and attempt |
//! | `:ok`, `:fail`, `:info` of it | acked, refused, unknown |
//! | `:dequeue`, `:drain`, `:poll` that are `:ok` | a delivery of each value that came back |
//! | `:txn` | the sends and polls that it is made of |
//!
//! One group, `consumers`, as Jepsen's checkers ask whether anybody read a value. Judged at the delivery level: Jepsen
//! records no effects. Order, some skipped polls and cycles of transactions are not judged: docs/import/jepsen.md says which.

mod facts;
mod faults;
mod kafka;
mod micro;
mod names;
mod operation;
mod queue;

use delivery_model::history::Header;
use delivery_model::pipeline::Level;

use self::operation::Operation;
use crate::build::{self, Rows};
use crate::error::{Flaw, ImportError};
use crate::report::ImportReport;
use crate::{Format, Imported, Input, Options};

/// The one group of a Jepsen history.
const GROUP: &str = "consumers";

/// Whether a file begins like a Jepsen history.
pub(crate) fn is_history(start: &[u8]) -> bool {
    operation::is_history(start)
}

/// Imports one history.
pub(crate) fn import(inputs: &[Input], options: &Options) -> Result<Imported, ImportError> {
    let [input] = inputs else {
        let flaw = Flaw::new(format!("{} files", inputs.len()), "one Jepsen history: its order is its own");
        return Err(flaw.of(inputs.first().map_or("jepsen", |input| &input.name)));
    };
    let operations = operation::read(input)?;
    let mut report = ImportReport::new(Format::Jepsen, "operations");
    report.read = operations.len() as u64;
    let count = |words: &[&str]| operations.iter().filter(|it| words.contains(&&*it.f)).count();
    let (queue, kafka) = (count(queue::WORDS), count(kafka::WORDS));
    let (rows, end) = match (queue, kafka) {
        (0, 0) if !operations.is_empty() => return Err(neither(&operations).of(&input.name)),
        (queue, kafka) if queue > kafka => queue::rows(&operations, &mut report),
        _ => kafka::rows(&operations, &mut report),
    };
    let end = if options.quiescent { build::End::AtRest } else { end };
    if end == build::End::Open {
        report.note("losses are unknown: the record does not show that all was read in the end; --quiescent says it");
    }
    let header = Header { level: Some(Level::Delivery), ..Header::default() };
    let rows = Rows { rows, header, end };
    let history = build::history(rows, &mut report).map_err(|flaw| flaw.of(&input.name))?;
    Ok(Imported { history, report })
}

fn neither(operations: &[Operation<'_>]) -> Flaw {
    let mut words: Vec<&str> = operations.iter().map(|it| &*it.f).collect();
    words.sort_unstable();
    words.dedup();
    words.truncate(8);
    let found = format!("operations {}", words.join(", "));
    Flaw::new(
        found,
        format!("those of a queue ({}) or of Kafka ({})", queue::WORDS.join(", "), kafka::WORDS.join(", ")),
    )
}
