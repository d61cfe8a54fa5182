//! What each fault does to wires and parties.

use super::*;

impl<P: Producer, B: Broker, C: Consumer> World<'_, P, B, C> {
    /// A planned fault strikes at the point that was just passed. False if there is nothing that it could befall, or if the
    /// party knows no such thing.
    pub(super) fn strike(&mut self, planned: PlannedFault, about: &About, index: usize) -> bool {
        let message = about.message;
        match planned.fault {
            Fault::PublishLost => self.lose_attempt(message),
            Fault::PublishReordered => self.hold_attempt(index),
            Fault::PublishDuplicated => self.copy_attempt(message),
            Fault::ProducerZombie => self.leave_zombie(message),
            Fault::PublishAckLost => self.lose_ack(message),
            Fault::DeliveryLost => self.lose_delivery(about),
            Fault::SettleLost => self.lose_settle(about),
            Fault::ProducerCrash => self.crash_producer("crashes and restarts"),
            Fault::ConsumerCrash => self.crash_consumer(about.consumer),
            Fault::BrokerCrash => self.crash_broker(planned.keeps.unwrap_or_default()),
            Fault::LeaseExpiry => self.end_lease(about),
            Fault::DedupForgotten => self.forget_seen(),
            // They come before their points, and decide what becomes of them; a rewind is left out.
            Fault::PublishRefused | Fault::HandlerFails | Fault::Poison | Fault::Rewind => false,
            // A party says nothing of these, and its world has no second disk.
            Fault::HandlerCrashes
            | Fault::DeadLetterLost
            | Fault::Redrive
            | Fault::CommitReordered
            | Fault::Failover
            | Fault::RecordExpired
            | Fault::GroupForgotten
            | Fault::Rebalance => false,
        }
    }

    fn lose_attempt(&mut self, message: u64) -> bool {
        self.publishes.pop_back();
        let text = format!("publish {message} is lost on the way");
        self.record.fault(Fault::PublishLost, Lane::OrderService, text);
        true
    }

    /// Holds the attempt back until a later one overtakes it; the fault is recorded then.
    fn hold_attempt(&mut self, index: usize) -> bool {
        self.held = self.publishes.pop_back().map(|publish| (index, publish));
        false
    }

    fn copy_attempt(&mut self, message: u64) -> bool {
        self.stragglers.extend(self.publishes.back().cloned());
        let text = format!("the network makes a copy of publish {message}");
        self.record.fault(Fault::PublishDuplicated, Lane::OrderService, text);
        true
    }

    fn leave_zombie(&mut self, message: u64) -> bool {
        self.stragglers.extend(self.publishes.pop_back());
        self.restart_producer();
        let text = format!("is replaced; its old publish {message} lingers on the way");
        self.record.fault(Fault::ProducerZombie, Lane::OrderService, text);
        true
    }

    fn lose_ack(&mut self, message: u64) -> bool {
        self.replies.pop();
        let text = format!("the ack of {message} is lost on the way");
        self.record.fault(Fault::PublishAckLost, Lane::Broker, text);
        true
    }

    /// The hand-off vanishes. A broker that claims an order learns of it at once, as the next one would overtake it;
    /// others wait until its lease ends.
    fn lose_delivery(&mut self, about: &About) -> bool {
        self.deliveries.pop();
        let text = format!("the hand-off of {} is lost", about.message);
        self.record.fault(Fault::DeliveryLost, Lane::Broker, text);
        if self.is_ordered {
            self.watch.released(&about.tag);
            self.tell_broker(ToBroker::Release { consumer: about.consumer, tag: about.tag.clone() });
        }
        true
    }

    /// The settle vanishes; its consumer stops waiting for the answer.
    fn lose_settle(&mut self, about: &About) -> bool {
        self.words.pop();
        let text = format!("the settle of {} is lost on the way", about.message);
        self.record.fault(Fault::SettleLost, Lane::InventoryService, text);
        self.give_up_settle(about.consumer, about.tag.clone());
        true
    }

    fn give_up_settle(&mut self, consumer: u8, tag: String) {
        self.end_settle(consumer, tag, SettleOutcome::Unknown);
    }

    fn crash_producer(&mut self, text: &str) -> bool {
        self.record.fault(Fault::ProducerCrash, Lane::OrderService, text);
        self.restart_producer();
        true
    }

    fn restart_producer(&mut self) {
        self.publishes.clear();
        self.replies.clear();
        self.held = None;
        self.producer.reopen(P::crash, &self.opens.producer);
        self.is_registered = false;
        self.tell_broker(ToBroker::ProducerGone);
    }

    fn crash_consumer(&mut self, consumer: u8) -> bool {
        let text = format!("{}crashes and restarts", moves::prefix(consumer));
        self.record.fault(Fault::ConsumerCrash, Lane::InventoryService, text);
        self.deliveries.retain(|(to, _)| *to != consumer);
        self.words.retain(|(from, _)| *from != consumer);
        let lost: Vec<(u8, String)> = self.settling.keys().filter(|(from, _)| *from == consumer).cloned().collect();
        lost.into_iter().for_each(|(consumer, tag)| self.give_up_settle(consumer, tag));
        self.answers.retain(|(to, ..)| *to != consumer);
        if self.stalled.as_ref().is_some_and(|stalled| stalled.consumer == consumer) {
            self.stalled = None;
        }
        let opens = self.opens;
        let seat = &mut self.consumers[usize::from(consumer)];
        seat.reopen(C::crash, |disk| (opens.consumer)(consumer, disk));
        for &message in &self.poisoned {
            seat.party().suffer(Hardship::Poison(message));
        }
        self.watch.cut(Some(consumer));
        self.tell_broker(ToBroker::ConsumerGone { consumer });
        true
    }

    /// Everything on the wires to and from the broker vanishes with it.
    fn crash_broker(&mut self, keeps: u64) -> bool {
        self.record.fault(Fault::BrokerCrash, Lane::Broker, "crashes and restarts");
        self.publishes.clear();
        self.held = None;
        self.replies.clear();
        self.deliveries.clear();
        self.words.clear();
        self.answers.clear();
        let lost: Vec<(u8, String)> = self.settling.keys().cloned().collect();
        lost.into_iter().for_each(|(consumer, tag)| self.give_up_settle(consumer, tag));
        self.unawaited = None;
        self.broker.reopen(|broker| broker.crash_keeping(keeps), &self.opens.broker);
        self.watch.cut(None);
        self.stir_broker();
        true
    }

    /// Moves the clock to the end of the lease. Its holder is stalled until the message was handed off again, or until no other
    /// party can do anything.
    fn end_lease(&mut self, about: &About) -> bool {
        let is_alone = self.consumers.len() == 1 || self.stalled.is_some();
        let Some(claimed) = self.watch.ends(&about.tag).filter(|_| !is_alone) else { return false };
        let Some(ends) = claimed.or_else(|| self.broker.party().poll_timeout()) else { return false };
        self.now = self.now.max(ends);
        let text = format!("the lease of {} ends, and its holder stands still", about.message);
        self.record.fault(Fault::LeaseExpiry, Lane::Broker, text);
        self.stalled = Some(Stalled { consumer: about.consumer, tag: about.tag.clone(), kept: None });
        self.wake_broker();
        true
    }

    fn forget_seen(&mut self) -> bool {
        let knows_how = self.broker.party().suffer(Hardship::DedupForgotten);
        if knows_how {
            self.record.fault(Fault::DedupForgotten, Lane::Broker, "forgets what it has seen");
            self.stir_broker();
        }
        knows_how
    }

    /// Makes the handler fail on the delivery that the consumer gets next.
    pub(super) fn fail_handler(&mut self, consumer: u8, message: MessageId) -> bool {
        let knows_how = self.consumers[usize::from(consumer)].party().suffer(Hardship::HandlerFails(message));
        if knows_how {
            let text = format!("{}the handler fails on {message}", moves::prefix(consumer));
            self.record.fault(Fault::HandlerFails, Lane::InventoryService, text);
        }
        knows_how
    }

    pub(super) fn poison(&mut self, message: MessageId) -> bool {
        let told = self.consumers.iter_mut().map(|seat| seat.party().suffer(Hardship::Poison(message)));
        let knows_how = told.filter(|knows_how| *knows_how).count() == self.consumers.len();
        if knows_how {
            self.poisoned.push(message);
            let text = format!("order {message} will fail its handler every time");
            self.record.fault(Fault::Poison, Lane::InventoryService, text);
        }
        knows_how
    }
}
