//! A runtime of its own for each connection of a client that is written for tokio. When it is dropped, every task of the
//! connection ends with it, so nothing of an incarnation outlives it.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::trouble::Broken;

/// The runtime of one connection. Its tasks run while a call is made, and at no other time.
pub struct Wire {
    runtime: Runtime,
    answer: Duration,
}

impl Wire {
    /// A runtime whose calls wait this long for an answer.
    pub fn new(answer: Duration) -> Result<Wire, Broken> {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(Broken::by)?;
        Ok(Wire { runtime, answer })
    }

    /// How long its calls wait for an answer.
    pub fn answer(&self) -> Duration {
        self.answer
    }

    /// Runs a call to its end, or until the time for an answer is over.
    pub fn call<T, E: Display>(&self, call: impl Future<Output = Result<T, E>>) -> Result<T, Broken> {
        self.within(self.answer, call)
    }

    /// Runs a call to its end, or until this time is over.
    pub fn within<T, E: Display>(&self, wait: Duration, call: impl Future<Output = Result<T, E>>) -> Result<T, Broken> {
        let waited = self.runtime.block_on(async { tokio::time::timeout(wait, call).await });
        waited.map_err(|_| Broken(format!("no answer within {} ms", wait.as_millis())))?.map_err(Broken::by)
    }

    /// Starts a task that runs while calls are made.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }
}
