//! A journal as a table from position to record.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::super::frame::RECORD_MAX_BYTES;
use super::super::{Journal, RecoverError, StoreError};
use super::{failed, open, seal, transact, unseal};

const RECORDS: TableDefinition<u64, &[u8]> = TableDefinition::new("records");

/// A journal in a database file.
///
/// What is appended waits in memory, and a sync writes it in one durable transaction. So a dropped journal has lost
/// exactly its unsynced suffix, as a crash would, and a record is never torn. A record that fails its checksum is
/// therefore corrupt wherever it stands, the last one included.
#[derive(Debug)]
pub struct EmbeddedJournal {
    database: Database,
    synced: u64,
    unsynced: Vec<Vec<u8>>,
}

impl EmbeddedJournal {
    /// Opens the journal in this file, and makes it if there is none.
    pub fn open(path: &Path) -> Result<EmbeddedJournal, StoreError> {
        let database = open(path)?;
        let synced = transact(&database, "make the records' table", |write| {
            let last = write.open_table(RECORDS)?.last()?.map(|(position, _)| position.value());
            Ok(last.map_or(0, |last| last + 1))
        })?;
        Ok(EmbeddedJournal { database, synced, unsynced: Vec::new() })
    }
}

impl Journal for EmbeddedJournal {
    fn append(&mut self, record: &[u8]) -> Result<(), StoreError> {
        assert!(record.len() <= RECORD_MAX_BYTES, "a record of {} bytes", record.len());
        self.unsynced.push(seal(record));
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        if self.unsynced.is_empty() {
            return Ok(());
        }
        transact(&self.database, "commit records", |write| {
            let mut table = write.open_table(RECORDS)?;
            for (position, sealed) in (self.synced..).zip(&self.unsynced) {
                table.insert(position, &sealed[..])?;
            }
            Ok(())
        })?;
        self.synced += self.unsynced.len() as u64;
        self.unsynced.clear();
        Ok(())
    }

    /// What was appended and not synced is lost. `offset` in an error counts the bytes of the records before.
    fn recover(&mut self) -> Result<Vec<Vec<u8>>, RecoverError> {
        self.unsynced.clear();
        let read = self.database.begin_read().map_err(failed("begin to read"))?;
        let table = read.open_table(RECORDS).map_err(failed("open the records"))?;
        let (mut records, mut offset) = (Vec::new(), 0);
        for row in table.iter().map_err(failed("read the records"))? {
            let (position, sealed) = row.map_err(failed("read a record"))?;
            let number = records.len() as u64;
            if position.value() != number {
                return Err(RecoverError::Corrupt { record: number, offset });
            }
            records.push(unseal(sealed.value(), number, offset)?.to_vec());
            offset += sealed.value().len() as u64;
        }
        self.synced = records.len() as u64;
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes the stored bytes of a record, or removes it.
    fn damage(journal: &EmbeddedJournal, position: u64, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>) {
        let write = journal.database.begin_write().unwrap();
        {
            let mut table = write.open_table(RECORDS).unwrap();
            let sealed = table.remove(position).unwrap().unwrap().value().to_vec();
            if let Some(changed) = change(sealed) {
                table.insert(position, &changed[..]).unwrap();
            }
        }
        write.commit().unwrap();
    }

    fn check(position: u64, change: impl FnOnce(Vec<u8>) -> Option<Vec<u8>>, expected: RecoverError) {
        let directory = tempfile::tempdir().unwrap();
        let mut journal = EmbeddedJournal::open(&directory.path().join("journal")).unwrap();
        [&b"one"[..], b"two", b"three"].into_iter().for_each(|record| journal.append(record).unwrap());
        journal.sync().unwrap();
        damage(&journal, position, change);
        assert_eq!(journal.recover(), Err(expected));
    }

    #[test]
    fn a_corrupt_short_or_missing_record_is_refused_with_its_place() {
        let flip = |mut sealed: Vec<u8>| {
            sealed[5] ^= 1;
            Some(sealed)
        };
        check(1, flip, RecoverError::Corrupt { record: 1, offset: 7 });
        check(2, flip, RecoverError::Corrupt { record: 2, offset: 14 });
        check(0, |_| Some(vec![1, 2, 3]), RecoverError::Corrupt { record: 0, offset: 0 });
        check(1, |_| None, RecoverError::Corrupt { record: 1, offset: 7 });
    }
}
