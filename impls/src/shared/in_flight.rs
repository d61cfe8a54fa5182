//! In-flight dedup: a retry of a publish that is still on its way to the disk joins it, and gets its result.
//!
//! A memory of what is stored cannot recognise what is being stored. Without this, a retry that comes in between either
//! waits for nothing and stores the message twice, or is called a duplicate of something that may yet fail. Here the
//! first attempt leads; every other attempt at the same message joins it and is told what the first one is told: if that
//! is a no, neither is stored and neither is a duplicate (Redpanda's producer state does the same). Formulas:
//! `dedup-completeness`, `dedup-honesty`.
//!
//! Looking whether somebody leads and becoming the leader are one step under one lock; so are collecting those who
//! joined and ending the lead. Split in two, the first stores a message twice and the second leaves a retry without an
//! answer.
//!
//! Leaves out: the memory of what *was* stored, which the leader asks (see the calling contract), and the result itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::marker::PhantomData;

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Retries of one message that may wait for its leader. A producer has one attempt outstanding at a time; only one that
/// times out much faster than the disk syncs comes near this.
pub const JOINED_MAX: usize = 64;

/// Who joined whom: a key (what a message is recognised by) to those who wait for its leader.
pub type Table<K, W> = BTreeMap<K, Vec<W>>;

/// The publishes that are on their way.
///
/// Calling contract: [`enter`](Self::enter) each attempt. Who leads asks the memory of what was stored, *after* it
/// entered; stores the message if it is new, and has the memory know it, *before* it calls
/// [`finish`](Self::finish), whatever the result; and tells the result to everybody whom `finish` gives. A leader that
/// can get no result calls [`hand_over`](Self::hand_over) instead, and the next in line starts from the beginning.
/// Whatever a leader did before `finish` happens before the next `enter` of the same key returns.
///
/// `S` is [`Sound`] wherever it is used; the loom proofs put broken steps in its place.
#[derive(Debug)]
pub struct InFlight<K, W, S = Sound> {
    joined: Mutex<Table<K, W>>,
    steps: PhantomData<fn() -> S>,
}

/// What becomes of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a leader that does nothing lets everybody wait who joins it"]
pub enum Entered<W> {
    /// Nobody else is at it. Gives back who came.
    Leads(W),
    /// Somebody else is at it, and will tell.
    Joined,
    /// Somebody else is at it, and too many wait for it already. Gives back who came.
    Full(W),
}

impl<K: Ord, W> InFlight<K, W> {
    /// Nothing is on its way.
    pub fn new() -> InFlight<K, W> {
        InFlight::with_steps()
    }
}

impl<K: Ord, W> Default for InFlight<K, W> {
    fn default() -> Self {
        InFlight::new()
    }
}

impl<K: Ord, W, S: Steps> InFlight<K, W, S> {
    /// [`InFlight::new`], with the steps of the caller's choice.
    pub fn with_steps() -> Self {
        InFlight { joined: Mutex::new(Table::new()), steps: PhantomData }
    }

    /// An attempt comes. `who`: what the leader will need to tell it the result.
    pub fn enter(&self, key: K, who: W) -> Entered<W> {
        S::enter(&self.joined, key, who)
    }

    /// The leader has a result. Gives those who joined, in the order in which they came.
    pub fn finish(&self, key: &K) -> Vec<W> {
        S::finish(&self.joined, key)
    }

    /// The leader is lost without a result: the first who joined leads now, and the others wait for that one. `None`:
    /// nobody did, and the next attempt will lead.
    pub fn hand_over(&self, key: &K) -> Option<W> {
        let mut table = lock(&self.joined);
        let joined = table.get_mut(key)?;
        if joined.is_empty() {
            table.remove(key);
            return None;
        }
        Some(joined.remove(0))
    }
}

/// The steps in which threads race. The defaults are what ships.
pub trait Steps {
    /// Leads if nobody does, joins otherwise: one step.
    fn enter<K: Ord, W>(table: &Mutex<Table<K, W>>, key: K, who: W) -> Entered<W> {
        match lock(table).entry(key) {
            Entry::Occupied(mut joined) => join(joined.get_mut(), who),
            Entry::Vacant(nobody) => {
                nobody.insert(Vec::new());
                Entered::Leads(who)
            }
        }
    }

    /// Ends the lead and takes those who joined: one step.
    fn finish<K: Ord, W>(table: &Mutex<Table<K, W>>, key: &K) -> Vec<W> {
        lock(table).remove(key).unwrap_or_default()
    }
}

/// Waits with the others, if there is room.
pub fn join<W>(joined: &mut Vec<W>, who: W) -> Entered<W> {
    if joined.len() >= JOINED_MAX {
        return Entered::Full(who);
    }
    joined.push(who);
    Entered::Joined
}

/// The table, for one step. No step panics half-way, so a poisoned lock guards a whole table.
pub fn lock<K, W>(table: &Mutex<Table<K, W>>) -> MutexGuard<'_, Table<K, W>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The shipped steps: every default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
