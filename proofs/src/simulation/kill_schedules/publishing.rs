//! How the broker's bugs come out that are on the side of publishing.

use delivery_model::pipeline::{
    Acks, Dedup, DedupOnRestart, Identity, Obligation, OnRestart, Overflow, Pipeline, Remembers, Settles,
};
use delivery_model::schedule::StepWord;
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::Fault;

use super::{Story, at};
use crate::mutants::Mutant;

pub(super) fn story(mutant: Mutant, pipeline: &mut Pipeline) -> Option<Story> {
    let refused = [at(Fault::PublishRefused, StepWord::Append, 1)];
    let crash = |step| at(Fault::BrokerCrash, step, 1);
    let zombie = at(Fault::ProducerZombie, StepWord::Attempt, 1);
    Some(match mutant {
        Mutant::AckBeforeSync => {
            pipeline.obligation = Obligation::Acked;
            Story::new(1, &[crash(StepWord::TakeReply)], PropertyId::AckedNotLost)
                .twin(|it| it.broker.acks = Acks::OnReceipt)
        }
        // The successor's attempt finds the record of the first one, which is not durable yet.
        Mutant::DuplicateAckedBeforeSync => {
            let crashes = [at(Fault::ProducerCrash, StepWord::Append, 1), crash(StepWord::TakeReply)];
            Story::new(1, &crashes, PropertyId::SubmittedNotLost).twin(|it| it.broker.acks = Acks::OnReceipt)
        }
        Mutant::SeenBeforeStored => {
            Story::new(1, &refused, PropertyId::SubmittedNotLost).twin(|it| it.broker.acks = Acks::OnReceipt)
        }
        Mutant::FailedStoreAcked => {
            pipeline.obligation = Obligation::Acked;
            Story::new(1, &refused, PropertyId::AckedNotLost).twin(|it| it.broker.acks = Acks::OnReceipt)
        }
        // The second comes while the first is not settled: no fault is needed.
        Mutant::OverflowAcked => {
            (pipeline.broker.capacity, pipeline.obligation) = (1, Obligation::Acked);
            Story::new(2, &[], PropertyId::AckedNotLost).twin(|it| it.broker.overflow = Overflow::DropOldest)
        }
        // The third overtakes the second, which is then taken for an old one.
        Mutant::GapAccepted => {
            pipeline.producer.in_flight = 2;
            Story::new(3, &[at(Fault::PublishLost, StepWord::Attempt, 2)], PropertyId::SubmittedNotLost)
        }
        // The first is sent again when the second is stored behind it.
        Mutant::WindowOneShort => {
            (pipeline.producer.identity, pipeline.broker.dedup) = (Identity::MessageId, Dedup::MessageId);
            (pipeline.producer.in_flight, pipeline.broker.dedup_window) = (2, 2);
            pipeline.consumer.remembers = Remembers::Nothing;
            Story::new(2, &[at(Fault::PublishAckLost, StepWord::Ack, 1)], PropertyId::NoDuplicateEffect)
                .twin(|it| it.broker.dedup_window = 1)
        }
        // Stored and durable, but the confirmation was still owed.
        Mutant::DedupNotRebuilt => {
            (pipeline.consumer.settles, pipeline.consumer.remembers) = (Settles::BeforeEffect, Remembers::Nothing);
            Story::new(1, &[crash(StepWord::Sync)], PropertyId::NoDuplicateEffect)
                .twin(|it| it.broker.dedup_on_restart = DedupOnRestart::Forgotten)
        }
        // The second is the second of a session that the memory does not know: it is refused for ever.
        Mutant::ForgottenTakenForWhole => {
            pipeline.broker.dedup_on_restart = DedupOnRestart::Forgotten;
            Story::new(2, &[crash(StepWord::TakeReply)], PropertyId::SubmittedNotLost)
        }
        // The zombie's copy and the successor's have different identities: only the fence tells them apart.
        Mutant::FencingSkipped => {
            pipeline.producer.on_restart = OnRestart::Resubmits;
            Story::new(1, &[zombie], PropertyId::NoDuplicateEffect).twin(|it| it.broker.fencing = false)
        }
        // The copy comes after the restart. Without a fence the model repeats too, but so it does with one: what is
        // resubmitted after both crashes is stored anew.
        Mutant::EpochInMemory => {
            pipeline.producer.on_restart = OnRestart::Resubmits;
            Story::new(1, &[zombie, crash(StepWord::Sync)], PropertyId::NoDuplicateEffect)
        }
        // Counts of hand-offs make the ledger long enough to be compacted when the message is settled. The copy comes after
        // the restart.
        Mutant::EpochsDropped => {
            (pipeline.producer.on_restart, pipeline.broker.max_deliveries) = (OnRestart::Resubmits, 2);
            Story::new(1, &[zombie, crash(StepWord::RecordSettle)], PropertyId::NoDuplicateEffect)
        }
        _ => return None,
    })
}
