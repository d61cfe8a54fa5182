//! When planned faults strike: counts the logical points of a run, arms a fault when its point is reached, and says
//! which fault strikes now.
//!
//! A loss befalls what its point's step put on its way, and is called off once that has arrived or vanished. A crash or
//! the like strikes right after its point, or as soon after as there is something to lose. Two losses come before their
//! step, since they decide what becomes of it: a refused append, and a message that is poisoned from the start.

use std::collections::BTreeMap;

use delivery_model::pipeline::{Acks, Pipeline};
use delivery_model::schedule::{PlannedFault, StepWord, Strikes};
use delivery_model::spec::bounds::LATE_MAX;
use delivery_model::vocab::{DeliveryRef, Fault, MessageId, Move, Position, Step, Strike, Target};

use super::world::World;

/// The planned faults of one run, and how far each has come.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    faults: &'a [PlannedFault],
    acks: Acks,
    /// The points that faults wait for. No others are counted.
    points: BTreeMap<(StepWord, Option<MessageId>), Awaited>,
    /// In the order in which their points were reached.
    armed: Vec<Armed>,
    fired: Vec<Option<usize>>,
}

#[derive(Clone, Debug, Default)]
struct Awaited {
    times: u32,
    /// Indices into the planned faults.
    faults: Vec<usize>,
}

/// A fault whose point was reached, with what was to be known then.
#[derive(Clone, Copy, Debug)]
struct Armed {
    fault: usize,
    position: Option<Position>,
    consumer: u8,
}

/// What a step is about, noted before it is taken: afterwards some of it may be over.
#[derive(Clone, Copy, Debug)]
pub struct About {
    message: Option<MessageId>,
    hand: Option<DeliveryRef>,
    consumer: Option<u8>,
}

impl About {
    /// What this step is about.
    pub fn step(world: &World, step: Step) -> Self {
        let hand = match step {
            Step::Move(Move::HandOff { position }) => Some(DeliveryRef::live(position)),
            Step::Move(_) => step.hand(),
            Step::Fault(_) => None,
        };
        About { message: world.message_of(step), hand, consumer: hand.and_then(|hand| holder(world, hand)) }
    }
}

fn holder(world: &World, hand: DeliveryRef) -> Option<u8> {
    world.holder(hand).map(|consumer| consumer.0)
}

impl<'a> Plan<'a> {
    /// Nothing has happened yet.
    pub fn new(pipeline: &Pipeline, faults: &'a [PlannedFault]) -> Self {
        let mut points: BTreeMap<_, Awaited> = BTreeMap::new();
        for (index, planned) in faults.iter().enumerate() {
            points.entry((planned.at.step, planned.at.message)).or_default().faults.push(index);
        }
        Plan { faults, acks: pipeline.broker.acks, points, armed: Vec::new(), fired: vec![None; faults.len()] }
    }

    /// At which step of the run each fault struck, counted from 0; none, if it did not.
    pub fn into_fired(self) -> Vec<Option<usize>> {
        self.fired
    }

    /// The fault that strikes now, whatever anybody wanted to do next. `now`: how many steps were taken.
    pub fn strike(&mut self, world: &World, now: usize) -> Option<Step> {
        let faults = self.faults;
        self.armed.retain(|armed| !is_called_off(&faults[armed.fault], armed, world));
        let striking = |armed: &Armed| Some((armed.fault, step_of(&faults[armed.fault], armed, world)?));
        let (fault, step) = self.armed.iter().find_map(striking)?;
        self.armed.retain(|armed| armed.fault != fault);
        self.fired[fault] = Some(now);
        Some(step)
    }

