//! no-delivery-after-settle: settle of a position confirmed => no later delivery of it, unless rewound.
//!
//! What was settled is this message at that position of its partition: another message there is another record, and after
//! a broker lost its log, positions come again. Which are settled is in the group state; a rewind forgets those from its position
//! on. An event without a position speaks of the one position its message has: it is matched by message, and any rewind excuses it.
//!
//! Leaves out when a delivery *began*: a history records when it was received. A hand-off that was on its way already
//! while another of the same position was settled (leases that run out allow it) is a breach here.

use super::{
    Automaton, Breach, PropertyId, Rules,
    store::{GroupState, PartitionedPosition},
};
use crate::bits::coded;
use crate::vocab::{Event, EventKind, SettleOutcome};

/// The automaton of [`PropertyId::NoDeliveryAfterSettle`].
pub struct NoDeliveryAfterSettle;

/// Confirmed settles of the message since the last rewind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Settled {
    /// None.
    #[default]
    No,
    /// Each said where.
    Placed,
    /// One did not say where, so it was of the message's one position.
    Unplaced,
}

coded!(Settled in 2 bits: No, Placed, Unplaced);

impl Automaton for NoDeliveryAfterSettle {
    const PROPERTY: PropertyId = PropertyId::NoDeliveryAfterSettle;
    type State = Settled;

    fn observe(_: &Rules, settled: &mut Settled, group: &mut impl GroupState, event: &Event) -> Result<(), Breach> {
        match event.kind {
            EventKind::Settle { message, outcome: SettleOutcome::Ok, partition, position: Some(position), .. } => {
                *settled = (*settled).max(Settled::Placed);
                group.settle(message, PartitionedPosition { partition, position });
            }
            EventKind::Settle { outcome: SettleOutcome::Ok, position: None, .. } => *settled = Settled::Unplaced,
            EventKind::Deliver { message, partition, position, .. } => {
                let settled_there = match (*settled, position) {
                    (Settled::Unplaced, _) => true,
                    (Settled::Placed, None) => true,
                    (_, Some(position)) => group.settled(message, PartitionedPosition { partition, position }),
                    (Settled::No, None) => false,
                };
                if settled_there {
                    return Err(Breach::DeliveredAfterSettle);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn rewind(settled: &mut Settled) {
        *settled = Settled::No;
    }
}
