//! The lease table: a lease slot for every position of an ack window, used again and again as the window moves.
//!
//! A slot serves position after position, a window's length apart, and its word has no room to say which one. Three
//! orders keep them apart without a lock:
//!
//! - a dispatcher reads the slot *first* and asks the window *then*. If the slot has gone on to its next position by the
//!   time it was read, the window has moved past the old one and says so. Asked the other way round, a slow dispatcher
//!   leases the next position under the old one's name;
//! - a settle is marked in the window *first* and in the slot *then*. So a slot that is settled, for a position that the
//!   window has as unsettled, is done with the position before. The other way round, what was just settled looks new;
//! - generations go on from position to position, so a lease of the one before is told apart like any old lease.
//!
//! Formulas: `lease-exclusive`, `stale-settle-refused`, `poison-bounded`.
//!
//! Leaves out: which position to grant next, the clock, and recording settles (the caller does, between
//! [`begin_settle`](LeaseTable::begin_settle) and [`finish_settle`](LeaseTable::finish_settle)).

use std::marker::PhantomData;

use delivery_model::vocab::{DeliveryNumber, Position};
use thiserror::Error;

use super::ack_window::{AckWindow, Advance, BITS, ReserveError, Snapshot};
use super::lease_slot::{self, LeaseError, LeaseSlot, NotExhausted, SlotLease, SlotPhase, State, Tick, current};

/// The leases of the positions in a window. Any thread may call anything.
///
/// Calling contract: that of [`LeaseSlot`], for each position; and a position is settled in the window's sense when its
/// settle is finished or it is set aside.
///
/// `S` is [`Sound`] wherever the table is used; the loom proofs put broken steps in its place.
#[derive(Debug)]
pub struct LeaseTable<S = Sound> {
    window: AckWindow,
    /// As many as the window has positions at most; a position's is at its remainder.
    slots: Box<[LeaseSlot]>,
    steps: PhantomData<fn() -> S>,
}

/// A lease of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Granted {
    /// Which position.
    pub position: Position,
    /// Which of its leases.
    pub lease: SlotLease,
}

