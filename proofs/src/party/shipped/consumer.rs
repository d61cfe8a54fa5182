//! The shipped consumer, on a database that the group shares.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use delivery_impls::core::consumer::{Consumer, HandlerFailed, Task};
use delivery_impls::core::delivery::{ConsumerId, ConsumerOutput, DeliveryId, HandOff, Lease};
use delivery_impls::core::report::Report;
use delivery_impls::core::steps::{ConsumerSteps, Sound};
use delivery_impls::core::time::Millis;
use delivery_impls::data::record::{Identity, Record};
use delivery_impls::store::{EffectStore, Generation};
use delivery_model::pipeline::{Pipeline, Remembers};
use delivery_model::vocab::{DeliveryNumber, Epoch, EventKind, MessageId, Position};

use super::effects::Effects;
use super::{PRODUCER, WORKS, to_core};
use crate::party::{self, Delivery, FromConsumer, Hardship, Party, Settle, ToConsumer};

/// The shipped consumer, as a party. It does one thing for each output that is fetched.
pub struct ShippedConsumer<E = Effects, S = Sound> {
    core: Consumer<S>,
    store: Rc<RefCell<E>>,
    remembers: Remembers,
    hands: BTreeMap<String, DeliveryId>,
    poisoned: BTreeSet<MessageId>,
    fails_next: BTreeSet<MessageId>,
    /// For deliveries of brokers that tell no position.
    next_place: u64,
}

/// Opens a consumer of these settings on a database in memory. Clones of the handle share it.
pub fn consumer(pipeline: &Pipeline) -> impl Fn(u8, Rc<RefCell<Effects>>) -> ShippedConsumer + use<> {
    consumer_with(pipeline, Sound)
}

/// The same, on a database of yours, and with steps of the caller's choice: [`Sound`] ones, or a seeded bug's.
pub fn consumer_with<E: EffectStore + Default, S: ConsumerSteps>(
    pipeline: &Pipeline,
    steps: S,
) -> impl Fn(u8, Rc<RefCell<E>>) -> ShippedConsumer<E, S> + use<E, S> {
    let pipeline = pipeline.clone();
    move |number, store| ShippedConsumer {
        core: Consumer::with_steps(&pipeline, ConsumerId(number), steps.clone()),
        store,
        remembers: pipeline.consumer.remembers,
        hands: BTreeMap::new(),
        poisoned: BTreeSet::new(),
        fails_next: BTreeSet::new(),
        next_place: 0,
    }
}

impl<E: EffectStore + Default, S: ConsumerSteps> Party for ShippedConsumer<E, S> {
    type Input = ToConsumer;
    type Output = FromConsumer;
    type Disk = Rc<RefCell<E>>;

    fn handle_input(&mut self, _now: Duration, input: ToConsumer) {
        match input {
            ToConsumer::Deliver(delivery) => self.deliver(delivery),
            ToConsumer::Settled { tag, outcome } => {
                if let Some(&hand) = self.hands.get(&tag) {
                    self.core.handle_settled(hand, outcome);
                }
            }
        }
    }

    fn poll_output(&mut self) -> Option<FromConsumer> {
        loop {
            if let Some(output) = self.say() {
                return Some(output);
            }
            let (hand, task) = self.core.ready().next()?;
            self.work(hand, task);
        }
    }

    fn crash(self) -> Rc<RefCell<E>> {
        self.store
    }

    fn suffer(&mut self, hardship: Hardship) -> bool {
        match hardship {
            Hardship::HandlerFails(message) => self.fails_next.insert(message),
            Hardship::Poison(message) => self.poisoned.insert(message),
            Hardship::WriteFails | Hardship::DedupForgotten => false,
        }
    }
}

impl<E: EffectStore, S: ConsumerSteps> ShippedConsumer<E, S> {
    fn deliver(&mut self, delivery: Delivery) {
        let message = MessageId(delivery.message);
        let position = Position(delivery.position.unwrap_or(self.next_place));
        self.next_place += 1;
        let number = self.hands.len() as u32;
        let hand = DeliveryId { position, lease: Lease { incarnation: 0, number } };
        // Where the broker hands on no identity, a message is known by its id: its place may not be its own.
        let by_id = party::Identity::Message { session: 0 };
        let is_unknown = delivery.identity == party::Identity::None && delivery.position.is_none();
        let identity = if is_unknown && self.remembers != Remembers::Nothing { by_id } else { delivery.identity };
        let identity: Identity = to_core(identity, message);
        let payload = delivery.payload.into();
        let record = Record { message, identity, producer: PRODUCER, epoch: Epoch(0), payload };
        let (consumer, generation) = (self.core.id(), Generation::default());
        let delivered = delivery.number.map(DeliveryNumber);
        self.hands.insert(delivery.tag, hand);
        self.core.deliver(HandOff { hand, consumer, generation, delivery: delivered, record });
    }

    fn work(&mut self, hand: DeliveryId, task: Task) {
        let mut store = self.store.borrow_mut();
        let (poisoned, fails_next) = (&self.poisoned, &mut self.fails_next);
        let handler = |record: &Record| {
            let fails = fails_next.remove(&record.message) || poisoned.contains(&record.message);
            if fails { Err(HandlerFailed) } else { Ok(()) }
        };
        match task {
            Task::Handle => self.core.handle(hand, &mut *store, handler).expect(WORKS),
            Task::Remember => self.core.remember(hand, &mut *store).expect(WORKS),
            Task::Settle => self.core.settle(Millis::default(), hand),
            Task::AwaitSettled => {}
        }
    }

    fn say(&mut self) -> Option<FromConsumer> {
        while let Some(Report { kind, payload }) = self.core.poll_report() {
            if let EventKind::Effect { message, .. } = kind {
                let payload = payload.map_or_else(Vec::new, |payload| payload.to_vec());
                return Some(FromConsumer::Effect { message: message.0, payload });
            }
        }
        let tag = |wanted: DeliveryId| {
            let tagged = self.hands.iter().find(|(_, hand)| **hand == wanted);
            tagged.map(|(tag, _)| tag.clone()).expect("what it works on was delivered")
        };
        Some(match self.core.poll_output()? {
            ConsumerOutput::Settle(request) => {
                FromConsumer::Settle(Settle { tag: tag(request.hand), finishes: request.finishes })
            }
            ConsumerOutput::Release(hand) => FromConsumer::Release { tag: tag(hand) },
            ConsumerOutput::Reject(_) | ConsumerOutput::Requeue(_) => {
                panic!("parties have no word for `on-failure` = \"dead-letter\" or \"requeue\"")
            }
            other => unreachable!("it knows of no connection: {other:?}"),
        })
    }
}
