//! The ack window: workers settle positions in any order; the window keeps the contiguous settled prefix, lock-free.
//!
//! A cumulative commit may cover a position only when that one and all below it are settled (`commits = "prefix"`;
//! committing the highest position *seen* is the mistake that loses messages). Formula: `cumulative-commit`.
//!
//! How it works. A settle marks its position's bit in a word of 32 with one read-modify-write, and what it finds there
//! decides everything: whether it was the first, whether the prefix ends at this very position, and how far the run goes on
//! behind it. For the word in which the prefix ends says so (it is *reached*), and its lowest clear bit is where. The marks of
//! a word come one after the other, so of all of them exactly the one that sets that bit reports the advance, up to where
//! the next one is going to begin.
//!
//! Only the mark that completes a reached word has more to do: it enters the next word, with a second read-modify-write,
//! which says there that it is reached and finds what is settled in it already. Either a mark of that word comes later and
//! finds that it is reached, or it came before and is found. So the watermark never sticks, and no fence is needed: two
//! threads that could miss each other meet in one word.
//!
//! One thread at a time enters words, in their order, because it is reaching a word that allows to complete it as a reached
//! one. It notes the word's number before it says that it is reached; so the number never goes back, though it is
//! written by a plain store.
//!
//! Nobody waits for anybody to settle. If the thread that enters a word is held up in between, others settle what there is
//! room for, and [`watermark`](AckWindow::watermark) counts it; the room moves on once that thread does.
//!
//! Leaves out: waiting for room (the caller knows what else it could do), which worker holds what (the lease's
//! business), and the commit itself.

mod ring;
mod snapshot;

use std::marker::PhantomData;

use delivery_model::vocab::Position;
use thiserror::Error;

pub use self::ring::{BITS, Ring, Slot, Word, word_number};
pub use self::snapshot::Snapshot;
use crate::sync::{AtomicU64, Ordering};

/// A window of positions that several threads settle and whose contiguous settled prefix is known at all times.
///
/// Calling contract:
///
/// - [`try_reserve`](Self::try_reserve) before a position is given to a worker. It says `Full` while the position is too
///   far ahead of the watermark: that is the back-pressure. What it granted stays granted. Giving the position to the worker
///   must synchronise (a channel, a lock, a spawn), as any hand-over between threads does.
/// - [`settle`](Self::settle) from any thread, once the position's effect is durable. Exactly one settle of a position
///   is accepted, however many race; every other is an error that says why. Who settles several has a
///   [`worker`](Self::worker) do it.
/// - An [`Advance`] goes to exactly one caller, and the advances of a window follow each other without gap or overlap.
///   Everything that its positions' workers did before they settled happens before its return. Two callers may still
///   *commit* two advances in the wrong order: commit the larger `to`, or [`watermark`](Self::watermark) as read last.
///
/// `S` is [`Sound`] wherever the window is used; the loom proofs put broken steps in its place.
#[derive(Debug)]
pub struct AckWindow<S = Sound> {
    ring: Ring,
    /// The number of the word in which the prefix ends: all words before it are settled throughout. Moves by
    /// [`Steps::enter`] alone.
    reached: AtomicU64,
    steps: PhantomData<fn() -> S>,
}

/// Positions whose prefix is now complete: `from` up to, but without, `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Advance {
    /// The watermark before.
    pub from: Position,
    /// The watermark after: every position below it is settled.
    pub to: Position,
}

/// Why a position was not reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReserveError {
    /// Try again once the watermark has moved.
    #[error("the window is full: position {position} waits until those before it settle, it ends before {end} now")]
    Full {
        /// What was asked for.
        position: Position,
        /// The first position that has no room yet.
        end: Position,
    },
    /// It is settled already.
    #[error("position {position} is below the watermark {watermark}: it is settled")]
    Stale {
        /// What was asked for.
        position: Position,
        /// The lowest position that is not known settled.
        watermark: Position,
    },
}

