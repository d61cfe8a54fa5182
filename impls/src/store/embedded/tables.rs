//! The inventory's tables in the database.

use std::collections::BTreeMap;
use std::path::Path;

use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::super::{Generation, StoreError};
use super::latest::{Latest, Rows};
use super::{failed, open, transact};
use crate::data::positions::Positions;
use crate::data::record::Key;
use crate::inventory::Sku;

/// Article to stock: its initial stock less what was taken.
const STOCK: TableDefinition<u32, i64> = TableDefinition::new("stock");
/// The keys of handled messages, encoded.
const INBOX: TableDefinition<&[u8], ()> = TableDefinition::new("inbox");
/// Ranges of finished positions: the first position of a range to the first one after it. Ranges neither touch nor
/// overlap.
const FINISHED: TableDefinition<u64, u64> = TableDefinition::new("finished");
/// The generation that was let in last, in one row.
const GENERATION: TableDefinition<(), u32> = TableDefinition::new("generation");

/// The tables, open for reading.
pub(super) struct Tables {
    // Dropped before the database: it is of a transaction.
    rows: LongTables,
    database: Database,
}

/// The tables that are not held in memory, as the last transaction left them.
struct LongTables {
    stock: ReadOnlyTable<u32, i64>,
    inbox: ReadOnlyTable<&'static [u8], ()>,
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.database.fmt(f)
    }
}

impl Tables {
    /// Opens the tables in this file, or creates them, and reads the short ones.
    pub fn open(path: &Path) -> Result<(Tables, Latest), StoreError> {
        let database = open(path)?;
        transact(&database, "make its tables", |write| {
            write.open_table(STOCK)?;
            write.open_table(INBOX)?;
            write.open_table(FINISHED)?;
            write.open_table(GENERATION)?;
            Ok(())
        })?;
        let read = database.begin_read().map_err(failed("begin to read"))?;
        let generation = read
            .open_table(GENERATION)
            .map_err(redb::Error::from)
            .and_then(|table| Ok(table.get(())?.map_or(0, |row| row.value())));
        let generation = Generation(generation.map_err(failed("read the generation"))?);
        let mut finished = Positions::default();
        let runs = read.open_table(FINISHED).map_err(redb::Error::from).and_then(|table| {
            for run in table.iter()? {
                let (start, end) = run?;
                finished.insert_run(start.value(), end.value());
            }
            Ok(())
        });
        runs.map_err(failed("read the finished positions"))?;
        let rows = LongTables::of(&database)?;
        Ok((Tables { rows, database }, Latest { rows: Rows::default(), finished, generation }))
    }

    /// The stock of an article; none if no order has touched it.
    pub fn stock(&self, sku: Sku) -> Result<Option<i64>, StoreError> {
        Ok(self.rows.stock.get(sku.0).map_err(failed("read the stock"))?.map(|left| left.value()))
    }

    /// The stock of every article that an order touched.
    pub fn stocks(&self) -> Result<BTreeMap<Sku, i64>, StoreError> {
        let rows = self.rows.stock.iter().map_err(failed("read the stock"))?;
        rows.map(|row| row.map(|(sku, left)| (Sku(sku.value()), left.value())).map_err(failed("read the stock")))
            .collect()
    }

    /// Whether the inbox has this key.
    pub fn has_seen(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.rows.inbox.get(&key.encode()[..]).map_err(failed("read the inbox"))?.is_some())
    }

    /// Stores all of this in one durable transaction.
    pub fn take(&mut self, latest: &Latest) -> Result<(), StoreError> {
        transact(&self.database, "take in its journal", |write| {
            let (mut stock, mut inbox) = (write.open_table(STOCK)?, write.open_table(INBOX)?);
            for (sku, left) in &latest.rows.stock {
                stock.insert(sku.0, left)?;
            }
            // In the order of the table, which is that of the bytes.
            let mut keys: Vec<Vec<u8>> = latest.rows.inbox.iter().map(Key::encode).collect();
            keys.sort_unstable();
            for key in &keys {
                inbox.insert(&key[..], ())?;
            }
            let mut finished = write.open_table(FINISHED)?;
            finished.retain(|_, _| false)?;
            for (start, end) in latest.finished.runs() {
                finished.insert(start.0, end.0)?;
            }
            write.open_table(GENERATION)?.insert((), latest.generation.0)?;
            Ok(())
        })?;
        self.rows = LongTables::of(&self.database)?;
        Ok(())
    }
}

impl LongTables {
    fn of(database: &Database) -> Result<LongTables, StoreError> {
        let read = database.begin_read().map_err(failed("begin to read"))?;
        let opened =
            || Ok::<_, TableError>(LongTables { stock: read.open_table(STOCK)?, inbox: read.open_table(INBOX)? });
        opened().map_err(failed("open a table"))
    }
}
