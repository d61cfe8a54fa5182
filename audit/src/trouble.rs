//! What goes wrong outside the audited semantics: broken connections, and what keeps an audit from going on.

use std::path::PathBuf;

use thiserror::Error;

/// A connection is of no more use, for this reason.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Broken(pub String);

impl Broken {
    /// The connection is broken by this error.
    pub fn by(error: impl std::fmt::Display) -> Broken {
        Broken(error.to_string())
    }
}

/// Why an audit cannot go on.
#[derive(Debug, Error)]
pub enum Trouble {
    /// A program could not be run.
    #[error("{program} cannot be run: {error}")]
    Program {
        /// The program.
        program: String,
        /// The reason.
        error: std::io::Error,
    },
    /// A program that should succeed did not.
    #[error("{program} failed, {status}: {said}")]
    Failed {
        /// The program with its arguments.
        program: String,
        /// Its exit status.
        status: String,
        /// The end of what it wrote.
        said: String,
    },
    /// A broker does not accept clients.
    #[error("the broker does not come up: {why}")]
    NotUp {
        /// The last error, with the end of the broker's log.
        why: String,
    },
    /// A file could not be used.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: std::io::Error,
    },
    /// A broker that should answer does not.
    #[error("the broker cannot be used: {0}")]
    Broken(#[from] Broken),
    /// A fault or a setting is not possible here.
    #[error("{what} is not possible here: {why}")]
    Impossible {
        /// The fault or the setting.
        what: String,
        /// The reason, with what would make it possible.
        why: String,
    },
}

impl Trouble {
    /// An error of this file.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Trouble {
        let path = path.into();
        |error| Trouble::File { path, error }
    }
}
