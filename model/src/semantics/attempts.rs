//! What is known of a message's attempts, for the properties that ask whether every one was definitely refused.
//!
//! An attempt without an outcome may have happened, so it is not refused; neither is one whose outcome is unknown. An
//! outcome whose attempt was not recorded stands for an attempt. Attempts are counted, not told apart by number: a
//! history that gives one attempt two outcomes is read as if the second were another attempt's. A fourth attempt while
//! three are without an outcome, and the message is never again taken for refused: counting on would cost a model
//! states, and each such attempt needs a producer that crashed while it waited.

use super::finite::finite;
use crate::vocab::{EventKind, Outcome};

/// What is known of the attempts of one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attempts {
    /// There was none.
    #[default]
    None,
    /// Every one was refused.
    AllRefused,
    /// One has no outcome; every other was refused.
    OneOpen,
    /// Two have no outcome; every other was refused.
    TwoOpen,
    /// Three have no outcome; every other was refused.
    ThreeOpen,
    /// One of them may have been stored, whatever comes.
    MayBeStored,
}

finite!(Attempts in 3 bits: None, AllRefused, OneOpen, TwoOpen, ThreeOpen, MayBeStored);

impl Attempts {
    /// Takes in one event about the message.
    pub fn observe(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Attempt { .. } => *self = self.one_more(),
            EventKind::Outcome { outcome: Outcome::Refused, .. } => *self = self.one_refused(),
            EventKind::Outcome { outcome: Outcome::Acked | Outcome::Unknown, .. } => *self = Attempts::MayBeStored,
            _ => {}
        }
    }

    fn one_more(self) -> Self {
        match self {
            Attempts::None | Attempts::AllRefused => Attempts::OneOpen,
            Attempts::OneOpen => Attempts::TwoOpen,
            Attempts::TwoOpen => Attempts::ThreeOpen,
            Attempts::ThreeOpen | Attempts::MayBeStored => Attempts::MayBeStored,
        }
    }

    fn one_refused(self) -> Self {
        match self {
            Attempts::None | Attempts::AllRefused | Attempts::OneOpen => Attempts::AllRefused,
            Attempts::TwoOpen => Attempts::OneOpen,
            Attempts::ThreeOpen => Attempts::TwoOpen,
            Attempts::MayBeStored => Attempts::MayBeStored,
        }
    }
}
