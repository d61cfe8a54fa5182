//! Handling: from a message to its effect, in one transaction.
//!
//! A worker runs the transaction, and the consumer may take in other inputs meanwhile. [`begin`](Consumer::begin) makes the
//! job, [`Job::run`] runs it, and [`end`](Consumer::end) takes in its result. The worker records the reports of the job before
//! `end`, so that the effect is recorded before any other party can act on it.

use delivery_model::pipeline::{Commits, Leases, OnDuplicate, OnFailure, Remembers, Settles};
use delivery_model::vocab::{EventKind, PartitionId, SettleOutcome};

use super::{Ahead, Consumer, Task};
use crate::core::delivery::{ConsumerOutput, DeliveryId, GROUP, HandOff};
use crate::core::inbox::covers;
use crate::core::report::Report;
use crate::core::steps::ConsumerSteps;
use crate::data::positions::Positions;
use crate::data::record::{Key, Record};
use crate::store::{Change, EffectStore, Generation, StoreError};

/// The application's handler failed on a message: nothing of it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the handler failed")]
pub struct HandlerFailed;

/// A hand-off whose handler is to run, with all that its transaction depends on beside the store.
#[derive(Clone, Debug)]
pub struct Job<S> {
    hand_off: HandOff,
    key: Key,
    remembers: Remembers,
    on_duplicate: OnDuplicate,
    /// Whether the message is known, where memory alone says so.
    is_in_memory: bool,
    own_positions: Option<OwnPositions>,
    steps: S,
}

/// What the consumer stores with its effects, where it keeps its positions itself.
#[derive(Clone, Debug)]
struct OwnPositions {
    commits: Commits,
    fenced_by: Option<Generation>,
    done: Positions,
    committed: Positions,
}

/// The result of a [`Job`].
#[derive(Clone, Debug)]
pub struct Handled {
    outcome: Outcome,
    reports: Reports,
}

/// What took effect: at most an effect and a settle.
type Reports = [Option<Report>; 2];

#[derive(Clone, Debug)]
enum Outcome {
    /// Nothing took effect: the store said no.
    Refused,
    /// Nothing took effect: the handler failed.
    Failed,
    /// Nothing took effect: the message is known, and is ignored.
    Ignored,
    /// Nothing took effect, and the delivery counts as handled. Only a seeded bug does so.
    PassedOver,
    Committed {
        /// The message is still to be remembered.
        is_to_remember: bool,
        /// Everything that is finished in the store or elsewhere, where that is stored.
        finished: Option<Positions>,
    },
}

impl<S: ConsumerSteps> Consumer<S> {
    /// Runs the handler, unless the message is known, and commits its effect, with whatever the settings put into the
    /// same transaction. `handler` may refuse the order.
    ///
    /// A handler that fails, a definite refusal of the store and a fence give the hand-off up.
    ///
    /// # Panics
    /// If the consumer does not have the hand-off.
    pub fn handle(
        &mut self,
        hand: DeliveryId,
        store: &mut impl EffectStore,
        handler: impl FnOnce(&Record) -> Result<(), HandlerFailed>,
    ) -> Result<(), StoreError> {
        let mut handled = self.begin(hand).run(store, handler)?;
        self.reports.extend(handled.take_reports());
        if handled.has_stored_position() {
            self.finish(hand);
        }
        self.end(hand, handled);
        Ok(())
    }

    /// The first part of [`handle`](Consumer::handle): what is to be done.
    ///
    /// # Panics
    /// If the consumer does not have the hand-off.
    pub fn begin(&self, hand: DeliveryId) -> Job<S> {
        let hand_off = self.hands.get(&hand).expect("the consumer has the hand-off").hand_off.clone();
        let key = self.key(&hand_off.record, hand.position);
        let own_positions = (self.settles() == Settles::WithEffect).then(|| OwnPositions {
            commits: self.commits(),
            fenced_by: match self.leases {
                Leases::Checked => self.steps.fenced_by(hand_off.generation),
                Leases::Unchecked => None,
            },
            done: self.inbox.done().clone(),
            committed: self.committed.clone(),
        });
        Job {
            is_in_memory: self.inbox.has_seen(&key),
            remembers: self.settings.remembers,
            on_duplicate: self.settings.on_duplicate,
            steps: self.steps.clone(),
            hand_off,
            key,
            own_positions,
        }
    }

