//! What each delivery semantics costs a message: the three reference pipelines from submit to settle, in memory.
//!
//! The producer with the broker's publishing side runs on one thread, and consumer with the broker's delivering side
//! on another would share the broker; so that nothing but the mechanisms differs, all three cores run on one thread, in
//! rounds of [`ROUND`] messages, over stores in memory: no sockets, no disk, no waiting. The time of a message is then
//! all the work that its semantics makes for everybody, and two cores would share it in any proportion.
//!
//! Exactly-once adds to at-least-once a sequence number, the broker's memory of it and the consumer's inbox.
//!
//! Every timed run ends with a look at the stock: each order was taken once, by any semantics, as nothing fails here.

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use delivery_benches::time;
use delivery_impls::core::broker::{Broker, Journals, Peer};
use delivery_impls::core::consumer::{Consumer, Task};
use delivery_impls::core::deliveries::Next;
use delivery_impls::core::hand::{ConsumerId, ConsumerOutput};
use delivery_impls::core::order::{Order, Sku};
use delivery_impls::core::positions::Positions;
use delivery_impls::core::producer::Producer;
use delivery_impls::core::record::{Payload, ProducerId};
use delivery_impls::core::time::Millis;
use delivery_impls::core::tuning::Tuning;
use delivery_impls::mutant::Mutant;
use delivery_impls::store::InventoryStore;
use delivery_impls::store::simulated::{SimulatedInventory, SimulatedJournal, SimulatedOutbox};
use delivery_model::pipeline::{Acks, Pipeline};
use delivery_model::presets;
use delivery_model::vocab::MessageId;

/// Messages under way at once, and so for each sync.
const ROUND: u64 = 64;
/// Messages in an iteration.
const BATCH: u64 = 16 * ROUND;
/// The one article that is ordered.
const SKU: Sku = Sku(7);
const NOW: Millis = Millis(0);
const CONSUMER: ConsumerId = ConsumerId(0);

/// All three parties.
struct Whole {
    is_acked: bool,
    producer: Producer<SimulatedOutbox>,
    broker: Broker<SimulatedJournal>,
    consumer: Consumer,
    inventory: SimulatedInventory,
    committed: Positions,
    payload: Payload,
    submitted: u64,
}

impl Whole {
    fn new(name: &str) -> Whole {
        let mut pipeline: Pipeline = presets::named(name).expect("a preset");
        pipeline.producer.in_flight = ROUND as u32;
        let tuning = Tuning::default();
        let open = "empty stores recover";
        let outbox = SimulatedOutbox::default();
        Whole {
            is_acked: pipeline.broker.acks != Acks::Never,
            producer: Producer::open(&pipeline, tuning, ProducerId(0), outbox, Mutant::None).expect(open),
            broker: Broker::open(&pipeline, tuning, Journals::default(), Mutant::None).expect(open),
            consumer: Consumer::new(&pipeline, CONSUMER, Mutant::None),
            inventory: SimulatedInventory::default(),
            committed: Positions::default(),
            payload: Order { sku: SKU, quantity: 1 }.encode(),
            submitted: 0,
        }
    }

    fn run(&mut self, messages: u64) {
        for _ in 0..messages / ROUND {
            self.publish_round();
            self.deliver_all();
        }
    }

    fn publish_round(&mut self) {
        for _ in 0..ROUND {
            self.submitted += 1;
            self.producer.submit(MessageId(self.submitted), Payload::clone(&self.payload)).expect("room");
        }
        while let Some(publish) = self.producer.transmit(NOW).expect("room") {
            let message = publish.record.message;
            self.broker.receive(publish, Some(Peer(0))).expect("one after another");
            self.broker.append_next().expect("room");
            if !self.is_acked {
                self.producer.time_out(NOW, message).expect("room");
            }
        }
        self.broker.sync().expect("memory does not fail");
        self.broker.confirm_due();
        while let Some((_, reply)) = self.broker.poll_reply() {
            self.producer.handle_reply(NOW, reply).expect("room");
        }
        while self.producer.poll_report().is_some() {}
    }

    fn deliver_all(&mut self) {
        while let Some(Next::HandOff(position)) = self.broker.next(CONSUMER, &[]) {
            let hand_off = self.broker.hand_off(NOW, position, CONSUMER).expect("room");
            let hand = hand_off.hand;
            self.consumer.deliver(hand_off);
            while let Some(task) = self.consumer.task(hand) {
                match task {
                    Task::Handle => {
                        let handled = self.consumer.handle(hand, &self.committed, &mut self.inventory, |_| Ok(()));
                        handled.expect("memory does not fail");
                    }
                    Task::Remember => self.consumer.remember(hand, &mut self.inventory).expect("memory does not fail"),
                    Task::Settle => self.consumer.settle(hand, &self.committed),
                    Task::AwaitSettled => {}
                }
                self.pass_on();
            }
        }
        self.pass_on();
    }

    /// What the consumer says reaches the broker, and the answer the consumer.
    fn pass_on(&mut self) {
        while let Some(output) = self.consumer.poll_output() {
            match output {
                ConsumerOutput::Settle(request) => {
                    let outcome = self.broker.settle(request).expect("room");
                    self.consumer.handle_settled(request.hand, outcome);
                }
                ConsumerOutput::Release(hand) => self.broker.release(hand),
            }
        }
        while self.consumer.poll_report().is_some() || self.broker.poll_report().is_some() {}
    }

    /// Every order that was submitted was taken from the stock once.
    fn check(&self) {
        let left = self.inventory.stock(SKU).expect("memory does not fail");
        assert_eq!(left, -(self.submitted as i64));
    }
}

const NAMES: [&str; 3] = ["at-most-once", "at-least-once", "exactly-once"];

fn timed(name: &str, messages: u64) -> Duration {
    let mut whole = Whole::new(name);
    let took = time(|| whole.run(messages));
    whole.check();
    took
}

/// Says on standard error what each costs beside the others: taken in turn, so that what else runs meets all alike.
fn report(tries: u32) {
    let mut best = [Duration::MAX; 3];
    for _ in 0..tries {
        for (best, name) in best.iter_mut().zip(NAMES) {
            *best = timed(name, 4 * BATCH).min(*best);
        }
    }
    let nanoseconds = best.map(|took| took.as_nanos() as f64 / (4 * BATCH) as f64);
    let beside = nanoseconds.map(|own| own / nanoseconds[1]);
    for (name, (own, beside)) in NAMES.iter().zip(nanoseconds.iter().zip(beside)) {
        eprintln!("{name}: {own:.0} ns a message, {beside:.2} times at-least-once");
    }
}

fn semantics(criterion: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    report(if is_test { 1 } else { 40 });
    let mut group = criterion.benchmark_group("semantics");
    group.throughput(Throughput::Elements(BATCH));
    for name in NAMES {
        group.bench_function(name, |bencher| {
            // The log in memory only grows: each iteration starts anew.
            bencher.iter_custom(|iterations| (0..iterations).map(|_| timed(name, BATCH)).sum());
        });
    }
    group.finish();
}

criterion_group!(benches, semantics);
criterion_main!(benches);
