//! A journal in a plain file that grows at its end: the broker's log or ledger.
//!
//! Records are stored in frames ([`frame`]). Recovery checks all of them, removes a torn tail, and refuses a corrupt
//! record in the middle with its place. A sync makes all appended records durable.
//!
//! A file suits data that is only appended better than a database: one write and one sync for a group of records, and
//! nothing to repair after a kill. To drop records, a new file is written beside the old one and renamed, so that
//! an opening finds either the whole old file or the whole new one.
//!
//! Space is written with zeros ahead of the records. So a sync has no new length of the file to make durable, which takes a
//! transaction of the file system: 89 µs in place of 123 µs, by two loops of 3,000 over `write` of 100 bytes and `fdatasync` on
//! one disk. To recovery the zeros are a torn tail.
//!
//! An append whose place is taken by zeros is kept in memory, and the next sync writes all such records with one call of the
//! system. Where there was no room for zeros, it is written at once: so a full disk is reported by the append, definitely,
//! and the part of the frame that was written is removed.
//!
//! Left out: segments. The file is read as a whole when it is opened, and written as a whole when records are
//! dropped.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::{self, HEADER_BYTES};
use super::{Encode, Journal, RecoverError, StoreError};
use crate::sync::{AtomicU64, Ordering};

/// The fewest zeros that are written ahead, in bytes. More of them follow a longer file.
const AHEAD_MIN: u64 = 64 << 10;

/// The most zeros that are written ahead, in bytes.
const AHEAD_MAX: u64 = 1 << 20;

/// The most bytes of frames that wait to be written.
const BUFFER_MAX: usize = 256 << 10;

/// The capacity of a journal in bytes. All clones share it, and each may change it at any time.
#[derive(Clone, Debug)]
pub struct Room(Arc<AtomicU64>);

impl Default for Room {
    /// No limit but the disk's.
    fn default() -> Room {
        Room(Arc::new(AtomicU64::new(u64::MAX)))
    }
}

