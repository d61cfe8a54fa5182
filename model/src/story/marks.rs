//! The words that stories use of what is broken: beside the step that breaks it, and below the steps if something never
//! came. Both kinds of stories, of the protocol and of recorded histories, take them from here.

use std::fmt::{self, Display};

use crate::pipeline::Level;
use crate::semantics::Breach;
use crate::vocab::EventKind;

/// What came of one message so far, as far as a mark counts it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    deliveries: u32,
    effects: u32,
}

impl Counted {
    /// Takes in an event of the message.
    pub(super) fn count(&mut self, kind: &EventKind) {
        match kind {
            EventKind::Deliver { .. } => self.deliveries += 1,
            EventKind::Effect { .. } => self.effects += 1,
            _ => {}
        }
    }

    /// What is said beside the step that breaks something, such as "2nd effect".
    pub(super) fn mark(&self, breach: Breach) -> String {
        match breach {
            Breach::DeliveredAgain => format!("{} delivery", Ordinal(self.deliveries)),
            Breach::EffectedAgain => format!("{} effect", Ordinal(self.effects)),
            other => other.to_string(),
        }
    }

    /// What never came of a message that is lost; none if the breach is no loss.
    pub(super) fn never(&self, message: impl Display, breach: Breach, level: Level) -> Option<String> {
        let what = match (breach, level, self.deliveries) {
            (Breach::AckedLost | Breach::SubmittedLost, Level::Effect, 1..) => "has no effect",
            (Breach::AckedLost | Breach::SubmittedLost, _, _) => "is never delivered",
            _ => return None,
        };
        Some(format!("message {message} {what}"))
    }
}

/// A text with its mark, if it has one.
pub(super) fn marked(text: &str, mark: Option<&String>) -> String {
    mark.map_or_else(|| text.to_owned(), |mark| format!("{text} ◀ {mark}"))
}

/// A count as "1st", "2nd", "3rd", "4th".
struct Ordinal(u32);

impl Display for Ordinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match (self.0 % 10, self.0 % 100) {
            (1, hundred) if hundred != 11 => "st",
            (2, hundred) if hundred != 12 => "nd",
            (3, hundred) if hundred != 13 => "rd",
            _ => "th",
        };
        write!(f, "{}{ending}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_said_as_people_do() {
        let told = [1, 2, 3, 4, 11, 12, 13, 21, 22, 111].map(|number| Ordinal(number).to_string());
        assert_eq!(told, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "111th"]);
    }
}
