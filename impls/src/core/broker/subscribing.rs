//! The connected consumers: what they report, what each may be handed next, and when the broker is drained.

use delivery_model::vocab::Position;

use super::Broker;
use crate::core::deliveries::Subscription;
use crate::core::delivery::{ConsumerId, DeliveryId, SettleRequest};
use crate::core::steps::BrokerSteps;
use crate::core::subscribers::Subscriber;
use crate::core::time::Millis;
use crate::data::positions::Positions;
use crate::store::{Covers, Journal};

/// A consumer reports a position that it may not report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// The log does not have them.
    #[error("the peer settles up to position {found}, but the log ends at {end}")]
    BeyondTheLog {
        /// Up to where it settles.
        found: Position,
        /// One past the last record.
        end: Position,
    },
    /// Its lease is of another position.
    #[error("the peer settles something else than position {leased}, under the lease of that one")]
    NotItsOwn {
        /// What the lease is of.
        leased: Position,
    },
}

/// The extent of a drain: how long the broker goes on delivering before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Drain {
    /// Until all is delivered, however long that takes.
    Whole,
    /// Until all is delivered, this instant has passed, or every consumer has left or is leaving.
    Until(Millis),
}

/// The way in which a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrainEnd {
    /// No producer is connected, and all that it took in is confirmed and delivered.
    Drained,
    /// Something may be left, which the next incarnation delivers.
    GaveUp,
}

impl<J: Journal, S: BrokerSteps> Broker<J, S> {
    /// A consumer comes, or comes back, with so many workers. `at_work`: what some of them have already, and say when they
    /// are over with. What it held over an earlier connection is free, unless it is [`resume`](Broker::resume)d.
    pub fn subscribe(
        &mut self,
        consumer: ConsumerId,
        workers: u32,
        at_work: impl IntoIterator<Item = DeliveryId>,
        has: Positions,
    ) {
        self.unsubscribe(consumer);
        let at_work = at_work.into_iter().filter(|delivery| self.can_be_at_work(*delivery));
        let at_work = at_work.map(|delivery| (delivery, ())).collect();
        self.subscribers.insert(consumer, Subscriber { workers, at_work, has, ..Subscriber::default() });
    }

    /// A consumer is gone, and everything that it held is free.
    pub fn unsubscribe(&mut self, consumer: ConsumerId) {
        self.subscribers.remove(consumer);
        self.steps.end_leases_of(self.deliveries.leases_mut(), consumer);
    }

    /// Renews the lease of a delivery that a cursor's consumer was working on before it connected. Without a cursor, or for a
    /// position that is not in the log, no lease is granted.
    pub fn resume(&mut self, now: Millis, delivery: DeliveryId, consumer: ConsumerId) {
        if self.deliveries.subscription() == Subscription::Cursor && self.can_be_at_work(delivery) {
            let ends = now + self.tuning.lease;
            self.deliveries.leases_mut().resume(delivery, consumer, ends);
        }
    }

    /// Whether a consumer can have this delivery from an earlier connection: its record is in the log, or may have been and was
    /// lost since.
    fn can_be_at_work(&self, delivery: DeliveryId) -> bool {
        self.positions_come_again || delivery.position < self.log.end()
    }

    /// Frees the worker of a delivery. The consumer's settle or release of it is passed in afterwards.
    pub fn handle_free(&mut self, delivery: DeliveryId) {
        self.steps.free(&mut self.subscribers, delivery);
    }

    /// A consumer that follows a cursor has these positions behind it, or at work.
    pub fn handle_has(&mut self, consumer: ConsumerId, has: Positions) {
        if let Some(subscriber) = self.subscribers.of_mut(consumer) {
            subscriber.has = has;
        }
    }

    /// Takes in that a consumer has durably finished all positions below this one in its own store. A position beyond the log
    /// is an error: records that do not exist yet would be dropped.
    pub fn handle_finished(&mut self, consumer: ConsumerId, end: Position) -> Result<(), Misplaced> {
        self.within_log(end)?;
        if let Some(subscriber) = self.subscribers.of_mut(consumer) {
            subscriber.finished.insert_below(end);
        }
        Ok(())
    }

