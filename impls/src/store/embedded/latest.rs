//! What memory holds of the inventory.

use std::collections::{BTreeMap, BTreeSet};

use super::super::Generation;
use super::entry::Entry;
use crate::data::positions::Positions;
use crate::data::record::Key;
use crate::inventory::Sku;

/// What memory holds: all of the database's short tables, and the rows that the database does not have yet.
#[derive(Debug, Default)]
pub struct Latest {
    pub rows: Rows,
    pub finished: Positions,
    pub generation: Generation,
}

/// Rows over those of the database.
#[derive(Debug, Default)]
pub struct Rows {
    pub stock: BTreeMap<Sku, i64>,
    pub inbox: BTreeSet<Key>,
}

impl Latest {
    /// Takes in an entry of the journal.
    pub fn take(&mut self, entry: &Entry) {
        match *entry {
            Entry::Stock { sku, left } => drop(self.rows.stock.insert(sku, left)),
            Entry::Inbox(key) => drop(self.rows.inbox.insert(key)),
            Entry::Finished { start, end } if start < end => self.finished.insert_run(start, end),
            Entry::Finished { .. } => {}
            Entry::Rewound(to) => self.finished.truncate(to),
            Entry::Generation(generation) => self.generation = generation,
        }
    }
}
