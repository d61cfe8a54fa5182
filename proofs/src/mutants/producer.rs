//! The producer's seeded bugs.

use delivery_impls::core::outbox::Outbox;
use delivery_impls::core::steps::{ProducerSteps, Sound};
use delivery_impls::data::record::{Identity, Payload, Verdict};
use delivery_impls::store::{OutboxStore, StoreError};
use delivery_model::vocab::{Epoch, MessageId, Outcome};

use super::Mutant;

impl ProducerSteps for Mutant {
    fn next_epoch(&self, last: Option<Epoch>) -> Epoch {
        match self {
            Mutant::EpochReused => last.unwrap_or_default(),
            _ => Sound.next_epoch(last),
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
