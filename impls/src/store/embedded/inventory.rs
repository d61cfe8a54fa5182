//! The inventory as tables that change in one transaction: stock, inbox, finished positions, and the current
//! generation.

use std::path::Path;

use delivery_model::vocab::Position;
use redb::{Database, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::super::{Change, Covers, EffectStore, Generation, InventoryStore, StoreError};
use super::{failed, open, transact};
use crate::data::positions::Positions;
use crate::data::record::{DecodeError, Key};
use crate::inventory::{Order, Sku};

/// Article to stock: its initial stock less what was taken.
const STOCK: TableDefinition<u32, i64> = TableDefinition::new("stock");
/// The keys of handled messages, encoded.
const INBOX: TableDefinition<&[u8], ()> = TableDefinition::new("inbox");
/// Ranges of finished positions: the first position of a range to the first one after it. Ranges neither touch nor
/// overlap.
const FINISHED: TableDefinition<u64, u64> = TableDefinition::new("finished");
/// The generation that was let in last, in one row.
const GENERATION: TableDefinition<(), u32> = TableDefinition::new("generation");

/// An inventory in a database file. Every change is one durable transaction.
#[derive(Debug)]
pub struct EmbeddedInventory {
    database: Database,
}

impl EmbeddedInventory {
    /// Opens the inventory in this file, or creates it.
    pub fn open(path: &Path) -> Result<EmbeddedInventory, StoreError> {
        let inventory = EmbeddedInventory { database: open(path)? };
        transact(&inventory.database, "make its tables", |write| {
            write.open_table(STOCK)?;
            write.open_table(INBOX)?;
            write.open_table(FINISHED)?;
            write.open_table(GENERATION)?;
            Ok(())
        })?;
        Ok(inventory)
    }

    /// The stock of every article that an order touched, lowest article first.
    pub fn stocks(&self) -> Result<Vec<(Sku, i64)>, StoreError> {
        let stock = self.read(STOCK)?;
        let rows = stock.iter().map_err(failed("read the stock"))?;
        rows.map(|row| row.map(|(sku, left)| (Sku(sku.value()), left.value())).map_err(failed("read the stock")))
            .collect()
    }

    fn read<K: redb::Key, V: redb::Value>(
        &self,
        table: TableDefinition<'_, K, V>,
    ) -> Result<ReadOnlyTable<K, V>, StoreError> {
        self.database.begin_read().map_err(failed("begin to read"))?.open_table(table).map_err(failed("open a table"))
    }
}

impl EffectStore for EmbeddedInventory {
    type Effect = Order;

    fn effect_of(&self, payload: &[u8]) -> Result<Order, DecodeError> {
        Order::decode(payload)
    }

    fn apply(&mut self, change: &Change<Order>) -> Result<(), StoreError> {
        let fence = transact(&self.database, "apply a change", |write| {
            let current = generation(write)?;
            let fence = change.fenced_by.filter(|&found| found < current);
            if fence.is_none() {
                apply(write, change)?;
            }
            Ok(fence.map(|found| StoreError::Fenced { current, found }))
        })?;
        fence.map_or(Ok(()), Err)
    }

    fn fence(&mut self, to: Generation) -> Result<(), StoreError> {
        transact(&self.database, "let a generation in", |write| {
            let latest = generation(write)?.max(to);
            write.open_table(GENERATION)?.insert((), latest.0)?;
            Ok(())
        })
    }

    fn seen(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.read(INBOX)?.get(&key.encode()[..]).map_err(failed("read the inbox"))?.is_some())
    }

    fn finished(&self) -> Result<Positions, StoreError> {
        let finished = self.read(FINISHED)?;
        let mut positions = Positions::default();
        for run in finished.iter().map_err(failed("read the finished positions"))? {
            let (start, end) = run.map_err(failed("read the finished positions"))?;
            positions.insert_run(start.value(), end.value());
        }
        Ok(positions)
    }

    fn rewind(&mut self, to: Position) -> Result<(), StoreError> {
        transact(&self.database, "rewind", |write| {
            let mut finished = write.open_table(FINISHED)?;
            while let Some((start, end)) = last_run(&finished)?
                && end > to.0
            {
                finished.remove(start)?;
                if start < to.0 {
                    finished.insert(start, to.0)?;
                }
            }
            Ok(())
        })
    }
}

impl InventoryStore for EmbeddedInventory {
    fn stock(&self, sku: Sku) -> Result<i64, StoreError> {
        Ok(self.read(STOCK)?.get(sku.0).map_err(failed("read the stock"))?.map_or(0, |left| left.value()))
    }
}

fn generation(write: &WriteTransaction) -> Result<Generation, redb::Error> {
    Ok(Generation(write.open_table(GENERATION)?.get(())?.map_or(0, |generation| generation.value())))
}

fn apply(write: &WriteTransaction, change: &Change<Order>) -> Result<(), redb::Error> {
    if let Some(order) = change.effect {
        take(&mut write.open_table(STOCK)?, order)?;
    }
    if let Some(key) = change.inbox {
        write.open_table(INBOX)?.insert(&key.encode()[..], ())?;
    }
    match change.finished {
        Some(Covers::One(position)) => cover(&mut write.open_table(FINISHED)?, position.0, position.0 + 1),
        Some(Covers::Below(end)) => cover(&mut write.open_table(FINISHED)?, 0, end.0),
        None => Ok(()),
    }
}

fn take(stock: &mut Table<'_, u32, i64>, order: Order) -> Result<(), redb::Error> {
    let left = stock.get(order.sku.0)?.map_or(0, |left| left.value());
    stock.insert(order.sku.0, left - i64::from(order.quantity))?;
    Ok(())
}

/// Inserts a range, merged with those that it touches.
fn cover(finished: &mut Table<'_, u64, u64>, mut start: u64, mut end: u64) -> Result<(), redb::Error> {
    if start >= end {
        return Ok(());
    }
    loop {
        let below = finished.range(..=end)?.next_back().transpose()?.map(|(s, e)| (s.value(), e.value()));
        let Some((other_start, other_end)) = below.filter(|(_, other_end)| *other_end >= start) else {
            break;
        };
        (start, end) = (start.min(other_start), end.max(other_end));
        finished.remove(other_start)?;
    }
    finished.insert(start, end)?;
    Ok(())
}

fn last_run(finished: &Table<'_, u64, u64>) -> Result<Option<(u64, u64)>, redb::Error> {
    Ok(finished.last()?.map(|(start, end)| (start.value(), end.value())))
}
