//! The consumer: takes hand-offs, makes their effects, remembers and settles, in the order that the settings say.
//!
//! | settles | order |
//! |---|---|
//! | after-effect | handle, remember (in memory), settle |
//! | before-effect | settle, wait for the confirmation, handle, remember (in memory) |
//! | in-background | settle at any moment after the delivery; handle, remember (in memory) |
//! | with-effect | handle (the position is part of the effect's transaction), remember (in memory) |
//!
//! | file | what it decides |
//! |---|---|
//! | this one | what is taken in, and what a worker may go on with |
//! | `handling` | what an effect's transaction holds, and what follows on it |
//! | `settling` | what is committed, how long an answer is waited for, what follows on it |
//! | `telling` | what the broker is told beside settles, and when the consumer may leave |

mod handling;
mod settling;
mod telling;

use std::collections::{BTreeSet, VecDeque};

use delivery_model::pipeline::{self, Commits, Leases, Pipeline, RecordsSettles, Settles};
use delivery_model::vocab::{EventKind, PartitionId, Position};

pub use self::handling::{Handled, HandlerFailed, Job};
use self::telling::Connection;
use super::deliveries::Subscription;
use super::delivery::{ConsumerId, ConsumerOutput, DeliveryId, GROUP, HandOff, Lease};
use super::inbox::Inbox;
use super::report::Report;
use super::steps::{ConsumerSteps, Sound};
use super::time::Millis;
use super::tuning::Tuning;
use crate::data::positions::Positions;
use crate::data::record::{Key, Record};
use crate::data::small_map::SmallMap;
use crate::store::{EffectStore, Generation, StoreError};

/// What a hand-off waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// A worker is to [`handle`](Consumer::handle) it.
    Handle,
    /// It is to be [`remember`](Consumer::remember)ed.
    Remember,
    /// It is to be [`settle`](Consumer::settle)d.
    Settle,
    /// Its settle was sent: [`handle_settled`](Consumer::handle_settled) takes in the outcome.
    AwaitSettled,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Work {
    hand_off: HandOff,
    task: Task,
    /// A worker has it.
    is_taken: bool,
    /// How long the answer to its settle is waited for.
    until: Millis,
    /// How far its settle has come while the work on it goes on, where settles go out in the background.
    ahead: Ahead,
}

/// How far a settle has come that goes out in the background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Ahead {
    /// It is still to be sent.
    #[default]
    Unsent,
    /// Its answer is awaited.
    Sent,
    /// It is over with, whatever came of it.
    Over,
}

/// One consumer process of a group.
///
/// Calling contract:
///
/// - Call [`handle_connected`](Consumer::handle_connected) when a connection to the broker is open, and
///   [`handle_disconnected`](Consumer::handle_disconnected) when it has ended. Pass in hand-offs with
///   [`deliver`](Consumer::deliver), and the broker's other words with
///   [`handle_settled`](Consumer::handle_settled), [`handle_committed`](Consumer::handle_committed) and
///   [`handle_left`](Consumer::handle_left).
/// - A worker takes the delivery that is [`next_ready`](Consumer::next_ready), and does the task of
///   [`go_on`](Consumer::go_on) until that returns none. Positions that workers have finished are passed in with
///   [`handle_finished`](Consumer::handle_finished) before the workers go on. A simulation, which takes single steps, asks
///   [`ready`](Consumer::ready), and calls [`handle`](Consumer::handle) and [`settle`](Consumer::settle).
/// - When [`poll_timeout`](Consumer::poll_timeout) says so, pass the instant to
///   [`handle_timeout`](Consumer::handle_timeout), after all inputs that arrived before it.
/// - Send what [`poll_output`](Consumer::poll_output) gives, and drain [`poll_report`](Consumer::poll_report), after every
///   call.
///
/// Effects go to the store that is passed in, which several consumers of the group may share; what an earlier life finished
/// there is taken up with [`resume`](Consumer::resume). To crash it, drop it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Consumer<S = Sound> {
    id: ConsumerId,
    settings: pipeline::Consumer,
    subscription: Subscription,
    leases: Leases,
    records_settles: RecordsSettles,
    tuning: Tuning,
    steps: S,
    hands: SmallMap<DeliveryId, Work>,
    inbox: Inbox,
    /// The latest known generation of the group.
    generation: Generation,
    /// What the broker is known to have settled or set aside, where the consumer follows a cursor.
    committed: Positions,
    /// What is finished in its own store, where positions are kept there.
    stored: Positions,
    /// What it has finished itself of this generation, where positions are kept in its store.
    own: Positions,
    connection: Connection,
    outputs: VecDeque<ConsumerOutput>,
    reports: VecDeque<Report>,
}

