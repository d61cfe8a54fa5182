//! The encoding of snapshots: a tag for the kind, a version, and fixed-width fields, little-endian. The frame around
//! a snapshot has the checksum. Equal values have equal bytes. Decoding is validation, and a count reserves no memory
//! before its entries are read.

use std::collections::BTreeMap;

use delivery_model::vocab::Epoch;
use thiserror::Error;

use super::record::{DecodeError, Identity, ProducerId, Reader, Session};

const VERSION: u8 = 1;

/// The room that a snapshot has at first, in bytes. Most snapshots of a few messages fit.
const SMALL_BYTES: usize = 256;

/// The reason why bytes are not a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// They cannot be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// They can be decoded, but contradict themselves.
    #[error("expected {expected} before offset {offset}")]
    Implausible {
        /// The condition that must hold.
        expected: &'static str,
        /// The number of bytes that were read so far.
        offset: usize,
    },
}

/// A writer of one snapshot.
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty snapshot of the kind that the tag names.
    pub fn new(tag: u8) -> Writer {
        Writer::in_room_of(Vec::with_capacity(SMALL_BYTES), tag)
    }

    /// An empty snapshot of the kind that the tag names, in the room that these bytes took.
    pub fn in_room_of(mut bytes: Vec<u8>, tag: u8) -> Writer {
        bytes.clear();
        bytes.extend_from_slice(&[tag, VERSION]);
        Writer(bytes)
    }

    /// Adds eight bytes.
    pub fn u64(mut self, value: u64) -> Writer {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds four bytes.
    pub fn u32(mut self, value: u32) -> Writer {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds a session.
    pub fn session(self, session: Session) -> Writer {
        self.u32(session.producer.0).u32(session.session.0)
    }

    /// Adds an identity.
    pub fn identity(mut self, identity: Identity) -> Writer {
        identity.encode(&mut self.0);
        self
    }

    /// Adds bytes of any length.
    pub fn bytes(self, bytes: &[u8]) -> Writer {
        let mut writer = self.u64(bytes.len() as u64);
        writer.0.extend_from_slice(bytes);
        writer
    }

    /// Adds a count, then the entries in this order.
    pub fn list<T>(self, entries: impl ExactSizeIterator<Item = T>, each: impl Fn(Writer, T) -> Writer) -> Writer {
        let counted = self.u64(entries.len() as u64);
        entries.fold(counted, each)
    }

    /// Adds a count, then an entry for every session. The sessions must be in rising order.
    pub fn by_session<V>(
        self,
        entries: impl IntoIterator<Item = (Session, V), IntoIter: ExactSizeIterator>,
        each: impl Fn(Writer, V) -> Writer,
    ) -> Writer {
        self.list(entries.into_iter(), |writer, (session, entry)| each(writer.session(session), entry))
    }

    /// The bytes of the snapshot.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a snapshot, all of it, by this.
pub fn read<T>(
    tag: u8,
    bytes: &[u8],
    of: impl FnOnce(&mut Reader<'_>) -> Result<T, SnapshotError>,
) -> Result<T, SnapshotError> {
    let mut reader = Reader::new(bytes);
    reader.tag("dedup memory", tag)?;
    reader.tag("snapshot version", VERSION)?;
    let value = of(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Reads what [`Writer::session`] wrote.
pub fn session(reader: &mut Reader<'_>) -> Result<Session, DecodeError> {
    Ok(Session { producer: ProducerId(reader.u32()?), session: Epoch(reader.u32()?) })
}

/// Reads what [`Writer::list`] wrote.
pub fn list<T>(
    reader: &mut Reader<'_>,
    mut each: impl FnMut(&mut Reader<'_>) -> Result<T, SnapshotError>,
) -> Result<Vec<T>, SnapshotError> {
    let mut entries = Vec::new();
    for _ in 0..reader.u64()? {
        entries.push(each(reader)?);
    }
    Ok(entries)
}

/// Reads what [`Writer::by_session`] wrote.
pub fn by_session<V>(
    reader: &mut Reader<'_>,
    mut each: impl FnMut(&mut Reader<'_>) -> Result<V, SnapshotError>,
) -> Result<BTreeMap<Session, V>, SnapshotError> {
    let mut entries = BTreeMap::new();
    for _ in 0..reader.u64()? {
        let session = session(reader)?;
        let is_next = entries.last_key_value().is_none_or(|(last, _)| *last < session);
        expect(reader, is_next, "sessions in rising order")?;
        entries.insert(session, each(reader)?);
    }
    Ok(entries)
}

/// Checks a condition on what was read so far.
pub fn expect(reader: &Reader<'_>, holds: bool, expected: &'static str) -> Result<(), SnapshotError> {
    if holds { Ok(()) } else { Err(SnapshotError::Implausible { expected, offset: reader.offset() }) }
}
