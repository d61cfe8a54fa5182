//! The faults of an exact interleaving, told by the logical points at which they strike.
//!
//! A threaded run cannot be made to follow an interleaving, but it can be struck at the same points: "the ack of message
//! 2, first time" happens in every run of the same pipeline. What the order of the other steps decides is lost.

use std::collections::BTreeMap;

use crate::mutants::Mutant;
use delivery_model::schedule::{PlannedFault, Point, Schedule, StepWord, Strikes};
use delivery_model::vocab::{Fault, MessageId, Step, Target};

use super::run::{CannotReplay, world_of};
use super::world::World;

/// Why an interleaving has no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPoints {
    /// The cores cannot go that way.
    #[error(transparent)]
    CannotReplay(#[from] CannotReplay),
    /// A crash that comes before anything that it could come after.
    #[error("step {}: {fault} strikes before the first step of its party, which no logical point names", .at + 1)]
    BeforeEverything {
        /// Which of its steps, counted from 0.
        at: usize,
        /// What strikes.
        fault: Fault,
    },
}

/// The planned faults of a schedule: its own, or those of its exact interleaving.
pub fn planned(schedule: &Schedule) -> Result<Vec<PlannedFault>, NoPoints> {
    let Some(steps) = schedule.interleaving.steps() else {
        return Ok(schedule.faults.clone());
    };
    let mut world = world_of(schedule, Mutant::None);
    let mut passed = Passed::default();
    let mut planned = Vec::new();
    let mut events = Vec::new();
    for (at, &step) in steps.iter().enumerate() {
        match step.fault() {
            Some(fault) => {
                planned.push(passed.plan(&world, step, fault).ok_or(NoPoints::BeforeEverything { at, fault })?);
                if fault.row().strikes == Strikes::Instead {
                    fault.row().at.iter().for_each(|&word| passed.count(word, world.message_of(step)));
                }
            }
            None => passed.pass(&world, step),
        }
        world.take(step, &mut events).map_err(|why| CannotReplay { at, why })?;
        events.clear();
    }
    Ok(planned)
}

/// The points that a run has passed.
#[derive(Default)]
struct Passed {
    times: BTreeMap<(StepWord, Option<MessageId>), u32>,
    /// In order.
    points: Vec<Point>,
}

impl Passed {
    fn pass(&mut self, world: &World, step: Step) {
        let Some(word) = StepWord::of(&step) else { return };
        self.count(word, world.message_of(step));
    }

    fn count(&mut self, word: StepWord, message: Option<MessageId>) {
        let message = message.filter(|_| word.has_message());
        let times = self.times.entry((word, message)).or_default();
        *times += 1;
        self.points.push(Point { step: word, message, nth: *times });
    }

    /// The fault that this step is, by the point that it belongs to.
    fn plan(&self, world: &World, step: Step, fault: Fault) -> Option<PlannedFault> {
        let row = fault.row();
        let of_message = |nth: fn(u32) -> u32| {
            let (step, message) = (row.at[0], world.message_of(step));
            Point { step, message, nth: nth(self.times.get(&(step, message)).copied().unwrap_or(0)) }
        };
        let at = match row.strikes {
            Strikes::After => *self.points.iter().rev().find(|point| row.at.contains(&point.step))?,
            // What a loss befalls was put on its way by the latest such step.
            Strikes::Of => of_message(|passed| passed.max(1)),
            Strikes::Before | Strikes::Instead => of_message(|passed| passed + 1),
        };
        let synced = world.broker().log().synced().0;
        let planned = PlannedFault::new(fault, at);
        Some(match step.target() {
            Target::Records(keeps) if keeps > synced => PlannedFault { keeps: Some(keeps - synced), ..planned },
            Target::Position(position) => PlannedFault { to: Some(position), ..planned },
            _ => planned,
        })
    }
}
