//! One producer, one broker, one group of consumers, their disks, and the wires between them, stepped one micro-step at
//! a time.
//!
//! Steps are the spec's ([`Step`]), but here each is a call of a real core, and whether it is possible is read from
//! what the cores and the wires really hold. The clock stands still: time-outs and lease ends are steps, taken when
//! nothing is left to wait for, so that each has a fault behind it.
//!
//! Wires: publishes arrive in order. Replies, hand-offs and settles are told apart by what they are about, and any of
//! them may arrive next. Everything on a wire to or from a party vanishes when that party crashes; stragglers (late
//! copies, and what an old incarnation left) do not.
//!
//! Retention is no step: the broker drops whatever it may as soon as it may, and nobody can tell. Only where a group may
//! be rewound it keeps everything, as there is no telling how far.
//!
//! Left out: bytes on the wire, which are the drivers' to frame and check.

mod faults;
mod offers;
mod orders;
mod parts;
mod queries;
mod restarts;
mod shape;
mod steps;

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use crate::mutants::Mutant;
use delivery_impls::core::broker::{Broker, Journals, Peer};
use delivery_impls::core::consumer::{Consumer, Task};
use delivery_impls::core::delivery::{ConsumerId, ConsumerOutput, DeliveryId, HandOff, SettleRequest};
use delivery_impls::core::producer::Producer;
use delivery_impls::core::report::Report;
use delivery_impls::core::time::Millis;
use delivery_impls::core::tuning::{Retention, Tuning};
use delivery_impls::data::record::{Payload, ProducerId, Publish, Record, Reply, Submission};
use delivery_impls::data::small_map::SmallMap;
use delivery_impls::store::simulated::{SimulatedInventory, SimulatedJournal, SimulatedOutbox};
use delivery_model::history::Names;
use delivery_model::pipeline::{Pipeline, Settles};
use delivery_model::spec::PROCESSES;
use delivery_model::vocab::{DeliveryRef, Event, EventKind, Fault, MessageId, Move, Position, ProcessId, Step, Target};

pub(super) use self::parts::Parts;
pub use self::shape::Shape;

/// The processes of a world's events: those of [`PROCESSES`].
const PRODUCER: ProcessId = ProcessId(0);
const BROKER: ProcessId = ProcessId(1);
const CONSUMERS: [ProcessId; 2] = [ProcessId(2), ProcessId(3)];
const FAULTS: ProcessId = ProcessId(4);

const PRODUCER_ID: ProducerId = ProducerId(0);
/// The producer's connection. Its successors take the same one over.
const PEER: Peer = Peer(0);
/// The clock, which stands still.
const NOW: Millis = Millis(0);
/// Attempts and deliveries are told apart up to here, so that an endless loop of retries is a loop of states.
const NUMBERS_MAX: u32 = 4;

/// What the broker knows the producer's message by.
fn submission(message: MessageId) -> Submission {
    Submission { producer: PRODUCER_ID, message }
}

/// A step that is not possible here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{step}\" cannot be taken: {why}")]
pub struct CannotTake {
    /// Which.
    pub step: Step,
    /// What is missing.
    pub why: &'static str,
}

/// Everything that is the same in every state of a world.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Constants {
    pipeline: Pipeline,
    tuning: Tuning,
    mutant: Mutant,
    payloads: Vec<Payload>,
}

impl Hash for Constants {
    /// Hashes nothing: worlds that are compared share their constants.
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// The whole pipeline as a value: two equal worlds behave alike for ever.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    constants: Arc<Constants>,
    /// How many messages there are.
    messages: u64,
    /// How many messages were submitted, or have at least the position of their row.
    submitted: u64,
    /// The message whose row has its position, and is not committed yet.
    delayed: Option<MessageId>,
    producer: Producer<SimulatedOutbox, Mutant>,
    publishes: VecDeque<Publish>,
    stragglers: Vec<Publish>,
    replies: SmallMap<MessageId, Reply>,
    broker: Broker<SimulatedJournal, Mutant>,
    /// What the broker's log held and does not hold any more, from its first position on.
    dropped: Vec<Record>,
    hand_offs: SmallMap<DeliveryId, HandOff>,
    settles: SmallMap<DeliveryId, SettleRequest>,
    consumers: Vec<Consumer<Mutant>>,
    inventory: SimulatedInventory,
    poisoned: Option<MessageId>,
    crashing: Option<MessageId>,
}

