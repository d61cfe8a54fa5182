//! What the broker says only when the ledger's record of it is durable: answers to settles, and what is committed.
//!
//! A settle is appended to the ledger at once, and the core goes on as if it were durable. Its sync is left to the syncer,
//! which makes one for all settles that came meanwhile. Until then the answer is kept back here, and whatever else follows
//! from the settle: a crash before the sync is then, for everybody outside, a crash before the settle.
//!
//! What is written to the ledger for other reasons is synced at once, and all settles before it with it.

use std::collections::VecDeque;

use delivery_model::schedule::StepWord;
use delivery_model::vocab::{MessageId, Position};

use super::super::faults::Role;
use super::super::run::Interrupt;
use super::super::wire::FromBroker;
use super::{Incarnation, failed};
use crate::core::steps::Steps;
use crate::store::Journal;

/// What is kept back, oldest first. It is bounded by what the consumer has at work.
pub(super) type Deferred = VecDeque<(u64, Words)>;

/// Words to a connection.
pub(super) struct Words {
    pub connection: u64,
    pub words: Vec<FromBroker>,
    /// The step that is over when its record is durable, and whose message it is of: they answer a settle.
    pub step: Option<(StepWord, Option<MessageId>)>,
}

impl<S: Steps> Incarnation<'_, S> {
    /// Says it once everything is durable that the ledger has by now; at once, if that is so already. Such words keep their
    /// order.
    pub(super) fn say_when_durable(&mut self, words: Words) -> Result<(), Interrupt> {
        let end = self.ledger.appended();
        if self.deferred.is_empty() && self.ledger.durable() == end {
            return self.say_now(words);
        }
        self.deferred.push_back((end, words));
        Ok(())
    }

    fn say_now(&mut self, Words { connection, words, step }: Words) -> Result<(), Interrupt> {
        if let Some((step, message)) = step {
            self.run.passed(Role::Broker, step, message)?;
        }
        words.iter().for_each(|word| self.say(connection, word));
        Ok(())
    }

    /// Says what was kept back and has become durable.
    pub(super) fn say_durable(&mut self) -> Result<(), Interrupt> {
        if self.deferred.is_empty() {
            return Ok(());
        }
        self.ledger_syncer.synced().map_err(failed)?;
        let durable = self.ledger.durable();
        while let Some((_, words)) = self.deferred.pop_front_if(|(end, _)| *end <= durable) {
            self.say_now(words)?;
        }
        Ok(())
    }

    /// Makes durable what was kept back for, without the syncer's help, and says it.
    pub(super) fn settle_up(&mut self) -> Result<(), Interrupt> {
        if !self.deferred.is_empty() {
            self.ledger.sync().map_err(failed)?;
        }
        self.say_durable()
    }

    /// Asks for the sync of what is kept back for.
    pub(super) fn ask_for_ledger(&self) {
        if let Some((end, _)) = self.deferred.back() {
            self.ledger_syncer.request(Position(*end));
        }
    }
}
