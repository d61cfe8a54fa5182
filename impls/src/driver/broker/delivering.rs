//! The broker's side of its consumer: hand off while it has free workers, take in what it settles.
//!
//! A worker counts as busy from the hand-off until the consumer settles or releases it, or its lease ends. A consumer
//! that follows a cursor tells which positions it has behind it, and is told what is committed.

use std::collections::BTreeSet;

use delivery_model::schedule::StepWord;
use delivery_model::vocab::{MessageId, Position};

use super::super::faults::Role;
use super::super::run::Interrupt;
use super::super::wire::{FromBroker, ToBroker};
use super::{Incarnation, failed};
use crate::core::deliveries::{Next, Subscription};
use crate::core::hand::{ConsumerId, HandId, SettleRequest};
use crate::core::positions::Positions;

/// The consumer that is connected.
pub(super) struct Subscriber {
    pub connection: u64,
    pub consumer: ConsumerId,
    workers: usize,
    /// What it was handed and is at work on, as far as the broker knows.
    at_work: BTreeSet<HandId>,
    has: Positions,
    /// What it was told is committed.
    committed: Positions,
}

impl Incarnation<'_> {
    pub(super) fn hear_consumer(&mut self, connection: u64, said: ToBroker) -> Result<(), Interrupt> {
        if let ToBroker::Subscribe { consumer, workers, hands, has } = said {
            let (workers, committed) = (workers as usize, Positions::default());
            let at_work = self.take_over(consumer, hands);
            self.subscriber = Some(Subscriber { connection, consumer, workers, at_work, has, committed });
            return Ok(());
        }
        // What a replaced connection still says comes too late: its leases have ended.
        let Some(subscriber) = self.subscriber.as_mut().filter(|subscriber| subscriber.connection == connection) else {
            return Ok(());
        };
        match said {
            ToBroker::Settle(request) => {
                if request.finishes {
                    subscriber.at_work.remove(&request.hand);
                }
                self.hand_off()?;
                self.settle(connection, request)
            }
            ToBroker::Release(hand) => {
                subscriber.at_work.remove(&hand);
                self.core.release(hand);
                Ok(())
            }
            ToBroker::Has(positions) => {
                subscriber.has = positions;
                Ok(())
            }
            ToBroker::Subscribe { .. } | ToBroker::Register { .. } | ToBroker::Publish(_) => Ok(()),
        }
    }

    /// A consumer comes, or comes back. One that follows a cursor goes on with what it has at work.
    fn take_over(&mut self, consumer: ConsumerId, hands: Vec<HandId>) -> BTreeSet<HandId> {
        self.core.end_leases_of(consumer);
        if !self.is_cursor() {
            return BTreeSet::new();
        }
        let now = self.run.now();
        hands.iter().for_each(|hand| self.core.resume(now, *hand, consumer));
        hands.into_iter().collect()
    }

    fn is_cursor(&self) -> bool {
        self.core.deliveries().subscription() == Subscription::Cursor
    }

    /// Hands off while there is something to hand off and a worker free.
    pub(super) fn hand_off(&mut self) -> Result<(), Interrupt> {
        self.tell_committed();
        while let Some(next) = self.next() {
            match next {
                Next::HandOff(position) => self.hand_off_one(position)?,
                Next::DeadLetter(position) => {
                    self.core.dead_letter(position).map_err(failed)?;
                    self.tell_reports()?;
                    self.tell_committed();
                    self.run.passed(Role::Broker, StepWord::DeadLetter, self.message_at(position))?;
                }
            }
        }
        Ok(())
    }

    fn next(&mut self) -> Option<Next> {
        let subscriber = self.subscriber.as_mut()?;
        subscriber.at_work.retain(|hand| self.core.is_live(*hand));
        if subscriber.at_work.len() >= subscriber.workers {
            return None;
        }
        self.core.next(subscriber.consumer, &[&subscriber.has])
    }

    fn hand_off_one(&mut self, position: Position) -> Result<(), Interrupt> {
        let Some(subscriber) = &mut self.subscriber else {
            return Ok(());
        };
        let connection = subscriber.connection;
        let hand_off = self.core.hand_off(self.run.now(), position, subscriber.consumer).map_err(failed)?;
        subscriber.at_work.insert(hand_off.hand);
        let message = hand_off.record.message;
        let (lost, crash) = self.run.reached(Role::Broker, StepWord::HandOff, Some(message))?;
        if lost.is_none() {
            self.say(connection, &FromBroker::HandOff(hand_off));
        }
        crash
    }

    fn settle(&mut self, connection: u64, request: SettleRequest) -> Result<(), Interrupt> {
        let hand = request.hand;
        let outcome = self.core.settle(request).map_err(failed)?;
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

    /// The consumer is there, holds nothing, and nothing is left for it.
    pub(super) fn has_delivered_all(&self) -> bool {
        self.subscriber.as_ref().is_some_and(|subscriber| {
            subscriber.at_work.iter().all(|hand| !self.core.is_live(*hand))
                && self.core.next(subscriber.consumer, &[&subscriber.has]).is_none()
        })
    }
}
