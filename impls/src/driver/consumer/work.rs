//! A worker: takes a hand-off that is ready and does one micro-step after another, until it has to wait.
//!
//! Transactions run under the inventory's lock alone. A finished position is marked in the window without a lock. Effects are
//! recorded before the inventory's lock is released, so that a crash is recorded after them.

use delivery_model::schedule::StepWord;
use delivery_model::vocab::MessageId;

use super::super::faults::Role;
use super::super::run::{DriverError, Interrupt, Run};
use super::state::{Shared, Taken};
use super::{NAME, failed};
use crate::core::consumer::{Handled, HandlerFailed, Job, Task};
use crate::core::steps::Steps;
use crate::data::record::Record;
use crate::store::embedded::EmbeddedInventory;

/// Works until nothing more will come.
pub(super) fn work<S: Steps>(run: &Run<S>, shared: &Shared<S>) -> Result<(), DriverError> {
    while let Some(taken) = shared.next() {
        let mut goes_on = true;
        while goes_on {
            goes_on = match step(run, shared, &taken) {
                Ok(goes_on) => goes_on,
                Err(Interrupt::Failed(error)) => return Err(error),
                Err(Interrupt::Crash(planned)) => {
                    shared.crash(run, planned)?;
                    false
                }
            };
        }
        // What this worker did may have made room for another hand-off, or may have held one up.
        shared.queue.wake();
    }
    Ok(())
}

/// Does the next micro-step of a delivery. False if the delivery must wait, has ended, or was lost in a crash.
fn step<S: Steps>(run: &Run<S>, shared: &Shared<S>, taken: &Taken) -> Result<bool, Interrupt> {
    let mut state = shared.queue.lock();
    if state.life != taken.life {
        return Ok(false);
    }
    run.look_for_crash(Role::Consumer)?;
    let message = state.message_of(taken.hand);
    match state.core.go_on(taken.hand) {
        Some(Task::Handle) => {
            let job = state.core.begin(taken.hand);
            drop(state);
            let Some(handled) = handle(run, shared, taken, &job, message)? else {
                return Ok(false);
            };
            end(run, shared, taken, handled)
        }
        Some(Task::Remember) => {
            let remember = |inventory: &mut EmbeddedInventory| state.core.remember(taken.hand, inventory);
            shared.inventory.with(taken.life, remember).unwrap_or(Ok(())).map_err(failed)?;
            state.report(run)?;
            run.passed(Role::Consumer, StepWord::Remember, message)?;
            state.tell(run)?;
            Ok(true)
        }
        Some(Task::Settle) => {
            drop(state);
            taken.finish();
            settle(run, shared, taken)
        }
        Some(Task::AwaitSettled) | None => Ok(false),
    }
}

/// Runs the handler and the transaction. None if the consumer has crashed before.
fn handle<S: Steps>(
    run: &Run<S>,
    shared: &Shared<S>,
    taken: &Taken,
    job: &Job<S>,
    message: Option<MessageId>,
) -> Result<Option<Handled>, Interrupt> {
    let handled = shared.inventory.with(taken.life, |inventory| {
        let fails = run.forestalled(StepWord::Handle, message)?.is_some();
        let handler = |_: &Record| if fails { Err(HandlerFailed) } else { Ok(()) };
        let mut handled = job.run(inventory, handler).map_err(failed)?;
        handled.reports.drain(..).try_for_each(|report| run.tell(NAME, &report))?;
        Ok::<_, DriverError>(handled)
    });
    if handled.is_some() {
        run.passed(Role::Consumer, StepWord::Handle, message)?;
    }
    Ok(handled.transpose()?)
}

/// Passes the result of a transaction to the core.
fn end<S: Steps>(run: &Run<S>, shared: &Shared<S>, taken: &Taken, handled: Handled) -> Result<bool, Interrupt> {
    if handled.has_stored_position() {
        taken.finish();
    }
    let mut state = shared.queue.lock();
    if state.life != taken.life {
        return Ok(false);
    }
    state.take_finished();
    state.core.end(taken.hand, handled);
    state.tell(run)?;
    Ok(true)
}

fn settle<S: Steps>(run: &Run<S>, shared: &Shared<S>, taken: &Taken) -> Result<bool, Interrupt> {
    let mut state = shared.queue.lock();
    if state.life != taken.life {
        return Ok(false);
    }
    state.take_finished();
    state.settle(run, taken.hand)?;
    Ok(true)
}

impl Taken {
    /// Marks its position as finished in the window.
    fn finish(&self) {
        if let Some(window) = &self.window {
            window.finish(self.hand.position);
        }
    }
}