impl Room {
    /// Limits the journal to this many bytes from now on. Bytes that are there already stay.
    pub fn limit(&self, bytes: u64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A journal in a file, which is locked against other processes.
#[derive(Debug)]
pub struct FileJournal {
    path: PathBuf,
    file: File,
    room: Room,
    /// The frames that are not written yet: from `written` to `end`.
    buffer: Vec<u8>,
    written: u64,
    /// The offset at which the last record ends.
    end: u64,
    /// The length of the file. Behind the last record it has zeros.
    length: u64,
    synced: u64,
    /// The offsets at which the records end that are not synced.
    unsynced_ends: VecDeque<u64>,
    /// The number of records that were appended since the file was opened.
    appended: u64,
}

impl FileJournal {
    /// Opens the journal in this file, or creates it. Call [`recover`](Journal::recover) before anything else.
    pub fn open(path: &Path, room: Room) -> Result<FileJournal, StoreError> {
        let is_new = !path.exists();
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = file.map_err(failed("open its file"))?;
        lock(&file)?;
        if !is_at(&file, path).map_err(failed("open its file"))? {
            return Err(failed("lock its file")(io::Error::other("another process has just rewritten it")));
        }
        // A crash may have left an unfinished rewrite.
        match fs::remove_file(beside(path)) {
            Err(why) if why.kind() != ErrorKind::NotFound => return Err(failed("remove an unfinished rewrite")(why)),
            Ok(()) | Err(_) => {}
        }
        if is_new {
            sync_directory(path)?;
        }
        Ok(FileJournal {
            path: path.to_owned(),
            file,
            room,
            buffer: Vec::new(),
            written: 0,
            end: 0,
            length: 0,
            synced: 0,
            unsynced_ends: VecDeque::new(),
            appended: 0,
        })
    }

    /// Ends as a crash would, after which the first `keeps` of the unsynced records survive (all, if there are
    /// fewer).
    pub fn crash(mut self, keeps: u64) -> Result<(), StoreError> {
        let kept = usize::try_from(keeps).unwrap_or(usize::MAX).min(self.unsynced_ends.len());
        let end = kept.checked_sub(1).map_or(self.synced, |last| self.unsynced_ends[last]);
        self.write_out()?;
        self.truncate(end).map_err(failed("lose what was not synced"))
    }

    /// The capacity of the journal.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Gives all appended records to the operating system. After an error it is not known how many of them it has.
    pub fn write_out(&mut self) -> Result<(), StoreError> {
        self.write().map_err(failed("append"))
    }

    /// A handle to sync the file on another thread. Call [`write_out`](FileJournal::write_out) before the sync, and
    /// [`synced_more`](FileJournal::synced_more) after it.
    pub fn syncs(&self) -> Result<File, StoreError> {
        self.file.try_clone().map_err(failed("share its file"))
    }

    /// The number of records that were appended since the file was opened.
    pub fn appended_records(&self) -> u64 {
        self.appended
    }

    /// The number of durable records among those that were appended since the file was opened.
    pub fn synced_records(&self) -> u64 {
        self.appended - self.unsynced_ends.len() as u64
    }

    /// Records that a sync made the oldest `records` of the unsynced records durable.
    pub fn synced_more(&mut self, records: usize) {
        let count = records.min(self.unsynced_ends.len());
        self.synced = self.unsynced_ends.drain(..count).next_back().unwrap_or(self.synced);
    }

    fn truncate(&mut self, end: u64) -> io::Result<()> {
        self.file.set_len(end)?;
        self.file.sync_data()?;
        self.buffer.clear();
        (self.written, self.end, self.length) = (end, end, end);
        Ok(())
    }

    /// Writes zeros up to beyond this offset, where the file ends before it. False: there is no room for them, and nothing was
    /// done.
    fn reserve(&mut self, needed: u64) -> io::Result<bool> {
        if needed <= self.length {
            return Ok(true);
        }
        let ahead = (self.end / 8).clamp(AHEAD_MIN, AHEAD_MAX);
        let length = (needed + ahead).min(self.room.bytes());
        let zeros = vec![0; (length - self.length) as usize];
        match write_at(&self.file, &zeros, self.length) {
            Ok(()) => self.length = length,
            Err(_) => self.file.set_len(self.length)?,
        }
        Ok(needed <= self.length)
    }

    /// Writes the frames that wait.
    fn write(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            write_at(&self.file, &self.buffer, self.written)?;
            self.written += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes records into a new file beside the journal, durably. Returns the file and its length.
    fn write_beside(&self, records: impl IntoIterator<Item = impl Encode>) -> Result<(File, u64), StoreError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(beside(&self.path));
        let file = file.map_err(failed("begin to rewrite its file"))?;
        lock(&file)?;
        let capacity = self.room.bytes();
        let (mut end, mut bytes, mut writer) = (0_u64, Vec::new(), BufWriter::new(&file));
        for record in records {
            bytes.clear();
            frame::write(&mut bytes, record);
            end += bytes.len() as u64;
            if end > capacity {
                return Err(StoreError::Full { needed: end, free: capacity, capacity });
            }
            writer.write_all(&bytes).map_err(|why| full_or_failed(why, end, self.end, "rewrite its file"))?;
        }
        let written = writer.flush().and_then(|()| file.sync_data());
        drop(writer);
        written.map_err(|why| full_or_failed(why, end, self.end, "rewrite its file"))?;
        Ok((file, end))
    }
}

/// Writes what is left to be written, and removes the zeros. A process that is killed leaves them, and the next opening removes
/// them.
impl Drop for FileJournal {
    fn drop(&mut self) {
        // What it cannot write was not synced.
        let _ = self.write();
        if self.length > self.written {
            // If it fails they are a torn tail like any other.
            let _ = self.file.set_len(self.written);
        }
    }
}

/// Writes all of these bytes at this offset.
#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

/// Writes all of these bytes at this offset.
#[cfg(not(unix))]
fn write_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}

/// The path of the new file of a rewrite.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn lock(file: &File) -> Result<(), StoreError> {
    file.try_lock().map_err(|refused| match refused {
        TryLockError::Error(why) => failed("lock its file")(why),
        TryLockError::WouldBlock => failed("lock its file")(io::Error::other("another process has it open")),
    })
}

