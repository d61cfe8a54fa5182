//! A hand-off and what comes back: the words that broker and consumer exchange.

use delivery_model::vocab::{DeliveryNumber, GroupId, Position};

use crate::data::positions::Positions;
use crate::data::record::Record;
use crate::store::{Covers, Generation};

/// The one group that a broker serves.
pub const GROUP: GroupId = GroupId(0);

/// A consumer process of the group, counted from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerId(pub u8);

/// The right to settle one position, until it ends. No two consumers ever hold equal leases of one position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease {
    /// The incarnation that granted it: one more with every start of the broker and every rewind.
    pub incarnation: u32,
    /// Which lease of the position in that incarnation, counted from 1.
    pub number: u32,
}

/// Which hand-off: of which position, under which lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// Where the message stands in the log.
    pub position: Position,
    /// The lease it was handed off under.
    pub lease: Lease,
}

/// A message on its way to a consumer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HandOff {
    /// Which hand-off it is.
    pub hand: DeliveryId,
    /// To whom it goes.
    pub consumer: ConsumerId,
    /// In which generation of the group.
    pub generation: Generation,
    /// How often the position was handed off, this time included, where it was counted.
    pub delivery: Option<DeliveryNumber>,
    /// The message.
    pub record: Record,
}

/// A consumer's word that it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SettleRequest {
    /// Which hand-off it settles.
    pub hand: DeliveryId,
    /// The positions that are done.
    pub covers: Covers,
    /// The hand-off ends with it; otherwise its handler is still to run.
    pub finishes: bool,
}

/// What a consumer says to the broker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ConsumerOutput {
    /// It is there, and goes on with what it has.
    Subscribe {
        /// How many hand-offs it takes at once.
        workers: u32,
        /// The hand-offs that it has.
        hands: Vec<DeliveryId>,
        /// As in [`Has`](ConsumerOutput::Has); empty where it follows no cursor.
        has: Positions,
    },
    /// Which positions are not to be handed off to it, where it follows a cursor: it has them at work, done or stored.
    Has(Positions),
    /// It keeps its positions itself, and everything below this one is finished for good.
    Finished(Position),
    /// It wants no more hand-offs.
    Leave,
    /// It settles, and wants to know what came of it.
    Settle(SettleRequest),
    /// It is over with this hand-off and does not settle it (now): the lease may end.
    Release(DeliveryId),
    /// Its handler failed, and its position is to be set aside; the lease may end.
    Reject(DeliveryId),
    /// Its handler failed, and its message is to be published again at the end of the log, durably, before anything that the
    /// consumer says later is done.
    Requeue(Record),
}
