//! Transactions of a history: what belongs to one counts from its commit on, and not at all if it was aborted.
//!
//! | of a transaction | committed | aborted | without an end on record |
//! |---|---|---|---|
//! | an acked attempt | acked at the commit | refused | unknown |
//! | an attempt without an outcome | acked at the commit | refused at the abort | unknown |
//! | an effect | made at the commit | none | none, and a loss of the message is unknown |
//! | a settle, confirmed | confirmed at the commit | refused, and the delivery that it was to settle is none | unknown |
//!
//! An outcome belongs to the transaction of the last attempt at the message before it.
//!
//! Left out: isolation between transactions. A consumer that reads what was aborted breaks `refused-not-delivered`.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::history::{History, Recorded};
use crate::vocab::{Event, EventKind, GroupId, MessageId, Outcome, SettleOutcome, TransactionId};

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Committed,
    Aborted,
    Open,
}

/// The events of a history as its transactions leave them.
pub(super) struct Resolved<'a> {
    /// The events, in order.
    pub events: Cow<'a, [Recorded]>,
    /// The messages of which something belongs to a transaction without an end.
    pub undecided: BTreeSet<MessageId>,
}

/// The events of this history, with those of its transactions counted where they take effect.
pub(super) fn resolved(history: &History) -> Resolved<'_> {
    let has_any = history.extras.values().any(|extra| extra.transaction.is_some());
    let ends = |it: &Recorded| matches!(it.event.kind, EventKind::Commit { .. } | EventKind::Abort { .. });
    if !has_any && !history.events.iter().any(ends) {
        return Resolved { events: Cow::Borrowed(&history.events), undecided: BTreeSet::new() };
    }
    Resolving::new(history).resolve()
}

struct Resolving<'a> {
    history: &'a History,
    /// Where transactions end, by transaction: the places of their ends, lowest first. A name may be used again.
    ends: BTreeMap<TransactionId, Vec<(usize, Fate)>>,
    /// What waits for the commit at a place.
    waiting: BTreeMap<usize, Vec<Recorded>>,
    /// By message: the transaction of the last attempt, where that has no outcome yet, and the attempt's place.
    attempts: BTreeMap<MessageId, (TransactionId, usize)>,
    undecided: BTreeSet<MessageId>,
}

impl<'a> Resolving<'a> {
    fn new(history: &'a History) -> Self {
        let mut ends: BTreeMap<TransactionId, Vec<(usize, Fate)>> = BTreeMap::new();
        for (place, recorded) in history.events.iter().enumerate() {
            match recorded.event.kind {
                EventKind::Commit { transaction } => {
                    ends.entry(transaction).or_default().push((place, Fate::Committed));
                }
                EventKind::Abort { transaction } => ends.entry(transaction).or_default().push((place, Fate::Aborted)),
                _ => {}
            }
        }
        let (waiting, attempts, undecided) = Default::default();
        Resolving { history, ends, waiting, attempts, undecided }
    }

    /// The end of a transaction that is open at this place.
    fn end(&self, transaction: TransactionId, place: usize) -> (usize, Fate) {
        let ends = self.ends.get(&transaction).map_or(&[][..], |ends| ends);
        ends.iter().copied().find(|(end, _)| *end > place).unwrap_or((usize::MAX, Fate::Open))
    }

