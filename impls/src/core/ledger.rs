//! What became of the deliveries, as a journal of its own: settles, hand-offs that must happen once or are counted,
//! dead letters, and who is registered.
//!
//! Left out: compaction. The ledger grows with every settle until retention cuts both files.

use delivery_model::vocab::{Epoch, Position};

use super::hand::ConsumerId;
use super::record::{DecodeError, ProducerId, Reader};
use crate::store::{Generation, Journal, RecoverError, StoreError};

/// One line of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// The broker started for the nth time, counted from 1.
    Started(u32),
    /// A producer's incarnation registered.
    Registered(ProducerId, Epoch),
    /// The positions from the first to before the second are settled.
    Settled(Position, Position),
    /// The position is about to be handed off.
    HandedOff(Position),
    /// The position was set aside.
    DeadLettered(Position),
    /// The group was reset to this position.
    Rewound(Position),
    /// The group's work passed to this consumer.
    Owned(ConsumerId, Generation),
}

impl Entry {
    /// The bytes that the journal stores: a tag, and two numbers.
    pub fn encode(&self) -> [u8; 17] {
        let (tag, first, second) = match *self {
            Entry::Started(incarnation) => (1, incarnation.into(), 0),
            Entry::Registered(producer, epoch) => (2, producer.0.into(), epoch.0.into()),
            Entry::Settled(start, end) => (3, start.0, end.0),
            Entry::HandedOff(position) => (4, position.0, 0),
            Entry::DeadLettered(position) => (5, position.0, 0),
            Entry::Rewound(position) => (6, position.0, 0),
            Entry::Owned(consumer, generation) => (7, consumer.0.into(), generation.0.into()),
        };
        let mut bytes = [tag; 17];
        bytes[1..9].copy_from_slice(&u64::to_le_bytes(first));
        bytes[9..].copy_from_slice(&u64::to_le_bytes(second));
        bytes
    }

    /// Reads what [`Entry::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
        let mut reader = Reader::new(bytes);
        let tag = reader.u8()?;
        let (first, second) = (reader.u64()?, reader.u64()?);
        reader.end()?;
        Ok(match tag {
            1 => Entry::Started(first as u32),
            2 => Entry::Registered(ProducerId(first as u32), Epoch(second as u32)),
            3 => Entry::Settled(Position(first), Position(second)),
            4 => Entry::HandedOff(Position(first)),
            5 => Entry::DeadLettered(Position(first)),
            6 => Entry::Rewound(Position(first)),
            7 => Entry::Owned(ConsumerId(first as u8), Generation(second as u32)),
            found => return Err(DecodeError::Tag { of: "ledger entry", offset: 0, found }),
        })
    }
}

/// The ledger's journal. What the entries amount to is kept by those who write them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ledger<J> {
    journal: J,
}

impl<J: Journal> Ledger<J> {
    /// Reads every entry that survived, oldest first.
    pub fn open(mut journal: J) -> Result<(Self, Vec<Entry>), RecoverError> {
        let decode = |(record, bytes): (usize, Vec<u8>)| {
            Entry::decode(&bytes).map_err(|why| RecoverError::Undecodable { record: record as u64, why })
        };
        let entries = journal.recover()?.into_iter().enumerate().map(decode).collect::<Result<_, _>>()?;
        Ok((Ledger { journal }, entries))
    }

    /// Writes entries; they are durable when it returns.
    pub fn record(&mut self, entries: impl IntoIterator<Item = Entry>) -> Result<(), StoreError> {
        entries.into_iter().try_for_each(|entry| self.journal.append(&entry.encode()))?;
        self.journal.sync()
    }

    /// The journal, as a crash leaves it.
    pub fn into_journal(self) -> J {
        self.journal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::simulated::SimulatedJournal;

    #[test]
    fn every_entry_reads_back_as_it_was_written() {
        let entries = [
            Entry::Started(3),
            Entry::Registered(ProducerId(4), Epoch(5)),
            Entry::Settled(Position(1), Position(u64::MAX)),
            Entry::HandedOff(Position(2)),
            Entry::DeadLettered(Position(9)),
            Entry::Rewound(Position(7)),
            Entry::Owned(ConsumerId(1), Generation(2)),
        ];
        let (mut ledger, found) = Ledger::open(SimulatedJournal::default()).unwrap();
        assert_eq!(found, []);
        ledger.record(entries).unwrap();
        let (_, found) = Ledger::open(ledger.into_journal()).unwrap();
        assert_eq!(found, entries);
    }
}