    /// The last part of [`handle`](Consumer::handle): takes in the result of the job, without its reports. A position that was
    /// stored is passed in before, with [`handle_finished`](Consumer::handle_finished).
    ///
    /// # Panics
    /// If the consumer does not have the hand-off.
    pub fn end(&mut self, hand: DeliveryId, handled: Handled) {
        let (is_to_remember, finished) = match handled.outcome {
            Outcome::Committed { is_to_remember, finished } => (is_to_remember, finished),
            Outcome::PassedOver => (false, None),
            Outcome::Refused => return self.give_up(hand),
            Outcome::Failed => return self.end_failed(hand),
            Outcome::Ignored if self.is_settled_ahead(hand) => return self.finish_handling(hand),
            Outcome::Ignored => return self.pass_over(hand, self.settings.skips_duplicates()),
        };
        if let Some(finished) = finished {
            self.inbox.forget_done(&finished);
            if self.is_current(hand) {
                // What is committed elsewhere is the broker's to know, and to lose.
                self.stored.extend(&finished.minus(&self.committed));
            }
        }
        match is_to_remember {
            // Nothing else follows, and a crash before the note would lose it as well as one after it.
            true if self.is_settled_ahead(hand) && self.settings.remembers == Remembers::InMemory => {
                let record = self.record(hand).expect("the consumer has the hand-off");
                self.inbox.remember(self.key(record, hand.position));
                self.finish_handling(hand);
            }
            true => self.set_task(hand, Task::Remember),
            false => self.finish_handling(hand),
        }
    }

    /// Notes that the message was handled.
    ///
    /// # Panics
    /// If the consumer does not have the hand-off.
    pub fn remember(&mut self, hand: DeliveryId, store: &mut impl EffectStore) -> Result<(), StoreError> {
        let record = self.record(hand).expect("the consumer has the hand-off").clone();
        let key = self.key(&record, hand.position);
        let effect = store.effect_of(&record.payload).ok();
        match effect.and_then(|effect| transactions(&self.steps, self.settings.remembers, effect, key).1) {
            Some(change) => {
                store.apply(&change)?;
                if change.effect.is_some() {
                    self.reports.push_back(effect_of(&record));
                }
            }
            None => self.inbox.remember(key),
        }
        self.finish_handling(hand);
        Ok(())
    }

    /// Ends a delivery whose handler failed: it is released, its position is skipped or set aside, or it is published again.
    fn end_failed(&mut self, hand: DeliveryId) {
        if !self.settings.batches() {
            return self.end_failed_one(hand);
        }
        // One failure is the batch's.
        let in_batch = self.hands.iter().filter(|(_, work)| work.task != Task::AwaitSettled);
        let in_batch: Vec<DeliveryId> = in_batch.map(|(hand, _)| hand).collect();
        in_batch.into_iter().for_each(|hand| self.end_failed_one(hand));
    }

    fn end_failed_one(&mut self, hand: DeliveryId) {
        if self.is_settled_ahead(hand) {
            return self.finish_handling(hand);
        }
        match self.settings.on_failure {
            OnFailure::Skip => self.pass_over(hand, self.settings.skips_failures()),
            OnFailure::Requeue if self.settings.requeues_failures() => {
                let record = self.record(hand).expect("the consumer has the hand-off").clone();
                self.outputs.push_back(ConsumerOutput::Requeue(record));
                self.finish_handling(hand);
            }
            OnFailure::DeadLetter if self.settings.rejects_failures() => {
                self.hands.remove(&hand);
                self.outputs.push_back(ConsumerOutput::Reject(hand));
            }
            OnFailure::Requeue | OnFailure::DeadLetter | OnFailure::Release => self.give_up(hand),
        }
    }

    /// Ends a delivery without a settle of its own: its position counts as finished, or is given back.
    fn pass_over(&mut self, hand: DeliveryId, counts_as_finished: bool) {
        if counts_as_finished {
            self.finish(hand);
        }
        self.give_up(hand);
    }

    fn finish_handling(&mut self, hand: DeliveryId) {
        match (self.settles(), self.hands.get(&hand).map(|work| work.ahead)) {
            (Settles::InBackground, Some(Ahead::Sent)) => self.set_task(hand, Task::AwaitSettled),
            (Settles::InBackground, Some(Ahead::Over)) => self.give_up(hand),
            (settles, _) => self.settle_or_end(hand, settles),
        }
    }

    /// The settle of this delivery has gone out in the background, whatever came of it: nothing follows on its handling.
    fn is_settled_ahead(&self, hand: DeliveryId) -> bool {
        self.hands.get(&hand).is_some_and(|work| work.ahead != Ahead::Unsent)
    }

