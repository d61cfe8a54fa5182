//! The ack window: workers settle positions in any order; the window keeps the contiguous settled prefix, lock-free.
//!
//! A cumulative commit may cover a position only when that one and all below it are settled (`commits = "prefix"`;
//! committing the highest position *seen* is the mistake that loses messages). Formula: `cumulative-commit`.
//!
//! How it works. A settle marks its position's bit with one read-modify-write, which also decides who was first. It
//! then looks how far the settled run reaches from the watermark and moves the watermark there with one exchange; who
//! wins the exchange reports the advance. Nobody waits for anybody.
//!
//! Why the watermark never sticks. A settle whose look goes beyond the word that it marked passes a sequentially
//! consistent fence between mark and look. Of all such settles so far, the one whose fence comes last sees the marks of all
//! the others and a watermark no older than what they saw, so it moves the watermark to the end of the run, unless another
//! already has. With plain acquire loads two settles can each miss the other's mark; neither moves the watermark, and
//! nothing ever will. x86 hides that, other machines do not; loom shows it at once.
//!
//! Where the watermark stands in the marked word and the run ends in it, the mark itself is the look: it is a
//! read-modify-write, so the last one of a word sees all marks of that word, and no other word says anything about the run.
//! That spares most settles the fence, which costs more than all the rest.
//!
//! Leaves out: waiting for room (the caller knows what else it could do), which worker holds what (the lease's
//! business), and the commit itself.

mod ring;
mod snapshot;

use std::marker::PhantomData;

use delivery_model::vocab::Position;
use thiserror::Error;

pub use self::ring::{BITS, Ring, Slot, Word};
pub use self::snapshot::Snapshot;
use crate::sync::{AtomicU64, Ordering, fence};

/// A window of positions that several threads settle and whose contiguous settled prefix is known at all times.
///
/// Calling contract:
///
/// - [`try_reserve`](Self::try_reserve) before a position is given to a worker. It says `Full` while the position is too
///   far ahead of the watermark: that is the back-pressure. What it granted stays granted. Giving the position to the worker
///   must synchronise (a channel, a lock, a spawn), as any hand-over between threads does.
/// - [`settle`](Self::settle) from any thread, once the position's effect is durable. Exactly one settle of a position
///   is accepted, however many race; every other is an error that says why.
/// - An [`Advance`] goes to exactly one caller, and the advances of a window follow each other without gap or overlap.
///   Everything that its positions' workers did before they settled happens before its return. Two callers may still
///   *commit* two advances in the wrong order: commit the larger `to`, or [`watermark`](Self::watermark) as read last.
///
/// `S` is [`Sound`] wherever the window is used; the loom proofs put broken steps in its place.
#[derive(Debug)]
pub struct AckWindow<S = Sound> {
    ring: Ring,
    /// The lowest position that is not known settled. Moves by [`Steps::advance`] alone.
    watermark: AtomicU64,
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
        AckWindow { ring: Ring::new(start.0, words as usize), watermark: AtomicU64::new(start.0), steps: PhantomData }
    }

    /// How many words of [`BITS`] positions the window has.
    pub fn words(&self) -> usize {
        self.ring.words()
    }

    /// The lowest position that is not known settled: every one below it is, and may be committed.
    ///
    /// It may have moved on by the time the caller looks at it; it never moves back.
    pub fn watermark(&self) -> Position {
        Position(self.watermark.load(Ordering::Acquire))
    }

    /// Asks for room for a position that is about to be given to a worker.
    pub fn try_reserve(&self, position: Position) -> Result<(), ReserveError> {
        let watermark = self.watermark();
        let end = Position(self.ring.end(watermark.0));
        if position < watermark {
            Err(ReserveError::Stale { position, watermark })
        } else if position >= end {
            Err(ReserveError::Full { position, end })
        } else {
            Ok(())
        }
    }

    /// Whether a settle of this position was accepted. What its worker did before it is seen, if so.
    pub fn is_settled(&self, position: Position) -> bool {
        position < self.watermark() || self.ring.is_settled(position.0)
    }

    /// What is settled now, for whoever stores it to [`resume`](AckWindow::resume) from. Settles go on meanwhile; each
    /// that was accepted before the call is in it, and each that is in it was accepted before the return.
    pub fn snapshot(&self) -> Snapshot {
        S::snapshot(&self.ring, &self.watermark)
    }

    /// Settles a position, once. Says how far the contiguous prefix grew, if this call is the one that moved it.
    ///
    /// `None` does not mean that the prefix still ends before this position: another thread may have moved it past.
    pub fn settle(&self, position: Position) -> Result<Option<Advance>, SettleError> {
        self.try_reserve(position).map_err(|error| match error {
            ReserveError::Full { position, end } => SettleError::NotReserved { position, end },
            ReserveError::Stale { position, watermark } => SettleError::Stale { position, watermark },
        })?;
        let slot = self.ring.slot(position.0);
        match S::mark(self.ring.word(slot), slot) {
            Marked::First { settled } => {
                if let Some(moved) = self.move_within_word(position.0, settled) {
                    return Ok(moved);
                }
            }
            Marked::Again => return Err(SettleError::AlreadySettled { position }),
            Marked::LapGone => return Err(SettleError::Stale { position, watermark: self.watermark() }),
        }
        S::between_mark_and_look();
        Ok(self.move_watermark())
    }

    /// Moves the watermark by the bits that the mark of this position saw in its word; none if the run may reach beyond that
    /// word, or begins before it.
    fn move_within_word(&self, position: u64, settled: u32) -> Option<Option<Advance>> {
        let word = position / u64::from(BITS);
        let mut from = self.watermark.load(Ordering::Acquire);
        // Each turn but the last means that another thread moved the watermark meanwhile.
        while from / u64::from(BITS) == word {
            let bit = (from % u64::from(BITS)) as u32;
            let run = (settled >> bit).trailing_ones();
            if run == 0 {
                return Some(None);
            }
            if bit + run == BITS {
                return None;
            }
            let to = from + u64::from(run);
            match S::advance(&self.watermark, from, to) {
                Ok(()) => return Some(Some(Advance { from: Position(from), to: Position(to) })),
                Err(now) => from = now,
            }
        }
        None
    }

    fn move_watermark(&self) -> Option<Advance> {
        let mut from = self.watermark.load(Ordering::Acquire);
        // Each turn but the last means that another thread moved the watermark meanwhile.
        loop {
            let to = S::settled_run_end(&self.ring, from);
            if to == from {
                // Also when the word of `from` serves a later lap by now: whoever took it over has yet to look.
                return None;
            }
            match S::advance(&self.watermark, from, to) {
                Ok(()) => return Some(Advance { from: Position(from), to: Position(to) }),
                Err(now) => from = now,
            }
        }
    }
}

