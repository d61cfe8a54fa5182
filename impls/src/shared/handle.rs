//! A delivery's handle: when its last clone goes and nobody has settled, the delivery counts as not handled.
//!
//! A handler may drop what it was given in many ways: an early return, a panic, a queue that is closed, a task that is
//! cancelled. None of them is a decision, so each must end in a redelivery, now and not when the lease runs out; and
//! none may end in two, or in a redelivery of what a clone has settled.
//!
//! How many clones there are and whether one has settled are one word, so that one read-modify-write says of a clone that
//! goes whether it was the last *and* nobody has settled. Asking for the count first and going afterwards tells nobody
//! when two clones go at once: each sees the other.
//!
//! Leaves out: what settling takes, and what "not handled" leads to: both are the owner's.

use std::marker::PhantomData;

use thiserror::Error;

use crate::sync::{Arc, AtomicU64, Ordering};

/// One delivery, shared by its clones.
///
/// Calling contract: whoever holds a clone may [`settle`](Self::settle); one settle is accepted. Dropping a clone is
/// always allowed. When the last one goes unsettled, the function that the handle was made with is called with the
/// delivery, once, by the thread that drops it: it must not wait for a lock that this thread may hold. Whatever any
/// holder did before it let go happens before that call.
///
/// `S` is [`Sound`] wherever it is used; the loom proofs put broken steps in its place.
#[derive(Debug)]
pub struct Handle<D: Copy, F: Fn(D), S: Steps = Sound> {
    shared: Arc<Shared<D, F>>,
    steps: PhantomData<fn() -> S>,
}

#[derive(Debug)]
struct Shared<D, F> {
    delivery: D,
    not_handled: F,
    /// A [`Holders`], packed. It counts what the `Arc` counts too, which can say neither of the two things that must be
    /// known at once.
    holders: AtomicU64,
}

/// What the word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holders {
    /// How many clones there are.
    pub clones: u64,
    /// One of them has settled.
    pub is_settled: bool,
}

impl Holders {
    /// What one clone adds to the word.
    pub const ONE: u64 = 2;
    /// What a settle sets in the word.
    pub const SETTLED: u64 = 1;

    /// The reverse of packing: the count above the flag.
    pub fn unpack(packed: u64) -> Holders {
        Holders { clones: packed / Self::ONE, is_settled: packed & Self::SETTLED != 0 }
    }

    /// Whether the one who goes from here leaves the delivery unhandled.
    pub fn is_last_unsettled(self) -> bool {
        self.clones == 1 && !self.is_settled
    }
}

/// Another clone has settled. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the delivery is settled already")]
pub struct AlreadySettled;

impl<D: Copy, F: Fn(D)> Handle<D, F> {
    /// The first handle of a delivery. `not_handled` is told if nobody settles it.
    pub fn new(delivery: D, not_handled: F) -> Handle<D, F> {
        Handle::with_steps(delivery, not_handled)
    }
}

impl<D: Copy, F: Fn(D), S: Steps> Handle<D, F, S> {
    /// [`Handle::new`], with the steps of the caller's choice.
    pub fn with_steps(delivery: D, not_handled: F) -> Self {
        let shared = Shared { delivery, not_handled, holders: AtomicU64::new(Holders::ONE) };
        Handle { shared: Arc::new(shared), steps: PhantomData }
    }

    /// What was delivered.
    pub fn delivery(&self) -> D {
        self.shared.delivery
    }

    /// Decides that the delivery is handled.
    pub fn settle(&self) -> Result<(), AlreadySettled> {
        if S::settle(&self.shared.holders) { Ok(()) } else { Err(AlreadySettled) }
    }
}

impl<D: Copy, F: Fn(D), S: Steps> Clone for Handle<D, F, S> {
    fn clone(&self) -> Self {
        // The clone that is copied from keeps the count above zero, so nothing needs to be ordered.
        self.shared.holders.fetch_add(Holders::ONE, Ordering::Relaxed);
        Handle { shared: Arc::clone(&self.shared), steps: PhantomData }
    }
}

impl<D: Copy, F: Fn(D), S: Steps> Drop for Handle<D, F, S> {
    fn drop(&mut self) {
        if S::let_go(&self.shared.holders) {
            (self.shared.not_handled)(self.shared.delivery);
        }
    }
}

/// The steps in which threads race. The defaults are what ships.
pub trait Steps {
    /// Settles. True for one caller. It orders nothing: letting go does.
    fn settle(holders: &AtomicU64) -> bool {
        !Holders::unpack(holders.fetch_or(Holders::SETTLED, Ordering::Relaxed)).is_settled
    }

    /// A clone goes. True if it was the last one and nobody has settled.
    fn let_go(holders: &AtomicU64) -> bool {
        Holders::unpack(holders.fetch_sub(Holders::ONE, Ordering::AcqRel)).is_last_unsettled()
    }
}

/// The shipped steps: every default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
