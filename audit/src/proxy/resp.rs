//! RESP, which Redis speaks: a frame is a request or a reply. Replies come in the order of their requests.

use std::collections::VecDeque;

use super::frames::{Frames, Named, Unreadable, Way};
use crate::plan::Role;

/// Nothing of an audit is nested deeper.
const DEPTH_MAX: usize = 16;

/// A request that waits for its reply.
struct Asked {
    name: String,
    /// Whether the proxy sent it, and not the client.
    is_copy: bool,
}

/// One connection.
#[derive(Default)]
pub struct Resp {
    asked: VecDeque<Asked>,
}

impl Frames for Resp {
    fn length(&self, _way: Way, unread: &[u8]) -> Result<Option<usize>, Unreadable> {
        value(unread, 0)
    }

    fn named(&mut self, way: Way, frame: &[u8]) -> Named {
        if way == Way::ToServer {
            let command = words(frame).and_then(|words| Some(words.first()?.to_ascii_uppercase()));
            let name = String::from_utf8_lossy(&command.unwrap_or_default()).into_owned();
            let role = match name.as_str() {
                "XADD" => Some(Role::Publish),
                "XACK" => Some(Role::Settle),
                _ => None,
            };
            self.asked.push_back(Asked { name: name.clone(), is_copy: false });
            return Named::new(name, role);
        }
        // A push answers nothing.
        if frame.first() == Some(&b'>') {
            return Named::new("push", None);
        }
        let Some(Asked { name, is_copy }) = self.asked.pop_front() else { return Named::new("reply", None) };
        let is_error = matches!(frame.first(), Some(b'-' | b'!'));
        let role = match name.as_str() {
            "XADD" if !is_error => Some(Role::PublishAck),
            "XACK" if !is_error => Some(Role::SettleAck),
            "XREADGROUP" if has_entry(frame) => Some(Role::Delivery),
            _ => None,
        };
        Named { swallowed: is_copy, role: role.filter(|_| !is_copy), ..Named::new(format!("reply to {name}"), None) }
    }

    fn passed(&mut self, way: Way, copies: usize) {
        match (way, copies) {
            (Way::ToServer, 0) => drop(self.asked.pop_back()),
            (Way::ToServer, 2) => {
                let name = self.asked.back().map_or_else(String::new, |asked| asked.name.clone());
                self.asked.push_back(Asked { name, is_copy: true });
            }
            _ => {}
        }
    }
}

/// The first line without its end, and where the rest begins.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.windows(2).position(|it| it == b"\r\n")?;
    Some((&bytes[..end], end + 2))
}

/// The number behind the type of a line; -1 stands for nothing.
fn count(line: &[u8]) -> Result<usize, Unreadable> {
    let text = std::str::from_utf8(line.get(1..).unwrap_or_default()).map_err(|_| Unreadable)?;
    if text == "-1" { Ok(0) } else { text.parse().map_err(|_| Unreadable) }
}

/// The length of the value that the bytes begin with.
fn value(bytes: &[u8], depth: usize) -> Result<Option<usize>, Unreadable> {
    let Some(&kind) = bytes.first() else { return Ok(None) };
    if depth > DEPTH_MAX || !b"*%~>$=!+-:_#,(|".contains(&kind) {
        return Err(Unreadable);
    }
    let Some((line, mut at)) = line(bytes) else { return Ok(None) };
    match kind {
        b'*' | b'~' | b'>' | b'%' | b'|' => {
            // An attribute comes before the value that it belongs to.
            let items = match kind {
                b'%' => count(line)?.saturating_mul(2),
                b'|' => count(line)?.saturating_mul(2).saturating_add(1),
                _ => count(line)?,
            };
            for _ in 0..items {
                let Some(length) = value(&bytes[at..], depth + 1)? else { return Ok(None) };
                at += length;
            }
            Ok(Some(at))
        }
        b'$' | b'=' | b'!' if line.get(1..) != Some(b"-1") => {
            let length = at.checked_add(count(line)?).and_then(|it| it.checked_add(2)).ok_or(Unreadable)?;
            Ok(Some(length).filter(|&length| length <= bytes.len()))
        }
        _ => Ok(Some(at)),
    }
}

/// The words of a request, which is a list of them.
pub fn words(frame: &[u8]) -> Option<Vec<&[u8]>> {
    let (list, mut at) = line(frame)?;
    let mut words = Vec::new();
    for _ in 0..count(list).ok()? {
        let (size, start) = line(&frame[at..])?;
        let end = at + start + count(size).ok()?;
        words.push(frame.get(at + start..end)?);
        at = end + 2;
    }
    Some(words)
}

/// Whether a reply to `XREADGROUP` of one stream holds an entry: behind the stream's name is a list that is not empty.
fn has_entry(frame: &[u8]) -> bool {
    let list = || {
        let (streams, mut at) = line(frame)?;
        if count(streams).ok()? == 0 {
            return None;
        }
        if frame.first() == Some(&b'*') {
            at += line(&frame[at..])?.1;
        }
        at += value(&frame[at..], 0).ok()??;
        count(line(&frame[at..])?.0).ok()
    };
    list().is_some_and(|entries| entries > 0)
}
