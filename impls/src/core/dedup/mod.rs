//! The broker's memory of stored messages, by which it recognises a retry.
//!
//! It covers the latest records of the log, from a floor on. An identity that is not remembered is taken for new: a
//! forgotten message may be stored twice, but not lost.
//!
//! Left out: a window of time. A window counts records.

mod by_id;
mod by_sequence;

use delivery_model::pipeline::{self, Dedup, ForgottenProducers};
use delivery_model::vocab::Position;

use self::by_id::ById;
use self::by_sequence::BySequence;
use crate::data::record::{Identity, Reader};
use crate::data::snapshot::{self, SnapshotError, Writer};

/// The answer of the memory on an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Familiarity {
    /// It was not seen: store the record.
    New,
    /// It was seen: confirm it again and store nothing.
    Duplicate,
    /// A number before it is missing: refuse it.
    Gap,
}

/// The memory, with its floor and window.
///
/// Calling contract: [`judge`](Memory::judge) an identity, and [`remember`](Memory::remember) it with its position
/// once its record is in the log, in the log's order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    table: Table,
    /// The number of latest records that it covers; 0: all.
    window: u64,
    /// The first position it covers.
    floor: u64,
    /// The position after the last one that it was given.
    end: u64,
    /// Whether a restart lost its contents: sessions that it does not know may have begun, even if the log is empty.
    forgot: bool,
    /// Whether a session that it does not know may begin anywhere, once something was forgotten.
    accepts_forgotten: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Table {
    Nothing,
    ById(ById),
    BySequence(BySequence),
}

impl Table {
    /// The number of its kind in a snapshot.
    fn kind(&self) -> u32 {
        match self {
            Table::Nothing => 0,
            Table::ById(_) => 1,
            Table::BySequence(_) => 2,
        }
    }
}

impl Memory {
    /// An empty memory before the first record after `end`.
    pub fn new(settings: &pipeline::Broker, end: Position) -> Self {
        let table = match settings.dedup {
            Dedup::None => Table::Nothing,
            Dedup::MessageId => Table::ById(ById::default()),
            Dedup::Sequence => Table::BySequence(BySequence::default()),
        };
        let accepts_forgotten = settings.forgotten_producers == ForgottenProducers::Accept;
        Memory {
            table,
            window: settings.dedup_window.into(),
            floor: end.0,
            end: end.0,
            forgot: false,
            accepts_forgotten,
        }
    }

    /// An empty memory before the first record after `end`, whose contents a restart lost.
    pub fn forgotten(settings: &pipeline::Broker, end: Position) -> Self {
        Memory { forgot: true, ..Memory::new(settings, end) }
    }

    /// Whether nothing was ever forgotten: a session that it does not know has not begun.
    fn is_whole(&self) -> bool {
        self.floor == 0 && !self.forgot
    }

    /// The answer on this identity.
    pub fn judge(&self, identity: Identity) -> Familiarity {
        match &self.table {
            Table::Nothing => Familiarity::New,
            Table::ById(table) => table.judge(identity),
            Table::BySequence(table) => table.judge(identity, self.is_whole() || !self.accepts_forgotten),
        }
    }

    /// Adds the identity of the record at the log's end.
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

    /// Forgets all identities.
    pub fn forget(&mut self) {
        self.forget_below(self.end);
    }

    /// Whether the loss of its contents would change an answer.
    pub fn has_something_to_forget(&self) -> bool {
        self.covers() > 0 || self.goes_by_number() && self.is_whole()
    }

    /// The number of records that it covers; 0 if there is no dedup.
    pub fn covers(&self) -> u64 {
        if self.table == Table::Nothing { 0 } else { self.end - self.floor }
    }

    /// The number of records that it would cover if it were rebuilt from the log.
    pub fn covers_rebuilt(&self) -> u64 {
        match (&self.table, self.window) {
            (Table::Nothing, _) => 0,
            (_, 0) => self.end,
            (_, window) => self.end.min(window),
        }
    }

    /// The position after the last one that it was given.
    pub fn end(&self) -> Position {
        Position(self.end)
    }

    /// The position of the latest record with this identity, if it recognises by id and remembers it.
    pub fn position_of(&self, identity: Identity) -> Option<Position> {
        match &self.table {
            Table::ById(table) => table.position_of(identity),
            Table::Nothing | Table::BySequence(_) => None,
        }
    }

    /// Whether it recognises by sequence number, and so keeps only the highest number of each session.
    pub fn goes_by_number(&self) -> bool {
        matches!(self.table, Table::BySequence(_))
    }

    /// Writes its contents.
    pub(super) fn write(&self, writer: Writer) -> Writer {
        let writer = writer.u32(self.table.kind()).u64(self.floor).u64(self.end);
        match &self.table {
            Table::Nothing => writer,
            Table::ById(table) => table.write(writer),
            Table::BySequence(table) => table.write(writer),
        }
    }

    /// Decodes what [`Memory::write`] wrote under the same kind of dedup. The window may differ.
    pub(super) fn read(settings: &pipeline::Broker, reader: &mut Reader<'_>) -> Result<Memory, SnapshotError> {
        let mut memory = Memory::new(settings, Position(0));
        let is_same = reader.u32()? == memory.table.kind();
        snapshot::expect(reader, is_same, "retries recognised in the way that the pipeline says")?;
        (memory.floor, memory.end) = (reader.u64()?, reader.u64()?);
        let covered = memory.floor..memory.end;
        snapshot::expect(reader, covered.start <= covered.end, "a floor that is not beyond the end")?;
        match &mut memory.table {
            Table::Nothing => {}
            Table::ById(table) => *table = ById::read(reader, covered)?,
            Table::BySequence(table) => *table = BySequence::read(reader, covered)?,
        }
        Ok(memory)
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

#[cfg(test)]
mod tests;