impl Consumer {
    /// A consumer without any memory.
    pub fn new(pipeline: &Pipeline, id: ConsumerId) -> Self {
        Consumer::with_steps(pipeline, id, Sound)
    }
}

impl<S: ConsumerSteps> Consumer<S> {
    /// [`Consumer::new`], with the steps of the caller's choice.
    pub fn with_steps(pipeline: &Pipeline, id: ConsumerId, steps: S) -> Self {
        Consumer {
            id,
            settings: pipeline.consumer.clone(),
            subscription: Subscription::of(pipeline),
            leases: pipeline.broker.leases,
            records_settles: pipeline.broker.records_settles,
            tuning: Tuning::default(),
            steps,
            hands: SmallMap::default(),
            inbox: Inbox::default(),
            generation: Generation::default(),
            committed: Positions::default(),
            stored: Positions::default(),
            own: Positions::default(),
            connection: Connection::default(),
            outputs: VecDeque::new(),
            reports: VecDeque::new(),
        }
    }

    /// Starts over as one that was never connected, in the room that this consumer took.
    pub fn start_over(&mut self) {
        self.hands.clear();
        self.outputs.clear();
        self.reports.clear();
        (self.inbox, self.generation, self.connection) = Default::default();
        (self.committed, self.stored, self.own) = Default::default();
    }

    /// The same, with other waits and bounds than the usual ones.
    pub fn tuned(self, tuning: Tuning) -> Self {
        Consumer { tuning, ..self }
    }

    /// Which of the group's consumers it is.
    pub fn id(&self) -> ConsumerId {
        self.id
    }

    /// How many deliveries it works on at once.
    pub fn workers(&self) -> u32 {
        self.settings.workers
    }

    /// How many deliveries it takes at once: those at work and those received ahead of the workers.
    pub fn capacity(&self) -> u32 {
        self.settings.capacity()
    }

    /// How many of them have something to do. With settles before effects, waiting for a confirmation is work.
    pub fn busy(&self) -> u32 {
        self.hands.values().filter(|work| self.is_busy(work)).count() as u32
    }

    fn is_busy(&self, work: &Work) -> bool {
        let waits_for_settle = matches!(self.settles(), Settles::BeforeEffect | Settles::InBackground);
        work.task != Task::AwaitSettled || waits_for_settle || self.settings.batches()
    }

    /// Takes in a hand-off, or declines it: a consumer that follows a cursor takes a position once in a generation. The broker
    /// may hand one off again because its lease ended while the position was at work, or because the consumer's last report
    /// had not arrived yet.
    pub fn deliver(&mut self, hand_off: HandOff) {
        if hand_off.generation > self.generation {
            self.enter(hand_off.generation);
        }
        let is_current = self.subscription == Subscription::Cursor && hand_off.generation == self.generation;
        if is_current && self.took(hand_off.hand.position) {
            self.tell_again();
            self.outputs.push_back(ConsumerOutput::Release(hand_off.hand));
            return;
        }
        let HandOff { hand, delivery, ref record, .. } = hand_off;
        let kind = EventKind::Deliver {
            message: record.message,
            group: GROUP,
            partition: PartitionId::default(),
            position: Some(hand.position),
            delivery,
            payload: None,
        };
        self.reports.push_back(Report::with(kind, &record.payload));
        let work =
            Work { hand_off, task: self.first_task(), is_taken: false, until: Millis::default(), ahead: Ahead::Unsent };
        self.hands.insert(hand, work);
    }

