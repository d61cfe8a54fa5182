//! The words of files: enums each of whose values is one word in kebab case, with the list of all words.
//!
//! Readers convert words by this trait, errors list the allowed words, and writers and the output for people print
//! the words.

/// A value that files write as one word.
pub trait Word: Copy + 'static {
    /// All values, in the order in which errors and tables list them.
    const ALL: &'static [Self];

    /// The word that files use.
    fn word(self) -> &'static str;

    /// The value of a word; none if the word is unknown.
    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.word() == word)
    }
}

/// The word among these that an unknown one may have meant; none if none is like it.
///
/// ```
/// # use delivery_model::words::closest;
/// assert_eq!(closest("exactly_once", ["at-most-once", "exactly-once"]), Some("exactly-once"));
/// assert_eq!(closest("network", ["producer", "broker"]), None);
/// ```
pub fn closest<'w>(unknown: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    /// Below that words have little in common.
    const LIKE: f64 = 0.8;
    let unknown = unknown.to_lowercase();
    let likeness = |word: &'w str| (strsim::jaro(&unknown, word), word);
    let likely = words.into_iter().map(likeness).filter(|(likeness, _)| *likeness >= LIKE);
    // Of equally likely ones the first.
    likely.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, word)| word)
}

/// A word with an explanation for people.
pub trait Explained: Word {
    /// The meaning, in one sentence or more: the doc comment of the value, which the reference of the formats also
    /// has.
    fn meaning(self) -> &'static str;
}

/// The text of the doc comments among these attributes, as one literal.
macro_rules! doc_text {
    () => { "" };
    ([doc = $line:literal] $($rest:tt)*) => { concat!($line, $crate::words::doc_text!($($rest)*)) };
    ([$($other:tt)*] $($rest:tt)*) => { $crate::words::doc_text!($($rest)*) };
}

/// Declares an enum of words: `Name { Value = "word", ... }`, with `ALL`, `word`, serde and `Display` by these words,
/// and `meaning` by the doc comments.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$($attribute:tt)*])* $value:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$($attribute)*])* #[serde(rename = $word)] $value),*
        }

        impl $name {
            /// All values.
            pub const ALL: [$name; [$($word),*].len()] = [$($name::$value),*];

            /// The word that files and output use.
            pub const fn word(self) -> &'static str {
                match self { $($name::$value => $word),* }
            }

            /// The meaning of the word.
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