    fn settle_or_end(&mut self, hand: DeliveryId, settles: Settles) {
        match settles {
            Settles::AfterEffect | Settles::InBackground => self.set_task(hand, Task::Settle),
            Settles::BeforeEffect | Settles::WithEffect => self.give_up(hand),
        }
    }
}

impl<S: ConsumerSteps> Job<S> {
    /// Runs the handler and the transaction. After an error it is unknown whether the transaction took effect.
    pub fn run<T: EffectStore>(
        &self,
        store: &mut T,
        handler: impl FnOnce(&Record) -> Result<(), HandlerFailed>,
    ) -> Result<Handled, StoreError> {
        let HandOff { hand, record, .. } = &self.hand_off;
        let effect = handler(record).and_then(|()| store.effect_of(&record.payload).map_err(|_| HandlerFailed));
        let Ok(effect) = effect else {
            let passes_over = self.steps.passes_over_failure();
            let outcome = if passes_over { Outcome::PassedOver } else { Outcome::Failed };
            return Ok(Handled { outcome, reports: Reports::default() });
        };
        let is_new = !self.steps.was_handled(store, hand.position, || self.has_seen(store))?;
        if !is_new && self.on_duplicate == OnDuplicate::Ignore {
            return Ok(Handled { outcome: Outcome::Ignored, reports: Reports::default() });
        }
        let (mut change, later) = match is_new {
            true => transactions(&self.steps, self.remembers, effect, self.key),
            false => Default::default(),
        };
        let finished = self.add_position(&mut change, store)?;
        match store.apply(&change) {
            Ok(()) => {}
            Err(error) if error.is_definite() => return Ok(Handled::REFUSED),
            Err(error) => return Err(error),
        }
        let effect = change.effect.is_some().then(|| effect_of(record));
        let settle = finished.is_some().then(|| settle_of(&self.hand_off, SettleOutcome::Ok));
        let is_to_remember = is_new && self.remembers == Remembers::InMemory || later.is_some();
        let outcome = Outcome::Committed { is_to_remember, finished };
        Ok(Handled { outcome, reports: [effect, settle] })
    }

    fn has_seen(&self, store: &impl EffectStore) -> Result<bool, StoreError> {
        match self.remembers {
            Remembers::Nothing => Ok(false),
            Remembers::InMemory => Ok(self.is_in_memory),
            Remembers::WithEffect => store.seen(&self.key),
        }
    }

    /// Puts the position into the transaction, where it is stored with the effect. Returns everything that is finished
    /// if it commits.
    fn add_position<T: EffectStore>(
        &self,
        change: &mut Change<T::Effect>,
        store: &T,
    ) -> Result<Option<Positions>, StoreError> {
        let Some(OwnPositions { commits, fenced_by, done, committed }) = &self.own_positions else {
            return Ok(None);
        };
        let mut finished = store.finished()?;
        finished.extend(committed);
        let mut all = finished.clone();
        all.extend(done);
        let covered = covers(self.hand_off.hand.position, *commits, all);
        (change.fenced_by, change.finished) = (*fenced_by, Some(covered));
        covered.mark(&mut finished);
        Ok(Some(finished))
    }
}

impl Handled {
    const REFUSED: Handled = Handled { outcome: Outcome::Refused, reports: [None, None] };

    /// Takes out what took effect.
    pub fn take_reports(&mut self) -> impl Iterator<Item = Report> + use<> {
        std::mem::take(&mut self.reports).into_iter().flatten()
    }

    /// Whether the position is finished with it, in the store.
    pub fn has_stored_position(&self) -> bool {
        matches!(self.outcome, Outcome::Committed { finished: Some(_), .. })
    }
}

/// The effect of a new message and its inbox entry, as the transactions that make them.
fn transactions<S: ConsumerSteps, E>(
    steps: &S,
    remembers: Remembers,
    effect: E,
    key: Key,
) -> (Change<E>, Option<Change<E>>) {
    let effect = Change { effect: Some(effect), ..Change::default() };
    match remembers {
        Remembers::WithEffect => steps.transactions(Change { inbox: Some(key), ..effect }),
        Remembers::Nothing | Remembers::InMemory => (effect, None),
    }
}

fn effect_of(record: &Record) -> Report {
    let kind = EventKind::Effect { message: record.message, group: GROUP, payload: None };
    Report::with(kind, &record.payload)
}

pub(super) fn settle_of(hand_off: &HandOff, outcome: SettleOutcome) -> Report {
    let HandOff { hand, ref record, delivery, .. } = *hand_off;
    let (message, position) = (record.message, Some(hand.position));
    let partition = PartitionId::default();
    Report::of(EventKind::Settle { message, group: GROUP, partition, position, delivery, outcome })
}
