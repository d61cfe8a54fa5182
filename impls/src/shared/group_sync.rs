//! Group sync: many append, one syncs for all of them, and it is woken exactly when it must be.
//!
//! ```text
//!   those who append                        the syncer
//!   append, request(end) -> wake it? ---->  begin() -> sync up to `end`, or sleep
//!   confirm what is below synced()  <-----  finish(end)
//! ```
//!
//! What is asked for and whether the syncer sleeps are one word. So a request either finds the syncer awake, which will
//! look again before it sleeps, or finds it asleep and says that it must be woken. A flag beside the end would lose a
//! request between the look and the sleep (parallel-consumer #664: a flush flag, cleared after it was read).
//!
//! A syncer syncs up to an end that it read *before* the sync and reports that same end after it: what was appended
//! meanwhile is not claimed. Formula: `ack-honesty`.
//!
//! Leaves out: how the syncer sleeps and is woken (a thread's park token keeps a wake-up that comes early), the records,
//! and the disk. A sync that fails is never finished, and nothing that it should have covered is confirmed.

use std::marker::PhantomData;

use delivery_model::vocab::Position;

use crate::sync::{AtomicU64, Ordering};

/// What is appended, asked for, and durable.
///
/// Calling contract: any thread may [`request`](Self::request), after its append, and look at [`synced`](Self::synced).
/// One thread is the syncer: it calls [`begin`](Self::begin), and for every end that it gets it syncs and calls
/// [`finish`](Self::finish). When it gets none it sleeps until it is woken, and begins again. Whatever happened before a
/// request happens before the sync that covers it; whatever happened before `finish`, before a look that sees it.
///
/// `S` is [`Sound`] wherever it is used; the loom proofs put broken steps in its place.
#[derive(Debug)]
pub struct GroupSync<S = Sound> {
    /// A [`Wanted`], packed.
    wanted: AtomicU64,
    /// Everything below is durable. Written by the syncer alone.
    synced: AtomicU64,
    steps: PhantomData<fn() -> S>,
}

/// What the word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Everything below is to be made durable. Fits in 63 bits.
    pub end: u64,
    /// The syncer found nothing to do and sleeps, or is about to.
    pub is_asleep: bool,
}

impl Wanted {
    /// As an atomic stores it.
    pub fn pack(self) -> u64 {
        self.end << 1 | u64::from(self.is_asleep)
    }

    /// The reverse of [`Wanted::pack`].
    pub fn unpack(packed: u64) -> Wanted {
        Wanted { end: packed >> 1, is_asleep: packed & 1 == 1 }
    }
}

impl GroupSync {
    /// Everything below `synced` is durable, and nothing else is asked for. The syncer is awake.
    pub fn new(synced: Position) -> GroupSync {
        GroupSync::with_steps(synced)
    }
}

impl<S: Steps> GroupSync<S> {
    /// [`GroupSync::new`], with the steps of the caller's choice.
    pub fn with_steps(synced: Position) -> Self {
        let wanted = Wanted { end: synced.0, is_asleep: false };
        GroupSync { wanted: AtomicU64::new(wanted.pack()), synced: AtomicU64::new(synced.0), steps: PhantomData }
    }

    /// Asks that everything below `end` become durable. True: the caller must wake the syncer.
    #[must_use = "a syncer that nobody wakes sleeps on"]
    pub fn request(&self, end: Position) -> bool {
        S::request(&self.wanted, end.0)
    }

    /// For the syncer: everything below this is to be made durable now. `None`: there is nothing to do, and the next
    /// request will wake it.
    pub fn begin(&self) -> Option<Position> {
        S::begin(&self.wanted, self.synced.load(Ordering::Relaxed)).map(Position)
    }

    /// For the syncer: what [`begin`](Self::begin) asked for is durable.
    pub fn finish(&self, end: Position) {
        S::finish(&self.wanted, &self.synced, end.0);
    }

    /// Everything below is durable.
    pub fn synced(&self) -> Position {
        Position(self.synced.load(Ordering::Acquire))
    }
}

/// The steps in which threads race. The defaults are what ships.
pub trait Steps {
    /// Raises the end, and says whether that found the syncer asleep. What is asked for already needs nobody's waking:
    /// the syncer sleeps only when all of it is durable.
    fn request(wanted: &AtomicU64, end: u64) -> bool {
        let raised = wanted.fetch_update(Ordering::Release, Ordering::Relaxed, |seen| {
            (end > Wanted::unpack(seen).end).then(|| Wanted { end, is_asleep: false }.pack())
        });
        raised.is_ok_and(|before| Wanted::unpack(before).is_asleep)
    }

    /// The end that is asked for, if it lies beyond what is durable; otherwise goes to sleep.
    fn begin(wanted: &AtomicU64, synced: u64) -> Option<u64> {
        let slept = wanted.fetch_update(Ordering::Acquire, Ordering::Acquire, |seen| {
            let Wanted { end, .. } = Wanted::unpack(seen);
            (end <= synced).then(|| Wanted { end, is_asleep: true }.pack())
        });
        slept.err().map(|seen| Wanted::unpack(seen).end)
    }

    /// Says that everything below the end is durable. What is wanted by now is none of its business.
    fn finish(_wanted: &AtomicU64, synced: &AtomicU64, end: u64) {
        synced.store(end, Ordering::Release);
    }
}

/// The shipped steps: every default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