/// Why a settle was not accepted. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettleError {
    /// Another settle of this position was accepted.
    #[error("position {position} is settled already")]
    AlreadySettled {
        /// What was to be settled.
        position: Position,
    },
    /// The prefix has passed this position, so another settle of it was accepted (or it lies before the window's start).
    #[error("position {position} is below the watermark {watermark}: it is settled already")]
    Stale {
        /// What was to be settled.
        position: Position,
        /// The lowest position that is not known settled.
        watermark: Position,
    },
    /// The caller broke the contract: the window has no room for this position yet.
    #[error("position {position} was never reserved: the window ends before {end}")]
    NotReserved {
        /// What was to be settled.
        position: Position,
        /// The first position that has no room yet.
        end: Position,
    },
}

impl AckWindow {
    /// A window whose prefix reaches up to `start` and that has room for `capacity` positions from the watermark on,
    /// whatever the watermark is.
    ///
    /// The room is rounded up to whole words, a power of two of them; two bits a position.
    pub fn new(start: Position, capacity: u32) -> AckWindow {
        AckWindow::with_steps(start, capacity)
    }

    /// A window in which those positions are settled that the snapshot has.
    ///
    /// # Panics
    ///
    /// If the snapshot reaches beyond the capacity.
    pub fn resume(snapshot: &Snapshot, capacity: u32) -> AckWindow {
        let window = AckWindow::new(snapshot.offset(), capacity);
        for position in snapshot.ahead() {
            window.settle(position).expect("the snapshot fits, and names a position once");
        }
        window
    }
}

impl<S: Steps> AckWindow<S> {
    /// [`AckWindow::new`], with the steps of the caller's choice.
    pub fn with_steps(start: Position, capacity: u32) -> Self {
        // The watermark can stand at the last bit of a word, whose other bits are then of no use.
        let words = (u64::from(capacity) + u64::from(BITS) - 1).div_ceil(u64::from(BITS)).next_power_of_two();
        let reached = AtomicU64::new(word_number(start.0));
        AckWindow { ring: Ring::new(start.0, words as usize), reached, steps: PhantomData }
    }

    /// How many words of [`BITS`] positions the window has.
    pub fn words(&self) -> usize {
        self.ring.words()
    }

    /// The lowest position that is not known settled: every one below it is, and may be committed.
    ///
    /// It may have moved on by the time the caller looks at it; it never moves back.
    pub fn watermark(&self) -> Position {
        // Each turn but the last means that others settled a whole window meanwhile.
        loop {
            if let Some(end) = self.ring.settled_run_end(self.reached.load(Ordering::Acquire)) {
                return Position(end);
            }
        }
    }

    /// Asks for room for a position that is about to be given to a worker.
    #[inline(never)] // so that the loop of a worker, which seldom comes here, stays in registers
    pub fn try_reserve(&self, position: Position) -> Result<(), ReserveError> {
        match self.room(position) {
            Room::Ahead => Ok(()),
            Room::Reached if position >= self.watermark() => Ok(()),
            Room::Reached | Room::Behind => Err(ReserveError::Stale { position, watermark: self.watermark() }),
            Room::None { end } => Err(ReserveError::Full { position, end }),
        }
    }

    /// Whether a settle of this position was accepted. What its worker did before it is seen, if so.
    pub fn is_settled(&self, position: Position) -> bool {
        word_number(position.0) < self.reached.load(Ordering::Acquire) || self.ring.is_settled(position.0)
    }

    /// What is settled now, for whoever stores it to [`resume`](AckWindow::resume) from. Settles go on meanwhile; each
    /// that was accepted before the call is in it, and each that is in it was accepted before the return.
    pub fn snapshot(&self) -> Snapshot {
        S::snapshot(&self.ring, &self.reached)
    }

    /// Settles a position, once. Says how far the contiguous prefix grew, if this call is the one that moved it.
    ///
    /// `None` does not mean that the prefix still ends before this position: another thread may have moved it past.
    pub fn settle(&self, position: Position) -> Result<Option<Advance>, SettleError> {
        self.worker().settle(position)
    }

