//! The broker's steps.

use delivery_model::pipeline::{self, DedupOnRestart, RecordsSettles};
use delivery_model::vocab::{Epoch, Position};

use super::Value;
use crate::core::broker::PublishDecision;
use crate::core::dedup::{Familiarity, Memory};
use crate::core::deliveries::{Candidates, Deliveries, Next};
use crate::core::delivery::{ConsumerId, DeliveryId};
use crate::core::leases::Leases;
use crate::core::ledger::{Entry, Ledger};
use crate::core::log::Log;
use crate::core::subscribers::Subscribers;
use crate::core::time::Millis;
use crate::data::positions::Positions;
use crate::data::record::{Identity, Verdict};
use crate::store::{Covers, Journal, StoreError};

/// The decisions of a broker. The defaults are what ships.
pub trait BrokerSteps: Value {
    /// The memory of seen messages with which an incarnation, counted from 1, starts.
    fn memory_at_start<J: Journal>(&self, settings: &pipeline::Broker, log: &Log<J>, incarnation: u32) -> Memory {
        match (settings.dedup_on_restart, incarnation) {
            (DedupOnRestart::Rebuilt, _) => log.remembered_by(log.dropped().memory().clone()),
            (DedupOnRestart::Forgotten, 1) => Memory::new(settings, log.end()),
            (DedupOnRestart::Forgotten, _) => Memory::forgotten(settings, log.end()),
        }
    }

    /// Records an incarnation of a producer that registers, before it counts.
    fn record_epoch<J: Journal>(&self, ledger: &mut Ledger<J>, registered: Entry) -> Result<(), StoreError> {
        ledger.record(&[registered])
    }

    /// Whether an attempt of epoch `found` is refused, given the newest epoch that its producer registered.
    fn is_fenced(&self, found: Epoch, newest: Option<Epoch>) -> bool {
        newest.is_some_and(|newest| found < newest)
    }

    /// What is made of an attempt that is not fenced off.
    fn decide(&self, familiarity: Familiarity) -> PublishDecision {
        match familiarity {
            Familiarity::New => PublishDecision::Store,
            Familiarity::Duplicate => PublishDecision::Duplicate,
            Familiarity::Gap => PublishDecision::Refuse,
        }
    }

    /// What the memory notes of an attempt that is about to be stored at `end`: nothing, as that may fail.
    fn remember_before_storing(&self, memory: &mut Memory, end: Position, identity: Identity) {
        let _ = (memory, end, identity);
    }

    /// What the memory notes of a record that was stored.
    fn remember_stored(&self, memory: &mut Memory, position: Position, identity: Identity) {
        memory.remember(position, identity);
    }

    /// What is said to an attempt that could not be stored.
    fn answer_to_failed_store(&self) -> Verdict {
        Verdict::Refused
    }

    /// What is said to an attempt for which a full queue has no room.
    fn answer_to_overflow(&self) -> Verdict {
        Verdict::Refused
    }

    /// Makes the copy of a record that was published again durable, before the record itself is settled.
    fn sync_copy<J: Journal>(&self, log: &mut Log<J>) -> Result<(), StoreError> {
        log.sync()
    }

    /// Whether a record may be confirmed: once it is durable.
    fn may_confirm(&self, position: Position, synced: Position, is_duplicate: bool) -> bool {
        let _ = is_duplicate;
        position < synced
    }

    /// Up to where the log may be handed off.
    fn hands_off_below<J: Journal>(&self, log: &Log<J>) -> Position {
        log.synced()
    }

    /// How often a position may be handed off, given the setting.
    fn deliveries_max(&self, max: u32) -> u32 {
        max
    }

    /// Whether a consumer may be handed more, given how many of its workers are busy.
    fn has_free_worker(&self, busy: usize, workers: u32) -> bool {
        busy < workers as usize
    }

    /// The worker that had this delivery is free.
    fn free(&self, subscribers: &mut Subscribers, delivery: DeliveryId) {
        subscribers.free(delivery);
    }

    /// What comes next for a consumer.
    fn next(&self, deliveries: &Deliveries, candidates: &Candidates<'_>) -> Option<Next> {
        deliveries.next(candidates)
    }

    /// Whether a group that follows a cursor has a position to go on from.
    fn is_placed(&self, deliveries: &Deliveries) -> bool {
        deliveries.is_placed()
    }

    /// Records a hand-off that happens only once or is counted, before it happens.
    fn record_hand_off<J: Journal>(&self, ledger: &mut Ledger<J>, entry: Entry) -> Result<(), StoreError> {
        ledger.record(&[entry])
    }

    /// What takes the place of the ledger's entries.
    fn compacted(&self, entries: Vec<Entry>) -> Vec<Entry> {
        entries
    }

    /// Whether a settle is admitted where leases are checked.
    fn admits_settle(&self, deliveries: &Deliveries, delivery: DeliveryId) -> bool {
        deliveries.leases().is_live(delivery)
    }

    /// The positions that a settle is recorded for, given those that its consumer says are done.
    fn recorded(&self, done: Covers) -> Covers {
        done
    }

    /// When settles are recorded, given the setting.
    fn records_settles(&self, setting: RecordsSettles) -> RecordsSettles {
        setting
    }

    /// Whether a lease with this end has ended at this instant.
    fn is_over(&self, ends: Millis, at: Millis) -> bool {
        ends <= at
    }

    /// Whether a dead letter is reported.
    fn tells_of_dead_letters(&self) -> bool {
        true
    }

    /// Frees what was handed off, where this lease is still live.
    fn give_back(&self, leases: &mut Leases, delivery: DeliveryId) {
        leases.give_back(delivery);
    }

    /// Ends the leases of a consumer that is gone.
    fn end_leases_of(&self, leases: &mut Leases, consumer: ConsumerId) {
        leases.end_of_consumer(consumer);
    }

    /// Ends a lease under its holder.
    fn end_lease(&self, leases: &mut Leases, position: Position) {
        leases.end(position);
    }

    /// The incarnation of the leases that are granted after a rewind, given that of those before it.
    fn incarnation_after_rewind(&self, before: u32) -> u32 {
        before + 1
    }

    /// The first position of the log that may still be needed. `elsewhere`: the positions that consumers have durably finished
    /// in their own stores.
    fn first_needed<J: Journal>(&self, log: &Log<J>, deliveries: &Deliveries, elsewhere: &Positions) -> Position {
        deliveries.first_open(log.start(), elsewhere)
    }
}
