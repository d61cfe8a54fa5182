//! The three semantics over one lossy transport: how many messages a second, how many are lost, and how many take effect
//! twice.
//!
//! The parties are the cores, over stores in memory or on disk. Whatever one of them sends to another passes the
//! transport, which drops it with a given chance: attempts, confirmations, hand-offs and settles alike. Its choices come
//! from a seed, so a run is the same each time. Whoever misses an answer learns it as soon as nothing else is left to do: its
//! time-out passes in no time, and what is measured is work. A run ends when nobody has anything left to do.
//!
//! The stock is the oracle: each order takes one of an article of its own, so what is left says how often it took
//! effect.

use std::path::Path;
use std::time::Duration;

use delivery_benches::time;
use delivery_impls::core::broker::{Broker, Journals, Peer};
use delivery_impls::core::consumer::{Consumer, Task};
use delivery_impls::core::deliveries::Next;
use delivery_impls::core::delivery::{ConsumerId, ConsumerOutput, DeliveryId};
use delivery_impls::core::producer::Producer;
use delivery_impls::core::time::Millis;
use delivery_impls::core::tuning::Tuning;
use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::ProducerId;
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_impls::store::file::{FileJournal, Room};
use delivery_impls::store::outbox::FileOutbox;
use delivery_impls::store::simulated::{SimulatedInventory, SimulatedJournal, SimulatedOutbox};
use delivery_impls::store::{InventoryStore, Journal, OutboxStore};
use delivery_model::pipeline::Pipeline;
use delivery_model::vocab::MessageId;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::FAILS;

/// The seed of the transport's choices.
const SEED: u64 = 14;
/// The messages that may be unfinished at once.
const IN_FLIGHT: u32 = 64;

/// What is sent how often, and with which chance it is lost.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub messages: u64,
    /// The chance that one transmission is lost.
    pub loss: f64,
    pub workers: u32,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub took: Duration,
    /// Messages without an effect.
    pub lost: u64,
    /// Effects beyond the first of a message.
    pub repeated: u64,
    /// Transmissions that the transport dropped.
    pub dropped: u64,
}

/// Drops what is sent with a chance.
struct Transport {
    random: SmallRng,
    loss: f64,
    dropped: u64,
}

impl Transport {
    fn drops(&mut self) -> bool {
        let drops = self.random.random_bool(self.loss);
        self.dropped += u64::from(drops);
        drops
    }
}

/// A run over stores in memory.
pub fn in_memory(pipeline: &Pipeline, load: Load) -> Outcome {
    let journals = Journals { log: SimulatedJournal::default(), ledger: SimulatedJournal::default() };
    run(pipeline, load, journals, SimulatedOutbox::default(), SimulatedInventory::default())
}

/// A run over stores on disk, in this empty folder.
pub fn durable(pipeline: &Pipeline, load: Load, folder: &Path) -> Outcome {
    let journal = |name: &str| FileJournal::open(&folder.join(name), Room::default()).expect("a new file");
    let journals = Journals { log: journal("log"), ledger: journal("ledger") };
    let outbox = FileOutbox::open(&folder.join("outbox")).expect("a new file");
    let inventory = EmbeddedInventory::open(&folder.join("inventory.redb")).expect("a new database");
    run(pipeline, load, journals, outbox, inventory)
}

/// Sends all messages, and counts what came of them.
fn run<J: Journal, O: OutboxStore, I: InventoryStore>(
    pipeline: &Pipeline,
    load: Load,
    journals: Journals<J>,
    outbox: O,
    inventory: I,
) -> Outcome {
    let mut pipeline = pipeline.clone();
    pipeline.producer.in_flight = IN_FLIGHT;
    pipeline.consumer.workers = load.workers;
    let tuning = Tuning { ahead: IN_FLIGHT as usize, ..Tuning::default() };
    let open = "empty stores recover";
    let producer = Producer::open(&pipeline, tuning, ProducerId(0), outbox).expect(open);
    let mut broker = Broker::open(&pipeline, tuning, journals).expect(open);
    broker.register(producer.id(), producer.epoch(), Peer(0)).expect(FAILS);
    let consumer = Consumer::new(&pipeline, CONSUMER).tuned(tuning);
    broker.subscribe(CONSUMER, load.workers, [], Positions::default());
    let transport = Transport { random: SmallRng::seed_from_u64(SEED), loss: load.loss, dropped: 0 };
    let mut parties = Parties { now: Millis(0), transport, producer, broker, consumer, inventory, submitted: 0 };
    let took = time(|| parties.run(load.messages));
    let taken = (0..load.messages).map(|message| {
        let stock = parties.inventory.stock(Sku(message as u32)).expect(FAILS);
        stock.unsigned_abs()
    });
    let (mut lost, mut repeated) = (0, 0);
    for times in taken {
        lost += u64::from(times == 0);
        repeated += times.saturating_sub(1);
    }
    Outcome { took, lost, repeated, dropped: parties.transport.dropped }
}