    /// A worker that settles several positions of this window.
    pub fn worker(&self) -> Worker<'_, S> {
        Worker { window: self, known: None }
    }

    /// Enters the words after the one of this number, which is complete, up to the first that is not. Returns where the
    /// prefix ends.
    #[inline(never)] // one settle of a word comes here
    fn enter_after(&self, number: u64) -> u64 {
        let mut number = number + 1;
        // Each turn but the last passes a word that others completed before it was reached: at most those of a window.
        loop {
            let run = S::enter(&self.ring, &self.reached, number).trailing_ones();
            if run < BITS {
                return number * u64::from(BITS) + u64::from(run);
            }
            number += 1;
        }
    }

    /// Settles a position whose word the worker does not know, or in which there is nothing for it to mark. Returns what it
    /// knows of the word then.
    #[inline(never)] // and without the worker, so that what that knows stays in registers
    fn settle_in_another(&self, position: Position) -> Result<(Known<'_>, Option<Advance>), SettleError> {
        match self.room(position) {
            Room::Ahead | Room::Reached => {}
            Room::None { end } => return Err(SettleError::NotReserved { position, end }),
            Room::Behind => return Err(self.stale(position)),
        }
        let slot = self.ring.slot(position.0);
        let word = self.ring.word(slot);
        match S::mark(word, slot, Word(word.load(Ordering::Acquire))) {
            Marked::First { found } => {
                let first = position.0 - u64::from(slot.bit);
                let known = Known { word, first, slot, seen: found.and(slot.bit) };
                Ok((known, self.advance(position, slot.bit, found)))
            }
            Marked::Again if position >= self.watermark() => Err(SettleError::AlreadySettled { position }),
            Marked::Again | Marked::LapGone => Err(self.stale(position)),
        }
    }

    /// The advance that a mark of this position is, which found its word like this.
    #[inline]
    fn advance(&self, position: Position, bit: u32, found: Word) -> Option<Advance> {
        if !found.is_reached() || found.settled().trailing_ones() != bit {
            return None;
        }
        let run = found.and(bit).settled().trailing_ones();
        let end = position.0 - u64::from(bit) + u64::from(run);
        let to = if run < BITS { end } else { self.enter_after(word_number(position.0)) };
        Some(Advance { from: position, to: Position(to) })
    }

    /// Whether the window has this position.
    fn room(&self, position: Position) -> Room {
        let reached = self.reached.load(Ordering::Acquire);
        match word_number(position.0).checked_sub(reached) {
            None => Room::Behind,
            Some(0) => Room::Reached,
            Some(ahead) if ahead < self.ring.words() as u64 => Room::Ahead,
            Some(_) => Room::None { end: Position(self.ring.end(reached)) },
        }
    }

    fn stale(&self, position: Position) -> SettleError {
        SettleError::Stale { position, watermark: self.watermark() }
    }
}

/// Where a position is in the window.
enum Room {
    /// Before the word in which the prefix ends: it is settled.
    Behind,
    /// In that word.
    Reached,
    /// In a word after it.
    Ahead,
    /// Beyond all words.
    None {
        /// The first position that has no room.
        end: Position,
    },
}

/// One of those that settle positions of a window, with what it knows of the window.
///
/// It answers as the window does. A settle that goes by the word as this worker left it need not read the word first, and
/// to read a word right after a read-modify-write of it takes nearly as long as that. Where another worker has changed the
/// word, the exchange says so, and what the word is now.
#[derive(Debug)]
pub struct Worker<'a, S = Sound> {
    window: &'a AckWindow<S>,
    /// The word that it marked last.
    known: Option<Known<'a>>,
}

/// A word, and what a worker knows of it.
#[derive(Debug)]
struct Known<'a> {
    word: &'a AtomicU64,
    /// Its first position.
    first: u64,
    /// Its slot, with any bit.
    slot: Slot,
    /// What it held once.
    seen: Word,
}

