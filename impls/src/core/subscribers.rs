//! The connected consumers: their free workers, the positions that each has, and the commits that each was told.
//!
//! A worker is busy from the hand-off until its consumer says that it is free ([`Subscribers::free`]). The worker of a lease
//! that expired counts as free too, since its consumer may never answer. A consumer that disconnects has no workers.

use delivery_model::vocab::Position;

use super::delivery::{ConsumerId, DeliveryId};
use crate::data::positions::Positions;
use crate::data::small_map::SmallMap;

/// One consumer that is connected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subscriber {
    /// How many deliveries it works on at once. 0: it is about to leave.
    pub workers: u32,
    /// What it was handed and is at work on, as far as the broker knows.
    pub at_work: SmallMap<DeliveryId, ()>,
    /// The positions that it is not to be handed: it follows a cursor, and has them behind it.
    pub has: Positions,
    /// The positions that it has durably finished in its own store.
    pub finished: Positions,
    /// The committed positions that it was last told.
    pub told: Positions,
}

/// The connected consumers of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subscribers {
    by_id: SmallMap<ConsumerId, Subscriber>,
}

impl Subscribers {
    /// Nobody is connected.
    pub fn clear(&mut self) {
        self.by_id.clear();
    }

    /// Forgets what consumers have finished in their own stores from this position on.
    pub fn go_back(&mut self, to: Position) {
        self.by_id.values_mut().for_each(|subscriber| subscriber.finished.truncate(to));
    }

    /// A consumer connects, in the place of what was known of it.
    pub fn insert(&mut self, consumer: ConsumerId, subscriber: Subscriber) {
        self.by_id.insert(consumer, subscriber);
    }

    /// A consumer is gone.
    pub fn remove(&mut self, consumer: ConsumerId) {
        self.by_id.remove(&consumer);
    }

    /// Every consumer that is connected.
    pub fn iter(&self) -> impl Iterator<Item = (ConsumerId, &Subscriber)> {
        self.by_id.iter()
    }

    /// The consumer, if it is connected.
    pub fn of(&self, consumer: ConsumerId) -> Option<&Subscriber> {
        self.by_id.get(&consumer)
    }

    /// The consumer, to change what is known of it.
    pub fn of_mut(&mut self, consumer: ConsumerId) -> Option<&mut Subscriber> {
        self.by_id.get_mut(&consumer)
    }

    /// A worker of the consumer gets a delivery.
    pub fn occupy(&mut self, consumer: ConsumerId, delivery: DeliveryId) {
        if let Some(subscriber) = self.of_mut(consumer) {
            subscriber.at_work.insert(delivery, ());
        }
    }

    /// The worker that had this delivery is free.
    pub fn free(&mut self, delivery: DeliveryId) {
        for subscriber in self.by_id.values_mut() {
            subscriber.at_work.remove(&delivery);
        }
    }
}
