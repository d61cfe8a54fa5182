//! The broker's side of its consumer: hand off while it has free workers, take in what it settles.
//!
//! Who gets what, when, and who may settle it is the core's to decide.

use delivery_model::schedule::StepWord;
use delivery_model::vocab::{MessageId, Position};

use super::super::faults::Role;
use super::super::link::QUEUE_FRAMES;
use super::super::run::Interrupt;
use super::super::wire::{FromBroker, ToBroker};
use super::connections::{Connection, Reason, Standing};
use super::deferred::Words;
use super::{Incarnation, failed};
use crate::core::deliveries::Next;
use crate::core::delivery::{ConsumerId, SettleRequest};
use crate::core::steps::Steps;
use crate::core::time::Millis;

/// More hand-offs at once than a link's queue has room for would cut off the consumer that asked for them.
const WORKERS: u32 = QUEUE_FRAMES as u32 / 2;

impl<S: Steps> Incarnation<'_, S> {
    /// Takes in what a consumer says, which arrived at this instant.
    pub(super) fn hear_consumer(&mut self, connection: u64, at: Millis, said: ToBroker) -> Result<(), Interrupt> {
        if let ToBroker::Subscribe { consumer, workers, hands, has } = said {
            self.send_away(&Reason::Replaced);
            if std::mem::replace(&mut self.was_subscribed, true) {
                self.core.place_group().map_err(failed)?;
            }
            self.core.subscribe(consumer, workers.min(WORKERS), hands.iter().copied(), has);
            hands.into_iter().for_each(|hand| self.core.resume(at, hand, consumer));
            self.becomes(connection, Standing::Consumer);
            self.subscriber = Some((connection, consumer));
            return Ok(());
        }
        // What a replaced connection still says comes too late: its leases have ended.
        let Some((_, consumer)) = self.subscriber.filter(|(its, _)| *its == connection) else {
            return Ok(());
        };
        match said {
            ToBroker::Settle(request) => return self.take_settle(connection, at, request),
            ToBroker::Release(hand) => self.core.release(hand),
            ToBroker::Reject(hand) => self.core.reject(hand),
            ToBroker::Requeue(record) => self.core.republish(record).map_err(failed)?,
            ToBroker::Has(positions) => self.core.handle_has(consumer, positions),
            ToBroker::Finished(end) => {
                if let Err(misplaced) = self.core.handle_finished(consumer, end) {
                    self.cut_off(connection, &misplaced.into());
                }
            }
            ToBroker::Leave => {
                self.core.handle_leave(consumer);
                let words = vec![FromBroker::Left];
                return self.say_when_durable(Words { connection, words, step: None });
            }
            ToBroker::Subscribe { .. }
            | ToBroker::Hello(_)
            | ToBroker::Settings { .. }
            | ToBroker::Register { .. }
            | ToBroker::Publish(_)
            | ToBroker::Rewind(_) => unreachable!("a consumer may not say it"),
        }
        Ok(())
    }

    fn take_settle(&mut self, connection: u64, at: Millis, request: SettleRequest) -> Result<(), Interrupt> {
        if let Err(misplaced) = self.core.check_settle(&request) {
            self.cut_off(connection, &misplaced.into());
            return Ok(());
        }
        if request.finishes {
            self.core.handle_free(request.hand);
        }
        self.hand_off()?;
        self.settle(connection, at, request)
    }

    /// Disconnects the connected consumer, if there is one.
    pub(super) fn send_away(&mut self, reason: &Reason) {
        if let Some((connection, _)) = self.subscriber {
            self.cut_off(connection, reason);
        }
    }

    /// Takes a mark of the connected consumer, against which its leases are checked.
    pub(super) fn mark(&mut self) {
        let clock = self.run.clock();
        if let Some(connection) = self.consumers_connection() {
            connection.mark(clock);
        }
    }

    /// Ends the leases that have expired, once all inputs that arrived before are handled. Only a connected consumer has
    /// leases.
    pub(super) fn end_leases(&mut self) {
        if let Some(now) = self.consumers_connection().and_then(Connection::reached) {
            self.core.handle_timeout(now);
        }
    }

    /// The instant at which the next lease expires; none while an announced input must be handled first.
    pub(super) fn next_lease_ends(&mut self) -> Option<Millis> {
        let is_awaited = self.consumers_connection().is_some_and(|connection| connection.is_awaited());
        if is_awaited { None } else { self.core.poll_timeout() }
    }

    fn consumers_connection(&mut self) -> Option<&mut Connection> {
        self.connections.get_mut(&self.subscriber?.0)
    }

    /// Hands off while there is something to hand off and a worker free.
    pub(super) fn hand_off(&mut self) -> Result<(), Interrupt> {
        self.tell_committed()?;
        while let Some((consumer, next)) = self.core.next() {
            let done = match next {
                Next::HandOff(position) => self.hand_off_one(consumer, position)?,
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
        match self.core.dead_letter(position) {
            Err(why) if why.is_definite() => return Ok(false),
            recorded => recorded.map_err(failed)?,
        }
        self.tell_reports()?;
        self.tell_committed()?;
        self.run.passed(Role::Broker, StepWord::DeadLetter, self.message_at(position))?;
        Ok(true)
    }

    /// As [`dead_letter`](Incarnation::dead_letter).
    fn hand_off_one(&mut self, consumer: ConsumerId, position: Position) -> Result<bool, Interrupt> {
        let Some((connection, _)) = self.subscriber else {
            return Ok(false);
        };
        let hand_off = match self.core.hand_off(self.run.now(), position, consumer) {
            Err(why) if why.is_definite() => return Ok(false),
            handed_off => handed_off.map_err(failed)?,
        };
        let message = hand_off.record.message;
        let (lost, crash) = self.run.reached(Role::Broker, StepWord::HandOff, Some(message))?;
        if lost.is_none() {
            self.say(connection, &FromBroker::HandOff(hand_off));
        }
        crash.map(|()| true)
    }

    fn settle(&mut self, connection: u64, at: Millis, request: SettleRequest) -> Result<(), Interrupt> {
        let hand = request.hand;
        let outcome = match self.ledger.deferring(|| self.core.settle(at, request)) {
            // Without an answer the consumer stops waiting after a while, and the message comes again: as slowly as
            // that, until there is room.
            Err(why) if why.is_definite() => return Ok(()),
            settled => settled.map_err(failed)?,
        };
        let step = Some((StepWord::RecordSettle, self.message_at(hand.position)));
        let committed = self.subscriber.and_then(|_| self.core.poll_committed()).map(FromBroker::Committed);
        let words = committed.into_iter().chain([FromBroker::Settled { hand, outcome }]).collect();
        self.say_when_durable(Words { connection, words, step })
    }

    /// Tells a consumer that follows a cursor what is committed, if that changed.
    fn tell_committed(&mut self) -> Result<(), Interrupt> {
        if let Some((connection, _)) = self.subscriber
            && let Some(committed) = self.core.poll_committed()
        {
            let words = vec![FromBroker::Committed(committed)];
            self.say_when_durable(Words { connection, words, step: None })?;
        }
        Ok(())
    }

    fn message_at(&self, position: Position) -> Option<MessageId> {
        self.core.log().at(position).map(|record| record.message)
    }
}
