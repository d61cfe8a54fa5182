//! How the broker's bugs come out that are on the side of delivering.

use delivery_model::pipeline::{
    Commits, DeadLetters, Dedup, DedupOnRestart, Delivers, Identity, Leases, Level, NewGroup, Obligation, OnFailure,
    Pipeline, RecordsSettles, Remembers, Settles,
};
use delivery_model::schedule::StepWord;
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::Fault;

use super::{Story, at};
use crate::mutants::Mutant;

pub(super) fn story(mutant: Mutant, pipeline: &mut Pipeline) -> Option<Story> {
    let broker_crash = |step, message| at(Fault::BrokerCrash, step, message);
    let consumer_crash = |step, message| at(Fault::ConsumerCrash, step, message);
    let expiry = [at(Fault::LeaseExpiry, StepWord::Deliver, 1)];
    Some(match mutant {
        // The inbox has the position of a record that was lost, and takes the record that comes to stand there for it.
        Mutant::HandsOffUnsynced => {
            pipeline.producer.in_flight = 2;
            (pipeline.producer.identity, pipeline.broker.dedup) = (Identity::None, Dedup::None);
            Story::new(2, &[broker_crash(StepWord::Handle, 1)], PropertyId::SubmittedNotLost)
        }
        // Where a rewind may come nothing is dropped; else the record leaves with its first hand-off, and that hides the bug.
        Mutant::HandOffNotPersisted => {
            pipeline.faults = pipeline.faults.with(Fault::Rewind, 1);
            (pipeline.broker.delivers, pipeline.consumer.remembers) = (Delivers::Once, Remembers::Nothing);
            Story::new(1, &[broker_crash(StepWord::Handle, 1)], PropertyId::NoDuplicateEffect)
                .twin(|it| it.broker.delivers = Delivers::UntilSettled)
        }
        // The ledger is compacted when the first is settled, and the others are in hand.
        Mutant::CountsDropped => {
            (pipeline.level, pipeline.broker.max_deliveries, pipeline.consumer.workers) = (Level::Delivery, 1, 3);
            Story::new(3, &[broker_crash(StepWord::RecordSettle, 1)], PropertyId::NoDuplicateDelivery)
                .twin(|it| it.broker.max_deliveries = 2)
        }
        Mutant::SettleNotPersisted => {
            let crash = broker_crash(StepWord::RecordSettle, 1);
            Story::new(2, &[crash], PropertyId::NoDeliveryAfterSettle)
                .twin(|it| it.broker.records_settles = RecordsSettles::Lazily)
        }
        // The second is settled first, and the first is in the hands of a consumer that crashes.
        Mutant::SettleTakenAsCumulative => {
            pipeline.consumer.workers = 2;
            Story::new(2, &[consumer_crash(StepWord::RecordSettle, 2)], PropertyId::SubmittedNotLost)
                .twin(|it| it.consumer.commits = Commits::Highest)
        }
        // Its record is settled, and the broker crashes before the copy is durable.
        Mutant::CopyUnsynced => {
            (pipeline.consumer.commits, pipeline.consumer.on_failure) = (Commits::Prefix, OnFailure::Requeue);
            pipeline.obligation = Obligation::Acked;
            let faults = [at(Fault::HandlerFails, StepWord::Handle, 1), broker_crash(StepWord::RecordSettle, 1)];
            Story::new(1, &faults, PropertyId::AckedNotLost).twin(|it| it.consumer.on_failure = OnFailure::Skip)
        }
        // The first is committed and the second is in the log when the consumer crashes.
        Mutant::PositionIgnored => {
            (pipeline.consumer.commits, pipeline.broker.new_group) = (Commits::Prefix, NewGroup::Latest);
            pipeline.obligation = Obligation::Acked;
            Story::new(2, &[consumer_crash(StepWord::RecordSettle, 1)], PropertyId::AckedNotLost)
        }
        // Both consumers are told that their settle counts, and both go on to the effect.
        Mutant::LeaseUnchecked => {
            (pipeline.consumer.settles, pipeline.consumer.remembers) = (Settles::BeforeEffect, Remembers::Nothing);
            Story::new(1, &expiry, PropertyId::NoDuplicateEffect).twin(|it| it.broker.leases = Leases::Unchecked)
        }
        // Its settle is refused, and it is handed off again: no fault is needed.
        Mutant::LeaseEndsEarly => {
            pipeline.consumer.remembers = Remembers::Nothing;
            Story::new(1, &[], PropertyId::NoDuplicateEffect)
        }
        // Both are on their way to the only worker, and the second comes first.
        Mutant::WorkersIgnored => {
            pipeline.ordered = true;
            Story::new(2, &[], PropertyId::Order).twin(|it| it.consumer.workers = 2)
        }
        // The only worker is never free for the second.
        Mutant::WorkerNotFreed => Story::new(2, &[], PropertyId::SubmittedNotLost),
        // The first vanishes on its way, and the second is delivered before it is sent again.
        Mutant::RequeuedAtBack => {
            pipeline.ordered = true;
            Story::new(2, &[at(Fault::DeliveryLost, StepWord::HandOff, 1)], PropertyId::Order)
        }
        Mutant::LeaseReused => Story::new(1, &expiry, PropertyId::LeaseExclusive),
        // The second consumer has the position when the first, whose lease has ended, gives up.
        Mutant::StaleReleaseFreesLease => Story::new(1, &expiry, PropertyId::LeaseExclusive),
        Mutant::LeasesOfGoneKept => {
            Story::new(1, &[consumer_crash(StepWord::Deliver, 1)], PropertyId::SubmittedNotLost)
                .twin(|it| it.broker.delivers = Delivers::Once)
        }
        Mutant::DeadLetterLate => {
            (pipeline.level, pipeline.broker.max_deliveries) = (Level::Delivery, 1);
            Story::new(1, &[consumer_crash(StepWord::Deliver, 1)], PropertyId::NoDuplicateDelivery)
                .twin(|it| it.broker.max_deliveries = 2)
        }
        // It fails every time, and is delivered again every time.
        Mutant::LimitIgnored => {
            (pipeline.level, pipeline.broker.max_deliveries) = (Level::Delivery, 1);
            Story::new(1, &[at(Fault::Poison, StepWord::Submit, 1)], PropertyId::NoDuplicateDelivery)
                .twin(|it| it.broker.max_deliveries = 0)
        }
        Mutant::SetAsideDropped => {
            pipeline.broker.max_deliveries = 1;
            Story::new(1, &[consumer_crash(StepWord::Deliver, 1)], PropertyId::SubmittedNotLost)
                .twin(|it| it.dead_letters = DeadLetters::AreLost)
        }
        // Its only delivery has its effect, and is one too many when it settles.
        Mutant::LastDeliverySetAside => {
            pipeline.broker.max_deliveries = 1;
            Story::new(1, &[], PropertyId::EffectOrDeadLetter)
        }
        Mutant::RewindReusesLeases => {
            Story::new(1, &[at(Fault::Rewind, StepWord::Deliver, 1)], PropertyId::LeaseExclusive)
        }
        // It is gone before it was handed off for the first time: no fault is needed.
        Mutant::RetentionIgnoresGroup => Story::new(1, &[], PropertyId::SubmittedNotLost),
        // The producer, which was never told, tries again when the record is long settled and dropped.
        Mutant::RetentionForgetsSeen => {
            (pipeline.consumer.settles, pipeline.consumer.remembers) = (Settles::BeforeEffect, Remembers::Nothing);
            let faults = [at(Fault::PublishAckLost, StepWord::Ack, 1), broker_crash(StepWord::RecordSettle, 1)];
            Story::new(1, &faults, PropertyId::NoDuplicateEffect)
                .twin(|it| it.broker.dedup_on_restart = DedupOnRestart::Forgotten)
        }
        _ => return None,
    })
}
