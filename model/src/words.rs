//! Words of files: enums whose every value is one word in kebab case, with the list of them in one place.
//!
//! Readers take a word from a file by it, errors list what is allowed by it, writers and people's output print by it.

use crate::vocab::{Fault, Outcome, SettleOutcome};

/// A value that files write as one word.
pub trait Word: Copy + 'static {
    /// Every value, in the order in which errors and tables list them.
    const ALL: &'static [Self];

    /// The word that files use.
    fn word(self) -> &'static str;

    /// The value that a word stands for.
    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.word() == word)
    }
}

impl Word for Fault {
    const ALL: &'static [Self] = &Fault::ALL;

    fn word(self) -> &'static str {
        Fault::word(self)
    }
}

impl Word for Outcome {
    const ALL: &'static [Self] = &[Outcome::Acked, Outcome::Refused, Outcome::Unknown];

    fn word(self) -> &'static str {
        match self {
            Outcome::Acked => "acked",
            Outcome::Refused => "refused",
            Outcome::Unknown => "unknown",
        }
    }
}

impl Word for SettleOutcome {
    const ALL: &'static [Self] = &[SettleOutcome::Ok, SettleOutcome::Refused, SettleOutcome::Unknown];

    fn word(self) -> &'static str {
        match self {
            SettleOutcome::Ok => "ok",
            SettleOutcome::Refused => "refused",
            SettleOutcome::Unknown => "unknown",
        }
    }
}

/// Declares an enum of words: `Name { Value = "word", ... }`, with serde, `Display`, `ALL` and `word` by those words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$value_doc])* #[serde(rename = $word)] $value),*
        }

        impl $name {
            /// Every value.
            pub const ALL: [$name; [$($word),*].len()] = [$($name::$value),*];

            /// The word that files and output use.
            pub const fn word(self) -> &'static str {
                match self { $($name::$value => $word),* }
            }
        }

        impl $crate::words::Word for $name {
            const ALL: &'static [Self] = &$name::ALL;

            fn word(self) -> &'static str {
                $name::word(self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

pub(crate) use words;
