//! A worker: takes a hand-off that is ready and does one micro-step after another, until it has to wait.

use super::super::run::{DriverError, Interrupt, Run};
use super::state::Shared;
use crate::core::steps::Steps;

/// Works until nothing more will come.
pub(super) fn work<S: Steps>(run: &Run<S>, shared: &Shared<S>) -> Result<(), DriverError> {
    while let Some(hand) = shared.next() {
        let mut goes_on = true;
        while goes_on {
            let mut state = shared.lock();
            goes_on = match state.step(run, hand) {
                Ok(goes_on) => goes_on,
                Err(Interrupt::Failed(error)) => return Err(error),
                Err(Interrupt::Crash(planned)) => {
                    state.crash(run, planned)?;
                    false
                }
            };
        }
        // What this worker settled may have made room for another hand-off.
        shared.wake();
    }
    Ok(())
}
