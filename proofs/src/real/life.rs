//! One life of a party in its directory: how the one before it ended, and that there is one at a time.
//!
//! A file beside the stores says `running` while the party runs, and `ended` when it has ended by itself. A party
//! that finds `running` in it, and the file not locked, starts after a crash. The system gives the lock back when a process
//! ends, however it does.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

const RUNNING: &[u8] = b"running\n";
const ENDED: &[u8] = b"ended\n";

/// A party's life, while its file is locked.
pub(super) struct Life {
    file: File,
    crashed_before: bool,
}

impl Life {
    /// Where the party of this name keeps it.
    pub fn path(directory: &Path, name: &str) -> PathBuf {
        directory.join(format!("{name}.life"))
    }

    /// Begins, unless another process is at it.
    pub fn begin(path: &Path) -> io::Result<Life> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::WouldBlock, "another process is this party here"));
            }
            Err(TryLockError::Error(why)) => return Err(why),
        }
        let mut said = Vec::new();
        Read::take(&mut file, RUNNING.len() as u64).read_to_end(&mut said)?;
        Ok(Life { file, crashed_before: said == RUNNING })
    }

    /// The life before this one did not end by itself.
    pub fn comes_after_a_crash(&self) -> bool {
        self.crashed_before
    }

    /// From now on, an end that is not said is a crash.
    pub fn runs(&mut self) -> io::Result<()> {
        self.say(RUNNING)
    }

    /// It ended by itself.
    pub fn ends(mut self) -> io::Result<()> {
        self.say(ENDED)
    }

    fn say(&mut self, word: &[u8]) -> io::Result<()> {
        self.file.rewind()?;
        // One word over the other, in one write: a kill before the rest is cut off leaves what is not `running`.
        self.file.write_all(word)?;
        self.file.set_len(word.len() as u64)
    }
}