/// Whether this open file is the one at the path: the last owner of the lock may have renamed another file over it.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (held, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((held.dev(), held.ino()) == (there.dev(), there.ino()))
}

/// On this system a file that is open cannot be replaced, so it is always the one at the path.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> io::Result<bool> {
    Ok(true)
}

/// Syncs the directory, so that the file's name is durable.
fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(failed("make its file durable"))
}

/// The error of a write that left the journal as it was: a lack of room is definite.
fn full_or_failed(why: io::Error, needed: u64, capacity: u64, what: &'static str) -> StoreError {
    match why.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            StoreError::Full { needed, free: 0, capacity }
        }
        _ => failed(what)(why),
    }
}

impl Journal for FileJournal {
    fn append(&mut self, record: &[u8]) -> Result<(), StoreError> {
        let needed = (HEADER_BYTES + record.len()) as u64;
        let capacity = self.room.bytes();
        if self.end.saturating_add(needed) > capacity {
            return Err(StoreError::Full { needed, free: capacity.saturating_sub(self.end), capacity });
        }
        let is_reserved = self.reserve(self.end + needed).map_err(failed("make room in its file"))?;
        if !is_reserved {
            self.write_out()?;
        }
        frame::write(&mut self.buffer, record);
        if !is_reserved && let Err(why) = self.write() {
            // A part of the frame may be written. It is removed, as it would look like a torn tail with records after it.
            self.buffer.clear();
            self.file.set_len(self.end).map_err(failed("cut off what was written in part"))?;
            self.length = self.end;
            return Err(full_or_failed(why, needed, self.end, "append"));
        }
        self.end += needed;
        self.length = self.length.max(self.end);
        self.appended += 1;
        self.unsynced_ends.push_back(self.end);
        if self.buffer.len() > BUFFER_MAX { self.write_out() } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        if !self.unsynced_ends.is_empty() {
            self.write_out()?;
            self.file.sync_data().map_err(failed("sync"))?;
            self.synced_more(usize::MAX);
        }
        Ok(())
    }

    fn rewrite(&mut self, records: impl IntoIterator<Item = impl Encode>) -> Result<(), StoreError> {
        let (file, end) = match self.write_beside(records) {
            Ok(written) => written,
            Err(why) => {
                // If the removal fails, the next opening removes the file.
                let _ = fs::remove_file(beside(&self.path));
                return Err(why);
            }
        };
        fs::rename(beside(&self.path), &self.path).map_err(failed("put its new file in place"))?;
        sync_directory(&self.path)?;
        (self.file, self.written, self.end, self.length, self.synced) = (file, end, end, end, end);
        self.buffer.clear();
        self.unsynced_ends.clear();
        Ok(())
    }

