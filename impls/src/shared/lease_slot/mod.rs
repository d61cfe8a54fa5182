//! The lease slot: who may settle a position, and until when, in one word that workers, timers and dispatchers share.
//!
//! ```text
//!            grant               begin_settle              finish_settle
//!   Free ------------> Held ----------------> Settling ----------------> Settled
//!     ^   release, expire | <--withdraw_settle--- |
//!     +-------------------+---- abandon_settle ---+
//!                revoke                revoke
//! ```
//!
//! Every grant is a new generation, and everything that speaks for a lease names it: a timer that was armed for an old
//! lease cannot end a new one (KAFKA-19476: a broker had exactly this race between its lock timers and a
//! re-acquisition), and a stale settle is refused. While a settle is being written its lease does not end: else the
//! position would be delivered again and then turn out to be settled. Formulas: `lease-exclusive`, `stale-settle-refused`.
//!
//! Leaves out: the clock and the timers (time comes in as an argument), and which position the slot is for.

mod word;

use std::marker::PhantomData;

use delivery_model::vocab::DeliveryNumber;
use thiserror::Error;

pub use self::word::{DELIVERIES_MAX, Generation, SlotPhase, State, Tick};
use crate::sync::{AtomicU64, Ordering};

/// One position's lease. Any thread may call anything; each call is one exchange.
///
/// Calling contract: [`grant`](Self::grant) gives a [`SlotLease`], which goes to the worker with the position and to the timer. The worker ends
/// it in one of three ways: [`begin_settle`](Self::begin_settle), then, when the settle is durable,
/// [`finish_settle`](Self::finish_settle) or, when writing it failed, [`abandon_settle`](Self::abandon_settle); or
/// [`release`](Self::release), when the effect was not made. A settle that comes to nothing without having failed is
/// [withdrawn](Self::withdraw_settle), and the lease goes on. The timer calls [`expire`](Self::expire), and who learns
/// that the worker is gone [`revoke`](Self::revoke). Of calls that race, one wins, and the others are told what they
/// found. Who gets a lease sees what its predecessor did before it lost it.
///
/// `S` is [`Sound`] wherever the slot is used; the loom proofs put broken steps in its place.
#[derive(Debug)]
pub struct LeaseSlot<S = Sound> {
    word: AtomicU64,
    /// After so many grants there is no other; 0: no limit.
    deliveries_max: u32,
    steps: PhantomData<fn() -> S>,
}

/// The right to settle, until its deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotLease {
    /// Which grant of the slot it is.
    pub generation: Generation,
    /// Which delivery of the position it is for.
    pub delivery: DeliveryNumber,
}

/// Why a position was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GrantError {
    /// Another lease is live.
    #[error("delivery {delivery} of the position holds its lease")]
    Leased {
        /// Whose lease it is.
        delivery: DeliveryNumber,
    },
    /// There is nothing left to do.
    #[error("the position is settled")]
    Settled,
    /// It was delivered as often as it may be: set it aside.
    #[error("the position was delivered {deliveries} times, as often as it may be")]
    Exhausted {
        /// How often it was delivered.
        deliveries: DeliveryNumber,
    },
}

/// The position is not to be set aside: it may be delivered again. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the position was delivered {deliveries} times, and may be again")]
pub struct NotExhausted {
    /// How often it was delivered.
    pub deliveries: DeliveryNumber,
}

/// Why a lease could not do what was asked of it. Nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LeaseError {
    /// It is not the current lease any more.
    #[error("the lease of delivery {delivery} has ended: the position is at delivery {current}, {phase:?}")]
    Ended {
        /// Whose lease was to act.
        delivery: DeliveryNumber,
        /// The latest delivery.
        current: DeliveryNumber,
        /// What became of the latest delivery.
        phase: SlotPhase,
    },
    /// It is the current lease, but in another phase than the call is for.
    #[error("the lease of delivery {delivery} is {phase:?}, expected {expected:?}")]
    WrongPhase {
        /// Whose lease was to act.
        delivery: DeliveryNumber,
        /// The phase in which the call makes sense.
        expected: SlotPhase,
        /// The phase found.
        phase: SlotPhase,
    },
    /// A timer came before the deadline.
    #[error("the lease of delivery {delivery} lasts until {deadline:?}, it is {now:?}")]
    NotDue {
        /// Whose lease was to end.
        delivery: DeliveryNumber,
        /// When it ends.
        deadline: Tick,
        /// When the timer came.
        now: Tick,
    },
}

