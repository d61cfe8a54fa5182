//! When planned faults strike: counts the logical points of a run, arms a fault when its point is reached, and says
//! which fault strikes now.
//!
//! A loss befalls what its point's step put on its way, and is called off once that has arrived or vanished. A crash or
//! the like strikes right after its point, or as soon after as there is something to lose. Two losses come before their
//! step, since they decide what becomes of it: a refused append, and a message that is poisoned from the start.

use delivery_model::pipeline::Acks;
use delivery_model::schedule::{PlannedFault, StepWord, Strikes};
use delivery_model::spec::bounds::LATE_MAX;
use delivery_model::vocab::{DeliveryRef, Fault, FaultRow, MessageId, Move, Position, Step, Strike, Target};

use super::world::World;

/// The planned faults of one run, and how far each has come. Faults are named by their index.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    acks: Acks,
    faults: Vec<Planned>,
    /// The moves at whose points faults wait, one bit for each word.
    awaited: u32,
    /// Some fault decides what becomes of its step.
    forestalls: bool,
    /// In the order in which their points were reached.
    armed: Vec<Armed>,
    fired: Vec<Option<usize>>,
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    fault: PlannedFault,
    /// It decides what becomes of its step, and so comes before it.
    comes_first: bool,
    /// How often the run has passed its point's step of its point's message.
    times: u32,
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

impl Plan {
    /// These faults, before anything has happened. The plan that was there before is over.
    pub fn begin(&mut self, acks: Acks, faults: &[PlannedFault]) {
        self.acks = acks;
        self.armed.clear();
        self.faults.clear();
        let planned = |fault: &PlannedFault| {
            let comes_first = fault.fault.row().strikes.comes_first();
            Planned { fault: *fault, comes_first, times: 0 }
        };
        self.faults.extend(faults.iter().map(planned));
        self.forestalls = self.faults.iter().any(|planned| planned.comes_first);
        let is_awaited = |word: &StepWord| faults.iter().any(|planned| self.is_at(*word, planned.at.step));
        self.awaited = StepWord::ALL.into_iter().filter(is_awaited).fold(0, |bits, word| bits | 1 << word as u32);
        self.fired.clear();
        self.fired.resize(faults.len(), None);
    }

    /// At which step of the run each fault struck, counted from 0; none, if it did not.
    pub fn fired(&self) -> &[Option<usize>] {
        &self.fired
    }

    /// Takes over where the faults of a run struck that went by another plan.
    pub(super) fn fired_at(&mut self, fired: &[Option<usize>]) {
        self.fired.clear();
        self.fired.extend_from_slice(fired);
    }

    /// The fault that strikes now, whatever anybody wanted to do next. `now`: how many steps were taken.
    pub fn strike(&mut self, world: &World, now: usize) -> Option<Step> {
        if self.armed.is_empty() {
            return None;
        }
        let faults = &self.faults;
        self.armed.retain(|armed| !is_called_off(&faults[armed.fault].fault, armed, world));
        let striking = |armed: &Armed| Some((armed.fault, step_of(&faults[armed.fault].fault, armed, world)?));
        let (fault, step) = self.armed.iter().find_map(striking)?;
        self.armed.retain(|armed| armed.fault != fault);
        self.fired[fault] = Some(now);
        Some(step)
    }

    /// The fault that decides what becomes of the step that is about to be taken.
    pub fn forestall(&mut self, world: &World, step: Step, now: usize) -> Option<Step> {
        let word = StepWord::of(&step).filter(|_| self.forestalls)?;
        let mut next = None;
        for (index, Planned { fault: planned, comes_first, times }) in self.faults.iter().enumerate() {
            if !comes_first || planned.at.step != word || planned.at.nth != times + 1 || self.fired[index].is_some() {
                continue;
            }
            let message = world.message_of(step)?;
            if planned.at.message != Some(message) {
                continue;
            }
            let strike = [Target::Message(message), step.target()].iter().find_map(|it| Strike::at(planned.fault, *it));
            if let Some(fault) = strike.map(Step::Fault).filter(|fault| world.can(*fault)) {
                next = Some((index, fault));
                break;
            }
        }
        let (index, fault) = next?;
        self.fired[index] = Some(now);
        Some(fault)
    }

    /// What this step, which is about to be taken, is about; none, if no fault waits for such a step.
    pub fn about(&self, world: &World, step: Step) -> Option<About> {
        let is_awaited = match StepWord::of(&step) {
            Some(word) => self.awaited & 1 << word as u32 != 0,
            None => {
                let instead = step.fault().map(Fault::row).filter(|row| row.strikes == Strikes::Instead);
                let is_at = |row: &FaultRow| self.faults.iter().any(|planned| row.at.contains(&planned.fault.at.step));
                instead.is_some_and(is_at)
            }
        };
        is_awaited.then(|| About::step(world, step))
    }

    /// Whether a move passes the points of this word.
    fn is_at(&self, it: StepWord, word: StepWord) -> bool {
        it == word || word == StepWord::Ack && self.acks_with(it)
    }

    /// An ack that goes out with the receipt counts as one.
    fn acks_with(&self, word: StepWord) -> bool {
        word == StepWord::Receive && self.acks == Acks::OnReceipt
    }

    /// A step was taken: counts its point, and arms what waited for it.
    pub fn note(&mut self, world: &World, step: Step, about: About) {
        if let Some(word) = StepWord::of(&step) {
            self.count(world, word, about);
            if self.acks_with(word) {
                self.count(world, StepWord::Ack, about);
            }
        }
        if let Some(row) = step.fault().map(Fault::row).filter(|row| row.strikes == Strikes::Instead) {
            row.at.iter().for_each(|&word| self.count(world, word, about));
        }
    }

    fn count(&mut self, world: &World, word: StepWord, about: About) {
        let message = about.message.filter(|_| word.has_message());
        for (index, planned) in self.faults.iter_mut().enumerate() {
            if (planned.fault.at.step, planned.fault.at.message) != (word, message) {
                continue;
            }
            planned.times += 1;
            if planned.fault.at.nth == planned.times && !planned.comes_first {
                let consumer = about.consumer.or_else(|| holder(world, about.hand?)).unwrap_or_default();
                self.armed.push(Armed { fault: index, position: about.hand.map(|hand| hand.position), consumer });
            }
        }
    }

    /// Faults wait for something to be in the right place.
    pub fn is_armed(&self) -> bool {
        !self.armed.is_empty()
    }

    /// A fault waits for the attempt at this message to get into the right place on the wire: it should not arrive as
    /// long as something else can happen.
    pub fn holds_back(&self, step: Step) -> bool {
        let Step::Move(Move::Receive { message }) = step else {
            return false;
        };
        let planned = self.armed.iter().map(|armed| &self.faults[armed.fault].fault);
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
