//! A producer's outbox as three tables: the unfinished messages, their sequence numbers, and the counters.

use std::path::Path;

use delivery_model::vocab::{Epoch, MessageId};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::super::{OutboxContents, OutboxRow, OutboxStore, RecoverError, StoreError};
use super::{failed, open, seal, transact, unseal};

/// Message id to payload with checksum.
const ROWS: TableDefinition<u64, &[u8]> = TableDefinition::new("rows");
/// Message id to sequence number, for the rows that have one.
const NUMBERS: TableDefinition<u64, u64> = TableDefinition::new("numbers");
const COUNTERS: TableDefinition<&str, u64> = TableDefinition::new("counters");
const EPOCH: &str = "epoch";
const SESSION: &str = "session";
const POSITION: &str = "position";
const NEXT_NUMBER: &str = "next-number";

/// An outbox in a database file. Every call is one durable transaction, and changes of several rows can share one.
#[derive(Debug)]
pub struct EmbeddedOutbox {
    database: Database,
}

impl EmbeddedOutbox {
    /// Opens the outbox in this file, or creates it.
    pub fn open(path: &Path) -> Result<EmbeddedOutbox, StoreError> {
        let outbox = EmbeddedOutbox { database: open(path)? };
        transact(&outbox.database, "make its tables", |write| {
            write.open_table(ROWS)?;
            write.open_table(NUMBERS)?;
            write.open_table(COUNTERS)?;
            Ok(())
        })?;
        Ok(outbox)
    }
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowChange {
    /// The row of [`OutboxStore::insert`].
    Insert(OutboxRow),
    /// The message of [`OutboxStore::delete`].
    Delete(MessageId),
}

impl EmbeddedOutbox {
    /// Makes these changes in one transaction, in this order. They are durable when it returns.
    pub fn change_rows(&mut self, changes: &[RowChange]) -> Result<(), StoreError> {
        transact(&self.database, "change its rows", |write| {
            let mut rows = write.open_table(ROWS)?;
            let mut numbers = write.open_table(NUMBERS)?;
            for change in changes {
                match change {
                    RowChange::Insert(OutboxRow { message, payload, number: Some(number) }) => {
                        rows.insert(message.0, &seal(payload)[..])?;
                        numbers.insert(message.0, number)?;
                        write.open_table(COUNTERS)?.insert(NEXT_NUMBER, number + 1)?;
                    }
                    RowChange::Insert(OutboxRow { message, payload, number: None }) => {
                        rows.insert(message.0, &seal(payload)[..])?;
                        numbers.remove(message.0)?;
                    }
                    RowChange::Delete(message) => {
                        rows.remove(message.0)?;
                        numbers.remove(message.0)?;
                    }
                }
            }
            Ok(())
        })
    }
}

impl OutboxStore for EmbeddedOutbox {
    fn recover(&mut self) -> Result<OutboxContents, RecoverError> {
        let read = self.database.begin_read().map_err(failed("begin to read"))?;
        let counters = read.open_table(COUNTERS).map_err(failed("open the counters"))?;
        let counter = |name| counters.get(name).map_err(failed("read a counter"));
        let epoch = counter(EPOCH)?.map(|epoch| Epoch(epoch.value() as u32));
        let session = Epoch(counter(SESSION)?.map_or(0, |session| session.value() as u32));
        let next_number = counter(NEXT_NUMBER)?.map_or(0, |number| number.value());
        let position = MessageId(counter(POSITION)?.map_or(0, |position| position.value()));

        let payloads = read.open_table(ROWS).map_err(failed("open the rows"))?;
        let numbers = read.open_table(NUMBERS).map_err(failed("open the numbers"))?;
        let (mut rows, mut offset) = (Vec::new(), 0);
        for row in payloads.iter().map_err(failed("read the rows"))? {
            let (message, sealed) = row.map_err(failed("read a row"))?;
            let payload = unseal(sealed.value(), rows.len() as u64, offset)?.into();
            let number = numbers.get(message.value()).map_err(failed("read a number"))?.map(|number| number.value());
            rows.push(OutboxRow { message: MessageId(message.value()), payload, number });
            offset += sealed.value().len() as u64;
        }
        Ok(OutboxContents { epoch, session, next_number, position, rows })
    }

    fn begin(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        transact(&self.database, "note an epoch", |write| {
            write.open_table(COUNTERS)?.insert(EPOCH, u64::from(epoch.0))?;
            Ok(())
        })
    }

    fn renew(&mut self, epoch: Epoch, numbers: &[(MessageId, u64)]) -> Result<(), StoreError> {
        transact(&self.database, "begin a session", |write| {
            let next_number = numbers.iter().map(|(_, number)| number + 1).max().unwrap_or(0);
            let mut counters = write.open_table(COUNTERS)?;
            counters.insert(EPOCH, u64::from(epoch.0))?;
            counters.insert(SESSION, u64::from(epoch.0))?;
            counters.insert(NEXT_NUMBER, next_number)?;
            let rows = write.open_table(ROWS)?;
            let mut table = write.open_table(NUMBERS)?;
            table.retain(|_, _| false)?;
            for (message, number) in numbers {
                if rows.get(message.0)?.is_some() {
                    table.insert(message.0, number)?;
                }
            }
            Ok(())
        })
    }

    fn advance(&mut self, position: MessageId) -> Result<(), StoreError> {
        transact(&self.database, "store a position", |write| {
            write.open_table(COUNTERS)?.insert(POSITION, position.0)?;
            Ok(())
        })
    }

    fn insert(&mut self, message: MessageId, payload: &[u8], number: Option<u64>) -> Result<(), StoreError> {
        self.change_rows(&[RowChange::Insert(OutboxRow { message, payload: payload.into(), number })])
    }

    fn delete(&mut self, message: MessageId) -> Result<(), StoreError> {
        self.change_rows(&[RowChange::Delete(message)])
    }
}
