//! The Kafka workload: `:send`, `:poll`, `:txn`, `:assign`, `:subscribe`, `:crash`.
//!
//! A key is a log, here a topic, and (key, value) is the message, `KEY/VALUE`. What is inferred is Jepsen's reasoning, and
//! an event that is made by it says so in its attributes:
//!
//! - An `:info` operation of which one value was polled did commit, so that all its sends are acked.
//! - A message that was acked at one offset and polled only at others is in its log twice: its second copy is a delivery by
//!   the process `log`.
//! - Where the record comes to rest: [`rest`](crate::rest).
//!
//! What a `:txn` sent and read stands in a transaction, which its `:ok` commits and its `:fail` aborts: what was read in it then
//! counts for nothing, and its events say so by a settle that is aborted with it.
//!
//! Consumers read a log again because the workload tells them to: another process, a new assignment, after a transaction
//! that did not commit. That is no second delivery, and is left out. A consumer that gets the same place again without
//! that is a delivery.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use clojure_reader::edn::Edn;
use delivery_model::history::At;
use delivery_model::vocab::{Outcome, SettleOutcome};
use serde_json::json;

use super::GROUP;
use super::facts::{Facts, Polls};
use super::faults::Nemesis;
use super::micro::{Micro, Send, micros, names_of};
use super::names::Messages;
use super::operation::{Operation, Phase, text};
use crate::build::End;
use crate::report::ImportReport;
use crate::rest;
use crate::row::{Name, Row, What};

/// The functions of the workload.
pub const WORDS: &[&str] = &["send", "poll", "txn", "assign", "subscribe"];

/// The function that sends and polls in a transaction.
const TRANSACTION: &str = "txn";

/// A place in a log, with what is there. A poll without an offset has none.
type Place = (Arc<str>, Option<u64>, Name);

/// The events of a Kafka workload.
pub fn rows(operations: &[Operation<'_>], report: &mut ImportReport) -> (Vec<Row>, End) {
    let mut nemesis = Nemesis::default();
    let mut names = Messages::default();
    let facts = Facts::of(operations, &mut names);
    let mut workload = Workload { facts, names, group: GROUP.into(), ..Workload::default() };
    for operation in operations {
        match (&*operation.f, operation.phase) {
            ("send" | "poll" | "txn", _) => workload.transact(operation, report),
            ("assign" | "subscribe", Phase::Ok | Phase::Info) => workload.assign(operation),
            ("assign" | "subscribe", _) => {}
            ("crash", Phase::Info) => {
                workload.own.remove(&*operation.process);
                workload.rows.extend(nemesis.row(operation, report));
            }
            _ => workload.rows.extend(nemesis.row(operation, report)),
        }
    }
    let end = rest::of_logs(&mut workload.rows, report);
    workload.second_copies(report);
    (workload.rows, end)
}

#[derive(Default)]
struct Workload<'a> {
    facts: Facts,
    rows: Vec<Row>,
    names: Messages,
    group: Arc<str>,
    submitted: HashSet<Name>,
    /// The acks: where they are among the rows, and the offset.
    acks: Vec<(usize, Option<u64>)>,
    delivered: HashSet<Place>,
    /// What each process polled, and committed, since its assignment.
    own: HashMap<&'a str, HashSet<Place>>,
    /// When each message was first polled.
    first_polled: HashMap<Name, At>,
    /// The transaction in which each process is sending.
    open: HashMap<&'a str, Arc<str>>,
    /// The topics: a key of the record that many polls name is one text.
    topics: HashMap<String, Arc<str>>,
    /// How many transactions there were.
    transactions: u64,
}

