//! A producer's outbox as a journal of its changes, with the rows in memory.
//!
//! An outbox is short: it has what is not confirmed yet. So all of it is in memory, each change is a record at the end of a
//! [`Journal`], and a call is one append and one sync. What a long journal says beyond the rows is dropped by a rewrite.
//! A transaction of redb that writes a row into each of three tables took 190 µs on the disk where an append of 100 bytes into
//! zeros and `fdatasync` took 90 µs: two loops of 3,000 in one release build, three times in turn. redb writes seven pages.
//!
//! A record is `O`, a version, and entries: a tag and fixed-width fields, little-endian, a payload with its length in front.
//!
//! ```
//! use delivery_impls::data::record::Payload;
//! use delivery_impls::store::OutboxStore;
//! use delivery_impls::store::outbox::FileOutbox;
//! use delivery_model::vocab::{Epoch, MessageId};
//!
//! let directory = tempfile::tempdir().unwrap();
//! let path = directory.path().join("outbox");
//! let mut outbox = FileOutbox::open(&path).unwrap();
//! outbox.recover().unwrap();
//! outbox.begin(Epoch(0)).unwrap();
//! outbox.insert(MessageId(7), &Payload::from(*b"an order"), Some(0)).unwrap();
//! drop(outbox); // the process ends, in whatever way
//!
//! let left = FileOutbox::open(&path).unwrap().recover().unwrap();
//! assert_eq!((left.rows[0].message, left.next_number), (MessageId(7), 1));
//! ```

use std::path::Path;

use delivery_model::vocab::{Epoch, MessageId};

use super::file::{FileJournal, Room};
use super::{Journal, OutboxContents, OutboxRow, OutboxStore, RecoverError, StoreError};
use crate::data::record::{DecodeError, Payload, Reader};
use crate::data::small_map::SmallMap;

const KIND: u8 = b'O';
const VERSION: u8 = 1;

/// The bytes of records from which on a rewrite is worth its time.
const LONG: usize = 1 << 20;

/// The bytes at which a record ends, so that it stays far below the longest.
const RECORD_BYTES: usize = 256 << 10;

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowChange {
    /// The row of [`OutboxStore::insert`].
    Insert(OutboxRow),
    /// The message of [`OutboxStore::delete`].
    Delete(MessageId),
}

/// An outbox in a file.
pub type FileOutbox = JournaledOutbox<FileJournal>;

/// An outbox in a journal. [`recover`](OutboxStore::recover) it before anything else.
#[derive(Clone, Debug, Default)]
pub struct JournaledOutbox<J> {
    journal: J,
    kept: Kept,
    /// The bytes of records since the last rewrite, and of the records that it wrote.
    bytes: usize,
    rewritten: usize,
}

/// The contents of an outbox, with its rows by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Kept {
    pub epoch: Option<Epoch>,
    pub session: Epoch,
    pub next_number: u64,
    pub position: MessageId,
    pub rows: SmallMap<MessageId, (Payload, Option<u64>)>,
}

/// An entry of a record.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Insert {
        message: MessageId,
        payload: &'a [u8],
        number: Option<u64>,
    },
    Delete(MessageId),
    Begin(Epoch),
    Advance(MessageId),
    /// All but the rows.
    Counters {
        epoch: Option<Epoch>,
        session: Epoch,
        next_number: u64,
        position: MessageId,
    },
}

impl FileOutbox {
    /// Opens the outbox in this file, or creates it.
    pub fn open(path: &Path) -> Result<FileOutbox, StoreError> {
        FileJournal::open(path, Room::default()).map(JournaledOutbox::new)
    }
}

impl<J: Journal> JournaledOutbox<J> {
    /// The outbox in this journal.
    pub fn new(journal: J) -> Self {
        JournaledOutbox { journal, kept: Kept::default(), bytes: 0, rewritten: 0 }
    }

    /// The journal.
    pub fn into_journal(self) -> J {
        self.journal
    }

    /// Makes these changes, in this order. They are durable when it returns.
    pub fn change_rows(&mut self, changes: &[RowChange]) -> Result<(), StoreError> {
        self.change(changes.iter().map(Entry::of))
    }

