//! The JSON lines of Kafka's VerifiableProducer and VerifiableConsumer, and of the clients that imitate them.
//!
//! | line | is |
//! |---|---|
//! | `producer_send_success` | submit, attempt, acked at its offset |
//! | `producer_send_error` | submit, attempt; refused where the exception says that nothing was stored, else unknown |
//! | `record_data` | a delivery |
//! | `records_consumed` without `record_data` (no `--verbose`) | a delivery of each message that was acked in its range of offsets |
//! | `offsets_committed` | a settle of every message that this consumer was given below the offset |
//! | `shutdown_complete`, of all of them | the record ends |
//!
//! A producer says what it sent when it knows the result, so a submit has the time of its result. The message is the value,
//! which a producer never sends twice; where two producers send one value, its place in the log tells them apart.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use delivery_model::history::{At, Header, PartitionName};
use delivery_model::pipeline::Level;
use delivery_model::vocab::{Outcome, SettleOutcome};
use serde_json::Value;

use crate::build::{self, End, Rows};
use crate::error::{Flaw, ImportError, quoted};
use crate::json_lines::{self, Line};
use crate::report::ImportReport;
use crate::rest;
use crate::row::{Name, Row, What};
use crate::{Format, Imported, Input, Options};

/// The names of lines that only these clients write.
const NAMES: &[&str] = &[
    "startup_complete",
    "shutdown_complete",
    "producer_send_success",
    "producer_send_error",
    "tool_data",
    "records_consumed",
    "record_data",
    "partitions_assigned",
    "partitions_revoked",
    "offsets_committed",
];

/// Exceptions after which the record is not in the log: the client or the broker turned it away before it was written.
const REFUSALS: &[&str] = &[
    "RecordTooLargeException",
    "SerializationException",
    "TopicAuthorizationException",
    "ClusterAuthorizationException",
    "InvalidTopicException",
    "InvalidRecordException",
    "UnknownTopicOrPartitionException",
    "BufferExhaustedException",
];

/// A consumer that tells ranges only may be given each message that often in the mean. More is no real record, and would
/// make a history far larger than its files.
const RANGES_MAX: usize = 64;

/// Whether a file begins like the lines of such a client.
pub(crate) fn is_record(start: &[u8]) -> bool {
    json_lines::first(start)
        .is_some_and(|line| line.get("name").and_then(Value::as_str).is_some_and(|name| NAMES.contains(&name)))
}

/// A place in the log: topic, partition, offset.
type Place = (Arc<str>, u64, u64);

/// Imports the files of producers and consumers as one history.
pub(crate) fn import(inputs: &[Input], options: &Options) -> Result<Imported, ImportError> {
    let mut report = ImportReport::new(Format::KafkaVerifiable, "lines");
    let groups = groups(inputs, options)?;
    let mut clients = Clients::default();
    // Producers first: they know which message is at which place, whatever the order of the files.
    let mut lines = Vec::new();
    for (input, group) in inputs.iter().zip(groups) {
        let client = Client { process: input.stem().into(), group };
        for line in json_lines::read(input) {
            let (number, line) = line?;
            report.read += 1;
            let is_produced = clients.produced(&line, &client.process).map_err(|flaw| flaw.at(&input.name, number))?;
            if !is_produced {
                lines.push((input, number, line, client.clone()));
            }
        }
    }
    let verbose = lines.iter().filter(|(_, _, line, _)| line.name() == Some("record_data"));
    let verbose: HashSet<&Client> = verbose.map(|(_, _, _, client)| client).collect();
    for (input, number, line, client) in &lines {
        clients
            .consumed(line, client, verbose.contains(client), &mut report)
            .map_err(|flaw| flaw.at(&input.name, *number))?;
    }
    let mut rows = clients.rows;
    let end = match options.quiescent {
        true => End::AtRest,
        false => rest::of_logs(&mut rows, &mut report),
    };
    let header = Header { level: Some(Level::Delivery), ..Header::default() };
    let file = inputs.first().map_or("kafka-verifiable", |input| &input.name);
    let history = build::history(Rows { rows, header, end }, &mut report).map_err(|flaw| flaw.of(file))?;
    Ok(Imported { history, report })
}