impl<'a> Workload<'a> {
    fn transact(&mut self, operation: &'a Operation<'_>, report: &mut ImportReport) {
        let process: Arc<str> = operation.process_name().into();
        let is_proven = operation.phase == Phase::Info && self.was_seen(operation);
        let mut now: HashSet<Place> = HashSet::new();
        self.lose_rebalanced(operation);
        let transaction = self.transaction(operation);
        for micro in micros(operation) {
            match micro {
                Micro::Send(send) => self.send(operation, &send, &process, transaction.as_ref(), is_proven),
                Micro::Poll(polled) => {
                    let message = self.names.message(polled.key, polled.value);
                    let place = (self.topic(polled.key), polled.offset, message);
                    self.poll(operation, &place, &process, transaction.as_ref(), now.contains(&place), report);
                    now.insert(place);
                }
            }
        }
        if operation.phase == Phase::Ok && !now.is_empty() {
            self.own.entry(&operation.process).or_default().extend(now);
        }
        let end = match operation.phase {
            Phase::Ok => What::Commit,
            Phase::Info if is_proven => What::Commit,
            Phase::Fail => What::Abort,
            Phase::Info | Phase::Invoke => return,
        };
        if transaction.is_some() {
            let attributes = is_proven.then(proven);
            self.rows.push(Row { transaction, attributes, ..Row::new(operation.at(), process, end) });
        }
    }

    /// The transaction that the operation is; none if it is no transaction, or one in which nothing is told.
    fn transaction(&mut self, operation: &'a Operation<'_>) -> Option<Arc<str>> {
        let begun = if operation.is_invocation() { None } else { self.open.remove(&*operation.process) };
        if operation.f != TRANSACTION || begun.is_none() && micros(operation).next().is_none() {
            return None;
        }
        let transaction = begun.unwrap_or_else(|| {
            self.transactions += 1;
            format!("{TRANSACTION}-{}", self.transactions).into()
        });
        if operation.is_invocation() {
            self.open.insert(&operation.process, Arc::clone(&transaction));
        }
        Some(transaction)
    }

    fn poll(
        &mut self,
        operation: &Operation<'_>,
        place: &Place,
        process: &Arc<str>,
        transaction: Option<&Arc<str>>,
        is_in_this: bool,
        report: &mut ImportReport,
    ) {
        let (topic, position, message) = place;
        let at = operation.at();
        self.first_polled.entry(message.clone()).or_insert(at);
        let is_failed = operation.phase == Phase::Fail;
        let row = |what| {
            let row = Row::new(at, Arc::clone(process), what).about(message.clone());
            let (group, topic) = (Some(Arc::clone(&self.group)), Some(Arc::clone(topic)));
            Row { group, topic, position: *position, transaction: transaction.cloned(), ..row }
        };
        let (deliver, settle) = (row(What::Deliver), row(What::Settle(SettleOutcome::Ok)));
        if is_failed && transaction.is_some() {
            self.rows.extend([deliver, settle]);
            return;
        }
        if is_failed && self.facts.refused.contains(message) {
            report.dropped.count("polls that failed, of what a failed send wrote");
            return;
        }
        let is_first = self.delivered.insert(place.clone());
        let is_own = is_in_this || self.own.get(&*operation.process).is_some_and(|own| own.contains(place));
        if is_first || is_own {
            self.rows.push(deliver);
        } else {
            report
                .dropped
                .count("polls of what was polled before, by another assignment or a transaction that did not commit");
        }
    }

    fn topic(&mut self, key: &Edn<'_>) -> Arc<str> {
        let name = text(key);
        match self.topics.get(&name) {
            Some(known) => Arc::clone(known),
            None => Arc::clone(self.topics.entry(name.clone()).or_insert(name.into())),
        }
    }

    /// Whether somebody read what this operation sent.
    fn was_seen(&mut self, operation: &Operation<'_>) -> bool {
        micros(operation).any(|micro| match micro {
            Micro::Send(Send { key, value, .. }) => self.facts.read.contains(&self.names.message(key, value)),
            Micro::Poll(_) => false,
        })
    }

