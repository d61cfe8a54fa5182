//! The broker's leases as they show from outside: which consumer was handed what, until when, and which settles counted.

use std::collections::BTreeMap;
use std::time::Duration;

use delivery_model::semantics::PropertyId;
use delivery_model::vocab::{MessageId, SettleOutcome};

use super::Delivery;

/// One hand-off that is not over.
#[derive(Clone, Debug)]
struct Lease {
    message: u64,
    /// Where it stands in the log; a message that was stored twice is two.
    position: Option<u64>,
    consumer: u8,
    ends: Option<Duration>,
    /// The message was handed off again since.
    is_superseded: bool,
}

/// The hand-offs of one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    lasts: Option<Duration>,
    leases: BTreeMap<String, Lease>,
    breaches: Vec<(PropertyId, MessageId)>,
}

impl Watch {
    pub(super) fn new(lasts: Option<Duration>) -> Self {
        Watch { lasts, ..Watch::default() }
    }

    /// Takes in a hand-off. The broker made it at some instant from `since` to `now`. No other consumer may have a live lease of
    /// the message, and no delivery the same tag.
    pub(super) fn hand_off(&mut self, since: Duration, now: Duration, consumer: u8, delivery: &Delivery) {
        let Delivery { message, position, ref tag, .. } = *delivery;
        let is_same = |lease: &Lease| (lease.message, lease.position) == (message, position);
        let is_live = |lease: &Lease| lease.ends.is_some_and(|ends| now < ends) && !lease.is_superseded;
        let is_shared = self.leases.values().any(|lease| is_same(lease) && is_live(lease));
        if is_shared || self.leases.contains_key(tag) {
            self.breaches.push((PropertyId::LeaseExclusive, MessageId(message)));
        }
        self.leases.values_mut().filter(|lease| is_same(lease)).for_each(|lease| lease.is_superseded = true);
        let ends = self.lasts.map(|lasts| since + lasts);
        self.leases.insert(tag.clone(), Lease { message, position, consumer, ends, is_superseded: false });
    }

    /// The broker answered a settle. One that counts is of the latest hand-off.
    pub(super) fn settled(&mut self, tag: &str, outcome: SettleOutcome) {
        let Some(lease) = self.leases.get(tag) else { return };
        if lease.is_superseded && outcome == SettleOutcome::Ok {
            self.breaches.push((PropertyId::StaleSettleRefused, MessageId(lease.message)));
        }
        if outcome == SettleOutcome::Ok {
            self.leases.remove(tag);
        }
    }

    /// The holder gave it back: it may be granted again.
    pub(super) fn released(&mut self, tag: &str) {
        self.leases.remove(tag);
    }

    /// Ends every hand-off to this consumer, or to all consumers.
    pub(super) fn cut(&mut self, consumer: Option<u8>) {
        self.leases.retain(|_, lease| consumer.is_some_and(|consumer| lease.consumer != consumer));
    }

    /// The message of this hand-off was handed off again since.
    pub(super) fn is_superseded(&self, tag: &str) -> bool {
        self.leases.get(tag).is_some_and(|lease| lease.is_superseded)
    }

    /// The end of this hand-off's lease, where one is claimed; none if the lease has ended.
    pub(super) fn ends(&self, tag: &str) -> Option<Option<Duration>> {
        Some(self.leases.get(tag)?.ends)
    }

    pub(super) fn into_breaches(self) -> Vec<(PropertyId, MessageId)> {
        self.breaches
    }
}
