//! From the log to the consumers: hand off, record what they settle, set aside what nobody manages.

use delivery_model::pipeline::{self, RecordsSettles, Settles};
use delivery_model::vocab::{EventKind, Position, SettleOutcome};

use super::{Broker, RewindError};
use crate::core::deliveries::{Candidates, Next, Subscription};
use crate::core::delivery::{ConsumerId, DeliveryId, GROUP, HandOff, SettleRequest};
use crate::core::leases::Leases;
use crate::core::ledger::Entry;
use crate::core::report::Report;
use crate::core::steps::BrokerSteps;
use crate::core::time::Millis;
use crate::data::positions::Positions;
use crate::store::{Generation, Journal, StoreError};

impl<J: Journal, S: BrokerSteps> Broker<J, S> {
    /// What a consumer with a free worker should get: the lowest position that it may have. `has`: what it holds, has
    /// done or keeps as finished itself, which matters where it follows a cursor. Nothing, as long as the ledger has no
    /// room for the broker's start.
    pub fn next(&self, consumer: ConsumerId, has: &[&Positions]) -> Option<Next> {
        if self.start.is_some() {
            return None;
        }
        let of = self.log.start()..self.steps.hands_off_below(&self.log);
        let deliveries_max = self.steps.deliveries_max(self.settings.max_deliveries);
        self.steps.next(&self.deliveries, &Candidates { consumer, has, of, deliveries_max })
    }

    /// Hands off what [`next`](Broker::next) named. Where hand-offs happen once or are counted, it is in the ledger
    /// first.
    ///
    /// # Panics
    /// If the position is not in the log or is leased.
    pub fn hand_off(&mut self, now: Millis, position: Position, consumer: ConsumerId) -> Result<HandOff, StoreError> {
        let entry = Entry::HandedOff(position);
        if self.deliveries.must_record_hand_off() {
            self.steps.record_hand_off(&mut self.ledger, entry)?;
        }
        self.deliveries.apply(entry);
        let hand = self.deliveries.grant(position, consumer, now + self.tuning.lease);
        Ok(HandOff {
            hand,
            consumer,
            generation: self.deliveries.owner().1,
            delivery: self.deliveries.delivery_number(position),
            record: self.log.at(position).expect("a position in the log").clone(),
        })
    }

    /// Sets aside what [`next`](Broker::next) named.
    ///
    /// # Panics
    /// If the position is not in the log.
    pub fn dead_letter(&mut self, position: Position) -> Result<(), StoreError> {
        let message = self.log.at(position).expect("a position in the log").message;
        self.note(&[Entry::DeadLettered(position)])?;
        self.reports.push_back(Report::of(EventKind::DeadLetter { message, group: GROUP }));
        Ok(())
    }

    /// Records a settle, or refuses it because its lease has ended.
    pub fn settle(&mut self, request: SettleRequest) -> Result<SettleOutcome, StoreError> {
        let is_checked = self.settings.leases == pipeline::Leases::Checked;
        if is_checked && !self.steps.admits_settle(&self.deliveries, request.hand) {
            return Ok(SettleOutcome::Refused);
        }
        if self.steps.records_settles(self.settings.records_settles) == RecordsSettles::AfterSync {
            self.note(&self.deliveries.newly_settled(request.covers))?;
        }
        self.deliveries.settle_in_memory(request.covers);
        if request.finishes {
            self.release(request.hand);
        }
        Ok(SettleOutcome::Ok)
    }

    /// The consumer is over with a hand-off; unless it settled, the position may be handed off again.
    pub fn release(&mut self, hand: DeliveryId) {
        self.deliveries.leases_mut().give_back(hand);
    }

    /// Whether this hand-off may still settle.
    pub fn is_live(&self, hand: DeliveryId) -> bool {
        self.deliveries.leases().is_live(hand)
    }

    /// The lease of a position ends under its holder.
    pub fn end_lease(&mut self, position: Position) {
        self.steps.end_lease(self.deliveries.leases_mut(), position);
    }

    /// A consumer is gone, and everything that it held is free.
    pub fn end_leases_of(&mut self, consumer: ConsumerId) {
        self.deliveries.leases_mut().end_of_consumer(consumer);
    }

    /// The owner of a cursor is taken for dead: another consumer takes over, everything that the old one still has
    /// comes late, and the new generation must be let in where effects are stored.
    pub fn pass_to(&mut self, consumer: ConsumerId) -> Result<Generation, StoreError> {
        let generation = Generation(self.deliveries.owner().1.0 + 1);
        self.note(&[Entry::Owned(consumer, generation)])?;
        self.deliveries.leases_mut().end_all();
        Ok(generation)
    }

    /// A consumer of a cursor goes on over a restart of the broker with what it was working on.
    pub fn resume(&mut self, now: Millis, hand: DeliveryId, consumer: ConsumerId) {
        debug_assert_eq!(self.deliveries.subscription(), Subscription::Cursor);
        let ends = now + self.tuning.lease;
        self.deliveries.leases_mut().resume(hand, consumer, ends);
    }

    /// The group is reset: this position and all later ones are to be delivered again. Every lease ends: what is in hand
    /// comes late. Where the group follows a cursor it stays its owner's, in a new generation, which must be let in where
    /// effects are stored.
    pub fn rewind(&mut self, to: Position) -> Result<Generation, RewindError> {
        let (start, end) = (self.log.start(), self.log.end());
        if to < start || to > end {
            return Err(RewindError::NotInLog { to, start, end });
        }
        let (owner, Generation(generation)) = self.deliveries.owner();
        let incarnation = self.steps.incarnation_after_rewind(self.deliveries.leases().incarnation());
        let renewed = Entry::Started(incarnation);
        let entries = match self.deliveries.subscription() {
            Subscription::Cursor => &[renewed, Entry::Owned(owner, Generation(generation + 1)), Entry::Rewound(to)][..],
            Subscription::Leased => &[renewed, Entry::Rewound(to)],
        };
        self.note(entries)?;
        *self.deliveries.leases_mut() = Leases::new(incarnation);
        Ok(self.deliveries.owner().1)
    }

    /// Whether the group's consumers store finished positions themselves.
    pub fn is_settled_elsewhere(&self) -> bool {
        self.settles == Settles::WithEffect
    }

    /// Ends every lease whose time is over.
    pub fn handle_timeout(&mut self, now: Millis) {
        self.deliveries.leases_mut().handle_timeout(now);
    }

    /// When to call [`handle_timeout`](Broker::handle_timeout) again, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Millis> {
        self.deliveries.leases().poll_timeout()
    }
}
