//! The producer's steps.

use delivery_model::pipeline::{OutboxRead, RelayCommits};
use delivery_model::vocab::{Epoch, MessageId, Outcome};

use super::Value;
use crate::core::outbox::Outbox;
use crate::data::record::{Identity, Payload, Verdict};
use crate::store::{OutboxStore, StoreError};

/// The decisions of a producer. The defaults are what ships.
pub trait ProducerSteps: Value {
    /// The epoch of an incarnation, after the last one's.
    fn next_epoch(&self, last: Option<Epoch>) -> Epoch {
        last.map_or(Epoch(0), |last| Epoch(last.0 + 1))
    }

    /// The first sequence number of an incarnation that keeps its session, given the stored one.
    fn first_number(&self, stored: u64) -> u64 {
        stored
    }

    /// Under which number a row of an earlier incarnation is transmitted, given its own; none: under a new one.
    fn number_of_row(&self, own: Option<u64>) -> Option<u64> {
        own
    }

    /// How the outbox is read, given the setting.
    fn reads(&self, setting: OutboxRead) -> OutboxRead {
        setting
    }

    /// When the position of a reader is stored, given the setting.
    fn relay_commits(&self, setting: RelayCommits) -> RelayCommits {
        setting
    }

    /// How many messages may wait for a reply at once, given the setting.
    fn window(&self, in_flight: u32) -> u32 {
        in_flight
    }

    /// Whether a message is tried again after an attempt with this outcome, given what the settings say.
    fn tries_again(&self, outcome: Outcome, may: bool) -> bool {
        let _ = outcome;
        may
    }

    /// Stores the row of a message that is submitted, before anything else happens to it.
    fn row_of_submitted(
        &self,
        store: &mut impl OutboxStore,
        message: MessageId,
        payload: &Payload,
        number: Option<u64>,
    ) -> Result<(), StoreError> {
        store.insert(message, payload, number)
    }

    /// What happens to the row of a message that is finished: it goes.
    fn row_of_finished(&self, store: &mut impl OutboxStore, message: MessageId) -> Result<(), StoreError> {
        store.delete(message)
    }

    /// The identity of a retry. `own` is what the first attempt had, `fresh` gives the next unused one.
    fn identity_of_retry(&self, own: Identity, fresh: impl FnOnce() -> Identity) -> Identity {
        let _ = fresh;
        own
    }

    /// The bytes of a retry. `own` is what the first attempt had, `latest` what was submitted last.
    fn payload_of_retry(&self, own: Payload, latest: Option<&Payload>) -> Payload {
        let _ = latest;
        own
    }

    /// What happens to the row of a message that is transmitted and not confirmed: it stays.
    fn row_of_transmitted(&self, store: &mut impl OutboxStore, message: MessageId) -> Result<(), StoreError> {
        let _ = (store, message);
        Ok(())
    }

    /// What a reply says.
    fn verdict(&self, said: Verdict) -> Verdict {
        said
    }

    /// The outcome of an attempt that was not answered in time.
    fn outcome_of_silence(&self) -> Outcome {
        Outcome::Unknown
    }

    /// Other messages that are confirmed along with this one: none.
    fn confirmed_along(&self, message: MessageId, unfinished: &Outbox) -> Vec<MessageId> {
        let _ = (message, unfinished);
        Vec::new()
    }
}
