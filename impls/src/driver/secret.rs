//! The shared secret by which parties know each other, needed if the broker listens beyond the loopback address.
//!
//! It keeps other clients out. It is sent unencrypted, as is everything else: on an untrusted network, use an
//! encrypted tunnel.

use std::fmt;
use std::hint::black_box;

/// The bytes of the secret, which all parties share; empty: no secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// The shortest secret that is allowed, in bytes.
    pub const BYTES_MIN: usize = 16;

    /// A secret of these bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Secret {
        Secret(bytes.into())
    }

    /// Whether there is no secret.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a peer that offers this secret is let in; without a secret of its own the broker lets every peer in.
    /// The time of the comparison depends on the lengths alone, so that it does not reveal how much of an offer was
    /// right.
    pub fn admits(&self, offered: &Secret) -> bool {
        if self.is_empty() {
            return true;
        }
        let same_length = self.0.len() == offered.0.len();
        let differing =
            self.0.iter().zip(offered.0.iter().cycle()).fold(0, |all, (own, its)| black_box(all | own ^ its));
        // For an empty offer `zip` compared nothing, but the lengths differ.
        same_length & (differing == 0)
    }
}

impl fmt::Debug for Secret {
    /// Shows the length only.
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
