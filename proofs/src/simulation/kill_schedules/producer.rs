//! How the producer's bugs come out.

use delivery_model::pipeline::{
    Acks, Attempts, Dedup, Identity, Obligation, OnRefusal, OnRestart, OutboxRead, Pipeline, RelayCommits,
};
use delivery_model::schedule::StepWord;
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::Fault;

use super::{Story, at};
use crate::mutants::Mutant;

pub(super) fn story(mutant: Mutant, pipeline: &mut Pipeline) -> Option<Story> {
    let lost = [at(Fault::PublishLost, StepWord::Attempt, 1)];
    let refused = [at(Fault::PublishRefused, StepWord::Append, 1)];
    let ack_lost = [at(Fault::PublishAckLost, StepWord::Ack, 1)];
    let crash = |step, message| [at(Fault::ProducerCrash, step, message)];
    Some(match mutant {
        // It crashes before the broker has anything, and does not know the message any more.
        Mutant::OutboxRowRemovedOnAttempt => Story::new(1, &crash(StepWord::Attempt, 1), PropertyId::SubmittedNotLost)
            .twin(|it| it.producer.on_restart = OnRestart::Forgets),
        Mutant::RowNotWritten => Story::new(1, &crash(StepWord::Submit, 1), PropertyId::SubmittedNotLost)
            .twin(|it| it.producer.on_restart = OnRestart::Forgets),
        // The first is confirmed when the second is on its way.
        Mutant::RowKept => {
            pipeline.producer.on_restart = OnRestart::Resubmits;
            Story::new(2, &crash(StepWord::Attempt, 2), PropertyId::NoDuplicateEffect)
        }
        Mutant::TakenUpUnderNewNumber => Story::new(1, &crash(StepWord::Append, 1), PropertyId::NoDuplicateEffect)
            .twin(|it| it.producer.on_restart = OnRestart::Resubmits),
        // The second is submitted after the crash, gets the number of the first, and is taken for it.
        Mutant::NumbersStartAnew => Story::new(2, &crash(StepWord::Attempt, 1), PropertyId::SubmittedNotLost),
        // The second is confirmed, the first was lost on the way.
        Mutant::AckTakenAsCumulative => {
            pipeline.producer.in_flight = 2;
            (pipeline.producer.identity, pipeline.broker.dedup) = (Identity::MessageId, Dedup::MessageId);
            Story::new(2, &lost, PropertyId::SubmittedNotLost).twin(|it| it.producer.attempts = Attempts::AtMost(1))
        }
        Mutant::RetryUnderNewIdentity => Story::new(1, &ack_lost, PropertyId::NoDuplicateEffect)
            .twin(|it| (it.producer.identity, it.broker.dedup) = (Identity::None, Dedup::None)),
        Mutant::TimeOutTakenForRefusal => {
            pipeline.producer.attempts = Attempts::AtMost(1);
            Story::new(1, &ack_lost, PropertyId::RefusedNotDelivered)
        }
        Mutant::SilenceTakenForAck => {
            (pipeline.producer.attempts, pipeline.obligation) = (Attempts::AtMost(1), Obligation::Acked);
            Story::new(1, &lost, PropertyId::AckedNotLost)
        }
        // Numbers start again in the session that the first message was stored in: the second is taken for it.
        Mutant::EpochReused => {
            pipeline.producer.on_restart = OnRestart::Resubmits;
            Story::new(2, &crash(StepWord::Attempt, 2), PropertyId::SubmittedNotLost)
        }
        // The first is sent again with the bytes of the second.
        Mutant::PayloadBufferReused => Story::new(2, &lost, PropertyId::Integrity),
        Mutant::RefusalTakenForAck => {
            pipeline.obligation = Obligation::Acked;
            Story::new(1, &refused, PropertyId::AckedNotLost).twin(|it| it.broker.acks = Acks::OnReceipt)
        }
        Mutant::GivesUpOnRefusal => {
            Story::new(1, &refused, PropertyId::SubmittedNotLost).twin(|it| it.producer.on_refusal = OnRefusal::GiveUp)
        }
        Mutant::GivesUpOnSilence => {
            Story::new(1, &lost, PropertyId::SubmittedNotLost).twin(|it| it.producer.attempts = Attempts::AtMost(1))
        }
        // The second is delivered before the first is sent again.
        Mutant::WindowIgnored => {
            pipeline.ordered = true;
            (pipeline.producer.identity, pipeline.broker.dedup) = (Identity::None, Dedup::None);
            Story::new(2, &lost, PropertyId::Order).twin(|it| it.producer.in_flight = 2)
        }
        // The row of the first becomes visible when the second has been read.
        Mutant::RowsReadByPosition => {
            let reordered = [at(Fault::CommitReordered, StepWord::Submit, 1)];
            Story::new(2, &reordered, PropertyId::SubmittedNotLost).twin(|it| it.producer.outbox = OutboxRead::Cursor)
        }
        Mutant::PositionStoredOnAttempt => {
            pipeline.producer.outbox = OutboxRead::Cursor;
            Story::new(1, &crash(StepWord::Attempt, 1), PropertyId::SubmittedNotLost)
                .twin(|it| it.producer.relay_commits = RelayCommits::BeforePublish)
        }
        _ => return None,
    })
}
