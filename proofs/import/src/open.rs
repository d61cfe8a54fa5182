//! Compressed input: gzip and zstd, recognised by their first bytes.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Whether this begins a frame that decoders of zstd skip.
fn is_skippable(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

/// The bytes of a file, decompressed if it is gzip or zstd. Reads as it goes: memory is one window of the compressor.
///
/// # Errors
///
/// Reading fails, or what begins like a compressed file is none.
pub fn decompressed<'a>(mut input: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    // A pipe may give the first bytes one by one.
    let mut start = Vec::new();
    input.by_ref().take(ZSTD.len() as u64).read_to_end(&mut start)?;
    let (gzip, zstd) = (start.starts_with(GZIP), start == ZSTD || is_skippable(&start));
    let input = BufReader::with_capacity(1 << 16, Cursor::new(start).chain(input));
    Ok(match (gzip, zstd) {
        (true, _) => Box::new(MultiGzDecoder::new(input)),
        (_, true) => Box::new(Frames::new(input)),
        (false, false) => Box::new(input),
    })
}

/// The frames of a zstd file, one after the other, without what compressors put between them for themselves (`pzstd` begins with
/// it): a decoder ends with its frame.
struct Frames<R: Read> {
    input: BufReader<R>,
    decoder: FrameDecoder,
    /// Whether a frame has begun and not all of it was given out.
    is_inside: bool,
}

impl<R: Read> Frames<R> {
    fn new(input: BufReader<R>) -> Self {
        Frames { input, decoder: FrameDecoder::new(), is_inside: false }
    }

    /// Begins the next frame with content; false at the end of the input.
    fn begin(&mut self) -> io::Result<bool> {
        use FrameDecoderError::ReadFrameHeaderError as Header;
        while !self.input.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.input) {
                Ok(()) => return Ok(true),
                Err(Header(ReadFrameHeaderError::SkipFrame { length, .. })) => self.skip(length.into())?,
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        match io::copy(&mut self.input.by_ref().take(bytes), &mut io::sink())? {
            skipped if skipped == bytes => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a skippable frame is cut off")),
        }
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_inside && !self.begin()? {
                return Ok(0);
            }
            self.is_inside = true;
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.input, one).map_err(io::Error::other)?;
            }
            match self.decoder.read(buffer)? {
                0 => self.is_inside = false,
                bytes => return Ok(bytes),
            }
        }
    }
}
