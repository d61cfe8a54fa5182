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

/// An inventory in a database file. Every change is one durable transaction, and several can share one.
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

    /// Runs several changes as one transaction, which is durable when this returns. Each sees those before it. After an error
    /// none of them took effect, or that is unknown. Where nothing changed, nothing is written.
    pub fn together<T>(
        &mut self,
        changes: impl FnOnce(&mut OpenInventory<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        const WHAT: &str = "apply changes";
        let write = self.database.begin_write().map_err(failed(WHAT))?;
        let mut open = OpenInventory::open(&write).map_err(failed(WHAT))?;
        let came = changes(&mut open)?;
        let is_changed = open.is_changed;
        drop(open);
        let ended = if is_changed {
            write.commit().map_err(redb::Error::from)
        } else {
            write.abort().map_err(redb::Error::from)
        };
        ended.map(|()| came).map_err(failed(WHAT))
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
        self.together(|open| open.apply(change))
    }

    fn fence(&mut self, to: Generation) -> Result<(), StoreError> {
        self.together(|open| open.fence(to))
    }

    fn seen(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.read(INBOX)?.get(&key.encode()[..]).map_err(failed("read the inbox"))?.is_some())
    }

    fn finished(&self) -> Result<Positions, StoreError> {
        positions(&self.read(FINISHED)?)
    }

    fn rewind(&mut self, to: Position) -> Result<(), StoreError> {
        self.together(|open| open.rewind(to))
    }
}

/// The inventory inside a transaction: its reads see what the transaction has changed so far, and nothing is durable yet.
pub struct OpenInventory<'a> {
    stock: Table<'a, u32, i64>,
    inbox: Table<'a, &'static [u8], ()>,
    finished: Table<'a, u64, u64>,
    generation: Table<'a, (), u32>,
    is_changed: bool,
}

impl<'a> OpenInventory<'a> {
    fn open(write: &'a WriteTransaction) -> Result<Self, redb::TableError> {
        Ok(OpenInventory {
            stock: write.open_table(STOCK)?,
            inbox: write.open_table(INBOX)?,
            finished: write.open_table(FINISHED)?,
            generation: write.open_table(GENERATION)?,
            is_changed: false,
        })
    }

    fn latest(&self) -> Result<Generation, redb::StorageError> {
        Ok(Generation(self.generation.get(())?.map_or(0, |generation| generation.value())))
    }

    fn write(&mut self, change: &Change<Order>) -> Result<(), redb::StorageError> {
        if let Some(order) = change.effect {
            take(&mut self.stock, order)?;
        }
        if let Some(key) = change.inbox {
            self.inbox.insert(&key.encode()[..], ())?;
        }
        match change.finished {
            Some(Covers::One(position)) => cover(&mut self.finished, position.0, position.0 + 1),
            Some(Covers::Below(end)) => cover(&mut self.finished, 0, end.0),
            None => Ok(()),
        }
    }

    fn cut_at(&mut self, to: Position) -> Result<(), redb::StorageError> {
        while let Some((start, end)) = last_run(&self.finished)?
            && end > to.0
        {
            self.finished.remove(start)?;
            if start < to.0 {
                self.finished.insert(start, to.0)?;
            }
        }
        Ok(())
    }
}

impl EffectStore for OpenInventory<'_> {
    type Effect = Order;

    fn effect_of(&self, payload: &[u8]) -> Result<Order, DecodeError> {
        Order::decode(payload)
    }

    /// Part of the transaction: durable with it.
    fn apply(&mut self, change: &Change<Order>) -> Result<(), StoreError> {
        let current = self.latest().map_err(failed("read the generation"))?;
        if let Some(found) = change.fenced_by.filter(|&found| found < current) {
            return Err(StoreError::Fenced { current, found });
        }
        self.is_changed = true;
        self.write(change).map_err(failed("apply a change"))
    }

    fn fence(&mut self, to: Generation) -> Result<(), StoreError> {
        self.is_changed = true;
        let fenced = self.latest().and_then(|latest| self.generation.insert((), latest.max(to).0).map(drop));
        fenced.map_err(failed("let a generation in"))
    }

    fn seen(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.inbox.get(&key.encode()[..]).map_err(failed("read the inbox"))?.is_some())
    }

    fn finished(&self) -> Result<Positions, StoreError> {
        positions(&self.finished)
    }

    fn rewind(&mut self, to: Position) -> Result<(), StoreError> {
        self.is_changed = true;
        self.cut_at(to).map_err(failed("rewind"))
    }
}

