//! The cost of each delivery semantics for a message: the three reference pipelines from submit to settle, in memory.
//!
//! There are two sides: the producer with the publishing half of the broker, and the consumer with the delivering
//! half. Both run on one thread, in rounds of [`ROUND`] messages, over stores in memory: no sockets, no disk and no
//! waiting, so that only the mechanisms differ. Each side is timed by itself. The sum is all work of a semantics; the
//! slower side is the time of a message if each side has a core and never waits.
//!
//! A second measurement uses a thread for the consumer ([`two_threads`]): the time of a message if the two sides wait
//! for each other.
//!
//! Exactly-once is at-least-once with a number for each message, the broker's memory of the numbers and the
//! consumer's inbox. The report adds these one after the other ([`STAGES`]), so the cost of each is the difference of
//! two figures.
//!
//! Every timed run ends with a check of the stock: each order was taken once under any semantics, because nothing
//! fails here. What each semantics is for shows in the third measurement, over a transport that loses what it is given
//! ([`lossy`]).

mod growth;
mod lossy;
mod two_threads;

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use delivery_benches::{is_test, tell, time};
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
use delivery_impls::store::InventoryStore;
use delivery_impls::store::simulated::{SimulatedInventory, SimulatedJournal, SimulatedOutbox};
use delivery_model::pipeline::{Acks, Dedup, Identity, Pipeline, Remembers};
use delivery_model::presets;
use delivery_model::vocab::MessageId;
use delivery_proofs::figures::Sheet;

/// The number of messages under way at once, and so for each sync.
const ROUND: u64 = 64;
/// The number of messages in an iteration.
const BATCH: u64 = 16 * ROUND;
/// The one article that is ordered.
const SKU: Sku = Sku(7);
const NOW: Millis = Millis(0);
const CONSUMER: ConsumerId = ConsumerId(0);

/// What is compared, for the report.
const ABOUT: &str = "The reference pipelines of the three semantics. The first three tables have nothing that fails: the \
    cores from submit to settle, in memory; the best of interleaved runs. Below, one transport drops attempts, \
    confirmations, hand-offs and settles by a seeded chance, and the stock counts which messages were lost and how many \
    effects were made again.";

/// The working time of each side.
#[derive(Clone, Copy, Debug, Default)]
struct Sides {
    publishing: Duration,
    delivering: Duration,
}

impl Sides {
    /// The shorter time of each side, of two tries: other load only makes a try longer.
    fn best(self, other: Sides) -> Sides {
        Sides { publishing: self.publishing.min(other.publishing), delivering: self.delivering.min(other.delivering) }
    }

    fn sum(self) -> Duration {
        self.publishing + self.delivering
    }

    fn slower(self) -> Duration {
        self.publishing.max(self.delivering)
    }
}

/// The broker's core, over journals in memory.
type MemoryBroker = Broker<SimulatedJournal>;

/// The message of an `expect` on a store in memory.
const FAILS: &str = "memory does not fail";

/// The producer, with its next order.
struct Ordering {
    is_acked: bool,
    producer: Producer<SimulatedOutbox>,
    submitted: u64,
}

impl Ordering {
    fn publish_round(&mut self, broker: &mut MemoryBroker) {
        for _ in 0..ROUND {
            self.submitted += 1;
            // Each order has a payload of its own: with a shared one both threads would use the counter on one cache line.
            let payload = Order { sku: SKU, quantity: 1 }.encode();
            self.producer.submit(MessageId(self.submitted), payload).expect(FAILS);
        }
        while let Some(publish) = self.producer.transmit(NOW).expect(FAILS) {
            let message = publish.record.message;
            broker.receive(publish, Some(Peer(0))).expect("one after another");
            broker.append_next().expect(FAILS);
            if !self.is_acked {
                self.producer.time_out(NOW, message).expect(FAILS);
            }
        }
        broker.sync().expect(FAILS);
        broker.confirm_due();
        while let Some((_, reply)) = broker.poll_reply() {
            self.producer.handle_reply(NOW, reply).expect(FAILS);
        }
        while self.producer.poll_report().is_some() {}
    }
}

