//! The error of an import: the file, the line, what was found there and what is allowed.

use std::fmt;

use delivery_model::history::TooManyNames;
use delivery_model::numbers::grouped;
use thiserror::Error;

/// Why a file could not be imported.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct ImportError {
    /// The file, as its [`Input`](crate::Input) names it.
    pub file: String,
    /// The line, counted from 1; none where the whole file is meant.
    pub line: Option<usize>,
    /// The text that was found.
    pub found: String,
    /// The texts that are allowed there.
    pub expected: String,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ImportError { file, line, found, expected } = self;
        match line {
            Some(line) => write!(f, "{file}: line {line}: found {found}; expected {expected}"),
            None => write!(f, "{file}: found {found}; expected {expected}"),
        }
    }
}

/// What is wrong with one record, before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub found: String,
    pub expected: String,
}

impl Flaw {
    pub fn new(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Flaw { found: found.into(), expected: expected.into() }
    }

    /// The error, with the file and the line.
    pub fn at(self, file: &str, line: usize) -> ImportError {
        ImportError { file: file.to_owned(), line: Some(line), found: self.found, expected: self.expected }
    }

    /// The error of a whole file.
    pub fn of(self, file: &str) -> ImportError {
        ImportError { file: file.to_owned(), line: None, found: self.found, expected: self.expected }
    }
}

impl From<TooManyNames> for Flaw {
    fn from(TooManyNames { what, limit }: TooManyNames) -> Self {
        let limit = grouped(limit as u64);
        Flaw::new(format!("more than {limit} different {what}"), format!("at most {limit}"))
    }
}

/// The start of a text in quotes, short enough for a message.
pub(crate) fn quoted(text: &str) -> String {
    /// The number of characters that are shown.
    const SHOWN: usize = 60;
    let mut start: String = text.chars().take(SHOWN).collect();
    if start.len() < text.len() {
        start.push_str("...");
    }
    format!("{start:?}")
}