/// Where a hand-off is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whereabouts {
    OnWire,
    With(ConsumerId, Task),
}

impl World {
    /// The pipeline before the first of `messages` submissions, on empty disks. A second consumer exists only where
    /// a lease or the cursor can be taken from the first.
    ///
    /// Its events carry a message's payload as one of [`names`](World::names).
    pub fn new(pipeline: &Pipeline, messages: u32, mutant: Mutant) -> World {
        let drops_all = Retention { records: 0, batch: 1 };
        let may_go_back =
            [Fault::Rewind, Fault::GroupForgotten, Fault::Failover].map(|fault| pipeline.faults.of(fault) > 0);
        let retention = (may_go_back == [false; 3]).then_some(drops_all);
        let tuning = Tuning { numbers_max: NUMBERS_MAX, retention, ..Tuning::default() };
        let constants = Constants { pipeline: pipeline.clone(), tuning, mutant, payloads: orders::payloads() };
        World::at_start(Arc::new(constants), messages)
    }

    /// The same pipeline before the first of `messages` submissions, on empty disks, in the room that this world took. It is
    /// then equal to a new one.
    pub fn start_over(&mut self, messages: u32) {
        self.messages = messages.into();
        (self.submitted, self.delayed, self.poisoned, self.crashing) = Default::default();
        self.producer.start_over(SimulatedOutbox::replace).expect(restarts::STARTS);
        self.publishes.clear();
        self.stragglers.clear();
        self.replies.clear();
        self.broker.start_over(SimulatedJournal::replace).expect(restarts::STARTS);
        self.dropped.clear();
        self.hand_offs.clear();
        self.settles.clear();
        self.inventory.replace();
        for consumer in &mut self.consumers {
            consumer.start_over();
            restarts::connect(consumer, &self.inventory);
        }
        self.register();
        self.subscribe_all();
    }

    fn at_start(constants: Arc<Constants>, messages: u32) -> World {
        let consumers = constants.pipeline.consumers();
        let inventory = SimulatedInventory::default();
        let mut world = World {
            messages: messages.into(),
            submitted: 0,
            delayed: None,
            producer: constants.producer(SimulatedOutbox::default()),
            publishes: VecDeque::new(),
            stragglers: Vec::new(),
            replies: SmallMap::default(),
            broker: constants.broker(Journals::default()),
            dropped: Vec::new(),
            hand_offs: SmallMap::default(),
            settles: SmallMap::default(),
            consumers: (0..consumers).map(|id| constants.consumer(ConsumerId(id), &inventory)).collect(),
            inventory,
            poisoned: None,
            crashing: None,
            constants,
        };
        world.register();
        world.subscribe_all();
        world
    }

    /// Lists the steps, other than faults, that are possible now. Costs what is in flight, not what was.
    pub fn enabled(&self, found: &mut Vec<Step>) {
        Parts::ALL.iter().for_each(|part| self.enabled_of(part, found));
    }

    /// Lists those of one part.
    pub(super) fn enabled_of(&self, part: Parts, found: &mut Vec<Step>) {
        self.offer(part, &mut |it| found.push(Step::Move(it)));
    }

    /// Lists the faults that are possible now, whatever the budgets say. Costs what the log holds.
    pub fn faults(&self, found: &mut Vec<Step>) {
        found.extend(self.strikes().into_iter().map(Step::Fault));
    }

    /// Whether a step, which may be a fault, is possible now.
    pub fn can(&self, step: Step) -> bool {
        self.check(step).is_ok()
    }

