//! Compressed input: what compressors put between the frames for themselves is no content.

use std::io::Read;

use delivery_import::decompressed;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// A frame that decoders skip: one of sixteen magic numbers, a length, and so many bytes.
fn skippable(kind: u8, length: u8) -> Vec<u8> {
    [&[0x50 + kind, 0x2a, 0x4d, 0x18, length, 0, 0, 0], vec![b'x'; length.into()].as_slice()].concat()
}

fn read(bytes: &[u8]) -> Result<String, String> {
    let mut text = String::new();
    decompressed(bytes).and_then(|mut it| it.read_to_string(&mut text)).map_err(|error| error.to_string())?;
    Ok(text)
}

#[test]
fn frames_that_decoders_skip_are_no_content() {
    let zstd = |text: &str| compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
    let (front, back) = (zstd("a loss "), zstd("of two frames"));
    let between = [skippable(0, 4), front.clone(), skippable(15, 0), skippable(7, 200), back.clone(), skippable(1, 1)];
    assert_eq!(read(&between.concat()), Ok("a loss of two frames".to_owned()));
    assert_eq!(read(&skippable(3, 9)), Ok(String::new()));
    let cut = &[front, skippable(3, 9)].concat();
    assert_eq!(read(&cut[..cut.len() - 1]), Err("a skippable frame is cut off".to_owned()));
    assert!(read(&[back, b"more".to_vec()].concat()).is_err(), "what follows is no frame");
}
