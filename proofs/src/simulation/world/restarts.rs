//! How the parties start, and start again on what a crash left them.

use delivery_impls::core::broker::{Broker, Journals};
use delivery_impls::core::consumer::{Consumer, Task};
use delivery_impls::core::delivery::{ConsumerId, DeliveryId};
use delivery_impls::core::producer::Producer;
use delivery_impls::data::positions::Positions;
use delivery_impls::store::simulated::{SimulatedInventory, SimulatedJournal, SimulatedOutbox, Tear};

use super::{Constants, NOW, PEER, PRODUCER_ID, World};
use crate::mutants::Mutant;

/// Simulated disks fail only when they are told to, and nobody tells them to while a party starts.
pub(super) const STARTS: &str = "an intact disk can be opened";

impl Constants {
    pub(super) fn producer(&self, store: SimulatedOutbox) -> Producer<SimulatedOutbox, Mutant> {
        Producer::with_steps(&self.pipeline, self.tuning, PRODUCER_ID, store, self.mutant).expect(STARTS)
    }

    pub(super) fn broker(&self, journals: Journals<SimulatedJournal>) -> Broker<SimulatedJournal, Mutant> {
        Broker::with_steps(&self.pipeline, self.tuning, journals, self.mutant).expect(STARTS)
    }

    /// A consumer that has taken up what is finished in the group's store, and has subscribed.
    pub(super) fn consumer(&self, id: ConsumerId, inventory: &SimulatedInventory) -> Consumer<Mutant> {
        let mut consumer = Consumer::with_steps(&self.pipeline, id, self.mutant).tuned(self.tuning);
        connect(&mut consumer, inventory);
        consumer
    }
}

/// A consumer takes up what is finished in the group's store, and subscribes.
pub(super) fn connect(consumer: &mut Consumer<Mutant>, inventory: &SimulatedInventory) {
    consumer.resume(inventory).expect(STARTS);
    consumer.handle_connected();
    while consumer.poll_output().is_some() {}
}

impl World {
    /// The producer tells the broker of its epoch.
    pub(super) fn register(&mut self) {
        let registered = self.broker.register(self.producer.id(), self.producer.epoch(), PEER).expect(STARTS);
        assert_eq!(registered, None, "the producer has one connection");
    }

    /// Everything on the wires to and from the producer is lost.
    pub(super) fn cut_off_producer(&mut self) {
        self.publishes.clear();
        self.replies.clear();
        self.broker.disconnect(PEER);
    }

    /// The producer loses its memory and everything on the wires to and from it; its successor registers.
    pub(super) fn restart_producer(&mut self) {
        self.cut_off_producer();
        let nobody = self.constants.producer(SimulatedOutbox::default());
        let crashed = std::mem::replace(&mut self.producer, nobody);
        self.producer = self.constants.producer(crashed.into_store());
        self.register();
    }

    /// The broker loses its memory, everything on the wires, and of its log what was not synced beyond `keeps` records
    /// in all. What consumers were working on goes on without a lease, unless they follow a cursor of their own.
    pub(super) fn restart_broker(&mut self, keeps: u64) {
        let lucky = (keeps - self.broker.log().synced().0) as usize;
        self.restart_broker_on(|journals| journals.log.crash(lucky, Tear::Torn));
    }

    /// A follower takes over, with the first `keeps` records of the log.
    pub(super) fn fail_over(&mut self, keeps: u64) {
        self.restart_broker_on(|journals| {
            journals.log.crash(journals.log.unsynced(), Tear::Clean);
            journals.log.cut_to(keeps as usize);
        });
    }

    fn restart_broker_on(&mut self, lose: impl FnOnce(&mut Journals<SimulatedJournal>)) {
        let at_work: Vec<(DeliveryId, ConsumerId)> = self.at_work().filter(|(hand, _)| !self.is_late(*hand)).collect();
        self.publishes.clear();
        self.replies.clear();
        self.hand_offs.clear();
        for hand in std::mem::take(&mut self.settles).keys() {
            self.consumers.iter_mut().for_each(|consumer| consumer.drop_settle(hand));
        }
        let nobody = self.constants.broker(Journals::default());
        let mut journals = std::mem::replace(&mut self.broker, nobody).into_journals();
        lose(&mut journals);
        journals.ledger.crash(0, Tear::Torn);
        self.broker = self.constants.broker(journals);
        self.subscribe_all();
        at_work.into_iter().for_each(|(hand, consumer)| self.broker.resume(NOW, hand, consumer));
    }

    /// Every consumer connects to the broker, with what its workers have.
    pub(super) fn subscribe_all(&mut self) {
        for consumer in &self.consumers {
            let at_work = consumer.hands().map(|(hand, _)| hand);
            self.broker.subscribe(consumer.id(), consumer.capacity(), at_work, Positions::default());
        }
    }

    /// What workers have, and whose worker.
    fn at_work(&self) -> impl Iterator<Item = (DeliveryId, ConsumerId)> + '_ {
        let of = |consumer: &Consumer<Mutant>| consumer.id();
        let hands = self
            .consumers
            .iter()
            .flat_map(move |consumer| consumer.hands().map(move |(hand, task)| (hand, task, of(consumer))));
        hands.filter(|(_, task, _)| *task != Task::AwaitSettled).map(|(hand, _, consumer)| (hand, consumer))
    }

    /// Nothing will be left of what a consumer has: its leases are used again. So a message that kills its consumer over and
    /// over leads back to where it was, and leases do not count up for ever.
    pub(super) fn give_back_all_of(&mut self, id: ConsumerId) {
        let on_wire = self.hand_offs.iter().filter(|(_, hand_off)| hand_off.consumer == id).map(|(hand, _)| hand);
        let held = self.consumers[usize::from(id.0)].hands().map(|(hand, _)| hand);
        let hands: Vec<DeliveryId> = on_wire.chain(held).collect();
        hands.into_iter().for_each(|hand| self.broker.release(hand));
    }

    /// A consumer loses its memory and everything on the wires to and from it.
    pub(super) fn restart_consumer(&mut self, id: ConsumerId) {
        self.hand_offs.retain(|_, hand_off| hand_off.consumer != id);
        let held: Vec<DeliveryId> = self.consumer_mut(id).hands().map(|(hand, _)| hand).collect();
        for hand in held {
            self.settles.remove(&hand);
        }
        *self.consumer_mut(id) = self.constants.consumer(id, &self.inventory);
        if self.broker.deliveries().owner().0 == id {
            self.broker.place_group().expect(STARTS);
        }
        self.broker.subscribe(id, self.constants.pipeline.consumer.capacity(), [], Positions::default());
    }
}
