//! Shares of a history: the messages that one of several judges takes.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter::StepBy;
use std::ops::Range;
use std::str::FromStr;

use super::MessageName;

/// One of several shares of a history's messages. Every message is in one share; which one depends on its name alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which, counted from 1.
    index: u32,
    /// Of how many.
    of: u32,
}

impl Share {
    /// Whether this message is in the share.
    pub fn has(self, message: MessageName<'_>) -> bool {
        let mut hasher = DefaultHasher::new();
        message.hash(&mut hasher);
        hasher.finish() % u64::from(self.of) == u64::from(self.index - 1)
    }

    /// The one share that has everything.
    pub const WHOLE: Share = Share { index: 1, of: 1 };

    /// Which share it is, counted from 1.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many shares there are.
    pub fn of(self) -> u32 {
        self.of
    }

    /// The numbers below a limit that are in the share: every number is in one share, and shares differ by one at most.
    pub fn numbers(self, below: u32) -> StepBy<Range<u32>> {
        (self.index - 1..below).step_by(self.of as usize)
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Share, String> {
        let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Share { index, of }),
            _ => Err("a share such as 1/4 is expected: from 1/4 to 4/4".to_owned()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}