fn positions(finished: &impl ReadableTable<u64, u64>) -> Result<Positions, StoreError> {
    let mut positions = Positions::default();
    for run in finished.iter().map_err(failed("read the finished positions"))? {
        let (start, end) = run.map_err(failed("read the finished positions"))?;
        positions.insert_run(start.value(), end.value());
    }
    Ok(positions)
}

impl InventoryStore for EmbeddedInventory {
    fn stock(&self, sku: Sku) -> Result<i64, StoreError> {
        Ok(self.read(STOCK)?.get(sku.0).map_err(failed("read the stock"))?.map_or(0, |left| left.value()))
    }
}

fn take(stock: &mut Table<'_, u32, i64>, order: Order) -> Result<(), redb::StorageError> {
    let left = stock.get(order.sku.0)?.map_or(0, |left| left.value());
    stock.insert(order.sku.0, left - i64::from(order.quantity))?;
    Ok(())
}

/// Inserts a range, merged with those that it touches.
fn cover(finished: &mut Table<'_, u64, u64>, mut start: u64, mut end: u64) -> Result<(), redb::StorageError> {
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

fn last_run(finished: &Table<'_, u64, u64>) -> Result<Option<(u64, u64)>, redb::StorageError> {
    Ok(finished.last()?.map(|(start, end)| (start.value(), end.value())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARTICLE: Sku = Sku(7);

    fn change(quantity: u32, position: u64) -> Change<Order> {
        let effect = Some(Order { sku: ARTICLE, quantity });
        let inbox = Some(Key::Position(Position(position)));
        Change { effect, inbox, finished: Some(Covers::One(Position(position))), fenced_by: None }
    }

    fn inventory(check: impl FnOnce(EmbeddedInventory)) {
        let directory = tempfile::tempdir().unwrap();
        check(EmbeddedInventory::open(&directory.path().join("inventory")).unwrap());
    }

    #[test]
    fn changes_together_see_those_before_them_and_one_that_is_fenced_off_takes_none_with_it() {
        inventory(|mut inventory| {
            inventory.fence(Generation(2)).unwrap();
            let late = Change { fenced_by: Some(Generation(1)), ..change(5, 9) };
            let seen = inventory.together(|open| {
                open.apply(&change(1, 3))?;
                let fence = StoreError::Fenced { current: Generation(2), found: Generation(1) };
                assert_eq!(open.apply(&late), Err(fence));
                open.apply(&change(2, 4))?;
                Ok((open.seen(&Key::Position(Position(3)))?, open.finished()?.contains(Position(4))))
            });
            assert_eq!(seen, Ok((true, true)));
            assert_eq!(inventory.stock(ARTICLE), Ok(-3));
            assert_eq!(inventory.seen(&Key::Position(Position(9))), Ok(false));
        });
    }

    #[test]
    fn after_an_error_none_of_the_changes_took_effect() {
        inventory(|mut inventory| {
            let came: Result<(), StoreError> = inventory.together(|open| {
                open.apply(&change(1, 3))?;
                Err(StoreError::Refused)
            });
            assert_eq!(came, Err(StoreError::Refused));
            assert_eq!(inventory.stock(ARTICLE), Ok(0));
            assert_eq!(inventory.seen(&Key::Position(Position(3))), Ok(false));
        });
    }
}
