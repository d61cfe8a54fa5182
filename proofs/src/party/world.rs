//! One producer, one broker and one or two consumers, joined by a simulated network, and the faults that strike.
//!
//! The run moves one thing at a time: an input that arrives, an output that is fetched, a request for the next message.
//! Which one, is chosen from the schedule's seed. Time passes only when nothing else can happen, so that a time-out always
//! has a fault or a wait behind it; a lease that ends early is a fault of its own, under which the clock jumps and the
//! holder stands still.
//!
//! Wires: attempts arrive in order; answers, hand-offs and settles in any order. Everything on a wire to or from a party
//! vanishes with it; stragglers (late copies, and what an old incarnation left) do not.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use delivery_model::schedule::{PlannedFault, Schedule, StepWord};
use delivery_model::spec::GROUP;
use delivery_model::story::Lane;
use delivery_model::vocab::{
    AttemptNumber, DeliveryNumber, EventKind, Fault, MessageId, PartitionId, Position, SettleOutcome,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

use super::plan::Plan;
use super::record::{self, BROKER, PRODUCER, Record};
use super::watch::Watch;
use super::{
    Broker, Claim, Consumer, Delivery, FromBroker, FromConsumer, FromProducer, Hardship, Message, Party, Producer,
    Publish, Reply, Settle, ToBroker, ToConsumer, ToProducer,
};

mod faults;
mod moves;

/// How the parties are opened.
pub(super) struct Opens<P: Party, B: Party, C: Party> {
    pub(super) producer: Box<dyn Fn(P::Disk) -> P>,
    pub(super) broker: Box<dyn Fn(B::Disk) -> B>,
    pub(super) consumer: Box<dyn Fn(u8, C::Disk) -> C>,
    pub(super) payload: Box<dyn Fn(u64) -> Vec<u8>>,
}

/// A party, and whether it may have something to say.
struct Seat<T> {
    party: Option<T>,
    /// It had an input since it last had no output.
    is_stirred: bool,
    /// Since when.
    since: Duration,
    /// How often it was opened.
    life: u32,
}

impl<T: Party> Seat<T> {
    fn new(party: T) -> Self {
        Seat { party: Some(party), is_stirred: true, since: Duration::ZERO, life: 0 }
    }

    fn party(&mut self) -> &mut T {
        self.party.as_mut().expect("it is away only while it is opened again")
    }

    fn tell(&mut self, now: Duration, input: T::Input) {
        self.party().handle_input(now, input);
        self.stir(now);
    }

    fn stir(&mut self, now: Duration) {
        self.since = if self.is_stirred { self.since } else { now };
        self.is_stirred = true;
    }

    fn reopen(&mut self, crash: impl FnOnce(T) -> T::Disk, open: impl FnOnce(T::Disk) -> T) {
        let disk = crash(self.party.take().expect("it is away only while it is opened again"));
        self.party = Some(open(disk));
        self.is_stirred = true;
        self.life += 1;
    }
}

/// What a consumer sent to the broker.
enum Word {
    Settle(Settle),
    Release(String),
}

/// One thing that can happen next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Move {
    Submit,
    PollProducer,
    PollBroker,
    PollConsumer(u8),
    TakePublish,
    TakeLate(usize),
    TakeReply(usize),
    GoOn,
    Receive(u8),
    TakeDelivery(usize),
    TakeWord(usize),
    TakeAnswer(usize),
}

/// What a delivery was, for the events that tell of it.
#[derive(Clone, Copy, Debug)]
struct Handed {
    message: u64,
    position: Option<Position>,
    number: Option<DeliveryNumber>,
}

/// A consumer that stands still.
#[derive(Clone, Debug)]
struct Stalled {
    consumer: u8,
    /// The delivery whose lease ended.
    tag: String,
    /// What arrived, and it has not taken in.
    kept: Option<Delivery>,
}

/// Whom a point is about.
#[derive(Clone, Debug, Default)]
struct About {
    message: u64,
    consumer: u8,
    tag: String,
}

/// Rounds of deadlines without an output, after which nothing more is expected: twice the earliest, twice the latest.
const QUIET_ROUNDS: u32 = 4;

