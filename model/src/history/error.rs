//! The error of a history that could not be read: the line, what was found there and what was expected.

use thiserror::Error;

use super::{At, LINE_LIMIT, TooManyNames};
use crate::numbers::grouped;
use crate::pipeline::PipelineError;

/// The reason why a history could not be read.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// The input is empty.
    #[error(r#"line 1: found nothing; expected the header {{"format":"delivery-history","version":1}}"#)]
    Empty,
    /// The first line is a JSON object, but not a valid header.
    #[error(transparent)]
    Header(PipelineError),
    /// A line is not an event of the format.
    #[error("line {line}: found {found}; expected {expected}")]
    Malformed {
        /// The line, counted from 1.
        line: u32,
        /// What stands there.
        found: String,
        /// What should stand there.
        expected: String,
    },
    /// The time of an event is earlier than that of the event before it.
    #[error("line {line}: found `at` {found}; expected {last} or later, as time never falls")]
    TimeFalls {
        /// The line, counted from 1.
        line: u32,
        /// The time of the event.
        found: At,
        /// The time of the event before it.
        last: At,
    },
    /// The time of an event is of another kind than those before it.
    #[error("line {line}: found `at` {found}; expected a time of the same kind as {last}: numbers, or dates and times")]
    OtherTime {
        /// The line, counted from 1.
        line: u32,
        /// The time of the event.
        found: At,
        /// The time of the event before it.
        last: At,
    },
    /// A number that names a message is among the highest there are, while other messages are named by texts, whose ids
    /// are taken from there.
    #[error(
        "line {line}: found message {highest} in a history that also names messages by texts; expected lower numbers"
    )]
    NumberTooHigh {
        /// The line of the later of the two names, counted from 1.
        line: u32,
        /// The number.
        highest: u64,
    },
    /// A consumer's event names no group, but the history has several.
    #[error("line {line}: found no `group`; expected one, as the history names several ({groups})")]
    WhichGroup {
        /// The line of the event without a group, counted from 1.
        line: u32,
        /// Two of the groups.
        groups: String,
    },
    /// The last line is truncated.
    #[error("line {line}: cut off after {bytes} bytes, without an end; expected a whole line")]
    Truncated {
        /// The line, counted from 1.
        line: u32,
        /// The number of its bytes that are there.
        bytes: usize,
    },
    /// A line is longer than [`LINE_LIMIT`].
    #[error("line {line}: found more than {} bytes; expected at most that many in a line", grouped(LINE_LIMIT as u64))]
    TooLong {
        /// The line, counted from 1.
        line: u32,
    },
    /// There are more names or payloads than ids.
    #[error("line {line}: found {too_many}; expected at most that many in a history")]
    TooMany {
        /// The line with the first name or payload that has no id, counted from 1.
        line: u32,
        /// The kind of names of which there are too many.
        too_many: TooManyNames,
    },
    /// There are more lines than a line number can count.
    #[error("found more than {} lines; expected at most that many in a history", grouped(u32::MAX.into()))]
    TooManyLines,
    /// The input could not be read.
    #[error("line {line}: cannot be read")]
    Unreadable {
        /// The line, counted from 1.
        line: u32,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}
