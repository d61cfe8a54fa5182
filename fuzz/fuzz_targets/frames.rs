//! The wire: a stream cut anywhere gives the same bodies or the same error, holds no more than it was sent, and a body that
//! is understood says the same when it is said again.

#![no_main]

use delivery_impls::driver::frame::{Decoder, FrameError, HEADER};
use delivery_impls::driver::wire::{FromBroker, ToBroker};
use libfuzzer_sys::fuzz_target;

/// The bodies of a stream that arrives in pieces of this length.
fn decoded(stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let (mut decoder, mut bodies) = (Decoder::default(), Vec::new());
    for mut piece in stream.chunks(piece) {
        loop {
            match decoder.take(&mut piece) {
                Ok(Some(body)) => bodies.push(body),
                Ok(None) => break,
                Err(error) => return (bodies, Some(error)),
            }
        }
    }
    (bodies, None)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, stream) = input;
    let whole = decoded(stream, stream.len().max(1));
    assert_eq!(decoded(stream, usize::from(piece).max(1)), whole);
    assert!(whole.0.iter().map(|body| body.len() + HEADER).sum::<usize>() <= stream.len());
    for body in whole.0.iter().map(|body| &body[..]).chain([stream]) {
        if let Ok(said) = ToBroker::decode(body) {
            assert_eq!(ToBroker::decode(&said.encode()), Ok(said));
        }
        if let Ok(said) = FromBroker::decode(body) {
            assert_eq!(FromBroker::decode(&said.encode()), Ok(said));
        }
    }
});
