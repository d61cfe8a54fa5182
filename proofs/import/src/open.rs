//! Compressed input: gzip and zstd, recognised by their first bytes.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// The bytes of a file, decompressed if it is gzip or zstd. Reads as it goes: memory is one window of the compressor.
///
/// # Errors
///
/// Reading fails, or what begins like a compressed file is none.
pub fn decompressed<'a>(mut input: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    // A pipe may give the first bytes one by one.
    let mut start = Vec::new();
    input.by_ref().take(ZSTD.len() as u64).read_to_end(&mut start)?;
    let (gzip, zstd) = (start.starts_with(GZIP), start == ZSTD);
    let input = BufReader::with_capacity(1 << 16, Cursor::new(start).chain(input));
    Ok(match (gzip, zstd) {
        (true, _) => Box::new(MultiGzDecoder::new(input)),
        (_, true) => Box::new(Frames { input: Some(input), frame: None }),
        (false, false) => Box::new(input),
    })
}

/// The frames of a zstd file, one after the other: a decoder ends with its frame.
struct Frames<R: Read> {
    input: Option<BufReader<R>>,
    frame: Option<StreamingDecoder<BufReader<R>, FrameDecoder>>,
}

impl<R: Read> Frames<R> {
    /// Begins the next frame; false at the end of the input.
    fn begin(&mut self) -> io::Result<bool> {
        let Some(mut input) = self.input.take() else { return Ok(false) };
        if input.fill_buf()?.is_empty() {
            return Ok(false);
        }
        self.frame = Some(StreamingDecoder::new(input).map_err(io::Error::other)?);
        Ok(true)
    }
}

impl<R: Read> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(frame) = &mut self.frame {
                let bytes = frame.read(buffer)?;
                if bytes > 0 {
                    return Ok(bytes);
                }
                self.input = self.frame.take().map(StreamingDecoder::into_inner);
            }
            if !self.begin()? {
                return Ok(0);
            }
        }
    }
}
