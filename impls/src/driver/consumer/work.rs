//! A worker: takes the hand-offs that are ready and does one micro-step of each after another, until they have to wait.
//!
//! Effects are stored together: what is ready at once goes into one transaction, and what becomes ready meanwhile into the next
//! one. So a sync is shared by as many as wait for one, and nobody waits for company. What a peer hears of, and the history
//! says, comes after the sync that covers it.
//!
//! Transactions run under the inventory's lock alone. A finished position is marked in the window without a lock. Effects are
//! recorded before the inventory's lock is released, so that a crash is recorded after them.

use std::sync::Arc;

use delivery_model::schedule::StepWord;
use delivery_model::vocab::MessageId;

use super::super::faults::Role;
use super::super::run::{DriverError, Interrupt, Run};
use super::state::{Batch, Shared, State, Taken};
use super::window::{Marks, Window};
use super::{NAME, failed};
use crate::core::consumer::{Handled, HandlerFailed, Job, Task};
use crate::core::steps::Steps;
use crate::data::record::Record;
use crate::shared::work_queue::Locked;
use crate::store::StoreError;
use crate::store::embedded::EmbeddedInventory;

/// Works until nothing more will come.
pub(super) fn work<S: Steps>(run: &Run<S>, shared: &Shared<S>) -> Result<(), DriverError> {
    while let Some(mut batch) = shared.next() {
        while !batch.taken.is_empty() {
            match step(run, shared, &mut batch) {
                Ok(()) => {}
                Err(Interrupt::Failed(error)) => return Err(error),
                Err(Interrupt::Crash(planned)) => {
                    shared.crash(run, planned)?;
                    break;
                }
            }
        }
        // What this worker did may have made room for another hand-off, or may have held one up.
        shared.queue.wake();
    }
    Ok(())
}

/// A hand-off whose handler is to run.
struct ToHandle<S> {
    taken: Taken,
    job: Job<S>,
    message: Option<MessageId>,
}

/// Does the next micro-step of each hand-off of a batch. Those remain in it that have more to do: none that must wait or have
/// ended, and none at all if they were lost in a crash.
fn step<S: Steps>(run: &Run<S>, shared: &Shared<S>, batch: &mut Batch) -> Result<(), Interrupt> {
    let mut state = shared.queue.lock();
    let all = std::mem::take(&mut batch.taken);
    if state.life != batch.life {
        return Ok(());
    }
    run.look_for_crash(Role::Consumer)?;
    let (mut to_handle, mut to_settle) = (Vec::new(), Vec::new());
    for taken in all {
        let message = state.message_of(taken.hand);
        match state.core.go_on(taken.hand) {
            Some(Task::Handle) => {
                let job = state.core.begin(taken.hand);
                to_handle.push(ToHandle { taken, job, message });
            }
            Some(Task::Remember) => {
                remember(run, shared, &mut state, &taken, message)?;
                batch.taken.push(taken);
            }
            Some(Task::Settle) => to_settle.push(taken),
            Some(Task::AwaitSettled) | None => {}
        }
    }
    if to_handle.is_empty() {
        state.has_stored(batch);
    }
    drop(state);
    settle(run, shared, batch.life, &to_settle)?;
    // Some of them wait for an answer now; the core knows which do not.
    batch.taken.extend(to_settle);
    handle(run, shared, batch, to_handle)
}

fn remember<S: Steps>(
    run: &Run<S>,
    shared: &Shared<S>,
    state: &mut Locked<'_, State<S>>,
    taken: &Taken,
    message: Option<MessageId>,
) -> Result<(), Interrupt> {
    let life = state.life;
    let remember = |inventory: &mut EmbeddedInventory| state.core.remember(taken.hand, inventory);
    shared.inventory.with(life, remember).unwrap_or(Ok(())).map_err(failed)?;
    state.report(run)?;
    run.passed(Role::Consumer, StepWord::Remember, message)?;
    state.tell(run)?;
    state.flush();
    Ok(())
}

/// Runs the handlers and the transaction, and passes its results to the core.
fn handle<S: Steps>(
    run: &Run<S>,
    shared: &Shared<S>,
    batch: &mut Batch,
    to_handle: Vec<ToHandle<S>>,
) -> Result<(), Interrupt> {
    if to_handle.is_empty() {
        return Ok(());
    }
    let Some(handled) = shared.inventory.with(batch.life, |inventory| store(run, inventory, &to_handle)) else {
        return Ok(());
    };
    let handled = handled?;
    to_handle.iter().try_for_each(|one| run.passed(Role::Consumer, StepWord::Handle, one.message))?;
    let has_stored = to_handle.iter().zip(&handled).filter(|(_, handled)| handled.has_stored_position());
    finish(has_stored.map(|(one, _)| &one.taken));
    let mut state = shared.queue.lock();
    if state.life != batch.life {
        return Ok(());
    }
    state.has_stored(batch);
    state.take_finished();
    for (one, handled) in to_handle.into_iter().zip(handled) {
        state.core.end(one.taken.hand, handled);
        batch.taken.push(one.taken);
    }
    state.tell(run)?;
    state.flush();
    drop(state);
    // What became ready meanwhile is stored while this worker settles.
    shared.queue.wake();
    Ok(())
}

