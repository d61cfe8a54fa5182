//! Arrivals: the count of inputs that a connection's reader has taken in. With it the loop checks a deadline only after all
//! inputs that arrived before the deadline.
//!
//! ```text
//!   the reader                                the loop
//!   arrive(clock): announce, read the clock   mark(clock): read the clock, count what is announced
//!   queue the input with its instant  ----->  take inputs, in the order of the connection, and count them
//!                                             a mark is reached: what arrived before its instant is taken
//! ```
//!
//! A reader may hold an input that has its instant and is not in the queue yet: the queue is full, or the thread was
//! descheduled. So the reader announces the input before it reads the clock, and the loop reads the clock before it counts.
//! An input that the loop did not count was announced after the loop read the clock, and read the clock later still. So it
//! did not arrive before the mark. This is quinn's rule for threads: deadlines are checked after the inputs.
//!
//! Each connection has a word of its own, since only the inputs of one connection are taken in the order of their
//! announcements. With one word for all, the inputs of a fast reader would count in place of a slow reader's.
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

/// An instant, and the number of inputs that were announced when the clock was read, or shortly after.
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
/// Both are read-modify-writes of one word, so that they have one order. If the loop's comes first, the reader's acquires what
/// it released, which includes the loop's reading of the clock.
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
