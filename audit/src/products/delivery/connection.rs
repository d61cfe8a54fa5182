//! A connection to the broker of this project: its frames, and the bodies that a client of the audit needs.
//!
//! Written from the page that describes them, `impls/src/driver/wire.rs`, and not with its code: so this is a second
//! witness of what the broker says. Numbers are little-endian.

use std::collections::VecDeque;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use crate::address::Address;
use crate::clock::Deadline;
use crate::product::Broken;
use crate::stream::fill;

const MAGIC_AND_VERSION: [u8; 4] = *b"PoD\x01";
const HEADER: usize = 16;

/// No message to a client of the audit is longer, in bytes.
const BODY_MAX: usize = 4096;

/// A lease's delivery, sent back as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The position.
    pub position: u64,
    /// The broker's run and the lease's number in it.
    pub lease: [u32; 2],
}

/// A message from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `registered`.
    Registered,
    /// `reply` to an attempt; with the position where it is acked at one.
    Reply { message: u64, attempt: u32, verdict: Verdict },
    /// `hand off`, for the n-th time where deliveries are counted.
    HandOff { lease: Lease, nth: u32, payload: Vec<u8> },
    /// `settled`: 0 ok, 1 refused, 2 unknown.
    Settled { lease: Lease, outcome: u8 },
    /// `left`.
    Left,
}

/// The verdict of a `reply`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Refused.
    Refused,
    /// Acked.
    Acked(Option<u64>),
}

/// A connection after its `hello`.
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
    /// Messages that came while another one was waited for.
    arrived: VecDeque<Answer>,
    answer: Duration,
}

impl Connection {
    /// Connects. Answers are waited for as long as `answer` says.
    pub fn open(address: &Address, answer: Duration) -> Result<Connection, Broken> {
        let stream = address.connect(answer).map_err(Broken::by)?;
        let mut connection = Connection { stream, unread: Vec::new(), arrived: VecDeque::new(), answer };
        connection.send(&[7])?; // hello, without a secret
        Ok(connection)
    }

    /// `register`: becomes a producer.
    pub fn register(&mut self, producer: u32, epoch: u32) -> Result<(), Broken> {
        self.send(&[&[1][..], &producer.to_le_bytes(), &epoch.to_le_bytes()].concat())?;
        self.await_answer(|answer| (*answer == Answer::Registered).then_some(()))
    }

    /// `subscribe`: becomes the consumer, with this many deliveries at once.
    pub fn subscribe(&mut self, workers: u32) -> Result<(), Broken> {
        self.send(&[&[3, 0][..], &workers.to_le_bytes(), &[0; 4]].concat())
    }

    /// `settle` of this position, finished.
    pub fn settle(&mut self, lease: Lease) -> Result<(), Broken> {
        let [incarnation, number] = lease.lease.map(u32::to_le_bytes);
        let position = lease.position.to_le_bytes();
        self.send(&[&[4][..], &position, &incarnation, &number, &[0], &position, &[1]].concat())
    }

    /// A heartbeat.
    pub fn beat(&mut self) -> Result<(), Broken> {
        self.send(&[])
    }

    /// Sends a body in a frame.
    pub fn send(&mut self, body: &[u8]) -> Result<(), Broken> {
        let length = u32::try_from(body.len()).map_err(Broken::by)?;
        let mut frame = [&MAGIC_AND_VERSION[..], &length.to_le_bytes(), &crc32c::crc32c(body).to_le_bytes()].concat();
        frame.extend(crc32c::crc32c(&frame).to_le_bytes());
        frame.extend(body);
        self.stream.write_all(&frame).map_err(Broken::by)
    }

