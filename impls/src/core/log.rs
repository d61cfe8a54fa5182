//! The message log: records in the order in which they were stored, and how many of them are durable.
//!
//! Left out: retention and segments; the whole log is in memory and in one journal.

use delivery_model::vocab::{MessageId, Position};

use super::record::{Identity, Record};
use crate::store::{Journal, RecoverError, StoreError};

/// The log of one topic.
///
/// Calling contract: [`append`](Log::append) records, then [`sync`](Log::sync); only what is
/// [`synced`](Log::synced) survives a crash for sure.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Log<J> {
    records: Vec<Record>,
    synced: u64,
    journal: J,
}

impl<J: Journal> Log<J> {
    /// Reads what survived. All of it is durable.
    pub fn open(mut journal: J) -> Result<Self, RecoverError> {
        let decode = |(record, bytes): (usize, Vec<u8>)| {
            Record::decode(&bytes).map_err(|why| RecoverError::Undecodable { record: record as u64, why })
        };
        let records = journal.recover()?.into_iter().enumerate().map(decode).collect::<Result<Vec<_>, _>>()?;
        Ok(Log { synced: records.len() as u64, records, journal })
    }

    /// Puts a record at the end.
    pub fn append(&mut self, record: Record) -> Result<Position, StoreError> {
        self.journal.append(&record.encode())?;
        self.records.push(record);
        Ok(Position(self.records.len() as u64 - 1))
    }

    /// Makes every record durable.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.journal.sync()?;
        self.synced = self.records.len() as u64;
        Ok(())
    }

    /// Somebody who shares the journal has made every record below this position durable.
    pub fn handle_synced(&mut self, end: Position) {
        debug_assert!(end <= self.end(), "synced up to {end}, but the log ends at {}", self.end());
        self.synced = self.synced.max(end.0);
    }

    /// One past the last record.
    pub fn end(&self) -> Position {
        Position(self.records.len() as u64)
    }

    /// One past the last durable record.
    pub fn synced(&self) -> Position {
        Position(self.synced)
    }

    /// The record at a position.
    pub fn at(&self, position: Position) -> Option<&Record> {
        self.records.get(usize::try_from(position.0).ok()?)
    }

    /// Every record, oldest first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The last place of a message under this identity. It looks from the end, where retries find it soon.
    pub fn last_of(&self, message: MessageId, identity: Identity) -> Option<Position> {
        let is_it = |record: &Record| record.message == message && record.identity == identity;
        self.records.iter().rposition(is_it).map(|place| Position(place as u64))
    }

    /// The journal, as a crash leaves it.
    pub fn into_journal(self) -> J {
        self.journal
    }
}

#[cfg(test)]
mod tests {
    use delivery_model::vocab::Epoch;

    use super::*;
    use crate::core::order::{Order, Sku};
    use crate::core::record::ProducerId;
    use crate::store::simulated::{SimulatedJournal, Tear};

    fn record(message: u64) -> Record {
        let payload = Order { sku: Sku(1), quantity: 1 }.encode();
        let (producer, epoch) = (ProducerId(0), Epoch(0));
        Record { message: MessageId(message), identity: Identity::None, producer, epoch, payload }
    }

    fn log(synced: u64, unsynced: u64) -> Log<SimulatedJournal> {
        let mut log = Log::open(SimulatedJournal::default()).unwrap();
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
            let log = Log::open(journal).unwrap();
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
        assert!(matches!(Log::open(journal), Err(RecoverError::Corrupt { record: 1, .. })));
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
