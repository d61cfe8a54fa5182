//! The shape of a world: what its parties and wires hold, as a few small counts and marks.
//!
//! Two worlds of one shape are alike in what may go wrong next, whichever messages they have come to. Shapes tell a guided
//! search what it has not seen yet; no verdict depends on them.

use delivery_impls::core::consumer::Task;
use delivery_impls::data::record::Verdict;
use delivery_model::vocab::Position;

use super::World;

/// The shape of a world, packed. Equal numbers are equal shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(pub u64);

/// Packs small numbers, each below `2^bits`.
#[derive(Default)]
struct Packed {
    bits: u64,
    used: u32,
}

impl Packed {
    fn push(&mut self, value: usize, bits: u32) {
        let most = (1 << bits) - 1;
        self.bits |= (value as u64).min(most) << self.used;
        self.used += bits;
        debug_assert!(self.used <= u64::BITS, "a shape has too many parts");
    }

    /// None, one or more of a thing.
    fn some(&mut self, count: usize) {
        self.push(count.min(2), 2);
    }

    fn mark(&mut self, is_so: bool) {
        self.push(usize::from(is_so), 1);
    }
}

impl World {
    /// The shape of this world.
    pub fn shape(&self) -> Shape {
        let mut packed = Packed::default();
        let (broker, deliveries) = (&self.broker, self.broker.deliveries());
        // What is on the wires.
        packed.some(self.publishes.len());
        packed.mark(!self.stragglers.is_empty());
        packed.mark(self.replies.values().any(|reply| reply.verdict == Verdict::Refused));
        packed.mark(self.replies.values().any(|reply| reply.verdict != Verdict::Refused));
        packed.mark(self.hand_offs.keys().any(|hand| !self.is_late(hand)));
        packed.mark(!self.settles.is_empty());
        // The producer.
        packed.mark(self.producer.outbox().iter().any(|(_, unfinished)| unfinished.attempts > 1));
        packed.push(self.producer.epoch().0 as usize, 2);
        // The broker.
        packed.mark(broker.received().is_some());
        packed.mark(broker.log().synced() < broker.log().end());
        packed.mark(broker.owes_any());
        packed.mark(deliveries.has_unsynced());
        packed.mark(deliveries.settled().first_missing(Position(0)) < deliveries.settled().end());
        packed.mark(!deliveries.dead().is_empty());
        packed.mark(!deliveries.rejected().is_empty());
        packed.mark(deliveries.owner().0.0 > 0);
        packed.push(deliveries.leases().incarnation() as usize, 2);
        packed.mark(self.has_doubles());
        // The consumers.
        for task in [Task::Handle, Task::Remember, Task::Settle, Task::AwaitSettled] {
            packed.mark(self.consumers.iter().flat_map(|it| it.hands()).any(|(_, of_hand)| of_hand == task));
        }
        packed.mark(self.consumers.iter().flat_map(|it| it.hands()).any(|(hand, _)| self.is_late(hand)));
        // What makes handlers fail.
        packed.mark(self.poisoned.is_some());
        packed.mark(self.crashing.is_some());
        Shape(packed.bits)
    }

    /// The log has two records of one message.
    fn has_doubles(&self) -> bool {
        let all = || self.dropped.iter().chain(self.broker.log().records().map(|(_, record)| record));
        all().enumerate().any(|(place, record)| all().take(place).any(|other| other.message == record.message))
    }
}
