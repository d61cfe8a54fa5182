//! A transactional outbox: a table of rows that are written with the business transaction, and a relay that polls it. It
//! knows nothing of the suite.

use std::collections::BTreeMap;
use std::time::Duration;

/// Which mistake the relay makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// None.
    None,
    /// It marks a row as sent when it publishes it, before the broker has confirmed.
    MarkedBeforeConfirmed,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The event's bytes.
    pub event: Vec<u8>,
    /// How often the relay published it.
    pub published: u32,
    /// The broker has it.
    pub is_sent: bool,
}

/// The table. Every change of it is a committed transaction, and survives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxTable {
    rows: BTreeMap<u64, Row>,
}

/// Why a row was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuplicateKey(pub u64);

impl OutboxTable {
    /// Writes a row, in the transaction of the business change that it tells of.
    pub fn insert(&mut self, id: u64, event: Vec<u8>) -> Result<(), DuplicateKey> {
        if self.rows.contains_key(&id) {
            return Err(DuplicateKey(id));
        }
        self.rows.insert(id, Row { event, published: 0, is_sent: false });
        Ok(())
    }

    /// `UPDATE outbox SET is_sent = true WHERE id = ..`: whether that changed anything.
    pub fn mark_sent(&mut self, id: u64) -> bool {
        self.rows.get_mut(&id).is_some_and(|row| !std::mem::replace(&mut row.is_sent, true))
    }
}

/// The relay: looks into the table every so often, and publishes what is not sent.
pub struct Relay {
    table: OutboxTable,
    bug: Bug,
    every: Duration,
    next_poll: Duration,
}

impl Relay {
    /// A relay on this table.
    pub fn new(table: OutboxTable, every: Duration, bug: Bug) -> Self {
        Relay { table, bug, every, next_poll: Duration::ZERO }
    }

    /// The table, for the business transaction.
    pub fn table(&mut self) -> &mut OutboxTable {
        &mut self.table
    }

    /// When it looks into the table next; never, if every row is sent.
    pub fn next_poll(&self) -> Option<Duration> {
        self.table.rows.values().any(|row| !row.is_sent).then_some(self.next_poll)
    }

    /// Looks into the table, if it is time: the rows to publish, each with how often it was published.
    pub fn poll(&mut self, now: Duration) -> Vec<(u64, Row)> {
        if now < self.next_poll {
            return Vec::new();
        }
        self.next_poll = now + self.every;
        let mut found = Vec::new();
        for (&id, row) in self.table.rows.iter_mut().filter(|(_, row)| !row.is_sent) {
            row.published += 1;
            row.is_sent = self.bug == Bug::MarkedBeforeConfirmed;
            found.push((id, row.clone()));
        }
        found
    }

    /// The relay's process dies, and leaves the table.
    pub fn into_table(self) -> OutboxTable {
        self.table
    }
}
