//! The message log: records in the order in which they were stored, and how many of them are durable.
//!
//! Records at its front may be dropped when they are needed no more; what the log keeps of them is in
//! [`DroppedRecords`].
//!
//! Left out: segments. The log is in memory and in one journal, which is rewritten when records are dropped.

use std::collections::VecDeque;

use delivery_model::pipeline;
use delivery_model::vocab::{MessageId, Position};

use super::dedup::Memory;
use super::dropped_records::{DroppedRecords, Part, parts};
use crate::data::record::{Identity, Record};
use crate::store::{Encode, Journal, RecoverError, StoreError};

/// The log of one topic.
///
/// Calling contract: [`append`](Log::append) records, then [`sync`](Log::sync). Only records below
/// [`synced`](Log::synced) are sure to survive a crash. Call [`drop_below`](Log::drop_below) only when all records
/// are durable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Log<J> {
    dropped: DroppedRecords,
    /// The records from the end of the dropped ones on.
    records: VecDeque<Record>,
    synced: u64,
    /// The encoding of what is written, empty in between: the room for it stays.
    encoded: Vec<u8>,
    /// The snapshot of the dropped records before others are dropped, empty in between.
    before: Vec<u8>,
    journal: J,
}

impl<J: Journal> Log<J> {
    /// Reads the records that survived. All of them are durable.
    pub fn open(settings: &pipeline::Broker, mut journal: J) -> Result<Self, RecoverError> {
        let mut found = journal.recover()?;
        let count = found.len();
        let dropped = DroppedRecords::decode(settings, &mut found)?;
        let parts = count - found.len();
        let decode = |(place, bytes): (usize, Vec<u8>)| {
            Record::decode(&bytes).map_err(|why| RecoverError::Undecodable { record: (parts + place) as u64, why })
        };
        let records = found.into_iter().enumerate().map(decode).collect::<Result<VecDeque<_>, _>>()?;
        let (encoded, before) = Default::default();
        Ok(Log { synced: dropped.start().0 + records.len() as u64, dropped, records, encoded, before, journal })
    }

    /// Starts over on the journal that `empty` makes an empty one.
    pub fn start_over(&mut self, settings: &pipeline::Broker, empty: impl FnOnce(&mut J)) {
        empty(&mut self.journal);
        self.dropped = DroppedRecords::new(settings);
        self.records.clear();
        self.synced = 0;
    }

    /// Appends a record. Returns its position.
    pub fn append(&mut self, record: Record) -> Result<Position, StoreError> {
        record.encode_into(&mut self.encoded);
        let appended = self.journal.append(&self.encoded);
        self.encoded.clear();
        appended?;
        let position = self.end();
        self.records.push_back(record);
        Ok(position)
    }

    /// Makes every record durable.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.journal.sync()?;
        self.synced = self.end().0;
        Ok(())
    }

    /// Drops all records below this position, durably; dead letters are kept. After a definite error the log is
    /// unchanged.
    ///
    /// Call it only when all records are durable, because the rewrite of the journal would make the others durable
    /// too.
    ///
    /// # Panics
    /// If the log ends before the position.
    pub fn drop_below(
        &mut self,
        settings: &pipeline::Broker,
        start: Position,
        is_dead: impl Fn(Position) -> bool,
    ) -> Result<(), StoreError> {
        debug_assert_eq!(self.synced(), self.end(), "a rewrite would make unsynced records durable");
        let count = start.0.saturating_sub(self.start().0) as usize;
        let Log { dropped, records, encoded, before, journal, .. } = self;
        dropped.write(before);
        records.iter().take(count).for_each(|record| dropped.take_in(record, is_dead(dropped.start())));
        dropped.write(encoded);
        let left = records.range(count..).map(Rewritten::Record);
        let rewritten = journal.rewrite(parts(encoded).map(Rewritten::Part).chain(left));
        match rewritten {
            Ok(()) => drop(records.drain(..count)),
            Err(_) => *dropped = DroppedRecords::read(settings, before).expect("it was written just now"),
        }
        encoded.clear();
        before.clear();
        rewritten
    }

    /// Notes that all records below this position are durable, after a sync of the journal by another thread.
    pub fn handle_synced(&mut self, end: Position) {
        debug_assert!(end <= self.end(), "synced up to {end}, but the log ends at {}", self.end());
        self.synced = self.synced.max(end.0);
    }

    /// The position of the first record that was not dropped.
    pub fn start(&self) -> Position {
        self.dropped.start()
    }

    /// The position after the last record.
    pub fn end(&self) -> Position {
        Position(self.start().0 + self.records.len() as u64)
    }

    /// The position after the last durable record.
    pub fn synced(&self) -> Position {
        Position(self.synced)
    }

    /// The record at a position, unless it was dropped; a dead letter is always kept.
    pub fn at(&self, position: Position) -> Option<&Record> {
        match position.0.checked_sub(self.start().0) {
            Some(place) => self.records.get(usize::try_from(place).ok()?),
            None => self.dropped.dead_letter(position),
        }
    }

    /// The records that were not dropped, oldest first.
    pub fn records(&self) -> impl ExactSizeIterator<Item = (Position, &Record)> + DoubleEndedIterator {
        let start = self.start().0;
        self.records.iter().enumerate().map(move |(place, record)| (Position(start + place as u64), record))
    }

    /// What is kept of the dropped records.
    pub fn dropped(&self) -> &DroppedRecords {
        &self.dropped
    }

    /// The memory after it has seen every record that was not dropped. The memory of [`dropped`](Log::dropped) then covers
    /// every record that was ever stored, as far as its window reaches.
    pub fn remembered_by(&self, mut memory: Memory) -> Memory {
        self.records().for_each(|(position, record)| memory.remember(position, record.identity));
        memory
    }

    /// The position of the latest record of this message under this identity, among the records that were not
    /// dropped. The search starts at the end, because retries come soon.
    pub fn last_of(&self, message: MessageId, identity: Identity) -> Option<Position> {
        let is_it = |(_, record): &(Position, &Record)| record.message == message && record.identity == identity;
        self.records().rev().find(is_it).map(|(position, _)| position)
    }

    /// The journal, as a crash leaves it.
    pub fn into_journal(self) -> J {
        self.journal
    }
}

