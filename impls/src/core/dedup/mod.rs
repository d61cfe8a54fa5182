//! The broker's memory of what it has stored, by which it recognises a retry.
//!
//! It covers the latest records of the log, from a floor on. Amnesia errs on the side of accepting: an identity that
//! is not remembered is taken for new, so what was forgotten may be stored twice, and nothing is lost by it.
//!
//! Left out: a memory bounded by time. A window counts records.

mod by_id;
mod by_sequence;
pub mod family;

use delivery_model::pipeline::{self, Dedup};
use delivery_model::vocab::Position;

use self::by_id::ById;
use self::by_sequence::BySequence;
use super::record::Identity;

/// What the memory says to an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Familiarity {
    /// Not seen: store it.
    New,
    /// Seen: confirm it again, store nothing.
    Duplicate,
    /// Something before it is missing: refuse it.
    Gap,
}

/// The memory, with its floor and window.
///
/// Calling contract: [`judge`](Memory::judge) an identity, and [`remember`](Memory::remember) it with its position once
/// its record is in the log, in the log's order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    table: Table,
    /// How many of the latest records it covers; 0: all.
    window: u64,
    /// The first position it covers.
    floor: u64,
    /// One past the last position it was told of.
    end: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Table {
    Nothing,
    ById(ById),
    BySequence(BySequence),
}

impl Memory {
    /// A memory without contents, in front of a log that ends at `end`.
    pub fn new(settings: &pipeline::Broker, end: Position) -> Self {
        let table = match settings.dedup {
            Dedup::None => Table::Nothing,
            Dedup::MessageId => Table::ById(ById::default()),
            Dedup::Sequence => Table::BySequence(BySequence::default()),
        };
        Memory { table, window: settings.dedup_window.into(), floor: end.0, end: end.0 }
    }

    /// Whether this identity was seen.
    pub fn judge(&self, identity: Identity) -> Familiarity {
        match &self.table {
            Table::Nothing => Familiarity::New,
            Table::ById(table) => table.judge(identity),
            Table::BySequence(table) => table.judge(identity, self.floor == 0),
        }
    }

    /// The record at the log's end carries this identity.
    pub fn remember(&mut self, position: Position, identity: Identity) {
        self.end = position.0 + 1;
        match &mut self.table {
            Table::Nothing => {}
            Table::ById(table) => table.remember(position, identity),
            Table::BySequence(table) => table.remember(position, identity),
        }
        if self.window > 0 {
            self.forget_below(self.floor.max(self.end.saturating_sub(self.window)));
        }
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.forget_below(self.end);
    }

    /// How many records it covers; none if it does not recognise anything.
    pub fn covers(&self) -> u64 {
        if self.table == Table::Nothing { 0 } else { self.end - self.floor }
    }

    /// How many records it would cover if it were made anew from the log.
    pub fn covers_rebuilt(&self) -> u64 {
        match (&self.table, self.window) {
            (Table::Nothing, _) => 0,
            (_, 0) => self.end,
            (_, window) => self.end.min(window),
        }
    }

    fn forget_below(&mut self, floor: u64) {
        self.floor = floor;
        match &mut self.table {
            Table::Nothing => {}
            Table::ById(table) => table.forget_below(Position(floor)),
            Table::BySequence(table) => table.forget_below(Position(floor)),
        }
    }
}

/// A memory of the same settings, filled with a log's identities from its first record on.
pub fn rebuild(settings: &pipeline::Broker, identities: impl Iterator<Item = Identity>) -> Memory {
    let mut memory = Memory::new(settings, Position(0));
    for (position, identity) in identities.enumerate() {
        memory.remember(Position(position as u64), identity);
    }
    memory
}

#[cfg(test)]
mod tests;
