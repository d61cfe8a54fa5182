//! Arrivals: what a connection's reader has taken in, so that a deadline is looked at only after all that came before it.
//!
//! ```text
//!   the reader                                the loop
//!   arrive(clock): announce, read the clock   mark(clock): read the clock, count what is announced
//!   queue the input with its instant  ----->  take inputs, in the order of the connection, and count them
//!                                             a mark is reached: what arrived before its instant is taken
//! ```
//!
//! A reader may hold an input that has its instant and is not in the queue yet: the queue is full, or the thread was put
//! aside. So it announces the input before it reads the clock, and the loop reads the clock before it counts. An input
//! that the loop did not count is then announced after the loop's look at the clock, and its own look comes later still:
//! it did not arrive before the mark. This is quinn's rule for threads: time is looked at after the inputs.
//!
//! One word for each connection, as only the inputs of one connection are taken in the order of their announcements. With
//! one word for all, those of a quick reader would be counted in the place of a slow one's.
//!
//! Leaves out: the queue, the clock, what a deadline decides, and what was not read from its socket yet.

use std::marker::PhantomData;

use crate::sync::{AtomicU64, Ordering};

/// The inputs of one connection.
///
/// Calling contract: the connection's reader calls [`arrive`](Self::arrive) for each input, and then queues it. The loop
/// takes a [`mark`](Self::mark), goes on taking and handling inputs, and counts those of this connection. When so many are
/// handled that the mark [is reached](Mark::is_reached), every input that arrived before its instant is handled.
///
/// `S` is [`Sound`] wherever it is used; the loom proofs put broken steps in its place.
#[derive(Debug, Default)]
pub struct Arrivals<S = Sound> {
    announced: AtomicU64,
    steps: PhantomData<fn() -> S>,
}

/// A look at the clock, and how many inputs had been announced after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark<T> {
    /// What the clock said.
    pub at: T,
    /// How many inputs are to be handled before anything is decided by it.
    pub announced: u64,
}

impl<T> Mark<T> {
    /// Whether it is, with so many inputs of the connection handled.
    pub fn is_reached(&self, handled: u64) -> bool {
        handled >= self.announced
    }
}

impl Arrivals {
    /// Nothing has arrived.
    pub fn new() -> Arrivals {
        Arrivals::with_steps()
    }
}

impl<S: Steps> Arrivals<S> {
    /// [`Arrivals::new`], with the steps of the caller's choice.
    pub fn with_steps() -> Self {
        Arrivals { announced: AtomicU64::new(0), steps: PhantomData }
    }

    /// For the reader: an input arrives, at the instant that this returns. Queue it next.
    pub fn arrive<T>(&self, clock: impl FnOnce() -> T) -> T {
        S::arrive(&self.announced, clock)
    }

    /// For the loop: what the clock says now, and what is to be handled before it counts.
    pub fn mark<T>(&self, clock: impl FnOnce() -> T) -> Mark<T> {
        S::mark(&self.announced, clock)
    }
}

/// The steps in which threads race. The defaults are what ships.
///
/// Both are read-modify-writes, so that each follows the other in one order: the reader's acquires what the loop's before
/// it released, which is the loop's look at the clock.
pub trait Steps {
    /// Announces, and reads the clock then.
    fn arrive<T>(announced: &AtomicU64, clock: impl FnOnce() -> T) -> T {
        announced.fetch_add(1, Ordering::Acquire);
        clock()
    }

    /// Reads the clock, and counts then.
    fn mark<T>(announced: &AtomicU64, clock: impl FnOnce() -> T) -> Mark<T> {
        let at = clock();
        Mark { at, announced: announced.fetch_add(0, Ordering::Release) }
    }
}

/// The shipped steps: every default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
