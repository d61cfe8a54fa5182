//! Schedules in the audit: the faults of a schedule as faults of a round, where they map, and back.
//!
//! A real broker chooses the order of its own steps, and shows only some of them. So an exact order does not map, nor does a
//! point inside the broker. One fault of a schedule can be one of several here: a crash of the broker is a kill or a power
//! loss, a lost publish can be lost with its connection. Which of them, a schedule does not say.

use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{Interleaving, PlannedFault, Point, Schedule};
use delivery_model::vocab::{Fault as Word, MessageId, StepWord};
use thiserror::Error;

use crate::faults::{self, Fault};
use crate::harness::Planned;
use crate::plan::{At, Load, Role};

/// Why a schedule cannot be run by the audit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unmapped {
    /// It says in which order all steps happen.
    #[error("\"order\": exact steps are given, but a real broker chooses the order; a seed is allowed")]
    Exact,
    /// A fault that the audit does not have.
    #[error("{fault}: the audit has no such fault; it has {known}")]
    Fault {
        /// The fault.
        fault: PlannedFault,
        /// Those that it has.
        known: String,
    },
    /// A point that the audit cannot see.
    #[error("{fault}: the audit does not see this point; it sees {known}, each of one message")]
    Point {
        /// The fault.
        fault: PlannedFault,
        /// Those that it sees.
        known: String,
    },
    /// None of the faults that the user named stands for this one.
    #[error("none of the named faults stands for {fault}; allowed are {known}")]
    NotNamed {
        /// The schedule's fault.
        fault: PlannedFault,
        /// Those that stand for it.
        known: String,
    },
    /// A detail that only a model can decide.
    #[error("{fault}: what a real broker keeps is for it to say; leave out \"keeps\"")]
    Keeps {
        /// The fault.
        fault: PlannedFault,
    },
}

/// The steps whose ends the audit sees, each with the kind of point that it is.
const SEEN: [(StepWord, At); 7] = [
    (StepWord::Ack, At::Acked),
    (StepWord::TakeReply, At::Acked),
    (StepWord::HandOff, At::Delivered),
    (StepWord::Deliver, At::Delivered),
    (StepWord::Handle, At::Effected),
    (StepWord::Settle, At::Settled),
    (StepWord::RecordSettle, At::Settled),
];

/// The faults of the audit that stand for one fault of the schedule, each for runs of its own: for its crash of a broker, if
/// it has one, else for its first fault. They are among `wanted`. Where nobody `named` those, and no broker crashes, it is
/// the one that [`planned`] takes by itself. A schedule without faults runs once.
pub fn ways(
    schedule: &Schedule,
    wanted: &[&'static dyn Fault],
    named: bool,
) -> Result<Vec<&'static dyn Fault>, Unmapped> {
    check_order(schedule)?;
    let crash = schedule.faults.iter().find(|it| it.fault == Word::BrokerCrash);
    let Some(&fault) = crash.or(schedule.faults.first()) else { return Ok(wanted.iter().take(1).copied().collect()) };
    let stands_for = |it: &&'static dyn Fault| it.word() == fault.fault;
    let ways: Vec<&'static dyn Fault> = wanted.iter().copied().filter(stands_for).collect();
    let first = faults::ALL.into_iter().find(stands_for).unwrap_or(&faults::Kill);
    let taken = planned(schedule, first)?;
    match (named, crash) {
        (false, None) => Ok(taken.first().map(|it| it.fault).into_iter().collect()),
        _ if ways.is_empty() => {
            let known = words(faults::ALL.into_iter().filter(stands_for).map(|it| it.name().to_owned()));
            Err(Unmapped::NotNamed { fault, known })
        }
        _ => Ok(ways),
    }
}

/// The schedule's faults for a round. `way` stands for those with its word.
pub fn planned(schedule: &Schedule, way: &'static dyn Fault) -> Result<Vec<Planned>, Unmapped> {
    check_order(schedule)?;
    schedule.faults.iter().map(|&fault| one(fault, way)).collect()
}

fn check_order(schedule: &Schedule) -> Result<(), Unmapped> {
    if schedule.interleaving.steps().is_some() { Err(Unmapped::Exact) } else { Ok(()) }
}

fn one(fault: PlannedFault, way: &'static dyn Fault) -> Result<Planned, Unmapped> {
    if fault.keeps.is_some() {
        return Err(Unmapped::Keeps { fault });
    }
    let same = |it: &&dyn Fault| it.word() == fault.fault;
    let found = if same(&way) { Some(way) } else { faults::ALL.into_iter().find(same) };
    let Some(found) = found else {
        return Err(Unmapped::Fault { fault, known: words(faults::ALL.iter().map(|it| it.word().to_string())) });
    };
    let Point { step, message, nth } = fault.at;
    if let (Some(_), Some(MessageId(message))) = (found.on_the_wire(), message) {
        // A frame is counted, not read. Messages are published in their order, so the first frame of one has its number.
        return Ok(Planned { fault: found, at: found.at(Load::KeepsUp), nth: message, of: None });
    }
    let seen = SEEN.iter().find(|(word, _)| *word == step).map(|(_, at)| *at);
    let (Some(at), Some(MessageId(message))) = (seen, message) else {
        return Err(Unmapped::Point { fault, known: words(SEEN.iter().map(|(word, _)| word.to_string())) });
    };
    Ok(Planned { fault: found, at, nth: nth.into(), of: Some(message) })
}

/// Words without repetitions, in their order.
fn words(words: impl Iterator<Item = String>) -> String {
    let mut told: Vec<String> = Vec::new();
    words.for_each(|word| {
        if !told.contains(&word) {
            told.push(word);
        }
    });
    told.join(", ")
}

/// A round as a schedule of this pipeline: what [`planned`] takes back. Messages are published in their order, so that a
/// point counted over all messages is one of the message with that number.
pub fn schedule(pipeline: Pipeline, messages: u64, faults: &[Planned]) -> Schedule {
    let fault = |planned: &Planned| {
        let step = match planned.at {
            At::Frame(Role::Publish) => StepWord::Attempt,
            At::Frame(Role::PublishAck) => StepWord::Ack,
            At::Frame(Role::Delivery) => StepWord::HandOff,
            At::Frame(Role::Settle | Role::SettleAck) => StepWord::Settle,
            seen => SEEN.iter().find(|(_, at)| *at == seen).map_or(StepWord::Ack, |(step, _)| *step),
        };
        let (message, nth) = match planned.of {
            Some(message) => (message, u32::try_from(planned.nth).unwrap_or(u32::MAX)),
            None => (planned.nth, 1),
        };
        PlannedFault::new(planned.fault.word(), Point { step, message: Some(MessageId(message)), nth })
    };
    let messages = u32::try_from(messages).unwrap_or(u32::MAX);
    let interleaving = Interleaving::default();
    Schedule { pipeline, messages, faults: faults.iter().map(fault).collect(), interleaving }
}
