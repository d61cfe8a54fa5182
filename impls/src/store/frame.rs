//! The frames of records in a file, and the recovery of what a crash leaves.
//!
//! A frame is the record's length (u32), a CRC-32C (Castagnoli, as in RFC 3720) of length and bytes (u32), and the
//! bytes; little-endian. A crash leaves a prefix of the frames, perhaps with a torn frame at its end. So a frame that
//! fails its check is the torn tail if no intact frame follows it, and is removed. Otherwise it is corruption in the
//! middle, which is an error.
//!
//! Left out: telling a torn last record from one that was synced and then corrupted. Both look the same unless a
//! second place records what was synced.

use super::{Encode, RecoverError};

/// The longest record, in bytes. A greater length is taken for corruption, so that a corrupt length reserves no
/// memory.
pub const RECORD_MAX_BYTES: usize = 1 << 20;

/// The size of a frame without its record, in bytes.
pub const HEADER_BYTES: usize = 8;

/// Appends a frame.
///
/// # Panics
/// If the record is longer than [`RECORD_MAX_BYTES`]: the caller must refuse it.
pub fn write(bytes: &mut Vec<u8>, record: impl Encode) {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; HEADER_BYTES]);
    record.encode_into(bytes);
    let (header, record) = bytes[start..].split_at_mut(HEADER_BYTES);
    assert!(record.len() <= RECORD_MAX_BYTES, "a record of {} bytes", record.len());
    let length = (record.len() as u32).to_le_bytes();
    let sum = checksum(length, record).to_le_bytes();
    header[..4].copy_from_slice(&length);
    header[4..].copy_from_slice(&sum);
}

/// The contents of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Every intact record.
    pub records: Vec<Vec<u8>>,
    /// The number of bytes that the intact records take; bytes after them are a torn tail.
    pub intact_bytes: usize,
}

/// Reads all records up to a torn tail.
pub fn recover(bytes: &[u8]) -> Result<Recovered, RecoverError> {
    let (mut records, mut offset) = (Vec::new(), 0);
    while offset < bytes.len() {
        match read(&bytes[offset..]) {
            Some(record) => {
                offset += HEADER_BYTES + record.len();
                records.push(record.to_vec());
            }
            None if intact_follows(&bytes[offset + 1..]) => {
                return Err(RecoverError::Corrupt { record: records.len() as u64, offset: offset as u64 });
            }
            None => break,
        }
    }
    Ok(Recovered { records, intact_bytes: offset })
}

/// The record at the start of these bytes, if its frame is intact.
fn read(bytes: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = bytes.split_first_chunk::<4>()?;
    let (&sum, rest) = rest.split_first_chunk::<4>()?;
    let record_bytes = u32::from_le_bytes(length) as usize;
    if record_bytes > RECORD_MAX_BYTES {
        return None;
    }
    let record = rest.get(..record_bytes)?;
    (checksum(length, record) == u32::from_le_bytes(sum)).then_some(record)
}

/// Whether an intact frame with at least one byte of record starts at any of these bytes. Zeros that a file system
/// left are no frame, because the checksum of an empty record is not zero.
fn intact_follows(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|offset| read(&bytes[offset..]).is_some_and(|record| !record.is_empty()))
}

fn checksum(length: [u8; 4], record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length), record)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(records: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        records.iter().for_each(|record| write(&mut bytes, record));
        bytes
    }

    fn record() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 1..20)
    }

    proptest! {
        #[test]
        fn what_a_tear_leaves_is_every_whole_record(
            records in prop::collection::vec(record(), 0..6), cut in any::<prop::sample::Index>(),
        ) {
            let bytes = file(&records);
            let cut = cut.index(bytes.len() + 1);
            let whole = (0..=records.len()).rfind(|&n| file(&records[..n]).len() <= cut).unwrap();
            let recovered = recover(&bytes[..cut]).unwrap();
            prop_assert_eq!(&recovered.records[..], &records[..whole]);
            prop_assert_eq!(recovered.intact_bytes, file(&records[..whole]).len());
        }

        #[test]
        fn a_flipped_bit_before_the_last_record_is_refused_with_its_place(
            records in prop::collection::vec(record(), 2..6), at in any::<prop::sample::Index>(), bit in 0..8,
        ) {
            let mut bytes = file(&records);
            let last = file(&records[..records.len() - 1]).len();
            let at = at.index(last);
            bytes[at] ^= 1u8 << bit;
            let hit = (0..records.len()).rfind(|&n| file(&records[..n]).len() <= at).unwrap();
            let offset = file(&records[..hit]).len() as u64;
            prop_assert_eq!(recover(&bytes), Err(RecoverError::Corrupt { record: hit as u64, offset }));
        }

        #[test]
        fn any_bytes_are_recovered_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(recovered) = recover(&bytes) {
                prop_assert_eq!(file(&recovered.records), &bytes[..recovered.intact_bytes]);
            }
        }
    }

    #[test]
    fn zeros_behind_the_last_record_are_a_torn_tail() {
        let mut bytes = file(&[vec![1, 2, 3]]);
        let intact_bytes = bytes.len();
        bytes.extend([0; 64]);
        assert_eq!(recover(&bytes), Ok(Recovered { records: vec![vec![1, 2, 3]], intact_bytes }));
    }
}
