//! The consumer: takes hand-offs, makes their effects, remembers and settles, in the order that the settings say.
//!
//! | settles | order |
//! |---|---|
//! | after-effect | handle, remember (in memory), settle |
//! | before-effect | settle, wait for the confirmation, handle, remember (in memory) |
//! | with-effect | handle (the position is part of the effect's transaction), remember (in memory) |

use std::collections::{BTreeMap, VecDeque};

use delivery_model::pipeline::{self, Leases, Pipeline, RecordsSettles, Remembers, Settles};
use delivery_model::vocab::{EventKind, PartitionId, Position, SettleOutcome};

use super::deliveries::Subscription;
use super::delivery::{ConsumerId, ConsumerOutput, DeliveryId, GROUP, HandOff, Lease, SettleRequest};
use super::inbox::Inbox;
use super::report::Report;
use super::steps::{AfterCommit, ConsumerSteps, Sound};
use crate::data::positions::Positions;
use crate::data::record::{Key, Record};
use crate::store::{Change, Covers, EffectStore, Generation, StoreError};

/// The application's handler failed on a message: nothing of it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handler failed")]
pub struct HandlerFailed;

/// What a hand-off waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// A worker is to [`handle`](Consumer::handle) it.
    Handle,
    /// It is to be [`remember`](Consumer::remember)ed.
    Remember,
    /// It is to be [`settle`](Consumer::settle)d.
    Settle,
    /// Its settle is on the way: [`handle_settled`](Consumer::handle_settled) says what came of it.
    AwaitSettled,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Work {
    hand_off: HandOff,
    task: Task,
}

