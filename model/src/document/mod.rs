//! A TOML or JSON document as a tree whose every value knows where it stands, and what can be wrong with one.
//!
//! Pipelines, schedules and the headers of histories are read through it, so that the three say the same things in the
//! same words: the line (where the format has lines), the key from the top of the document, what was found and what is
//! allowed. It knows nothing of what the keys mean.

mod cursor;
#[cfg(feature = "toml")]
mod toml;
mod tree;

use std::fmt;

use thiserror::Error;

pub(crate) use self::cursor::{Cursor, Fields, words_of};
pub(crate) use self::tree::{Node, Value, quoted};

/// Where in a document something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The line, from 1, where the document has lines of its own.
    pub line: Option<u32>,
    /// The path of keys from the top, as in `producer.attempts` or `faults[2].message`; empty for the whole document.
    pub key: String,
}

impl Location {
    pub(crate) fn child(&self, line: Option<u32>, key: &str) -> Location {
        let key = if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) };
        Location { line: line.or(self.line), key }
    }

    fn item(&self, line: Option<u32>, index: usize) -> Location {
        Location { line: line.or(self.line), key: format!("{}[{index}]", self.key) }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}, ")?;
        }
        if self.key.is_empty() { f.write_str("the document") } else { write!(f, "`{}`", self.key) }
    }
}

/// What can be wrong with one value or key of a document, whatever the document is about.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mistake {
    /// A key that means nothing here.
    #[error("{place}: unknown key; allowed here: {allowed}")]
    UnknownKey {
        /// The key.
        place: Location,
        /// The keys that mean something here.
        allowed: String,
    },
    /// A key that must be there is not.
    #[error("{place}: missing; expected {allowed}")]
    Missing {
        /// The key.
        place: Location,
        /// What it should be.
        allowed: String,
    },
    /// A value of the wrong type, an unknown word, or a number out of range.
    #[error("{place}: found {found}; allowed: {allowed}")]
    Unfit {
        /// The value's key.
        place: Location,
        /// The value, shortened.
        found: String,
        /// What may stand there.
        allowed: String,
    },
}
