//! The protocol of NATS, with the roles that JetStream gives to subjects: a frame is a line, with its payload if it has one.

use std::collections::BTreeMap;

use super::frames::{Frames, Named, Unreadable, Way};
use crate::plan::Role;

/// No line of the protocol is longer, `INFO` and `CONNECT` included, in bytes.
const LINE_MAX: usize = 1 << 20;

/// Acks go to subjects that begin so.
const ACK: &str = "$JS.ACK.";

/// Questions to JetStream go to subjects that begin so.
const API: &str = "$JS.";

/// One connection.
#[derive(Default)]
pub struct Nats {
    /// The subjects on which answers to publishes and settles are awaited, with the role of the answer.
    awaited: BTreeMap<String, Role>,
}

/// The words of the first line, and the line's length with its end.
fn line(bytes: &[u8]) -> Result<Option<(Vec<&str>, usize)>, Unreadable> {
    match bytes.windows(2).position(|it| it == b"\r\n") {
        Some(end) => {
            let text = std::str::from_utf8(&bytes[..end]).map_err(|_| Unreadable)?;
            Ok(Some((text.split_ascii_whitespace().collect(), end + 2)))
        }
        None if bytes.len() > LINE_MAX => Err(Unreadable),
        None => Ok(None),
    }
}

impl Frames for Nats {
    fn length(&self, _way: Way, unread: &[u8]) -> Result<Option<usize>, Unreadable> {
        let Some((words, length)) = line(unread)? else { return Ok(None) };
        let payload = match words.first().map(|word| word.to_ascii_uppercase()).as_deref() {
            Some("PUB" | "HPUB" | "MSG" | "HMSG") => {
                let size = words.last().and_then(|size| size.parse::<usize>().ok()).ok_or(Unreadable)?;
                size.checked_add(2).ok_or(Unreadable)?
            }
            _ => 0,
        };
        let whole = length.checked_add(payload).ok_or(Unreadable)?;
        Ok(Some(whole).filter(|&whole| whole <= unread.len()))
    }

    fn named(&mut self, way: Way, frame: &[u8]) -> Named {
        let Ok(Some((words, length))) = line(frame) else { return Named::new("?", None) };
        let name = words.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
        let role = match (way, name.as_str(), words.as_slice()) {
            (Way::ToServer, "PUB", [_, subject, reply, _]) | (Way::ToServer, "HPUB", [_, subject, reply, _, _]) => {
                self.sent(subject, reply)
            }
            (Way::ToServer, "PUB", [_, subject, _]) => subject.starts_with(ACK).then_some(Role::Settle),
            (Way::ToClient, "MSG" | "HMSG", [_, subject, ..]) => match self.awaited.remove(*subject) {
                // Headers with a status: nobody listens for the subject.
                Some(_) if frame[length..].starts_with(b"NATS/1.0 503") => None,
                Some(role) => Some(role),
                None => words.get(3).is_some_and(|reply| reply.starts_with(ACK)).then_some(Role::Delivery),
            },
            _ => None,
        };
        Named::new(name, role)
    }
}

impl Nats {
    fn sent(&mut self, subject: &str, reply: &str) -> Option<Role> {
        let (role, answer) = if subject.starts_with(ACK) {
            (Role::Settle, Role::SettleAck)
        } else if subject.starts_with(API) {
            return None;
        } else {
            (Role::Publish, Role::PublishAck)
        };
        self.awaited.insert(reply.to_owned(), answer);
        Some(role)
    }
}