    fn recover(&mut self) -> Result<Vec<Vec<u8>>, RecoverError> {
        let mut bytes = Vec::new();
        self.write_out()?;
        self.file.seek(SeekFrom::Start(0)).map_err(failed("read"))?;
        self.file.read_to_end(&mut bytes).map_err(failed("read"))?;
        let recovered = frame::recover(&bytes)?;
        self.truncate(recovered.intact_bytes as u64).map_err(failed("cut off a torn tail"))?;
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

    /// Checks what is recovered of three records after a change of their file.
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
            assert_eq!(fs::metadata(&path).unwrap().len(), intact as u64, "what was removed stays removed");
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
    fn a_rewrite_that_did_not_come_to_its_end_is_no_part_of_the_journal_and_goes() {
        let (directory, path) = place();
        let mut journal = open(&path);
        journal.append(RECORDS[0]).unwrap();
        journal.sync().unwrap();
        drop(journal);
        let unfinished = directory.path().join("journal.new");
        fs::write(&unfinished, b"the machine failed here").unwrap();
        let mut journal = open(&path);
        assert_eq!(journal.recover().unwrap(), RECORDS[..1]);
        assert!(!unfinished.exists());
        journal.room().limit(4);
        assert!(matches!(journal.rewrite([RECORDS[1].to_vec()]), Err(StoreError::Full { needed: 11, .. })));
        assert!(!unfinished.exists(), "nor does what found no room stay");
    }

    #[test]
    fn what_was_rewritten_is_the_journal_for_everybody_who_appends_syncs_or_opens_it() {
        let (_directory, path) = place();
        let mut journal = open(&path);
        RECORDS[..2].iter().for_each(|record| journal.append(record).unwrap());
        assert_eq!(journal.synced_records(), 0);
        journal.rewrite([RECORDS[1].to_vec()]).unwrap();
        assert_eq!(journal.synced_records(), 2, "what was appended before is behind it");
        journal.append(RECORDS[2]).unwrap();
        assert_eq!(journal.synced_records(), 2);
        let locked = FileJournal::open(&path, Room::default()).map(drop);
        assert!(matches!(locked, Err(StoreError::Failed { what: "lock its file", .. })), "{locked:?}");
        journal.write_out().unwrap();
        journal.syncs().unwrap().sync_data().unwrap();
        journal.synced_more(1);
        journal.crash(0).unwrap();
        assert_eq!(open(&path).recover().unwrap(), RECORDS[1..]);
    }

    #[test]
    fn zeros_ahead_of_the_records_are_none_and_are_written_once() {
        let (_directory, path) = place();
        let mut journal = open(&path);
        journal.append(RECORDS[0]).unwrap();
        let length = fs::metadata(&path).unwrap().len();
        assert!(length > AHEAD_MIN);
        journal.append(RECORDS[1]).unwrap();
        journal.sync().unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.len() as u64, length, "the second record takes the place of zeros");
        drop(journal);
        assert_eq!(fs::metadata(&path).unwrap().len(), 2 * (HEADER_BYTES as u64 + 3));
        // What a process leaves that was killed.
        fs::write(&path, bytes).unwrap();
        let mut journal = open(&path);
        assert_eq!(journal.recover().unwrap(), RECORDS[..2]);
        journal.append(RECORDS[2]).unwrap();
        journal.sync().unwrap();
        drop(journal);
        assert_eq!(open(&path).recover().unwrap(), RECORDS);
    }

    #[test]
    fn what_waits_to_be_written_is_written_by_a_sync_a_handover_a_crash_a_drop_or_when_it_is_much() {
        let written = |end: fn(FileJournal) -> Option<FileJournal>| {
            let (_directory, path) = place();
            let mut journal = open(&path);
            RECORDS.iter().for_each(|record| journal.append(record).unwrap());
            assert!(fs::read(&path).unwrap().iter().all(|byte| *byte == 0), "zeros, and no record yet");
            let kept = end(journal);
            // Before the journal is dropped, which would write.
            let records = frame::recover(&fs::read(&path).unwrap()).unwrap().records;
            drop(kept);
            records
        };
        let all = RECORDS.map(<[u8]>::to_vec);
        assert_eq!(written(|mut journal| journal.sync().map(|()| Some(journal)).unwrap()), all);
        assert_eq!(written(|mut journal| journal.write_out().map(|()| Some(journal)).unwrap()), all);
        assert_eq!(written(|journal| journal.crash(2).map(|()| None).unwrap()), all[..2]);
        assert_eq!(written(|journal| Some(journal).filter(|_| false)), all);
        let (_directory, path) = place();
        let mut journal = open(&path);
        let record = vec![7; 1000];
        (0..=BUFFER_MAX / record.len()).for_each(|_| journal.append(&record).unwrap());
        assert_eq!(frame::recover(&fs::read(&path).unwrap()).unwrap().records[0], record);
    }

    #[test]
    fn no_more_zeros_are_written_than_there_is_room() {
        let (_directory, path) = place();
        let room = Room::default();
        let mut journal = FileJournal::open(&path, room.clone()).unwrap();
        room.limit(14);
        journal.append(RECORDS[0]).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), 14);
    }

    #[test]
    fn records_appended_while_a_sync_was_on_its_way_are_not_taken_for_durable() {
        let (_directory, path) = place();
        let mut journal = open(&path);
        RECORDS.iter().for_each(|record| journal.append(record).unwrap());
        journal.write_out().unwrap();
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