/// The group of each file: the one that is named for it, else the one for all.
fn groups(inputs: &[Input], options: &Options) -> Result<Vec<Arc<str>>, ImportError> {
    let strange = options.groups.iter().find(|(file, _)| !inputs.iter().any(|input| input.is_called(file)));
    if let Some((file, group)) = strange {
        let names: Vec<&str> = inputs.iter().map(|input| &*input.name).collect();
        let flaw =
            Flaw::new(format!("no such file, for the group {}", quoted(group)), format!("one of {}", names.join(", ")));
        return Err(flaw.of(file));
    }
    for input in inputs {
        let mut own = options.groups.iter().filter(|(file, _)| input.is_called(file)).map(|(_, group)| group);
        if let (Some(first), Some(second)) = (own.next(), own.next()) {
            let flaw =
                Flaw::new(format!("the groups {} and {}", quoted(first), quoted(second)), "one group of each file");
            return Err(flaw.of(&input.name));
        }
    }
    let of_all = options.group.as_deref().unwrap_or("consumers");
    let own = |input: &Input| options.groups.iter().find(|(file, _)| input.is_called(file)).map(|(_, group)| &**group);
    Ok(inputs.iter().map(|input| own(input).unwrap_or(of_all).into()).collect())
}

/// A process, and its group if it consumes.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Client {
    process: Arc<str>,
    group: Arc<str>,
}

#[derive(Default)]
struct Clients {
    rows: Vec<Row>,
    /// What is at each place, as the producers know it, and its value.
    at: BTreeMap<Place, (Name, Arc<str>)>,
    /// How often each value was sent.
    sent: HashMap<Arc<str>, u64>,
    /// What each client was given and did not commit yet.
    open: HashMap<Client, BTreeMap<Place, Name>>,
    /// The deliveries that ranges were expanded to.
    expanded: usize,
}

impl Clients {
    /// Takes in a line of a producer; false if it is none.
    fn produced(&mut self, line: &Line, client: &Arc<str>) -> Result<bool, Flaw> {
        let is_acked = match line.name() {
            Some("producer_send_success") => true,
            Some("producer_send_error") => false,
            _ => return Ok(false),
        };
        let at = at(line)?;
        let value: Arc<str> = line.text("value")?.into();
        let topic: Option<Arc<str>> = line.get("topic").and_then(Value::as_str).map(Into::into);
        let sent = self.sent.entry(Arc::clone(&value)).or_default();
        *sent += 1;
        let message = if *sent == 1 { Name::of(&value) } else { Name::Text(format!("{value}#{sent}").into()) };
        let row = |what| {
            let row = Row::new(at, Arc::clone(client), what).about(message.clone());
            Row { topic: topic.clone(), ..row }
        };
        self.rows.extend([row(What::Submit), row(What::Attempt)]);
        if !is_acked {
            let exception = line.get("exception").and_then(Value::as_str).unwrap_or_default();
            let is_refused = REFUSALS.iter().any(|refusal| exception.ends_with(refusal));
            let mut row = row(What::Outcome(if is_refused { Outcome::Refused } else { Outcome::Unknown }));
            let told =
                ["exception", "message"].iter().filter_map(|key| Some(((*key).to_owned(), line.get(key)?.clone())));
            row.attributes = Some(told.collect());
            self.rows.push(row);
            return Ok(true);
        }
        let (partition, offset) = (line.whole("partition")?, line.whole("offset")?);
        let topic: Arc<str> = line.text("topic")?.into();
        let row = row(What::Outcome(Outcome::Acked));
        self.rows.push(Row { partition: Some(PartitionName::Number(partition)), position: Some(offset), ..row });
        self.at.insert((topic, partition, offset), (message, value));
        Ok(true)
    }

    fn consumed(
        &mut self,
        line: &Line,
        client: &Client,
        is_verbose: bool,
        report: &mut ImportReport,
    ) -> Result<(), Flaw> {
        match line.name() {
            Some("record_data") => {
                let place = (line.text("topic")?.into(), line.whole("partition")?, line.whole("offset")?);
                let message = self.message(&place, &line.text("value")?);
                self.deliver(at(line)?, client, place, message);
            }
            Some("records_consumed") if !is_verbose => {
                for range in line.list("partitions") {
                    self.deliver_range(at(line)?, client, &range)?;
                }
            }
            Some("offsets_committed") => {
                let is_ok = line.get("success").and_then(Value::as_bool).unwrap_or(false);
                for committed in line.list("offsets") {
                    self.settle(at(line)?, client, &committed, is_ok)?;
                }
            }
            Some(
                "records_consumed"
                | "startup_complete"
                | "shutdown_complete"
                | "tool_data"
                | "partitions_assigned"
                | "partitions_revoked",
            ) => {}
            Some(name) => report.dropped.count(&format!("lines named {}", quoted(name))),
            None => report.dropped.count("lines without a name"),
        }
        Ok(())
    }

