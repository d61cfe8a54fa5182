//! What the consumer's threads share: the core, the inventory, the connection, and what waits for a worker.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use delivery_model::pipeline::{Commits, Settles};
use delivery_model::schedule::{PlannedFault, StepWord};
use delivery_model::vocab::{Fault, Position, SettleOutcome};

use super::super::faults::Role;
use super::super::link::Link;
use super::super::run::{DriverError, Interrupt, Run};
use super::super::wire::{FromBroker, ToBroker};
use super::prefix::Prefix;
use super::{ID, NAME, failed};
use crate::core::consumer::{Consumer, Task};
use crate::core::deliveries::Subscription;
use crate::core::delivery::{ConsumerOutput, DeliveryId, HandOff, SettleRequest};
use crate::core::steps::Steps;
use crate::core::time::Millis;
use crate::data::positions::Positions;
use crate::store::embedded::EmbeddedInventory;
use crate::store::{Covers, EffectStore, RecoverError};

/// The state, and the workers that wait for something to do.
pub(super) struct Shared<S> {
    state: Mutex<State<S>>,
    ready: Condvar,
}

impl<S: Steps> Shared<S> {
    pub fn new(state: State<S>) -> Shared<S> {
        Shared { state: Mutex::new(state), ready: Condvar::new() }
    }

    pub fn lock(&self) -> MutexGuard<'_, State<S>> {
        // A thread that panics takes the scope, and so the run, down with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something may be ready for a worker.
    pub fn wake(&self) {
        self.ready.notify_all();
    }

