//! A party's connection to the broker.

use std::io;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, sync_channel};

use super::link::{Limits, Link};
use super::wire::FromBroker;

/// A connection to the broker, and what it says: all that one read brought together.
pub(super) type Dialled = (Link, Receiver<Vec<FromBroker>>);

/// Starts the link of a party to the broker. At most `waiting` reads wait for the party's loop, each of at most 64 KiB.
pub(super) fn hear_broker(name: &str, stream: TcpStream, limits: Limits, waiting: usize) -> io::Result<Dialled> {
    let (to_loop, said) = sync_channel(waiting);
    let link = Link::start(name, stream, limits, move |bodies| {
        // Whatever ends the connection, the loop sees the queue's other end gone.
        let Ok(bodies) = bodies else { return false };
        let count = bodies.len();
        let said: Vec<FromBroker> = bodies.iter().map_while(|body| FromBroker::decode(body).ok()).collect();
        let goes_on = said.len() == count;
        (said.is_empty() || to_loop.send(said).is_ok()) && goes_on
    })?;
    Ok((link, said))
}
