//! What a run writes down: its history for the judge, and its story for people.

use delivery_model::history::{Header, History};
use delivery_model::pipeline::Pipeline;
use delivery_model::spec::PROCESSES;
use delivery_model::story::{Lane, Row};
use delivery_model::vocab::{Event, EventKind, Fault, PayloadId, ProcessId};

pub(super) const PRODUCER: ProcessId = ProcessId(0);
pub(super) const BROKER: ProcessId = ProcessId(1);
pub(super) const FAULTS: ProcessId = ProcessId(4);

/// The process of one of the group's two consumers.
pub(super) fn consumer(number: u8) -> ProcessId {
    ProcessId(2 + u16::from(number))
}

/// History and story of one run.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) history: History,
    pub(super) rows: Vec<Row>,
    /// The row of a deadline that has passed, until something follows it.
    wake: Option<Row>,
}

impl Record {
    pub(super) fn new(pipeline: &Pipeline) -> Self {
        let mut history = History { header: Header::from(pipeline), ..History::default() };
        for process in PROCESSES {
            history.names.process_id(process).expect("a few names fit");
        }
        Record { history, rows: Vec::new(), wake: None }
    }

    pub(super) fn event(&mut self, process: ProcessId, kind: EventKind) {
        let at = self.rows.len() as u64;
        self.history.push(at.into(), Event { process, kind });
    }

    pub(super) fn payload(&mut self, bytes: &[u8]) -> Option<PayloadId> {
        let text = std::str::from_utf8(bytes).map_or_else(|_| format!("{bytes:02x?}"), str::to_owned);
        Some(self.history.names.payload_id(&text).expect("a run has fewer than 2^32 payloads"))
    }

    /// A party does something by itself.
    pub(super) fn does(&mut self, lane: Lane, text: impl Into<String>) {
        self.push(Row::new(lane, lane, text));
    }

    /// A party sends something to another.
    pub(super) fn sends(&mut self, from: Lane, to: Lane, text: impl Into<String>) {
        self.push(Row::new(from, to, text));
    }

    /// A fault strikes.
    pub(super) fn fault(&mut self, fault: Fault, lane: Lane, text: impl Into<String>) {
        self.push(Row::fault(lane, text));
        self.event(FAULTS, EventKind::Fault { fault });
    }

    /// Adds the row of a deadline that has passed. It is part of the story only if something follows it.
    pub(super) fn wakes(&mut self, lane: Lane, text: String) {
        self.wake = Some(Row::new(lane, lane, text));
    }

    fn push(&mut self, row: Row) {
        self.rows.extend(self.wake.take());
        self.rows.push(row);
    }
}