pub(super) struct World<'a, P: Producer, B: Broker, C: Consumer> {
    opens: &'a Opens<P, B, C>,
    messages: u64,
    workers: usize,
    now: Duration,
    submitted: u64,
    /// The producer's latest incarnation had the first word; what an older one left comes after it.
    is_registered: bool,
    is_ordered: bool,
    producer: Seat<P>,
    broker: Seat<B>,
    consumers: Vec<Seat<C>>,
    publishes: VecDeque<Publish>,
    stragglers: Vec<Publish>,
    replies: Vec<Reply>,
    deliveries: Vec<(u8, Delivery)>,
    words: Vec<(u8, Word)>,
    answers: Vec<(u8, String, SettleOutcome)>,
    /// The settles without an answer, and whether the broker has received them.
    settling: BTreeMap<(u8, String), bool>,
    handed: BTreeMap<(u8, String), Handed>,
    /// The latest hand-off of a message to a consumer.
    latest: BTreeMap<(u8, u64), String>,
    /// Consumers that asked for a message, and nothing changed since.
    asked: [bool; 2],
    /// Something other than a request for a message reached the broker since it last had nothing to say.
    is_changed: bool,
    /// The message of a late attempt, whose answer is dropped.
    unawaited: Option<u64>,
    stalled: Option<Stalled>,
    /// An attempt that is to be overtaken.
    held: Option<(usize, Publish)>,
    poisoned: Vec<MessageId>,
    outputs: u64,
    /// How many outputs there were when time last passed, and how many rounds since brought none.
    quiet: (u64, u32),
    plan: Plan,
    watch: Watch,
    pub(super) record: Record,
}

impl<'a, P: Producer, B: Broker, C: Consumer> World<'a, P, B, C> {
    pub(super) fn new(opens: &'a Opens<P, B, C>, claim: &Claim, schedule: &Schedule, faults: &[PlannedFault]) -> Self {
        let has_second = |fault: Fault| fault == Fault::LeaseExpiry;
        let is_pair = claim.pipeline.faults.kinds().chain(faults.iter().map(|planned| planned.fault)).any(has_second);
        let disk = C::Disk::default();
        let consumers = (0..=u8::from(is_pair)).map(|number| Seat::new((opens.consumer)(number, disk.clone())));
        World {
            opens,
            messages: schedule.messages.into(),
            workers: claim.pipeline.consumer.workers as usize,
            now: Duration::ZERO,
            submitted: 0,
            is_registered: false,
            is_ordered: claim.pipeline.ordered,
            producer: Seat::new((opens.producer)(P::Disk::default())),
            broker: Seat::new((opens.broker)(B::Disk::default())),
            consumers: consumers.collect(),
            publishes: VecDeque::new(),
            stragglers: Vec::new(),
            replies: Vec::new(),
            deliveries: Vec::new(),
            words: Vec::new(),
            answers: Vec::new(),
            settling: BTreeMap::new(),
            handed: BTreeMap::new(),
            latest: BTreeMap::new(),
            asked: [false; 2],
            is_changed: true,
            unawaited: None,
            stalled: None,
            held: None,
            poisoned: Vec::new(),
            outputs: 0,
            quiet: (0, 0),
            plan: Plan::new(faults),
            watch: Watch::new(claim.lease),
            record: Record::new(&claim.pipeline),
        }
    }

    /// Does one thing. False if nothing can happen any more.
    pub(super) fn go(&mut self, choice: &mut ChaCha8Rng) -> bool {
        let moves = self.moves();
        if moves.is_empty() {
            return self.give_way() || self.go_on() || self.pass_time();
        }
        // The high half of a product: close enough to uniform for a few moves, and the same on every platform.
        let index = ((u64::from(choice.next_u32()) * moves.len() as u64) >> 32) as usize;
        self.take(moves[index]);
        true
    }

    /// Which of the planned faults struck, and what the leases gave away.
    pub(super) fn finish(self) -> (Record, Vec<bool>, Vec<(delivery_model::semantics::PropertyId, MessageId)>) {
        (self.record, self.plan.into_fired(), self.watch.into_breaches())
    }