/// The consumer with its inventory.
struct Stocking {
    consumer: Consumer,
    inventory: SimulatedInventory,
}

impl Stocking {
    /// Handles a delivery as far as possible without an answer of the broker.
    fn work(&mut self, hand: DeliveryId) {
        while let Some(task) = self.consumer.task(hand) {
            match task {
                Task::Handle => {
                    let handled = self.consumer.handle(hand, &mut self.inventory, |_| Ok(()));
                    handled.expect(FAILS);
                }
                Task::Remember => self.consumer.remember(hand, &mut self.inventory).expect(FAILS),
                Task::Settle => self.consumer.settle(NOW, hand),
                Task::AwaitSettled => return,
            }
            while self.consumer.poll_report().is_some() {}
        }
    }

    /// Checks that every order was taken from the stock once.
    fn check(&self, orders: u64) {
        let left = self.inventory.stock(SKU).expect(FAILS);
        assert_eq!(left, -(orders as i64));
    }
}

/// All three parties.
struct Whole {
    ordering: Ordering,
    broker: MemoryBroker,
    stocking: Stocking,
}

impl Whole {
    fn new(mut pipeline: Pipeline) -> Whole {
        pipeline.producer.in_flight = ROUND as u32;
        let tuning = Tuning::default();
        let open = "empty stores recover";
        let outbox = SimulatedOutbox::default();
        let producer = Producer::open(&pipeline, tuning, ProducerId(0), outbox).expect(open);
        let mut broker = Broker::open(&pipeline, tuning, Journals::default()).expect(open);
        broker.register(producer.id(), producer.epoch(), Peer(0)).expect(FAILS);
        broker.subscribe(CONSUMER, u32::MAX, [], Positions::default());
        let consumer = Consumer::new(&pipeline, CONSUMER);
        Whole {
            ordering: Ordering { is_acked: pipeline.broker.acks != Acks::Never, producer, submitted: 0 },
            broker,
            stocking: Stocking { consumer, inventory: SimulatedInventory::default() },
        }
    }

    fn run(&mut self, messages: u64) -> Sides {
        let mut sides = Sides::default();
        for _ in 0..messages / ROUND {
            sides.publishing += time(|| self.ordering.publish_round(&mut self.broker));
            sides.delivering += time(|| self.deliver_all());
        }
        sides
    }

    fn deliver_all(&mut self) {
        while let Some((CONSUMER, Next::HandOff(position))) = self.broker.next() {
            let hand_off = self.broker.hand_off(NOW, position, CONSUMER).expect(FAILS);
            let hand = hand_off.hand;
            self.stocking.consumer.deliver(hand_off);
            self.stocking.work(hand);
            while self.pass_on() {
                self.stocking.work(hand);
            }
        }
    }

    /// Passes the consumer's messages to the broker, and the answers back. Returns false if there was no message.
    fn pass_on(&mut self) -> bool {
        let mut is_said = false;
        while let Some(output) = self.stocking.consumer.poll_output() {
            is_said = true;
            match output {
                ConsumerOutput::Settle(request) => {
                    let outcome = self.broker.settle(NOW, request).expect(FAILS);
                    self.stocking.consumer.handle_settled(request.hand, outcome);
                }
                ConsumerOutput::Release(hand) => self.broker.release(hand),
                other => unreachable!("it is not connected, and follows no cursor: {other:?}"),
            }
        }
        while self.broker.poll_report().is_some() {}
        is_said
    }

    /// Checks that every submitted order was taken from the stock once.
    fn check(&self) {
        self.stocking.check(self.ordering.submitted);
    }
}

const NAMES: [&str; 3] = ["at-most-once", "at-least-once", "exactly-once"];

fn reference(name: &str) -> Pipeline {
    presets::named(name).expect("a preset")
}

/// A change that switches a mechanism on.
type Add = fn(&mut Pipeline);

