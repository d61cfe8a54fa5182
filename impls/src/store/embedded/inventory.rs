//! The inventory: stock, inbox, finished positions and the current generation, which change in one transaction.

use std::path::{Path, PathBuf};

use delivery_model::vocab::Position;

use super::super::file::{FileJournal, Room};
use super::super::frame::RECORD_MAX_BYTES;
use super::super::{Change, Covers, EffectStore, Generation, InventoryStore, Journal, StoreError};
use super::entry::{Entries, Entry};
use super::failed;
use super::latest::{Latest, Rows};
use super::tables::Tables;
use crate::data::positions::Positions;
use crate::data::record::{DecodeError, Key};
use crate::inventory::{Order, Sku};

/// The bytes of records from which on the journal's changes move into the database.
const LONG: usize = 256 << 10;

/// An inventory in a database file with a journal beside it. Every change is one durable transaction, and several can share
/// one.
#[derive(Debug)]
pub struct EmbeddedInventory {
    tables: Tables,
    journal: FileJournal,
    /// The bytes of the journal's records.
    bytes: usize,
    latest: Latest,
}

impl EmbeddedInventory {
    /// Opens the inventory in this file, or creates it.
    pub fn open(path: &Path) -> Result<EmbeddedInventory, StoreError> {
        let beside = Self::journal(path);
        if !path.exists() && beside.metadata().is_ok_and(|file| file.len() > 0) {
            let why = format!("it is gone, and its journal {} has changes of it", beside.display());
            return Err(failed(super::OPEN)(why));
        }
        let (tables, mut latest) = Tables::open(path)?;
        let mut journal = FileJournal::open(&beside, Room::default())?;
        let unreadable =
            |why: &dyn std::fmt::Display| failed("read its journal")(format!("{}: {why}", beside.display()));
        let records = journal.recover().map_err(|why| unreadable(&why))?;
        for (number, record) in records.iter().enumerate() {
            Entries::read(record, |entry| latest.take(&entry))
                .map_err(|why| unreadable(&format_args!("record {number}: {why}")))?;
        }
        let bytes = records.iter().map(Vec::len).sum();
        Ok(EmbeddedInventory { tables, journal, bytes, latest })
    }

    /// The file of the journal beside this database.
    pub fn journal(path: &Path) -> PathBuf {
        path.with_extension("journal")
    }

    /// Runs several changes as one transaction, which is durable when this returns. Each sees those before it. After an error
    /// none of them took effect, or that is unknown. Where nothing changed, nothing is written.
    pub fn together<T>(
        &mut self,
        changes: impl FnOnce(&mut OpenInventory<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut open = OpenInventory::of(self);
        let came = changes(&mut open)?;
        let Changed { entries, rows, finished, generation } = open.changed;
        let record = entries.into_record();
        let fits = record.len() <= RECORD_MAX_BYTES;
        if record.is_empty() {
            return Ok(came);
        }
        if fits {
            self.journal.append(&record)?;
            self.journal.sync()?;
            self.bytes += record.len();
        }
        self.latest.rows.stock.extend(rows.stock);
        self.latest.rows.inbox.extend(rows.inbox);
        (self.latest.finished, self.latest.generation) = (finished, generation);
        if !fits || self.bytes > LONG {
            self.move_into_database()?;
        }
        Ok(came)
    }

    /// Moves the changes of the journal into the database in one durable transaction, and empties the journal. After a crash in
    /// between they are read once more, which changes nothing: an entry says what is so, not by how much it changed.
    fn move_into_database(&mut self) -> Result<(), StoreError> {
        self.tables.take(&self.latest)?;
        self.latest.rows = Rows::default();
        // Without room for a new file, the old one stays, and it is tried again when as much has come once more.
        self.bytes = 0;
        let nothing: [&[u8]; 0] = [];
        self.journal.rewrite(nothing).or_else(|why| if why.is_definite() { Ok(()) } else { Err(why) })
    }

    /// The stock of every article that an order touched, lowest article first.
    pub fn stocks(&self) -> Result<Vec<(Sku, i64)>, StoreError> {
        let mut stocks = self.tables.stocks()?;
        stocks.extend(&self.latest.rows.stock);
        Ok(stocks.into_iter().collect())
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
        Ok(self.latest.rows.inbox.contains(key) || self.tables.has_seen(key)?)
    }

    fn finished(&self) -> Result<Positions, StoreError> {
        Ok(self.latest.finished.clone())
    }

    fn rewind(&mut self, to: Position) -> Result<(), StoreError> {
        self.together(|open| open.rewind(to))
    }
}

impl InventoryStore for EmbeddedInventory {
    fn stock(&self, sku: Sku) -> Result<i64, StoreError> {
        match self.latest.rows.stock.get(&sku) {
            Some(left) => Ok(*left),
            None => Ok(self.tables.stock(sku)?.unwrap_or(0)),
        }
    }
}

/// The inventory inside a transaction: its reads see what the transaction has changed so far, and nothing is durable yet.
pub struct OpenInventory<'a> {
    before: &'a EmbeddedInventory,
    changed: Changed,
}

