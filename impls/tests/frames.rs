//! Frames survive every way of cutting the stream, and notice every way of damaging it.

use delivery_impls::driver::frame::{BODY_MAX, Decoder, FrameError, HEADER, encode};
use proptest::collection::vec;
use proptest::prelude::*;

fn framed(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = Vec::new();
    for body in bodies {
        encode(body, &mut stream).expect("short bodies");
    }
    stream
}

/// Feeds the stream in pieces of the given lengths, over and over, and gives the bodies that came out of it.
fn decoded(stream: &[u8], pieces: &[usize]) -> Result<Vec<Vec<u8>>, FrameError> {
    let mut decoder = Decoder::default();
    let mut bodies = Vec::new();
    let mut rest = stream;
    for piece in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (mut now, later) = rest.split_at((*piece).min(rest.len()));
        while let Some(body) = decoder.take(&mut now)? {
            bodies.push(body);
        }
        assert!(now.is_empty(), "`None` means that everything was consumed");
        rest = later;
    }
    Ok(bodies)
}

/// The error of a stream that holds one frame, after `damage` changed it.
fn check(damage: impl FnOnce(&mut Vec<u8>), expected: &str) {
    let mut stream = framed(&[b"one".to_vec(), b"order".to_vec()]);
    damage(&mut stream);
    let error = decoded(&stream, &[7]).expect_err("damaged");
    assert!(error.to_string().contains(expected), "{error} does not contain {expected:?}");
}

#[test]
fn an_error_says_where_the_frame_starts_and_what_was_found() {
    let second = HEADER + 3;
    check(|stream| stream[0] = b'G', "byte 0: expected a frame, which starts with [50, 6f, 44], found [47, 6f, 44]");
    check(|stream| stream[second + 3] = 9, "byte 19: expected frame version 1, found 9");
    check(|stream| stream[second + 4] ^= 1, "byte 19: the header's checksum is");
    check(|stream| stream[second + HEADER] ^= 1, "byte 19: the body's checksum is");
}

#[test]
fn a_length_over_the_limit_is_refused_before_its_body_arrives() {
    let mut header = framed(&[vec![]]);
    header[4..8].copy_from_slice(&(BODY_MAX as u32 + 1).to_le_bytes());
    let own = crc32c::crc32c(&header[..12]);
    header[12..].copy_from_slice(&own.to_le_bytes());
    let error = decoded(&header, &[HEADER]).expect_err("too long");
    assert_eq!(error, FrameError::TooLong { at: 0, length: BODY_MAX as u64 + 1 });
}

#[test]
fn the_longest_body_passes_and_one_byte_more_does_not() {
    let longest = vec![7; BODY_MAX];
    assert_eq!(decoded(&framed(std::slice::from_ref(&longest)), &[100_000]), Ok(vec![longest]));
    let mut out = vec![1, 2, 3];
    let refused = encode(&vec![7; BODY_MAX + 1], &mut out);
    assert_eq!(refused, Err(FrameError::TooLong { at: 3, length: BODY_MAX as u64 + 1 }));
    assert_eq!(out, [1, 2, 3], "nothing is written of a refused body");
}

#[test]
fn a_failed_decoder_stays_failed() {
    let mut decoder = Decoder::default();
    let error = decoder.take(&mut &b"GET / HTTP/1.1\r\n"[..]).expect_err("not a frame");
    assert_eq!(decoder.take(&mut &framed(&[b"fine".to_vec()])[..]), Err(error));
}

#[test]
fn a_decoder_knows_whether_the_stream_ended_inside_a_frame() {
    let stream = framed(&[b"order".to_vec()]);
    for cut in 0..=stream.len() {
        let mut decoder = Decoder::default();
        decoder.take(&mut &stream[..cut]).expect("undamaged");
        assert_eq!(decoder.is_inside_a_frame(), cut > 0 && cut < stream.len(), "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn what_was_framed_comes_out_whatever_the_pieces(
        bodies in vec(vec(any::<u8>(), 0..200), 0..8),
        pieces in vec(1usize..64, 1..10),
    ) {
        prop_assert_eq!(decoded(&framed(&bodies), &pieces), Ok(bodies));
    }

    #[test]
    fn a_flipped_bit_is_always_noticed(
        bodies in vec(vec(any::<u8>(), 0..60), 1..4),
        bit in any::<prop::sample::Index>(),
        pieces in vec(1usize..64, 1..4),
    ) {
        let mut stream = framed(&bodies);
        let bit = bit.index(stream.len() * 8);
        stream[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(decoded(&stream, &pieces).is_err());
    }

    #[test]
    fn arbitrary_bytes_give_bodies_or_an_error_and_never_more_bytes_than_arrived(
        bytes in vec(any::<u8>(), 0..400),
        pieces in vec(1usize..64, 1..4),
        honest_start in any::<bool>(),
    ) {
        let mut stream = if honest_start { framed(&[vec![1, 2, 3]]) } else { vec![] };
        stream.extend(&bytes);
        if let Ok(bodies) = decoded(&stream, &pieces) {
            prop_assert!(bodies.iter().map(|body| body.len() + HEADER).sum::<usize>() <= stream.len());
        }
    }
}
