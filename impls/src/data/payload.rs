//! The bytes of a message, which queue, wire, log and handler hold at the same time.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The longest payload that stands in the value itself: with it, a payload is as large as a vector.
const SHORT_MAX: usize = 22;

/// The payload of a message. A clone copies a short one, and shares a longer one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Payload(Kept);

/// Equal payloads are kept alike: short ones in the value, with zeros behind them.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Kept {
    Short { length: u8, bytes: [u8; SHORT_MAX] },
    Shared(Arc<[u8]>),
}

impl Payload {
    fn short(from: &[u8]) -> Option<Payload> {
        let mut bytes = [0; SHORT_MAX];
        bytes.get_mut(..from.len())?.copy_from_slice(from);
        Some(Payload(Kept::Short { length: from.len() as u8, bytes }))
    }
}

impl Deref for Payload {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Kept::Short { length, bytes } => &bytes[..usize::from(*length)],
            Kept::Shared(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Payload::short(bytes).unwrap_or_else(|| Payload(Kept::Shared(bytes.into())))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Payload::short(&bytes).unwrap_or_else(|| Payload(Kept::Shared(bytes.into())))
    }
}

impl<const N: usize> From<[u8; N]> for Payload {
    fn from(bytes: [u8; N]) -> Self {
        bytes.as_slice().into()
    }
}

impl fmt::Debug for Payload {
    /// As its bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_its_bytes_however_it_was_made(
            bytes in prop::collection::vec(0..2u8, 0..2 * SHORT_MAX), other in prop::collection::vec(0..2u8, 0..3),
        ) {
            let payload = Payload::from(bytes.as_slice());
            prop_assert_eq!(&*payload, &bytes[..]);
            prop_assert_eq!(&payload, &Payload::from(bytes.clone()));
            prop_assert_eq!(&payload, &payload.clone());
            prop_assert_eq!(payload == Payload::from(other.clone()), bytes == other);
            prop_assert_eq!(format!("{payload:?}"), format!("{bytes:?}"));
        }
    }

    #[test]
    fn short_ones_take_no_heap_and_no_payload_is_larger_than_a_vector() {
        let is_short = |length: usize| matches!(Payload::from(vec![7; length]).0, Kept::Short { .. });
        assert!(is_short(0) && is_short(SHORT_MAX) && !is_short(SHORT_MAX + 1));
        assert_eq!(size_of::<Option<Payload>>(), size_of::<Vec<u8>>());
    }
}