    fn change<'a>(&mut self, entries: impl Iterator<Item = Entry<'a>> + Clone) -> Result<(), StoreError> {
        let mut records = Records::default();
        entries.clone().for_each(|entry| records.add(&entry));
        match &records.into_records()[..] {
            [] => return Ok(()),
            [record] => {
                self.journal.append(record)?;
                self.journal.sync()?;
                self.bytes += record.len();
                entries.for_each(|entry| self.kept.take(entry));
            }
            // Several could be stored in part. A rewrite is whole or not at all.
            _ => {
                let mut kept = self.kept.clone();
                entries.for_each(|entry| kept.take(entry));
                return self.rewrite(kept);
            }
        }
        if self.bytes > LONG.max(4 * self.rewritten) {
            // Without room for it, it is tried again when as much has come once more.
            self.bytes = 0;
            return self.rewrite(self.kept.clone()).or_else(|why| if why.is_definite() { Ok(()) } else { Err(why) });
        }
        Ok(())
    }

    fn rewrite(&mut self, kept: Kept) -> Result<(), StoreError> {
        let records = kept.records();
        let bytes = records.iter().map(Vec::len).sum();
        self.journal.rewrite(records)?;
        (self.kept, self.bytes, self.rewritten) = (kept, 0, bytes);
        Ok(())
    }
}

impl<J: Journal> OutboxStore for JournaledOutbox<J> {
    fn recover(&mut self) -> Result<OutboxContents, RecoverError> {
        let records = self.journal.recover()?;
        self.kept = Kept::default();
        for (number, record) in (0..).zip(&records) {
            let undecodable = |why| RecoverError::Undecodable { record: number, why };
            self.kept.take_record(record).map_err(undecodable)?;
        }
        self.bytes = records.iter().map(Vec::len).sum();
        Ok(self.kept.contents())
    }

    fn begin(&mut self, epoch: Epoch) -> Result<(), StoreError> {
        self.change([Entry::Begin(epoch)].into_iter())
    }

    /// Once in a while, as it changes all rows: the journal is rewritten.
    fn renew(&mut self, epoch: Epoch, numbers: &[(MessageId, u64)]) -> Result<(), StoreError> {
        let mut kept = self.kept.clone();
        kept.renew(epoch, numbers);
        self.rewrite(kept)
    }

    fn advance(&mut self, position: MessageId) -> Result<(), StoreError> {
        self.change([Entry::Advance(position)].into_iter())
    }

    fn insert(&mut self, message: MessageId, payload: &Payload, number: Option<u64>) -> Result<(), StoreError> {
        self.change([Entry::Insert { message, payload, number }].into_iter())
    }

    fn delete(&mut self, message: MessageId) -> Result<(), StoreError> {
        self.change([Entry::Delete(message)].into_iter())
    }
}

impl Kept {
    fn take(&mut self, entry: Entry<'_>) {
        match entry {
            Entry::Insert { message, payload, number } => self.insert(message, payload.into(), number),
            Entry::Delete(message) => drop(self.rows.remove(&message)),
            Entry::Begin(epoch) => self.epoch = Some(epoch),
            Entry::Advance(position) => self.position = position,
            Entry::Counters { epoch, session, next_number, position } => {
                (self.epoch, self.session, self.next_number, self.position) = (epoch, session, next_number, position);
            }
        }
    }

    /// As [`OutboxStore::insert`].
    pub fn insert(&mut self, message: MessageId, payload: Payload, number: Option<u64>) {
        self.rows.insert(message, (payload, number));
        self.next_number = number.map_or(self.next_number, |number| number + 1);
    }

    /// As [`OutboxStore::renew`].
    pub fn renew(&mut self, epoch: Epoch, numbers: &[(MessageId, u64)]) {
        (self.epoch, self.session) = (Some(epoch), epoch);
        self.next_number = numbers.iter().map(|(_, number)| number + 1).max().unwrap_or(0);
        self.rows.values_mut().for_each(|(_, number)| *number = None);
        for (message, number) in numbers {
            if let Some((_, its)) = self.rows.get_mut(message) {
                *its = Some(*number);
            }
        }
    }

