//! What a party keeps open for one life after another: threads of a life that has ended find it closed.
//!
//! A crash that is injected takes a party's threads nowhere: they run on. So whatever they are about to change, they change
//! under this lock and only if their life goes on. What they changed before is over, and told, when the crash comes.

use std::marker::PhantomData;

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// A thing that is open for one life of a party at a time.
#[derive(Debug)]
pub struct Lives<T, S = Sound> {
    held: Mutex<Held<T>>,
    steps: PhantomData<fn() -> S>,
}

/// What is under the lock.
#[derive(Debug)]
pub struct Held<T> {
    /// None only while it is opened anew, and if that fails.
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

    /// Does this with it, alone, unless this life has ended.
    pub fn with<R>(&self, life: u64, act: impl FnOnce(&mut T) -> R) -> Option<R> {
        let mut held = S::enter(&self.held, life)?;
        held.open.as_mut().map(act)
    }

    /// Ends a life and begins the next one. Waits for whoever is in [`with`](Self::with); then `tell` tells of the end, and
    /// `open` opens the thing anew, after the old one was closed. Gives the new life's number.
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
    /// Takes the lock, for a life that goes on.
    fn enter<T>(held: &Mutex<Held<T>>, life: u64) -> Option<MutexGuard<'_, Held<T>>> {
        Some(lock(held)).filter(|held| held.is_of(life))
    }
}

/// Locks. A thread that panicked has taken its whole run down with it.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shipped step: the default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
