//! The inventory, which changes in transactions: tables in a redb database, behind a journal of their latest changes. (What
//! only grows, or is short, is in journals alone: see [`file`](super::file) and [`outbox`](super::outbox).)
//!
//! ```text
//!   a transaction --> one record and one sync in the journal --> rows in memory, over those of the database
//!   256 KiB of records --> one transaction of the database, and the journal begins anew
//! ```
//!
//! A record has all changes of a transaction, so a torn one is no transaction. An entry says what is so afterwards, not by
//! how much it changed: after a crash between the database's transaction and the journal's new beginning, records are read that
//! the database has already, and change nothing. Finished positions and the generation are short, and memory has them whole.
//!
//! redb alone writes every page that a transaction touches, and those above it: transactions of one effect took 1.9 times as
//! long as a record and its sync, and those of 64 effects 2.5 times, the moves into the database included. The bench `pipeline`
//! compares both: `cargo bench -p delivery-benches --bench pipeline -- --quick`, its table of transactions.
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
//! What decides is recovery, which a crash test does all day, and that redb has no threads of its own: a database that is
//! dropped has stopped, and a transaction that was not committed never was. fjall commits faster as it has a journal, too.
//!
//! Leaves out: sharing one file between roles (a crash of one must not touch another), and compaction.

mod entry;
mod inventory;
mod latest;
mod tables;

use std::fmt::Display;
use std::fs;
use std::panic;
use std::path::Path;

use redb::{Builder, Database, WriteTransaction};

pub use self::inventory::{EmbeddedInventory, OpenInventory};
use super::StoreError;

/// The cache of each database, in bytes. The pipeline reads back only what it has just written, so little is enough.
const CACHE_BYTES: usize = 16 << 20;

/// The operation of [`open`], as its errors name it.
const OPEN: &str = "open its file";

/// Opens the database in this file once all of it is checked, or creates it. A new database is created under another
/// name first, so that a crash in the middle leaves no file that looks like a damaged database.
fn open(path: &Path) -> Result<Database, StoreError> {
    if !path.exists() {
        let unfinished = path.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_file(&unfinished).map_err(failed("remove what a crash left"))?;
        }
        drop(Builder::new().create(&unfinished).map_err(failed("make its file"))?);
        fs::rename(&unfinished, path).map_err(failed("name its file"))?;
    }
    let checked = || -> Result<Database, redb::Error> {
        let mut database = Builder::new().set_cache_size(CACHE_BYTES).create(path)?;
        // Checks the checksums of its pages, which redb does by itself only after a crash.
        database.check_integrity()?;
        Ok(database)
    };
    // redb panics on some kinds of damage. No other code shares its state here, so the panic is an error like any other.
    let opened = panic::catch_unwind(checked);
    opened
        .unwrap_or_else(|_| Err(redb::Error::Corrupted("its pages contradict each other".into())))
        .map_err(failed(OPEN))
}

/// Runs one durable transaction. `what` names it in errors.
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

/// Turns an error of the database into a [`StoreError`]. redb does not separate "not written" from "unknown", and
/// stops working after most errors, so no error is definite.
fn failed<E: Display>(what: &'static str) -> impl Fn(E) -> StoreError {
    move |error| StoreError::Failed { what, why: error.to_string() }
}
