//! TOML and JSON documents as a tree in which every value has its location, and the errors that a document can have.
//!
//! Pipelines, schedules and the headers of histories are read through it, so that their errors have the same form:
//! the line (if the format has lines), the key from the top of the document, what was found, and what is allowed.
//! This module does not know the meaning of the keys.

mod cursor;
#[cfg(feature = "toml")]
mod toml;
mod tree;

use std::fmt;

use thiserror::Error;

pub(crate) use self::cursor::{Cursor, Fields, words_of};
pub(crate) use self::tree::{Node, Value, quoted};

/// A location in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The line, counted from 1, if the document has lines of its own.
    pub line: Option<u32>,
    /// The path of keys from the top, such as `producer.attempts` or `faults[2].message`; empty for the whole
    /// document.
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

/// An error in one value or key of a document.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Mistake {
    /// A key that is not allowed here.
    #[error("{place}: unknown key{}; allowed here: {allowed}", guessed(hint.as_deref()))]
    UnknownKey {
        /// The location of the key.
        place: Location,
        /// What may have been meant, if there is a guess.
        hint: Option<String>,
        /// The keys that are allowed here.
        allowed: String,
    },
    /// A required key is missing.
    #[error("{place}: missing; expected {allowed}")]
    Missing {
        /// The location at which the key is missing.
        place: Location,
        /// The values that are allowed.
        allowed: String,
    },
    /// A value of the wrong type, an unknown word, or a number out of range.
    #[error("{place}: found {found}; allowed: {allowed}")]
    Unfit {
        /// The location of the value.
        place: Location,
        /// The value, shortened, and what may have been meant.
        found: String,
        /// The values that are allowed.
        allowed: String,
    },
}

fn guessed(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!(" ({hint})"))
}
