//! For every seeded bug the schedule that brings it out, and the property that it then breaks.
//!
//! Each kill schedule is the story of its bug in as few faults as possible, on the exactly-once reference with as few settings
//! changed as possible. Without the bug the same schedule breaks nothing of that property, under any interleaving tried.

use crate::mutants::Mutant;
use delivery_model::pipeline::{
    Attempts, Commits, Dedup, DedupOnRestart, Delivers, FaultBudget, Identity, Level, Obligation, OnRestart, Pipeline,
    Remembers, Settles,
};
use delivery_model::presets;
use delivery_model::schedule::{Interleaving, PlannedFault, Point, Schedule, StepWord};
use delivery_model::semantics::{PropertyId, Rules};
use delivery_model::vocab::{Fault, MessageId};

use super::campaign::broken_by;
use super::run::run;

/// So many interleavings of a kill schedule are tried: the rarest bug needs the broker to stay unsynced for six steps.
pub const SEEDS: u64 = 512;

/// What a bug is caught with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillSchedule {
    /// The schedule, under its first interleaving.
    pub schedule: Schedule,
    /// What breaks.
    pub property: PropertyId,
}

impl KillSchedule {
    /// The first schedule, among the interleavings of this one, of which the cores with this bug break the property.
    pub fn catches(&self, mutant: Mutant) -> Option<Schedule> {
        self.breaks(self.property, mutant)
    }

    /// The schedule's faults as a budget, beside those that its pipeline must allow for.
    pub fn budget(&self) -> FaultBudget {
        let Schedule { pipeline, faults, .. } = &self.schedule;
        let allowed = FaultBudget::NONE.with(Fault::Rewind, pipeline.faults.of(Fault::Rewind));
        let struck = faults.iter().map(|planned| planned.fault);
        struck.fold(allowed, |budget, fault| budget.with(fault, budget.of(fault) + 1))
    }

    /// The same for any property that the kill schedule is not named for.
    pub fn breaks(&self, property: PropertyId, mutant: Mutant) -> Option<Schedule> {
        let rules = Rules::from(&self.schedule.pipeline);
        let seeded = |seed| Schedule { interleaving: Interleaving::Seeded(seed), ..self.schedule.clone() };
        (0..SEEDS).map(seeded).find(|schedule| {
            let run = run(schedule, mutant).expect("a seeded run takes only what is offered");
            broken_by(&run, rules).contains(property)
        })
    }
}

fn at(fault: Fault, step: StepWord, message: u64) -> PlannedFault {
    let message = step.has_message().then_some(MessageId(message));
    PlannedFault::new(fault, Point { step, message, nth: 1 })
}

/// What this bug is caught with; [`Mutant::None`] with nothing.
pub fn kill_schedule(mutant: Mutant) -> Option<KillSchedule> {
    let mut pipeline = presets::named("exactly-once").expect("the preset exists");
    pipeline.name = format!("exactly-once, to catch {mutant:?}");
    let (messages, faults, property) = match mutant {
        Mutant::None => return None,
        Mutant::OutboxRowRemovedOnAttempt
        | Mutant::AckTakenAsCumulative
        | Mutant::RetryUnderNewIdentity
        | Mutant::TimeOutTakenForRefusal
        | Mutant::EpochReused
        | Mutant::PayloadBufferReused
        | Mutant::RefusalTakenForAck => of_producer(mutant, &mut pipeline),
        Mutant::AckBeforeSync
        | Mutant::DuplicateAckedBeforeSync
        | Mutant::SeenBeforeStored
        | Mutant::GapAccepted
        | Mutant::DedupNotRebuilt
        | Mutant::ForgottenTakenForWhole
        | Mutant::FencingSkipped => of_publishing(mutant, &mut pipeline),
        Mutant::HandsOffUnsynced
        | Mutant::HandOffNotPersisted
        | Mutant::SettleNotPersisted
        | Mutant::LeaseUnchecked
        | Mutant::RequeuedAtBack
        | Mutant::LeaseReused
        | Mutant::DeadLetterLate
        | Mutant::LastDeliverySetAside
        | Mutant::RewindReusesLeases
        | Mutant::RetentionIgnoresGroup
        | Mutant::RetentionForgetsSeen => of_delivering(mutant, &mut pipeline),
        Mutant::SettleBeforeEffect
        | Mutant::CommitTakenForConfirmation
        | Mutant::CommitsHighest
        | Mutant::InboxAfterEffect
        | Mutant::InboxBeforeEffect
        | Mutant::InboxByPosition
        | Mutant::PositionsTakenForInbox
        | Mutant::FenceIgnored => of_consumer(mutant, &mut pipeline),
    };
    let interleaving = Interleaving::Seeded(0);
    Some(KillSchedule { schedule: Schedule { pipeline, messages, faults, interleaving }, property })
}

