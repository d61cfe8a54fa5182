//! Durable transactions of the inventory, as the consumer makes them, beside the same rows in redb alone.
//!
//! A transaction has the effects of one message or of 64: stock, inbox and finished positions. What the journal has gathered
//! moves into the database within the time that is measured. Each run ends with a look at every row.

use std::path::Path;
use std::time::Duration;

use delivery_benches::time;
use delivery_impls::data::record::{Identity, Key, ProducerId, Session};
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_impls::store::{Change, Covers, EffectStore};
use delivery_model::vocab::{Epoch, Position};
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

const STOCK: TableDefinition<u32, i64> = TableDefinition::new("stock");
const INBOX: TableDefinition<&[u8], ()> = TableDefinition::new("inbox");
const FINISHED: TableDefinition<u64, u64> = TableDefinition::new("finished");

fn key(number: u64) -> Key {
    let session = Session { producer: ProducerId(1), session: Epoch(0) };
    Key::Identity(Identity::Sequence { session, number })
}

/// So many messages in transactions of this many: the inventory.
pub fn ours(directory: &Path, messages: u64, together: u64) -> Duration {
    let mut inventory = EmbeddedInventory::open(&directory.join("inventory")).expect("a new one");
    let change = |number: u64| {
        let effect = Some(Order { sku: Sku(number as u32), quantity: 1 });
        Change { effect, inbox: Some(key(number)), finished: Some(Covers::One(Position(number))), fenced_by: None }
    };
    let took = time(|| {
        for first in (0..messages).step_by(together as usize) {
            let made = inventory.together(|open| {
                (first..first + together).try_for_each(|number| {
                    assert!(!open.seen(&key(number))?, "a new message");
                    open.apply(&change(number))
                })
            });
            made.expect("room");
        }
    });
    assert!(inventory.stocks().expect("readable").into_iter().eq((0..messages).map(|number| (Sku(number as u32), -1))));
    assert_eq!(inventory.finished().expect("readable").end(), Position(messages));
    took
}

/// The same in redb alone.
pub fn redb_alone(directory: &Path, messages: u64, together: u64) -> Duration {
    let database = Database::create(directory.join("redb")).expect("a new one");
    let insert = |first: u64| -> Result<(), redb::Error> {
        let write = database.begin_write()?;
        {
            let (mut stock, mut inbox) = (write.open_table(STOCK)?, write.open_table(INBOX)?);
            let mut finished = write.open_table(FINISHED)?;
            for number in first..first + together {
                assert!(inbox.get(&key(number).encode()[..])?.is_none(), "a new message");
                let left = stock.get(number as u32)?.map_or(0, |left| left.value());
                stock.insert(number as u32, left - 1)?;
                inbox.insert(&key(number).encode()[..], ())?;
                finished.insert(0, number + 1)?;
            }
        }
        write.commit()?;
        Ok(())
    };
    let took = time(|| (0..messages).step_by(together as usize).try_for_each(insert).expect("room"));
    let read = database.begin_read().expect("readable");
    let stock = read.open_table(STOCK).expect("a table");
    assert!(stock.iter().expect("readable").map(Result::unwrap).all(|(_, left)| left.value() == -1));
    assert_eq!(stock.len().expect("readable"), messages);
    took
}
