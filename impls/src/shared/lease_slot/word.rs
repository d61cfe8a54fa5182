//! The word of a [`LeaseSlot`](super::LeaseSlot): everything about a position's lease, in 64 bits.
//!
//! One word, so that no reader ever pairs one lease's generation with another's deadline, and every change is one
//! exchange. From the top: deadline 32 bits, generation 20, deliveries 10, phase 2.

use delivery_model::vocab::DeliveryNumber;

use super::SlotLease;

/// A point in time, in whatever ticks the caller counts, modulo 2^32. Deadlines lie less than 2^31 ticks ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tick(pub u32);

impl Tick {
    /// Whether it has come by `now`, across a wrap of the counter.
    pub fn has_come_by(self, now: Tick) -> bool {
        now.0.wrapping_sub(self.0) < 1 << 31
    }
}

/// Which grant of a slot, modulo 2^20: a caller that old cannot still be there, its position has settled long ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Generation(u32);

impl Generation {
    fn next(self) -> Generation {
        Generation((self.0 + 1) % (1 << GENERATION))
    }
}

/// Bits of a generation.
const GENERATION: u32 = 20;
/// Bits of the number of deliveries.
const DELIVERIES: u32 = 10;
/// Bits of the phase.
const PHASE: u32 = 2;
/// More deliveries than this are not counted.
pub const DELIVERIES_MAX: u32 = (1 << DELIVERIES) - 1;

/// Where a position is on its way to being settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotPhase {
    /// Nobody may settle it; it can be granted.
    Free,
    /// The current lease may settle it, and ends at its deadline.
    Held,
    /// The current lease's settle is being written; the lease does not end meanwhile.
    Settling,
    /// It is settled, for good.
    Settled,
}

/// What the word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// When the current lease ends. Means nothing unless held.
    pub deadline: Tick,
    /// Which grant the current or last lease is.
    pub generation: Generation,
    /// How often the position was granted; stops counting at 1023.
    pub deliveries: DeliveryNumber,
    /// Where it is on its way.
    pub phase: SlotPhase,
}

impl State {
    /// Never granted.
    pub(super) const NEW: State =
        State { deadline: Tick(0), generation: Generation(0), deliveries: DeliveryNumber(0), phase: SlotPhase::Free };

    /// The same in another phase.
    pub(super) fn to(self, phase: SlotPhase) -> State {
        State { phase, ..self }
    }

    /// The same, delivered so often.
    pub(super) fn delivered(self, deliveries: DeliveryNumber) -> State {
        State { deliveries: DeliveryNumber(deliveries.0.min(DELIVERIES_MAX)), ..self }
    }

    /// Granted once more.
    pub(super) fn granted_until(self, deadline: Tick) -> State {
        let once_more = self.delivered(DeliveryNumber(self.deliveries.0 + 1));
        State { deadline, generation: self.generation.next(), phase: SlotPhase::Held, ..once_more }
    }

    /// Taken to be set aside: that is no delivery.
    pub(super) fn taken_aside(self) -> State {
        State { generation: self.generation.next(), phase: SlotPhase::Settling, ..self }
    }

    /// Never delivered, where the slot goes on to its next position. Generations go on too, so that a lease of the
    /// position before is still told apart.
    pub fn for_next_position(self) -> State {
        State { generation: self.generation, ..State::NEW }
    }

    /// The lease that is current, or was last.
    pub fn lease(self) -> SlotLease {
        SlotLease { generation: self.generation, delivery: self.deliveries }
    }

    /// The state as an atomic stores it.
    pub fn pack(self) -> u64 {
        let upper = u64::from(self.deadline.0) << GENERATION | u64::from(self.generation.0);
        (upper << DELIVERIES | u64::from(self.deliveries.0)) << PHASE | self.phase as u64
    }

    /// The reverse of [`State::pack`].
    pub fn unpack(packed: u64) -> State {
        let field = |shift: u32, bits: u32| (packed >> shift) as u32 & (u32::MAX >> (u32::BITS - bits));
        State {
            deadline: Tick(field(GENERATION + DELIVERIES + PHASE, u32::BITS)),
            generation: Generation(field(DELIVERIES + PHASE, GENERATION)),
            deliveries: DeliveryNumber(field(PHASE, DELIVERIES)),
            phase: match field(0, PHASE) {
                0 => SlotPhase::Free,
                1 => SlotPhase::Held,
                2 => SlotPhase::Settling,
                _ => SlotPhase::Settled,
            },
        }
    }
}
