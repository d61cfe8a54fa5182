//! How much there was to judge: counts that a judgement reports beside its verdicts. None of them decides anything.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{Finite, attempts::Attempts, finite::finite};
use crate::pages::Column;
use crate::vocab::{EventKind, Outcome, SettleOutcome};

/// The figures of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

finite!(Seen { submitted: bool, acked: bool, arrived: bool, attempts: Attempts });

/// The figures of a history so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    counts: Counts,
    messages: Column<u32>,
}

impl Tally {
    /// Counts an event, which is about the `nth` message if it is about one.
    pub fn count(&mut self, kind: &EventKind, nth: Option<u32>) {
        self.counts.count_event(kind);
        let Some(nth) = nth else { return };
        let before = self.messages.get(nth);
        let mut seen = before.map_or_else(Seen::default, |bits| Seen::from_bits(bits.into()));
        seen.see(kind);
        let after = Some(seen.to_bits() as u32);
        if after != before {
            after.into_iter().for_each(|bits| self.messages.set(nth, bits));
        }
    }

    /// Counts these messages, about which no more will come.
    pub fn close(&mut self, messages: Range<u32>) {
        for bits in messages.filter_map(|nth| self.messages.get(nth)) {
            self.counts.count_message(&Seen::from_bits(bits.into()));
        }
    }

    /// Forgets the messages below the `nth`.
    pub fn forget_below(&mut self, nth: u32) {
        self.messages.forget_below(nth);
    }

    /// The figures. The messages that were not closed are not in them.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

impl Counts {
    /// Adds those of another share. Faults belong to every share.
    pub(super) fn add(&mut self, other: &Counts) {
        self.submitted += other.submitted;
        self.acked += other.acked;
        self.refused += other.refused;
        self.unknown += other.unknown;
        self.delivered += other.delivered;
        self.effects += other.effects;
        self.settled += other.settled;
        self.dead_lettered += other.dead_lettered;
        self.recovered += other.recovered;
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
