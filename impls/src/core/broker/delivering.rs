//! The broker's delivering side: hands positions off, records settles, and dead-letters what was delivered too often.

use delivery_model::pipeline::{self, DeadLettering, HandsOff, NewGroup, RecordsSettles, Settles};
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
use crate::data::record::Record;
use crate::store::{Covers, Generation, Journal, StoreError};

impl<J: Journal, S: BrokerSteps> Broker<J, S> {
    /// What comes next, and for whom: the lowest position that a consumer with a free worker may have. Nothing where the
    /// group is too far ahead of what is not settled.
    pub fn next(&self) -> Option<(ConsumerId, Next)> {
        let (consumer, has) = self.with_free_worker()?;
        let next = self.next_for(consumer, &[has])?;
        let (Next::HandOff(position) | Next::DeadLetter(position)) = next;
        self.has_room(position).then_some((consumer, next))
    }

    /// What this consumer should get, were one of its workers free, or where it asks for one delivery at a time: the lowest
    /// position that it may have. `has`: what it has done or keeps as finished itself, which matters where it follows a cursor. Nothing, as long as the ledger has
    /// no room for the broker's start.
    pub fn next_for(&self, consumer: ConsumerId, has: &[&Positions]) -> Option<Next> {
        if self.start.is_some() {
            return None;
        }
        let end = match self.settings.hands_off {
            HandsOff::Synced => self.steps.hands_off_below(&self.log),
            HandsOff::Appended => self.log.end(),
        };
        let of = self.log.start()..end;
        if of.is_empty() {
            return None;
        }
        let deliveries_max = self.steps.deliveries_max(self.settings.max_deliveries);
        self.steps.next(&self.deliveries, &Candidates { consumer, has, of, deliveries_max })
    }

    fn has_room(&self, position: Position) -> bool {
        self.deliveries.subscription() == Subscription::Cursor
            || position.0 < self.deliveries.first_unfinished(self.log.start()).0.saturating_add(self.tuning.ahead_max)
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
        self.subscribers.occupy(consumer, hand);
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
        match self.settings.dead_lettering {
            DeadLettering::WithSettle | DeadLettering::AtMostOnce => self.note(&[Entry::DeadLettered(position)])?,
            DeadLettering::AtLeastOnce => self.deliveries.set_aside(position),
        }
        if self.steps.tells_of_dead_letters() {
            self.reports.push_back(Report::of(EventKind::DeadLetter { message, group: GROUP }));
        }
        Ok(())
    }

    /// Drops a record, which is not handed off (again): it expired, or its dead letter was lost on the way.
    pub fn drop_record(&mut self, position: Position) -> Result<(), StoreError> {
        self.note(&[Entry::Dropped(position)])
    }

    /// A dead letter is put back: its record is appended again, durably.
    ///
    /// # Panics
    /// If the position is not in the log.
    pub fn redrive(&mut self, position: Position) -> Result<(), StoreError> {
        let record = self.log.at(position).expect("a dead letter is kept").clone();
        self.republish(record)?;
        self.note(&[Entry::PutBack(position)])
    }

    /// Appends a copy of a record, durably. It is stored although its identity is known.
    pub fn republish(&mut self, record: Record) -> Result<(), StoreError> {
        let identity = record.identity;
        let position = self.log.append(record)?;
        self.steps.remember_stored(&mut self.memory, position, identity);
        self.steps.sync_copy(&mut self.log)
    }

    /// Takes in that the handler of a delivery failed, and that its position is to be set aside. Like a settle, that is refused
    /// once the lease has ended; always so where positions are handed off only once, as their records may be dropped by then.
    pub fn reject(&mut self, hand: DeliveryId) {
        let is_checked =
            self.settings.leases == pipeline::Leases::Checked || self.settings.delivers == pipeline::Delivers::Once;
        let is_there = hand.position < self.log.end();
        if is_there && (!is_checked || self.deliveries.leases().is_live(hand)) {
            self.deliveries.reject(hand.position);
        }
        self.release(hand);
    }

    /// Voids what the ledger says of positions beyond the log, after a follower took over whose log is shorter.
    pub fn take_over(&mut self) -> Result<(), StoreError> {
        self.note(&[Entry::Truncated(self.log.end())])
    }

    /// Forgets the group's position. The group begins anew where the settings say, and every lease ends.
    pub fn forget_group(&mut self) -> Result<Generation, StoreError> {
        let latest = match self.settings.new_group {
            NewGroup::Earliest => Position(0),
            NewGroup::Latest => self.log.synced(),
        };
        self.reset_group(Entry::Forgotten, Positions::below(latest))
    }

