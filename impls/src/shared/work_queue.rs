//! The work queue: a state that threads share under a lock, and workers who wait until it has work for them or is closed.
//!
//! No worker waits for ever. Work is added, and the queue is closed, under the lock. A worker checks both under the lock, and
//! releases it in the same step in which it begins to wait, so nothing can come between its check and its wait. The thread
//! that added work or closed the queue then wakes all waiting workers.
//!
//! Leaves out: what work is, and its order. The state decides both.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::lock;
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A state under a lock, and the workers who wait for it.
///
/// Calling contract: a thread that changes the state so that there may be work calls [`wake`](Self::wake) after it has
/// released the lock.
#[derive(Debug)]
pub struct WorkQueue<T, S = Sound> {
    open: Mutex<Open<T>>,
    ready: Condvar,
    steps: PhantomData<fn() -> S>,
}

/// What is under the lock.
#[derive(Debug)]
pub struct Open<T> {
    state: T,
    is_closed: bool,
}

/// The state, locked.
#[derive(Debug)]
pub struct Locked<'a, T>(MutexGuard<'a, Open<T>>);

impl<T> Deref for Locked<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.state
    }
}

impl<T> DerefMut for Locked<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0.state
    }
}

impl<T> WorkQueue<T> {
    /// An open queue.
    pub fn new(state: T) -> WorkQueue<T> {
        WorkQueue::with_steps(state)
    }
}

impl<T, S: Steps> WorkQueue<T, S> {
    /// [`WorkQueue::new`], with the steps of the caller's choice.
    pub fn with_steps(state: T) -> Self {
        let open = Mutex::new(Open { state, is_closed: false });
        WorkQueue { open, ready: Condvar::new(), steps: PhantomData }
    }

    /// The state, for this thread alone.
    pub fn lock(&self) -> Locked<'_, T> {
        Locked(lock(&self.open))
    }

    /// Wakes the waiting workers, which check for work again.
    pub fn wake(&self) {
        S::wake(&self.ready);
    }

    /// Takes work, if there is any; waits while there is none. None once the queue is closed and there is none.
    pub fn next<W>(&self, mut take: impl FnMut(&mut T) -> Option<W>) -> Option<W> {
        let mut open = lock(&self.open);
        loop {
            if let Some(work) = take(&mut open.state) {
                return Some(work);
            }
            if open.is_closed {
                return None;
            }
            open = S::wait(&self.open, &self.ready, open);
        }
    }

    /// No more will come: workers take what there is, and no more.
    pub fn close(&self) {
        S::close(|| lock(&self.open).is_closed = true, || self.wake());
    }
}

/// The steps in which threads race. The defaults are what ships.
pub trait Steps {
    /// Waits, and lets go of the lock in the same step.
    fn wait<'a, T>(open: &'a Mutex<T>, ready: &Condvar, held: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        let _ = open;
        ready.wait(held).unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes all waiting workers.
    fn wake(ready: &Condvar) {
        ready.notify_all();
    }

    /// Marks the queue closed, then wakes.
    fn close(mark: impl FnOnce(), wake: impl FnOnce()) {
        mark();
        wake();
    }
}

/// The shipped steps: every default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