    fn send(
        &mut self,
        operation: &Operation<'_>,
        send: &Send<'_, '_>,
        process: &Arc<str>,
        transaction: Option<&Arc<str>>,
        is_proven: bool,
    ) {
        let message = self.names.message(send.key, send.value);
        let topic = self.topic(send.key);
        let row = |what| {
            let row = Row::new(operation.at(), Arc::clone(process), what).about(message.clone());
            Row { topic: Some(Arc::clone(&topic)), transaction: transaction.cloned(), ..row }
        };
        if operation.is_invocation() || !self.submitted.contains(&message) {
            if self.submitted.insert(message.clone()) {
                self.rows.push(row(What::Submit));
            }
            self.rows.push(row(What::Attempt));
        }
        let outcome = match operation.phase {
            Phase::Invoke => return,
            Phase::Ok => Outcome::Acked,
            Phase::Info if is_proven => Outcome::Acked,
            // The abort refuses what it has acked before, and what has no outcome.
            Phase::Fail if transaction.is_some() && send.offset.is_none() => return,
            Phase::Fail if transaction.is_some() => Outcome::Acked,
            Phase::Fail => Outcome::Refused,
            Phase::Info => Outcome::Unknown,
        };
        let position = send.offset.filter(|_| outcome != Outcome::Refused);
        if outcome == Outcome::Acked && operation.phase != Phase::Fail {
            self.acks.push((self.rows.len(), position));
        }
        self.rows.push(Row { position, attributes: is_proven.then(proven), ..row(What::Outcome(outcome)) });
    }

    /// A new assignment keeps the place in the logs that it keeps, and begins elsewhere in the others.
    fn assign(&mut self, operation: &Operation<'_>) {
        let Some(own) = self.own.get_mut(&*operation.process) else { return };
        let keys: HashSet<String> = names_of(&operation.value);
        own.retain(|(key, ..)| !operation.seeks && keys.contains(&**key));
    }

    fn lose_rebalanced(&mut self, operation: &Operation<'_>) {
        let Some(own) = self.own.get_mut(&*operation.process) else { return };
        match &operation.rebalanced {
            Edn::Nil => {}
            Edn::Vector(events) | Edn::List(events) => {
                let keys: HashSet<String> = events
                    .iter()
                    .flat_map(|event| match event.get(&Edn::key("keys")) {
                        Some(keys) => names_of(keys),
                        None => HashSet::new(),
                    })
                    .collect();
                own.retain(|(key, ..)| !keys.contains(&**key));
            }
            _ => own.clear(),
        }
    }

    /// The second copies of messages that were acked at one offset and polled at others only.
    fn second_copies(&mut self, report: &mut ImportReport) {
        let mut polled: HashMap<Name, Polls> = HashMap::new();
        let mut copies = 0;
        for (at, position) in std::mem::take(&mut self.acks) {
            let ack = &self.rows[at];
            let Some((position, message)) = position.zip(ack.message.clone()) else { continue };
            let Some(offsets) = self.facts.polled.get(&message) else { continue };
            if offsets.contains(&Some(position)) || offsets.contains(&None) {
                continue;
            }
            let topic = ack.topic.clone().unwrap_or_default();
            let polls = polled.entry(message.clone()).or_insert_with(|| Polls::of(offsets));
            let polled_at = self.first_polled.get(&message).copied().unwrap_or(ack.at);
            let later = if polled_at > ack.at { polled_at } else { ack.at };
            let why = format!("acked at offset {position}, polled at {}: the log holds it twice", polls.told);
            // Of a copy that was polled by transactions only that were aborted, there is no other delivery that counts.
            let is_delivered = *polls.is_delivered.get_or_insert_with(|| {
                let place = |offset: &Option<u64>| (Arc::clone(&topic), *offset, message.clone());
                offsets.iter().any(|offset| self.delivered.contains(&place(offset)))
            });
            for position in polls.first.iter().filter(|_| !is_delivered).chain([&position]) {
                let row = Row::new(later, "log", What::Deliver).about(message.clone());
                let (group, topic) = (Some(Arc::clone(&self.group)), Some(Arc::clone(&topic)));
                self.rows.push(Row {
                    group,
                    topic,
                    position: Some(*position),
                    attributes: Some(inferred(&why)),
                    ..row
                });
                copies += 1;
            }
        }
        if copies > 0 {
            report.note(format!(
                "deliveries by the process `log` are inferred: acked at one offset, polled at another ({copies})"
            ));
        }
    }
}

fn proven() -> serde_json::Map<String, serde_json::Value> {
    inferred("the operation ended :info; a value that it sent was read, so it did commit")
}

fn inferred(why: &str) -> serde_json::Map<String, serde_json::Value> {
    [("inferred".to_owned(), json!(why))].into_iter().collect()
}
