//! Lives: a resource of a party, such as its store, that is closed and opened anew at each injected crash. A life is the time
//! between two crashes.
//!
//! An injected crash does not stop the party's threads. So each thread changes the resource under this lock, and only if its
//! life has not ended. A change that was made before is complete, and recorded, when the crash is recorded.

use std::marker::PhantomData;

use super::lock;
use crate::sync::{Mutex, MutexGuard};

/// A resource that is open for one life of a party at a time.
#[derive(Debug)]
pub struct Lives<T, S = Sound> {
    held: Mutex<Held<T>>,
    steps: PhantomData<fn() -> S>,
}

/// What is under the lock.
#[derive(Debug)]
pub struct Held<T> {
    /// The resource; none while it is being opened anew, or if that failed.
    open: Option<T>,
    life: u64,
}

impl<T> Held<T> {
    /// Whether it is open for this life.
    pub fn is_of(&self, life: u64) -> bool {
        self.open.is_some() && self.life == life
    }
}

impl<T> Lives<T> {
    /// The first life, numbered 0.
    pub fn new(open: T) -> Lives<T> {
        Lives::with_steps(open)
    }
}

impl<T, S: Steps> Lives<T, S> {
    /// [`Lives::new`], with the steps of the caller's choice.
    pub fn with_steps(open: T) -> Self {
        Lives { held: Mutex::new(Held { open: Some(open), life: 0 }), steps: PhantomData }
    }

    /// Runs this on the resource under the lock; none if this life has ended.
    pub fn with<R>(&self, life: u64, act: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut held = S::enter(&self.held, life)?;
        held.open.as_mut().map(act)
    }

    /// Ends a life and begins the next one; returns the number of the new life. Waits for a thread that is in
    /// [`with`](Self::with). Then `tell` records the crash, the resource is closed, and `open` opens it anew.
    pub fn end<E>(&self, tell: impl FnOnce() -> Result<(), E>, open: impl FnOnce() -> Result<T, E>) -> Result<u64, E> {
        let mut held = lock(&self.held);
        tell()?;
        held.open = None;
        held.life += 1;
        held.open = Some(open()?);
        Ok(held.life)
    }
}

/// The step in which threads race. The default is what ships.
pub trait Steps {
    /// Takes the lock; none if this life has ended.
    fn enter<T>(held: &Mutex<Held<T>>, life: u64) -> Option<MutexGuard<'_, Held<T>>> {
        Some(lock(held)).filter(|held| held.is_of(life))
    }
}

/// The shipped step: the default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
