//! A set of keys: the messages that a consumer has seen.
//!
//! Keys of one kind and session differ by a number that counts up, so they are kept as ranges ([`RangeSet`]): a
//! session that was handled without gaps takes two numbers, however long it is. Message ids that an application draws
//! at random form no ranges, and take an entry each.

use super::range_set::RangeSet;
use super::record::{Identity, Key, Session};
use super::small_map::SmallMap;

/// The series in which the number of a key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Counts {
    /// The sequence numbers of a session.
    Numbers(Session),
    /// The message ids of a session.
    Messages(Session),
    /// The positions of the log.
    Positions,
    /// No series: all messages without an identity have the same key.
    Nothing,
}

/// A set of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Keys {
    seen: SmallMap<Counts, RangeSet>,
}

impl Keys {
    /// Whether the set has no member.
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Removes all members.
    pub fn clear(&mut self) {
        self.seen.clear();
    }

    /// Whether this key is a member.
    pub fn contains(&self, key: &Key) -> bool {
        let (counts, number) = split(key);
        self.seen.get(&counts).is_some_and(|runs| runs.contains(number))
    }

    /// Adds a key.
    pub fn insert(&mut self, key: &Key) {
        let (counts, number) = split(key);
        self.seen.or_default(counts).insert_run(number..=number);
    }
}

fn split(key: &Key) -> (Counts, u64) {
    match *key {
        Key::Identity(Identity::Sequence { session, number }) => (Counts::Numbers(session), number),
        Key::Identity(Identity::Message { message, session }) => (Counts::Messages(session), message.0),
        Key::Position(position) => (Counts::Positions, position.0),
        Key::Identity(Identity::None) => (Counts::Nothing, 0),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use delivery_model::vocab::{Epoch, MessageId, Position};
    use proptest::prelude::*;

    use super::*;
    use crate::data::record::ProducerId;

    /// Few numbers of each kind, so that equal numbers of different kinds meet.
    fn key() -> impl Strategy<Value = Key> {
        let session = (0..2u32, 0..2u32)
            .prop_map(|(producer, session)| Session { producer: ProducerId(producer), session: Epoch(session) });
        let number = prop_oneof![0..4u64, u64::MAX - 1..=u64::MAX];
        (0..4u8, session, number).prop_map(|(kind, session, number)| match kind {
            0 => Key::Identity(Identity::Sequence { session, number }),
            1 => Key::Identity(Identity::Message { message: MessageId(number), session }),
            2 => Key::Position(Position(number)),
            _ => Key::Identity(Identity::None),
        })
    }

    proptest! {
        #[test]
        fn it_is_a_set(seen in prop::collection::vec(key(), 0..20), asked in prop::collection::vec(key(), 20)) {
            let (mut keys, mut plain) = (Keys::default(), BTreeSet::new());
            for key in &seen {
                keys.insert(key);
                plain.insert(*key);
            }
            prop_assert_eq!(keys.is_empty(), plain.is_empty());
            for key in seen.iter().chain(&asked) {
                prop_assert_eq!(keys.contains(key), plain.contains(key), "{:?}", key);
            }
        }
    }
}
