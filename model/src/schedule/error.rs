//! Why a schedule could not be loaded: the path inside the document, what was found and what is allowed.

use thiserror::Error;

use crate::document::{Location, Mistake};
use crate::pipeline::PipelineError;

/// Why a schedule could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// The text is not JSON, or has a key twice.
    #[error("cannot be read as JSON: {problem}")]
    NotJson {
        /// What the problem is, with line and column.
        problem: String,
    },
    /// A key or value that may not stand there.
    #[error(transparent)]
    Document(#[from] Mistake),
    /// A step of an exact interleaving that is none.
    #[error("{place}: not a step: {problem}")]
    Step {
        /// The step's place in the list.
        place: Location,
        /// What was found there and what is allowed.
        problem: String,
    },
    /// The pipeline inside cannot be loaded.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}