/// What came of marking a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// The bit was clear and is set now.
    First {
        /// The bits of the word from then on, as the mark saw them.
        settled: u32,
    },
    /// The bit was set already.
    Again,
    /// The word serves a later lap: the position's own lap is settled throughout.
    LapGone,
}

/// The steps of a settle in which threads race. The defaults are what ships.
pub trait Steps {
    /// Sets the position's bit, in one read-modify-write; takes the word over from the lap before if need be.
    fn mark(word: &AtomicU64, slot: Slot) -> Marked {
        let attempt = word.fetch_update(Ordering::AcqRel, Ordering::Acquire, |seen| {
            let settled = settled_on(slot.lap, Word::unpack(seen))?;
            let bit = 1 << slot.bit;
            (settled & bit == 0).then(|| Word { lap: slot.lap, settled: settled | bit }.pack())
        });
        match attempt {
            // What was there goes with this lap, or the mark would not have been made.
            Ok(seen) => {
                Marked::First { settled: settled_on(slot.lap, Word::unpack(seen)).unwrap_or(0) | 1 << slot.bit }
            }
            Err(seen) if Word::unpack(seen).lap == slot.lap => Marked::Again,
            Err(_) => Marked::LapGone,
        }
    }

    /// Orders a thread's own mark before its look at the others' marks.
    fn between_mark_and_look() {
        fence(Ordering::SeqCst);
    }

    /// How far the settled run reaches from the watermark.
    fn settled_run_end(ring: &Ring, watermark: u64) -> u64 {
        ring.settled_run_end(watermark)
    }

    /// What is settled. Offset and bitmap go by the same look at the watermark: a bitmap that was taken from another
    /// offset than the one it is stored with claims other positions than those that were settled.
    fn snapshot(ring: &Ring, watermark: &AtomicU64) -> Snapshot {
        let offset = watermark.load(Ordering::Acquire);
        Snapshot::new(offset, ring.settled_from(offset))
    }

    /// Moves the watermark, if it still is where the run was measured from; else says where it is.
    fn advance(watermark: &AtomicU64, from: u64, to: u64) -> Result<(), u64> {
        watermark.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).map(drop)
    }
}

/// The settled bits that a word holds for a lap: none yet if it still serves the lap before, which the caller knows to
/// be settled throughout. `None` if the lap is gone.
pub fn settled_on(lap: u32, word: Word) -> Option<u32> {
    if word.lap == lap {
        Some(word.settled)
    } else if word.lap.wrapping_add(1) == lap {
        debug_assert_eq!(word.settled, u32::MAX, "lap {} of a word is taken over before all of it settled", word.lap);
        Some(0)
    } else {
        None
    }
}

/// The shipped steps: every default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
