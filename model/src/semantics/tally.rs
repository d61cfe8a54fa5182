//! How much there was to judge: counts that a judgement reports beside its verdicts. None of them decides anything.

use serde::Serialize;

use super::{attempts::Attempts, unbounded::Map};
use crate::{
    history::Recorded,
    vocab::{EventKind, MessageId, Outcome, SettleOutcome},
};

/// The figures of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counts {
    /// Messages that were submitted.
    pub submitted: u64,
    /// Messages of which an attempt was acked.
    pub acked: u64,
    /// Messages of which every attempt was refused.
    pub refused: u64,
    /// Messages that were submitted or attempted, and of which neither is known.
    pub unknown: u64,
    /// Deliveries.
    pub delivered: u64,
    /// Effects.
    pub effects: u64,
    /// Confirmed settles.
    pub settled: u64,
    /// Dead letters.
    pub dead_lettered: u64,
    /// Messages that arrived although none of their attempts was acked.
    pub recovered: u64,
    /// Faults.
    pub faults: u64,
}

/// What was seen of one message.
#[derive(Clone, Copy, Default)]
struct Seen {
    submitted: bool,
    acked: bool,
    arrived: bool,
    attempts: Attempts,
}

impl Counts {
    /// Counts these events.
    pub(super) fn of(events: &[Recorded]) -> Self {
        let mut counts = Counts::default();
        let mut messages: Map<MessageId, Seen> = Map::default();
        for Recorded { event, .. } in events {
            counts.count_event(&event.kind);
            if let Some(message) = event.kind.message() {
                messages.entry(message).or_default().see(&event.kind);
            }
        }
        messages.values().for_each(|seen| counts.count_message(seen));
        counts
    }

    fn count_event(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Deliver { .. } => self.delivered += 1,
            EventKind::Effect { .. } => self.effects += 1,
            EventKind::Settle { outcome: SettleOutcome::Ok, .. } => self.settled += 1,
            EventKind::DeadLetter { .. } => self.dead_lettered += 1,
            EventKind::Fault { .. } => self.faults += 1,
            _ => {}
        }
    }

    fn count_message(&mut self, seen: &Seen) {
        let sent = seen.submitted || seen.attempts != Attempts::None;
        let refused = seen.attempts == Attempts::AllRefused;
        self.submitted += u64::from(seen.submitted);
        self.acked += u64::from(seen.acked);
        self.refused += u64::from(refused);
        self.unknown += u64::from(sent && !seen.acked && !refused);
        self.recovered += u64::from(sent && seen.arrived && !seen.acked);
    }
}

impl Seen {
    fn see(&mut self, kind: &EventKind) {
        self.attempts.observe(kind);
        self.submitted |= matches!(kind, EventKind::Submit { .. });
        self.acked |= matches!(kind, EventKind::Outcome { outcome: Outcome::Acked, .. });
        self.arrived |= matches!(kind, EventKind::Deliver { .. } | EventKind::Effect { .. });
    }
}
