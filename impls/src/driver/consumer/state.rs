//! What the consumer's threads share: core and connection under one lock, the inventory under another.
//!
//! The core decides what workers do and what the broker is sent. This file encodes it, records the events, and injects planned
//! faults. A worker runs its transaction under the inventory's lock alone, so that the loop is not blocked. A thread that
//! takes both locks takes the core's first.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use delivery_model::schedule::{PlannedFault, StepWord};
use delivery_model::vocab::{Fault, MessageId};

use super::super::faults::Role;
use super::super::link::Link;
use super::super::run::{DriverError, Interrupt, Run};
use super::super::wire::{FromBroker, ToBroker};
use super::window::Window;
use super::{ID, INCOMING, NAME};
use crate::core::consumer::{Consumer, Task};
use crate::core::delivery::{ConsumerOutput, DeliveryId};
use crate::core::steps::Steps;
use crate::core::time::Millis;
use crate::shared::lives::Lives;
use crate::shared::work_queue::WorkQueue;
use crate::store::RecoverError;
use crate::store::embedded::EmbeddedInventory;

/// What the threads share, and the workers that wait for something to do.
pub(super) struct Shared<S> {
    pub queue: WorkQueue<State<S>>,
    pub inventory: Lives<EmbeddedInventory>,
}

/// The hand-offs that a worker has.
pub(super) struct Batch {
    pub taken: Vec<Taken>,
    pub life: u64,
    /// Nobody else begins a transaction before this batch has had its own.
    pub is_to_store: bool,
}

/// A hand-off that a worker has.
pub(super) struct Taken {
    pub hand: DeliveryId,
    /// In which it is to be marked when it is finished, where the consumer follows a cursor.
    pub window: Option<Arc<Window>>,
}

/// The most hand-offs of a batch: as many as a consumer has workers at most, so that one batch never waits for another.
const TOGETHER_MAX: usize = 64;

impl<S: Steps> Shared<S> {
    pub fn open(run: &Run<S>) -> Result<Shared<S>, DriverError> {
        let (state, inventory) = State::begin(run, 0)?;
        Ok(Shared { queue: WorkQueue::new(state), inventory: Lives::new(inventory) })
    }

    /// The next hand-offs for a worker, as many as are ready; none when nothing more will come.
    pub fn next(&self) -> Option<Batch> {
        self.queue.next(State::next)
    }

    /// Crashes the consumer: all but the inventory's file is lost. A transaction under way is waited for, and its events are
    /// recorded before the crash. No worker of this life records or commits anything afterwards.
    pub fn crash(&self, run: &Run<S>, planned: PlannedFault) -> Result<(), DriverError> {
        let mut state = self.queue.lock();
        if let Some(link) = state.link.take() {
            // What was said before the crash is on its way.
            link.flush();
            link.cut();
        }
        let life = state.life + 1;
        let begin = || {
            let (next, inventory) = State::begin(run, life)?;
            *state = next;
            Ok(inventory)
        };
        let begun = self.inventory.end(|| run.tell_fault(planned.fault), begin)?;
        debug_assert_eq!(begun, life);
        Ok(())
    }
}

/// One life of the consumer after another.
pub(super) struct State<S> {
    pub core: Consumer<S>,
    link: Option<Link>,
    window: Option<Arc<Window>>,
    /// A worker has hand-offs that go into one transaction. What becomes ready meanwhile goes into the next one.
    is_storing: bool,
    /// How often the consumer has crashed.
    pub life: u64,
}

impl<S: Steps> State<S> {
    fn begin(run: &Run<S>, life: u64) -> Result<(State<S>, EmbeddedInventory), DriverError> {
        let recover = |why| DriverError::Recover { role: NAME.into(), why: RecoverError::Store(why) };
        let inventory = EmbeddedInventory::open(&run.stores.inventory()).map_err(recover)?;
        let mut core = Consumer::with_steps(&run.pipeline, ID, run.steps.clone()).tuned(run.tuning);
        core.resume(&inventory).map_err(recover)?;
        Ok((State { core, link: None, window: None, is_storing: false, life }, inventory))
    }

    fn next(&mut self) -> Option<Batch> {
        let is_storing = self.is_storing;
        let hands = self.core.take_ready(TOGETHER_MAX, |task| task != Task::Handle || !is_storing);
        if hands.is_empty() {
            return None;
        }
        let is_to_store = hands.iter().any(|&hand| self.core.task(hand) == Some(Task::Handle));
        self.is_storing |= is_to_store;
        self.window = Window::following(self.window.take(), &self.core);
        // What is of an earlier generation is nothing to this one.
        let window = |&hand: &DeliveryId| self.window.clone().filter(|_| self.core.is_current(hand));
        let taken = hands.iter().map(|hand| Taken { hand: *hand, window: window(hand) }).collect();
        Some(Batch { taken, life: self.life, is_to_store })
    }

    /// The transaction of the batch is over, or is not to come: the next one may begin.
    pub fn has_stored(&mut self, batch: &mut Batch) {
        if std::mem::take(&mut batch.is_to_store) {
            self.is_storing = false;
        }
    }

    /// Takes in what workers have finished, those included that have yet to come and say so.
    pub fn take_finished(&mut self) {
        if let Some(window) = &self.window {
            let finished = window.look();
            self.core.handle_finished(|position| finished.is_settled(position));
        }
    }

    /// Takes a new connection into use.
    pub fn attach(&mut self, link: Link) {
        self.link = Some(link);
        self.core.handle_connected();
        self.send(None);
        self.flush();
    }

