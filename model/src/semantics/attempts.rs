//! What is known of a message's attempts, for the properties that ask whether every one was definitely refused.
//!
//! An attempt without an outcome may have happened, so it is not refused; neither is one whose outcome is unknown. An
//! outcome whose attempt was not recorded stands for an attempt. Attempts are counted, not told apart by number: a
//! history that gives one attempt two outcomes is read as if the second were another attempt's. More than [`MOST_OPEN`]
//! attempts of one message without an outcome at once, and it is never again taken for refused.

use crate::vocab::{EventKind, Outcome};

/// So many attempts of one message may be without an outcome before they are no longer counted. Each beyond the first
/// needs a producer that crashed or gave up in between; four keep the state in two bits.
const MOST_OPEN: u8 = 3;

/// What is known of the attempts of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attempts {
    /// There was none.
    #[default]
    None,
    /// Every one that has an outcome was refused, and so many have none.
    Open(u8),
    /// One of them may have been stored, whatever comes.
    MayBeStored,
}

impl Attempts {
    /// Takes in one event about the message.
    pub fn observe(&mut self, kind: &EventKind) {
        *self = match (*self, kind) {
            (Attempts::None, EventKind::Attempt { .. }) => Attempts::Open(1),
            (Attempts::Open(MOST_OPEN), EventKind::Attempt { .. }) => Attempts::MayBeStored,
            (Attempts::Open(open), EventKind::Attempt { .. }) => Attempts::Open(open + 1),
            (Attempts::None, EventKind::Outcome { outcome: Outcome::Refused, .. }) => Attempts::Open(0),
            (Attempts::Open(open), EventKind::Outcome { outcome: Outcome::Refused, .. }) => {
                Attempts::Open(open.saturating_sub(1))
            }
            (_, EventKind::Outcome { outcome: Outcome::Acked | Outcome::Unknown, .. }) => Attempts::MayBeStored,
            (unchanged, _) => unchanged,
        };
    }

    /// Whether there was one, and each was definitely refused.
    pub fn all_refused(self) -> bool {
        self == Attempts::Open(0)
    }
}
