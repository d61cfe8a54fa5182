//! The files of the parties: the producer's outbox and the consumer's inbox. A crash of a party leaves them, and nothing
//! else of it.
//!
//! Lines are appended and never changed, one word and one number each. They are not synced: parties crash, and the
//! machine that loses power is the broker's.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::product::Trouble;

/// A file to which numbered lines are appended.
struct Lines {
    path: PathBuf,
    file: File,
}

impl Lines {
    /// Opens the file, and gives each line that is in it to `read`.
    fn open(path: &Path, mut read: impl FnMut(&str, u64)) -> Result<Lines, Trouble> {
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(Trouble::file(path))?;
        let text = std::fs::read_to_string(path).map_err(Trouble::file(path))?;
        for line in text.lines() {
            let parts = line.split_once(' ').and_then(|(word, number)| Some((word, number.parse().ok()?)));
            let (word, number) = parts.ok_or_else(|| {
                let found = format!("found {line:?}, expected a word and a number");
                Trouble::file(path)(std::io::Error::new(std::io::ErrorKind::InvalidData, found))
            })?;
            read(word, number);
        }
        Ok(Lines { path: path.to_owned(), file })
    }

    fn append(&mut self, word: &str, number: u64) -> Result<(), Trouble> {
        self.file.write_all(format!("{word} {number}\n").as_bytes()).map_err(Trouble::file(&self.path))
    }
}

/// What the producer owes.
pub struct Outbox {
    lines: Lines,
    owed: BTreeSet<u64>,
    last: u64,
}

impl Outbox {
    /// Opens the outbox in this directory, or makes it.
    pub fn open(directory: &Path) -> Result<Outbox, Trouble> {
        let (mut owed, mut last) = (BTreeSet::new(), 0);
        let lines = Lines::open(&directory.join("outbox"), |word, message| {
            last = last.max(message);
            match word {
                "owed" => owed.insert(message),
                _ => owed.remove(&message),
            };
        })?;
        Ok(Outbox { lines, owed, last })
    }

    /// The oldest message that is owed.
    pub fn owed(&self) -> Option<u64> {
        self.owed.first().copied()
    }

    /// Owes the next message, which has the number after that of the last one.
    pub fn submit(&mut self) -> Result<u64, Trouble> {
        self.last += 1;
        self.lines.append("owed", self.last)?;
        self.owed.insert(self.last);
        Ok(self.last)
    }

    /// The number of messages that were submitted.
    pub fn submitted(&self) -> u64 {
        self.last
    }

    /// Owes the message no longer: it is acked, or given up.
    pub fn done(&mut self, message: u64) -> Result<(), Trouble> {
        self.lines.append("done", message)?;
        self.owed.remove(&message);
        Ok(())
    }
}

/// The messages whose effect is made.
pub struct Inbox {
    lines: Lines,
    made: BTreeSet<u64>,
}

impl Inbox {
    /// Opens the inbox in this directory, or makes it.
    pub fn open(directory: &Path) -> Result<Inbox, Trouble> {
        let mut made = BTreeSet::new();
        let lines = Lines::open(&directory.join("inbox"), |_, message| {
            made.insert(message);
        })?;
        Ok(Inbox { lines, made })
    }

    /// Makes the effect of a message, unless it is made already. Returns whether it was made now.
    pub fn make(&mut self, message: u64) -> Result<bool, Trouble> {
        if !self.made.insert(message) {
            return Ok(false);
        }
        self.lines.append("made", message)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_incarnation_owes_what_the_old_one_owed() {
        let directory = tempfile::tempdir().unwrap();
        let mut outbox = Outbox::open(directory.path()).unwrap();
        assert_eq!((outbox.submit().unwrap(), outbox.submit().unwrap()), (1, 2));
        outbox.done(1).unwrap();
        let again = Outbox::open(directory.path()).unwrap();
        assert_eq!((again.owed(), again.submitted()), (Some(2), 2));
    }

    #[test]
    fn a_new_incarnation_makes_no_effect_twice() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Inbox::open(directory.path()).unwrap().make(7).unwrap());
        let mut again = Inbox::open(directory.path()).unwrap();
        assert!(!again.make(7).unwrap());
        assert!(again.make(8).unwrap());
    }

    #[test]
    fn a_line_that_nobody_wrote_is_named() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("inbox"), "made 1\nnonsense\n").unwrap();
        let error = Inbox::open(directory.path()).err().unwrap().to_string();
        assert!(error.contains("inbox: found \"nonsense\", expected a word and a number"), "{error}");
    }
}
