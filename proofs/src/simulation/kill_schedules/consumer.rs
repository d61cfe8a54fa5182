//! How the consumer's bugs come out.

use delivery_model::pipeline::{Commits, Dedup, Identity, Leases, OnRestart, Pipeline, Remembers, Settles};
use delivery_model::schedule::{PlannedFault, Point, StepWord};
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::Fault;

use super::{Story, at};
use crate::mutants::Mutant;

pub(super) fn story(mutant: Mutant, pipeline: &mut Pipeline) -> Option<Story> {
    let crash = |step, message| [at(Fault::ConsumerCrash, step, message)];
    let expiry = at(Fault::LeaseExpiry, StepWord::Deliver, 1);
    let settle_lost = [at(Fault::SettleLost, StepWord::Settle, 1)];
    Some(match mutant {
        Mutant::SettleBeforeEffect => Story::new(1, &crash(StepWord::RecordSettle, 1), PropertyId::SettledAfterEffect)
            .twin(|it| it.consumer.settles = Settles::BeforeEffect),
        // Its only delivery fails: it is no dead letter, and has no effect.
        Mutant::FailureSettled => {
            pipeline.broker.max_deliveries = 1;
            Story::new(1, &[at(Fault::Poison, StepWord::Submit, 1)], PropertyId::SubmittedNotLost)
                .twin(|it| it.consumer.settles = Settles::BeforeEffect)
        }
        // The new owner settles and handles it, and the old one takes that for its own confirmation.
        Mutant::CommitTakenForConfirmation => {
            (pipeline.consumer.settles, pipeline.consumer.commits) = (Settles::BeforeEffect, Commits::Prefix);
            pipeline.consumer.remembers = Remembers::Nothing;
            Story::new(1, &[expiry], PropertyId::NoDuplicateEffect)
        }
        // The new owner's settle counts; the old one's does not.
        Mutant::RefusedSettleTakenForOk => {
            (pipeline.consumer.settles, pipeline.consumer.remembers) = (Settles::BeforeEffect, Remembers::Nothing);
            Story::new(1, &[expiry], PropertyId::NoDuplicateEffect).twin(|it| it.broker.leases = Leases::Unchecked)
        }
        // The broker never heard of it, and delivers again.
        Mutant::LostSettleTakenForOk => {
            (pipeline.consumer.settles, pipeline.consumer.remembers) = (Settles::BeforeEffect, Remembers::Nothing);
            Story::new(1, &settle_lost, PropertyId::NoDuplicateEffect)
        }
        // The second is finished and committed while the first is still at work.
        Mutant::CommitsHighest => {
            (pipeline.consumer.commits, pipeline.consumer.workers) = (Commits::Prefix, 2);
            Story::new(2, &crash(StepWord::RecordSettle, 2), PropertyId::SubmittedNotLost)
                .twin(|it| it.consumer.commits = Commits::Highest)
        }
        // The second is committed with the first, before it was handed off.
        Mutant::CommitsOneTooMany => {
            pipeline.consumer.commits = Commits::Prefix;
            Story::new(2, &[], PropertyId::SubmittedNotLost)
        }
        // The first owner's settle is refused, and so is the second one's; then the first has it again.
        Mutant::DoneKept => {
            (pipeline.consumer.settles, pipeline.consumer.commits) = (Settles::BeforeEffect, Commits::Prefix);
            let again = Point { nth: 2, ..expiry.at };
            let faults = [expiry, PlannedFault::new(Fault::LeaseExpiry, again)];
            Story::new(1, &faults, PropertyId::SubmittedNotLost)
        }
        Mutant::InboxNotAsked => Story::new(1, &settle_lost, PropertyId::NoDuplicateEffect)
            .twin(|it| it.consumer.remembers = Remembers::Nothing),
        Mutant::InboxAfterEffect => Story::new(1, &crash(StepWord::Handle, 1), PropertyId::NoDuplicateEffect)
            .twin(|it| it.consumer.remembers = Remembers::InMemory),
        Mutant::InboxBeforeEffect => Story::new(1, &crash(StepWord::Handle, 1), PropertyId::SubmittedNotLost)
            .twin(|it| it.consumer.settles = Settles::BeforeEffect),
        // One message is stored twice.
        Mutant::InboxByPosition => {
            let faults = [at(Fault::PublishAckLost, StepWord::Ack, 1), at(Fault::DedupForgotten, StepWord::TimeOut, 1)];
            Story::new(1, &faults, PropertyId::NoDuplicateEffect)
                .twin(|it| (it.producer.identity, it.broker.dedup) = (Identity::None, Dedup::None))
        }
        // The second has number 0 in a session of its own, as the first had in the one before.
        Mutant::InboxWithoutSession => {
            pipeline.producer.on_restart = OnRestart::Resubmits;
            Story::new(2, &[at(Fault::ProducerCrash, StepWord::Attempt, 2)], PropertyId::SubmittedNotLost)
        }
        // The positions know the message, until they are wound back.
        Mutant::PositionsTakenForInbox => {
            pipeline.consumer.settles = Settles::WithEffect;
            Story::new(1, &[at(Fault::Rewind, StepWord::Handle, 1)], PropertyId::NoDuplicateEffect)
                .twin(|it| it.consumer.remembers = Remembers::Nothing)
        }
        // The old owner still commits its effect after the new one took over.
        Mutant::FenceIgnored => {
            (pipeline.consumer.settles, pipeline.consumer.remembers) = (Settles::WithEffect, Remembers::Nothing);
            Story::new(1, &[expiry], PropertyId::NoDuplicateEffect).twin(|it| it.broker.leases = Leases::Unchecked)
        }
        _ => return None,
    })
}
