//! The broker's side of its consumer: hand off while it has free workers, take in what it settles.
//!
//! A worker counts as busy from the hand-off until the consumer settles or releases it, or its lease ends. A consumer
//! that follows a cursor tells which positions it has behind it, and is told what is committed.
//!
//! Whatever the core decides about leases, [`leasing`](super::leasing) is told.

use std::collections::BTreeSet;

use delivery_model::schedule::StepWord;
use delivery_model::vocab::{MessageId, Position, SettleOutcome};

use super::super::faults::Role;
use super::super::link::QUEUE_FRAMES;
use super::super::run::Interrupt;
use super::super::wire::{FromBroker, ToBroker};
use super::connections::{Reason, Standing};
use super::leasing::PendingSettle;
use super::{Incarnation, failed};
use crate::core::deliveries::{Next, Subscription};
use crate::core::delivery::{ConsumerId, DeliveryId, SettleRequest};
use crate::core::steps::Steps;
use crate::core::time::Millis;
use crate::data::positions::Positions;
use crate::store::Covers;

/// More hand-offs at once than a link's queue has room for would cut off the consumer that asked for them.
const WORKERS: u32 = QUEUE_FRAMES as u32 / 2;

/// The consumer that is connected.
pub(super) struct Subscriber {
    pub connection: u64,
    pub consumer: ConsumerId,
    /// 0: it is about to leave.
    workers: usize,
    /// What it was handed and is at work on, as far as the broker knows.
    at_work: BTreeSet<DeliveryId>,
    has: Positions,
    /// What it was told is committed.
    committed: Positions,
    /// What it has finished for good, where it keeps that itself.
    pub finished: Positions,
}

