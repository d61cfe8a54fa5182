//! What the log keeps of dropped records: enough to recognise and confirm every retry of one, and the dead letters.
//!
//! A retry of a dropped record must be confirmed, because the record was durable. So the memory of identities is kept
//! as it was after the last dropped record. Where identities are sequence numbers, that memory has only the highest
//! number of each session, so the dropped numbers are kept too, as ranges: two numbers a session if none is missing.
//! (A broker that rebuilds its memory from the remaining records takes such a retry for new, as NATS JetStream does.)
//! Dead letters are kept for operators who look at messages that no consumer could handle.
//!
//! The snapshot is the first part of the log's journal, in as many records as it needs, and is rewritten whenever
//! records are dropped. An unbounded memory of message ids grows with every message, and so does this snapshot: such
//! a broker should have a window.

use std::collections::BTreeMap;

use delivery_model::pipeline;
use delivery_model::vocab::Position;

use super::dedup::Memory;
use crate::data::range_set::RangeSet;
use crate::data::record::{DecodeError, Identity, Reader, Record, Session};
use crate::data::snapshot::{self, SnapshotError, Writer};
use crate::store::frame::RECORD_MAX_BYTES;
use crate::store::{Encode, RecoverError};

/// The tag of a part of the snapshot, in the place of a [`Record`]'s version.
const PART: u8 = 2;

/// The size of a part's header in bytes: the tag, and whether it is the last part.
const PART_HEADER_BYTES: usize = 2;

/// The highest plausible position: a snapshot that names a higher one is refused.
const COUNTED_MAX: Position = Position(u64::MAX / 2);

/// The tag of this kind of [`snapshot`].
const TAG: u8 = 7;

/// The records below a position, as far as they are still needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DroppedRecords {
    start: Position,
    /// The memory of the dropped records, without those beyond its window.
    memory: Memory,
    /// The dropped sequence numbers, if the memory recognises by number.
    numbers: BTreeMap<Session, RangeSet>,
    dead_letters: BTreeMap<Position, Record>,
}

impl DroppedRecords {
    /// The state of a log that has dropped nothing.
    pub fn new(settings: &pipeline::Broker) -> DroppedRecords {
        let (start, numbers, dead_letters) = Default::default();
        DroppedRecords { start, memory: Memory::new(settings, start), numbers, dead_letters }
    }

    /// The position after the last dropped record.
    pub fn start(&self) -> Position {
        self.start
    }

    /// The memory of the dropped records alone.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether a record with this identity was dropped, as far as the memory reaches.
    pub fn holds(&self, identity: Identity) -> bool {
        match identity {
            Identity::Sequence { session, number } if self.memory.goes_by_number() => {
                self.numbers.get(&session).is_some_and(|numbers| numbers.contains(number))
            }
            _ => self.memory.position_of(identity).is_some(),
        }
    }

    /// The dropped dead letter at this position.
    pub fn dead_letter(&self, position: Position) -> Option<&Record> {
        self.dead_letters.get(&position)
    }

    /// Adds the record at the start of the log to the dropped ones.
    pub fn take_in(&mut self, record: &Record, is_dead: bool) {
        self.memory.remember(self.start, record.identity);
        if let Identity::Sequence { session, number } = record.identity
            && self.memory.goes_by_number()
        {
            self.numbers.entry(session).or_default().insert(number);
        }
        if is_dead {
            self.dead_letters.insert(self.start, record.clone());
        }
        self.start.0 += 1;
    }

    /// Writes a snapshot in the place of these bytes: no bytes if nothing was dropped. A journal has it as its
    /// [`parts`].
    pub fn write(&self, bytes: &mut Vec<u8>) {
        if self.start == Position(0) {
            return bytes.clear();
        }
        let room = std::mem::take(bytes);
        let writer = self.memory.write(Writer::in_room_of(room, TAG).u64(self.start.0));
        let numbers = self.numbers.iter().map(|(&session, numbers)| (session, numbers));
        let writer = writer.by_session(numbers, |writer, numbers: &RangeSet| {
            let runs = writer.u64(numbers.iter().count() as u64);
            numbers.iter().fold(runs, |writer, run| writer.u64(*run.start()).u64(*run.end()))
        });
        let writer = writer.list(self.dead_letters.iter(), |writer, (position, record)| {
            writer.u64(position.0).bytes(&record.encode())
        });
        *bytes = writer.finish();
    }

