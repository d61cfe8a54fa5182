//! The records of an inventory's journal: `I`, a version, and the entries of one transaction, each a tag and fixed-width
//! fields, little-endian. An entry says what is so after the transaction, so that reading it twice changes nothing.

use delivery_model::vocab::Position;

use super::super::Generation;
use crate::data::record::{DecodeError, Key, Reader};
use crate::inventory::Sku;

const KIND: u8 = b'I';
const VERSION: u8 = 1;

/// An entry of a record.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// An article has this stock.
    Stock { sku: Sku, left: i64 },
    /// The message of this key was handled.
    Inbox(Key),
    /// The positions from `start` to before `end` are finished.
    Finished { start: u64, end: u64 },
    /// No position from this one on is finished.
    Rewound(Position),
    /// This generation was let in.
    Generation(Generation),
}

/// The entries of a transaction, encoded.
#[derive(Debug, Default)]
pub struct Entries {
    bytes: Vec<u8>,
}

impl Entries {
    /// Adds an entry.
    pub fn add(&mut self, entry: &Entry) {
        if self.bytes.is_empty() {
            self.bytes.extend([KIND, VERSION]);
        }
        entry.encode(&mut self.bytes);
    }

    /// The record; empty if it has no entry.
    pub fn into_record(self) -> Vec<u8> {
        self.bytes
    }

    /// Reads the entries of a record.
    pub fn read(record: &[u8], mut take: impl FnMut(Entry)) -> Result<(), DecodeError> {
        let mut reader = Reader::new(record);
        reader.tag("a record of an inventory", KIND)?;
        reader.tag("the version of an inventory", VERSION)?;
        while reader.end().is_err() {
            take(Entry::decode(&mut reader)?);
        }
        Ok(())
    }
}

impl Entry {
    fn encode(&self, bytes: &mut Vec<u8>) {
        match *self {
            Entry::Stock { sku, left } => {
                bytes.push(1);
                bytes.extend(sku.0.to_le_bytes());
                bytes.extend(left.to_le_bytes());
            }
            Entry::Inbox(key) => {
                bytes.push(2);
                key.encode_into(bytes);
            }
            Entry::Finished { start, end } => {
                bytes.push(3);
                bytes.extend(start.to_le_bytes());
                bytes.extend(end.to_le_bytes());
            }
            Entry::Rewound(to) => {
                bytes.push(4);
                bytes.extend(to.0.to_le_bytes());
            }
            Entry::Generation(generation) => {
                bytes.push(5);
                bytes.extend(generation.0.to_le_bytes());
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Entry, DecodeError> {
        let offset = reader.offset();
        Ok(match reader.u8()? {
            1 => Entry::Stock { sku: Sku(reader.u32()?), left: reader.u64()? as i64 },
            2 => Entry::Inbox(Key::decode(reader)?),
            3 => Entry::Finished { start: reader.u64()?, end: reader.u64()? },
            4 => Entry::Rewound(Position(reader.u64()?)),
            5 => Entry::Generation(Generation(reader.u32()?)),
            found => return Err(DecodeError::Tag { of: "an inventory's entry", offset, found }),
        })
    }
}
