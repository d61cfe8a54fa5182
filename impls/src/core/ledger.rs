//! The ledger: a journal of settles, of hand-offs that happen once or are counted, of dead letters, and of
//! registrations.
//!
//! Entries that are recorded together are one record of the journal, under one checksum: it is on disk as a whole or
//! not at all, whether the disk is full or the machine loses power.
//!
//! The ledger grows with every settle. A rewrite replaces its entries by a few that mean the same: ranges of
//! positions.

use delivery_model::vocab::{Epoch, Position};

use super::delivery::ConsumerId;
use crate::data::record::{DecodeError, ProducerId, Reader};
use crate::store::frame::RECORD_MAX_BYTES;
use crate::store::{Encode, Generation, Journal, RecoverError, StoreError};

/// An entry of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// An incarnation of leases began (counted from 1): the broker started, or its group was rewound.
    Started(u32),
    /// An incarnation of a producer registered.
    Registered(ProducerId, Epoch),
    /// The positions from the first to before the second are settled.
    Settled(Position, Position),
    /// The position will be handed off; recorded before the hand-off.
    HandedOff(Position),
    /// The position was set aside as a dead letter.
    DeadLettered(Position),
    /// The group was reset to this position.
    Rewound(Position),
    /// The group's work passed to this consumer, with this generation.
    Owned(ConsumerId, Generation),
    /// The number of times that the position was handed off.
    Counted(Position, u32),
    /// The positions from the first to before the second were handed off, and must not be handed off again.
    HandedOffOnce(Position, Position),
    /// The position was set aside, and its record is gone: it expired, was dropped from a full queue, or was lost on its way
    /// into the queue of dead letters.
    Dropped(Position),
    /// The dead letter of the position was put back as a new record.
    PutBack(Position),
    /// A follower took over whose log ends here: what was recorded of later positions is void.
    Truncated(Position),
    /// The group lost its place, and began anew.
    Forgotten,
}

impl Entry {
    /// The size of an entry in bytes: a tag and two numbers.
    const BYTES: usize = 17;

    fn encode(&self) -> [u8; Entry::BYTES] {
        let (tag, first, second) = match *self {
            Entry::Started(incarnation) => (1, incarnation.into(), 0),
            Entry::Registered(producer, epoch) => (2, producer.0.into(), epoch.0.into()),
            Entry::Settled(start, end) => (3, start.0, end.0),
            Entry::HandedOff(position) => (4, position.0, 0),
            Entry::DeadLettered(position) => (5, position.0, 0),
            Entry::Rewound(position) => (6, position.0, 0),
            Entry::Owned(consumer, generation) => (7, consumer.0.into(), generation.0.into()),
            Entry::Counted(position, times) => (8, position.0, times.into()),
            Entry::HandedOffOnce(start, end) => (9, start.0, end.0),
            Entry::Dropped(position) => (10, position.0, 0),
            Entry::PutBack(position) => (11, position.0, 0),
            Entry::Truncated(end) => (12, end.0, 0),
            Entry::Forgotten => (13, 0, 0),
        };
        let mut bytes = [tag; Entry::BYTES];
        bytes[1..9].copy_from_slice(&u64::to_le_bytes(first));
        bytes[9..].copy_from_slice(&u64::to_le_bytes(second));
        bytes
    }

    /// Appends the encoding of a record with these entries.
    pub fn encode_all(entries: &[Entry], bytes: &mut Vec<u8>) {
        entries.iter().for_each(|entry| bytes.extend_from_slice(&entry.encode()));
    }

    /// Decodes the entries of a record; there must be at least one.
    pub fn decode_all(bytes: &[u8]) -> Result<Vec<Entry>, DecodeError> {
        let mut reader = Reader::new(bytes);
        let mut entries = vec![Entry::read(&mut reader)?];
        while reader.offset() < bytes.len() {
            entries.push(Entry::read(&mut reader)?);
        }
        Ok(entries)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Entry, DecodeError> {
        let offset = reader.offset();
        let tag = reader.u8()?;
        let (first, second) = (reader.u64()?, reader.u64()?);
        Ok(match tag {
            1 => Entry::Started(first as u32),
            2 => Entry::Registered(ProducerId(first as u32), Epoch(second as u32)),
            3 => Entry::Settled(Position(first), Position(second)),
            4 => Entry::HandedOff(Position(first)),
            5 => Entry::DeadLettered(Position(first)),
            6 => Entry::Rewound(Position(first)),
            7 => Entry::Owned(ConsumerId(first as u8), Generation(second as u32)),
            8 => Entry::Counted(Position(first), second as u32),
            9 => Entry::HandedOffOnce(Position(first), Position(second)),
            10 => Entry::Dropped(Position(first)),
            11 => Entry::PutBack(Position(first)),
            12 => Entry::Truncated(Position(first)),
            13 => Entry::Forgotten,
            found => return Err(DecodeError::Tag { of: "ledger entry", offset, found }),
        })
    }
}

impl Encode for [Entry] {
    fn encode_into(&self, bytes: &mut Vec<u8>) {
        Entry::encode_all(self, bytes);
    }
}

/// The journal of the ledger. The state to which its entries add up is kept by its users.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ledger<J> {
    journal: J,
    /// The number of entries in the journal.
    entries: u64,
    /// A buffer for the record that is written; empty between two calls.
    record: Vec<u8>,
}

/// The most entries that fit into one record.
pub const TOGETHER_MAX: usize = RECORD_MAX_BYTES / Entry::BYTES;