    fn resolve(mut self) -> Resolved<'a> {
        let aborted = self.aborted_deliveries();
        let mut events = Vec::with_capacity(self.history.events.len());
        for (place, recorded) in self.history.events.iter().enumerate() {
            if !aborted.contains(&place) {
                events.extend(self.take(place, *recorded));
            }
            if let EventKind::Commit { transaction } | EventKind::Abort { transaction } = recorded.event.kind {
                self.close(transaction, place, recorded, &mut events);
            }
        }
        self.undecided.extend(self.attempts.keys());
        Resolved { events: Cow::Owned(events), undecided: self.undecided }
    }

    /// The event where it stands; none if it waits for its commit, or never counts.
    fn take(&mut self, place: usize, recorded: Recorded) -> Option<Recorded> {
        let its = self.history.extra(recorded.line).and_then(|extra| extra.transaction);
        let with = |kind| Recorded { event: Event { kind, ..recorded.event }, ..recorded };
        match recorded.event.kind {
            EventKind::Attempt { message, .. } => {
                match its {
                    Some(transaction) => drop(self.attempts.insert(message, (transaction, place))),
                    None => drop(self.attempts.remove(&message)),
                }
                Some(recorded)
            }
            EventKind::Outcome { message, attempt, outcome: was, partition, position } => {
                let Some((transaction, began)) = self.attempts.remove(&message) else { return Some(recorded) };
                let outcome = |outcome| with(EventKind::Outcome { message, attempt, outcome, partition, position });
                match (was, self.end(transaction, began)) {
                    (Outcome::Acked, (end, Fate::Committed)) if end > place => {
                        self.waiting.entry(end).or_default().push(recorded);
                        None
                    }
                    (Outcome::Acked, (_, Fate::Aborted)) => Some(outcome(Outcome::Refused)),
                    (Outcome::Acked, (_, Fate::Open)) => {
                        self.undecided.insert(message);
                        Some(outcome(Outcome::Unknown))
                    }
                    _ => Some(recorded),
                }
            }
            EventKind::Effect { message, .. } => match its.map(|transaction| self.end(transaction, place)) {
                Some((end, Fate::Committed)) => {
                    self.waiting.entry(end).or_default().push(recorded);
                    None
                }
                Some((_, Fate::Aborted)) => None,
                Some((_, Fate::Open)) => {
                    self.undecided.insert(message);
                    None
                }
                None => Some(recorded),
            },
            EventKind::Settle { message, group, partition, position, delivery, outcome: SettleOutcome::Ok } => {
                let settle =
                    |outcome| with(EventKind::Settle { message, group, partition, position, delivery, outcome });
                match its.map(|transaction| self.end(transaction, place)) {
                    Some((end, Fate::Committed)) => {
                        self.waiting.entry(end).or_default().push(recorded);
                        None
                    }
                    Some((_, Fate::Aborted)) => Some(settle(SettleOutcome::Refused)),
                    Some((_, Fate::Open)) => Some(settle(SettleOutcome::Unknown)),
                    None => Some(recorded),
                }
            }
            _ => Some(recorded),
        }
    }

    /// Adds what takes effect at the end of a transaction, at the time and on the line of its end.
    fn close(&mut self, transaction: TransactionId, place: usize, end: &Recorded, events: &mut Vec<Recorded>) {
        for waited in self.waiting.remove(&place).unwrap_or_default() {
            events.push(Recorded { at: end.at, line: end.line, event: waited.event });
        }
        let is_committed = matches!(end.event.kind, EventKind::Commit { .. });
        let outcome = if is_committed { Outcome::Acked } else { Outcome::Refused };
        let silent = self.attempts.iter().filter(|(_, (its, _))| *its == transaction).map(|(message, _)| *message);
        for message in silent.collect::<Vec<_>>() {
            self.attempts.remove(&message);
            let kind = EventKind::outcome(message.0, outcome);
            events.push(Recorded { at: end.at, line: end.line, event: Event { kind, ..end.event } });
        }
    }

    /// The places of the deliveries whose settles were aborted: the last one before each such settle.
    fn aborted_deliveries(&self) -> BTreeSet<usize> {
        let mut last: BTreeMap<(GroupId, MessageId), usize> = BTreeMap::new();
        let mut aborted = BTreeSet::new();
        for (place, recorded) in self.history.events.iter().enumerate() {
            match recorded.event.kind {
                EventKind::Deliver { message, group, .. } => drop(last.insert((group, message), place)),
                EventKind::Settle { message, group, .. } => {
                    let its = self.history.extra(recorded.line).and_then(|extra| extra.transaction);
                    let is_aborted = its.is_some_and(|transaction| self.end(transaction, place).1 == Fate::Aborted);
                    aborted.extend(last.get(&(group, message)).filter(|_| is_aborted));
                }
                _ => {}
            }
        }
        aborted
    }
}
