//! The stores keep their contracts: the same operations on the simulated disk and on the embedded database, with a
//! crash anywhere, and the same answers as a plain value that knows no disk.

use std::collections::{BTreeMap, BTreeSet};

use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::{Identity, Key, ProducerId, Session};
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::embedded::{EmbeddedInventory, EmbeddedOutbox};
use delivery_impls::store::file::{FileJournal, Room};
use delivery_impls::store::frame::HEADER_BYTES;
use delivery_impls::store::simulated::{SimulatedInventory, SimulatedJournal, SimulatedOutbox, Tear};
use delivery_impls::store::{
    Change, Covers, EffectStore, Generation, InventoryStore, Journal, OutboxContents, OutboxRow, OutboxStore,
    StoreError,
};
use delivery_model::vocab::{Epoch, MessageId, Position};
use proptest::collection::vec;
use proptest::prelude::*;
use tempfile::TempDir;

/// How a kind of store begins and how it crashes.
trait Subject {
    type Store;
    fn fresh(&self) -> Self::Store;
    /// The process ends without a farewell, and its successor opens what is left.
    fn crash(&self, store: Self::Store) -> Self::Store;
}

struct Simulated<S>(fn(&mut S));

impl<S: Default> Subject for Simulated<S> {
    type Store = S;

    fn fresh(&self) -> S {
        S::default()
    }

    fn crash(&self, mut store: S) -> S {
        self.0(&mut store);
        store
    }
}

struct Embedded<S> {
    directory: TempDir,
    open: fn(&std::path::Path) -> Result<S, StoreError>,
}

impl<S> Embedded<S> {
    fn new(open: fn(&std::path::Path) -> Result<S, StoreError>) -> Self {
        Embedded { directory: tempfile::tempdir().expect("a directory"), open }
    }
}

impl<S> Subject for Embedded<S> {
    type Store = S;

    fn fresh(&self) -> S {
        (self.open)(&self.directory.path().join("store")).expect("a new store")
    }

    fn crash(&self, store: S) -> S {
        drop(store);
        self.fresh()
    }
}

fn open_journal(path: &std::path::Path) -> Result<FileJournal, StoreError> {
    FileJournal::open(path, Room::default())
}

/// A file outlives a process with all that was written to it. Here it is the machine that fails.
struct Crashing(Embedded<FileJournal>);

impl Subject for Crashing {
    type Store = FileJournal;

    fn fresh(&self) -> FileJournal {
        self.0.fresh()
    }

    fn crash(&self, store: FileJournal) -> FileJournal {
        store.crash(0).expect("a sound disk");
        self.fresh()
    }
}

/// What a disk can do to a journal beside crashing.
trait Disk: Journal {
    /// A slow sync has made the oldest so many records durable, and the others not yet.
    fn sync_slowly(&mut self, records: usize);
    /// So many bytes are all that there is room for.
    fn limit(&mut self, bytes: u64);
}

impl Disk for SimulatedJournal {
    fn sync_slowly(&mut self, records: usize) {
        self.synced_more(records);
    }

    fn limit(&mut self, bytes: u64) {
        self.capacity_bytes = Some(bytes as usize);
    }
}

impl Disk for FileJournal {
    fn sync_slowly(&mut self, records: usize) {
        self.syncs().and_then(|file| file.sync_data().map_err(|_| StoreError::Refused)).expect("a sound disk");
        self.synced_more(records);
    }

    fn limit(&mut self, bytes: u64) {
        self.room().limit(bytes);
    }
}

#[derive(Clone, Debug)]
enum JournalOp {
    Append(Vec<u8>),
    Sync,
    SyncSlowly(usize),
    Rewrite(Vec<Vec<u8>>),
    Limit(u64),
    Crash,
}