    /// The fault that decides what becomes of the step that is about to be taken.
    pub fn forestall(&mut self, world: &World, step: Step, now: usize) -> Option<Step> {
        let (word, message) = (StepWord::of(&step)?, world.message_of(step)?);
        let awaited = self.points.get(&(word, Some(message)))?;
        for &index in &awaited.faults {
            let planned = &self.faults[index];
            if !planned.fault.row().strikes.comes_first() {
                continue;
            }
            let strike = [Target::Message(message), step.target()].iter().find_map(|it| Strike::at(planned.fault, *it));
            let Some(fault) = strike.map(Step::Fault) else { continue };
            if planned.at.nth == awaited.times + 1 && self.fired[index].is_none() && world.can(fault) {
                self.fired[index] = Some(now);
                return Some(fault);
            }
        }
        None
    }

    /// A step was taken: counts its point, and arms what waited for it.
    pub fn note(&mut self, world: &World, step: Step, about: About) {
        if let Some(word) = StepWord::of(&step) {
            self.count(world, word, about);
            // An ack that goes out with the receipt counts as one.
            if word == StepWord::Receive && self.acks == Acks::OnReceipt {
                self.count(world, StepWord::Ack, about);
            }
        }
        if let Some(row) = step.fault().map(Fault::row).filter(|row| row.strikes == Strikes::Instead) {
            row.at.iter().for_each(|&word| self.count(world, word, about));
        }
    }

    fn count(&mut self, world: &World, word: StepWord, about: About) {
        let message = about.message.filter(|_| word.has_message());
        let Some(awaited) = self.points.get_mut(&(word, message)) else {
            return;
        };
        awaited.times += 1;
        let consumer = about.consumer.or_else(|| holder(world, about.hand?)).unwrap_or_default();
        let position = about.hand.map(|hand| hand.position);
        for &fault in &awaited.faults {
            let is_forestalling = self.faults[fault].fault.row().strikes.comes_first();
            if self.faults[fault].at.nth == awaited.times && !is_forestalling {
                self.armed.push(Armed { fault, position, consumer });
            }
        }
    }

    /// A fault waits for the attempt at this message to get into the right place on the wire: it should not arrive as
    /// long as something else can happen.
    pub fn holds_back(&self, step: Step) -> bool {
        let Step::Move(Move::Receive { message }) = step else {
            return false;
        };
        let planned = self.armed.iter().map(|armed| &self.faults[armed.fault]);
        planned
            .filter(|planned| planned.at.message == Some(message))
            .any(|planned| matches!(planned.fault, Fault::PublishReordered | Fault::ProducerZombie))
    }
}

/// The step that an armed fault is now, if it is possible now.
fn step_of(planned: &PlannedFault, armed: &Armed, world: &World) -> Option<Step> {
    let hands = armed.position.into_iter().flat_map(|position| {
        // An expiry ends the lease that there is; what is lost may have outlived its own.
        (0..=LATE_MAX as u8).map(move |late| Target::Delivery(DeliveryRef { position, late }))
    });
    let others = [
        planned.at.message.map(Target::Message),
        Some(Target::Consumer(armed.consumer)),
        Some(Target::Records(keeps(world, planned.keeps.unwrap_or_default()))),
        Some(Target::Position(planned.to.unwrap_or_default())),
        Some(Target::Nothing),
    ];
    let strikes = hands.chain(others.into_iter().flatten()).filter_map(|target| Strike::at(planned.fault, target));
    strikes.map(Step::Fault).find(|step| world.can(*step))
}

/// What it was to befall is gone.
fn is_called_off(planned: &PlannedFault, armed: &Armed, world: &World) -> bool {
    let message = planned.at.message.unwrap_or_default();
    match (planned.fault.row().strikes, planned.at.step) {
        (Strikes::After | Strikes::Before | Strikes::Instead, _) => false,
        (Strikes::Of, StepWord::Attempt) => !world.is_on_wire(message),
        (Strikes::Of, StepWord::Ack) => !world.ack_is_on_way(message),
        (Strikes::Of, _) => step_of(planned, armed, world).is_none(),
    }
}

/// How many records survive when so many beyond the synced ones do, as far as there are any.
fn keeps(world: &World, beyond: u64) -> u64 {
    let log = world.broker().log();
    log.synced().0.saturating_add(beyond).min(log.end().0)
}