/// The mechanisms from at-least-once to exactly-once, one at a time.
const STAGES: [(&str, Add); 3] = [
    ("a number for each message", |pipeline| pipeline.producer.identity = Identity::Sequence),
    ("the broker's memory of the numbers", |pipeline| pipeline.broker.dedup = Dedup::Sequence),
    ("the consumer's inbox", |pipeline| pipeline.consumer.remembers = Remembers::WithEffect),
];

/// The pipelines to compare: at-most-once, at-least-once, and the stages from there to exactly-once.
fn compared() -> Vec<Pipeline> {
    let [most, least, exactly] = NAMES.map(reference);
    let mut stage = least.clone();
    let stages: Vec<Pipeline> = STAGES
        .iter()
        .map(|(_, add)| {
            add(&mut stage);
            stage.clone()
        })
        .collect();
    let settings =
        |pipeline: &Pipeline| (pipeline.producer.clone(), pipeline.broker.clone(), pipeline.consumer.clone());
    assert_eq!(settings(&stage), settings(&exactly), "nothing else lies between the two");
    [most, least].into_iter().chain(stages).collect()
}

fn timed(pipeline: &Pipeline, messages: u64) -> Sides {
    let mut whole = Whole::new(pipeline.clone());
    let sides = whole.run(messages);
    whole.check();
    sides
}

/// The best of `tries` runs of each pipeline. The pipelines take turns, so that other load affects all of them in the
/// same way. A run takes about a millisecond, so some runs are not interrupted.
fn best_of(tries: u32, pipelines: &[Pipeline]) -> Vec<Sides> {
    let mut best = vec![Sides { publishing: Duration::MAX, delivering: Duration::MAX }; pipelines.len()];
    for _ in 0..tries {
        for (best, pipeline) in best.iter_mut().zip(pipelines) {
            *best = best.best(timed(pipeline, BATCH));
        }
    }
    best
}

/// Adds the cost of each semantics compared with the others, and the cost of each mechanism.
fn add_costs(sheet: &mut Sheet, tries: u32) {
    let best = best_of(tries, &compared());
    let (most, least, exactly) = (best[0], best[1], best[best.len() - 1]);
    let each = |took: Duration| took.as_nanos() as f64 / BATCH as f64;
    let columns = ["semantics", "ns", "publishing", "delivering", "by at-least-once", "slower side by"];
    let table = sheet.table("a message in memory, on one thread", &columns);
    for (name, sides) in NAMES.iter().zip([most, least, exactly]) {
        let ratios = [sides.sum(), sides.slower()].into_iter().zip([least.sum(), least.slower()]);
        let ratios = ratios.map(|(took, of)| took.as_secs_f64() / of.as_secs_f64());
        table.row(*name, [sides.sum(), sides.publishing, sides.delivering].map(each).into_iter().chain(ratios));
    }
    let table = sheet.table("from at-least-once to exactly-once, on one thread", &["with", "more ns a message"]);
    for ((name, _), pair) in STAGES.iter().zip(best[1..].windows(2)) {
        table.row(*name, [each(pair[1].sum()) - each(pair[0].sum())]);
    }
}

fn semantics(criterion: &mut Criterion) {
    let is_test = is_test();
    let mut group = criterion.benchmark_group("semantics");
    group.throughput(Throughput::Elements(BATCH));
    for name in NAMES {
        let pipeline = reference(name);
        group.bench_function(name, |bencher| {
            // The log in memory only grows, so each iteration starts with new stores.
            bencher.iter_custom(|iterations| (0..iterations).map(|_| timed(&pipeline, BATCH).sum()).sum());
        });
    }
    group.finish();
    let mut sheet = Sheet::new("semantics", ABOUT);
    add_costs(&mut sheet, if is_test { 1 } else { 400 });
    two_threads::add(&mut sheet, is_test);
    growth::add(criterion, &mut sheet, is_test);
    tell(&sheet);
}

criterion_group!(benches, semantics);
criterion_main!(benches);