    /// As [`OutboxStore::recover`] gives it.
    pub fn contents(&self) -> OutboxContents {
        let row = |(message, (payload, number)): (MessageId, &(Payload, Option<u64>))| OutboxRow {
            message,
            payload: payload.clone(),
            number: *number,
        };
        let Kept { epoch, session, next_number, position, ref rows } = *self;
        OutboxContents { epoch, session, next_number, position, rows: rows.iter().map(row).collect() }
    }

    /// The records of a journal that says this and no more. The counters come last, as rows change them.
    fn records(&self) -> Vec<Vec<u8>> {
        let mut records = Records::default();
        for (message, (payload, number)) in self.rows.iter() {
            records.add(&Entry::Insert { message, payload, number: *number });
        }
        let Kept { epoch, session, next_number, position, .. } = *self;
        records.add(&Entry::Counters { epoch, session, next_number, position });
        records.into_records()
    }

    fn take_record(&mut self, record: &[u8]) -> Result<(), DecodeError> {
        let mut reader = Reader::new(record);
        reader.tag("a record of an outbox", KIND)?;
        reader.tag("the version of an outbox", VERSION)?;
        while reader.end().is_err() {
            let entry = Entry::decode(&mut reader)?;
            self.take(entry);
        }
        Ok(())
    }
}

impl<'a> Entry<'a> {
    fn of(change: &'a RowChange) -> Self {
        match *change {
            RowChange::Insert(OutboxRow { message, ref payload, number }) => Entry::Insert { message, payload, number },
            RowChange::Delete(message) => Entry::Delete(message),
        }
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        match *self {
            Entry::Insert { message, payload, number } => {
                bytes.push(if number.is_some() { 1 } else { 2 });
                bytes.extend(message.0.to_le_bytes());
                bytes.extend(number.into_iter().flat_map(u64::to_le_bytes));
                bytes.extend((payload.len() as u32).to_le_bytes());
                bytes.extend_from_slice(payload);
            }
            Entry::Delete(message) => {
                bytes.push(3);
                bytes.extend(message.0.to_le_bytes());
            }
            Entry::Begin(epoch) => {
                bytes.push(4);
                bytes.extend(epoch.0.to_le_bytes());
            }
            Entry::Advance(position) => {
                bytes.push(5);
                bytes.extend(position.0.to_le_bytes());
            }
            Entry::Counters { epoch, session, next_number, position } => {
                bytes.push(if epoch.is_some() { 6 } else { 7 });
                bytes.extend(epoch.into_iter().flat_map(|epoch| epoch.0.to_le_bytes()));
                bytes.extend(session.0.to_le_bytes());
                bytes.extend(next_number.to_le_bytes());
                bytes.extend(position.0.to_le_bytes());
            }
        }
    }

    fn decode(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let offset = reader.offset();
        Ok(match reader.u8()? {
            tag @ (1 | 2) => {
                let message = MessageId(reader.u64()?);
                let number = if tag == 1 { Some(reader.u64()?) } else { None };
                let length = reader.u32()?;
                Entry::Insert { message, payload: reader.bytes(length as usize)?, number }
            }
            3 => Entry::Delete(MessageId(reader.u64()?)),
            4 => Entry::Begin(Epoch(reader.u32()?)),
            5 => Entry::Advance(MessageId(reader.u64()?)),
            tag @ (6 | 7) => Entry::Counters {
                epoch: if tag == 6 { Some(Epoch(reader.u32()?)) } else { None },
                session: Epoch(reader.u32()?),
                next_number: reader.u64()?,
                position: MessageId(reader.u64()?),
            },
            found => return Err(DecodeError::Tag { of: "an outbox's entry", offset, found }),
        })
    }
}

/// Records that are being written.
#[derive(Default)]
struct Records {
    whole: Vec<Vec<u8>>,
    last: Vec<u8>,
}

impl Records {
    fn add(&mut self, entry: &Entry<'_>) {
        if self.last.is_empty() {
            self.last.extend([KIND, VERSION]);
        }
        entry.encode(&mut self.last);
        if self.last.len() >= RECORD_BYTES {
            self.whole.push(std::mem::take(&mut self.last));
        }
    }