    /// Records a settle that arrived at this instant; refuses it if its lease had ended by then. If the settle finishes the
    /// delivery, its worker is free in both cases.
    ///
    /// The instant of arrival decides, not the instant of this call. So the driver calls
    /// [`handle_timeout`](Broker::handle_timeout) with an instant only after it has passed in all inputs that arrived before.
    pub fn settle(&mut self, at: Millis, request: SettleRequest) -> Result<SettleOutcome, StoreError> {
        if request.finishes {
            self.handle_free(request.hand);
        }
        if self.deliveries.leases().ends(request.hand).is_some_and(|ends| self.steps.is_over(ends, at)) {
            self.deliveries.leases_mut().end(request.hand.position);
            self.subscribers.free(request.hand);
        }
        if request.covers.end() > self.log.end() {
            // The log has lost it, and no other record has taken its position.
            if request.finishes {
                self.deliveries.leases_mut().give_back(request.hand);
            }
            return Ok(SettleOutcome::Refused);
        }
        let is_checked = self.settings.leases == pipeline::Leases::Checked;
        if is_checked && !self.steps.admits_settle(&self.deliveries, request.hand) {
            return Ok(SettleOutcome::Refused);
        }
        let covers = self.steps.recorded(request.covers);
        if self.steps.records_settles(self.settings.records_settles) == RecordsSettles::AfterSync {
            match covers {
                // The usual settle takes no heap.
                Covers::One(position) => self.note(self.deliveries.newly_settled_at(position).as_slice())?,
                Covers::Below(_) => self.note(&self.deliveries.newly_settled(covers))?,
            }
        }
        self.deliveries.settle_in_memory(covers);
        if request.finishes {
            self.deliveries.leases_mut().give_back(request.hand);
        }
        Ok(SettleOutcome::Ok)
    }

    /// Ends a delivery that the consumer gives up or has finished. Its worker is free. A position that was not settled may
    /// be handed off again.
    pub fn release(&mut self, hand: DeliveryId) {
        self.handle_free(hand);
        self.steps.give_back(self.deliveries.leases_mut(), hand);
    }

    /// Whether this hand-off may still settle.
    pub fn is_live(&self, hand: DeliveryId) -> bool {
        self.deliveries.leases().is_live(hand)
    }

    /// The lease of a position ends under its holder, which is still at work.
    pub fn end_lease(&mut self, position: Position) {
        self.steps.end_lease(self.deliveries.leases_mut(), position);
    }

    /// The owner of a cursor is taken for dead: another consumer takes over, everything that the old one still has
    /// comes late, and the new generation must be let in where effects are stored.
    pub fn pass_to(&mut self, consumer: ConsumerId) -> Result<Generation, StoreError> {
        let generation = Generation(self.deliveries.owner().1.0 + 1);
        self.note(&[Entry::Owned(consumer, generation)])?;
        self.deliveries.leases_mut().end_all();
        Ok(generation)
    }

    /// The group is reset: this position and all later ones are to be delivered again. Every lease ends: what is in hand
    /// comes late. Where the group follows a cursor it stays its owner's, in a new generation, which must be let in where
    /// effects are stored.
    pub fn rewind(&mut self, to: Position) -> Result<Generation, RewindError> {
        let (start, end) = (self.log.start(), self.log.end());
        if to < start || to > end {
            return Err(RewindError::NotInLog { to, start, end });
        }
        self.subscribers.go_back(to);
        Ok(self.reset_group(Entry::Rewound(to), Positions::default())?)
    }

    /// Gives a position to a group that follows a cursor and has none, before a consumer joins it.
    pub fn place_group(&mut self) -> Result<(), StoreError> {
        if self.would_skip() {
            self.note(&[Entry::Settled(Position(0), self.log.synced())])?;
        }
        Ok(())
    }

    /// Whether a consumer that joins now would pass over what is in the log.
    pub fn would_skip(&self) -> bool {
        let is_at_broker = self.deliveries.subscription() == Subscription::Cursor && !self.is_settled_elsewhere();
        let is_there_something = self.log.synced() > Position(0);
        let is_latest = self.settings.new_group == NewGroup::Latest;
        is_at_broker && is_latest && is_there_something && !self.steps.is_placed(&self.deliveries)
    }

    /// Resets the group as this entry says, and passes over these positions. Every lease ends.
    fn reset_group(&mut self, reset: Entry, passed: Positions) -> Result<Generation, StoreError> {
        let (owner, Generation(generation)) = self.deliveries.owner();
        let incarnation = self.steps.incarnation_after_rewind(self.deliveries.leases().incarnation());
        let mut entries = vec![Entry::Started(incarnation)];
        if self.deliveries.subscription() == Subscription::Cursor {
            entries.push(Entry::Owned(owner, Generation(generation + 1)));
        }
        entries.push(reset);
        let passed = passed.minus(self.deliveries.dead());
        entries.extend(passed.runs().map(|(start, end)| Entry::Settled(start, end)));
        self.note(&entries)?;
        *self.deliveries.leases_mut() = Leases::new(incarnation);
        Ok(self.deliveries.owner().1)
    }

    /// Whether the group's consumers store finished positions themselves.
    pub fn is_settled_elsewhere(&self) -> bool {
        self.settles == Settles::WithEffect
    }

    /// Ends every lease that expires at or before this instant. The worker of such a lease counts as free. All inputs that
    /// arrived before this instant must have been passed in.
    pub fn handle_timeout(&mut self, now: Millis) {
        let ended = self.deliveries.leases_mut().end_over(|ends| self.steps.is_over(ends, now));
        ended.into_iter().for_each(|delivery| self.subscribers.free(delivery));
    }

    /// When to call [`handle_timeout`](Broker::handle_timeout) again, if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Millis> {
        self.deliveries.leases().poll_timeout()
    }
}