    pub fn is_attached(&self) -> bool {
        self.link.is_some()
    }

    /// The connection ended.
    fn detach(&mut self, run: &Run<S>) -> Result<(), DriverError> {
        self.link = None;
        self.core.handle_disconnected();
        self.tell(run)
    }

    /// Takes in the broker's messages so far, or the end of the connection; then checks the deadlines, so that an input which
    /// arrived before a deadline counts.
    pub fn take_in(
        &mut self,
        run: &Run<S>,
        first: Result<Vec<FromBroker>, RecvTimeoutError>,
        incoming: &Receiver<Vec<FromBroker>>,
    ) -> Result<(), Interrupt> {
        let now = run.now();
        match first {
            Ok(first) => {
                for said in first.into_iter().chain(incoming.try_iter().take(INCOMING).flatten()) {
                    self.hear(run, said)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.detach(run)?,
        }
        self.look_up(run, now)
    }

    /// All is taken in that came before this instant.
    fn look_up(&mut self, run: &Run<S>, now: Millis) -> Result<(), Interrupt> {
        run.look_for_crash(Role::Consumer)?;
        if run.is_leaving() {
            self.core.leave();
        }
        self.core.handle_timeout(now);
        self.settle_in_background(run)?;
        Ok(self.tell(run)?)
    }

    fn hear(&mut self, run: &Run<S>, said: FromBroker) -> Result<(), Interrupt> {
        run.look_for_crash(Role::Consumer)?;
        match said {
            FromBroker::HandOff(hand_off) => {
                let (hand, message) = (hand_off.hand, hand_off.record.message);
                self.core.deliver(hand_off);
                self.report(run)?;
                if self.core.task(hand).is_some() {
                    run.passed(Role::Consumer, StepWord::Deliver, Some(message))?;
                }
            }
            FromBroker::Settled { hand, outcome } => self.core.handle_settled(hand, outcome),
            FromBroker::Committed(positions) => self.core.handle_committed(&positions),
            FromBroker::Left => self.core.handle_left(),
            FromBroker::Denied => return Err(DriverError::Denied { role: NAME.into() }.into()),
            FromBroker::Unfit(reason) => return Err(DriverError::Unfit { role: NAME.into(), reason }.into()),
            // A broker that talks to a consumer as to somebody else is confused: the protocol has no use for it.
            FromBroker::Registered | FromBroker::Reply(_) | FromBroker::Rewound | FromBroker::NotInLog { .. } => {
                self.detach(run)?;
            }
        }
        Ok(self.tell(run)?)
    }

    /// Settles what is at work, where settles go out in the background: whenever the loop has taken something in.
    fn settle_in_background(&mut self, run: &Run<S>) -> Result<(), Interrupt> {
        let unsent = self.core.in_background().filter(|(_, task)| *task == Task::Settle);
        let hands: Vec<DeliveryId> = unsent.map(|(hand, _)| hand).collect();
        for hand in hands {
            self.core.settle(run.now(), hand);
            self.report(run)?;
            let (lost, crash) = run.reached(Role::Consumer, StepWord::Settle, self.message_of(hand))?;
            self.send(lost);
            crash?;
        }
        Ok(())
    }

    /// Settles, and sends that: a settle that is lost is awaited like any other. A crash comes after it was sent.
    pub fn settle(&mut self, run: &Run<S>, hand: DeliveryId) -> Result<(), Interrupt> {
        self.core.settle_finished(run.now(), hand);
        self.report(run)?;
        let (lost, crash) = run.reached(Role::Consumer, StepWord::Settle, self.message_of(hand))?;
        self.send(lost);
        crash
    }

    pub fn message_of(&self, hand: DeliveryId) -> Option<MessageId> {
        self.core.record(hand).map(|record| record.message)
    }

    /// Tells what the core did, and then the broker what the core has to say.
    pub fn tell(&mut self, run: &Run<S>) -> Result<(), DriverError> {
        self.report(run)?;
        self.send(None);
        Ok(())
    }

    fn send(&mut self, lost: Option<Fault>) {
        while let Some(output) = self.core.poll_output() {
            let is_lost = lost.is_some() && matches!(output, ConsumerOutput::Settle(_));
            if let Some(link) = self.link.as_ref().filter(|_| !is_lost) {
                link.send(&word_of(output).encode());
            }
        }
    }

    /// Sends what was said to the broker since. Whoever made the state say something calls it before the lock is released.
    pub fn flush(&self) {
        self.link.iter().for_each(Link::flush);
    }

    pub fn report(&mut self, run: &Run<S>) -> Result<(), DriverError> {
        while let Some(report) = self.core.poll_report() {
            run.tell(NAME, &report)?;
        }
        Ok(())
    }
}

fn word_of(output: ConsumerOutput) -> ToBroker {
    match output {
        ConsumerOutput::Subscribe { workers, hands, has } => ToBroker::Subscribe { consumer: ID, workers, hands, has },
        ConsumerOutput::Has(positions) => ToBroker::Has(positions),
        ConsumerOutput::Finished(end) => ToBroker::Finished(end),
        ConsumerOutput::Settle(request) => ToBroker::Settle(request),
        ConsumerOutput::Release(hand) => ToBroker::Release(hand),
        ConsumerOutput::Reject(hand) => ToBroker::Reject(hand),
        ConsumerOutput::Requeue(record) => ToBroker::Requeue(record),
        ConsumerOutput::Leave => ToBroker::Leave,
    }
}