fn check_journal<S: Subject<Store: Disk>>(subject: &S, ops: &[JournalOp]) {
    let mut journal = subject.fresh();
    assert_eq!(journal.recover(), Ok(vec![]), "a new journal is empty");
    let (mut synced, mut unsynced) = (Vec::<Vec<u8>>::new(), Vec::<Vec<u8>>::new());
    let size = |record: &Vec<u8>| (HEADER_BYTES + record.len()) as u64;
    let mut capacity = u64::from(u32::MAX);
    journal.limit(capacity);
    for op in ops {
        match op {
            JournalOp::Append(record) => {
                let taken: u64 = synced.iter().chain(&unsynced).map(size).sum();
                let full = StoreError::Full { needed: size(record), free: capacity.saturating_sub(taken), capacity };
                let fits = taken + size(record) <= capacity;
                assert_eq!(journal.append(record), if fits { Ok(()) } else { Err(full) });
                unsynced.extend(fits.then(|| record.clone()));
            }
            JournalOp::SyncSlowly(records) => {
                journal.sync_slowly(*records);
                synced.extend(unsynced.drain(..unsynced.len().min(*records)));
            }
            JournalOp::Rewrite(records) => {
                let rewritten = journal.rewrite(records.iter().cloned());
                if records.iter().map(size).sum::<u64>() <= capacity {
                    assert_eq!(rewritten, Ok(()));
                    (synced, unsynced) = (records.clone(), Vec::new());
                } else {
                    let Err(StoreError::Full { needed, free, capacity: found }) = rewritten else {
                        panic!("it is full, not {rewritten:?}");
                    };
                    assert!(needed > capacity && (free, found) == (capacity, capacity));
                }
            }
            JournalOp::Limit(bytes) => {
                capacity = *bytes;
                journal.limit(capacity);
            }
            JournalOp::Sync => {
                journal.sync().expect("a sound disk");
                synced.append(&mut unsynced);
            }
            JournalOp::Crash => {
                journal = subject.crash(journal);
                journal.limit(capacity);
                unsynced.clear();
                assert_eq!(journal.recover().as_ref(), Ok(&synced));
            }
        }
    }
}

#[derive(Clone, Debug)]
enum OutboxOp {
    Begin(u32),
    Insert(u64, Vec<u8>, Option<u64>),
    Delete(u64),
    Crash,
}

fn check_outbox<S: Subject<Store: OutboxStore>>(subject: &S, ops: &[OutboxOp]) {
    let mut outbox = subject.fresh();
    assert_eq!(outbox.recover(), Ok(OutboxContents::default()), "a new outbox is empty");
    let mut expected = OutboxContents::default();
    let mut rows = BTreeMap::new();
    for op in ops {
        match op.clone() {
            OutboxOp::Begin(epoch) => {
                outbox.begin(Epoch(epoch)).expect("a sound disk");
                expected.epoch = Some(Epoch(epoch));
            }
            OutboxOp::Insert(message, payload, number) => {
                outbox.insert(MessageId(message), &payload, number).expect("room");
                expected.next_number = number.map_or(expected.next_number, |number| number + 1);
                rows.insert(message, (payload, number));
            }
            OutboxOp::Delete(message) => {
                outbox.delete(MessageId(message)).expect("a sound disk");
                rows.remove(&message);
            }
            OutboxOp::Crash => outbox = subject.crash(outbox),
        }
    }
    outbox = subject.crash(outbox);
    let row = |(&message, (payload, number)): (&u64, &(Vec<u8>, Option<u64>))| OutboxRow {
        message: MessageId(message),
        payload: payload.as_slice().into(),
        number: *number,
    };
    expected.rows = rows.iter().map(row).collect();
    assert_eq!(outbox.recover(), Ok(expected));
}

#[derive(Clone, Debug)]
enum InventoryOp {
    Apply(Change<Order>),
    Fence(u32),
    Rewind(u64),
    Crash,
}

const SKUS: u32 = 4;
const POSITIONS: u64 = 20;

fn keys() -> Vec<Key> {
    let session = Session { producer: ProducerId(1), session: Epoch(2) };
    (0..4u64)
        .flat_map(|n| {
            [
                Key::Position(Position(n)),
                Key::Identity(Identity::Sequence { session, number: n }),
                Key::Identity(Identity::Message { session, message: MessageId(n) }),
            ]
        })
        .collect()
}

