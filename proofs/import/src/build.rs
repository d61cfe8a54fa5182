//! Rows to a history: sorts them by time, gives ids to names, and writes what a history's header says.

use std::sync::Arc;

use delivery_model::history::{Extra, Header, History, LINE_LIMIT, Names, Partition};
use delivery_model::vocab::{AttemptNumber, DeliveryNumber, Event, EventKind, MessageId, Position, TransactionId};

use crate::error::{Flaw, quoted};
use crate::report::ImportReport;
use crate::row::{Name, Row, What};

/// Whether the record comes to rest after its last event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing more can happen: losses can be told.
    AtRest,
    /// More may have come.
    Open,
}

/// What an importer found.
#[derive(Debug)]
pub(crate) struct Rows {
    pub rows: Vec<Row>,
    pub header: Header,
    pub end: End,
}

/// The history of these rows. Rows of one time keep their order.
pub(crate) fn history(Rows { mut rows, header, end }: Rows, report: &mut ImportReport) -> Result<History, Flaw> {
    if rows.windows(2).any(|pair| pair[0].at.is_instant() != pair[1].at.is_instant()) {
        return Err(Flaw::new("both numbers and dates as times", "times of one kind"));
    }
    rows.sort_by(|this, other| this.at.partial_cmp(&other.at).unwrap_or(std::cmp::Ordering::Equal));
    let mut history = History { header, ..History::default() };
    // Groups of the header come first, as for a reader of the history.
    for group in history.header.groups.keys().cloned().collect::<Vec<_>>() {
        history.names.group_id(&group)?;
    }
    let last = rows.last().map(|row| row.at);
    for row in rows {
        let event = event(&mut history.names, &row)?;
        let extra = extra(&mut history.names, &row, report)?;
        history.push_with(row.at, event, extra);
    }
    if let (End::AtRest, Some(at)) = (end, last) {
        let process = history.names.process_id("import")?;
        history.push(at, Event { process, kind: EventKind::Quiescent });
    }
    Ok(history)
}

fn event(names: &mut Names, row: &Row) -> Result<Event, Flaw> {
    let process = names.process_id(&shown(&row.process))?;
    // Only what stands in the event's line gets an id: ids are given in the order of the lines, as a reader gives them.
    let is_sent = matches!(row.what, What::Submit | What::Attempt);
    let is_placed = matches!(row.what, What::Outcome(_) | What::Deliver | What::Settle(_) | What::Rewind);
    let is_of_group =
        matches!(row.what, What::Deliver | What::Effect | What::Settle(_) | What::DeadLetter | What::Rewind);
    let has_payload = is_sent || matches!(row.what, What::Deliver | What::Effect);
    let is_of_message = !row.what.is_about_none();
    let group = match row.group.as_ref().filter(|_| is_of_group) {
        Some(group) => names.group_id(&shown(group))?,
        None => Default::default(),
    };
    let place = Partition { topic: row.topic.as_deref().map(topic), partition: row.partition.clone() };
    let partition = if is_placed { names.partition_id(place)? } else { Default::default() };
    let position = row.position.map(Position);
    let payload = row.payload.as_ref().filter(|_| has_payload).map(|it| names.payload_id(it)).transpose()?;
    let message = row.message.as_ref().filter(|_| is_of_message).map(|name| message(names, name)).transpose()?;
    let message = message.unwrap_or_default();
    let (attempt, delivery) = (row.attempt.map(AttemptNumber), row.delivery.map(DeliveryNumber));
    let kind = match row.what {
        What::Submit => EventKind::Submit { message, payload },
        What::Attempt => EventKind::Attempt { message, attempt, payload },
        What::Outcome(outcome) => EventKind::Outcome { message, attempt, outcome, partition, position },
        What::Deliver => EventKind::Deliver { message, group, partition, position, delivery, payload },
        What::Effect => EventKind::Effect { message, group, payload },
        What::Settle(outcome) => EventKind::Settle { message, group, partition, position, delivery, outcome },
        What::DeadLetter => EventKind::DeadLetter { message, group },
        What::Rewind => EventKind::Rewind { group, partition, position: position.unwrap_or_default() },
        What::Fault(fault) => EventKind::Fault { fault },
        What::Heal(fault) => EventKind::Heal { fault },
        What::Commit => EventKind::Commit { transaction: transaction(names, row)? },
        What::Abort => EventKind::Abort { transaction: transaction(names, row)? },
        What::Quiescent => EventKind::Quiescent,
    };
    Ok(Event { process, kind })
}

/// Ids of messages above this stand for names that are texts.
const NUMBER_MAX: u64 = u64::MAX - (1 << 32);

fn message(names: &mut Names, name: &Name) -> Result<MessageId, Flaw> {
    Ok(match name {
        Name::Number(number) if *number <= NUMBER_MAX => MessageId(*number),
        Name::Number(number) => names.message_id(&number.to_string())?,
        // Two names that differ only in what is replaced, or far behind, would be one message.
        Name::Text(text) if shown(text) != **text => {
            return Err(Flaw::new(
                format!("a message named {}", quoted(text)),
                format!("a name without control characters, of 1 to {LONGEST} characters"),
            ));
        }
        Name::Text(text) => names.message_id(text)?,
    })
}

fn topic(topic: &str) -> Arc<str> {
    shown(topic).into()
}

fn transaction(names: &mut Names, row: &Row) -> Result<TransactionId, Flaw> {
    Ok(names.transaction_id(&shown(row.transaction.as_deref().unwrap_or_default()))?)
}

/// What stands in a line beside its event.
fn extra(names: &mut Names, row: &Row, report: &mut ImportReport) -> Result<Extra, Flaw> {
    /// Longer attributes would make lines that no reader takes.
    const ATTRIBUTES: usize = LINE_LIMIT / 4;
    let is_sent = matches!(row.what, What::Submit | What::Attempt);
    let attributes = row.attributes.as_ref().and_then(|it| serde_json::value::to_raw_value(it).ok());
    let fits = attributes.as_ref().is_none_or(|it| it.get().len() <= ATTRIBUTES);
    if !fits {
        report.dropped.count("attributes of events, of more than 256 KiB");
    }
    let is_in_one = matches!(row.what, What::Attempt | What::Effect | What::Settle(_)) && row.transaction.is_some();
    Ok(Extra {
        topic: row.topic.as_deref().filter(|_| is_sent).map(topic),
        transaction: is_in_one.then(|| transaction(names, row)).transpose()?,
        attributes: attributes.filter(|_| fits),
    })
}

/// More characters than that tell nobody more. A process, group or topic whose name is longer is cut.
pub(crate) const LONGEST: usize = 256;

/// The name if a history may hold it, else its beginning, which is too long as well and is refused in the end: a name that the
/// record says once may be told in many events.
pub(crate) fn bounded(name: &str) -> &str {
    name.char_indices().nth(LONGEST + 1).map_or(name, |(end, _)| &name[..end])
}

/// A name as a history may hold it: not empty, not long, and without control characters, because it is printed on terminals.
pub(crate) fn shown(name: &str) -> String {
    if name.is_empty() {
        return "-".to_owned();
    }
    name.chars().take(LONGEST).map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
