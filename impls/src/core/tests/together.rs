//! Producer, broker and consumer driven as a driver would drive them: in a loop, by their deadlines.

use delivery_model::pipeline::{Commits, Pipeline, RecordsSettles, Settles};

use super::*;
use crate::core::consumer::{Consumer, Task};
use crate::core::deliveries::Next;
use crate::core::delivery::{ConsumerId, ConsumerOutput};
use crate::store::InventoryStore;
use crate::store::simulated::SimulatedInventory;

/// Both ends of both wires, and a clock that only deadlines move.
struct Parties {
    now: Millis,
    pipeline: Pipeline,
    producer: Producer<SimulatedOutbox>,
    broker: Broker<SimulatedJournal>,
    consumer: Consumer,
    inventory: SimulatedInventory,
    /// So many attempts vanish.
    publishes_to_lose: u32,
    /// So many hand-offs vanish.
    hand_offs_to_lose: u32,
}

impl Parties {
    fn new(pipeline: Pipeline, messages: u64) -> Self {
        let producer = producer_with(&pipeline, messages);
        let mut broker = open_broker(&pipeline, Journals::default());
        broker.register(producer.id(), producer.epoch(), PEER).unwrap();
        let mut consumer = Consumer::new(&pipeline, ConsumerId(0));
        consumer.handle_connected();
        Parties {
            now: NOW,
            producer,
            broker,
            consumer,
            inventory: SimulatedInventory::default(),
            publishes_to_lose: 0,
            hand_offs_to_lose: 0,
            pipeline,
        }
    }

    /// Does everything that can be done, and moves the clock to the next deadline when nothing can, until nobody
    /// waits for anything.
    fn drive(&mut self) {
        for _ in 0..10_000 {
            if self.publish() | self.deliver() | self.consume() {
                continue;
            }
            let deadlines = [self.producer.poll_timeout(), self.broker.poll_timeout()];
            let Some(next) = deadlines.into_iter().flatten().min() else {
                return;
            };
            self.now = self.now.max(next);
            self.producer.handle_timeout(self.now).unwrap();
            self.broker.handle_timeout(self.now);
        }
        panic!("it never comes to rest: {:#?}", self.producer);
    }

    fn publish(&mut self) -> bool {
        let Some(publish) = self.producer.transmit(self.now).unwrap() else {
            return false;
        };
        if self.publishes_to_lose > 0 {
            self.publishes_to_lose -= 1;
            return true;
        }
        store(&mut self.broker, publish);
        self.broker.sync().unwrap();
        self.broker.confirm_due();
        for reply in replies(&mut self.broker) {
            self.producer.handle_reply(self.now, reply).unwrap();
        }
        true
    }

    fn deliver(&mut self) -> bool {
        let is_free = self.consumer.busy() < self.consumer.workers();
        let has = self.consumer.has();
        let next = if is_free { self.broker.next_for(self.consumer.id(), &[&has]) } else { None };
        match next {
            None => false,
            Some(Next::DeadLetter(position)) => {
                self.broker.dead_letter(position).unwrap();
                true
            }
            Some(Next::HandOff(position)) => {
                let hand_off = self.broker.hand_off(self.now, position, self.consumer.id()).unwrap();
                if self.hand_offs_to_lose > 0 {
                    self.hand_offs_to_lose -= 1;
                } else {
                    self.consumer.deliver(hand_off);
                }
                true
            }
        }
    }

    fn consume(&mut self) -> bool {
        let Some(hand) = self.consumer.next_ready() else {
            return false;
        };
        while let Some(task) = self.consumer.go_on(hand) {
            match task {
                Task::Handle => self.consumer.handle(hand, &mut self.inventory, |_| Ok(())).unwrap(),
                Task::Remember => self.consumer.remember(hand, &mut self.inventory).unwrap(),
                Task::Settle => self.consumer.settle(self.now, hand),
                Task::AwaitSettled => unreachable!("a worker has nothing to do with it"),
            }
        }
        while let Some(output) = self.consumer.poll_output() {
            match output {
                ConsumerOutput::Release(hand) => self.broker.release(hand),
                // The broker is asked with what the consumer has.
                ConsumerOutput::Subscribe { .. } | ConsumerOutput::Has(_) | ConsumerOutput::Finished(_) => {}
                ConsumerOutput::Leave => unreachable!("nobody asks it to leave"),
                ConsumerOutput::Reject(_) | ConsumerOutput::Requeue(_) => unreachable!("no handler fails"),
                ConsumerOutput::Settle(request) => {
                    let outcome = self.broker.settle(NOW, request).unwrap();
                    self.consumer.handle_settled(request.hand, outcome);
                    self.consumer.handle_committed(&self.broker.deliveries().committed());
                }
            }
        }
        true
    }

    fn restart_broker(&mut self) {
        let nobody = open_broker(&self.pipeline, Journals::default());
        let broker = std::mem::replace(&mut self.broker, nobody);
        self.broker = crash(&self.pipeline, broker, 0);
    }
}

/// What twenty orders of 1, 2, ... 20 pieces leave.
const TWENTY_ORDERS: i64 = -210;

#[test]
fn twenty_orders_are_reserved_under_every_order_of_settling() {
    for settles in [Settles::AfterEffect, Settles::BeforeEffect, Settles::WithEffect] {
        for commits in [Commits::Each, Commits::Prefix, Commits::Highest] {
            let pipeline = pipeline(|it| {
                (it.consumer.settles, it.consumer.commits, it.producer.in_flight) = (settles, commits, 3);
            });
            let mut parties = Parties::new(pipeline, 20);
            parties.drive();
            assert_eq!(parties.inventory.stock(Sku(1)), Ok(TWENTY_ORDERS), "{settles:?} {commits:?}");
            assert!(parties.producer.outbox().is_empty());
            assert_eq!(parties.now, NOW, "nobody had to wait");
        }
    }
}

#[test]
fn what_is_lost_on_the_way_comes_again_when_its_time_is_over() {
    let mut parties = Parties::new(pipeline(|it| it.producer.in_flight = 4), 20);
    (parties.publishes_to_lose, parties.hand_offs_to_lose) = (6, 2);
    parties.drive();
    assert_eq!(parties.inventory.stock(Sku(1)), Ok(TWENTY_ORDERS));
    assert!(parties.now >= Tuning::default().lease, "the lost hand-offs' leases had to end");
}

#[test]
fn a_restart_of_the_broker_repeats_deliveries_and_no_effects() {
    let pipeline = pipeline(|it| it.broker.records_settles = RecordsSettles::Lazily);
    let mut parties = Parties::new(pipeline, 20);
    parties.drive();
    kinds(|| parties.consumer.poll_report());
    parties.restart_broker();
    parties.drive();
    assert!(!kinds(|| parties.consumer.poll_report()).is_empty(), "the last settle was not durable");
    assert_eq!(parties.inventory.stock(Sku(1)), Ok(TWENTY_ORDERS));
}
