//! The queue workload: `:enqueue`, `:dequeue`, `:drain`.
//!
//! A value that is enqueued again is another message, `VALUE#2`; which of equal values a dequeue took is not told, so it
//! is the first that nobody took. The queue was drained where a `:drain` ended `:ok`, or a `:dequeue` found it empty
//! (`:fail`, or `:ok` with nothing), that was invoked after the last enqueue had come to an end. Nothing is left in it, either, where
//! everything came out that was put in.

use std::collections::BTreeMap;
use std::sync::Arc;

use clojure_reader::edn::Edn;
use delivery_model::vocab::Outcome;

use super::GROUP;
use super::faults::Nemesis;
use super::operation::{Operation, Phase, text};
use crate::build::End;
use crate::report::ImportReport;
use crate::row::{Name, Row, What};

/// The functions of the workload.
pub const WORDS: &[&str] = &["enqueue", "dequeue", "drain"];

/// The events of a queue workload.
pub fn rows(operations: &[Operation<'_>], report: &mut ImportReport) -> (Vec<Row>, End) {
    let mut queue =
        Queue { rows: Vec::new(), copies: BTreeMap::new(), refused: BTreeMap::new(), pending: BTreeMap::new() };
    let (group, mut nemesis): (Arc<str>, _) = (GROUP.into(), Nemesis::default());
    let (mut last_enqueue, mut drained_since) = (0, None);
    // The number of the operation at which each process began what it is at.
    let mut began: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, operation) in operations.iter().enumerate() {
        let process: Arc<str> = operation.process_name().into();
        let start = match operation.phase {
            Phase::Invoke => {
                began.insert(&operation.process, number);
                number
            }
            _ => began.remove(&*operation.process).unwrap_or(number),
        };
        match (&*operation.f, operation.phase) {
            ("enqueue", phase) => {
                last_enqueue = number;
                queue.enqueue(operation, phase, &process);
            }
            ("dequeue" | "drain", Phase::Invoke) => {}
            ("dequeue", Phase::Ok) if operation.value == Edn::Nil => drained_since = drained_since.max(Some(start)),
            ("dequeue", Phase::Ok) => queue.deliver(operation, &operation.value, &process, &group),
            ("dequeue", Phase::Fail) => {
                report.dropped.count("dequeues that found nothing");
                drained_since = drained_since.max(Some(start));
            }
            ("drain", Phase::Ok | Phase::Info) => {
                if let Edn::Vector(values) | Edn::List(values) = &operation.value {
                    values.iter().for_each(|value| queue.deliver(operation, value, &process, &group));
                }
                match operation.phase {
                    Phase::Ok => drained_since = drained_since.max(Some(start)),
                    _ => report.dropped.count("drains of unknown result: what else they took is not told"),
                }
            }
            ("dequeue", Phase::Info) => {
                report.dropped.count("dequeues of unknown result: what they took is not told");
            }
            ("drain", Phase::Fail) => report.dropped.count("drains that failed"),
            _ => queue.rows.extend(nemesis.row(operation, report)),
        }
    }
    let is_drained = drained_since.is_some_and(|start| start > last_enqueue);
    let end = if is_drained || queue.is_empty() { End::AtRest } else { End::Open };
    (queue.rows, end)
}

struct Queue {
    rows: Vec<Row>,
    /// Of each value: how often it was submitted, and how often it came out.
    copies: BTreeMap<String, (u64, u64)>,
    /// The enqueues that were refused.
    refused: BTreeMap<String, u64>,
    /// The message that each process is enqueueing.
    pending: BTreeMap<Arc<str>, Name>,
}

impl Queue {
    /// Whether everything came out that was put in, or may have been.
    fn is_empty(&self) -> bool {
        let refused = |value: &String| self.refused.get(value).copied().unwrap_or_default();
        let is_out = |(value, (submits, taken)): (&String, &(u64, u64))| taken + refused(value) >= *submits;
        self.copies.values().any(|(_, taken)| *taken > 0) && self.copies.iter().all(is_out)
    }

    fn enqueue(&mut self, operation: &Operation<'_>, phase: Phase, process: &Arc<str>) {
        let row = |what| Row::new(operation.at(), Arc::clone(process), what);
        let begun = if phase == Phase::Invoke { None } else { self.pending.remove(process) };
        let message = begun.unwrap_or_else(|| {
            let value = text(&operation.value);
            let (submits, _) = self.copies.entry(value.clone()).or_default();
            *submits += 1;
            let message = copy(&value, *submits);
            self.rows.extend([What::Submit, What::Attempt].map(|what| row(what).about(message.clone())));
            message
        });
        let outcome = match phase {
            Phase::Invoke => {
                self.pending.insert(Arc::clone(process), message);
                return;
            }
            Phase::Ok => Outcome::Acked,
            Phase::Fail => {
                *self.refused.entry(text(&operation.value)).or_default() += 1;
                Outcome::Refused
            }
            Phase::Info => Outcome::Unknown,
        };
        self.rows.push(row(What::Outcome(outcome)).about(message));
    }

    fn deliver(&mut self, operation: &Operation<'_>, value: &Edn<'_>, process: &Arc<str>, group: &Arc<str>) {
        let value = text(value);
        let (submits, taken) = self.copies.entry(value.clone()).or_default();
        *taken += 1;
        let message = copy(&value, (*taken).min((*submits).max(1)));
        let row = Row::new(operation.at(), Arc::clone(process), What::Deliver).about(message);
        self.rows.push(Row { group: Some(Arc::clone(group)), ..row });
    }
}

/// The message that is the `nth` with this value.
fn copy(value: &str, nth: u64) -> Name {
    if nth == 1 { Name::of(value) } else { Name::Text(format!("{value}#{nth}").into()) }
}