    /// The next hand-off for a worker; none when nothing more will come.
    pub fn next(&self) -> Option<DeliveryId> {
        let mut state = self.lock();
        loop {
            if let Some(hand) = state.ready.pop_front() {
                return Some(hand);
            }
            if state.is_closing {
                return None;
            }
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Nothing more will come: workers finish what is ready, and leave.
    pub fn close(&self) {
        self.lock().is_closing = true;
        self.wake();
    }
}

/// So many positions are finished before the broker hears of it: it needs to know only what it may drop.
const FINISHED_STEP: u64 = 64;

const OPEN: &str = "the inventory is open while the consumer lives";

/// One life of the consumer after another.
pub(super) struct State<S> {
    core: Consumer<S>,
    is_cursor: bool,
    settles: Settles,
    /// Open while the consumer lives; only [`State::crash`] closes it, to open it anew.
    store: Option<EmbeddedInventory>,
    link: Option<Link>,
    /// What the broker is known to have settled or set aside, where the consumer follows a cursor.
    committed: Positions,
    /// What it last told the broker to have behind it.
    told: Positions,
    /// Up to where it last told the broker to have finished for good.
    told_finished: Position,
    prefix: Option<Prefix>,
    /// Hand-offs that a worker can go on with.
    ready: VecDeque<DeliveryId>,
    /// Settles that are on their way, and how long to wait for what came of them.
    awaited: BTreeMap<DeliveryId, Millis>,
    life: u64,
    is_closing: bool,
    /// How far it has come with leaving.
    leaving: Leaving,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    No,
    /// The broker was told.
    Said,
    /// Nothing more will come from the broker.
    Heard,
}

impl<S: Steps> State<S> {
    pub fn open(run: &Run<S>) -> Result<State<S>, DriverError> {
        State::begin(run, 0)
    }

    fn begin(run: &Run<S>, life: u64) -> Result<State<S>, DriverError> {
        let recover = |why| DriverError::Recover { role: NAME.into(), why: RecoverError::Store(why) };
        let (committed, told, told_finished, ready, awaited) = Default::default();
        Ok(State {
            core: Consumer::with_steps(&run.pipeline, ID, run.steps.clone()),
            is_cursor: Subscription::of(&run.pipeline) == Subscription::Cursor,
            settles: run.pipeline.consumer.settles,
            store: Some(EmbeddedInventory::open(&run.stores.inventory()).map_err(recover)?),
            link: None,
            committed,
            told,
            told_finished,
            prefix: (run.pipeline.consumer.commits == Commits::Prefix).then(Prefix::default),
            ready,
            awaited,
            life,
            is_closing: false,
            leaving: Leaving::No,
        })
    }

    /// Loses everything but the inventory's file.
    pub fn crash(&mut self, run: &Run<S>, planned: PlannedFault) -> Result<(), DriverError> {
        if let Some(link) = self.link.take() {
            link.cut();
        }
        run.tell_fault(planned.fault)?;
        let is_closing = self.is_closing;
        // The file can be opened again only when it is closed.
        self.store = None;
        *self = State { is_closing, ..State::begin(run, self.life + 1)? };
        Ok(())
    }

    /// How often the consumer has crashed.
    pub fn life(&self) -> u64 {
        self.life
    }

    /// Takes a new connection into use: subscribes, with what is still at work.
    pub fn attach(&mut self, run: &Run<S>, link: Link) -> Result<(), DriverError> {
        let hands = self.core.hands().map(|(hand, _)| hand).collect();
        self.told = if self.is_cursor { self.has()? } else { Positions::default() };
        self.told_finished = Position(0);
        let (workers, has) = (run.pipeline.consumer.workers, self.told.clone());
        link.send(ToBroker::Subscribe { consumer: ID, workers, hands, has }.encode());
        self.link = Some(link);
        self.leaving = Leaving::No;
        Ok(())
    }

    pub fn is_attached(&self) -> bool {
        self.link.is_some()
    }

    /// Nothing is at work, nothing waits for a worker or for the broker.
    pub fn is_idle(&self) -> bool {
        self.core.hands().next().is_none() && self.ready.is_empty() && self.awaited.is_empty()
    }

    /// Whether a consumer that was asked to leave has nothing left to do: no more hand-offs will come, and it is over
    /// with those that came.
    pub fn may_leave(&self) -> bool {
        self.is_idle() && (self.leaving == Leaving::Heard || !self.is_attached())
    }

    /// The connection ended: nobody will say what came of the settles that were on their way.
    pub fn detach(&mut self, run: &Run<S>) -> Result<(), Interrupt> {
        self.link = None;
        self.give_up_waiting(run, |_| true)
    }

    /// When to [`look_up`](State::look_up), if nothing else happens before.
    pub fn deadline(&self) -> Option<Millis> {
        self.awaited.values().min().copied()
    }

    /// Nothing came in for a while.
    pub fn look_up(&mut self, run: &Run<S>) -> Result<(), Interrupt> {
        run.look_for_crash(Role::Consumer)?;
        if let Some(link) = self.link.as_ref().filter(|_| run.is_leaving() && self.leaving == Leaving::No) {
            link.send(ToBroker::Leave.encode());
            self.leaving = Leaving::Said;
        }
        let now = run.now();
        self.give_up_waiting(run, |deadline| deadline <= now)
    }

    pub fn hear(&mut self, run: &Run<S>, said: FromBroker) -> Result<(), Interrupt> {
        self.look_up(run)?;
        match said {
            FromBroker::HandOff(hand_off) => self.deliver(run, hand_off),
            FromBroker::Settled { hand, outcome } => self.settled(run, hand, outcome),
            FromBroker::Committed(positions) => {
                self.core.handle_committed(&positions);
                self.committed = positions;
                if let Some(prefix) = &mut self.prefix {
                    self.ready.extend(prefix.commit(&self.committed));
                }
                Ok(())
            }
            FromBroker::Left => {
                self.leaving = Leaving::Heard;
                Ok(())
            }
            FromBroker::Denied => Err(DriverError::Denied { role: NAME.into() }.into()),
            FromBroker::Unfit(reason) => Err(DriverError::Unfit { role: NAME.into(), reason }.into()),
            // A broker that talks to a consumer as to somebody else is confused: the protocol has no use for it.
            FromBroker::Registered | FromBroker::Reply(_) | FromBroker::Rewound | FromBroker::NotInLog { .. } => {
                self.link = None;
                Ok(())
            }
        }
    }

    fn deliver(&mut self, run: &Run<S>, hand_off: HandOff) -> Result<(), Interrupt> {
        let (hand, message) = (hand_off.hand, hand_off.record.message);
        if self.is_cursor && self.has()?.contains(hand.position) {
            return Ok(self.decline(hand)?);
        }
        self.core.deliver(hand_off);
        self.tell_reports(run)?;
        run.passed(Role::Consumer, StepWord::Deliver, Some(message))?;
        let has_room = self.admit(hand)?;
        self.ready.extend(has_room.then_some(hand));
        Ok(())
    }

    /// Whether a worker may have this hand-off now, as far as the prefix goes.
    fn admit(&mut self, hand: DeliveryId) -> Result<bool, DriverError> {
        if self.prefix.as_ref().is_some_and(|prefix| !prefix.has_begun()) {
            let mut behind = self.done()?;
            behind.extend(&self.committed);
            self.prefix.iter_mut().for_each(|prefix| prefix.begin(&behind));
        }
        Ok(self.prefix.as_mut().is_none_or(|prefix| prefix.admit(hand)))
    }

    /// A consumer that follows a position of its own takes nothing twice. The broker goes by what it was last told: its
    /// lease may have ended while the position was at work, or its word may have been on the way.
    fn decline(&mut self, hand: DeliveryId) -> Result<(), DriverError> {
        self.tell_what_it_has()?;
        if let Some(link) = &self.link {
            link.send(ToBroker::Release(hand).encode());
        }
        Ok(())
    }

    fn settled(&mut self, run: &Run<S>, hand: DeliveryId, outcome: SettleOutcome) -> Result<(), Interrupt> {
        self.awaited.remove(&hand);
        self.core.handle_settled(hand, outcome);
        self.tell_reports(run)?;
        if self.core.task(hand) == Some(Task::Handle) {
            self.ready.push_back(hand);
        }
        Ok(self.send(run, None)?)
    }

    fn give_up_waiting(&mut self, run: &Run<S>, is_over: impl Fn(Millis) -> bool) -> Result<(), Interrupt> {
        let over = self.awaited.iter().filter(|(_, deadline)| is_over(**deadline)).map(|(&hand, _)| hand);
        let over: Vec<DeliveryId> = over.collect();
        over.into_iter().try_for_each(|hand| self.settled(run, hand, SettleOutcome::Unknown))
    }

    /// The next micro-step of a hand-off. False if it has to wait, or is over.
    pub fn step(&mut self, run: &Run<S>, hand: DeliveryId) -> Result<bool, Interrupt> {
        run.look_for_crash(Role::Consumer)?;
        let (Some(task), Some(record)) = (self.core.task(hand), self.core.record(hand)) else {
            return Ok(false);
        };
        let message = Some(record.message);
        let store = self.store.as_mut().expect(OPEN);
        let step = match task {
            Task::Handle => {
                self.core.handle(hand, &self.committed, store, |_| Ok(())).map_err(failed)?;
                StepWord::Handle
            }
            Task::Remember => {
                self.core.remember(hand, store).map_err(failed)?;
                StepWord::Remember
            }
            Task::Settle => {
                self.core.settle(hand, &self.committed);
                StepWord::Settle
            }
            Task::AwaitSettled => return Ok(false),
        };
        self.tell_reports(run)?;
        let (lost, crash) = run.reached(Role::Consumer, step, message)?;
        self.move_prefix(hand, step)?;
        if step == StepWord::Settle {
            self.send(run, lost)?;
            crash?;
        } else {
            // What the step has to say comes after it.
            crash?;
            self.send(run, None)?;
        }
        Ok(true)
    }

    /// A position is finished when its settle is on its way, or when it was stored with its effect.
    fn move_prefix(&mut self, hand: DeliveryId, step: StepWord) -> Result<(), DriverError> {
        if self.prefix.is_none() {
            return Ok(());
        }
        let is_over = || self.core.task(hand).is_none();
        if step == StepWord::Settle || is_over() && self.done()?.contains(hand.position) {
            self.ready.extend(self.prefix.iter_mut().flat_map(|prefix| prefix.finish(hand.position)));
        }
        Ok(())
    }

    /// Sends what the core has to say. A settle that is lost is awaited like any other.
    fn send(&mut self, run: &Run<S>, lost: Option<Fault>) -> Result<(), DriverError> {
        self.tell_what_it_has()?;
        while let Some(output) = self.core.poll_output() {
            let said = match output {
                ConsumerOutput::Settle(request) => {
                    self.awaited.insert(request.hand, run.now() + run.tuning.reply_timeout);
                    ToBroker::Settle(self.within_prefix(request))
                }
                ConsumerOutput::Release(hand) => ToBroker::Release(hand),
            };
            let is_lost = lost.is_some() && matches!(said, ToBroker::Settle(_));
            if let Some(link) = self.link.as_ref().filter(|_| !is_lost) {
                link.send(said.encode());
            }
        }
        Ok(())
    }

    /// The ack window has the last word on how far a contiguous prefix reaches.
    fn within_prefix(&self, request: SettleRequest) -> SettleRequest {
        match (&self.prefix, request.covers) {
            (Some(prefix), Covers::Below(end)) => {
                SettleRequest { covers: Covers::Below(end.min(prefix.end())), ..request }
            }
            _ => request,
        }
    }

    /// Tells the broker which positions are behind the consumer, where it follows a cursor and that changed.
    fn tell_what_it_has(&mut self) -> Result<(), DriverError> {
        if !self.is_cursor {
            return Ok(());
        }
        let finished = self.finished()?;
        let has = self.with_own(finished.clone());
        if let Some(link) = self.link.as_ref().filter(|_| has != self.told) {
            link.send(ToBroker::Has(has.clone()).encode());
            self.told = has;
            self.tell_what_is_finished(finished);
        }
        Ok(())
    }

    /// Tells the broker now and then how far it has finished everything for good, where only its own store says so.
    fn tell_what_is_finished(&mut self, mut finished: Positions) {
        if self.settles != Settles::WithEffect {
            return;
        }
        finished.extend(&self.committed);
        let end = finished.first_missing(Position(0));
        if let Some(link) = self.link.as_ref().filter(|_| end.0 >= self.told_finished.0 + FINISHED_STEP) {
            link.send(ToBroker::Finished(end).encode());
            self.told_finished = end;
        }
    }

    /// The positions that are not to be handed off to this consumer: at work, done, or finished in the store.
    fn has(&self) -> Result<Positions, DriverError> {
        Ok(self.with_own(self.finished()?))
    }

    /// These positions, those that this consumer has done, and those at work.
    fn with_own(&self, mut positions: Positions) -> Positions {
        positions.extend(self.core.inbox().done());
        for (hand, _) in self.core.hands() {
            positions.insert(hand.position);
        }
        positions
    }

    /// The positions that this consumer has done, or finished in the store.
    fn done(&self) -> Result<Positions, DriverError> {
        let mut done = self.finished()?;
        done.extend(self.core.inbox().done());
        Ok(done)
    }

    /// The positions that are finished in the store.
    fn finished(&self) -> Result<Positions, DriverError> {
        self.store.as_ref().expect(OPEN).finished().map_err(failed)
    }

    fn tell_reports(&mut self, run: &Run<S>) -> Result<(), DriverError> {
        while let Some(report) = self.core.poll_report() {
            run.tell(NAME, &report)?;
        }
        Ok(())
    }
}