fn check_inventory<S: Subject<Store: InventoryStore>>(subject: &S, ops: &[InventoryOp]) {
    let mut inventory = subject.fresh();
    let (mut stock, mut inbox, mut finished) = (BTreeMap::new(), BTreeSet::new(), Positions::default());
    let mut generation = Generation::default();
    for op in ops {
        match op {
            InventoryOp::Apply(change) => {
                let fenced = change.fenced_by.filter(|&found| found < generation);
                let expected = fenced.map(|found| StoreError::Fenced { current: generation, found });
                assert_eq!(inventory.apply(change).err(), expected);
                if fenced.is_none() {
                    change.effect.iter().for_each(|o| *stock.entry(o.sku).or_insert(0) -= i64::from(o.quantity));
                    inbox.extend(change.inbox);
                    change.finished.iter().for_each(|covers| covers.mark(&mut finished));
                }
            }
            InventoryOp::Fence(to) => {
                inventory.fence(Generation(*to)).expect("a sound disk");
                generation = generation.max(Generation(*to));
            }
            InventoryOp::Rewind(to) => {
                inventory.rewind(Position(*to)).expect("a sound disk");
                finished.truncate(Position(*to));
            }
            InventoryOp::Crash => inventory = subject.crash(inventory),
        }
        assert_eq!(inventory.finished().as_ref(), Ok(&finished), "after {op:?}");
    }
    for sku in (0..SKUS).map(Sku) {
        assert_eq!(inventory.stock(sku), Ok(stock.get(&sku).copied().unwrap_or(0)), "{sku:?}");
    }
    for key in keys() {
        assert_eq!(inventory.seen(&key), Ok(inbox.contains(&key)), "{key:?}");
    }
}

fn journal_op() -> impl Strategy<Value = JournalOp> {
    prop_oneof![
        4 => vec(any::<u8>(), 1..40).prop_map(JournalOp::Append),
        2 => Just(JournalOp::Sync),
        1 => (0..4usize).prop_map(JournalOp::SyncSlowly),
        1 => vec(vec(any::<u8>(), 1..40), 0..4).prop_map(JournalOp::Rewrite),
        1 => (0..200u64).prop_map(JournalOp::Limit),
        1 => Just(JournalOp::Crash),
    ]
}

fn outbox_op() -> impl Strategy<Value = OutboxOp> {
    prop_oneof![
        1 => any::<u32>().prop_map(OutboxOp::Begin),
        6 => (0..6u64, vec(any::<u8>(), 0..9), prop::option::of(0..100u64))
            .prop_map(|(message, payload, number)| OutboxOp::Insert(message, payload, number)),
        3 => (0..6u64).prop_map(OutboxOp::Delete),
        1 => Just(OutboxOp::Crash),
    ]
}

fn change() -> impl Strategy<Value = Change<Order>> {
    let order = (0..SKUS, any::<u32>()).prop_map(|(sku, quantity)| Order { sku: Sku(sku), quantity });
    let covers = prop_oneof![
        3 => (0..POSITIONS).prop_map(|position| Covers::One(Position(position))),
        1 => (0..POSITIONS).prop_map(|end| Covers::Below(Position(end))),
    ];
    let fenced_by = prop::option::of((0..4u32).prop_map(Generation));
    (fenced_by, prop::option::of(order), prop::option::of(prop::sample::select(keys())), prop::option::of(covers))
        .prop_map(|(fenced_by, effect, inbox, finished)| Change { fenced_by, effect, inbox, finished })
}

fn inventory_op() -> impl Strategy<Value = InventoryOp> {
    prop_oneof![
        8 => change().prop_map(InventoryOp::Apply),
        1 => (0..4u32).prop_map(InventoryOp::Fence),
        1 => (0..POSITIONS).prop_map(InventoryOp::Rewind),
        1 => Just(InventoryOp::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_journal_keeps_what_was_synced_or_rewritten_and_a_crash_loses_the_rest(ops in vec(journal_op(), 0..24)) {
        check_journal(&Simulated(|journal: &mut SimulatedJournal| journal.crash(0, Tear::Torn)), &ops);
        check_journal(&Crashing(Embedded::new(open_journal)), &ops);
    }

    #[test]
    fn an_outbox_keeps_every_call_whatever_crashes(ops in vec(outbox_op(), 0..24)) {
        check_outbox(&Simulated(|_: &mut SimulatedOutbox| {}), &ops);
        check_outbox(&Embedded::new(EmbeddedOutbox::open), &ops);
    }

    #[test]
    fn an_inventory_changes_stock_inbox_and_positions_together(ops in vec(inventory_op(), 0..24)) {
        check_inventory(&Simulated(|_: &mut SimulatedInventory| {}), &ops);
        check_inventory(&Embedded::new(EmbeddedInventory::open), &ops);
    }
}

#[test]
fn a_second_process_cannot_open_a_store_that_is_in_use() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store");
    let _held = EmbeddedOutbox::open(&path).expect("a new store");
    let refused = EmbeddedOutbox::open(&path).expect_err("held by another");
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