impl LeaseSlot {
    /// A slot that was never granted, and will be `deliveries_max` times at most (0: no limit).
    ///
    /// # Panics
    ///
    /// If the limit is above 1023: the word counts no further.
    pub fn new(deliveries_max: u32) -> LeaseSlot {
        LeaseSlot::with_steps(deliveries_max)
    }

    /// A slot that was granted so often before, by an owner that is gone.
    ///
    /// # Panics
    ///
    /// As [`LeaseSlot::new`].
    pub fn delivered(deliveries_max: u32, deliveries: DeliveryNumber) -> LeaseSlot {
        let slot = LeaseSlot::new(deliveries_max);
        LeaseSlot { word: AtomicU64::new(State::NEW.delivered(deliveries).pack()), ..slot }
    }
}

impl<S: Steps> LeaseSlot<S> {
    /// [`LeaseSlot::new`], with the steps of the caller's choice.
    pub fn with_steps(deliveries_max: u32) -> Self {
        assert!(deliveries_max <= DELIVERIES_MAX, "at most {DELIVERIES_MAX} deliveries, found {deliveries_max}");
        LeaseSlot { word: AtomicU64::new(State::NEW.pack()), deliveries_max, steps: PhantomData }
    }

    /// What the slot says now.
    pub fn state(&self) -> State {
        State::unpack(self.word.load(Ordering::Acquire))
    }

    /// Grants the position, until the deadline.
    pub fn grant(&self, deadline: Tick) -> Result<SlotLease, GrantError> {
        self.grant_as(deadline, Ok)
    }

    /// [`grant`](Self::grant), of what `seen_as` makes of the state whenever it was read: a slot may serve one position
    /// after another, and only its owner knows which one the state is about.
    pub fn grant_as<E: From<GrantError>>(
        &self,
        deadline: Tick,
        seen_as: impl Fn(State) -> Result<State, E>,
    ) -> Result<SlotLease, E> {
        let granted = S::change::<E>(&self.word, |state| {
            let state = free(seen_as(state)?)?;
            if self.is_exhausted(state) {
                return Err(GrantError::Exhausted { deliveries: state.deliveries }.into());
            }
            Ok(state.granted_until(deadline))
        })?;
        Ok(granted.lease())
    }

    /// Takes an exhausted position to set it aside: its settle begins, and nobody will be granted it. One caller gets
    /// the lease to [`finish_settle`](Self::finish_settle) with. `seen_as` as in [`grant_as`](Self::grant_as).
    pub fn begin_set_aside<E: From<GrantError> + From<NotExhausted>>(
        &self,
        seen_as: impl Fn(State) -> Result<State, E>,
    ) -> Result<SlotLease, E> {
        let taken = S::change::<E>(&self.word, |state| {
            let state = free(seen_as(state)?)?;
            if !self.is_exhausted(state) {
                return Err(NotExhausted { deliveries: state.deliveries }.into());
            }
            Ok(state.taken_aside())
        })?;
        Ok(taken.lease())
    }

    fn is_exhausted(&self, state: State) -> bool {
        self.deliveries_max != 0 && state.deliveries.0 >= self.deliveries_max
    }

    /// From here on the lease does not end, until the settle is finished or abandoned.
    pub fn begin_settle(&self, lease: SlotLease) -> Result<(), LeaseError> {
        self.step(lease, SlotPhase::Held, SlotPhase::Settling)
    }

    /// The settle is durable.
    pub fn finish_settle(&self, lease: SlotLease) -> Result<(), LeaseError> {
        self.step(lease, SlotPhase::Settling, SlotPhase::Settled)
    }