type Story = (u32, Vec<PlannedFault>, PropertyId);

fn of_producer(mutant: Mutant, pipeline: &mut Pipeline) -> Story {
    match mutant {
        // It crashes before the broker has anything, and does not know the message any more.
        Mutant::OutboxRowRemovedOnAttempt => {
            (1, vec![at(Fault::ProducerCrash, StepWord::Attempt, 1)], PropertyId::SubmittedNotLost)
        }
        // The second is confirmed, the first was lost on the way.
        Mutant::AckTakenAsCumulative => {
            pipeline.producer.in_flight = 2;
            (pipeline.producer.identity, pipeline.broker.dedup) = (Identity::MessageId, Dedup::MessageId);
            (2, vec![at(Fault::PublishLost, StepWord::Attempt, 1)], PropertyId::SubmittedNotLost)
        }
        Mutant::RetryUnderNewIdentity => {
            (1, vec![at(Fault::PublishAckLost, StepWord::Ack, 1)], PropertyId::NoDuplicateEffect)
        }
        Mutant::TimeOutTakenForRefusal => {
            pipeline.producer.attempts = Attempts::AtMost(1);
            (1, vec![at(Fault::PublishAckLost, StepWord::Ack, 1)], PropertyId::RefusedNotDelivered)
        }
        // The first is sent again with the bytes of the second.
        Mutant::PayloadBufferReused => (2, vec![at(Fault::PublishLost, StepWord::Attempt, 1)], PropertyId::Integrity),
        Mutant::RefusalTakenForAck => {
            pipeline.obligation = Obligation::Acked;
            (1, vec![at(Fault::PublishRefused, StepWord::Append, 1)], PropertyId::AckedNotLost)
        }
        // Numbers start again in the session that the first message was stored in: the second is taken for it.
        _ => {
            pipeline.producer.on_restart = OnRestart::Resubmits;
            (2, vec![at(Fault::ProducerCrash, StepWord::Attempt, 2)], PropertyId::SubmittedNotLost)
        }
    }
}

fn of_publishing(mutant: Mutant, pipeline: &mut Pipeline) -> Story {
    match mutant {
        Mutant::AckBeforeSync => {
            pipeline.obligation = Obligation::Acked;
            (1, vec![at(Fault::BrokerCrash, StepWord::TakeReply, 1)], PropertyId::AckedNotLost)
        }
        // The successor's attempt finds the record of the first one, which is not durable yet.
        Mutant::DuplicateAckedBeforeSync => {
            let crashes = [(Fault::ProducerCrash, StepWord::Append), (Fault::BrokerCrash, StepWord::TakeReply)];
            (1, crashes.map(|(fault, step)| at(fault, step, 1)).to_vec(), PropertyId::SubmittedNotLost)
        }
        Mutant::SeenBeforeStored => {
            (1, vec![at(Fault::PublishRefused, StepWord::Append, 1)], PropertyId::SubmittedNotLost)
        }
        // The third overtakes the second, which is then taken for an old one.
        Mutant::GapAccepted => {
            pipeline.producer.in_flight = 2;
            (3, vec![at(Fault::PublishLost, StepWord::Attempt, 2)], PropertyId::SubmittedNotLost)
        }
        // Stored and durable, but the confirmation was still owed.
        Mutant::DedupNotRebuilt => {
            pipeline.consumer.remembers = Remembers::Nothing;
            (1, vec![at(Fault::BrokerCrash, StepWord::Sync, 1)], PropertyId::NoDuplicateEffect)
        }
        // The second is the second of a session that the memory does not know: it is refused for ever.
        Mutant::ForgottenTakenForWhole => {
            pipeline.broker.dedup_on_restart = DedupOnRestart::Forgotten;
            (2, vec![at(Fault::BrokerCrash, StepWord::TakeReply, 1)], PropertyId::SubmittedNotLost)
        }
        // The zombie's copy and the successor's have different identities: only the fence tells them apart.
        _ => {
            pipeline.producer.on_restart = OnRestart::Resubmits;
            (1, vec![at(Fault::ProducerZombie, StepWord::Attempt, 1)], PropertyId::NoDuplicateEffect)
        }
    }
}