    fn into_records(mut self) -> Vec<Vec<u8>> {
        if !self.last.is_empty() {
            self.whole.push(self.last);
        }
        self.whole
    }
}

#[cfg(test)]
mod tests {
    use super::super::simulated::{SimulatedJournal, Tear};
    use super::*;

    fn row(message: u64, bytes: usize) -> RowChange {
        let payload = vec![message as u8; bytes].into();
        RowChange::Insert(OutboxRow { message: MessageId(message), payload, number: Some(message) })
    }

    fn outbox() -> JournaledOutbox<SimulatedJournal> {
        let mut outbox = JournaledOutbox::new(SimulatedJournal::default());
        outbox.recover().unwrap();
        outbox
    }

    #[test]
    fn a_power_loss_takes_nothing_that_a_call_made_durable() {
        let mut outbox = outbox();
        outbox.begin(Epoch(3)).unwrap();
        outbox.change_rows(&[row(1, 5), row(2, 5), RowChange::Delete(MessageId(1))]).unwrap();
        let expected = outbox.kept.contents();
        let mut journal = outbox.into_journal();
        journal.crash(0, Tear::Torn);
        assert_eq!(JournaledOutbox::new(journal).recover(), Ok(expected));
    }

    #[test]
    fn changes_that_find_no_room_leave_everything_as_it_was() {
        let mut outbox = outbox();
        outbox.insert(MessageId(1), &Payload::from(*b"one"), Some(0)).unwrap();
        let before = outbox.kept.contents();
        outbox.journal.capacity_bytes = Some(100);
        // One record, and several.
        for changes in [vec![row(2, 200)], (2..6).map(|message| row(message, 200 << 10)).collect()] {
            assert!(outbox.change_rows(&changes).is_err_and(|why| why.is_definite()));
            assert_eq!(outbox.kept.contents(), before);
        }
        assert_eq!(outbox.recover(), Ok(before));
    }

    #[test]
    fn more_than_fits_one_record_is_stored_as_a_whole() {
        let mut outbox = outbox();
        let changes: Vec<RowChange> = (1..=8).map(|message| row(message, 200 << 10)).collect();
        outbox.change_rows(&changes).unwrap();
        let contents = JournaledOutbox::new(outbox.into_journal()).recover().unwrap();
        assert_eq!((contents.rows.len(), contents.next_number), (8, 9));
    }

    #[test]
    fn a_long_journal_is_rewritten_to_what_its_rows_say() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("outbox");
        let mut outbox = FileOutbox::open(&path).unwrap();
        outbox.recover().unwrap();
        outbox.begin(Epoch(2)).unwrap();
        outbox.advance(MessageId(9)).unwrap();
        for message in 1..400 {
            outbox.change_rows(&[row(message, 8 << 10), RowChange::Delete(MessageId(message - 1))]).unwrap();
        }
        let expected = outbox.kept.contents();
        drop(outbox);
        let length = std::fs::metadata(&path).unwrap().len();
        assert!(length < 2 * LONG as u64, "{length} bytes, of 3.2 million that were written");
        assert_eq!(FileOutbox::open(&path).unwrap().recover(), Ok(expected));
    }

    #[test]
    fn a_record_that_is_none_of_an_outbox_is_refused_with_its_place() {
        for (record, says) in [
            (&b"X\x01"[..], "record 1 cannot be read: unknown tag 88 of a record of an outbox at offset 0"),
            (b"O\x02", "record 1 cannot be read: unknown tag 2 of the version of an outbox at offset 1"),
            (b"O\x01\x63", "record 1 cannot be read: unknown tag 99 of an outbox's entry at offset 2"),
            (b"O\x01\x03\x07", "record 1 cannot be read: expected 8 more bytes at offset 3, found 1"),
        ] {
            let mut outbox = outbox();
            outbox.begin(Epoch(0)).unwrap();
            outbox.journal.append(record).unwrap();
            outbox.journal.sync().unwrap();
            assert_eq!(outbox.recover().unwrap_err().to_string(), says);
        }
    }
}