/// What a transaction has changed.
struct Changed {
    entries: Entries,
    rows: Rows,
    finished: Positions,
    generation: Generation,
}

impl<'a> OpenInventory<'a> {
    fn of(before: &'a EmbeddedInventory) -> Self {
        let Latest { finished, generation, .. } = &before.latest;
        let (finished, generation) = (finished.clone(), *generation);
        let changed = Changed { entries: Entries::default(), rows: Rows::default(), finished, generation };
        OpenInventory { before, changed }
    }

    fn take(&mut self, order: Order) -> Result<(), StoreError> {
        let left = match self.changed.rows.stock.get(&order.sku) {
            Some(left) => *left,
            None => self.before.stock(order.sku)?,
        };
        let left = left - i64::from(order.quantity);
        self.changed.rows.stock.insert(order.sku, left);
        self.changed.entries.add(&Entry::Stock { sku: order.sku, left });
        Ok(())
    }

    fn finish(&mut self, start: Position, end: Position) {
        if start < end {
            self.changed.finished.insert_run(start.0, end.0);
            self.changed.entries.add(&Entry::Finished { start: start.0, end: end.0 });
        }
    }
}

impl EffectStore for OpenInventory<'_> {
    type Effect = Order;

    fn effect_of(&self, payload: &[u8]) -> Result<Order, DecodeError> {
        Order::decode(payload)
    }

    /// Part of the transaction: durable with it.
    fn apply(&mut self, change: &Change<Order>) -> Result<(), StoreError> {
        let current = self.changed.generation;
        if let Some(found) = change.fenced_by.filter(|&found| found < current) {
            return Err(StoreError::Fenced { current, found });
        }
        if let Some(order) = change.effect {
            self.take(order)?;
        }
        if let Some(key) = change.inbox {
            self.changed.rows.inbox.insert(key);
            self.changed.entries.add(&Entry::Inbox(key));
        }
        match change.finished {
            Some(covers @ Covers::One(position)) => self.finish(position, covers.end()),
            Some(Covers::Below(end)) => self.finish(Position(0), end),
            None => {}
        }
        Ok(())
    }

    fn fence(&mut self, to: Generation) -> Result<(), StoreError> {
        let generation = self.changed.generation.max(to);
        self.changed.generation = generation;
        self.changed.entries.add(&Entry::Generation(generation));
        Ok(())
    }

    fn seen(&self, key: &Key) -> Result<bool, StoreError> {
        Ok(self.changed.rows.inbox.contains(key) || self.before.seen(key)?)
    }

    fn finished(&self) -> Result<Positions, StoreError> {
        Ok(self.changed.finished.clone())
    }

    fn rewind(&mut self, to: Position) -> Result<(), StoreError> {
        self.changed.finished.truncate(to);
        self.changed.entries.add(&Entry::Rewound(to));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

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

    fn order(sku: u32) -> Change<Order> {
        let effect = Some(Order { sku: Sku(sku), quantity: 1 });
        let inbox = Some(Key::Position(Position(sku.into())));
        Change { effect, inbox, finished: Some(Covers::One(Position(sku.into()))), fenced_by: None }
    }

    /// What an inventory says when it is opened: stock, finished positions and generation, and whether the keys of these
    /// articles were seen.
    fn contents(path: &Path, skus: u32) -> (Vec<(Sku, i64)>, Positions, Generation, Vec<bool>) {
        let inventory = EmbeddedInventory::open(path).unwrap();
        let seen = |sku: u32| inventory.seen(&Key::Position(Position(sku.into()))).unwrap();
        let latest = &inventory.latest;
        (inventory.stocks().unwrap(), latest.finished.clone(), latest.generation, (0..skus).map(seen).collect())
    }

    #[test]
    fn changes_move_into_the_database_when_the_journal_is_long_and_nothing_else_changes() {
        const ORDERS: u32 = 20_000;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("inventory");
        let mut inventory = EmbeddedInventory::open(&path).unwrap();
        inventory.fence(Generation(3)).unwrap();
        let (mut longest, mut moved) = (0, 0);
        for first in (0..ORDERS).step_by(500) {
            let before = inventory.bytes;
            inventory.together(|open| (first..first + 500).try_for_each(|sku| open.apply(&order(sku)))).unwrap();
            longest = longest.max(inventory.bytes);
            moved += u32::from(inventory.bytes < before);
            assert_eq!(inventory.stock(Sku(first)), Ok(-1));
            assert_eq!(inventory.seen(&Key::Position(Position(0))), Ok(true));
        }
        assert!(moved >= 2 && longest <= LONG, "{moved} times, {longest} bytes at most");
        inventory.rewind(Position(10)).unwrap();
        drop(inventory);
        let stocks = (0..ORDERS).map(|sku| (Sku(sku), -1)).collect();
        assert_eq!(
            contents(&path, ORDERS),
            (stocks, Positions::below(Position(10)), Generation(3), vec![true; ORDERS as usize])
        );
    }

    /// The machine fails after the database's transaction, and before the journal is empty.
    #[test]
    fn changes_that_the_database_has_already_are_read_once_more_and_change_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("inventory");
        let mut inventory = EmbeddedInventory::open(&path).unwrap();
        for sku in [1, 2, 2, 5] {
            inventory.apply(&order(sku)).unwrap();
        }
        inventory.rewind(Position(2)).unwrap();
        inventory.apply(&order(7)).unwrap();
        inventory.fence(Generation(1)).unwrap();
        let journal = std::fs::read(EmbeddedInventory::journal(&path)).unwrap();
        inventory.move_into_database().unwrap();
        drop(inventory);
        let expected = contents(&path, 9);
        assert_eq!(expected.0, [(Sku(1), -1), (Sku(2), -2), (Sku(5), -1), (Sku(7), -1)]);
        assert_eq!(std::fs::metadata(EmbeddedInventory::journal(&path)).unwrap().len(), 0);
        std::fs::write(EmbeddedInventory::journal(&path), journal).unwrap();
        assert_eq!(contents(&path, 9), expected);
    }

    /// The machine fails while the journal is written: after any byte of it.
    #[test]
    fn a_torn_journal_has_whole_transactions_and_no_parts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("inventory");
        let mut inventory = EmbeddedInventory::open(&path).unwrap();
        for first in [0, 3, 6] {
            inventory.together(|open| (first..first + 3).try_for_each(|sku| open.apply(&order(sku)))).unwrap();
        }
        drop(inventory);
        let whole = std::fs::read(EmbeddedInventory::journal(&path)).unwrap();
        let mut found = BTreeSet::new();
        for length in 0..=whole.len() {
            std::fs::write(EmbeddedInventory::journal(&path), &whole[..length]).unwrap();
            let (stocks, finished, _, seen) = contents(&path, 9);
            let effects = stocks.len() as u64;
            assert_eq!(finished, Positions::below(Position(effects)), "{length} bytes");
            assert_eq!(seen.iter().filter(|seen| **seen).count() as u64, effects, "{length} bytes");
            found.insert(effects);
        }
        assert_eq!(found, BTreeSet::from([0, 3, 6, 9]));
    }

    #[test]
    fn more_than_fits_a_record_is_stored_as_a_whole() {
        const ORDERS: u32 = 40_000;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("inventory");
        let mut inventory = EmbeddedInventory::open(&path).unwrap();
        inventory.apply(&order(ORDERS)).unwrap();
        inventory.together(|open| (0..ORDERS).try_for_each(|sku| open.apply(&order(sku)))).unwrap();
        assert_eq!(inventory.bytes, 0, "the database has it");
        drop(inventory);
        assert_eq!(contents(&path, 0).0.len() as u32, ORDERS + 1);
    }

    #[test]
    fn a_journal_without_its_database_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("inventory");
        EmbeddedInventory::open(&path).unwrap().apply(&order(1)).unwrap();
        std::fs::remove_file(&path).unwrap();
        let refused = EmbeddedInventory::open(&path).unwrap_err().to_string();
        assert!(refused.contains("it is gone, and its journal"), "{refused}");
        assert!(!path.exists() && EmbeddedInventory::journal(&path).exists());
    }

    #[test]
    fn a_record_that_is_none_of_an_inventory_is_refused_with_its_place() {
        for (record, says) in [
            (&b"X\x01"[..], "record 0: unknown tag 88 of a record of an inventory at offset 0"),
            (b"I\x02", "record 0: unknown tag 2 of the version of an inventory at offset 1"),
            (b"I\x01\x63", "record 0: unknown tag 99 of an inventory's entry at offset 2"),
            (b"I\x01\x01\x07", "record 0: expected 4 more bytes at offset 3, found 1"),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("inventory");
            drop(EmbeddedInventory::open(&path).unwrap());
            let mut journal = FileJournal::open(&EmbeddedInventory::journal(&path), Room::default()).unwrap();
            journal.append(record).unwrap();
            journal.sync().unwrap();
            drop(journal);
            let refused = EmbeddedInventory::open(&path).unwrap_err().to_string();
            assert!(
                refused.starts_with("the store failed to read its journal: ") && refused.ends_with(says),
                "{refused}"
            );
        }
    }
}