impl<J: Journal> Ledger<J> {
    /// Reads all entries that survived, oldest first.
    pub fn open(mut journal: J) -> Result<(Self, Vec<Entry>), RecoverError> {
        let decode = |(record, bytes): (usize, Vec<u8>)| {
            Entry::decode_all(&bytes).map_err(|why| RecoverError::Undecodable { record: record as u64, why })
        };
        let records = journal.recover()?.into_iter().enumerate().map(decode).collect::<Result<Vec<_>, _>>()?;
        let entries = records.concat();
        Ok((Ledger { journal, entries: entries.len() as u64, record: Vec::new() }, entries))
    }

    /// The number of entries in the journal.
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Starts over on the journal that `empty` makes an empty one.
    pub fn start_over(&mut self, empty: impl FnOnce(&mut J)) {
        empty(&mut self.journal);
        self.entries = 0;
    }

    /// Writes entries as one record, all or none. They are durable when it returns. Without entries nothing is
    /// written.
    ///
    /// # Panics
    /// If there are more than [`TOGETHER_MAX`] entries.
    pub fn record(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        Entry::encode_all(entries, &mut self.record);
        let appended = self.journal.append(&self.record);
        self.record.clear();
        appended?;
        self.entries += entries.len() as u64;
        self.journal.sync()
    }

    /// Replaces all entries by these, durably and atomically. After a definite error the ledger is unchanged.
    pub fn rewrite(&mut self, entries: &[Entry]) -> Result<(), StoreError> {
        self.journal.rewrite(entries.chunks(TOGETHER_MAX))?;
        self.entries = entries.len() as u64;
        Ok(())
    }

    /// The journal, as a crash leaves it.
    pub fn into_journal(self) -> J {
        self.journal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::frame::HEADER_BYTES;
    use crate::store::simulated::{SimulatedJournal, Tear};

    const ENTRIES: [Entry; 9] = [
        Entry::Started(3),
        Entry::Registered(ProducerId(4), Epoch(5)),
        Entry::Settled(Position(1), Position(u64::MAX)),
        Entry::HandedOff(Position(2)),
        Entry::DeadLettered(Position(9)),
        Entry::Rewound(Position(7)),
        Entry::Owned(ConsumerId(1), Generation(2)),
        Entry::Counted(Position(6), 3),
        Entry::HandedOffOnce(Position(3), Position(8)),
    ];

    fn found(journal: SimulatedJournal) -> Vec<Entry> {
        Ledger::open(journal).unwrap().1
    }

    #[test]
    fn every_entry_reads_back_as_it_was_written() {
        let (mut ledger, nothing) = Ledger::open(SimulatedJournal::default()).unwrap();
        assert_eq!(nothing, []);
        ledger.record(&ENTRIES[..1]).unwrap();
        ledger.record(&ENTRIES[1..]).unwrap();
        assert_eq!(found(ledger.into_journal()), ENTRIES);
    }

    #[test]
    fn nothing_is_written_for_nothing() {
        let (mut ledger, _) = Ledger::open(SimulatedJournal::default()).unwrap();
        ledger.record(&[]).unwrap();
        assert_eq!(ledger.into_journal(), SimulatedJournal::default());
    }

    /// A regression: once, each entry was appended by itself. Entries before the first one without room stayed, and
    /// the next sync made them durable, although all of them had been reported as not written.
    #[test]
    fn entries_for_which_there_is_no_room_leave_nothing_behind() {
        for room_bytes in [0, HEADER_BYTES + Entry::BYTES, HEADER_BYTES + 3 * Entry::BYTES - 1] {
            let (mut ledger, _) = Ledger::open(SimulatedJournal::default()).unwrap();
            ledger.record(&ENTRIES[..1]).unwrap();
            ledger.journal.capacity_bytes = Some(HEADER_BYTES + Entry::BYTES + room_bytes);
            assert!(matches!(ledger.record(&ENTRIES[1..4]), Err(StoreError::Full { .. })), "{room_bytes}");
            ledger.journal.capacity_bytes = None;
            ledger.record(&ENTRIES[4..5]).unwrap();
            assert_eq!(found(ledger.into_journal()), [ENTRIES[0], ENTRIES[4]], "{room_bytes}");
        }
    }

    #[test]
    fn a_crash_in_the_middle_of_a_write_leaves_all_entries_or_none() {
        for (keeps, tear, expected) in [(0, Tear::Clean, 1), (0, Tear::Torn, 1), (1, Tear::Clean, ENTRIES.len())] {
            let mut journal = SimulatedJournal::default();
            let mut record = Vec::new();
            for (entries, syncs) in [(&ENTRIES[..1], true), (&ENTRIES[1..], false)] {
                record.clear();
                Entry::encode_all(entries, &mut record);
                journal.append(&record).unwrap();
                if syncs {
                    journal.sync().unwrap();
                }
            }
            journal.crash(keeps, tear);
            assert_eq!(found(journal), ENTRIES[..expected], "{keeps} {tear:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_entries_are_an_error_that_says_where() {
        let mut two = Vec::new();
        Entry::encode_all(&ENTRIES[..2], &mut two);
        let check = |bytes: &[u8], expected| assert_eq!(Entry::decode_all(bytes), Err(expected));
        check(&[], DecodeError::Short { offset: 0, expected: 1, found: 0 });
        check(&two[..20], DecodeError::Short { offset: 18, expected: 8, found: 2 });
        two[17] = 99;
        check(&two, DecodeError::Tag { of: "ledger entry", offset: 17, found: 99 });
    }
}
