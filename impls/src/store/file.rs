//! A journal as a plain file that grows at its end: the broker's log and ledger.
//!
//! Records stand in frames ([`frame`]), so that recovery checks every one of them, cuts off a torn tail, and refuses a
//! corrupt middle with its place. An append is given to the operating system at once: a disk that is full says so then,
//! definitely, and what it took of the frame is cut off again. A sync makes everything that was appended durable.
//!
//! A file suits what is only ever appended better than a database does: one write and one sync for a group of records,
//! and nothing to repair after a kill.
//!
//! Left out: segments and retention; the file is read as a whole when it is opened.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use super::frame::{self, HEADER_BYTES};
use super::{Journal, RecoverError, StoreError};
use crate::sync::{AtomicU64, Ordering};

/// How many bytes a journal may take. Whoever holds a clone may change it at any time.
#[derive(Clone, Debug)]
pub struct Room(Arc<AtomicU64>);

impl Default for Room {
    /// As much as the disk has.
    fn default() -> Room {
        Room(Arc::new(AtomicU64::new(u64::MAX)))
    }
}

impl Room {
    /// At most so many bytes from now on. What is there already stays.
    pub fn limit(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A journal in a file, which nobody else may open meanwhile.
#[derive(Debug)]
pub struct FileJournal {
    file: File,
    room: Room,
    bytes: Vec<u8>,
    /// Where the last record ends.
    end: u64,
    synced: u64,
    /// Where each record ends that is not synced.
    unsynced_ends: VecDeque<u64>,
}

impl FileJournal {
    /// Opens the journal in this file, and makes it if there is none. [`recover`](Journal::recover) it before anything
    /// else.
    pub fn open(path: &Path, room: Room) -> Result<FileJournal, StoreError> {
        let is_new = !path.exists();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(failed("open its file"))?;
        file.try_lock().map_err(|refused| match refused {
            TryLockError::Error(why) => failed("lock its file")(why),
            TryLockError::WouldBlock => failed("lock its file")(io::Error::other("another process has it open")),
        })?;
        if let Some(directory) = path.parent().filter(|_| is_new) {
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(failed("make its file durable"))?;
        }
        Ok(FileJournal { file, room, bytes: Vec::new(), end: 0, synced: 0, unsynced_ends: VecDeque::new() })
    }

    /// Ends as a crash would that let so many of the unsynced records survive, or all there are.
    pub fn crash(mut self, keeps: u64) -> Result<(), StoreError> {
        let kept = usize::try_from(keeps).unwrap_or(usize::MAX).min(self.unsynced_ends.len());
        let end = kept.checked_sub(1).map_or(self.synced, |last| self.unsynced_ends[last]);
        self.cut(end).map_err(failed("lose what was not synced"))
    }

    /// How much it may take.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// A handle to sync the file by, beside the appends: tell [`synced_more`](FileJournal::synced_more) afterwards.
    pub fn syncs(&self) -> Result<File, StoreError> {
        self.file.try_clone().map_err(failed("share its file"))
    }

    /// The oldest so many records that were appended before a sync began are durable.
    pub fn synced_more(&mut self, records: usize) {
        let count = records.min(self.unsynced_ends.len());
        self.synced = self.unsynced_ends.drain(..count).next_back().unwrap_or(self.synced);
    }

    fn cut(&mut self, end: u64) -> io::Result<()> {
        self.file.set_len(end)?;
        self.file.sync_data()?;
        self.end = end;
        Ok(())
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&self.bytes)
    }
}

impl Journal for FileJournal {
    fn append(&mut self, record: &[u8]) -> Result<(), StoreError> {
        let needed = (HEADER_BYTES + record.len()) as u64;
        let capacity = self.room.bytes();
        let full = |capacity: u64, end| StoreError::Full { needed, free: capacity.saturating_sub(end), capacity };
        if self.end.saturating_add(needed) > capacity {
            return Err(full(capacity, self.end));
        }
        self.bytes.clear();
        frame::write(&mut self.bytes, record);
        if let Err(why) = self.write() {
            let is_full =
                matches!(why.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge);
            // A part of the frame may have been written, and must not be taken for a torn tail with records behind it.
            self.file.set_len(self.end).map_err(failed("cut off what was written in part"))?;
            return Err(if is_full { full(self.end, self.end) } else { failed("append")(why) });
        }
        self.end += needed;
        self.unsynced_ends.push_back(self.end);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        if !self.unsynced_ends.is_empty() {
            self.file.sync_data().map_err(failed("sync"))?;
            self.synced_more(usize::MAX);
        }
        Ok(())
    }

