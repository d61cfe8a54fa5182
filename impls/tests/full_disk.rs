//! Disks without room: a broker starts on them and does what it can, and nothing is half done.

use delivery_impls::core::broker::{Broker, Journals, Peer};
use delivery_impls::core::deliveries::Next;
use delivery_impls::core::delivery::{ConsumerId, DeliveryId, SettleRequest};
use delivery_impls::core::producer::Producer;
use delivery_impls::core::time::Millis;
use delivery_impls::core::tuning::Tuning;
use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::{ProducerId, Publish};
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::file::{FileJournal, Room};
use delivery_impls::store::frame;
use delivery_impls::store::simulated::{SimulatedJournal, SimulatedOutbox};
use delivery_impls::store::{Covers, Journal, StoreError};
use delivery_model::pipeline::{Commits, Pipeline};
use delivery_model::vocab::{Epoch, MessageId, Position, SettleOutcome};
use tempfile::TempDir;

const NOW: Millis = Millis(0);
const PEER: Peer = Peer(7);
const CONSUMER: ConsumerId = ConsumerId(0);

/// A disk for two journals, each with room of its own.
trait Disk {
    type Journal: Journal;

    /// The journals as they are now.
    fn journals(&mut self) -> Journals<Self::Journal>;

    /// Room for so many bytes in the ledger from now on; none: as much as it takes.
    fn limit_ledger(&mut self, broker: Broker<Self::Journal>, bytes: Option<u64>) -> Broker<Self::Journal>;

    /// The broker is gone, and what it synced is left.
    fn keep(&mut self, broker: Broker<Self::Journal>);
}

/// Journals in memory. Their capacity can be changed between two lives only.
#[derive(Default)]
struct InMemory(Journals<SimulatedJournal>);

impl Disk for InMemory {
    type Journal = SimulatedJournal;

    fn journals(&mut self) -> Journals<SimulatedJournal> {
        self.0.clone()
    }

    fn limit_ledger(&mut self, broker: Broker<SimulatedJournal>, bytes: Option<u64>) -> Broker<SimulatedJournal> {
        self.keep(broker);
        self.0.ledger.capacity_bytes = bytes.map(|bytes| bytes as usize);
        open(self)
    }

    fn keep(&mut self, broker: Broker<SimulatedJournal>) {
        self.0 = broker.into_journals();
    }
}

/// Journals in files. Room can be made under a broker that runs.
struct OnDisk {
    directory: TempDir,
    ledger_room: Room,
}

impl Disk for OnDisk {
    type Journal = FileJournal;

    fn journals(&mut self) -> Journals<FileJournal> {
        let open = |name, room| FileJournal::open(&self.directory.path().join(name), room).unwrap();
        Journals { log: open("log", Room::default()), ledger: open("ledger", self.ledger_room.clone()) }
    }

    fn limit_ledger(&mut self, broker: Broker<FileJournal>, bytes: Option<u64>) -> Broker<FileJournal> {
        self.ledger_room.limit(bytes.unwrap_or(u64::MAX));
        broker
    }

    fn keep(&mut self, broker: Broker<FileJournal>) {
        drop(broker);
    }
}

fn open<D: Disk>(disk: &mut D) -> Broker<D::Journal> {
    open_by(&Pipeline::default(), disk)
}

fn open_by<D: Disk>(pipeline: &Pipeline, disk: &mut D) -> Broker<D::Journal> {
    let mut broker = Broker::open(pipeline, Tuning::default(), disk.journals()).unwrap();
    broker.subscribe(CONSUMER, 9, [], Positions::default());
    broker
}

/// A producer whose messages may all be in flight at once.
fn producer_with(messages: u32) -> Producer<SimulatedOutbox> {
    let mut pipeline = Pipeline::default();
    pipeline.producer.in_flight = messages;
    let (tuning, store) = (Tuning::default(), SimulatedOutbox::default());
    let mut producer = Producer::open(&pipeline, tuning, ProducerId(1), store).unwrap();
    for number in 1..=messages {
        producer.submit(MessageId(number.into()), Order { sku: Sku(1), quantity: number }.encode()).unwrap();
    }
    producer
}

/// How many replies an attempt brings.
fn publish<J: Journal>(broker: &mut Broker<J>, publish: Publish) -> usize {
    broker.receive(publish, Some(PEER)).unwrap();
    assert!(broker.append_next().unwrap());
    let _ = broker.sync();
    broker.confirm_due();
    std::iter::from_fn(|| broker.poll_reply()).count()
}

fn hand_off<J: Journal>(broker: &mut Broker<J>) -> Option<DeliveryId> {
    match broker.next()?.1 {
        Next::HandOff(position) => Some(broker.hand_off(NOW, position, CONSUMER).unwrap().hand),
        Next::DeadLetter(_) => panic!("nothing was handed off too often"),
    }
}