impl<S: Steps> Incarnation<'_, S> {
    /// Takes in what a consumer says. A settle may have begun as it came in ([`Leasing::admit`](super::leasing::Leasing::admit)).
    pub(super) fn hear_consumer(
        &mut self,
        connection: u64,
        said: ToBroker,
        begun: Option<PendingSettle>,
    ) -> Result<(), Interrupt> {
        if let ToBroker::Subscribe { consumer, workers, hands, has } = said {
            // There is one consumer: a second one takes over, and the first must not wait for ever for what never comes.
            self.send_away(&Reason::Replaced);
            let (workers, committed) = (workers.min(WORKERS) as usize, Positions::default());
            let at_work = self.take_over(consumer, hands);
            self.becomes(connection, Standing::Consumer);
            let finished = Positions::default();
            self.subscriber = Some(Subscriber { connection, consumer, workers, at_work, has, committed, finished });
            return Ok(());
        }
        // What a replaced connection still says comes too late: its leases have ended.
        let Some(subscriber) = self.subscriber.as_mut().filter(|subscriber| subscriber.connection == connection) else {
            return Ok(());
        };
        match said {
            ToBroker::Settle(request) => self.take_settle(connection, request, begun),
            ToBroker::Release(hand) => {
                subscriber.at_work.remove(&hand);
                self.core.release(hand);
                self.leasing.end(hand);
                Ok(())
            }
            ToBroker::Has(positions) => {
                subscriber.has = positions;
                Ok(())
            }
            ToBroker::Finished(end) => {
                // Beyond the log, it would let go of messages that nobody has submitted yet.
                match within(self.core.log().end(), end) {
                    Ok(()) => subscriber.finished.insert_below(end),
                    Err(reason) => self.cut_off(connection, &reason),
                }
                Ok(())
            }
            ToBroker::Leave => {
                subscriber.workers = 0;
                self.say(connection, &FromBroker::Left);
                Ok(())
            }
            ToBroker::Subscribe { .. }
            | ToBroker::Hello(_)
            | ToBroker::Settings { .. }
            | ToBroker::Register { .. }
            | ToBroker::Publish(_)
            | ToBroker::Rewind(_) => unreachable!("a consumer may not say it"),
        }
    }

    fn take_settle(
        &mut self,
        connection: u64,
        request: SettleRequest,
        begun: Option<PendingSettle>,
    ) -> Result<(), Interrupt> {
        if let Err(reason) = self.may_settle(&request) {
            self.cut_off(connection, &reason);
            return Ok(());
        }
        if let Some(subscriber) = self.subscriber.as_mut().filter(|_| request.finishes) {
            subscriber.at_work.remove(&request.hand);
        }
        self.hand_off()?;
        self.settle(connection, request, begun)
    }

    /// Whether a settle is of positions that there are and that its lease is of.
    fn may_settle(&self, request: &SettleRequest) -> Result<(), Reason> {
        let leased = request.hand.position;
        within(
            self.core.log().end(),
            match request.covers {
                Covers::One(position) => Position(position.0.saturating_add(1)),
                Covers::Below(end) => end,
            },
        )?;
        let is_its_own = self.is_cursor() || request.covers == Covers::One(leased);
        if is_its_own { Ok(()) } else { Err(Reason::NotItsOwn { leased }) }
    }

    /// The consumer that is there, if there is one, is to be there no more.
    pub(super) fn send_away(&mut self, reason: &Reason) {
        if let Some(connection) = self.subscriber.as_ref().map(|subscriber| subscriber.connection) {
            self.cut_off(connection, reason);
        }
    }

    /// A consumer comes, or comes back. One that follows a cursor goes on with what it has at work.
    fn take_over(&mut self, consumer: ConsumerId, hands: Vec<DeliveryId>) -> BTreeSet<DeliveryId> {
        self.end_leases_of(consumer);
        if !self.is_cursor() {
            return BTreeSet::new();
        }
        let (now, end) = (self.run.now(), self.core.log().end());
        let hands: Vec<DeliveryId> = hands.into_iter().filter(|hand| hand.position < end).collect();
        hands.iter().for_each(|hand| self.core.resume(now, *hand, consumer));
        hands.into_iter().collect()
    }

    /// A consumer is gone, and everything that it held is free.
    pub(super) fn end_leases_of(&mut self, consumer: ConsumerId) {
        self.core.end_leases_of(consumer);
        self.leasing.end_where(|hand| !self.core.is_live(*hand));
    }

    /// Ends the leases whose time is over.
    pub(super) fn end_leases(&mut self) {
        let now = self.run.now();
        match self.leasing.expire(now) {
            Some(ended) => ended.into_iter().for_each(|hand| self.core.end_lease(hand.position)),
            None => self.core.handle_timeout(now),
        }
    }

    /// When the next lease ends.
    pub(super) fn next_lease_ends(&self) -> Option<Millis> {
        if self.leasing.is_used() { self.leasing.next_ends() } else { self.core.poll_timeout() }
    }

    fn is_cursor(&self) -> bool {
        self.core.deliveries().subscription() == Subscription::Cursor
    }

    /// Hands off while there is something to hand off and a worker free.
    pub(super) fn hand_off(&mut self) -> Result<(), Interrupt> {
        self.tell_committed();
        while let Some(next) = self.next() {
            let done = match next {
                Next::HandOff(position) => self.hand_off_one(position)?,
                Next::DeadLetter(position) => self.dead_letter(position)?,
            };
            if !done {
                break;
            }
        }
        Ok(())
    }

    /// False if the ledger has no room for it: a later turn tries again.
    fn dead_letter(&mut self, position: Position) -> Result<bool, Interrupt> {
        match self.leasing.set_aside(position, || self.core.dead_letter(position)) {
            Err(why) if why.is_definite() => return Ok(false),
            recorded => recorded.map_err(failed)?,
        }
        self.tell_reports()?;
        self.tell_committed();
        self.run.passed(Role::Broker, StepWord::DeadLetter, self.message_at(position))?;
        Ok(true)
    }

    fn next(&mut self) -> Option<Next> {
        let subscriber = self.subscriber.as_mut()?;
        subscriber.at_work.retain(|hand| self.core.is_live(*hand));
        if subscriber.at_work.len() >= subscriber.workers {
            return None;
        }
        let next = self.core.next(subscriber.consumer, &[&subscriber.has])?;
        let (Next::HandOff(position) | Next::DeadLetter(position)) = next;
        self.leasing.has_room(position).then_some(next)
    }

    /// As [`dead_letter`](Incarnation::dead_letter).
    fn hand_off_one(&mut self, position: Position) -> Result<bool, Interrupt> {
        let Some(subscriber) = &mut self.subscriber else {
            return Ok(false);
        };
        let connection = subscriber.connection;
        let now = self.run.now();
        let hand_off = match self.core.hand_off(now, position, subscriber.consumer) {
            Err(why) if why.is_definite() => return Ok(false),
            handed_off => handed_off.map_err(failed)?,
        };
        self.leasing.grant(connection, hand_off.hand, now + self.run.tuning.lease);
        subscriber.at_work.insert(hand_off.hand);
        let message = hand_off.record.message;
        let (lost, crash) = self.run.reached(Role::Broker, StepWord::HandOff, Some(message))?;
        if lost.is_none() {
            self.say(connection, &FromBroker::HandOff(hand_off));
        }
        crash.map(|()| true)
    }

    fn settle(
        &mut self,
        connection: u64,
        request: SettleRequest,
        begun: Option<PendingSettle>,
    ) -> Result<(), Interrupt> {
        let hand = request.hand;
        let outcome = match self.core.settle(request) {
            // Without an answer the consumer stops waiting after a while, and the message comes again: as slowly as
            // that, until there is room.
            Err(why) if why.is_definite() => return Ok(()),
            settled => settled.map_err(failed)?,
        };
        if outcome == SettleOutcome::Ok {
            self.leasing.finish(&request, begun);
        }
        self.tell_reports()?;
        self.run.passed(Role::Broker, StepWord::RecordSettle, self.message_at(hand.position))?;
        self.tell_committed();
        self.say(connection, &FromBroker::Settled { hand, outcome });
        Ok(())
    }

    /// Tells a consumer that follows a cursor what is committed, if that changed.
    fn tell_committed(&mut self) {
        if !self.is_cursor() {
            return;
        }
        let Some(subscriber) = &mut self.subscriber else {
            return;
        };
        let mut committed = self.core.deliveries().settled().clone();
        committed.extend(self.core.deliveries().dead());
        if committed != subscriber.committed {
            subscriber.committed.clone_from(&committed);
            let connection = subscriber.connection;
            self.say(connection, &FromBroker::Committed(committed));
        }
    }

    fn message_at(&self, position: Position) -> Option<MessageId> {
        self.core.log().at(position).map(|record| record.message)
    }

    /// A consumer is there, and does not want to go.
    pub(super) fn has_willing_consumer(&self) -> bool {
        self.subscriber.as_ref().is_some_and(|subscriber| subscriber.workers > 0)
    }

    /// The consumer is there, holds nothing, and nothing is left for it.
    pub(super) fn has_delivered_all(&self) -> bool {
        self.subscriber.as_ref().is_some_and(|subscriber| {
            subscriber.at_work.iter().all(|hand| !self.core.is_live(*hand))
                && self.core.next(subscriber.consumer, &[&subscriber.has]).is_none()
        })
    }
}

/// A peer may speak of positions up to the end of the log.
fn within(end: Position, found: Position) -> Result<(), Reason> {
    if found > end { Err(Reason::BeyondTheLog { found, end }) } else { Ok(()) }
}