    /// Which message was given: the one that was acked at this place, if it has this value, else the one with this value.
    fn message(&self, place: &Place, value: &str) -> Name {
        match self.at.get(place) {
            Some((message, acked)) if **acked == *value => message.clone(),
            _ => Name::of(value),
        }
    }

    fn deliver(&mut self, at: At, client: &Client, place: Place, message: Name) {
        let row = Row::new(at, Arc::clone(&client.process), What::Deliver).about(message.clone());
        self.rows.push(Row { group: Some(Arc::clone(&client.group)), ..there(row, &place) });
        self.open.entry(client.clone()).or_default().insert(place, message);
    }

    fn deliver_range(&mut self, at: At, client: &Client, range: &Line) -> Result<(), Flaw> {
        let (topic, partition): (Arc<str>, u64) = (line_topic(range)?, range.whole("partition")?);
        let place = |offset| (Arc::clone(&topic), partition, offset);
        let (first, last) = (range.whole("minOffset")?, range.whole("maxOffset")?);
        if first > last {
            return Err(Flaw::new(format!("minOffset {first} above maxOffset {last}"), "a range of offsets"));
        }
        let known: Vec<(Place, Name)> = self
            .at
            .range(place(first)..=place(last))
            .map(|(place, (message, _))| (place.clone(), message.clone()))
            .collect();
        self.expanded += known.len();
        if self.expanded / RANGES_MAX > self.at.len() {
            return Err(Flaw::new(
                format!("ranges that give each message {RANGES_MAX} times in the mean"),
                "fewer, or the lines of a consumer that was run with --verbose",
            ));
        }
        known.into_iter().for_each(|(place, message)| self.deliver(at, client, place, message));
        Ok(())
    }

    fn settle(&mut self, at: At, client: &Client, committed: &Line, is_ok: bool) -> Result<(), Flaw> {
        let (topic, partition) = (line_topic(committed)?, committed.whole("partition")?);
        let Some(open) = self.open.get_mut(client) else { return Ok(()) };
        let below = (Arc::clone(&topic), partition, 0)..(topic, partition, committed.whole("offset")?);
        let places: Vec<Place> = match below.start < below.end {
            true => open.range(below).map(|(place, _)| place.clone()).collect(),
            false => Vec::new(),
        };
        for place in places {
            let Some(message) = open.get(&place).cloned() else { continue };
            // A commit that failed may have been stored all the same, and a later one covers the message, too.
            let outcome = if is_ok { SettleOutcome::Ok } else { SettleOutcome::Unknown };
            let row = Row::new(at, Arc::clone(&client.process), What::Settle(outcome)).about(message);
            self.rows.push(Row { group: Some(Arc::clone(&client.group)), ..there(row, &place) });
            open.remove(&place);
        }
        Ok(())
    }
}

fn there(row: Row, (topic, partition, offset): &Place) -> Row {
    let partition = Some(PartitionName::Number(*partition));
    Row { topic: Some(Arc::clone(topic)), partition, position: Some(*offset), ..row }
}

fn line_topic(line: &Line) -> Result<Arc<str>, Flaw> {
    Ok(line.text("topic")?.into())
}

/// The time of a line: milliseconds since 1970.
fn at(line: &Line) -> Result<At, Flaw> {
    let key = ["timestamp", "time_ms"].into_iter().find(|key| line.get(key).is_some()).unwrap_or("timestamp");
    let nanoseconds = i64::try_from(line.whole(key)?).ok().and_then(|milliseconds| milliseconds.checked_mul(1_000_000));
    nanoseconds
        .map(At::Instant)
        .ok_or_else(|| Flaw::new(format!("a later `{key}`"), "milliseconds since 1970, before the year 2262"))
}
