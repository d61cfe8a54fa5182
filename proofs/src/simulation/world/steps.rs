//! The micro-steps that are not faults: each moves one thing from a wire into a core, or asks a core for its next one.
//!
//! Every step was checked to be possible before.

use delivery_impls::core::consumer::{HandlerFailed, Task};
use delivery_impls::core::deliveries::Subscription;
use delivery_impls::core::delivery::{ConsumerId, DeliveryId};
use delivery_impls::data::record::{Publish, Record};
use delivery_model::pipeline::Settles;
use delivery_model::vocab::{DeliveryRef, MessageId, Move, Position};

use super::{NOW, PEER, Whereabouts, World, orders, submission};

/// Simulated disks fail only when they are told to.
const WORKS: &str = "the disk works";

impl World {
    pub(super) fn act(&mut self, it: Move) {
        match it {
            Move::Submit { message } => self.submit(message),
            Move::Attempt { .. } => self.attempt(),
            Move::Receive { .. } => self.receive(),
            Move::ReceiveLate { message } => self.receive_late(message),
            Move::Append { .. } => {
                assert!(self.broker.append_next().expect(WORKS), "something was received")
            }
            Move::Sync => self.broker.sync_log().expect(WORKS),
            Move::Ack { message } => {
                assert!(self.broker.confirm(submission(message)), "the confirmation is due")
            }
            Move::TakeReply { message } => self.take_reply(message),
            Move::TimeOut { message } => self.producer.time_out(NOW, message).expect(WORKS),
            Move::HandOff { position } => self.hand_off(position),
            Move::DeadLetter { position } => self.broker.dead_letter(position).expect(WORKS),
            Move::Deliver { hand } => self.deliver(hand),
            Move::Handle { hand } => self.handle_next(hand),
            Move::Remember { hand } => self.remember(hand),
            Move::SyncSettles => self.broker.sync_settles().expect(WORKS),
            Move::Settle { hand } => self.settle(hand),
            Move::RecordSettle { hand } => self.record_settle(hand),
        }
    }

    fn submit(&mut self, message: MessageId) {
        match self.delayed {
            Some(delayed) if delayed == message => self.delayed = None,
            _ => self.submitted = message.0,
        }
        let payload = orders::payload_of(message, &self.constants.payloads);
        self.producer.submit(message, payload).expect(WORKS);
    }

    fn attempt(&mut self) {
        // The clock stands still, so a wait that the producer wants is over when the step is taken.
        let (_, earliest) = self.producer.next_attempt().expect("a message is queued");
        let publish = self.producer.transmit(earliest).expect(WORKS).expect("its time has come");
        self.publishes.push_back(publish);
    }

    fn receive(&mut self) {
        let publish = self.publishes.pop_front().expect("an attempt is on the wire");
        self.broker.receive(publish, Some(PEER)).expect("the slot is empty");
    }

    fn receive_late(&mut self, message: MessageId) {
        let is_it = |publish: &Publish| publish.record.message == message;
        let place = self.stragglers.iter().position(is_it).expect("the straggler exists");
        let straggler = self.stragglers.remove(place);
        self.broker.receive(straggler, None).expect("the slot is empty");
    }

    fn take_reply(&mut self, message: MessageId) {
        let reply = self.replies.remove(&message).expect("a reply is on its way");
        let epoch = self.producer.epoch();
        self.producer.handle_reply(NOW, reply).expect(WORKS);
        if self.producer.epoch() != epoch {
            self.cut_off_producer();
            self.register();
        }
    }

    fn hand_off(&mut self, position: Position) {
        let (consumer, _) = self.broker.next().expect("a position is eligible");
        let hand_off = self.broker.hand_off(NOW, position, consumer).expect(WORKS);
        self.hand_offs.insert(hand_off.hand, hand_off);
    }

    fn deliver(&mut self, hand: DeliveryRef) {
        let (id, _) = self.find(hand).expect("the hand-off is on the wire");
        let hand_off = self.hand_offs.remove(&id).expect("the hand-off is on the wire");
        self.consumer_mut(hand_off.consumer).deliver(hand_off);
    }

