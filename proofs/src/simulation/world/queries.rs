//! What the parties together hold of a position, as their inspector asks.

use delivery_impls::store::EffectStore;
use delivery_model::pipeline::Remembers;
use delivery_model::vocab::Position;

use super::World;

impl World {
    /// How many hand-offs of the position have a live lease.
    pub fn live_hands(&self, position: Position) -> usize {
        self.hands_of(position).filter(|(hand, _)| !self.is_late(*hand)).count()
    }

    /// The memory of the consumer that would get the position, or that of its database, knows the message there.
    pub fn remembers(&self, position: Position) -> bool {
        let Some(record) = self.record_at(position) else { return false };
        let key = record.key(position);
        let (owner, _) = self.broker.deliveries().owner();
        match self.constants.pipeline.consumer.remembers {
            Remembers::Nothing => false,
            Remembers::InMemory => self.consumers[usize::from(owner.0)].inbox().has_seen(&key),
            Remembers::WithEffect => self.inventory.seen(&key).expect("the disk works"),
        }
    }
}
