//! Recognition by sequence number, as Kafka's idempotent producer and Pulsar do it: the next number is stored, an older
//! one is a duplicate, a later one is refused because something before it is missing.
//!
//! It costs an entry for every session. While nothing was forgotten it does not err: a session begins with its first
//! number. After that it errs in both directions: a session that is not remembered may go on anywhere (so a number that
//! was skipped there is called a duplicate later), and a number below the highest is called a duplicate although its
//! own record was forgotten.

use std::collections::{BTreeMap, VecDeque};

use delivery_model::vocab::Position;

use super::Familiarity;
use crate::core::record::{Identity, Session};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct BySequence {
    sessions: BTreeMap<Session, Highest>,
    /// When each session may have to be forgotten, in the log's order; at most one entry a session.
    order: VecDeque<(Position, Session)>,
}

/// The highest number among the covered records of a session: a sliding maximum, as records leave at the front.
///
/// Numbers fall strictly from front to back while positions rise; in the usual run of consecutive numbers there is
/// one entry.
type Highest = VecDeque<(u64, Position)>;

impl BySequence {
    /// `is_whole`: nothing was ever forgotten, so that a session without an entry has no record.
    pub(super) fn judge(&self, identity: Identity, is_whole: bool) -> Familiarity {
        let Identity::Sequence { session, number } = identity else {
            return Familiarity::New;
        };
        match self.sessions.get(&session).and_then(|highest| highest.front()) {
            Some(&(last, _)) if number <= last => Familiarity::Duplicate,
            Some(&(last, _)) if number > last + 1 => Familiarity::Gap,
            None if is_whole && number > 0 => Familiarity::Gap,
            Some(_) | None => Familiarity::New,
        }
    }

    pub(super) fn remember(&mut self, position: Position, identity: Identity) {
        let Identity::Sequence { session, number } = identity else {
            return;
        };
        let highest = self.sessions.entry(session).or_default();
        if highest.is_empty() {
            self.order.push_back((position, session));
        }
        while highest.pop_back_if(|(other, _)| *other <= number).is_some() {}
        highest.push_back((number, position));
    }

    pub(super) fn forget_below(&mut self, floor: Position) {
        while let Some((_, session)) = self.order.pop_front_if(|(position, _)| *position < floor) {
            let highest = self.sessions.get_mut(&session).expect("a session in order is remembered");
            while highest.pop_front_if(|(_, position)| *position < floor).is_some() {}
            match highest.front() {
                // It has a later record: look again when that one leaves.
                Some(&(_, position)) => self.insert_in_order(position, session),
                None => {
                    self.sessions.remove(&session);
                }
            }
        }
    }

    fn insert_in_order(&mut self, position: Position, session: Session) {
        let place = self.order.partition_point(|(other, _)| *other < position);
        self.order.insert(place, (position, session));
    }
}
