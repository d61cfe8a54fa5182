//! Dedup by sequence number, as in Kafka's idempotent producer and in Pulsar: the next number is stored, an older one
//! is a duplicate, and a later one is refused because a number before it is missing.
//!
//! It takes an entry for every session. While nothing was forgotten it makes no errors: a session begins with its
//! first number. After that it makes errors of two kinds. A session that is not remembered may begin with any number.
//! A number that was skipped there is later called a duplicate, although its record does not exist; as in Kafka, a
//! duplicate is acked again, so its message is acked and lost.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use delivery_model::vocab::Position;

use super::Familiarity;
use crate::data::record::{Identity, Reader, Session};
use crate::data::snapshot::{self, SnapshotError, Writer};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct BySequence {
    sessions: BTreeMap<Session, Highest>,
    /// The position at which each session may have to be forgotten, in the log's order; at most one entry a session.
    order: VecDeque<(Position, Session)>,
}

/// The highest number among the covered records of a session: a sliding maximum, because records leave at the front.
///
/// Numbers fall strictly from front to back while positions rise. For consecutive numbers it has one entry.
type Highest = VecDeque<(u64, Position)>;

fn read_highest(reader: &mut Reader<'_>, covered: Range<u64>) -> Result<Highest, SnapshotError> {
    let highest = snapshot::list(reader, |reader| Ok((reader.u64()?, Position(reader.u64()?))))?;
    let falls = highest.windows(2).all(|pair| pair[0].0 > pair[1].0 && pair[0].1 < pair[1].1);
    let is_covered = highest.iter().all(|(_, position)| covered.contains(&position.0));
    snapshot::expect(
        reader,
        falls && is_covered && !highest.is_empty(),
        "falling numbers at rising covered positions",
    )?;
    Ok(highest.into())
}

impl BySequence {
    /// `from_first`: a session without an entry begins with its first number. Either nothing was ever forgotten, so that it
    /// has no record, or sessions that were forgotten are refused.
    pub(super) fn judge(&self, identity: Identity, from_first: bool) -> Familiarity {
        let Identity::Sequence { session, number } = identity else {
            return Familiarity::New;
        };
        match self.sessions.get(&session).and_then(|highest| highest.front()) {
            Some(&(last, _)) if number <= last => Familiarity::Duplicate,
            Some(&(last, _)) if number > last + 1 => Familiarity::Gap,
            None if from_first && number > 0 => Familiarity::Gap,
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

    pub(super) fn write(&self, writer: Writer) -> Writer {
        let place = |writer: Writer, (number, position): &(u64, Position)| writer.u64(*number).u64(position.0);
        let sessions = self.sessions.iter().map(|(&session, highest)| (session, highest));
        let writer = writer.by_session(sessions, |writer, highest: &Highest| writer.list(highest.iter(), place));
        writer.list(self.order.iter(), |writer, (position, session)| writer.u64(position.0).session(*session))
    }

    /// Decodes what [`BySequence::write`] wrote, for the covered positions.
    pub(super) fn read(reader: &mut Reader<'_>, covered: Range<u64>) -> Result<BySequence, SnapshotError> {
        let sessions = snapshot::by_session(reader, |reader| read_highest(reader, covered.clone()))?;
        let order = snapshot::list(reader, |reader| Ok((Position(reader.u64()?), snapshot::session(reader)?)))?;
        let ordered: BTreeSet<Session> = order.iter().map(|(_, session)| *session).collect();
        let is_one_each = ordered.len() == order.len() && ordered.iter().eq(sessions.keys());
        snapshot::expect(reader, is_one_each, "each session once in the order in which they are forgotten")?;
        let is_in_time = |(position, session): &(Position, Session)| {
            covered.start <= position.0 && sessions[session].front().is_some_and(|(_, first)| position <= first)
        };
        let is_rising = order.is_sorted_by_key(|(position, _)| *position);
        snapshot::expect(reader, is_rising && order.iter().all(is_in_time), "no session forgotten too late")?;
        Ok(BySequence { sessions, order: order.into() })
    }

    pub(super) fn forget_below(&mut self, floor: Position) {
        while let Some((_, session)) = self.order.pop_front_if(|(position, _)| *position < floor) {
            let highest = self.sessions.get_mut(&session).expect("a session in order is remembered");
            while highest.pop_front_if(|(_, position)| *position < floor).is_some() {}
            match highest.front() {
                // The session has a later record: check again when that one leaves.
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

#[cfg(test)]
mod tests {
    use delivery_model::vocab::Epoch;

    use super::*;
    use crate::data::record::ProducerId;

    #[test]
    fn a_snapshot_whose_numbers_do_not_fall_while_positions_rise_is_refused() {
        let check = |highest: [(u64, u64); 2], is_fine: bool| {
            let session = Session { producer: ProducerId(1), session: Epoch(0) };
            let highest: Highest = highest.map(|(number, position)| (number, Position(position))).into();
            let order = VecDeque::from([(Position(0), session)]);
            let table = BySequence { sessions: BTreeMap::from([(session, highest)]), order };
            let bytes = table.write(Writer::new(1)).finish();
            let read = snapshot::read(1, &bytes, |reader| BySequence::read(reader, 0..9));
            assert_eq!(read.as_ref() == Ok(&table), is_fine, "{table:?}, read as {read:?}");
            assert_eq!(read.is_ok(), is_fine);
        };
        check([(5, 0), (4, 1)], true);
        check([(5, 0), (5, 1)], false);
        check([(4, 0), (5, 1)], false);
        check([(5, 1), (4, 1)], false);
    }
}