    /// Reads what [`DroppedRecords::write`] wrote.
    pub fn read(settings: &pipeline::Broker, bytes: &[u8]) -> Result<DroppedRecords, SnapshotError> {
        match bytes {
            [] => Ok(DroppedRecords::new(settings)),
            _ => snapshot::read(TAG, bytes, |reader| read(settings, reader)),
        }
    }

    /// Reads the [`parts`] that a journal's records begin with, and removes them.
    pub fn decode(settings: &pipeline::Broker, records: &mut Vec<Vec<u8>>) -> Result<DroppedRecords, RecoverError> {
        let count = records.iter().take_while(|record| record.first() == Some(&PART)).count();
        if count == 0 {
            return Ok(DroppedRecords::new(settings));
        }
        let mut bytes = Vec::new();
        for (place, part) in records.drain(..count).enumerate() {
            let is_last = u8::from(place + 1 == count);
            let mut reader = Reader::new(&part[1..]);
            let read = reader.tag("a snapshot's part", is_last);
            read.map_err(|why| RecoverError::Undecodable { record: place as u64, why })?;
            bytes.extend_from_slice(reader.rest());
        }
        Ok(DroppedRecords::read(settings, &bytes)?)
    }
}

/// A part of a snapshot, as a record of a journal.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    is_last: bool,
    bytes: &'a [u8],
}

impl Encode for Part<'_> {
    fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&[PART, u8::from(self.is_last)]);
        bytes.extend_from_slice(self.bytes);
    }
}

/// Splits a snapshot into parts that a journal takes as records.
pub fn parts(snapshot: &[u8]) -> impl Iterator<Item = Part<'_>> {
    let chunks = snapshot.chunks(RECORD_MAX_BYTES - PART_HEADER_BYTES);
    let count = chunks.len();
    chunks.enumerate().map(move |(place, bytes)| Part { is_last: place + 1 == count, bytes })
}

fn read(settings: &pipeline::Broker, reader: &mut Reader<'_>) -> Result<DroppedRecords, SnapshotError> {
    let start = Position(reader.u64()?);
    let memory = Memory::read(settings, reader)?;
    snapshot::expect(reader, memory.end() == start && start < COUNTED_MAX, "a memory of every dropped record")?;
    let numbers = snapshot::by_session(reader, read_runs)?;
    let dead_letters = snapshot::list(reader, |reader| {
        let position = Position(reader.u64()?);
        snapshot::expect(reader, position < start, "dead letters among the dropped records")?;
        Ok((position, read_record(reader)?))
    })?;
    Ok(DroppedRecords { start, memory, numbers, dead_letters: dead_letters.into_iter().collect() })
}

fn read_runs(reader: &mut Reader<'_>) -> Result<RangeSet, SnapshotError> {
    let mut runs = RangeSet::default();
    snapshot::list(reader, |reader| {
        let (first, last) = (reader.u64()?, reader.u64()?);
        let is_next = first <= last && runs.highest().is_none_or(|highest| highest < first);
        snapshot::expect(reader, is_next, "runs in rising order")?;
        runs.insert_run(first..=last);
        Ok(())
    })?;
    Ok(runs)
}

fn read_record(reader: &mut Reader<'_>) -> Result<Record, DecodeError> {
    let length = reader.u64()?;
    Record::decode(reader.bytes(usize::try_from(length).unwrap_or(usize::MAX))?)
}

#[cfg(test)]
mod tests {
    use delivery_model::pipeline::Dedup;
    use delivery_model::vocab::{Epoch, MessageId};
    use proptest::prelude::*;

    use super::*;
    use crate::data::record::ProducerId;

    fn settings(dedup: Dedup, dedup_window: u32) -> pipeline::Broker {
        pipeline::Broker { dedup, dedup_window, ..Default::default() }
    }

    fn record(identity: Identity, payload_bytes: usize) -> Record {
        let payload = vec![7; payload_bytes].into();
        Record { message: MessageId(1), identity, producer: ProducerId(0), epoch: Epoch(0), payload }
    }

    fn identity() -> impl Strategy<Value = Identity> {
        let session = (0..2u32).prop_map(|session| Session { producer: ProducerId(0), session: Epoch(session) });
        (session, 0..6u64, any::<bool>()).prop_map(|(session, number, is_numbered)| match is_numbered {
            true => Identity::Sequence { session, number },
            false => Identity::Message { session, message: MessageId(number) },
        })
    }

