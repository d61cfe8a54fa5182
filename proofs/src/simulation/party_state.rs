//! The white-box properties over the running cores.
//!
//! What the cores and the wires hold is read from them. What nobody holds is witnessed: which effects were made, from
//! where, and how often each position was handed off. So a core that forgets what it did does not pass for one that did
//! not do it.

use delivery_impls::core::broker::PublishDecision;
use delivery_model::party_state::{self, PartyState, Received};
use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::Schedule;
use delivery_model::semantics::PropertyId;
use delivery_model::semantics::whitebox::{Before, Watch};
use delivery_model::vocab::{Epoch, Event, EventKind, MessageId, Move, Position, Step, Strike};

use super::world::World;

/// Watches one run.
#[derive(Clone, Debug)]
pub struct Inspector {
    watch: Watch,
    witness: Witness,
    breaches: Vec<(PropertyId, MessageId)>,
}

/// What was seen to happen.
#[derive(Clone, Debug, Default)]
struct Witness {
    /// Whether an effect of the message was made, by its number.
    effected: Vec<bool>,
    /// Whether an effect was made from the position.
    places: Vec<bool>,
    /// How often the position was handed off.
    hand_offs: Vec<u32>,
    was_rewound: bool,
}

/// The entry of this number, in a table that grows to hold it.
fn entry<T: Clone + Default>(table: &mut Vec<T>, number: u64) -> &mut T {
    let place = number as usize;
    if place >= table.len() {
        table.resize(place + 1, T::default());
    }
    &mut table[place]
}

/// One moment of a run.
struct Seen<'a> {
    world: &'a World,
    witness: &'a Witness,
}

impl Inspector {
    /// Watches what the schedule's pipeline means to keep, under the faults that it names and those of the schedule.
    pub fn new(schedule: &Schedule) -> Self {
        let pipeline = with_faults(schedule);
        Inspector { watch: Watch::new(&pipeline), witness: Witness::default(), breaches: Vec::new() }
    }

    /// Forgets what it saw, and watches the next run of the same pipeline.
    pub fn begin(&mut self) {
        self.witness.effected.clear();
        self.witness.places.clear();
        self.witness.hand_offs.clear();
        self.witness.was_rewound = false;
        self.breaches.clear();
    }

    /// What was broken, each time anew, and for which message.
    pub fn breaches(&self) -> &[(PropertyId, MessageId)] {
        &self.breaches
    }

    /// Looks at the world before a step, if it matters.
    pub fn before(&self, world: &World, step: Step) -> Option<Before> {
        let seen = Seen { world, witness: &self.witness };
        self.watch.concerns(step).then(|| self.watch.before(step, &seen))
    }

    /// Looks at the world after the step.
    pub fn after(&mut self, before: Option<Before>, world: &World, step: Step, events: &[Event]) {
        self.witness.see(step, events);
        if let Some(before) = before {
            let seen = Seen { world, witness: &self.witness };
            let breaches = &mut self.breaches;
            self.watch.after(before, step, events.iter().collect(), &seen, |property, message| {
                breaches.push((property, message))
            });
        }
    }

    /// Looks at the world once nothing more can happen.
    pub fn at_rest(&mut self, world: &World) {
        let seen = Seen { world, witness: &self.witness };
        self.watch.at_rest(&seen, |property, message| self.breaches.push((property, message)));
    }

    /// Two hand-offs of a position are live: steps cannot tell them apart any more.
    pub fn is_ambiguous(&self) -> bool {
        self.breaches.iter().any(|(property, _)| *property == PropertyId::LeaseExclusive)
    }
}

/// The schedule's pipeline, with a budget for every fault that the schedule has.
fn with_faults(schedule: &Schedule) -> Pipeline {
    let mut pipeline = schedule.pipeline.clone();
    let planned = schedule.faults.iter().map(|planned| planned.fault);
    for fault in planned.chain(schedule.interleaving.faults()) {
        pipeline.faults = pipeline.faults.with(fault, pipeline.faults.of(fault).max(1));
    }
    pipeline
}

impl Witness {
    fn see(&mut self, step: Step, events: &[Event]) {
        match step {
            Step::Move(Move::HandOff { position }) => *entry(&mut self.hand_offs, position.0) += 1,
            Step::Fault(Strike::Rewind { position }) => {
                self.was_rewound = true;
                self.hand_offs.truncate(position.0 as usize);
            }
            _ => {}
        }
        for event in events {
            if let EventKind::Effect { message, .. } = event.kind {
                *entry(&mut self.effected, message.0) = true;
                if let Some(hand) = step.hand() {
                    *entry(&mut self.places, hand.position.0) = true;
                }
            }
        }
    }
}

impl PartyState for Seen<'_> {
    fn end(&self) -> Position {
        self.world.broker().log().end()
    }

    fn synced(&self) -> Position {
        self.world.broker().log().synced()
    }

    fn message_at(&self, position: Position) -> Option<MessageId> {
        self.world.message_at(position)
    }

    fn received(&self) -> Option<Received> {
        let record = &self.world.broker().received()?.publish.record;
        let decision = match self.world.broker().decision()? {
            PublishDecision::Store => party_state::Decision::Store,
            PublishDecision::Duplicate => party_state::Decision::Duplicate,
            PublishDecision::Refuse | PublishDecision::Overflow => party_state::Decision::Refuse,
        };
        Some(Received { message: record.message, epoch: record.epoch, decision })
    }

    fn epoch(&self) -> Epoch {
        self.world.producer().epoch()
    }

    fn live_leases(&self, position: Position) -> usize {
        self.world.live_hands(position)
    }

    fn hand_offs(&self, position: Position) -> u32 {
        self.witness.hand_offs.get(position.0 as usize).copied().unwrap_or_default()
    }

    /// Where consumers store finished positions themselves, a cursor passes over dead letters: they are none of theirs.
    fn is_settled(&self, position: Position) -> bool {
        let broker = self.world.broker();
        match broker.is_settled_elsewhere() {
            true => self.world.inventory().finished_positions().contains(position) && !self.is_dead(position),
            false => broker.deliveries().settled().contains(position),
        }
    }

    fn is_dead(&self, position: Position) -> bool {
        self.world.broker().deliveries().dead().contains(position)
    }

    fn is_effected(&self, position: Position) -> bool {
        let is_effected = |message: MessageId| self.witness.effected.get(message.0 as usize).copied();
        self.message_at(position).and_then(is_effected).unwrap_or_default()
    }

    fn was_effected_from(&self, position: Position) -> bool {
        self.witness.places.get(position.0 as usize).copied().unwrap_or_default()
    }

    fn is_remembered(&self, position: Position) -> bool {
        self.world.remembers(position)
    }

    fn was_rewound(&self) -> bool {
        self.witness.was_rewound
    }
}
