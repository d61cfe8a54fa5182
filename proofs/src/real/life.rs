//! The life of a party in its directory: whether the life before it ended in a crash, and the lock that allows one
//! life at a time.
//!
//! A file beside the stores says `running` while the party runs, and `ended` after it has ended by itself. If the
//! file says `running` and is not locked, the last life ended in a crash. The system releases the lock when a process
//! ends, for whatever reason.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

const RUNNING: &[u8] = b"running\n";
const ENDED: &[u8] = b"ended\n";

/// The life of a party. The file is locked while this value exists.
pub(super) struct Life {
    file: File,
    crashed_before: bool,
}

impl Life {
    /// The path of the file for the party of this name.
    pub fn path(directory: &Path, name: &str) -> PathBuf {
        directory.join(format!("{name}.life"))
    }

    /// Begins a life. Fails with `WouldBlock` if another process holds the lock.
    pub fn begin(path: &Path) -> io::Result<Life> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    "another process runs this party in this directory",
                ));
            }
            Err(TryLockError::Error(why)) => return Err(why),
        }
        let mut said = Vec::new();
        Read::take(&mut file, RUNNING.len() as u64).read_to_end(&mut said)?;
        Ok(Life { file, crashed_before: said == RUNNING })
    }

    /// Whether the last life did not end by itself.
    pub fn comes_after_a_crash(&self) -> bool {
        self.crashed_before
    }

    /// Records that the party runs: an end that is not recorded is then a crash.
    pub fn runs(&mut self) -> io::Result<()> {
        self.say(RUNNING)
    }

    /// Records that the party ended by itself.
    pub fn ends(mut self) -> io::Result<()> {
        self.say(ENDED)
    }

    fn say(&mut self, word: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        // One write overwrites the word: a kill before the truncation leaves a word other than `running`.
        self.file.write_all(word)?;
        self.file.set_len(word.len() as u64)
    }
}
