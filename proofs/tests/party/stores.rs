//! Store conformance: simulated disks, files and the embedded database keep their contracts, and a store that does not is
//! found.

use std::path::Path;

use delivery_impls::data::record::Payload;
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_impls::store::file::{FileJournal, Room};
use delivery_impls::store::outbox::{FileOutbox, JournaledOutbox};
use delivery_impls::store::simulated::{SimulatedInventory, SimulatedJournal, SimulatedOutbox, Tear};
use delivery_impls::store::{Encode, InventoryStore, Journal, OutboxContents, OutboxStore, RecoverError, StoreError};
use delivery_model::vocab::{Epoch, MessageId};
use delivery_proofs::conformance::stores::{self, Disk, EffectPlace, InMemory, Place};
use delivery_proofs::party::shipped::Effects;
use tempfile::TempDir;

const CASES: u32 = 16;

/// A directory, and how its one store is opened.
struct Directory<S> {
    directory: TempDir,
    open: fn(&Path) -> Result<S, StoreError>,
}

impl<S> Directory<S> {
    fn new(open: fn(&Path) -> Result<S, StoreError>) -> Self {
        Directory { directory: tempfile::tempdir().expect("a directory"), open }
    }
}

impl<S> Place for Directory<S> {
    type Store = S;

    fn open(&mut self) -> S {
        (self.open)(&self.directory.path().join("store")).expect("a sound disk")
    }
}

/// A file outlives a process with all that was written to it. Here it is the machine that fails.
struct Machine(Directory<FileJournal>);

impl Place for Machine {
    type Store = FileJournal;

    fn open(&mut self) -> FileJournal {
        self.0.open()
    }

    fn crash(&mut self, store: FileJournal) {
        store.crash(0).expect("a sound disk");
    }
}

impl Disk for Machine {
    fn sync_slowly(&mut self, store: &mut FileJournal, records: usize) -> bool {
        store.write_out().expect("a sound disk");
        store.syncs().and_then(|file| file.sync_data().map_err(|_| StoreError::Refused)).expect("a sound disk");
        store.synced_more(records);
        true
    }

    fn limit(&mut self, store: &mut FileJournal, bytes: u64) -> bool {
        store.room().limit(bytes);
        true
    }
}

/// A simulated disk that loses everything that was not synced.
#[derive(Default)]
struct Simulated(SimulatedJournal);

impl Place for Simulated {
    type Store = SimulatedJournal;

    fn open(&mut self) -> SimulatedJournal {
        std::mem::take(&mut self.0)
    }

    fn crash(&mut self, mut store: SimulatedJournal) {
        store.crash(0, Tear::Torn);
        self.0 = store;
    }
}

impl Disk for Simulated {
    fn sync_slowly(&mut self, store: &mut SimulatedJournal, records: usize) -> bool {
        store.synced_more(records);
        true
    }

    fn limit(&mut self, store: &mut SimulatedJournal, bytes: u64) -> bool {
        store.capacity_bytes = Some(bytes as usize);
        true
    }
}

#[test]
fn a_journal_keeps_what_was_synced_or_rewritten() {
    stores::journal(CASES, Simulated::default).unwrap_or_else(|found| panic!("{found}"));
    let file = || Machine(Directory::new(|path| FileJournal::open(path, Room::default())));
    stores::journal(CASES, file).unwrap_or_else(|found| panic!("{found}"));
}

/// An outbox whose machine loses its power.
#[derive(Default)]
struct Unplugged(SimulatedJournal);

impl Place for Unplugged {
    type Store = JournaledOutbox<SimulatedJournal>;

    fn open(&mut self) -> Self::Store {
        JournaledOutbox::new(std::mem::take(&mut self.0))
    }

    fn crash(&mut self, store: Self::Store) {
        self.0 = store.into_journal();
        self.0.crash(0, Tear::Torn);
    }
}

#[test]
fn an_outbox_keeps_every_call() {
    let survives_all = |_: &mut SimulatedOutbox| {};
    stores::outbox(CASES, || InMemory::new(survives_all)).unwrap_or_else(|found| panic!("{found}"));
    stores::outbox(CASES, || Directory::new(FileOutbox::open)).unwrap_or_else(|found| panic!("{found}"));
    stores::outbox(CASES, Unplugged::default).unwrap_or_else(|found| panic!("{found}"));
}

/// A place for inventories: an effect takes one piece of an article.
struct Inventory<P>(P);

impl<P: Place<Store: InventoryStore>> Place for Inventory<P> {
    type Store = P::Store;

    fn open(&mut self) -> P::Store {
        self.0.open()
    }

