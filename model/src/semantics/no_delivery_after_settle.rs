//! no-delivery-after-settle: settle of a position confirmed => no later delivery of it, unless rewound.
//!
//! What was settled is this message at that position of its partition: another message there is another record, and after
//! a broker lost its log, positions come again. Which are settled is in the group state; a rewind forgets those from its position
//! on. An event without a position speaks of the one position its message has: it is matched by message, and any rewind excuses it.
//!
//! Leaves out when a delivery *began*: a history records when it was received. A hand-off that was on its way already
//! while another of the same position was settled (leases that run out allow it) is a breach here.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Automaton, BoundedGroupState, Breach, GroupState, PartitionedPosition, Property, PropertyId, Rules, finite::finite,
};
use crate::history::EventWord;
use crate::pages::Sparse;
use crate::vocab::{Event, EventKind, PartitionId, Position, SettleOutcome};

/// The property.
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

finite!(Settled in 2 bits: No, Placed, Unplaced);

/// Which settles are confirmed and not undone by a rewind.
trait Settles {
    /// A settle of the `nth` message there is confirmed.
    fn settle(&mut self, nth: usize, place: PartitionedPosition);

    /// Whether a settle of the `nth` message there is confirmed and no rewind undid it.
    fn is_settled(&self, nth: usize, place: PartitionedPosition) -> bool;
}

/// The settled ones of the first 16 positions, which are those that a model watches. A model has one partition, and a
/// position is one message's for as long as it can be settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SettledPositions {
    /// One bit for each.
    positions: u16,
}

finite!(SettledPositions { positions: u16 });

impl SettledPositions {
    fn bit(position: Position) -> u16 {
        1_u16.checked_shl(u32::try_from(position.0).unwrap_or(u32::MAX)).unwrap_or(0)
    }
}

impl GroupState for SettledPositions {
    fn rewind(&mut self, _: PartitionId, position: Position) {
        let below = if position.0 < u64::from(u16::BITS) { (1 << position.0) - 1 } else { u16::MAX };
        self.positions &= below;
    }
}

impl BoundedGroupState for SettledPositions {
    fn bits_used(_: u32, positions: u32) -> u32 {
        positions.min(u16::BITS)
    }
}

impl Settles for SettledPositions {
    fn settle(&mut self, _: usize, place: PartitionedPosition) {
        self.positions |= Self::bit(place.position);
    }

    fn is_settled(&self, _: usize, place: PartitionedPosition) -> bool {
        self.positions & Self::bit(place.position) != 0
    }
}

/// The settles of a history: each of a message and where it was, as positions come again after a broker lost its log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettledMessages {
    /// The message that was settled first at each position, by partition.
    first: BTreeMap<PartitionId, Sparse<u32>>,
    /// Other messages that were settled at the same positions.
    others: BTreeSet<(PartitionedPosition, u32)>,
    /// The messages below this one were forgotten.
    forgotten: u32,
}

impl GroupState for SettledMessages {
    fn rewind(&mut self, partition: PartitionId, position: Position) {
        let is_rewound = |its: PartitionId| partition == PartitionId::default() || its == partition;
        for (_, first) in self.first.iter_mut().filter(|(its, _)| is_rewound(**its)) {
            first.retain(|its, _| its < position.0);
        }
        self.others.retain(|(place, _)| place.position < position || !is_rewound(place.partition));
    }

    fn forget_below(&mut self, nth: u32) {
        self.forgotten = nth;
        self.first.values_mut().for_each(|first| first.retain(|_, its| its >= nth));
        self.others.retain(|(_, its)| *its >= nth);
    }

    fn clear(&mut self) {
        self.first.values_mut().for_each(Sparse::clear);
        self.others.clear();
        self.forgotten = 0;
    }
}

impl Settles for SettledMessages {
    fn settle(&mut self, nth: usize, place: PartitionedPosition) {
        let first = self.first.entry(place.partition).or_default();
        match first.get(place.position.0).filter(|its| *its >= self.forgotten) {
            None => first.set(place.position.0, nth as u32),
            Some(its) if its == nth as u32 => {}
            Some(_) => drop(self.others.insert((place, nth as u32))),
        }
    }

    fn is_settled(&self, nth: usize, place: PartitionedPosition) -> bool {
        let first = self.first.get(&place.partition).and_then(|first| first.get(place.position.0));
        first == Some(nth as u32) || self.others.contains(&(place, nth as u32))
    }
}

impl Property for NoDeliveryAfterSettle {
    const ID: PropertyId = PropertyId::NoDeliveryAfterSettle;
    const WORD: &'static str = "no-delivery-after-settle";
    const FORMULA: &'static str = "settle of a position confirmed => no later delivery of it, unless rewound";
    const SEEN_BY: &'static [EventWord] = &[EventWord::Deliver, EventWord::Settle];
    const IS_USUAL: bool = true;
    type State = Settled;
    type Bounded = SettledPositions;
    type Unbounded = SettledMessages;

    fn is_watched(_: &Rules) -> bool {
        true
    }

    fn rewind(settled: &mut Settled) {
        *settled = Settled::No;
    }
}

impl<G: Settles> Automaton<G> for NoDeliveryAfterSettle {
    fn observe(_: &Rules, settled: &mut Settled, group: &mut G, event: &Event, nth: usize) -> Result<(), Breach> {
        match event.kind {
            EventKind::Settle { outcome: SettleOutcome::Ok, partition, position: Some(position), .. } => {
                *settled = (*settled).max(Settled::Placed);
                group.settle(nth, PartitionedPosition { partition, position });
            }
            EventKind::Settle { outcome: SettleOutcome::Ok, position: None, .. } => *settled = Settled::Unplaced,
            EventKind::Deliver { partition, position, .. } => {
                let settled_there = match (*settled, position) {
                    (Settled::Unplaced, _) => true,
                    (Settled::Placed, None) => true,
                    (_, Some(position)) => group.is_settled(nth, PartitionedPosition { partition, position }),
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
}