    /// A delivery is handled, or, where the settle is part of the transaction, all of a batch.
    fn handle_next(&mut self, hand: DeliveryRef) {
        let (id, consumer) = self.held(hand);
        let its = &self.consumers[usize::from(consumer.0)];
        if !its.is_batching() && self.poisoned.is_none() && self.crashing.is_none() {
            return self.handle_held(id, consumer, |_| Ok(()));
        }
        let is_whole = its.is_batching() && self.constants.pipeline.consumer.settles == Settles::WithEffect;
        let fails = |hand: &DeliveryRef| self.poisoned.is_some() && self.message_of_hand(*hand) == self.poisoned;
        let troubled = |hand: &DeliveryRef| self.crashes(*hand) || fails(hand);
        let to_handle = || its.hands().filter(|(_, task)| *task == Task::Handle);
        let trouble = match is_whole {
            true => to_handle().map(|(id, _)| self.hand(id)).find(troubled),
            false => Some(hand).filter(troubled),
        };
        match trouble {
            Some(hand) if self.crashes(hand) => {
                self.give_back_all_of(consumer);
                self.restart_consumer(consumer);
            }
            Some(hand) => self.handle(hand, |_| Err(HandlerFailed)),
            None if is_whole => {
                let ids: Vec<DeliveryId> = to_handle().map(|(id, _)| id).collect();
                for id in ids {
                    let consumer = &mut self.consumers[usize::from(consumer.0)];
                    consumer.handle(id, &mut self.inventory, |_| Ok(())).expect(WORKS);
                }
            }
            None => self.handle(hand, |_| Ok(())),
        }
    }

    pub(super) fn handle(&mut self, hand: DeliveryRef, handler: impl FnOnce(&Record) -> Result<(), HandlerFailed>) {
        let (id, consumer) = self.held(hand);
        self.handle_held(id, consumer, handler);
    }

    fn handle_held(
        &mut self,
        id: DeliveryId,
        consumer: ConsumerId,
        handler: impl FnOnce(&Record) -> Result<(), HandlerFailed>,
    ) {
        let consumer = &mut self.consumers[usize::from(consumer.0)];
        consumer.handle(id, &mut self.inventory, handler).expect(WORKS);
    }

    /// Whoever handles it crashes.
    pub(super) fn crashes(&self, hand: DeliveryRef) -> bool {
        self.crashing.is_some() && self.message_of_hand(hand) == self.crashing
    }

    fn remember(&mut self, hand: DeliveryRef) {
        let (id, consumer) = self.held(hand);
        self.consumers[usize::from(consumer.0)].remember(id, &mut self.inventory).expect(WORKS);
    }

    fn settle(&mut self, hand: DeliveryRef) {
        let (id, consumer) = self.held(hand);
        self.consumer_mut(consumer).settle(NOW, id);
    }

    fn record_settle(&mut self, hand: DeliveryRef) {
        let (id, consumer) = self.held(hand);
        if !self.consumers[usize::from(consumer.0)].is_batching() {
            return self.record_settle_of(id, consumer);
        }
        self.settled_with(hand).into_iter().for_each(|(id, consumer)| self.record_settle_of(id, consumer));
    }

    fn record_settle_of(&mut self, id: DeliveryId, consumer: ConsumerId) {
        let request = self.settles.remove(&id).expect("the settle is on the wire");
        let outcome = self.broker.settle(NOW, request).expect(WORKS);
        self.consumer_mut(consumer).handle_settled(id, outcome);
    }

    /// The hand-offs whose settles travel with that of this one, itself included: those of its batch.
    pub(super) fn settled_with(&self, hand: DeliveryRef) -> Vec<(DeliveryId, ConsumerId)> {
        let (id, consumer) = self.held(hand);
        let its = &self.consumers[usize::from(consumer.0)];
        let is_with = |it: &DeliveryId| *it == id || its.is_batching() && its.task(*it) == Some(Task::AwaitSettled);
        self.settles.keys().filter(is_with).map(|id| (id, consumer)).collect()
    }

    /// The broker drops what it may, where nothing is lost by it that a crash could still lose.
    pub(super) fn drop_records(&mut self) {
        let droppable = || self.broker.droppable(self.inventory.finished_positions());
        if let Some(start) = (!self.broker.needs_sync()).then(droppable).flatten() {
            let leaving = self.broker.log().records().take_while(|(position, _)| *position < start);
            self.dropped.extend(leaving.map(|(_, record)| record.clone()));
            self.broker.drop_below(start).expect(WORKS);
        }
    }

    /// The broker compacts its ledger as soon as it is long.
    pub(super) fn compact(&mut self) {
        if self.broker.is_ledger_long() {
            self.broker.compact_ledger().expect(WORKS);
        }
    }

    /// The hand-off that a consumer has, and which consumer.
    pub(super) fn held(&self, hand: DeliveryRef) -> (DeliveryId, ConsumerId) {
        match self.find(hand) {
            Some((id, Whereabouts::With(consumer, _))) => (id, consumer),
            place => unreachable!("{hand:?} is with a consumer, not {place:?}"),
        }
    }

    pub(super) fn follows_cursor(&self) -> bool {
        self.broker.deliveries().subscription() == Subscription::Cursor
    }
}