    /// The settle could not be written: the position is to be delivered again.
    pub fn abandon_settle(&self, lease: SlotLease) -> Result<(), LeaseError> {
        self.step(lease, SlotPhase::Settling, SlotPhase::Free)
    }

    /// Nobody will write the settle, and the worker may try again: the lease goes on until its deadline, which may have
    /// come meanwhile.
    pub fn withdraw_settle(&self, lease: SlotLease) -> Result<(), LeaseError> {
        S::change(&self.word, |state| S::withdrawn(state, lease)).map(drop)
    }

    /// The effect was not made: the position is to be delivered again.
    pub fn release(&self, lease: SlotLease) -> Result<(), LeaseError> {
        self.step(lease, SlotPhase::Held, SlotPhase::Free)
    }

    /// Ends a lease whose time is up: the position is to be delivered again.
    pub fn expire(&self, lease: SlotLease, now: Tick) -> Result<(), LeaseError> {
        S::change(&self.word, |state| S::expired(state, lease, now)).map(drop)
    }

    /// Ends a lease whose holder is gone, whether or not its settle is under way: the position is to be delivered again.
    /// For the one who writes settles, and so knows that this one will not be written.
    pub fn revoke(&self, lease: SlotLease) -> Result<(), LeaseError> {
        S::revoke(&self.word, lease).map(drop)
    }

    fn step(&self, lease: SlotLease, from: SlotPhase, to: SlotPhase) -> Result<(), LeaseError> {
        S::change(&self.word, |state| current(state, lease, from).map(|state| state.to(to))).map(drop)
    }
}

/// The state, if the position can be granted as far as its phase goes.
fn free(state: State) -> Result<State, GrantError> {
    match state.phase {
        SlotPhase::Held | SlotPhase::Settling => Err(GrantError::Leased { delivery: state.deliveries }),
        SlotPhase::Settled => Err(GrantError::Settled),
        SlotPhase::Free => Ok(state),
    }
}

/// The state, if the lease is the current one and in this phase.
pub fn current(state: State, lease: SlotLease, expected: SlotPhase) -> Result<State, LeaseError> {
    let (delivery, phase) = (lease.delivery, state.phase);
    if state.generation != lease.generation || phase == SlotPhase::Free {
        Err(LeaseError::Ended { delivery, current: state.deliveries, phase })
    } else if phase != expected {
        Err(LeaseError::WrongPhase { delivery, expected, phase })
    } else {
        Ok(state)
    }
}

/// The steps in which threads race. The defaults are what ships.
pub trait Steps {
    /// Replaces the state by what `next` makes of it, or leaves it where `next` refuses.
    fn change<E>(word: &AtomicU64, next: impl Fn(State) -> Result<State, E>) -> Result<State, E> {
        let mut seen = word.load(Ordering::Acquire);
        // Each turn but the last means that another thread's change came first.
        loop {
            let state = next(State::unpack(seen))?;
            match word.compare_exchange_weak(seen, state.pack(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(state),
                Err(now) => seen = now,
            }
        }
    }

    /// What a timer that was armed for this lease makes of the state.
    fn expired(state: State, lease: SlotLease, now: Tick) -> Result<State, LeaseError> {
        let state = current(state, lease, SlotPhase::Held)?;
        if !state.deadline.has_come_by(now) {
            return Err(LeaseError::NotDue { delivery: lease.delivery, deadline: state.deadline, now });
        }
        Ok(state.to(SlotPhase::Free))
    }

    /// What the withdrawal of this lease's settle makes of the state.
    fn withdrawn(state: State, lease: SlotLease) -> Result<State, LeaseError> {
        current(state, lease, SlotPhase::Settling).map(|state| state.to(SlotPhase::Held))
    }

    /// Ends the lease whatever it is at, in one exchange.
    fn revoke(word: &AtomicU64, lease: SlotLease) -> Result<State, LeaseError> {
        Self::change(word, |state| {
            let expected = if state.phase == SlotPhase::Settling { SlotPhase::Settling } else { SlotPhase::Held };
            current(state, lease, expected).map(|state| state.to(SlotPhase::Free))
        })
    }
}

/// The shipped steps: every default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
