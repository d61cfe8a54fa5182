//! Retention: drops the records that are not needed any more, and compacts the ledger to the entries that still count.
//!
//! A record is needed until it is durably settled, dead-lettered, or handed off where that may happen only once. What leaves
//! is remembered as far as retries and dead letters go ([`DroppedRecords`](crate::core::dropped_records::DroppedRecords)), so that
//! only a rewind to a dropped position notices.
//!
//! The two journals are written anew one at a time, each at once. A crash between them does no harm: either journal
//! amounts to the same before and after.

use delivery_model::vocab::Position;

use super::Broker;
use crate::core::ledger::Entry;
use crate::core::steps::BrokerSteps;
use crate::data::positions::Positions;
use crate::store::{Journal, StoreError};

/// Why a group cannot be reset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewindError {
    /// The log does not have it, or does not have it any more.
    #[error("position {to} is not in the log, which starts at {start} and ends before {end}")]
    NotInLog {
        /// Where it was to go.
        to: Position,
        /// The earliest record that was not dropped.
        start: Position,
        /// One past the last record.
        end: Position,
    },
    /// It could not be recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<J: Journal, S: BrokerSteps> Broker<J, S> {
    /// The position below which the log may be dropped; none while a batch is too small. `elsewhere`: the positions that
    /// consumers have durably finished in their own stores.
    pub fn droppable(&self, elsewhere: &Positions) -> Option<Position> {
        let retention = self.tuning.retention?;
        let from = self.log.start().max(self.drops_from);
        let enough = from.0 + retention.batch.max(1);
        let end = self.log.end().0.saturating_sub(retention.records);
        if end < enough {
            return None;
        }
        let end = end.min(self.steps.first_needed(&self.log, &self.deliveries, elsewhere).0);
        (end >= enough).then_some(Position(end))
    }

    /// Drops what [`droppable`](Broker::droppable) named. Call it when everything is durable
    /// ([`sync`](Broker::sync)). After a definite error everything is as it was, and the next batch is waited for.
    pub fn drop_below(&mut self, start: Position) -> Result<(), StoreError> {
        let deliveries = &self.deliveries;
        let dropped = self.log.drop_below(&self.settings, start, |position| {
            deliveries.dead().contains(position) && !deliveries.vanished().contains(position)
        });
        dropped.inspect_err(|_| self.drops_from = start)?;
        self.deliveries.forget_counts_below(start);
        Ok(())
    }

    /// Whether the ledger has grown well beyond what it amounts to.
    pub fn is_ledger_long(&self) -> bool {
        self.tuning.retention.is_some() && self.ledger.entries() > self.ledger_max
    }

    /// Puts what the ledger amounts to in the place of its entries, this incarnation's start included. After a definite
    /// error everything is as it was.
    pub fn compact_ledger(&mut self) -> Result<(), StoreError> {
        let incarnation = Entry::Started(self.deliveries.leases().incarnation());
        let registered = self.epochs.iter().map(|(producer, &epoch)| Entry::Registered(producer, epoch));
        let mut entries: Vec<Entry> = registered.chain([incarnation]).collect();
        self.deliveries.add_entries(&mut entries);
        let compacted = self.ledger.rewrite(&self.steps.compacted(entries));
        // A ledger that finds no room is tried again when it has grown as much once more.
        self.ledger_max = 2 * self.ledger.entries() + self.tuning.retention.map_or(0, |retention| retention.batch);
        compacted?;
        self.start = None;
        Ok(())
    }
}