const CONSUMER: ConsumerId = ConsumerId(0);

/// The parties, with the transport between them and the time.
struct Parties<J, O, I> {
    now: Millis,
    transport: Transport,
    producer: Producer<O>,
    broker: Broker<J>,
    consumer: Consumer,
    inventory: I,
    submitted: u64,
}

impl<J: Journal, O: OutboxStore, I: InventoryStore> Parties<J, O, I> {
    /// Goes on until nobody has anything left to do.
    fn run(&mut self, messages: u64) {
        loop {
            self.submit(messages);
            let is_busy = self.publish() | self.deliver();
            if !is_busy && self.submitted == messages && !self.wait() {
                return;
            }
            if !is_busy && self.submitted < messages && !self.producer.wants_more() {
                self.wait();
            }
        }
    }

    fn submit(&mut self, messages: u64) {
        while self.submitted < messages && self.producer.wants_more() {
            let payload = Order { sku: Sku(self.submitted as u32), quantity: 1 }.encode();
            self.producer.submit(MessageId(self.submitted), payload).expect(FAILS);
            self.submitted += 1;
        }
    }

    /// Sends what is due to the broker, and what it confirms back. Says whether anything was sent.
    fn publish(&mut self) -> bool {
        let mut is_busy = false;
        while let Some(publish) = self.producer.transmit(self.now).expect(FAILS) {
            is_busy = true;
            if self.transport.drops() {
                continue;
            }
            self.broker.receive(publish, Some(Peer(0))).expect("one after another");
            self.broker.append_next().expect(FAILS);
        }
        if self.broker.needs_sync() {
            self.broker.sync().expect(FAILS);
            is_busy = true;
        }
        self.broker.confirm_due();
        while let Some((_, reply)) = self.broker.poll_reply() {
            is_busy = true;
            if !self.transport.drops() {
                self.producer.handle_reply(self.now, reply).expect(FAILS);
            }
        }
        while self.producer.poll_report().is_some() {}
        while self.broker.poll_report().is_some() {}
        is_busy
    }

    /// Hands off what can be, and works on it. Says whether there was anything.
    fn deliver(&mut self) -> bool {
        let mut is_busy = false;
        while let Some((_, next)) = self.broker.next() {
            let Next::HandOff(position) = next else {
                unreachable!("a reference sets nothing aside: {next:?}");
            };
            is_busy = true;
            let hand_off = self.broker.hand_off(self.now, position, CONSUMER).expect(FAILS);
            if !self.transport.drops() {
                self.consumer.deliver(hand_off);
            }
        }
        while let Some(hand) = self.consumer.next_ready() {
            is_busy = true;
            while let Some(task) = self.consumer.go_on(hand) {
                self.work(hand, task);
            }
        }
        self.pass_on() | is_busy
    }

    /// Does this task of a delivery.
    fn work(&mut self, hand: DeliveryId, task: Task) {
        match task {
            Task::Handle => {
                self.consumer.handle(hand, &mut self.inventory, |_| Ok(())).expect(FAILS);
            }
            Task::Remember => self.consumer.remember(hand, &mut self.inventory).expect(FAILS),
            Task::Settle => self.consumer.settle(self.now, hand),
            Task::AwaitSettled => unreachable!("a worker waits for nothing"),
        }
        while self.consumer.poll_report().is_some() {}
    }

    /// Passes the consumer's messages to the broker, and the answers back.
    fn pass_on(&mut self) -> bool {
        let mut is_busy = false;
        while let Some(output) = self.consumer.poll_output() {
            is_busy = true;
            match output {
                ConsumerOutput::Settle(request) => {
                    if self.transport.drops() {
                        continue;
                    }
                    let outcome = self.broker.settle(self.now, request).expect(FAILS);
                    if !self.transport.drops() {
                        self.consumer.handle_settled(request.hand, outcome);
                    }
                }
                ConsumerOutput::Release(hand) => self.broker.release(hand),
                other => unreachable!("it is not connected, and follows no cursor: {other:?}"),
            }
        }
        is_busy
    }

    /// Lets the time pass until somebody's time-out, and tells it. Says whether anybody waits.
    fn wait(&mut self) -> bool {
        let timeouts = [self.producer.poll_timeout(), self.broker.poll_timeout(), self.consumer.poll_timeout()];
        let Some(next) = timeouts.into_iter().flatten().min() else {
            return false;
        };
        self.now = self.now.max(next);
        self.producer.handle_timeout(self.now).expect(FAILS);
        self.broker.handle_timeout(self.now);
        self.consumer.handle_timeout(self.now);
        true
    }
}
