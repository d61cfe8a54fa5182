//! How stores on disk are opened: by one process at a time, and only what is one. That they keep their contracts is
//! checked by the suite that any store can be put through, in `proofs/tests/party/stores.rs`.

use std::path::Path;

use delivery_impls::data::record::Key;
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_impls::store::file::{FileJournal, Room};
use delivery_impls::store::{Change, EffectStore, StoreError};
use delivery_model::vocab::Position;

fn open_journal(path: &Path) -> Result<FileJournal, StoreError> {
    FileJournal::open(path, Room::default())
}

#[test]
fn a_second_process_cannot_open_a_store_that_is_in_use() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let _held = EmbeddedInventory::open(&path).expect("a new store");
    let refused = EmbeddedInventory::open(&path).expect_err("held by another");
    assert!(refused.to_string().starts_with("the store failed to open its file: "), "{refused}");
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    std::fs::write(&path, b"somebody's notes").expect("a file");
    assert!(EmbeddedInventory::open(&path).is_err());
    assert_eq!(std::fs::read(&path).expect("still there"), b"somebody's notes");
}

#[test]
fn a_second_process_cannot_open_a_journal_that_is_in_use() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("journal");
    let _held = open_journal(&path).expect("a new journal");
    let refused = open_journal(&path).expect_err("held by another").to_string();
    assert_eq!(refused, "the store failed to lock its file: another process has it open");
}

fn order(sku: u32) -> Change<Order> {
    let effect = Some(Order { sku: Sku(sku), quantity: 3 });
    Change { effect, inbox: Some(Key::Position(Position(sku.into()))), ..Change::default() }
}

/// Opens an inventory after each of some changes of one byte in a file of its own. How often it was refused, and the
/// stocks that it had otherwise.
fn rot(path: &Path, file: &Path, mut opened: impl FnMut(usize, Vec<(Sku, i64)>)) -> u32 {
    let whole = std::fs::read(file).expect("a file");
    let (mut refused, step) = (0, (whole.len() / 60) | 1);
    for at in (0..whole.len()).step_by(step).chain(0..8) {
        let mut rotten = whole.clone();
        rotten[at] ^= 0xff;
        std::fs::write(file, rotten).expect("writable");
        match EmbeddedInventory::open(path).and_then(|inventory| inventory.stocks()) {
            Ok(found) => opened(at, found),
            Err(_) => refused += 1,
        }
    }
    refused
}

/// Any byte of a database may rot: what is opened then is what was there, or it is refused.
#[test]
fn a_rotten_byte_of_the_database_is_noticed_or_does_no_harm() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let mut inventory = EmbeddedInventory::open(&path).expect("a new store");
    inventory.together(|open| (0..12_000).try_for_each(|sku| open.apply(&order(sku)))).expect("room");
    let stocks = inventory.stocks().expect("readable");
    drop(inventory);
    let journal = std::fs::metadata(EmbeddedInventory::journal(&path)).expect("a file");
    assert_eq!(journal.len(), 0, "all of it is in the database");
    let refused = rot(&path, &path, |at, found| assert!(found == stocks, "byte {at}"));
    assert!(refused >= 8, "{refused} refused: the first bytes say what the file is");
}

/// Any byte of a journal may rot: in the last record it looks like a torn tail, anywhere else it is refused.
#[test]
fn a_rotten_byte_of_the_journal_is_refused_before_the_last_record() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let mut inventory = EmbeddedInventory::open(&path).expect("a new store");
    (0..200).for_each(|sku| inventory.apply(&order(sku)).expect("room"));
    let stocks = inventory.stocks().expect("readable");
    drop(inventory);
    let journal = EmbeddedInventory::journal(&path);
    let length = std::fs::metadata(&journal).expect("a file").len() as usize;
    let last = length - length / 200;
    let refused =
        rot(&path, &journal, |at, found| assert!(at >= last && found == stocks[..199], "byte {at} of {length}"));
    assert!(refused > 60, "{refused} refused");
}
