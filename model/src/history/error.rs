//! Why a history could not be read: the line, what was found there and what was expected.

use thiserror::Error;

use super::{At, LINE_LIMIT, TooManyNames};
use crate::pipeline::PipelineError;

/// Why a history could not be read.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// There is nothing, not even a header.
    #[error(r#"line 1: found nothing; expected the header {{"format":"delivery-history","version":1}}"#)]
    Empty,
    /// The first line is a JSON object, but not the header of a history that can be read.
    #[error(transparent)]
    Header(PipelineError),
    /// A line that is not an event of the format.
    #[error("line {line}: found {found}; expected {expected}")]
    Malformed {
        /// Which line, from 1.
        line: u32,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// An event's time lies before that of the event before it.
    #[error("line {line}: found `at` {found}; expected {last} or later, as time never falls")]
    TimeFalls {
        /// Which line, from 1.
        line: u32,
        /// The event's time.
        found: At,
        /// The time of the event before it.
        last: At,
    },
    /// A consumer's event leaves its group out, but there are several.
    #[error("line {line}: found no `group`; expected one, as the history names several ({groups})")]
    WhichGroup {
        /// The line of the event without a group, from 1.
        line: u32,
        /// Two groups that are named.
        groups: String,
    },
    /// The last line ends in the middle.
    #[error("line {line}: cut off after {bytes} bytes, without an end; expected a whole line")]
    Truncated {
        /// Which line, from 1.
        line: u32,
        /// How much of it is there.
        bytes: usize,
    },
    /// A line is longer than [`LINE_LIMIT`].
    #[error("line {line}: found more than {LINE_LIMIT} bytes; expected at most so many in a line")]
    TooLong {
        /// Which line, from 1.
        line: u32,
    },
    /// More names or payloads than there are ids.
    #[error("line {line}: found {too_many}; expected at most so many in a history")]
    TooMany {
        /// The line that names one too many, from 1.
        line: u32,
        /// What there are too many of.
        too_many: TooManyNames,
    },
    /// More lines than are counted.
    #[error("found more than {} lines; expected at most so many in a history", u32::MAX)]
    TooManyLines,
    /// The input failed.
    #[error("line {line}: cannot be read")]
    Unreadable {
        /// Which line, from 1.
        line: u32,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}
