//! A pipeline's settings, and values derived from them that the hot loop needs often.

use super::bounds::{COUNT_MAX, MESSAGES_MAX, RESTARTS_MAX, TooManyMessages};
use crate::pipeline::{
    Attempts, Broker, Consumer, DedupOnRestart, Delivers, Identity, Leases, OnRefusal, OnRestart, OutboxRead, Pipeline,
    Producer, RecordsSettles, RelayCommits,
};
use crate::vocab::Fault;

/// What the protocol needs to know of a [`Pipeline`].
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) messages: u8,
    /// 0: until acked.
    pub(super) attempts_max: u8,
    pub(super) producer: Producer,
    /// A refusal makes the producer start over in a new epoch and session: there is an identity to renew.
    pub(super) renews: bool,
    /// The producer finds what is to be sent by its position in an outbox.
    pub(super) reads_by_position: bool,
    /// It stores that position before it publishes.
    pub(super) commits_before: bool,
    /// Rows of its outbox may become visible in another order than their positions.
    pub(super) reorders: bool,
    pub(super) broker: Broker,
    pub(super) consumer: Consumer,
    pub(super) dedup_rebuilt: bool,
    pub(super) fencing: bool,
    pub(super) delivers_once: bool,
    pub(super) settles_lazily: bool,
    pub(super) leases_checked: bool,
    pub(super) deliveries_max: u8,
    /// A second consumer of the group exists only where a lease or the cursor can be taken from the first.
    pub(super) consumers: u8,
    /// The consumer follows a position of its own instead of holding one lease a position.
    pub(super) cursor: bool,
    /// The log can lose records that were handed off.
    pub(super) loses_records: bool,
    budget: [u8; Fault::ALL.len()],
    budget_total: u32,
}

impl Settings {
    pub(super) fn new(pipeline: &Pipeline, messages: u32) -> Result<Self, TooManyMessages> {
        if messages == 0 || messages as usize > MESSAGES_MAX {
            return Err(TooManyMessages(messages));
        }
        let (producer, broker, consumer) = (&pipeline.producer, &pipeline.broker, &pipeline.consumer);
        let budget = pipeline.faults.each.map(|times| times.min(COUNT_MAX) as u8);
        let keeps_outbox = producer.on_restart != OnRestart::Forgets;
        let reads_by_position = keeps_outbox && producer.outbox == OutboxRead::Cursor;
        Ok(Settings {
            messages: messages as u8,
            attempts_max: match producer.attempts {
                Attempts::UntilAcked => 0,
                Attempts::AtMost(attempts) => attempts.min(COUNT_MAX) as u8,
            },
            renews: producer.on_refusal == OnRefusal::NewEpoch && producer.identity != Identity::None,
            reads_by_position,
            commits_before: reads_by_position && producer.relay_commits == RelayCommits::BeforePublish,
            reorders: keeps_outbox && budget[Fault::CommitReordered as usize] > 0,
            producer: producer.clone(),
            broker: broker.clone(),
            consumer: consumer.clone(),
            dedup_rebuilt: broker.dedup_on_restart == DedupOnRestart::Rebuilt,
            fencing: broker.fencing && producer.identity == Identity::Sequence,
            delivers_once: broker.delivers == Delivers::Once,
            settles_lazily: broker.records_settles == RecordsSettles::Lazily,
            leases_checked: broker.leases == Leases::Checked,
            deliveries_max: broker.max_deliveries.min(COUNT_MAX) as u8,
            consumers: pipeline.consumers(),
            cursor: consumer.follows_cursor(),
            loses_records: pipeline.positions_come_again(),
            budget,
            budget_total: if pipeline.faults.total == 0 { u32::MAX } else { pipeline.faults.total },
        })
    }

    /// How many messages are submitted.
    pub fn messages(&self) -> u32 {
        self.messages.into()
    }

    /// The kinds of fault that may strike.
    pub fn faults(&self) -> impl Iterator<Item = Fault> + '_ {
        Fault::ALL.into_iter().filter(|&fault| self.budget_of(fault) > 0)
    }

    pub(super) fn budget_of(&self, fault: Fault) -> u8 {
        self.budget[fault as usize]
    }

    pub(super) fn budget_total(&self) -> u32 {
        self.budget_total
    }

    /// A new epoch of the producer can still be encoded.
    pub(super) fn has_next_epoch(&self, epoch: u8) -> bool {
        u32::from(epoch) < RESTARTS_MAX
    }

    /// How many epochs follow the producer's first one at most, as far as that can be told: restarts have budgets,
    /// refusals have none.
    pub(super) fn epochs(&self) -> u32 {
        let restarts = self.most_of(&[Fault::ProducerCrash, Fault::ProducerZombie]);
        if self.renews { RESTARTS_MAX } else { restarts }
    }

    /// Messages get their numbers when they are read, not when they are submitted.
    pub(super) fn numbers_when_read(&self) -> bool {
        self.reads_by_position && self.producer.identity == Identity::Sequence
    }

    /// A restart sends again what was acked behind something that was not, and under the same number.
    pub(super) fn keeps_numbers(&self) -> bool {
        self.numbers_when_read() && !self.commits_before && self.producer.on_restart == OnRestart::Outbox
    }

    /// How many copies and old attempts come late at most, as far as budgets say.
    pub(super) fn stragglers(&self) -> u32 {
        self.most_of(&[Fault::PublishDuplicated, Fault::ProducerZombie])
    }

    fn most_of(&self, faults: &[Fault]) -> u32 {
        faults.iter().map(|&fault| u32::from(self.budget_of(fault))).sum::<u32>().min(self.budget_total)
    }

    /// The session that a producer begins with this restart, or keeps from before it: an outbox keeps the producer's id
    /// over restarts, and a message id outlives them unless the message is submitted anew. `kept`: the session in which a
    /// refusal made it start over.
    pub(super) fn session(&self, epoch: u8, kept: u8) -> u8 {
        match (self.producer.identity, self.producer.on_restart) {
            (Identity::None, _) => 0,
            (_, OnRestart::Outbox) => kept,
            (Identity::MessageId, OnRestart::Forgets) => 0,
            (Identity::MessageId, OnRestart::Resubmits) | (Identity::Sequence, _) => epoch,
        }
    }
}
