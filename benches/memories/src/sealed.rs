//! Snapshots with a checksum behind them, because these memories have no frame around theirs.

use delivery_impls::data::record::Reader;
use delivery_impls::data::snapshot::{self, SnapshotError, Writer};

/// The number of bytes of the checksum (CRC-32C, little-endian).
const CHECKSUM: usize = 4;

/// The bytes of the snapshot, and the checksum of them.
pub(super) fn seal(writer: Writer) -> Vec<u8> {
    let mut bytes = writer.finish();
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend(checksum.to_le_bytes());
    bytes
}

/// Reads what [`seal`] wrote, all of it.
pub(super) fn read<T>(
    tag: u8,
    bytes: &[u8],
    of: impl FnOnce(&mut Reader<'_>) -> Result<T, SnapshotError>,
) -> Result<T, SnapshotError> {
    let (snapshot, checksum) = bytes.split_last_chunk::<CHECKSUM>().unwrap_or((bytes, &[0; CHECKSUM]));
    if crc32c::crc32c(snapshot) != u32::from_le_bytes(*checksum) {
        let offset = snapshot.len();
        return Err(SnapshotError::Implausible { expected: "the checksum of what is", offset });
    }
    snapshot::read(tag, snapshot, of)
}
