//! The bytes of a snapshot: a tag that says whose they are, a version, and fixed-width fields, little-endian; the frame
//! around them has the checksum. Equal memories have equal bytes, and decoding is validation.

use std::collections::BTreeMap;

use delivery_model::vocab::Epoch;
use thiserror::Error;

use crate::core::record::{DecodeError, Identity, ProducerId, Reader, Session};

const VERSION: u8 = 1;

/// Why bytes are no snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SnapshotError {
    /// They cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// They can be read, and contradict themselves.
    #[error("expected {expected} before offset {offset}")]
    Implausible {
        /// What must hold.
        expected: &'static str,
        /// How far it was read.
        offset: usize,
    },
}

/// Writes a snapshot.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub fn new(tag: u8) -> Writer {
        Writer(vec![tag, VERSION])
    }

    pub fn u64(mut self, value: u64) -> Writer {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn u128(self, value: u128) -> Writer {
        self.u64(value as u64).u64((value >> 64) as u64)
    }

    pub fn u32(mut self, value: u32) -> Writer {
        self.0.extend(value.to_le_bytes());
        self
    }

    /// An entry for every session.
    pub fn by_session<V>(self, entries: BTreeMap<Session, V>, each: impl Fn(Writer, V) -> Writer) -> Writer {
        let counted = self.u64(entries.len() as u64);
        entries.into_iter().fold(counted, |writer, (session, entry)| {
            each(writer.u32(session.producer.0).u32(session.session.0), entry)
        })
    }

    /// Identities, in this order.
    pub fn identities(self, identities: impl ExactSizeIterator<Item = Identity>) -> Writer {
        let mut writer = self.u64(identities.len() as u64);
        identities.for_each(|identity| identity.encode(&mut writer.0));
        writer
    }

    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads a snapshot, all of it, by this.
pub(super) fn read<T>(
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

/// Reads what [`Writer::by_session`] wrote. The count reserves nothing: every entry must be there.
pub(super) fn by_session<V>(
    reader: &mut Reader<'_>,
    mut each: impl FnMut(&mut Reader<'_>) -> Result<V, SnapshotError>,
) -> Result<BTreeMap<Session, V>, SnapshotError> {
    let mut entries = BTreeMap::new();
    for _ in 0..reader.u64()? {
        let session = Session { producer: ProducerId(reader.u32()?), session: Epoch(reader.u32()?) };
        let is_next = entries.last_key_value().is_none_or(|(last, _)| *last < session);
        expect(reader, is_next, "sessions in rising order")?;
        entries.insert(session, each(reader)?);
    }
    Ok(entries)
}

/// Reads what [`Writer::identities`] wrote.
pub(super) fn identities(reader: &mut Reader<'_>) -> Result<Vec<Identity>, SnapshotError> {
    let mut identities = Vec::new();
    for _ in 0..reader.u64()? {
        identities.push(Identity::decode(reader)?);
    }
    Ok(identities)
}

/// Reads what [`Writer::u128`] wrote.
pub(super) fn u128(reader: &mut Reader<'_>) -> Result<u128, DecodeError> {
    Ok(u128::from(reader.u64()?) | u128::from(reader.u64()?) << 64)
}

/// Says what must hold of what was read so far.
pub(super) fn expect(reader: &Reader<'_>, holds: bool, expected: &'static str) -> Result<(), SnapshotError> {
    if holds { Ok(()) } else { Err(SnapshotError::Implausible { expected, offset: reader.offset() }) }
}