/// A record of a journal that is rewritten.
enum Rewritten<'a> {
    Part(Part<'a>),
    Record(&'a Record),
}

impl Encode for Rewritten<'_> {
    fn encode_into(&self, bytes: &mut Vec<u8>) {
        match self {
            Rewritten::Part(part) => part.encode_into(bytes),
            Rewritten::Record(record) => record.encode_into(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use delivery_model::pipeline::Dedup;
    use delivery_model::vocab::Epoch;

    use super::*;
    use crate::data::record::{ProducerId, Session};
    use crate::inventory::{Order, Sku};
    use crate::store::simulated::{SimulatedJournal, Tear};

    fn record(message: u64) -> Record {
        let payload = Order { sku: Sku(1), quantity: 1 }.encode();
        let (producer, epoch) = (ProducerId(0), Epoch(0));
        Record { message: MessageId(message), identity: Identity::None, producer, epoch, payload }
    }

    fn open(journal: SimulatedJournal) -> Result<Log<SimulatedJournal>, RecoverError> {
        Log::open(&pipeline::Broker::default(), journal)
    }

    fn log(synced: u64, unsynced: u64) -> Log<SimulatedJournal> {
        let mut log = open(SimulatedJournal::default()).unwrap();
        for message in 0..synced + unsynced {
            log.append(record(message)).unwrap();
            if message + 1 == synced {
                log.sync().unwrap();
            }
        }
        log
    }

    #[test]
    fn a_restart_finds_the_synced_records_and_what_luck_left_of_the_others() {
        let check = |keeps, tear, expected| {
            let mut journal = log(2, 2).into_journal();
            journal.crash(keeps, tear);
            let log = open(journal).unwrap();
            assert_eq!((log.end(), log.synced()), (Position(expected), Position(expected)), "{keeps} {tear:?}");
        };
        check(0, Tear::Clean, 2);
        check(1, Tear::Torn, 3);
        check(2, Tear::Clean, 4);
    }

    #[test]
    fn a_corrupt_middle_is_refused_with_its_position() {
        let mut journal = log(3, 0).into_journal();
        journal.corrupt(40);
        assert!(matches!(open(journal), Err(RecoverError::Corrupt { record: 1, .. })));
    }

    #[test]
    fn a_refused_write_leaves_the_log_as_it_was() {
        let mut log = log(1, 0);
        let mut full = log.clone().into_journal();
        full.refuse_next = true;
        log.journal = full;
        assert_eq!(log.append(record(9)), Err(StoreError::Refused));
        assert_eq!(log.end(), Position(1));
        assert_eq!(log.append(record(9)), Ok(Position(1)));
    }

    #[test]
    fn a_drop_that_finds_no_room_leaves_the_log_as_it_was() {
        for dedup in [Dedup::None, Dedup::MessageId, Dedup::Sequence] {
            let settings = pipeline::Broker { dedup, dedup_window: 2, ..Default::default() };
            let mut log = Log::open(&settings, SimulatedJournal::default()).unwrap();
            let session = Session::default();
            for (message, identity) in [
                (1, Identity::Sequence { session, number: 0 }),
                (2, Identity::Message { session, message: MessageId(2) }),
                (3, Identity::Sequence { session, number: 1 }),
                (4, Identity::None),
            ] {
                log.append(Record { identity, ..record(message) }).unwrap();
            }
            log.sync().unwrap();
            for start in [0, 1, 3] {
                log.drop_below(&settings, Position(start), |position| position.0 == 0).unwrap();
                let before = log.clone();
                log.journal.capacity_bytes = Some(1);
                let dropped = log.drop_below(&settings, Position(4), |_| true);
                assert!(matches!(dropped, Err(StoreError::Full { .. })), "{dedup:?} {start}");
                log.journal.capacity_bytes = None;
                assert_eq!(log, before, "{dedup:?} {start}");
            }
        }
    }

    #[test]
    fn a_message_is_found_where_it_stands_last_under_its_own_identity() {
        let sequence = |number| Identity::Sequence { session: Default::default(), number };
        let mut log = log(0, 0);
        for (message, number) in [(1, 0), (2, 0), (1, 1), (1, 0), (3, 1)] {
            log.append(Record { identity: sequence(number), ..record(message) }).unwrap();
        }
        let check = |message, number, expected: Option<u64>| {
            let found = log.last_of(MessageId(message), sequence(number));
            assert_eq!(found, expected.map(Position), "message {message}, number {number}");
        };
        check(1, 0, Some(3));
        check(1, 1, Some(2));
        check(2, 0, Some(1));
        check(2, 1, None);
    }

    #[test]
    fn what_somebody_else_made_durable_counts_and_never_less_again() {
        let mut log = log(1, 3);
        assert_eq!(log.synced(), Position(1));
        log.handle_synced(Position(3));
        assert_eq!((log.synced(), log.end()), (Position(3), Position(4)));
        log.handle_synced(Position(2));
        assert_eq!(log.synced(), Position(3));
        assert_eq!((log.at(Position(3)), log.at(Position(4))), (Some(&record(3)), None));
        assert_eq!(log.records().len(), 4);
    }
}