    fn moves(&self) -> Vec<Move> {
        let stalled = self.stalled.as_ref().map(|stalled| stalled.consumer);
        let is_overtaken = |stalled: &Stalled| self.watch.is_superseded(&stalled.tag);
        let is_free = |consumer: u8| stalled != Some(consumer);
        let mut moves = Vec::new();
        let each = [
            (Move::Submit, self.submitted < self.messages),
            (Move::PollProducer, self.producer.is_stirred),
            (Move::PollBroker, self.broker.is_stirred),
            (Move::GoOn, self.stalled.as_ref().is_some_and(is_overtaken)),
            (Move::TakePublish, !self.publishes.is_empty() && self.held.is_none()),
        ];
        moves.extend(each.into_iter().filter(|(_, can)| *can).map(|(it, _)| it));
        moves.extend((0..self.stragglers.len()).filter(|_| self.is_registered).map(Move::TakeLate));
        moves.extend((0..self.replies.len()).map(Move::TakeReply));
        let of = |consumers: Vec<u8>, it: fn(usize) -> Move| {
            let free = consumers.into_iter().enumerate().filter(move |(_, consumer)| is_free(*consumer));
            free.map(move |(index, _)| it(index))
        };
        moves.extend(of(self.deliveries.iter().map(|(consumer, _)| *consumer).collect(), Move::TakeDelivery));
        moves.extend(of(self.words.iter().map(|(consumer, _)| *consumer).collect(), Move::TakeWord));
        moves.extend(of(self.answers.iter().map(|(consumer, ..)| *consumer).collect(), Move::TakeAnswer));
        let free = || (0..self.consumers.len() as u8).filter(|consumer| is_free(*consumer));
        let is_stirred = |consumer: &u8| self.consumers[usize::from(*consumer)].is_stirred;
        moves.extend(free().filter(is_stirred).map(Move::PollConsumer));
        moves.extend(free().filter(|consumer| self.has_room(*consumer)).map(Move::Receive));
        moves
    }

    fn has_room(&self, consumer: u8) -> bool {
        let on_wire = self.deliveries.iter().filter(|(to, _)| *to == consumer).count();
        !self.asked[usize::from(consumer)] && on_wire < self.workers
    }

    /// Nothing overtook the attempt that was to be overtaken.
    fn give_way(&mut self) -> bool {
        let held = self.held.take();
        let was_held = held.is_some();
        held.into_iter().for_each(|(_, publish)| self.publishes.push_front(publish));
        was_held
    }

    /// Lets the stalled consumer go on.
    fn go_on(&mut self) -> bool {
        let Some(Stalled { consumer, kept: delivery, .. }) = self.stalled.take() else { return false };
        self.record.does(Lane::InventoryService, format!("{} goes on", name(consumer)));
        if let Some(delivery) = delivery {
            self.tell_consumer(consumer, ToConsumer::Deliver(delivery));
        }
        true
    }

    /// Moves the clock to the next deadline, and tells each party whose deadline has come.
    fn pass_time(&mut self) -> bool {
        self.quiet = if self.quiet.0 == self.outputs { (self.outputs, self.quiet.1 + 1) } else { (self.outputs, 0) };
        let of_consumers = self.consumers.iter_mut().map(|consumer| consumer.party().poll_timeout());
        let of_consumers: Vec<Option<Duration>> = of_consumers.collect();
        let deadlines = [self.producer.party().poll_timeout(), self.broker.party().poll_timeout()];
        let deadlines = || deadlines.iter().chain(&of_consumers).flatten().copied();
        let next = if self.quiet.1 < QUIET_ROUNDS / 2 { deadlines().min() } else { deadlines().max() };
        let Some(next) = next.filter(|_| self.quiet.1 < QUIET_ROUNDS) else { return false };
        self.now = self.now.max(next);
        let (now, is_due) = (self.now, |deadline: Option<Duration>| deadline.is_some_and(|it| it <= next));
        let text = format!("time passes: {now:?} since the beginning");
        self.record.wakes(Lane::Broker, text);
        if is_due(self.producer.party().poll_timeout()) {
            self.producer.party().handle_timeout(now);
            self.producer.is_stirred = true;
        }
        if is_due(self.broker.party().poll_timeout()) {
            self.wake_broker();
        }
        for (number, _) in of_consumers.iter().enumerate().filter(|(_, deadline)| is_due(**deadline)) {
            self.consumers[number].party().handle_timeout(now);
            self.hear_consumer(number as u8);
        }
        true
    }

    fn wake_broker(&mut self) {
        let now = self.now;
        self.broker.party().handle_timeout(now);
        self.stir_broker();
    }

    fn stir_broker(&mut self) {
        self.broker.stir(self.now);
        self.is_changed = true;
        self.asked = [false; 2];
    }

    fn tell_broker(&mut self, input: ToBroker) {
        self.broker.tell(self.now, input);
        self.stir_broker();
    }

    /// Every fault that is planned for this point strikes.
    fn pass(&mut self, step: StepWord, about: &About) {
        for index in self.plan.pass(step, about.message) {
            if self.strike(self.plan.planned(index), about, index) {
                self.plan.fire(index);
            }
        }
    }
}

fn name(consumer: u8) -> &'static str {
    if consumer == 0 { "the consumer" } else { "consumer 2" }
}