    fn records_of(past: &DroppedRecords) -> Vec<Vec<u8>> {
        let mut snapshot = Vec::new();
        past.write(&mut snapshot);
        let record = |part: Part<'_>| {
            let mut record = Vec::new();
            part.encode_into(&mut record);
            record
        };
        parts(&snapshot).map(record).collect()
    }

    fn dropped(settings: &pipeline::Broker, identities: &[Identity]) -> DroppedRecords {
        let mut past = DroppedRecords::new(settings);
        for (place, identity) in identities.iter().enumerate() {
            past.take_in(&record(*identity, place), place % 3 == 0);
        }
        past
    }

    proptest! {
        #[test]
        fn it_reads_back_as_it_was_written(
            dedup in prop::sample::select(vec![Dedup::None, Dedup::MessageId, Dedup::Sequence]),
            window in 0..3u32,
            identities in prop::collection::vec(identity(), 0..16),
        ) {
            let settings = settings(dedup, window);
            let past = dropped(&settings, &identities);
            let follows = record(Identity::None, 3).encode();
            let mut records = records_of(&past);
            records.push(follows.clone());
            prop_assert_eq!(DroppedRecords::decode(&settings, &mut records), Ok(past));
            prop_assert_eq!(records, [follows]);
        }

        /// Any bytes are either an error that says where, or a value that can be used further.
        #[test]
        fn any_bytes_are_a_past_or_an_error(
            dedup in prop::sample::select(vec![Dedup::None, Dedup::MessageId, Dedup::Sequence]),
            identities in prop::collection::vec(identity(), 1..8),
            at: prop::sample::Index, byte: u8, asked in identity(),
        ) {
            let settings = settings(dedup, 2);
            let mut records = records_of(&dropped(&settings, &identities));
            let at = at.index(records[0].len());
            records[0][at] = byte;
            if let Ok(mut past) = DroppedRecords::decode(&settings, &mut records) {
                past.holds(asked);
                past.take_in(&record(asked, 1), true);
            }
        }
    }

    #[test]
    fn of_numbers_it_holds_those_that_were_stored_and_of_ids_those_that_are_remembered() {
        let session = Session::default();
        let numbered = |number| Identity::Sequence { session, number };
        let named = |message| Identity::Message { session, message: MessageId(message) };
        let check = |dedup, identities: &[Identity], asked, expected| {
            assert_eq!(dropped(&settings(dedup, 1), identities).holds(asked), expected, "{dedup:?} {asked:?}");
        };
        let numbers = [numbered(0), numbered(2)];
        check(Dedup::Sequence, &numbers, numbered(0), true);
        check(Dedup::Sequence, &numbers, numbered(1), false);
        check(Dedup::Sequence, &numbers, numbered(2), true);
        check(Dedup::None, &numbers, numbered(2), false);
        check(Dedup::MessageId, &[named(1), named(2)], named(1), false);
        check(Dedup::MessageId, &[named(1), named(2)], named(2), true);
    }

    #[test]
    fn what_is_too_long_for_a_record_takes_several() {
        let settings = settings(Dedup::None, 0);
        let mut past = DroppedRecords::new(&settings);
        for _ in 0..3 {
            past.take_in(&record(Identity::None, RECORD_MAX_BYTES / 2), true);
        }
        let mut records = records_of(&past);
        assert_eq!(records.len(), 2);
        let without_its_end = &mut records[..1].to_vec();
        let why = DecodeError::Tag { of: "a snapshot's part", offset: 0, found: 0 };
        assert_eq!(
            DroppedRecords::decode(&settings, without_its_end),
            Err(RecoverError::Undecodable { record: 0, why })
        );
        assert_eq!(DroppedRecords::decode(&settings, &mut records), Ok(past));
    }

    #[test]
    fn what_was_kept_for_another_way_to_recognise_retries_is_refused() {
        let past = dropped(&settings(Dedup::Sequence, 0), &[Identity::None]);
        let found = DroppedRecords::decode(&settings(Dedup::MessageId, 0), &mut records_of(&past)).unwrap_err();
        let expected = "the snapshot before the records cannot be read: \
            expected retries recognised in the way that the pipeline says before offset 14";
        assert_eq!(found.to_string(), expected);
    }
}