    fn crash(&mut self, store: P::Store) {
        self.0.crash(store);
    }
}

impl<P: Place<Store: InventoryStore>> EffectPlace for Inventory<P> {
    fn payload(&self, number: u32) -> Vec<u8> {
        Order { sku: Sku(number), quantity: 1 }.encode().to_vec()
    }

    fn made(&self, store: &P::Store, payload: &[u8]) -> u64 {
        let Order { sku, .. } = Order::decode(payload).expect("an order");
        store.stock(sku).expect("a sound disk").unsigned_abs()
    }
}

/// The database of any payload.
struct AnyPayload(InMemory<Effects, fn(&mut Effects)>);

impl Place for AnyPayload {
    type Store = Effects;

    fn open(&mut self) -> Effects {
        self.0.open()
    }

    fn crash(&mut self, store: Effects) {
        self.0.crash(store);
    }
}

impl EffectPlace for AnyPayload {
    fn payload(&self, number: u32) -> Vec<u8> {
        format!("order {number}").into_bytes()
    }

    fn made(&self, store: &Effects, payload: &[u8]) -> u64 {
        store.made().iter().filter(|made| **made == payload).count() as u64
    }
}

#[test]
fn effect_inbox_and_positions_change_together() {
    let survives_all = |_: &mut SimulatedInventory| {};
    let simulated = || Inventory(InMemory::new(survives_all));
    stores::effects(CASES, simulated).unwrap_or_else(|found| panic!("{found}"));
    let embedded = || Inventory(Directory::new(EmbeddedInventory::open));
    stores::effects(CASES, embedded).unwrap_or_else(|found| panic!("{found}"));
    stores::effects(CASES, || AnyPayload(InMemory::new(|_| {}))).unwrap_or_else(|found| panic!("{found}"));
}

/// A journal whose sync does nothing.
#[derive(Default)]
struct NeverSyncs(SimulatedJournal);

impl Journal for NeverSyncs {
    fn append(&mut self, record: &[u8]) -> Result<(), StoreError> {
        self.0.append(record)
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn rewrite(&mut self, records: impl IntoIterator<Item = impl Encode>) -> Result<(), StoreError> {
        self.0.rewrite(records)
    }

    fn recover(&mut self) -> Result<Vec<Vec<u8>>, RecoverError> {
        self.0.recover()
    }
}

struct Broken(InMemory<NeverSyncs, fn(&mut NeverSyncs)>);

impl Place for Broken {
    type Store = NeverSyncs;

    fn open(&mut self) -> NeverSyncs {
        self.0.open()
    }

    fn crash(&mut self, store: NeverSyncs) {
        self.0.crash(store);
    }
}

impl Disk for Broken {}

#[test]
fn a_journal_that_does_not_sync_is_found() {
    let broken = || Broken(InMemory::new(|journal| journal.0.crash(0, Tear::Clean)));
    let found = stores::journal(64, broken).expect_err("it is found");
    assert_eq!(found.operations.len(), 2, "{found}");
    assert!(found.operations[0].starts_with("Append") && found.operations[1] == "Sync", "{found}");
}

/// An outbox that counts on from the rows that are left.
#[derive(Default)]
struct CountsRows(SimulatedOutbox);

impl OutboxStore for CountsRows {
    fn recover(&mut self) -> Result<OutboxContents, RecoverError> {
        let contents = self.0.recover()?;
        let next_number = contents.rows.iter().filter_map(|row| row.number).max().map_or(0, |last| last + 1);
        Ok(OutboxContents { next_number, ..contents })
    }

    fn begin(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.0.begin(epoch)
    }

    fn renew(&mut self, epoch: Epoch, numbers: &[(MessageId, u64)]) -> Result<(), StoreError> {
        self.0.renew(epoch, numbers)
    }

    fn advance(&mut self, position: MessageId) -> Result<(), StoreError> {
        self.0.advance(position)
    }

    fn insert(&mut self, message: MessageId, payload: &Payload, number: Option<u64>) -> Result<(), StoreError> {
        self.0.insert(message, payload, number)
    }

    fn delete(&mut self, message: MessageId) -> Result<(), StoreError> {
        self.0.delete(message)
    }
}

#[test]
fn an_outbox_that_forgets_its_numbers_is_found() {
    let survives_all = |_: &mut CountsRows| {};
    let found = stores::outbox(256, || InMemory::new(survives_all)).expect_err("it is found");
    // An insert and a delete, or an insert between which and the next one the numbers begin anew.
    assert!((2..=3).contains(&found.operations.len()), "{found}");
}
