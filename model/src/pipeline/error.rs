//! Why a pipeline could not be loaded: one message that names the place, what was found and what is allowed.

use thiserror::Error;

use crate::document::{Location, Mistake};

/// Why a pipeline could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PipelineError {
    /// The text is not TOML at all.
    #[error("line {line}: not TOML: {problem}")]
    NotToml {
        /// Where the first problem stands, from 1.
        line: u32,
        /// What the problem is.
        problem: String,
    },
    /// A key or value that may not stand there.
    #[error(transparent)]
    Setting(#[from] Mistake),
    /// Two settings that mean nothing together.
    #[error("{place}: {value} means nothing together with {other}: {why}; allowed: {allowed}")]
    Meaningless {
        /// The setting that stands in the document (the first, if both do).
        place: Location,
        /// Its value.
        value: String,
        /// The other setting's key, its value, and its line or that it was left out.
        other: String,
        /// Why the two mean nothing together.
        why: &'static str,
        /// What to write instead.
        allowed: &'static str,
    },
}
