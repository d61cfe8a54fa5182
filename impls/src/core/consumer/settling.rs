//! Settling: which positions a settle commits, how long its answer is awaited, and what follows it.

use delivery_model::pipeline::{RecordsSettles, Settles};
use delivery_model::vocab::{Position, SettleOutcome};

use super::handling::settle_of;
use super::{Ahead, Consumer, Task, Work};
use crate::core::deliveries::Subscription;
use crate::core::delivery::{ConsumerOutput, DeliveryId, SettleRequest};
use crate::core::steps::{AfterCommit, ConsumerSteps};
use crate::core::time::Millis;
use crate::data::positions::Positions;
use crate::store::Covers;

impl Work {
    /// Its settle is on its way.
    fn awaits_settled(&self) -> bool {
        self.task == Task::AwaitSettled || self.ahead == Ahead::Sent
    }
}

impl<S: ConsumerSteps> Consumer<S> {
    /// Workers have finished these positions: from then on they are part of what a cursor commits, as far as they are of the
    /// generation that the consumer knows of.
    pub fn handle_finished(&mut self, is_finished: impl Fn(Position) -> bool) {
        if self.subscription == Subscription::Cursor {
            let hands: Vec<DeliveryId> = self.hands.keys().filter(|hand| is_finished(hand.position)).collect();
            hands.into_iter().for_each(|hand| self.finish(hand));
        }
    }

    /// The hand-off's position is finished: [`settle_finished`](Consumer::settle_finished) follows. Of a batch, all that is to
    /// be settled is settled with it.
    ///
    /// # Panics
    /// If the consumer does not have the hand-off.
    pub fn settle(&mut self, now: Millis, hand: DeliveryId) {
        if self.settings.batches() {
            return self.settle_batch(now);
        }
        if self.subscription == Subscription::Cursor {
            self.finish(hand);
        }
        self.settle_finished(now, hand);
    }

    /// Settles all that is to be settled. A cursor covers the whole batch with the first settle.
    fn settle_batch(&mut self, now: Millis) {
        let to_settle = self.hands.iter().filter(|(_, work)| work.task == Task::Settle);
        let batch: Vec<DeliveryId> = to_settle.map(|(hand, _)| hand).collect();
        if self.subscription == Subscription::Cursor {
            batch.iter().for_each(|&hand| self.finish(hand));
        }
        batch.into_iter().for_each(|hand| self.settle_finished(now, hand));
    }

    /// Settles a hand-off: of a single position, or of what a cursor has finished so far.
    ///
    /// With settles after the effect, a cursor that did not advance sends no settle. With settles before it, the settle is
    /// always sent: the handler waits for the confirmation of this settle, and another consumer's commit is none.
    ///
    /// # Panics
    /// If the consumer does not have the hand-off.
    pub fn settle_finished(&mut self, now: Millis, hand: DeliveryId) {
        let is_ahead = self.settles() == Settles::InBackground && self.task(hand) == Some(Task::Handle);
        let is_last = matches!(self.settles(), Settles::AfterEffect | Settles::InBackground) && !is_ahead;
        // Otherwise the consumer says by itself when it is over with a delivery.
        let finishes = self.settles() == Settles::AfterEffect && !self.settings.batches();
        let covers = match self.subscription {
            Subscription::Leased => Covers::One(hand.position),
            Subscription::Cursor => {
                self.steps.says_done(self.inbox.covers(hand.position, self.commits(), &self.committed))
            }
        };
        let has_news = match covers {
            Covers::One(_) => true,
            Covers::Below(end) => end > self.committed.first_missing(Position(0)),
        };
        if is_ahead {
            let work = self.hands.get_mut(&hand).expect("the consumer has the hand-off");
            work.ahead = if has_news { Ahead::Sent } else { Ahead::Over };
            work.until = now + self.tuning.reply_timeout;
            if has_news {
                self.outputs.push_back(ConsumerOutput::Settle(SettleRequest { hand, covers, finishes }));
            }
            return;
        }
        match self.steps.after_commit(has_news, is_last) {
            AfterCommit::Send => {
                self.set_task(hand, Task::AwaitSettled);
                let until = now + self.tuning.reply_timeout;
                self.hands.get_mut(&hand).into_iter().for_each(|work| work.until = until);
                self.outputs.push_back(ConsumerOutput::Settle(SettleRequest { hand, covers, finishes }));
            }
            AfterCommit::Handle => self.set_task(hand, Task::Handle),
            AfterCommit::GiveUp => self.give_up(hand),
        }
    }

    /// Takes in the outcome of a settle. Without an awaited settle of this delivery, nothing happens.
    pub fn handle_settled(&mut self, hand: DeliveryId, outcome: SettleOutcome) {
        let Some(work) = self.hands.get_mut(&hand).filter(|work| work.awaits_settled()) else {
            return;
        };
        self.reports.push_back(settle_of(&work.hand_off, outcome));
        if work.task != Task::AwaitSettled {
            work.ahead = Ahead::Over;
            return;
        }
        match (self.settles(), self.steps.settled(outcome)) {
            (Settles::BeforeEffect, SettleOutcome::Ok) => self.set_task(hand, Task::Handle),
            _ => self.give_up(hand),
        }
    }

    /// Stops waiting for the answer to a settle; its outcome is unknown. Without an awaited settle, nothing happens.
    pub fn time_out(&mut self, hand: DeliveryId) {
        self.handle_settled(hand, SettleOutcome::Unknown);
    }

    /// Stops waiting for every answer whose deadline is at or before this instant.
    pub fn handle_timeout(&mut self, now: Millis) {
        let late = self.awaited().filter(|(_, until)| *until <= now);
        let late: Vec<DeliveryId> = late.map(|(hand, _)| hand).collect();
        late.into_iter().for_each(|hand| self.time_out(hand));
    }

    /// When to call [`handle_timeout`](Consumer::handle_timeout), if nothing else happens before.
    pub fn poll_timeout(&self) -> Option<Millis> {
        self.awaited().map(|(_, until)| until).min()
    }

    /// The settles that are on their way, and how long they are waited for.
    pub(super) fn awaited(&self) -> impl Iterator<Item = (DeliveryId, Millis)> + '_ {
        let awaited = self.hands.iter().filter(|(_, work)| work.awaits_settled());
        awaited.map(|(hand, work)| (hand, work.until))
    }

    /// The broker has these positions settled or set aside; nothing needs to be kept of what it cannot forget. Where the
    /// group's consumers keep their positions themselves, what is finished in their store is as good.
    pub fn handle_committed(&mut self, committed: &Positions) {
        self.committed.clone_from(committed);
        if self.records_settles == RecordsSettles::AfterSync || self.settles() == Settles::WithEffect {
            self.inbox.forget_done(committed);
        }
    }

    /// The position is finished: from then on that is part of what a cursor commits, unless its hand-off is of an earlier
    /// generation than the consumer knows of.
    pub(super) fn finish(&mut self, hand: DeliveryId) {
        if self.is_current(hand) {
            self.inbox.finish(hand.position);
            if self.settles() == Settles::WithEffect {
                self.own.insert(hand.position);
            }
        }
    }
}