    fn recover(&mut self) -> Result<Vec<Vec<u8>>, RecoverError> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0)).map_err(failed("read"))?;
        self.file.read_to_end(&mut bytes).map_err(failed("read"))?;
        let recovered = frame::recover(&bytes)?;
        self.cut(recovered.intact_bytes as u64).map_err(failed("cut off a torn tail"))?;
        self.unsynced_ends.clear();
        self.synced = self.end;
        Ok(recovered.records)
    }
}

fn failed(what: &'static str) -> impl Fn(io::Error) -> StoreError {
    move |why| StoreError::Failed { what, why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    const RECORDS: [&[u8]; 3] = [b"one", b"two", b"three"];

    fn place() -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        (directory, path)
    }

    fn open(path: &Path) -> FileJournal {
        FileJournal::open(path, Room::default()).unwrap()
    }

    /// What is recovered of three records after their file was changed.
    fn check(change: impl FnOnce(&mut Vec<u8>), expected: Result<&[&[u8]], RecoverError>) {
        let (_directory, path) = place();
        let mut journal = open(&path);
        RECORDS.iter().for_each(|record| journal.append(record).unwrap());
        journal.sync().unwrap();
        drop(journal);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(&path, bytes).unwrap();
        let found = open(&path).recover();
        let expected = expected.map(|records| records.iter().map(|record| record.to_vec()).collect::<Vec<_>>());
        assert_eq!(found, expected);
        if let Ok(records) = &expected {
            let intact: usize = records.iter().map(|record| HEADER_BYTES + record.len()).sum();
            assert_eq!(fs::metadata(&path).unwrap().len(), intact as u64, "what was cut off is gone for good");
        }
    }

    #[test]
    fn a_torn_tail_is_cut_off_and_a_corrupt_middle_refused_with_its_place() {
        let frame = HEADER_BYTES + 3;
        check(|_| (), Ok(&RECORDS));
        check(|bytes| bytes.truncate(2 * frame + 4), Ok(&RECORDS[..2]));
        check(|bytes| bytes.truncate(2 * frame + HEADER_BYTES + 4), Ok(&RECORDS[..2]));
        check(|bytes| bytes.extend([0; 100]), Ok(&RECORDS));
        check(|bytes| bytes[2 * frame] ^= 1, Ok(&RECORDS[..2]));
        check(|bytes| bytes[frame + HEADER_BYTES] ^= 1, Err(RecoverError::Corrupt { record: 1, offset: frame as u64 }));
        check(|bytes| bytes[0] ^= 1, Err(RecoverError::Corrupt { record: 0, offset: 0 }));
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_as_many_of_the_others_as_it_lets() {
        let check = |keeps, expected: &[&[u8]]| {
            let (_directory, path) = place();
            let mut journal = open(&path);
            journal.append(RECORDS[0]).unwrap();
            journal.sync().unwrap();
            RECORDS[1..].iter().for_each(|record| journal.append(record).unwrap());
            journal.crash(keeps).unwrap();
            assert_eq!(open(&path).recover().unwrap(), expected, "{keeps}");
        };
        check(0, &RECORDS[..1]);
        check(1, &RECORDS[..2]);
        check(9, &RECORDS);
    }

    #[test]
    fn records_appended_while_a_sync_was_on_its_way_are_not_taken_for_durable() {
        let (_directory, path) = place();
        let mut journal = open(&path);
        RECORDS.iter().for_each(|record| journal.append(record).unwrap());
        journal.syncs().unwrap().sync_data().unwrap();
        journal.synced_more(2);
        journal.crash(0).unwrap();
        assert_eq!(open(&path).recover().unwrap(), RECORDS[..2]);
    }

    #[test]
    fn a_full_journal_refuses_definitely_and_takes_records_again_when_there_is_room() {
        let (_directory, path) = place();
        let room = Room::default();
        let mut journal = FileJournal::open(&path, room.clone()).unwrap();
        journal.append(RECORDS[0]).unwrap();
        journal.sync().unwrap();
        room.limit(14);
        assert_eq!(journal.append(RECORDS[1]), Err(StoreError::Full { needed: 11, free: 3, capacity: 14 }));
        room.limit(22);
        journal.append(RECORDS[1]).unwrap();
        room.limit(5);
        assert_eq!(journal.append(RECORDS[2]), Err(StoreError::Full { needed: 13, free: 0, capacity: 5 }));
        journal.sync().unwrap();
        drop(journal);
        assert_eq!(open(&path).recover().unwrap(), RECORDS[..2]);
    }
}