/// Runs the handlers, and all that they change in one transaction. What took effect is recorded once it is durable.
fn store<S: Steps>(
    run: &Run<S>,
    inventory: &mut EmbeddedInventory,
    to_handle: &[ToHandle<S>],
) -> Result<Vec<Handled>, DriverError> {
    let fails = to_handle.iter().map(|one| Ok(run.forestalled(StepWord::Handle, one.message)?.is_some()));
    let fails = fails.collect::<Result<Vec<bool>, DriverError>>()?;
    let stored = inventory.together(|open| {
        let each = to_handle
            .iter()
            .zip(fails)
            .map(|(one, fails)| one.job.run(open, |_: &Record| if fails { Err(HandlerFailed) } else { Ok(()) }));
        each.collect::<Result<Vec<Handled>, StoreError>>()
    });
    let mut handled = stored.map_err(failed)?;
    for report in handled.iter_mut().flat_map(Handled::take_reports) {
        run.tell(NAME, &report)?;
    }
    Ok(handled)
}

fn settle<S: Steps>(run: &Run<S>, shared: &Shared<S>, life: u64, to_settle: &[Taken]) -> Result<(), Interrupt> {
    if to_settle.is_empty() {
        return Ok(());
    }
    finish(to_settle.iter());
    let mut state = shared.queue.lock();
    if state.life != life {
        return Ok(());
    }
    state.take_finished();
    // An answer may have ended one of them since.
    let settled = to_settle.iter().try_for_each(|taken| match state.core.task(taken.hand) {
        Some(Task::Settle) => state.settle(run, taken.hand),
        _ => Ok(()),
    });
    state.flush();
    settled
}

/// Marks their positions as finished, each in the window of its own.
fn finish<'a>(all: impl Iterator<Item = &'a Taken>) {
    let mut current: Option<(&Arc<Window>, Marks<'_>)> = None;
    for taken in all {
        let Some(window) = &taken.window else { continue };
        if current.as_ref().is_some_and(|(its, _)| !Arc::ptr_eq(its, window)) {
            current = None;
        }
        let (_, marks) = current.get_or_insert_with(|| (window, window.marks()));
        marks.finish(taken.hand.position);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Display;
    use std::io;
    use std::sync::{Arc, Mutex};

    use delivery_model::pipeline::Pipeline;
    use delivery_model::schedule::{PlannedFault, Point};
    use delivery_model::vocab::{Epoch, EventKind, Fault, Position};

    use super::*;
    use crate::core::delivery::{ConsumerId, DeliveryId, HandOff, Lease};
    use crate::core::report::Report;
    use crate::data::record::{Identity, ProducerId};
    use crate::driver::Observer;
    use crate::driver::faults::Injector;
    use crate::driver::run::{Deployment, Stores, loopback_tuning};
    use crate::inventory::{Order, Sku};
    use crate::store::Generation;

    #[derive(Default)]
    struct Told(Mutex<Vec<EventKind>>);

    impl Observer for Told {
        fn observe(&self, _: &str, report: &Report) -> io::Result<()> {
            self.0.lock().unwrap().push(report.kind);
            Ok(())
        }

        fn notice(&self, _: &str, _: &dyn Display) {}
    }

    fn hand_off(number: u64) -> HandOff {
        let payload = Order { sku: Sku(number as u32), quantity: 1 }.encode();
        let (message, producer) = (MessageId(number), ProducerId(1));
        HandOff {
            hand: DeliveryId { position: Position(number), lease: Lease { incarnation: 1, number: 1 } },
            consumer: ConsumerId(0),
            generation: Generation(0),
            delivery: None,
            record: Record { message, identity: Identity::None, producer, epoch: Epoch(0), payload },
        }
    }

    /// The effects that were told before the consumer crashed after the first one, and those that its store has.
    fn until_the_first_crash(together: u64) -> (usize, usize) {
        let directory = tempfile::tempdir().unwrap();
        let (stores, told) = (Stores::in_directory(directory.path()), Arc::new(Told::default()));
        let observer = Arc::clone(&told) as Arc<dyn Observer>;
        let mut run = Run::new(Pipeline::default(), loopback_tuning(), stores, observer, Deployment::Apart);
        let first = Point { step: StepWord::Handle, message: Some(MessageId(1)), nth: 1 };
        run.injector = Injector::new(&[PlannedFault::new(Fault::ConsumerCrash, first)], 1).unwrap();
        let shared = Shared::open(&run).unwrap();
        (1..=together).for_each(|number| shared.queue.lock().core.deliver(hand_off(number)));
        shared.queue.close();
        work(&run, &shared).unwrap();
        let told = told.0.lock().unwrap();
        let effects = told.iter().filter(|kind| matches!(kind, EventKind::Effect { .. })).count();
        assert!(matches!(told.last(), Some(EventKind::Fault { .. })), "{told:?}");
        (effects, shared.inventory.with(1, |inventory| inventory.stocks().unwrap().len()).unwrap())
    }

    #[test]
    fn effects_that_share_a_transaction_are_told_once_it_is_durable_and_none_is_lost_in_a_crash() {
        assert_eq!(until_the_first_crash(1), (1, 1));
        assert_eq!(until_the_first_crash(5), (5, 5));
    }
}