    /// What is missing, if the step is not possible.
    fn check(&self, step: Step) -> Result<(), &'static str> {
        match step {
            Step::Move(it) => self.check_move(it),
            Step::Fault(strike) => self.check_strike(strike),
        }
    }

    /// Takes a step and adds the events that it was, in order.
    pub fn take(&mut self, step: Step, events: &mut Vec<Event>) -> Result<(), CannotTake> {
        self.check(step).map_err(|why| CannotTake { step, why })?;
        self.take_possible(step, events);
        Ok(())
    }

    /// Takes a step of which it is known that it is possible, and adds the events that it was, in order.
    pub(super) fn take_possible(&mut self, step: Step, events: &mut Vec<Event>) {
        debug_assert_eq!(self.check(step), Ok(()), "{step}");
        match step {
            Step::Move(it) => self.act(it),
            Step::Fault(strike) => {
                events.push(Event { process: FAULTS, kind: EventKind::Fault { fault: strike.fault() } });
                self.suffer(strike);
            }
        }
        self.tell_committed();
        self.drain(events);
        self.tell_broker();
        if may_end_a_need(step) {
            self.drop_records();
        }
        self.compact();
    }

    /// The parts by which moves are offered that this step may change. What consumers that follow a cursor are told changes after
    /// every step.
    pub(super) fn changed_by(&self, step: Step) -> Parts {
        let told = if self.follows_cursor() { Parts::HANDING_OFF | Parts::CONSUMING } else { Parts::NONE };
        Parts::changed_by(step) | told
    }

    /// No step but a fault is possible: the run may end here.
    pub fn is_quiescent(&self) -> bool {
        let mut steps = Vec::new();
        self.enabled(&mut steps);
        steps.is_empty()
    }

    /// The names that the ids of a world's events stand for.
    pub fn names() -> Names {
        static NAMES: LazyLock<Names> = LazyLock::new(|| {
            let mut names = Names::default();
            let enough = "a few names fit";
            for process in PROCESSES {
                names.process_id(process).expect(enough);
            }
            for text in orders::texts() {
                names.payload_id(&text).expect(enough);
            }
            names
        });
        NAMES.clone()
    }

    /// The message that a step is about, where it is about one.
    pub fn message_of(&self, step: Step) -> Option<MessageId> {
        match step.target() {
            Target::Message(message) => Some(message),
            Target::Position(position) => self.message_at(position),
            Target::Delivery(hand) => self.message_of_hand(hand),
            Target::Nothing | Target::Consumer(_) | Target::Records(_) => None,
        }
    }

    /// The message of a hand-off, whether or not the log still has its record.
    fn message_of_hand(&self, hand: DeliveryRef) -> Option<MessageId> {
        let (id, place) = self.find(hand)?;
        let record = match place {
            Whereabouts::OnWire => self.hand_offs.get(&id).map(|hand_off| &hand_off.record),
            Whereabouts::With(consumer, _) => self.consumers[usize::from(consumer.0)].record(id),
        };
        record.map(|record| record.message)
    }

    /// The message at a position of the log.
    pub fn message_at(&self, position: Position) -> Option<MessageId> {
        self.record_at(position).map(|record| record.message)
    }

    /// The record at a position of the log, dropped or not.
    fn record_at(&self, position: Position) -> Option<&Record> {
        self.dropped.get(position.0 as usize).or_else(|| self.broker.log().at(position))
    }

    /// The consumer that has a hand-off, or to which it is on its way.
    pub fn holder(&self, hand: DeliveryRef) -> Option<ConsumerId> {
        let (id, place) = self.find(hand)?;
        Some(match place {
            Whereabouts::OnWire => self.hand_offs.get(&id)?.consumer,
            Whereabouts::With(consumer, _) => consumer,
        })
    }

    /// The producer.
    pub fn producer(&self) -> &Producer<SimulatedOutbox, Mutant> {
        &self.producer
    }

    /// The broker.
    pub fn broker(&self) -> &Broker<SimulatedJournal, Mutant> {
        &self.broker
    }

    /// The inventory's database.
    pub fn inventory(&self) -> &SimulatedInventory {
        &self.inventory
    }

    /// The hand-off that a step means, and where it is.
    fn find(&self, hand: DeliveryRef) -> Option<(DeliveryId, Whereabouts)> {
        if !hand.is_late() {
            // A position has one live lease at most.
            let id = self.broker.deliveries().leases().live_at(hand.position)?;
            return Some((id, self.whereabouts(id)?));
        }
        self.hands_of(hand.position).find(|(id, _)| self.is_late(*id) && self.hand(*id) == hand)
    }

    fn whereabouts(&self, id: DeliveryId) -> Option<Whereabouts> {
        if self.hand_offs.contains_key(&id) {
            return Some(Whereabouts::OnWire);
        }
        let with = |consumer: &Consumer<Mutant>| Some(Whereabouts::With(consumer.id(), consumer.task(id)?));
        self.consumers.iter().find_map(with)
    }

    /// How steps name a hand-off. Of a position, a lease that ended earlier was granted earlier, and is less.
    fn hand(&self, id: DeliveryId) -> DeliveryRef {
        let nth = if self.is_late(id) {
            let earlier = self.hands_of(id.position).filter(|(other, _)| other.lease < id.lease);
            1 + earlier.filter(|(other, _)| self.is_late(*other)).count()
        } else {
            0
        };
        DeliveryRef { position: id.position, late: nth as u8 }
    }

    /// Every hand-off of a position.
    fn hands_of(&self, position: Position) -> impl Iterator<Item = (DeliveryId, Whereabouts)> + '_ {
        let on_wire = self.hand_offs.from(DeliveryId { position, ..DeliveryId::default() });
        let on_wire =
            on_wire.take_while(move |(id, _)| id.position == position).map(|(id, _)| (id, Whereabouts::OnWire));
        let held = self.consumers.iter().flat_map(move |consumer| {
            consumer.hands_of(position).map(|(id, task)| (id, Whereabouts::With(consumer.id(), task)))
        });
        on_wire.chain(held)
    }

    /// Its lease has ended: the broker no longer knows it.
    fn is_late(&self, hand: DeliveryId) -> bool {
        !self.broker.is_live(hand)
    }

    fn consumer_mut(&mut self, id: ConsumerId) -> &mut Consumer<Mutant> {
        &mut self.consumers[usize::from(id.0)]
    }

    /// Tells consumers that follow a cursor what is settled or set aside; where they keep their positions themselves, also
    /// what any of them has finished.
    fn tell_committed(&mut self) {
        if !self.follows_cursor() {
            return;
        }
        let mut committed = self.broker.deliveries().committed();
        if self.constants.pipeline.consumer.settles == Settles::WithEffect {
            committed.extend(self.inventory.finished_positions());
        }
        self.consumers.iter_mut().for_each(|consumer| consumer.handle_committed(&committed));
    }

    /// The broker hears which positions consumers have behind them, where they follow a cursor.
    fn tell_broker(&mut self) {
        if !self.follows_cursor() {
            return;
        }
        for consumer in &self.consumers {
            let mut has = consumer.has();
            if self.constants.pipeline.consumer.settles == Settles::WithEffect {
                has.extend(self.inventory.finished_positions());
            }
            self.broker.handle_has(consumer.id(), has);
        }
        if self.constants.pipeline.consumer.settles == Settles::WithEffect {
            let mut finished = self.inventory.finished_positions().clone();
            finished.extend(self.broker.deliveries().dead());
            let (owner, _) = self.broker.deliveries().owner();
            let end = finished.first_missing(Position(0)).min(self.broker.log().end());
            self.broker.handle_finished(owner, end).expect("it is within the log");
        }
    }

    /// Moves what the cores put out onto the wires, and what they report into the events.
    fn drain(&mut self, events: &mut Vec<Event>) {
        while let Some((_, reply)) = self.broker.poll_reply() {
            self.replies.insert(reply.message, reply);
        }
        while let Some(report) = self.producer.poll_report() {
            events.push(event(PRODUCER, report));
        }
        while let Some(report) = self.broker.poll_report() {
            events.push(event(BROKER, report));
        }
        for (consumer, process) in self.consumers.iter_mut().zip(CONSUMERS) {
            while let Some(output) = consumer.poll_output() {
                match output {
                    ConsumerOutput::Settle(request) => {
                        if request.finishes {
                            self.broker.handle_free(request.hand);
                        }
                        self.settles.insert(request.hand, request);
                    }
                    ConsumerOutput::Release(hand) => self.broker.release(hand),
                    ConsumerOutput::Reject(hand) => self.broker.reject(hand),
                    ConsumerOutput::Requeue(record) => self.broker.republish(record).expect("the disk works"),
                    // The broker hears what each consumer has after every step (`tell_broker`), and drops what the store
                    // has: there is no wire on which these words could be late.
                    ConsumerOutput::Has(_) | ConsumerOutput::Finished(_) => {}
                    said => unreachable!("it has subscribed, and nobody asks it to leave: {said:?}"),
                }
            }
            while let Some(report) = consumer.poll_report() {
                events.push(event(process, report));
            }
        }
    }
}

/// Whether a record may be needed no more after this step. These steps change no log, no settle and no position.
fn may_end_a_need(step: Step) -> bool {
    use Move::*;
    !matches!(
        step,
        Step::Move(
            Submit { .. }
                | Attempt { .. }
                | Receive { .. }
                | ReceiveLate { .. }
                | Ack { .. }
                | TakeReply { .. }
                | TimeOut { .. }
        )
    )
}

fn event(process: ProcessId, report: Report) -> Event {
    let payload = report.payload.as_deref().map(orders::id);
    Event { process, kind: orders::with_payload(report.kind, payload) }
}