    /// Whether it has the position at work, or has finished it. What a transaction covers without having finished it (with
    /// `commits = "highest"`) does not count.
    fn took(&self, position: Position) -> bool {
        let is_at_work = self.hands_of(position).any(|(hand, _)| self.is_current(hand));
        is_at_work || self.inbox.done().contains(position) || self.own.contains(position)
    }

    /// What the hand-off waits for, if the consumer has it.
    pub fn task(&self, hand: DeliveryId) -> Option<Task> {
        self.hands.get(&hand).map(|work| work.task)
    }

    /// Every hand-off that the consumer has, and what it waits for, by position.
    pub fn hands(&self) -> impl Iterator<Item = (DeliveryId, Task)> + '_ {
        self.hands.iter().map(|(hand, work)| (hand, work.task))
    }

    /// The hand-offs of one position that the consumer has, and what they wait for, oldest lease first.
    pub fn hands_of(&self, position: Position) -> impl Iterator<Item = (DeliveryId, Task)> + '_ {
        let first = DeliveryId { position, lease: Lease::default() };
        let of_position = self.hands.from(first).take_while(move |(hand, _)| hand.position == position);
        of_position.map(|(hand, work)| (hand, work.task))
    }

    /// The message of a hand-off.
    pub fn record(&self, hand: DeliveryId) -> Option<&Record> {
        self.hands.get(&hand).map(|work| &work.hand_off.record)
    }

    /// The deliveries that a worker could work on now, by position, with their tasks. A delivery that has not begun waits
    /// while it lies too far ahead of the lowest position that is not finished ([`Tuning::room`]), and, where deliveries are
    /// received ahead of the workers, until one of these is free.
    pub fn ready(&self) -> impl Iterator<Item = (DeliveryId, Task)> + '_ {
        let room_ends = self.room_ends();
        let mut free = self.free_workers();
        let is_ready = move |(hand, work): &(DeliveryId, &Work)| {
            let has_begun = self.has_begun(work);
            let has_room = has_begun || hand.position < room_ends;
            let is_ready = work.task != Task::AwaitSettled && !work.is_taken && has_room && !self.is_held_up(work);
            let is_its_turn = !self.settings.batches() || self.next_of_batch() == Some(*hand);
            is_ready && is_its_turn && (has_begun || free.checked_sub(1).map(|left| free = left).is_some())
        };
        self.hands.iter().filter(is_ready).map(|(hand, work)| (hand, work.task))
    }

    /// The delivery of the batch whose turn it is: what is to be remembered, then what is to be handled, and once all is
    /// handled, the settle.
    fn next_of_batch(&self) -> Option<DeliveryId> {
        let first = |task| self.hands.iter().find(|(_, work)| work.task == task).map(|(hand, _)| hand);
        first(Task::Remember).or_else(|| first(Task::Handle)).or_else(|| first(Task::Settle))
    }

    /// Whether several deliveries are received, handled and settled as one.
    pub fn is_batching(&self) -> bool {
        self.settings.batches()
    }

    /// Whether the batch is still open: nothing of it has begun.
    pub fn can_join(&self) -> bool {
        !self.settings.batches() || !self.hands.values().any(|work| self.has_begun(work))
    }

    /// How many workers could begin with another delivery.
    fn free_workers(&self) -> u32 {
        if self.settings.prefetch == 0 {
            return u32::MAX;
        }
        let begun = self.hands.values().filter(|work| (self.has_begun(work) || work.is_taken) && self.is_busy(work));
        self.settings.workers.saturating_sub(begun.count() as u32)
    }

    /// Gives a worker what is ready, the lowest position first. It is that worker's until [`go_on`](Consumer::go_on) gives no
    /// task for it.
    pub fn next_ready(&mut self) -> Option<DeliveryId> {
        let (hand, _) = self.ready().next()?;
        self.hands.get_mut(&hand)?.is_taken = true;
        Some(hand)
    }

    /// Gives a worker as much as is ready of the tasks that it takes, the lowest position first, at most so many: what
    /// [`next_ready`](Consumer::next_ready) would give to so many workers. All of it is that worker's until
    /// [`go_on`](Consumer::go_on) gives no task for it.
    pub fn take_ready(&mut self, max: usize, takes: impl Fn(Task) -> bool) -> Vec<DeliveryId> {
        // A batch goes step by step, and of those that store a prefix each waits for the one before it.
        if self.settings.batches() || self.stores_prefix() {
            let is_taken = self.ready().next().is_some_and(|(_, task)| takes(task));
            return if is_taken { self.next_ready().into_iter().collect() } else { Vec::new() };
        }
        let key = |work: &Work| self.key(&work.hand_off.record, work.hand_off.hand.position);
        let mut keys: BTreeSet<Key> = self.hands.values().filter(|work| work.is_taken).map(key).collect();
        let (room_ends, mut free) = (self.room_ends(), self.free_workers());
        let mut taken = Vec::new();
        for (hand, work) in self.hands.iter() {
            if taken.len() == max {
                break;
            }
            let has_begun = self.has_begun(work);
            let is_idle = work.task != Task::AwaitSettled && !work.is_taken && takes(work.task);
            let may_begin = has_begun || hand.position < room_ends && free > 0;
            if is_idle && may_begin && keys.insert(key(work)) {
                free -= u32::from(!has_begun);
                taken.push(hand);
            }
        }
        for hand in &taken {
            self.hands.get_mut(hand).into_iter().for_each(|work| work.is_taken = true);
        }
        taken
    }

    /// The next task of the worker that has this delivery; none if the delivery must wait or has ended.
    pub fn go_on(&mut self, hand: DeliveryId) -> Option<Task> {
        let work = self.hands.get_mut(&hand)?;
        work.is_taken = work.task != Task::AwaitSettled;
        work.is_taken.then_some(work.task)
    }

    /// Whether another worker must finish first. Two concurrent transactions of one message would both find that it is new.
    /// Two that store the prefix could store a prefix that no serial order of them gives.
    fn is_held_up(&self, work: &Work) -> bool {
        let stores_prefix = self.stores_prefix();
        let key = |work: &Work| self.key(&work.hand_off.record, work.hand_off.hand.position);
        let stands_before = |other: &Work| other.is_taken && (stores_prefix || key(other) == key(work));
        self.hands.values().any(stands_before)
    }

    fn stores_prefix(&self) -> bool {
        self.settles() == Settles::WithEffect && self.commits() != Commits::Each
    }

    /// The first position that work may not begin on yet.
    fn room_ends(&self) -> Position {
        match self.subscription {
            Subscription::Leased => Position(u64::MAX),
            Subscription::Cursor => Position(self.first_open(Position(0)).0.saturating_add(self.tuning.room)),
        }
    }

    /// How many positions beyond the lowest one that is not finished work may begin on.
    pub fn room(&self) -> u64 {
        self.tuning.room
    }

    /// The lowest position from this one on that is not finished, as far as the consumer knows.
    pub fn first_open(&self, from: Position) -> Position {
        Positions::first_in_none(from, [&self.committed, &self.stored, self.inbox.done()].into_iter())
    }

    /// Everything that is finished, as far as the consumer knows: committed, set aside, stored or done.
    pub fn finished(&self) -> Positions {
        let mut finished = self.committed.clone();
        finished.extend(&self.stored);
        finished.extend(self.inbox.done());
        finished
    }

    /// How the consumer follows the log.
    pub fn subscription(&self) -> Subscription {
        self.subscription
    }

    /// The latest known generation of the group.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    fn has_begun(&self, work: &Work) -> bool {
        work.task != self.first_task()
    }

    /// What is to be done first with a hand-off.
    fn first_task(&self) -> Task {
        if self.settles() == Settles::BeforeEffect { Task::Settle } else { Task::Handle }
    }

    /// The settles that can be sent, or are awaited, while the work on their deliveries goes on: where they go out in the
    /// background.
    pub fn in_background(&self) -> impl Iterator<Item = (DeliveryId, Task)> + '_ {
        let can_settle = self.settles() == Settles::InBackground;
        let waiting = self.hands.iter().filter(move |(_, work)| can_settle && work.task == Task::Handle);
        waiting.filter_map(|(hand, work)| match work.ahead {
            Ahead::Unsent => Some((hand, Task::Settle)),
            Ahead::Sent => Some((hand, Task::AwaitSettled)),
            Ahead::Over => None,
        })
    }

    /// The settle of this hand-off is gone with the broker, without a word. So is the hand-off, unless the work on it goes on.
    pub fn drop_settle(&mut self, hand: DeliveryId) {
        match self.hands.get_mut(&hand) {
            Some(work) if work.ahead == Ahead::Sent && work.task != Task::AwaitSettled => work.ahead = Ahead::Over,
            _ => self.drop_hand(hand),
        }
    }

    /// Drops a hand-off without a word: the broker is gone, or the hand-off was taken away.
    pub fn drop_hand(&mut self, hand: DeliveryId) {
        self.hands.remove(&hand);
    }

    /// Takes up what an earlier life has finished in the store.
    pub fn resume(&mut self, store: &impl EffectStore) -> Result<(), StoreError> {
        if self.settles() == Settles::WithEffect {
            self.stored = store.finished()?;
        }
        Ok(())
    }

    /// The group's cursor passes to this consumer, which goes by what is committed and not by its own memory.
    pub fn take_over(&mut self, generation: Generation) {
        self.enter(generation);
    }

    /// Resets the group: this position and later ones are handled again. The caller also resets the broker, and the group's
    /// other consumers with [`handle_rewound`](Consumer::handle_rewound).
    pub fn rewind(
        &mut self,
        to: Position,
        generation: Generation,
        store: &mut impl EffectStore,
    ) -> Result<(), StoreError> {
        if self.settles() == Settles::WithEffect {
            store.rewind(to)?;
            self.stored.truncate(to);
        }
        self.handle_rewound(generation);
        self.reports.push_back(Report::of(EventKind::Rewind {
            group: GROUP,
            partition: PartitionId::default(),
            position: to,
        }));
        Ok(())
    }

    /// The group was reset.
    pub fn handle_rewound(&mut self, generation: Generation) {
        self.enter(generation);
    }

    /// Enters a generation of the group. From then on the consumer's commits build on the committed positions only: what it
    /// finished in an earlier generation, or still has from one, is no part of them.
    fn enter(&mut self, generation: Generation) {
        self.generation = generation;
        if self.steps.goes_by_commits() {
            self.inbox.forget_all_done();
            self.own = Positions::default();
        }
    }

    /// Whether the hand-off is of the latest generation that the consumer knows of.
    pub fn is_current(&self, hand: DeliveryId) -> bool {
        self.hands.get(&hand).is_some_and(|work| work.hand_off.generation >= self.generation)
    }

    /// What it remembers.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The next thing that took effect, oldest first.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    fn settles(&self) -> Settles {
        self.steps.settles(self.settings.settles)
    }

    fn commits(&self) -> Commits {
        self.steps.commits(self.settings.commits)
    }

    fn key(&self, record: &Record, position: Position) -> Key {
        self.steps.key(record, position)
    }

    /// Ends the delivery; its lease may end.
    fn give_up(&mut self, hand: DeliveryId) {
        self.hands.remove(&hand);
        self.outputs.push_back(ConsumerOutput::Release(hand));
    }

    fn set_task(&mut self, hand: DeliveryId, task: Task) {
        self.hands.get_mut(&hand).expect("the consumer has the hand-off").task = task;
    }
}