fn of_delivering(mutant: Mutant, pipeline: &mut Pipeline) -> Story {
    match mutant {
        // The inbox has the position of a record that was lost, and takes the record that comes to stand there for it.
        Mutant::HandsOffUnsynced => {
            pipeline.producer.in_flight = 2;
            (pipeline.producer.identity, pipeline.broker.dedup) = (Identity::None, Dedup::None);
            (2, vec![at(Fault::BrokerCrash, StepWord::Handle, 1)], PropertyId::SubmittedNotLost)
        }
        // Where a rewind may come nothing is dropped; else the record leaves with its first hand-off, and that hides the bug.
        Mutant::HandOffNotPersisted => {
            pipeline.faults = pipeline.faults.with(Fault::Rewind, 1);
            (pipeline.broker.delivers, pipeline.consumer.remembers) = (Delivers::Once, Remembers::Nothing);
            (1, vec![at(Fault::BrokerCrash, StepWord::Handle, 1)], PropertyId::NoDuplicateEffect)
        }
        Mutant::SettleNotPersisted => {
            (2, vec![at(Fault::BrokerCrash, StepWord::RecordSettle, 1)], PropertyId::NoDeliveryAfterSettle)
        }
        // Both consumers are told that their settle counts, and both go on to the effect.
        Mutant::LeaseUnchecked => {
            (pipeline.consumer.settles, pipeline.consumer.remembers) = (Settles::BeforeEffect, Remembers::Nothing);
            (1, vec![at(Fault::LeaseExpiry, StepWord::Deliver, 1)], PropertyId::NoDuplicateEffect)
        }
        // The first vanishes on its way, and the second is delivered before it is sent again.
        Mutant::RequeuedAtBack => {
            pipeline.ordered = true;
            (2, vec![at(Fault::DeliveryLost, StepWord::HandOff, 1)], PropertyId::Order)
        }
        Mutant::LeaseReused => (1, vec![at(Fault::LeaseExpiry, StepWord::Deliver, 1)], PropertyId::LeaseExclusive),
        // Its only delivery has its effect, and is one too many when it settles.
        Mutant::LastDeliverySetAside => {
            pipeline.broker.max_deliveries = 1;
            (1, vec![], PropertyId::EffectOrDeadLetter)
        }
        Mutant::RewindReusesLeases => (1, vec![at(Fault::Rewind, StepWord::Deliver, 1)], PropertyId::LeaseExclusive),
        // It is gone before it was handed off for the first time: no fault is needed.
        Mutant::RetentionIgnoresGroup => (1, vec![], PropertyId::SubmittedNotLost),
        // The producer, which was never told, tries again when the record is long settled and dropped.
        Mutant::RetentionForgetsSeen => {
            pipeline.consumer.remembers = Remembers::Nothing;
            let faults = [(Fault::PublishAckLost, StepWord::Ack), (Fault::BrokerCrash, StepWord::RecordSettle)];
            (1, faults.map(|(fault, step)| at(fault, step, 1)).to_vec(), PropertyId::NoDuplicateEffect)
        }
        _ => {
            (pipeline.level, pipeline.broker.max_deliveries) = (Level::Delivery, 1);
            (1, vec![at(Fault::ConsumerCrash, StepWord::Deliver, 1)], PropertyId::NoDuplicateDelivery)
        }
    }
}

