//! Words of files: enums whose every value is one word in kebab case, with the list of them in one place.
//!
//! Readers take a word from a file by it, errors list what is allowed by it, writers and people's output print by it.

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

/// A word that a person may choose, with what it means.
pub trait Explained: Word {
    /// What it means, in one sentence or more: the value's documentation, which the formats' reference shows too.
    fn meaning(self) -> &'static str;
}

/// The text of the doc comments among these attributes, as one literal.
macro_rules! doc_text {
    () => { "" };
    ([doc = $line:literal] $($rest:tt)*) => { concat!($line, $crate::words::doc_text!($($rest)*)) };
    ([$($other:tt)*] $($rest:tt)*) => { $crate::words::doc_text!($($rest)*) };
}

/// Declares an enum of words: `Name { Value = "word", ... }`, with serde, `Display`, `ALL` and `word` by those words,
/// and `meaning` by their doc comments.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$($attribute:tt)*])* $value:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$($attribute)*])* #[serde(rename = $word)] $value),*
        }

        impl $name {
            /// Every value.
            pub const ALL: [$name; [$($word),*].len()] = [$($name::$value),*];

            /// The word that files and output use.
            pub const fn word(self) -> &'static str {
                match self { $($name::$value => $word),* }
            }

            /// What it means.
            pub const fn meaning(self) -> &'static str {
                match self { $($name::$value => $crate::words::doc_text!($([$($attribute)*])*).trim_ascii_start()),* }
            }
        }

        impl $crate::words::Word for $name {
            const ALL: &'static [Self] = &$name::ALL;

            fn word(self) -> &'static str {
                $name::word(self)
            }
        }

        impl $crate::words::Explained for $name {
            fn meaning(self) -> &'static str {
                $name::meaning(self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

pub(crate) use {doc_text, words};