impl Known<'_> {
    /// The slot of a position that is in this word.
    #[inline]
    fn slot(&self, position: Position) -> Option<Slot> {
        let bit = position.0.wrapping_sub(self.first);
        (bit < u64::from(BITS)).then_some(Slot { bit: bit as u32, ..self.slot })
    }
}

impl<'a, S: Steps> Worker<'a, S> {
    /// [`AckWindow::try_reserve`], for a position that this worker is going to settle. A settle of the position by another
    /// worker may not be known to this one yet.
    #[inline]
    pub fn try_reserve(&self, position: Position) -> Result<(), ReserveError> {
        // There is room in the word that this worker marked, and nothing takes room back.
        let is_open =
            |known: &Known<'_>| known.slot(position).is_some_and(|slot| known.seen.settled() >> slot.bit & 1 == 0);
        if self.known.as_ref().is_some_and(is_open) { Ok(()) } else { self.window.try_reserve(position) }
    }

    /// [`AckWindow::settle`].
    #[inline]
    pub fn settle(&mut self, position: Position) -> Result<Option<Advance>, SettleError> {
        if let Some(known) = &mut self.known
            && let Some(slot) = known.slot(position)
            && let Marked::First { found } = S::mark(known.word, slot, known.seen)
        {
            known.seen = found.and(slot.bit);
            return Ok(self.window.advance(position, slot.bit, found));
        }
        let (known, advance) = self.window.settle_in_another(position)?;
        self.known = Some(known);
        Ok(advance)
    }
}

/// What came of marking a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// The bit was clear and is set now.
    First {
        /// The word as the mark found it.
        found: Word,
    },
    /// The bit was set already.
    Again,
    /// The word serves a later lap: the position's own lap is settled throughout.
    LapGone,
}

/// The steps of a settle in which threads race. The defaults are what ships.
pub trait Steps {
    /// Sets the position's bit, in one read-modify-write; takes the word over from the lap before if need be. The word was
    /// once as it is `seen`.
    #[inline]
    fn mark(word: &AtomicU64, slot: Slot, seen: Word) -> Marked {
        let mut seen = seen;
        // Each turn but the last means that another thread changed the word meanwhile.
        loop {
            let Some(found) = seen.on(slot.lap) else {
                return Marked::LapGone;
            };
            if found.settled() >> slot.bit & 1 == 1 {
                return Marked::Again;
            }
            match word.compare_exchange_weak(seen.0, found.and(slot.bit).0, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Marked::First { found },
                Err(now) => seen = Word(now),
            }
        }
    }

    /// Notes that the prefix has reached the word of this number, and says so in the word. Returns which of its positions
    /// are settled by then.
    ///
    /// In this order: who finds that the word is reached may complete it, and note the next one.
    fn enter(ring: &Ring, reached: &AtomicU64, number: u64) -> u32 {
        reached.store(number, Ordering::Release);
        let slot = ring.slot(number * u64::from(BITS));
        Self::reach(ring.word(slot), slot.lap)
    }

    /// Says in the word that it is reached, in one read-modify-write; takes the word over from the lap before if need be.
    /// Returns which of its positions are settled.
    fn reach(word: &AtomicU64, lap: u32) -> u32 {
        let reach = |seen| Word(seen).on(lap).map(|found| found.reached().0);
        match word.fetch_update(Ordering::AcqRel, Ordering::Acquire, reach) {
            Ok(seen) => Word(seen).on(lap).map_or(0, Word::settled),
            Err(_) => unreachable!("a word is not used anew before it was reached"),
        }
    }

    /// What is settled. Offset and bitmap go by the same look at the word that is reached: a bitmap that was taken from
    /// another offset than the one it is stored with claims other positions than those that were settled.
    fn snapshot(ring: &Ring, reached: &AtomicU64) -> Snapshot {
        let offset = reached.load(Ordering::Acquire) * u64::from(BITS);
        Snapshot::new(offset, ring.settled_from(offset))
    }
}

/// The shipped steps: every default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
