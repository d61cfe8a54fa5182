//! The stores on disk, in redb: journals, outbox and inventory, one database file each.
//!
//! redb 4.6 was chosen over fjall 3.1 after a measurement of both: 128-byte values under ascending 64-bit keys in one
//! table, release build, two cores, a virtual disk on which a bare append of 136 bytes and `fdatasync` runs 3,800 to
//! 4,000 times a second; two runs, 99,000 records at the end. The program: a loop over
//! `begin_write`, inserts, `commit` for redb, and over `batch().durability(SyncData)`, inserts, `commit` for fjall.
//!
//! | | redb 4.6.0 | fjall 3.1.13 |
//! |---|---|---|
//! | durable transactions of one record, a second | 2,900 | 4,600 to 5,100 |
//! | durable transactions of 64 records, a second | 1,500 to 1,650 | 2,670 to 2,780 |
//! | reopen after a clean close | 0.5 ms | 130 ms |
//! | reopen after the process was killed | 21 ms | 130 ms |
//! | size on disk | 14.3 MB | 15.7 MB |
//! | crates it brings | 1 | 41 |
//!
//! fjall commits 1.7 times as often, but the pipeline is not waiting for that: commits to different redb files overlap
//! (8 files: 12,700 a second), and the broker puts many records into one. What decides is recovery, which a crash test
//! does all day, and that redb has no threads of its own: a database that is dropped has stopped, and a transaction
//! that was not committed never was. Its transactions also read their own writes, which the inventory needs.
//!
//! Leaves out: sharing one file between roles (a crash of one must not touch another), and compaction.

mod inventory;
mod journal;
mod outbox;

use std::fmt::Display;
use std::path::Path;

use redb::{Builder, Database, WriteTransaction};

pub use self::inventory::EmbeddedInventory;
pub use self::journal::EmbeddedJournal;
pub use self::outbox::EmbeddedOutbox;
use super::{RecoverError, StoreError};

/// What each database may keep in memory: the pipeline reads back only what it has just written.
const CACHE_BYTES: usize = 16 << 20;

/// Opens the database in this file, and makes it if there is none.
fn open(path: &Path) -> Result<Database, StoreError> {
    Builder::new().set_cache_size(CACHE_BYTES).create(path).map_err(failed("open its file"))
}

/// One durable transaction. `what` says what it is for.
fn transact<T>(
    database: &Database,
    what: &'static str,
    change: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, StoreError> {
    let transacted = || -> Result<T, redb::Error> {
        let write = database.begin_write()?;
        let outcome = change(&write)?;
        write.commit()?;
        Ok(outcome)
    };
    transacted().map_err(failed(what))
}

/// What the database said, in the words of the contract. redb does not tell a definite "no" from a doubt, and stops
/// serving after most errors: so nothing here is definite.
fn failed<E: Display>(what: &'static str) -> impl Fn(E) -> StoreError {
    move |error| StoreError::Failed { what, why: error.to_string() }
}

/// A record with its checksum, CRC-32C, in front. redb checks its own pages only when it repairs a file.
fn seal(record: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(4 + record.len());
    sealed.extend(crc32c::crc32c(record).to_le_bytes());
    sealed.extend_from_slice(record);
    sealed
}

/// The record under a seal. `number` and `offset` say where it stands.
fn unseal(sealed: &[u8], number: u64, offset: u64) -> Result<&[u8], RecoverError> {
    sealed
        .split_first_chunk()
        .filter(|(sum, record)| u32::from_le_bytes(**sum) == crc32c::crc32c(record))
        .map(|(_, record)| record)
        .ok_or(RecoverError::Corrupt { record: number, offset })
}
