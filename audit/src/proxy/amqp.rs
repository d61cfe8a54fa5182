//! AMQP 0-9-1: a frame is a method, with the header and the body of a message where one follows it.
//!
//! AMQP confirms no settle: the next answer on the settle's channel says that the server has read it. A broker counts the
//! publishes of a channel and confirms them by number, so a publish cannot be doubled without the client's knowledge.

use std::collections::BTreeSet;

use super::frames::{Frames, Named, Unreadable, Way};
use crate::plan::Role;

/// What a client says first.
const GREETING: &[u8] = b"AMQP\0\0\x09\x01";

/// Type, channel, and size before the payload; an octet behind it.
const HEADER: usize = 7;
const END: u8 = 0xce;

/// Types of frames.
const METHOD: u8 = 1;
const CONTENT_HEADER: u8 = 2;
const CONTENT_BODY: u8 = 3;

/// Classes and methods that matter here.
const PUBLISH: (u16, u16) = (60, 40);
const RETURN: (u16, u16) = (60, 50);
const DELIVER: (u16, u16) = (60, 60);
const GET_OK: (u16, u16) = (60, 71);
const GET_EMPTY: (u16, u16) = (60, 72);
const ACK: (u16, u16) = (60, 80);

/// What answers a client on its channel: `get-ok`, `get-empty`, `qos-ok`, `recover-ok`, `declare-ok` of a queue,
/// `commit-ok`. A `get-ok` brings the next message, too.
const ANSWERS: [(u16, u16); 6] = [GET_OK, GET_EMPTY, (60, 11), (60, 111), (50, 11), (90, 21)];

/// One connection.
#[derive(Default)]
pub struct Amqp {
    /// The channels with a settle that nothing has answered.
    settled: BTreeSet<u16>,
}

/// A frame's type, its channel, its payload, and its length with all of it.
type Parts<'a> = (u8, u16, &'a [u8], usize);

/// The first frame.
fn first(bytes: &[u8]) -> Result<Option<Parts<'_>>, Unreadable> {
    let Some(&[kind, a, b, s, i, z, e]) = bytes.first_chunk() else { return Ok(None) };
    let whole = HEADER + u32::from_be_bytes([s, i, z, e]) as usize + 1;
    match bytes.get(whole - 1) {
        Some(&END) => Ok(Some((kind, u16::from_be_bytes([a, b]), &bytes[HEADER..whole - 1], whole))),
        Some(_) => Err(Unreadable),
        None if kind > 8 => Err(Unreadable),
        None => Ok(None),
    }
}

/// The class and the number of a method.
fn method(kind: u8, payload: &[u8]) -> Option<(u16, u16)> {
    let &[a, b, c, d] = payload.first_chunk().filter(|_| kind == METHOD)?;
    Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

impl Frames for Amqp {
    fn length(&self, way: Way, unread: &[u8]) -> Result<Option<usize>, Unreadable> {
        if way == Way::ToServer && unread.starts_with(b"A") {
            let is_greeting = GREETING.starts_with(&unread[..unread.len().min(GREETING.len())]);
            let length = Some(GREETING.len()).filter(|&length| length <= unread.len());
            return if is_greeting { Ok(length) } else { Err(Unreadable) };
        }
        let Some((kind, channel, payload, mut at)) = first(unread)? else { return Ok(None) };
        if !matches!(method(kind, payload), Some(PUBLISH | RETURN | DELIVER | GET_OK)) {
            return Ok(Some(at));
        }
        // Frames of other channels may come in between; they belong to this one, so that their order stays.
        let mut missing = None;
        while missing != Some(0) {
            let Some((kind, on, payload, length)) = first(&unread[at..])? else { return Ok(None) };
            at += length;
            match (on == channel, kind, missing) {
                (true, CONTENT_HEADER, None) => missing = Some(size(payload)?),
                (true, CONTENT_BODY, Some(left)) => missing = Some(left.saturating_sub(payload.len() as u64)),
                (true, _, _) => return Err(Unreadable),
                (false, _, _) => {}
            }
        }
        Ok(Some(at))
    }

    fn named(&mut self, way: Way, frame: &[u8]) -> Named {
        let Ok(Some((kind, channel, payload, _))) = first(frame) else { return Named::new("greeting", None) };
        let Some(method) = method(kind, payload) else { return Named::new("heartbeat", None) };
        let answers = way == Way::ToClient && ANSWERS.contains(&method) && self.settled.remove(&channel);
        let (name, role) = match (way, method) {
            (Way::ToServer, PUBLISH) => ("basic.publish", Some(Role::Publish)),
            (Way::ToServer, ACK) => {
                self.settled.insert(channel);
                ("basic.ack", Some(Role::Settle))
            }
            (Way::ToClient, ACK) => ("basic.ack", Some(Role::PublishAck)),
            (Way::ToClient, DELIVER) => ("basic.deliver", Some(Role::Delivery)),
            (Way::ToClient, GET_OK) => ("basic.get-ok", Some(Role::Delivery)),
            (Way::ToClient, GET_EMPTY) => ("basic.get-empty", None),
            (_, (class, number)) => return Named::new(format!("{class}.{number}"), answers.then_some(Role::SettleAck)),
        };
        Named::new(name, if answers { Some(Role::SettleAck) } else { role })
    }
}

/// The size of the body that a content header announces.
fn size(payload: &[u8]) -> Result<u64, Unreadable> {
    let size = payload.get(4..12).ok_or(Unreadable)?;
    Ok(u64::from_be_bytes(size.try_into().expect("eight bytes")))
}
