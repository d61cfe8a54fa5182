//! The producer's seeded bugs.

use delivery_impls::core::outbox::Outbox;
use delivery_impls::core::steps::{ProducerSteps, Sound};
use delivery_impls::data::record::{Identity, Payload, Verdict};
use delivery_impls::store::{OutboxStore, StoreError};
use delivery_model::pipeline::{OutboxRead, RelayCommits};
use delivery_model::vocab::{Epoch, MessageId, Outcome};

use super::Mutant;

impl ProducerSteps for Mutant {
    fn next_epoch(&self, last: Option<Epoch>) -> Epoch {
        match self {
            Mutant::EpochReused => last.unwrap_or_default(),
            _ => Sound.next_epoch(last),
        }
    }

    fn first_number(&self, stored: u64) -> u64 {
        match self {
            Mutant::NumbersStartAnew => 0,
            _ => Sound.first_number(stored),
        }
    }

    fn number_of_row(&self, own: Option<u64>) -> Option<u64> {
        match self {
            Mutant::TakenUpUnderNewNumber => None,
            _ => Sound.number_of_row(own),
        }
    }

    fn reads(&self, setting: OutboxRead) -> OutboxRead {
        match self {
            Mutant::RowsReadByPosition => OutboxRead::Cursor,
            _ => Sound.reads(setting),
        }
    }

    fn relay_commits(&self, setting: RelayCommits) -> RelayCommits {
        match self {
            Mutant::PositionStoredOnAttempt => RelayCommits::BeforePublish,
            _ => Sound.relay_commits(setting),
        }
    }

    fn window(&self, in_flight: u32) -> u32 {
        match self {
            Mutant::WindowIgnored => u32::MAX,
            _ => Sound.window(in_flight),
        }
    }

    fn tries_again(&self, outcome: Outcome, may: bool) -> bool {
        match (self, outcome) {
            (Mutant::GivesUpOnRefusal, Outcome::Refused) | (Mutant::GivesUpOnSilence, Outcome::Unknown) => false,
            _ => Sound.tries_again(outcome, may),
        }
    }

    fn row_of_submitted(
        &self,
        store: &mut impl OutboxStore,
        message: MessageId,
        payload: &Payload,
        number: Option<u64>,
    ) -> Result<(), StoreError> {
        match self {
            Mutant::RowNotWritten => Ok(()),
            _ => Sound.row_of_submitted(store, message, payload, number),
        }
    }

    fn row_of_finished(&self, store: &mut impl OutboxStore, message: MessageId) -> Result<(), StoreError> {
        match self {
            Mutant::RowKept => Ok(()),
            _ => Sound.row_of_finished(store, message),
        }
    }

    fn identity_of_retry(&self, own: Identity, fresh: impl FnOnce() -> Identity) -> Identity {
        match self {
            Mutant::RetryUnderNewIdentity => fresh(),
            _ => Sound.identity_of_retry(own, fresh),
        }
    }

    fn payload_of_retry(&self, own: Payload, latest: Option<&Payload>) -> Payload {
        match (self, latest) {
            (Mutant::PayloadBufferReused, Some(latest)) => Payload::clone(latest),
            _ => Sound.payload_of_retry(own, latest),
        }
    }

    fn row_of_transmitted(&self, store: &mut impl OutboxStore, message: MessageId) -> Result<(), StoreError> {
        match self {
            Mutant::OutboxRowRemovedOnAttempt => store.delete(message),
            _ => Sound.row_of_transmitted(store, message),
        }
    }

    fn verdict(&self, said: Verdict) -> Verdict {
        match (self, said) {
            (Mutant::RefusalTakenForAck, Verdict::Refused) => Verdict::Acked(None),
            _ => Sound.verdict(said),
        }
    }

    fn outcome_of_silence(&self) -> Outcome {
        match self {
            Mutant::TimeOutTakenForRefusal => Outcome::Refused,
            Mutant::SilenceTakenForAck => Outcome::Acked,
            _ => Sound.outcome_of_silence(),
        }
    }

    fn confirmed_along(&self, message: MessageId, unfinished: &Outbox) -> Vec<MessageId> {
        match self {
            Mutant::AckTakenAsCumulative => {
                unfinished.iter().map(|(other, _)| other).take_while(|other| *other < message).collect()
            }
            _ => Sound.confirmed_along(message, unfinished),
        }
    }
}