    /// Whether a settle is of positions that there are and that its lease is of.
    pub fn check_settle(&self, request: &SettleRequest) -> Result<(), Misplaced> {
        let leased = request.hand.position;
        if !self.positions_come_again {
            self.within_log(request.covers.end())?;
        }
        let is_its_own =
            self.deliveries.subscription() == Subscription::Cursor || request.covers == Covers::One(leased);
        if is_its_own { Ok(()) } else { Err(Misplaced::NotItsOwn { leased }) }
    }

    /// A consumer may speak of positions up to the end of the log.
    fn within_log(&self, found: Position) -> Result<(), Misplaced> {
        let end = self.log.end();
        if found > end { Err(Misplaced::BeyondTheLog { found, end }) } else { Ok(()) }
    }

    /// A consumer is about to leave, and gets nothing more.
    pub fn handle_leave(&mut self, consumer: ConsumerId) {
        if let Some(subscriber) = self.subscribers.of_mut(consumer) {
            subscriber.workers = 0;
        }
    }

    /// The first consumer that may be handed something and has a worker free, and what it is not to be handed.
    pub(super) fn with_free_worker(&self) -> Option<(ConsumerId, &Positions)> {
        let mut is_free = self
            .takers()
            .filter(|(_, subscriber)| self.steps.has_free_worker(subscriber.at_work.len(), subscriber.workers));
        is_free.next().map(|(consumer, subscriber)| (consumer, &subscriber.has))
    }

    /// The connected consumers that may be handed something: all of them, or the owner of a cursor.
    fn takers(&self) -> impl Iterator<Item = (ConsumerId, &Subscriber)> {
        let is_cursor = self.deliveries.subscription() == Subscription::Cursor;
        let (owner, _) = self.deliveries.owner();
        self.subscribers.iter().filter(move |(consumer, _)| !is_cursor || *consumer == owner)
    }

    /// The positions that the connected consumers have durably finished in their own stores.
    pub fn finished_elsewhere(&self) -> Positions {
        let mut finished = Positions::default();
        if self.is_settled_elsewhere() {
            self.subscribers.iter().for_each(|(_, subscriber)| finished.extend(&subscriber.finished));
        }
        finished
    }

    /// The committed positions, for the owner of a cursor, if they changed since the last call.
    pub fn poll_committed(&mut self) -> Option<Positions> {
        if self.deliveries.subscription() != Subscription::Cursor {
            return None;
        }
        let subscriber = self.subscribers.of_mut(self.deliveries.owner().0)?;
        let committed = self.deliveries.committed();
        (committed != subscriber.told).then(|| {
            subscriber.told.clone_from(&committed);
            committed
        })
    }

    /// The broker is to end once it is drained.
    pub fn drain(&mut self, drain: Drain) {
        self.draining = Some(drain);
    }

    /// Whether a broker that drains ends now, and how.
    pub fn drain_end(&self, now: Millis) -> Option<DrainEnd> {
        let drain = self.draining?;
        let has_active_consumer = || self.subscribers.iter().any(|(_, subscriber)| subscriber.workers > 0);
        match drain {
            _ if self.connected.is_empty() && self.is_drained() => Some(DrainEnd::Drained),
            Drain::Until(deadline) if now > deadline || !has_active_consumer() => Some(DrainEnd::GaveUp),
            Drain::Whole | Drain::Until(_) => None,
        }
    }

    /// Whether the broker is drained: everything stored is durable and confirmed, a consumer is connected, no lease is live,
    /// and nothing is left to hand off.
    fn is_drained(&self) -> bool {
        let is_durable = !self.needs_sync() && !self.owes_any();
        is_durable && self.is_delivered()
    }

    fn is_delivered(&self) -> bool {
        let mut left =
            self.takers().map(|(consumer, subscriber)| self.next_for(consumer, &[&subscriber.has])).peekable();
        let is_somebody_there = left.peek().is_some();
        is_somebody_there && left.all(|next| next.is_none()) && self.deliveries.leases().live().next().is_none()
    }
}
