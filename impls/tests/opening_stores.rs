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

/// Any byte of a database may rot: what is opened then is what was there, or it is refused.
#[test]
fn a_rotten_byte_is_noticed_or_does_no_harm() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let mut inventory = EmbeddedInventory::open(&path).expect("a new store");
    let order = |sku: u32| Order { sku: Sku(sku), quantity: 3 };
    for sku in 0..200 {
        let change =
            Change { effect: Some(order(sku)), inbox: Some(Key::Position(Position(sku.into()))), ..Change::default() };
        inventory.apply(&change).expect("room");
    }
    let stocks = inventory.stocks().expect("readable");
    drop(inventory);
    let whole = std::fs::read(&path).expect("a file");
    let (mut refused, step) = (0, (whole.len() / 60) | 1);
    for at in (0..whole.len()).step_by(step).chain(0..8) {
        let mut rotten = whole.clone();
        rotten[at] ^= 0xff;
        std::fs::write(&path, rotten).expect("writable");
        match EmbeddedInventory::open(&path).and_then(|inventory| inventory.stocks()) {
            Ok(found) => assert_eq!(found, stocks, "byte {at} of {}", whole.len()),
            Err(_) => refused += 1,
        }
    }
    assert!(refused >= 8, "{refused} refused: the first bytes say what the file is");
}
