//! What may go wrong, and what it does to wires, disks and cores. A fault that would change nothing is not possible.

use delivery_impls::core::consumer::{Consumer, HandlerFailed, Task};
use delivery_impls::core::delivery::ConsumerId;
use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::Verdict;
use delivery_impls::store::EffectStore;
use delivery_model::pipeline::{Acks, DeadLettering, Delivers, NewGroup, OnRestart, Settles};
use delivery_model::vocab::{DeliveryRef, Fault, MessageId, Move, Position, Strike, Target};

use super::offers::message;
use super::{Whereabouts, World};

impl World {
    pub(super) fn check_strike(&self, strike: Strike) -> Result<(), &'static str> {
        use Strike::*;
        let require = |is_met: bool, why| if is_met { Ok(()) } else { Err(why) };
        match strike {
            PublishLost { message } => require(self.is_oldest(message), "it is not the oldest attempt on the wire"),
            PublishReordered { message } => require(
                self.is_oldest(message) && self.publishes.len() > 1,
                "it is not the oldest attempt on the wire, or none is behind it",
            ),
            PublishDuplicated { message } => require(self.is_on_wire(message), "no attempt at it is on the wire"),
            ProducerZombie { message } => {
                require(self.is_on_wire(message) && self.producer_can_crash(), "no attempt at it is on the wire")
            }
            ProducerCrash => require(self.producer_can_crash(), "nothing is unfinished, or the broker is deciding"),
            PublishRefused { message } => {
                require(self.slot_holds(message, |somebody_waits| somebody_waits), "the broker has not received it")
            }
            PublishAckLost { message } => require(self.ack_is_on_way(message), "no ack is on its way"),
            BrokerCrash { keeps } => {
                let log = self.broker.log();
                let is_suffix = (log.synced().0..=log.end().0).contains(&keeps);
                require(is_suffix && self.broker_can_lose(), "nothing is to be lost, or not in this way")
            }
            DeliveryLost { hand } => {
                require(self.is_at(hand, |place| place == Whereabouts::OnWire), "it is not on its way")
            }
            SettleLost { hand } => require(self.is_to_do(hand, Task::AwaitSettled), "no settle is on its way"),
            ConsumerCrash { consumer } => require(self.consumer_can_lose(consumer), "it has nothing to lose"),
            LeaseExpiry { hand } => require(self.can_expire(hand), "it has no lease"),
            DedupForgotten => require(self.broker.memory().covers() > 0, "nothing is remembered"),
            HandlerFails { hand } => require(
                self.is_to_do(hand, Task::Handle) && self.message_of_hand(hand) != self.poisoned && !self.crashes(hand),
                "it is not to be handled, or its handler fails or crashes in any case",
            ),
            Poison { message } => require(
                self.poisoned.is_none() && self.to_submit() == Some(message),
                "it is not the next message, or another is poisoned",
            ),
            Rewind { position } => require(self.can_rewind(position), "nothing was delivered from there"),
            HandlerCrashes { message } => require(
                self.crashing.is_none() && self.to_submit() == Some(message),
                "it is not the next message, or another kills its consumers",
            ),
            DeadLetterLost { position } => require(self.can_lose_dead_letter(position), "no dead letter is on its way"),
            Redrive { position } => require(self.is_dead_letter(position), "it is no dead letter"),
            CommitReordered { message } => require(
                self.delayed.is_none()
                    && self.to_submit() == Some(message)
                    && message.0 < self.messages
                    && self.constants.pipeline.producer.on_restart != OnRestart::Forgets,
                "it is not the next message of an outbox, or none follows it",
            ),
            Failover { keeps } => require(self.can_fail_over(keeps), "nothing is to be lost, or not in this way"),
            RecordExpired { position } => require(self.can_expire_record(position), "nobody is owed it"),
            GroupForgotten => require(self.group_can_lose(), "the group has no position to lose"),
            Rebalance => require(self.can_pass_on(), "no cursor can pass on, or its owner has nothing to lose"),
        }
    }

    pub(super) fn suffer(&mut self, strike: Strike) {
        match strike {
            Strike::PublishLost { .. } | Strike::PublishReordered { .. } => drop(self.publishes.pop_front()),
            Strike::PublishDuplicated { message } => self.leave_straggler(message),
            Strike::PublishRefused { .. } => assert!(self.broker.refuse_next(), "something was received"),
            Strike::PublishAckLost { message } => drop(self.replies.remove(&message)),
            Strike::ProducerCrash => self.restart_producer(),
            Strike::ProducerZombie { message } => {
                self.leave_straggler(message);
                self.restart_producer();
            }
            Strike::BrokerCrash { keeps } => self.restart_broker(keeps),
            Strike::DeliveryLost { hand } => self.lose_delivery(hand),
            Strike::SettleLost { hand } => self.lose_settle(hand),
            Strike::ConsumerCrash { consumer } => self.restart_consumer(ConsumerId(consumer)),
            Strike::LeaseExpiry { hand } if !self.follows_cursor() => self.broker.end_lease(hand.position),
            Strike::LeaseExpiry { .. } | Strike::Rebalance => self.pass_cursor(),
            Strike::DedupForgotten => self.broker.forget_seen(),
            Strike::HandlerFails { hand } => self.handle(hand, |_| Err(HandlerFailed)),
            Strike::Poison { message } => self.poisoned = Some(message),
            Strike::Rewind { position } => self.rewind(position),
            Strike::HandlerCrashes { message } => self.crashing = Some(message),
            Strike::DeadLetterLost { position } | Strike::RecordExpired { position } => {
                self.broker.drop_record(position).expect("the disk works");
            }
            Strike::Redrive { position } => self.broker.redrive(position).expect("the disk works"),
            Strike::CommitReordered { message } => {
                self.delayed = Some(message);
                self.submitted = message.0;
            }
            Strike::Failover { keeps } => {
                self.fail_over(keeps);
                self.broker.take_over().expect("the disk works");
            }
            Strike::GroupForgotten => self.forget_group(),
        }
    }

    /// Every fault that is possible now.
    pub(super) fn strikes(&self) -> Vec<Strike> {
        let targets = self.targets();
        let of_kind = |fault| targets.iter().filter_map(move |target| Strike::at(fault, *target));
        Fault::ALL.into_iter().flat_map(of_kind).filter(|strike| self.check_strike(*strike).is_ok()).collect()
    }

    /// Everything in this world that a fault can name.
    fn targets(&self) -> Vec<Target> {
        let end = self.broker.log().end().0;
        let held = self.consumers.iter().flat_map(|consumer| consumer.hands().map(|(id, _)| id));
        let hands = self.hand_offs.keys().chain(held).map(|id| Target::Delivery(self.hand(id)));
        let messages = (1..=self.messages).map(|message| Target::Message(MessageId(message)));
        let consumers = self.consumers.iter().map(|consumer| Target::Consumer(consumer.id().0));
        let positions = (0..end).map(|position| Target::Position(Position(position)));
        let records = (0..=end).map(Target::Records);
        std::iter::once(Target::Nothing)
            .chain(messages)
            .chain(records)
            .chain(positions)
            .chain(consumers)
            .chain(hands)
            .collect()
    }

    fn is_oldest(&self, wanted: MessageId) -> bool {
        self.publishes.front().is_some_and(|publish| message(publish) == wanted)
    }

    /// An attempt at the message is on the wire.
    pub fn is_on_wire(&self, wanted: MessageId) -> bool {
        self.publishes.iter().any(|publish| message(publish) == wanted)
    }

    /// An ack of the message is on its way.
    pub fn ack_is_on_way(&self, message: MessageId) -> bool {
        self.replies.get(&message).is_some_and(|reply| matches!(reply.verdict, Verdict::Acked(_)))
    }

    /// There is unfinished work, and the broker has answered what it received: it serves requests in their order, so
    /// the successor's registration comes after them.
    fn producer_can_crash(&self) -> bool {
        !self.producer.outbox().is_empty() && self.broker.received().is_none_or(|received| received.waiting.is_empty())
    }

    fn broker_can_lose(&self) -> bool {
        let has_hand_to_lose = || self.consumers.iter().flat_map(Consumer::hands).any(|(hand, _)| !self.is_late(hand));
        self.broker.received().is_some()
            || self.broker.needs_sync()
            || self.broker.owes_any()
            || !self.broker.deliveries().rejected().is_empty()
            || !(self.publishes.is_empty() && self.replies.is_empty())
            || !(self.hand_offs.is_empty() && self.settles.is_empty())
            || !self.follows_cursor() && has_hand_to_lose()
            || self.broker.restart_changes_memory()
    }

    fn can_fail_over(&self, keeps: u64) -> bool {
        let log = self.broker.log();
        let replicated = match self.constants.pipeline.broker.acks {
            Acks::Replicated => log.synced().0,
            Acks::Never | Acks::OnReceipt | Acks::AfterSync => 0,
        };
        (replicated..=log.end().0).contains(&keeps) && (keeps < log.end().0 || self.broker_can_lose())
    }

    fn consumer_can_lose(&self, consumer: u8) -> bool {
        let Some(consumer) = self.consumers.get(usize::from(consumer)) else {
            return false;
        };
        if self.broker.deliveries().owner().0 == consumer.id() && self.broker.would_skip() {
            return true;
        }
        let is_for_it = self.hand_offs.values().any(|hand_off| hand_off.consumer == consumer.id());
        is_for_it || consumer.hands().next().is_some() || !consumer.inbox().is_needless(&self.safe())
    }

    /// The positions that neither broker nor inventory can forget, or that are set aside.
    fn safe(&self) -> Positions {
        let mut safe = self.broker.deliveries().durable().clone();
        safe.extend(self.broker.deliveries().dead());
        safe.extend(self.inventory.finished_positions());
        safe
    }

    fn can_expire(&self, hand: DeliveryRef) -> bool {
        let has_heir = !self.follows_cursor() || self.consumers.len() > 1;
        let repeats = self.constants.pipeline.broker.delivers == Delivers::UntilSettled;
        !hand.is_late() && self.find(hand).is_some() && has_heir && repeats
    }

    /// The group follows a cursor, whose owner has a delivery in hand, or has finished one and not committed it.
    fn can_pass_on(&self) -> bool {
        let has_heir = self.follows_cursor() && self.consumers.len() > 1;
        let repeats = self.constants.pipeline.broker.delivers == Delivers::UntilSettled;
        let in_hand = self.hand_offs.keys().chain(self.consumers.iter().flat_map(Consumer::hands).map(|it| it.0));
        let (owner, _) = self.broker.deliveries().owner();
        let has_finished = || !self.consumers[usize::from(owner.0)].inbox().done().minus(&self.safe()).is_empty();
        has_heir && repeats && (in_hand.into_iter().any(|hand| !self.is_late(hand)) || has_finished())
    }

    fn can_rewind(&self, to: Position) -> bool {
        let deliveries = self.broker.deliveries();
        let (owner, _) = deliveries.owner();
        let is_marked = deliveries.settled().contains(to)
            || deliveries.was_handed_off(to)
            || deliveries.leases().is_leased(to)
            || self.consumers[usize::from(owner.0)].inbox().done().contains(to)
            || self.inventory.finished_positions().contains(to);
        // A dead letter stays one: to go back to it is to go back to the position after it.
        let is_repeated = is_marked && !deliveries.dead().contains(to);
        let log = self.broker.log();
        is_repeated && (log.start()..log.synced()).contains(&to)
    }

    fn can_lose_dead_letter(&self, position: Position) -> bool {
        let is_next = self.check_move(Move::DeadLetter { position }).is_ok();
        is_next && self.constants.pipeline.broker.dead_lettering == DeadLettering::AtMostOnce
    }

    fn is_dead_letter(&self, position: Position) -> bool {
        let deliveries = self.broker.deliveries();
        deliveries.dead().contains(position) && !deliveries.vanished().contains(position)
    }

    /// The record is durable, and neither settled nor set aside, nor done with when it was handed off.
    fn can_expire_record(&self, position: Position) -> bool {
        let deliveries = self.broker.deliveries();
        let is_done_with = deliveries.settled().contains(position)
            || deliveries.dead().contains(position)
            || self.inventory.finished_positions().contains(position)
            || !self.follows_cursor() && deliveries.handed().contains(position);
        position < self.broker.log().synced() && !is_done_with
    }

    /// The group has a place in the broker's ledger that it would lose. Whoever keeps its positions itself has none there.
    fn group_can_lose(&self) -> bool {
        if self.constants.pipeline.consumer.settles == Settles::WithEffect {
            return false;
        }
        let (log, deliveries) = (self.broker.log(), self.broker.deliveries());
        let skips = self.constants.pipeline.broker.new_group == NewGroup::Latest && log.synced() > Position(0);
        let has_place =
            !deliveries.settled().is_empty() || !deliveries.rejected().is_empty() || deliveries.has_handed_off();
        let has_leases = deliveries.leases().live().next().is_some();
        let has_done =
            self.consumers.iter().any(|consumer| !consumer.inbox().done().minus(deliveries.dead()).is_empty());
        skips || has_place || has_leases || has_done
    }

    fn forget_group(&mut self) {
        let generation = self.broker.forget_group().expect("the disk works");
        self.inventory.fence(generation).expect("the disk works");
        self.consumers.iter_mut().for_each(|consumer| consumer.handle_rewound(generation));
    }

    fn leave_straggler(&mut self, wanted: MessageId) {
        let publish = self.publishes.iter().find(|publish| message(publish) == wanted);
        self.stragglers.push(publish.expect("the attempt is on the wire").clone());
    }

    fn lose_delivery(&mut self, hand: DeliveryRef) {
        let (id, _) = self.find(hand).expect("the hand-off is on the wire");
        self.hand_offs.remove(&id);
        self.broker.release(id);
    }

    fn lose_settle(&mut self, hand: DeliveryRef) {
        for (id, consumer) in self.settled_with(hand) {
            self.settles.remove(&id);
            self.consumer_mut(consumer).time_out(id);
        }
    }

    /// The ownership of a cursor ends: the other consumer takes over.
    fn pass_cursor(&mut self) {
        let (owner, _) = self.broker.deliveries().owner();
        let heir = ConsumerId(1 - owner.0);
        let generation = self.broker.pass_to(heir).expect("the disk works");
        self.inventory.fence(generation).expect("the disk works");
        self.consumer_mut(heir).take_over(generation);
        self.broker.place_group().expect("the disk works");
        self.take_up_stored();
    }

    fn rewind(&mut self, to: Position) {
        let generation = self.broker.rewind(to).expect("the disk works");
        self.inventory.fence(generation).expect("the disk works");
        let (owner, _) = self.broker.deliveries().owner();
        let inventory = &mut self.inventory;
        self.consumers[usize::from(owner.0)].rewind(to, generation, inventory).expect("the disk works");
        self.consumers.iter_mut().for_each(|consumer| consumer.handle_rewound(generation));
        self.take_up_stored();
    }

    /// Where consumers keep their positions in the group's store, a new generation goes by what is there.
    fn take_up_stored(&mut self) {
        let inventory = &self.inventory;
        self.consumers.iter_mut().for_each(|consumer| consumer.resume(inventory).expect("the disk works"));
    }
}