/// One consumer process of a group.
///
/// Calling contract: pass in hand-offs with [`deliver`](Consumer::deliver), as many as there are
/// [`workers`](Consumer::workers) not [`busy`](Consumer::busy); do what [`task`](Consumer::task) says for each; send
/// what [`poll_output`](Consumer::poll_output) gives, and drain [`poll_report`](Consumer::poll_report), after every
/// call. Effects go to the store that is passed in, which several consumers of the group may share. To crash it, drop
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Consumer<S = Sound> {
    id: ConsumerId,
    settings: pipeline::Consumer,
    subscription: Subscription,
    leases: Leases,
    records_settles: RecordsSettles,
    steps: S,
    hands: BTreeMap<DeliveryId, Work>,
    inbox: Inbox,
    /// The latest generation of the group that it was told of.
    generation: Generation,
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
            steps,
            hands: BTreeMap::new(),
            generation: Generation::default(),
            inbox: Inbox::default(),
            outputs: VecDeque::new(),
            reports: VecDeque::new(),
        }
    }

    /// Which of the group's consumers it is.
    pub fn id(&self) -> ConsumerId {
        self.id
    }

    /// How many deliveries it works on at once.
    pub fn workers(&self) -> u32 {
        self.settings.workers
    }

    /// How many of them have something to do. With settles before effects, waiting for a confirmation is work.
    pub fn busy(&self) -> u32 {
        let waits_at_work = self.settles() == Settles::BeforeEffect;
        let is_busy = |work: &&Work| work.task != Task::AwaitSettled || waits_at_work;
        self.hands.values().filter(is_busy).count() as u32
    }

    /// Takes a hand-off in.
    pub fn deliver(&mut self, hand_off: HandOff) {
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
        let task = if self.settles() == Settles::BeforeEffect { Task::Settle } else { Task::Handle };
        self.hands.insert(hand, Work { hand_off, task });
    }

    /// What the hand-off waits for, if the consumer has it.
    pub fn task(&self, hand: DeliveryId) -> Option<Task> {
        self.hands.get(&hand).map(|work| work.task)
    }

    /// Every hand-off that the consumer has, and what it waits for, by position.
    pub fn hands(&self) -> impl Iterator<Item = (DeliveryId, Task)> + '_ {
        self.hands.iter().map(|(&hand, work)| (hand, work.task))
    }

    /// The hand-offs of one position that the consumer has, and what they wait for, oldest lease first.
    pub fn hands_of(&self, position: Position) -> impl Iterator<Item = (DeliveryId, Task)> + '_ {
        let first = DeliveryId { position, lease: Lease::default() };
        let of_position = self.hands.range(first..).take_while(move |(hand, _)| hand.position == position);
        of_position.map(|(&hand, work)| (hand, work.task))
    }

    /// The message of a hand-off.
    pub fn record(&self, hand: DeliveryId) -> Option<&Record> {
        self.hands.get(&hand).map(|work| &work.hand_off.record)
    }

    /// Runs the handler, unless the message is known, and commits its effect, with whatever the settings put into the
    /// same transaction. `handler` may refuse the order; `committed` is what the broker is known to have settled or
    /// set aside.
    ///
    /// A handler that fails, a definite refusal of the store and a fence give the hand-off up.
    ///
    /// # Panics
    /// If the consumer does not have the hand-off.
    pub fn handle(
        &mut self,
        hand: DeliveryId,
        committed: &Positions,
        store: &mut impl EffectStore,
        handler: impl FnOnce(&Record) -> Result<(), HandlerFailed>,
    ) -> Result<(), StoreError> {
        let work = self.hands.get(&hand).expect("the consumer has the hand-off");
        let record = work.hand_off.record.clone();
        let Ok(effect) = handler(&record).and_then(|()| store.effect_of(&record.payload).map_err(|_| HandlerFailed))
        else {
            match self.steps.passes_over_failure() {
                true => self.finish_handling(hand),
                false => self.give_up(hand),
            }
            return Ok(());
        };
        let key = self.key(&record, hand.position);
        let is_new = !self.steps.was_handled(store, hand.position, || self.has_seen(&key, store))?;
        let (mut change, later) = match is_new {
            true => self.transactions(effect, key),
            false => Default::default(),
        };
        let finished = self.add_position(&mut change, hand, committed, store)?;
        match store.apply(&change) {
            Ok(()) => {}
            Err(error) if error.is_definite() => {
                self.give_up(hand);
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        if change.effect.is_some() {
            self.report_effect(&record);
        }
        if let Some(finished) = finished {
            self.finish(hand);
            self.inbox.forget_done(&finished);
            self.report_settle(hand, SettleOutcome::Ok);
        }
        if is_new && self.settings.remembers == Remembers::InMemory || later.is_some() {
            self.set_task(hand, Task::Remember)
        } else {
            self.finish_handling(hand)
        }
        Ok(())
    }

    /// Notes that the message was handled.
    ///
    /// # Panics
    /// If the consumer does not have the hand-off.
    pub fn remember(&mut self, hand: DeliveryId, store: &mut impl EffectStore) -> Result<(), StoreError> {
        let record = self.record(hand).expect("the consumer has the hand-off").clone();
        let key = self.key(&record, hand.position);
        let effect = store.effect_of(&record.payload).ok();
        match effect.and_then(|effect| self.transactions(effect, key).1) {
            Some(change) => {
                store.apply(&change)?;
                if change.effect.is_some() {
                    self.report_effect(&record);
                }
            }
            None => self.inbox.remember(key),
        }
        self.finish_handling(hand);
        Ok(())
    }

    /// Settles a hand-off: of a single position, or of what a cursor has finished so far. `committed` as in
    /// [`handle`](Consumer::handle).
    ///
    /// After the effect, a cursor that did not advance has nothing to say. Before it, the settle is sent in any case: the
    /// handler waits for the confirmation of this very settle, and what somebody else committed is none.
    ///
    /// # Panics
    /// If the consumer does not have the hand-off.
    pub fn settle(&mut self, hand: DeliveryId, committed: &Positions) {
        let finishes = self.settles() == Settles::AfterEffect;
        let covers = match self.subscription {
            Subscription::Leased => Covers::One(hand.position),
            Subscription::Cursor => {
                let covers = self.inbox.covers(hand.position, self.commits(), committed);
                self.finish(hand);
                self.steps.says_done(covers)
            }
        };
        let has_news = match covers {
            Covers::One(_) => true,
            Covers::Below(end) => end > committed.first_missing(Position(0)),
        };
        match self.steps.after_commit(has_news, finishes) {
            AfterCommit::Send => {
                self.set_task(hand, Task::AwaitSettled);
                self.outputs.push_back(ConsumerOutput::Settle(SettleRequest { hand, covers, finishes }));
            }
            AfterCommit::Handle => self.set_task(hand, Task::Handle),
            AfterCommit::GiveUp => self.give_up(hand),
        }
    }

    /// What came of a settle. Nothing happens if none is awaited.
    pub fn handle_settled(&mut self, hand: DeliveryId, outcome: SettleOutcome) {
        if self.task(hand) != Some(Task::AwaitSettled) {
            return;
        }
        self.report_settle(hand, outcome);
        match (self.settles(), self.steps.settled(outcome)) {
            (Settles::BeforeEffect, SettleOutcome::Ok) => self.set_task(hand, Task::Handle),
            _ => self.give_up(hand),
        }
    }

    /// The broker has these positions settled; nothing needs to be kept of what it cannot forget.
    pub fn handle_committed(&mut self, settled: &Positions) {
        if self.records_settles == RecordsSettles::AfterSync || self.settles() == Settles::WithEffect {
            self.inbox.forget_done(settled);
        }
    }

    /// Drops a hand-off without a word: the broker is gone, or the hand-off was taken away.
    pub fn drop_hand(&mut self, hand: DeliveryId) {
        self.hands.remove(&hand);
    }

    /// The group's cursor passes to this consumer, which goes by what is committed and not by its own memory.
    pub fn take_over(&mut self, generation: Generation) {
        self.begin(generation);
    }

    /// Resets the group: this position and later ones are to be done again. The broker is to be told too, and the
    /// group's other consumers with [`handle_rewound`](Consumer::handle_rewound).
    pub fn rewind(
        &mut self,
        to: Position,
        generation: Generation,
        store: &mut impl EffectStore,
    ) -> Result<(), StoreError> {
        if self.settles() == Settles::WithEffect {
            store.rewind(to)?;
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
        self.begin(generation);
    }

    /// The group goes on in this generation, and the consumer goes by what is committed: nothing that it has finished, or
    /// still has of an earlier generation, is part of what it commits.
    fn begin(&mut self, generation: Generation) {
        self.generation = generation;
        if self.steps.goes_by_commits() {
            self.inbox.forget_all_done();
        }
    }

    /// The position is finished: from then on that is part of what a cursor commits, unless its hand-off is of an earlier
    /// generation than the consumer knows of.
    fn finish(&mut self, hand: DeliveryId) {
        if self.hands.get(&hand).is_some_and(|work| work.hand_off.generation >= self.generation) {
            self.inbox.finish(hand.position);
        }
    }

    /// What it remembers.
    pub fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The next thing to tell the broker, oldest first.
    pub fn poll_output(&mut self) -> Option<ConsumerOutput> {
        self.outputs.pop_front()
    }

    /// The next thing that took effect, oldest first.
    pub fn poll_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    fn settles(&self) -> Settles {
        self.steps.settles(self.settings.settles)
    }

    fn commits(&self) -> pipeline::Commits {
        self.steps.commits(self.settings.commits)
    }

    fn key(&self, record: &Record, position: Position) -> Key {
        self.steps.key(record, position)
    }

    fn has_seen(&self, key: &Key, store: &impl EffectStore) -> Result<bool, StoreError> {
        match self.settings.remembers {
            Remembers::Nothing => Ok(false),
            Remembers::InMemory => Ok(self.inbox.has_seen(key)),
            Remembers::WithEffect => store.seen(key),
        }
    }

    /// The effect of a new message and its inbox entry, as the transactions that make them.
    fn transactions<E>(&self, effect: E, key: Key) -> (Change<E>, Option<Change<E>>) {
        let effect = Change { effect: Some(effect), ..Change::default() };
        match self.settings.remembers {
            Remembers::WithEffect => self.steps.transactions(Change { inbox: Some(key), ..effect }),
            Remembers::Nothing | Remembers::InMemory => (effect, None),
        }
    }

    /// Puts the position into the transaction, where it is stored with the effect. Returns everything that is finished
    /// if it commits.
    fn add_position<T: EffectStore>(
        &self,
        change: &mut Change<T::Effect>,
        hand: DeliveryId,
        committed: &Positions,
        store: &T,
    ) -> Result<Option<Positions>, StoreError> {
        if self.settles() != Settles::WithEffect {
            return Ok(None);
        }
        if self.leases == Leases::Checked {
            change.fenced_by = self.steps.fenced_by(self.hands[&hand].hand_off.generation);
        }
        let mut finished = store.finished()?;
        finished.extend(committed);
        let covers = self.inbox.covers(hand.position, self.commits(), &finished);
        change.finished = Some(covers);
        covers.mark(&mut finished);
        Ok(Some(finished))
    }

    fn finish_handling(&mut self, hand: DeliveryId) {
        match self.settles() {
            Settles::AfterEffect => self.set_task(hand, Task::Settle),
            Settles::BeforeEffect | Settles::WithEffect => self.give_up(hand),
        }
    }

    /// The hand-off is over, and its lease may end.
    fn give_up(&mut self, hand: DeliveryId) {
        self.hands.remove(&hand);
        self.outputs.push_back(ConsumerOutput::Release(hand));
    }

    fn set_task(&mut self, hand: DeliveryId, task: Task) {
        self.hands.get_mut(&hand).expect("the consumer has the hand-off").task = task;
    }

    fn report_effect(&mut self, record: &Record) {
        let kind = EventKind::Effect { message: record.message, group: GROUP, payload: None };
        self.reports.push_back(Report::with(kind, &record.payload));
    }

    fn report_settle(&mut self, hand: DeliveryId, outcome: SettleOutcome) {
        let HandOff { ref record, delivery, .. } = self.hands[&hand].hand_off;
        let (message, position) = (record.message, Some(hand.position));
        let kind =
            EventKind::Settle { message, group: GROUP, partition: PartitionId::default(), position, delivery, outcome };
        self.reports.push_back(Report::of(kind));
    }
}