fn settle<J: Journal>(broker: &mut Broker<J>, hand: DeliveryId) -> Result<SettleOutcome, StoreError> {
    broker.settle(NOW, SettleRequest { hand, covers: Covers::One(hand.position), finishes: true })
}

fn check_start(disk: &mut impl Disk) {
    let mut producer = producer_with(2);
    let mut broker = open(disk);
    broker.register(producer.id(), producer.epoch(), PEER).unwrap();
    assert_eq!(publish(&mut broker, producer.transmit(NOW).unwrap().unwrap()), 1);
    let old = hand_off(&mut broker).expect("a message");
    disk.keep(broker);

    // No room for the next start: twice, as if the broker was restarted in the hope that it helps.
    for _ in 0..2 {
        let broker = open(disk);
        let broker = disk.limit_ledger(broker, Some(0));
        disk.keep(broker);
    }
    let mut broker = open(disk);
    assert!(broker.needs_sync());
    assert!(broker.register(producer.id(), producer.epoch(), PEER).is_ok(), "a producer that is known comes back");
    assert!(broker.register(ProducerId(9), Epoch(0), PEER).is_err_and(|why| why.is_definite()), "a new one is told no");
    assert_eq!(publish(&mut broker, producer.transmit(NOW).unwrap().unwrap()), 1, "the log has room");
    assert_eq!(hand_off(&mut broker), None);
    assert_eq!(settle(&mut broker, old), Ok(SettleOutcome::Refused));

    let mut broker = disk.limit_ledger(broker, None);
    broker.sync().unwrap();
    assert!(!broker.needs_sync());
    for position in 0..2 {
        let hand = hand_off(&mut broker).expect("both messages");
        assert_eq!(hand.position, Position(position));
        assert_ne!(hand, old, "a lease that an earlier life granted");
        assert_eq!(settle(&mut broker, hand), Ok(SettleOutcome::Ok));
    }
}

#[test]
fn a_broker_whose_ledger_is_full_starts_takes_messages_and_hands_off_when_there_is_room() {
    check_start(&mut InMemory::default());
    check_start(&mut OnDisk { directory: tempfile::tempdir().unwrap(), ledger_room: Room::default() });
}

/// Once, a settle that found no room counted all the same until the next restart.
#[test]
fn a_settle_for_which_there_is_no_room_leaves_its_position_unsettled() {
    let mut disk = OnDisk { directory: tempfile::tempdir().unwrap(), ledger_room: Room::default() };
    let mut producer = producer_with(1);
    let mut broker = open(&mut disk);
    assert_eq!(publish(&mut broker, producer.transmit(NOW).unwrap().unwrap()), 1);
    let hand = hand_off(&mut broker).expect("a message");
    disk.ledger_room.limit(0);
    assert!(settle(&mut broker, hand).is_err_and(|why| why.is_definite()));
    assert!(broker.deliveries().settled().is_empty() && !broker.needs_sync() && broker.is_live(hand));
    disk.ledger_room.limit(u64::MAX);
    assert_eq!(settle(&mut broker, hand), Ok(SettleOutcome::Ok));
    assert_eq!(hand_off(&mut broker), None);
    drop(broker);
    assert_eq!(hand_off(&mut open(&mut disk)), None, "for good");
}

/// A settle of everything below a position, around what was set aside, is several runs.
#[test]
fn a_settle_of_several_runs_is_recorded_as_a_whole_or_not_at_all() {
    let mut pipeline = Pipeline::default();
    (pipeline.consumer.commits, pipeline.broker.max_deliveries) = (Commits::Prefix, 1);
    let mut disk = OnDisk { directory: tempfile::tempdir().unwrap(), ledger_room: Room::default() };
    let mut producer = producer_with(3);
    let mut broker = open_by(&pipeline, &mut disk);
    while let Some(attempt) = producer.transmit(NOW).unwrap() {
        assert_eq!(publish(&mut broker, attempt), 1);
    }
    broker.dead_letter(Position(1)).unwrap();
    let hand = hand_off(&mut broker).expect("the first message");
    let covers = Covers::Below(Position(3));
    let ledger = disk.directory.path().join("ledger");
    let taken_bytes = || frame::recover(&std::fs::read(&ledger).unwrap()).unwrap().intact_bytes as u64;
    let taken = taken_bytes();
    for room in 0..60 {
        disk.ledger_room.limit(taken + room);
        let settled = broker.settle(NOW, SettleRequest { hand, covers, finishes: true });
        let expected = if settled.is_ok() { [0, 2].map(Position).to_vec() } else { vec![] };
        let is_settled = |position: &Position| broker.deliveries().durable().contains(*position);
        assert_eq!((0..3).map(Position).filter(is_settled).collect::<Vec<_>>(), expected, "{room} bytes of room");
        if settled.is_ok() {
            assert_eq!(room, 42, "a frame of two entries");
            return;
        }
        assert_eq!(taken_bytes(), taken, "{room} bytes of room");
    }
    panic!("room for two entries is not enough");
}