/// Why a position was not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum GrantError {
    /// It is not in the window.
    #[error(transparent)]
    OutOfWindow(#[from] ReserveError),
    /// It is leased, settled or exhausted. A position that comes into the window may be called leased for as long as the
    /// settle of the one before in its slot takes to finish.
    #[error(transparent)]
    Refused(#[from] lease_slot::GrantError),
}

/// Why a position was not taken to be set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SetAsideError {
    /// It is not there to be taken.
    #[error(transparent)]
    NotFree(#[from] GrantError),
    /// It may be delivered again.
    #[error(transparent)]
    NotExhausted(#[from] NotExhausted),
}

impl From<lease_slot::GrantError> for SetAsideError {
    fn from(error: lease_slot::GrantError) -> Self {
        SetAsideError::NotFree(error.into())
    }
}

impl LeaseTable {
    /// A table whose window starts at `start`, and has room for `capacity` positions at least, each of which is
    /// delivered `deliveries_max` times at most (0: no limit).
    ///
    /// # Panics
    ///
    /// If the limit is above 1023: a slot counts no further.
    pub fn new(start: Position, capacity: u32, deliveries_max: u32) -> LeaseTable {
        LeaseTable::with_steps(start, capacity, deliveries_max)
    }

    /// A table in which those positions are settled that the snapshot has, and those were delivered before that
    /// `deliveries` lists, each so often. Nobody holds a lease.
    ///
    /// # Panics
    ///
    /// As [`LeaseTable::new`], and if the snapshot or the list reaches beyond the capacity.
    pub fn resume(
        snapshot: &Snapshot,
        capacity: u32,
        deliveries_max: u32,
        deliveries: impl IntoIterator<Item = (Position, DeliveryNumber)>,
    ) -> LeaseTable {
        let mut table = LeaseTable::over(AckWindow::resume(snapshot, capacity), deliveries_max);
        for (position, deliveries) in deliveries {
            table.window.try_reserve(position).expect("what was delivered lies in the window");
            let index = table.index(position);
            table.slots[index] = LeaseSlot::delivered(deliveries_max, deliveries);
        }
        table
    }
}

impl<S: Steps> LeaseTable<S> {
    /// [`LeaseTable::new`], with the steps of the caller's choice.
    pub fn with_steps(start: Position, capacity: u32, deliveries_max: u32) -> Self {
        LeaseTable::over(AckWindow::new(start, capacity), deliveries_max)
    }

    fn over(window: AckWindow, deliveries_max: u32) -> Self {
        let slots = (0..window.words() * BITS as usize).map(|_| LeaseSlot::new(deliveries_max)).collect();
        LeaseTable { window, slots, steps: PhantomData }
    }

    /// Every position below is settled or set aside.
    pub fn watermark(&self) -> Position {
        self.window.watermark()
    }

    /// Asks whether the window has room for a position, before anything is done about it. The room stays.
    pub fn try_reserve(&self, position: Position) -> Result<(), ReserveError> {
        self.window.try_reserve(position)
    }

    /// Grants a position, until the deadline.
    pub fn grant(&self, position: Position, deadline: Tick) -> Result<Granted, GrantError> {
        let lease = S::grant(self.slot(position), deadline, |state| self.seen_as(position, state))?;
        Ok(Granted { position, lease })
    }

    /// What a slot's state means for this position.
    fn seen_as(&self, position: Position, state: State) -> Result<State, GrantError> {
        self.window.try_reserve(position)?;
        if self.window.is_settled(position) {
            return Err(lease_slot::GrantError::Settled.into());
        }
        // Settled, but not this position: the one before it in the slot.
        Ok(if state.phase == SlotPhase::Settled { state.for_next_position() } else { state })
    }

    /// From here on the lease does not end, until the settle is finished or abandoned.
    pub fn begin_settle(&self, granted: Granted) -> Result<(), LeaseError> {
        self.slot(granted.position).begin_settle(granted.lease)
    }

    /// The settle is durable. Says how far the settled prefix grew, if this call is the one that moved it.
    pub fn finish_settle(&self, granted: Granted) -> Result<Option<Advance>, LeaseError> {
        let slot = self.slot(granted.position);
        current(slot.state(), granted.lease, SlotPhase::Settling)?;
        S::finish(&self.window, slot, granted)
    }

    /// The settle could not be written: the position is to be delivered again.
    pub fn abandon_settle(&self, granted: Granted) -> Result<(), LeaseError> {
        self.slot(granted.position).abandon_settle(granted.lease)
    }

    /// The effect was not made: the position is to be delivered again.
    pub fn release(&self, granted: Granted) -> Result<(), LeaseError> {
        self.slot(granted.position).release(granted.lease)
    }

    /// Takes a position that was delivered as often as it may be. The one caller that gets it records the dead letter,
    /// and then calls [`finish_settle`](Self::finish_settle), or, when that failed,
    /// [`abandon_settle`](Self::abandon_settle).
    pub fn begin_set_aside(&self, position: Position) -> Result<Granted, SetAsideError> {
        let seen_as = |state| self.seen_as(position, state).map_err(SetAsideError::from);
        let lease = self.slot(position).begin_set_aside(seen_as)?;
        Ok(Granted { position, lease })
    }

    /// Nobody will write the settle, and the lease goes on until its deadline.
    pub fn withdraw_settle(&self, granted: Granted) -> Result<(), LeaseError> {
        self.slot(granted.position).withdraw_settle(granted.lease)
    }

    /// Whether the lease's settle is under way now.
    pub fn is_settling(&self, granted: Granted) -> bool {
        current(self.slot(granted.position).state(), granted.lease, SlotPhase::Settling).is_ok()
    }

    /// Ends a lease whose time is up: the position is to be delivered again.
    pub fn expire(&self, granted: Granted, now: Tick) -> Result<(), LeaseError> {
        self.slot(granted.position).expire(granted.lease, now)
    }

    /// Ends a lease whose holder is gone, whether or not its settle is under way. For the one who writes settles.
    pub fn revoke(&self, granted: Granted) -> Result<(), LeaseError> {
        self.slot(granted.position).revoke(granted.lease)
    }

    fn slot(&self, position: Position) -> &LeaseSlot {
        &self.slots[self.index(position)]
    }

    fn index(&self, position: Position) -> usize {
        (position.0 % self.slots.len() as u64) as usize
    }
}

/// The steps in which threads race. The defaults are what ships.
pub trait Steps {
    /// Grants by what the slot's state means *after* it was read.
    fn grant(
        slot: &LeaseSlot,
        deadline: Tick,
        seen_as: impl Fn(State) -> Result<State, GrantError>,
    ) -> Result<SlotLease, GrantError> {
        slot.grant_as(deadline, seen_as)
    }

    /// Marks a settle in the window, then in the slot.
    fn finish(window: &AckWindow, slot: &LeaseSlot, granted: Granted) -> Result<Option<Advance>, LeaseError> {
        let Granted { position, lease } = granted;
        let Ok(advance) = window.settle(position) else {
            // Only a second call of the same lease's holder can find that.
            let (expected, phase) = (SlotPhase::Settling, SlotPhase::Settled);
            return Err(LeaseError::WrongPhase { delivery: lease.delivery, expected, phase });
        };
        slot.finish_settle(lease)?;
        Ok(advance)
    }
}

/// The shipped steps: every default of [`Steps`].
#[derive(Clone, Copy, Debug)]
pub enum Sound {}

impl Steps for Sound {}
