//! The shared secret by which parties know each other, where the broker listens to more than its own machine.
//!
//! It keeps strangers out. It travels as it is, and nothing else is encrypted: where somebody may listen on the way,
//! put a tunnel around the connection.

use std::fmt;
use std::hint::black_box;

/// Bytes that only those who may connect know. Empty: none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The shortest that is worth its name, in bytes.
    pub const BYTES_MIN: usize = 16;

    /// These bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Secret {
        Secret(bytes.into())
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a peer offers this secret; if there is none, any offer will do. How long it takes depends on the lengths
    /// alone, so that nobody learns from it how much of an offer was right.
    pub fn admits(&self, offered: &Secret) -> bool {
        if self.is_empty() {
            return true;
        }
        let same_length = self.0.len() == offered.0.len();
        let differing =
            self.0.iter().zip(offered.0.iter().cycle()).fold(0, |all, (own, its)| black_box(all | own ^ its));
        // Nothing offered: `zip` saw nothing, but the lengths differ.
        same_length & (differing == 0)
    }
}

impl fmt::Debug for Secret {
    /// It does not show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(own: &str, offered: &str, expected: bool) {
        assert_eq!(Secret::new(own).admits(&Secret::new(offered)), expected, "{own:?} {offered:?}");
    }

    #[test]
    fn only_the_very_secret_is_admitted_and_anything_where_there_is_none() {
        check("open sesame", "open sesame", true);
        check("open sesame", "open sesamE", false);
        check("open sesame", "Open sesame", false);
        check("open sesame", "open sesame, please", false);
        check("open sesame", "open", false);
        check("aaaa", "aa", false);
        check("open sesame", "", false);
        check("", "", true);
        check("", "anything", true);
    }

    #[test]
    fn a_secret_does_not_show() {
        assert_eq!(format!("{:?}", Secret::new("open sesame")), "Secret(11 bytes)");
    }
}
