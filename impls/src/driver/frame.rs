//! The frame: the encoding that separates the messages in a byte stream and detects damage.
//!
//! Sans-IO. A frame is a header of 16 bytes and a body, all numbers little-endian:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 3 | `PoD` |
//! | 3 | 1 | version, 1 |
//! | 4 | 4 | body's length, at most [`BODY_MAX`]: 262,144 bytes |
//! | 8 | 4 | CRC-32C of the body |
//! | 12 | 4 | CRC-32C of the twelve bytes before it |
//!
//! CRC-32C is Castagnoli's, as in iSCSI (RFC 3720): polynomial 0x1EDC6F41, bits reflected in and out (so 0x82F63B78 in a
//! table), begun with all ones, inverted at the end. That of nothing is 0, that of `123456789` is 0xE3069283.
//!
//! ```
//! # use delivery_impls::driver::frame::encode;
//! let mut heartbeat = Vec::new();
//! encode(b"", &mut heartbeat).unwrap();
//! assert_eq!(heartbeat, [b'P', b'o', b'D', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0xdb, 0x62, 0x32]);
//! let mut hello = Vec::new();
//! encode(b"\x07", &mut hello).unwrap();
//! assert_eq!(hello, [b'P', b'o', b'D', 1, 1, 0, 0, 0, 0xba, 0x37, 0xb7, 0x86, 0xd1, 0x95, 0x3d, 0xde, 7]);
//! ```
//!
//! The header has a checksum of its own, so that a damaged length is detected before the reader waits for that many
//! bytes or reserves memory for them. CRC-32C detects every single flipped bit, and every burst of up to 32 bits.
//!
//! Left out: resynchronising after damage. TCP does not damage bytes by itself, so a bad frame means a faulty or
//! hostile peer. The connection is closed, and the protocol's retries recover.

use thiserror::Error;

/// The longest body, in bytes. Together with the length of the queues it limits the memory that a peer can make
/// another use.
pub const BODY_MAX: usize = 256 << 10;

/// The header's length in bytes.
pub const HEADER: usize = 16;

const MAGIC: [u8; 3] = *b"PoD";
const VERSION: u8 = 1;

/// The reason why a byte stream is not a sequence of frames. `at` is the offset of the frame's first byte in the
/// stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The first bytes are not those of a frame.
    #[error("byte {at}: expected a frame, which starts with {MAGIC:02x?}, found {found:02x?}")]
    NotAFrame {
        /// The offset of the frame.
        at: u64,
        /// Its first three bytes.
        found: [u8; 3],
    },
    /// The frame has another version.
    #[error("byte {at}: expected frame version {VERSION}, found {found}")]
    Version {
        /// The offset of the frame.
        at: u64,
        /// Its version.
        found: u8,
    },
    /// The header is damaged.
    #[error("byte {at}: the header's checksum is {found:#010x}, its bytes give {expected:#010x}")]
    HeaderDamaged {
        /// The offset of the frame.
        at: u64,
        /// The checksum of the bytes.
        expected: u32,
        /// The checksum in the header.
        found: u32,
    },
    /// The body is longer than [`BODY_MAX`].
    #[error("byte {at}: a body of {length} bytes, at most {BODY_MAX} are allowed")]
    TooLong {
        /// The offset of the frame.
        at: u64,
        /// The body's length in bytes.
        length: u64,
    },
    /// The body is damaged.
    #[error("byte {at}: the body's checksum is {found:#010x}, its bytes give {expected:#010x}")]
    BodyDamaged {
        /// The offset of the frame.
        at: u64,
        /// The checksum of the bytes.
        expected: u32,
        /// The checksum in the header.
        found: u32,
    },
}

/// Appends `body` as one frame to `out`. A body longer than [`BODY_MAX`] is an error and leaves `out` as it was.
pub fn encode(body: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    if body.len() > BODY_MAX {
        return Err(FrameError::TooLong { at: out.len() as u64, length: body.len() as u64 });
    }
    let mut header = [0; HEADER];
    header[..3].copy_from_slice(&MAGIC);
    header[3] = VERSION;
    header[4..8].copy_from_slice(&(body.len() as u32).to_le_bytes());
    header[8..12].copy_from_slice(&crc32c::crc32c(body).to_le_bytes());
    let own = crc32c::crc32c(&header[..12]);
    header[12..].copy_from_slice(&own.to_le_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(body);
    Ok(())
}

/// A decoder of frames from a stream that arrives in pieces of any size.
///
/// Call [`Decoder::take`] with what was read until it returns `Ok(None)`, which means that all of it was consumed.
/// After an error every further call returns the same error: close the connection. Memory grows with the bytes that
/// arrived, never with the length that a header claims, and never past one body.
#[derive(Debug, Default)]
pub struct Decoder {
    header: [u8; HEADER],
    have: usize,
    body: Vec<u8>,
    at: u64,
    failed: Option<FrameError>,
}

impl Decoder {
    /// The next whole body. Consumes no more of `input` than that frame needs.
    pub fn take(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        if let Some(failure) = self.failed {
            return Err(failure);
        }
        let taken = self.advance(input);
        self.failed = taken.as_ref().err().copied();
        taken
    }

    /// Whether the stream would end inside a frame if it ended here.
    pub fn is_inside_a_frame(&self) -> bool {
        self.have > 0
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Vec<u8>>, FrameError> {
        if self.have < HEADER {
            let piece = split(input, HEADER - self.have);
            self.header[self.have..self.have + piece.len()].copy_from_slice(piece);
            self.have += piece.len();
            if self.have < HEADER {
                return Ok(None);
            }
            self.check_header()?;
        }
        let missing = self.word(4) as usize - self.body.len();
        self.body.extend_from_slice(split(input, missing));
        if self.body.len() < self.word(4) as usize {
            return Ok(None);
        }
        let (expected, found) = (crc32c::crc32c(&self.body), self.word(8));
        if expected != found {
            return Err(FrameError::BodyDamaged { at: self.at, expected, found });
        }
        self.at += (HEADER + self.body.len()) as u64;
        self.have = 0;
        Ok(Some(std::mem::take(&mut self.body)))
    }

    /// Checks magic and version before the checksum: for a peer that speaks another protocol, they give the better
    /// error.
    fn check_header(&self) -> Result<(), FrameError> {
        let at = self.at;
        let found = [self.header[0], self.header[1], self.header[2]];
        if found != MAGIC {
            return Err(FrameError::NotAFrame { at, found });
        }
        if self.header[3] != VERSION {
            return Err(FrameError::Version { at, found: self.header[3] });
        }
        let (expected, found) = (crc32c::crc32c(&self.header[..12]), self.word(12));
        if expected != found {
            return Err(FrameError::HeaderDamaged { at, expected, found });
        }
        let length = u64::from(self.word(4));
        if length > BODY_MAX as u64 {
            return Err(FrameError::TooLong { at, length });
        }
        Ok(())
    }

    fn word(&self, from: usize) -> u32 {
        u32::from_le_bytes([self.header[from], self.header[from + 1], self.header[from + 2], self.header[from + 3]])
    }
}

/// Splits up to `most` bytes off the front of `input`.
fn split<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (piece, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    piece
}