fn of_consumer(mutant: Mutant, pipeline: &mut Pipeline) -> Story {
    let crash = |step, message| vec![at(Fault::ConsumerCrash, step, message)];
    match mutant {
        Mutant::SettleBeforeEffect => (1, crash(StepWord::RecordSettle, 1), PropertyId::SettledAfterEffect),
        // The new owner settles and handles it, and the old one takes that for its own confirmation.
        Mutant::CommitTakenForConfirmation => {
            (pipeline.consumer.settles, pipeline.consumer.commits) = (Settles::BeforeEffect, Commits::Prefix);
            pipeline.consumer.remembers = Remembers::Nothing;
            (1, vec![at(Fault::LeaseExpiry, StepWord::Deliver, 1)], PropertyId::NoDuplicateEffect)
        }
        // The second is finished and committed while the first is still at work.
        Mutant::CommitsHighest => {
            (pipeline.consumer.commits, pipeline.consumer.workers) = (Commits::Prefix, 2);
            (2, crash(StepWord::RecordSettle, 2), PropertyId::SubmittedNotLost)
        }
        Mutant::InboxAfterEffect => (1, crash(StepWord::Handle, 1), PropertyId::NoDuplicateEffect),
        Mutant::InboxBeforeEffect => (1, crash(StepWord::Handle, 1), PropertyId::SubmittedNotLost),
        // One message is stored twice.
        Mutant::InboxByPosition => {
            let faults = [(Fault::PublishAckLost, StepWord::Ack), (Fault::DedupForgotten, StepWord::TimeOut)];
            (1, faults.map(|(fault, step)| at(fault, step, 1)).to_vec(), PropertyId::NoDuplicateEffect)
        }
        // The positions know the message, until they are wound back.
        Mutant::PositionsTakenForInbox => {
            pipeline.consumer.settles = Settles::WithEffect;
            (1, vec![at(Fault::Rewind, StepWord::Handle, 1)], PropertyId::NoDuplicateEffect)
        }
        // The old owner still commits its effect after the new one took over.
        _ => {
            (pipeline.consumer.settles, pipeline.consumer.remembers) = (Settles::WithEffect, Remembers::Nothing);
            (1, vec![at(Fault::LeaseExpiry, StepWord::Deliver, 1)], PropertyId::NoDuplicateEffect)
        }
    }
}

#[cfg(test)]
mod tests {
    use delivery_model::semantics::PropertySet;

    use super::*;

    #[test]
    fn every_seeded_bug_breaks_its_property_and_sound_cores_keep_it() {
        for mutant in Mutant::ALL {
            let kill = kill_schedule(mutant).expect("every bug has a kill schedule");
            let named = format!("{mutant:?}, {}", kill.property);
            assert!(kill.catches(mutant).is_some(), "{named}: not caught");
            let innocent = kill.catches(Mutant::None);
            assert_eq!(innocent, None, "{named}: sound cores break it too");
        }
    }

    /// What the parties hold gives a bug away on the schedule of its kill schedule, whatever else it breaks there. Of the properties
    /// that are judged from outside, each is one that a kill schedule is named for.
    #[test]
    fn every_property_catches_a_seeded_bug_by_name() {
        let inside = [
            (PropertyId::AckHonesty, Mutant::AckBeforeSync),
            (PropertyId::AckHonesty, Mutant::DuplicateAckedBeforeSync),
            (PropertyId::DedupHonesty, Mutant::SeenBeforeStored),
            (PropertyId::DedupHonesty, Mutant::GapAccepted),
            (PropertyId::DedupCompleteness, Mutant::DedupNotRebuilt),
            (PropertyId::DedupCompleteness, Mutant::RetryUnderNewIdentity),
            (PropertyId::LeaseExclusive, Mutant::LeaseReused),
            (PropertyId::StaleSettleRefused, Mutant::LeaseUnchecked),
            (PropertyId::StaleSettleRefused, Mutant::FenceIgnored),
            (PropertyId::Fencing, Mutant::FencingSkipped),
            (PropertyId::Fencing, Mutant::FenceIgnored),
            (PropertyId::CumulativeCommit, Mutant::CommitsHighest),
            (PropertyId::PoisonBounded, Mutant::DeadLetterLate),
            (PropertyId::ReplaySafe, Mutant::PositionsTakenForInbox),
        ];
        for (property, mutant) in inside {
            let kill = kill_schedule(mutant).expect("every bug has a kill schedule");
            assert!(kill.breaks(property, mutant).is_some(), "{mutant:?} keeps {property}");
            assert_eq!(kill.breaks(property, Mutant::None), None, "sound cores break {property} where {mutant:?} does");
        }
        let outside = Mutant::ALL.into_iter().filter_map(kill_schedule).map(|kill| kill.property);
        let named: PropertySet = inside.into_iter().map(|(property, _)| property).chain(outside).collect();
        let idle: Vec<PropertyId> = PropertyId::ALL.iter().copied().filter(|it| !named.contains(*it)).collect();
        assert_eq!(idle, [], "no seeded bug is caught by these");
    }

    #[test]
    fn a_kill_schedule_is_a_schedule_that_can_be_written_and_read() {
        for kill in Mutant::ALL.into_iter().filter_map(kill_schedule) {
            assert_eq!(Schedule::from_json(&kill.schedule.to_json()).as_ref(), Ok(&kill.schedule));
        }
    }
}
