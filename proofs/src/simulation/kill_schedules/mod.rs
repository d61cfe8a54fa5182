//! For every seeded bug the schedule that brings it out, the property that it then breaks, and its twin in the model.
//!
//! Each kill schedule is the story of its bug in as few faults as possible, on the exactly-once reference with as few settings
//! changed as possible. Without the bug the same schedule breaks nothing of that property, under any interleaving tried.
//!
//! A twin is the same mistake made in the words of the settings: the kill schedule's pipeline with one of them changed, which
//! breaks the same property in the model. A mistake that no setting amounts to has none.

mod consumer;
mod delivering;
mod producer;
mod publishing;

use crate::mutants::Mutant;
use delivery_model::pipeline::{FaultBudget, Pipeline};
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
    /// The pipeline with the setting that amounts to the same mistake, if there is one.
    pub twin: Option<Pipeline>,
}

impl KillSchedule {
    /// The first schedule, among the interleavings of this one, of which the cores with this bug break the property.
    pub fn catches(&self, mutant: Mutant) -> Option<Schedule> {
        self.breaks(self.property, mutant)
    }

    /// The schedule's faults as a budget, beside those that its pipeline must allow for.
    pub fn budget(&self) -> FaultBudget {
        let allowed = self.schedule.pipeline.faults.of(Fault::Rewind);
        let struck = self.struck();
        struck.with(Fault::Rewind, struck.of(Fault::Rewind) + allowed)
    }

    /// The schedule's faults as a budget, and nothing else.
    pub fn struck(&self) -> FaultBudget {
        let struck = self.schedule.faults.iter().map(|planned| planned.fault);
        struck.fold(FaultBudget::NONE, |budget, fault| budget.with(fault, budget.of(fault) + 1))
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
    let stories = [producer::story, publishing::story, delivering::story, consumer::story];
    let Story { messages, faults, property, twin } = stories.iter().find_map(|story| story(mutant, &mut pipeline))?;
    let schedule = Schedule { pipeline, messages, faults, interleaving: Interleaving::Seeded(0) };
    let twin = twin.map(|change| {
        let mut twin = schedule.pipeline.clone();
        change(&mut twin);
        twin
    });
    Some(KillSchedule { schedule, property, twin })
}

/// How a bug comes out, on a pipeline that was made fit for it.
struct Story {
    messages: u32,
    faults: Vec<PlannedFault>,
    property: PropertyId,
    twin: Option<fn(&mut Pipeline)>,
}

impl Story {
    fn new(messages: u32, faults: &[PlannedFault], property: PropertyId) -> Story {
        Story { messages, faults: faults.to_vec(), property, twin: None }
    }

    /// The setting that amounts to the same mistake.
    fn twin(self, change: fn(&mut Pipeline)) -> Story {
        Story { twin: Some(change), ..self }
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
            (PropertyId::AckHonesty, Mutant::OverflowAcked),
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