    /// The next message, if one comes in time.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Answer>, Broken> {
        match self.arrived.pop_front() {
            Some(answer) => Ok(Some(answer)),
            None => self.read(Deadline::after(wait)),
        }
    }

    /// Waits for the message of which this makes something. Others are kept for [`next`](Connection::next).
    pub fn await_answer<T>(&mut self, wanted: impl Fn(&Answer) -> Option<T>) -> Result<T, Broken> {
        if let Some((place, found)) = self.arrived.iter().enumerate().find_map(|(at, it)| Some((at, wanted(it)?))) {
            self.arrived.remove(place);
            return Ok(found);
        }
        let deadline = Deadline::after(self.answer);
        while let Some(answer) = self.read(deadline)? {
            match wanted(&answer) {
                Some(found) => return Ok(found),
                None => self.arrived.push_back(answer),
            }
        }
        Err(Broken("no answer in time".to_owned()))
    }

    fn read(&mut self, deadline: Deadline) -> Result<Option<Answer>, Broken> {
        loop {
            match self.body()? {
                Some(body) if body.is_empty() => continue, // a heartbeat
                Some(body) => return decode(&body).map(Some),
                None => {}
            }
            if !fill::<BODY_MAX>(&mut self.stream, &mut self.unread, deadline)? {
                return Ok(None);
            }
        }
    }

    /// The body of the first frame, if all of it is here.
    fn body(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        let Some(mut header) = self.unread.get(..HEADER) else { return Ok(None) };
        let [magic, length, of_body, of_header] = [(); 4].map(|()| take::<4>(&mut header));
        let length = u32::from_le_bytes(length?) as usize;
        if magic? != MAGIC_AND_VERSION
            || u32::from_le_bytes(of_header?) != crc32c::crc32c(&self.unread[..HEADER - 4])
            || length > BODY_MAX
        {
            return Err(Broken(format!("no header of a frame: {:02x?}", &self.unread[..HEADER])));
        }
        let Some(body) = self.unread.get(HEADER..HEADER + length).map(<[u8]>::to_vec) else { return Ok(None) };
        if u32::from_le_bytes(of_body?) != crc32c::crc32c(&body) {
            return Err(Broken(format!("a damaged body: {body:02x?}")));
        }
        self.unread.drain(..HEADER + length);
        Ok(Some(body))
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Broken> {
    let (first, rest) = bytes.split_first_chunk().ok_or_else(|| Broken("a message that is too short".to_owned()))?;
    *bytes = rest;
    Ok(*first)
}

fn number(bytes: &mut &[u8]) -> Result<u32, Broken> {
    take(bytes).map(u32::from_le_bytes)
}

fn long(bytes: &mut &[u8]) -> Result<u64, Broken> {
    take(bytes).map(u64::from_le_bytes)
}

fn lease(bytes: &mut &[u8]) -> Result<Lease, Broken> {
    Ok(Lease { position: long(bytes)?, lease: [number(bytes)?, number(bytes)?] })
}

fn decode(body: &[u8]) -> Result<Answer, Broken> {
    let rest = &mut &body[..];
    let [tag] = take(rest)?;
    let answer = match tag {
        1 => Answer::Registered,
        2 => {
            let (message, attempt, [verdict]) = (long(rest)?, number(rest)?, take(rest)?);
            let verdict = match verdict {
                0 => Verdict::Refused,
                1 => Verdict::Acked(None),
                _ => Verdict::Acked(Some(long(rest)?)),
            };
            Answer::Reply { message, attempt, verdict }
        }
        3 => {
            let lease = lease(rest)?;
            let ([_consumer], _generation, nth) = (take(rest)?, number(rest)?, number(rest)?);
            let ([_version], _message, _producer, _epoch) = (take(rest)?, long(rest)?, number(rest)?, number(rest)?);
            if take(rest)? != [0] {
                let _identity: [u8; 16] = take(rest)?;
            }
            Answer::HandOff { lease, nth, payload: std::mem::take(rest).to_vec() }
        }
        4 => {
            let (lease, [outcome]) = (lease(rest)?, take(rest)?);
            Answer::Settled { lease, outcome }
        }
        7 => Answer::Left,
        _ => return Err(Broken(format!("a message with the tag {tag}"))),
    };
    if rest.is_empty() { Ok(answer) } else { Err(Broken(format!("bytes behind a message: {rest:02x?}"))) }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    /// A connection whose broker says these bytes, and the first bytes that the client said.
    fn meet(says: &[u8]) -> (Connection, [u8; 17]) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let scheme = crate::address::Scheme { word: "delivery", port: 1 };
        let address = Address::local(scheme, listener.local_addr().unwrap().port());
        let connection = Connection::open(&address, Duration::from_secs(5)).unwrap();
        let mut broker = listener.accept().unwrap().0;
        let mut said = [0; 17];
        broker.read_exact(&mut said).unwrap();
        broker.write_all(says).unwrap();
        (connection, said)
    }

    /// The frames on the page that this is written from.
    const HELLO: &[u8] = b"PoD\x01\x01\0\0\0\xba\x37\xb7\x86\xd1\x95\x3d\xde\x07";
    const HEARTBEAT: &[u8] = b"PoD\x01\0\0\0\0\0\0\0\0\x40\xdb\x62\x32";

    #[test]
    fn a_connection_begins_with_the_documented_hello() {
        assert_eq!(meet(b"").1, HELLO);
    }

    #[test]
    fn a_heartbeat_is_passed_over_and_the_next_message_is_read() {
        // `left` from the broker has the tag that `hello` has to it.
        let (mut connection, _) = meet(&[HEARTBEAT, HELLO].concat());
        assert_eq!(connection.next(Duration::from_secs(5)), Ok(Some(Answer::Left)));
    }

    #[test]
    fn an_answer_that_came_before_it_was_waited_for_is_found() {
        let mut connection = meet(HELLO).0;
        connection.arrived.push_back(Answer::Registered);
        connection.await_answer(|answer| (*answer == Answer::Left).then_some(())).unwrap();
        assert_eq!(connection.await_answer(|answer| (*answer == Answer::Registered).then_some(())), Ok(()));
    }

    #[test]
    fn a_damaged_frame_breaks_the_connection() {
        for at in [0, 5, 9, 13, 16] {
            let mut damaged = HELLO.to_vec();
            damaged[at] ^= 1;
            let said = meet(&damaged).0.next(Duration::from_secs(5));
            assert!(said.is_err(), "byte {at}: {said:?}");
        }
    }
}
