//! In-flight joining: attempts at one message that wait for the broker's loop are one input.
//!
//! A producer that waits too briefly for a slow disk, or comes back over a new connection, sends again what the loop has
//! not seen yet. Here the first attempt that is posted makes the input, later ones are added to it, and the loop takes all
//! of them at once: the core decides once, and all get the same reply. If it is a refusal, none is stored and none is a
//! duplicate (Redpanda's producer state does the same). Formulas: `dedup-completeness`, `dedup-honesty`.
//!
//! Looking whether an input is on its way and posting one are one step under one lock; so are taking all attempts and ending
//! the wait. Split in two, the first makes two inputs or loses an attempt, and the second loses one that is added in between.
//!
//! Leaves out: the queue of inputs, what is decided, and who waits for what is decided already: the core knows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::marker::PhantomData;

use super::lock;
use crate::sync::Mutex;

/// Attempts at one message that may wait for the loop. A producer has one attempt outstanding at a time; only one that
/// times out much faster than the loop turns comes near this.
pub const WAITING_MAX: usize = 64;

/// What waits for the loop: a key (what a message is recognised by) to the attempts at it, oldest first.
pub type Table<K, A> = BTreeMap<K, Vec<A>>;

/// The attempts that wait for the loop.
///
/// Calling contract: any thread [`post`](Self::post)s an attempt, and queues an input for its key where that says so,
/// *after* it posted. The loop [`take`](Self::take)s the key when it comes to the input, and finds the attempt that made
/// it and those that were added.
///
/// `S` is [`Sound`] wherever it is used; the loom proofs put broken steps in its place.
#[derive(Debug)]
pub struct InFlight<K, A, S = Sound> {
    waiting: Mutex<Table<K, A>>,
    steps: PhantomData<fn() -> S>,
}

/// What becomes of an attempt that is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an attempt whose input nobody queues waits for ever"]
pub enum Posted {
    /// It is the first: queue an input for its key.
    First,
    /// An input for its key is on its way, and brings this one too.
    Added,
    /// Too many wait already: it is lost, as it might be on its way. Its producer tries again.
    Lost,
}

impl<K: Ord, A> InFlight<K, A> {
    /// Nothing waits.
    pub fn new() -> InFlight<K, A> {
        InFlight::with_steps()
    }
}

impl<K: Ord, A> Default for InFlight<K, A> {
    fn default() -> Self {
        InFlight::new()
    }
}

impl<K: Ord, A, S: Steps> InFlight<K, A, S> {
    /// [`InFlight::new`], with the steps of the caller's choice.
    pub fn with_steps() -> Self {
        InFlight { waiting: Mutex::new(Table::new()), steps: PhantomData }
    }

    /// An attempt comes.
    pub fn post(&self, key: K, attempt: A) -> Posted {
        S::post(&self.waiting, key, attempt)
    }

    /// For the loop, when it comes to the input of this key: the attempts that wait, oldest first.
    pub fn take(&self, key: &K) -> Vec<A> {
        S::take(&self.waiting, key)
    }
}

/// The steps in which threads race. The defaults are what ships.
pub trait Steps {
    /// Makes an input if none is on its way, adds to it otherwise: one step.
    fn post<K: Ord, A>(waiting: &Mutex<Table<K, A>>, key: K, attempt: A) -> Posted {
        match lock(waiting).entry(key) {
            Entry::Occupied(mut others) => add(others.get_mut(), attempt),
            Entry::Vacant(nobody) => {
                nobody.insert(vec![attempt]);
                Posted::First
            }
        }
    }

    /// Takes all and ends the wait: one step.
    fn take<K: Ord, A>(waiting: &Mutex<Table<K, A>>, key: &K) -> Vec<A> {
        lock(waiting).remove(key).unwrap_or_default()
    }
}

/// Waits with the others, if there is room.
pub fn add<A>(others: &mut Vec<A>, attempt: A) -> Posted {
    if others.len() >= WAITING_MAX {
        return Posted::Lost;
    }
    others.push(attempt);
    Posted::Added
}

/// The shipped steps: every default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
