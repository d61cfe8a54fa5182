//! Frames: what a protocol sends at once, with its name and its role in a delivery.
//!
//! A [`Splitter`] cuts the bytes of one connection into frames. Whatever the chunks are in which they come, the frames are
//! the same, and together they are the bytes.

use std::borrow::Cow;

use crate::plan::Role;

/// The direction in which bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client.
    ToServer,
    /// From the server.
    ToClient,
}

/// A frame's name, as its protocol has it, and its role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name, such as `XADD`.
    pub name: Cow<'static, str>,
    /// What it does for a message; none: something else.
    pub role: Option<Role>,
    /// Whether the other side must not get it: it answers a copy that the proxy sent.
    pub swallowed: bool,
}

impl Named {
    /// A frame that is passed on.
    pub fn new(name: impl Into<Cow<'static, str>>, role: Option<Role>) -> Named {
        Named { name: name.into(), role, swallowed: false }
    }
}

/// Bytes are not of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// How one connection of a protocol is cut into frames. One protocol a file implements it.
pub trait Frames: Send {
    /// The length of the first frame that goes this way; none while a part of it is missing.
    fn length(&self, way: Way, unread: &[u8]) -> Result<Option<usize>, Unreadable>;

    /// Names the next frame that goes this way.
    fn named(&mut self, way: Way, frame: &[u8]) -> Named;

    /// The frame that was named last, which goes this way, is passed on so many times: not at all, or twice.
    fn passed(&mut self, _way: Way, _copies: usize) {}
}

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub named: Named,
    /// Its bytes, all of them.
    pub bytes: Vec<u8>,
}

/// No frame is longer, in bytes: then the bytes are not what they seem to be.
const FRAME_MAX: usize = 64 << 20;

/// Cuts both directions of a connection into frames.
pub struct Splitter {
    frames: Box<dyn Frames>,
    unread: [Vec<u8>; 2],
    /// The protocol is another one: bytes are passed on as they come.
    is_lost: bool,
}

impl Splitter {
    /// A splitter for a new connection.
    pub fn new(frames: Box<dyn Frames>) -> Splitter {
        Splitter { frames, unread: [Vec::new(), Vec::new()], is_lost: false }
    }

    /// Takes bytes that go this way.
    pub fn put(&mut self, way: Way, bytes: &[u8]) {
        self.unread[way as usize].extend_from_slice(bytes);
    }

    /// The next frame that goes this way, if all of it is here.
    pub fn next(&mut self, way: Way) -> Option<Frame> {
        let unread = &self.unread[way as usize];
        if unread.is_empty() {
            return None;
        }
        let length = if self.is_lost { Err(Unreadable) } else { self.frames.length(way, unread) };
        match length {
            Ok(Some(length)) if length > 0 && length <= unread.len() => {
                let rest = self.unread[way as usize].split_off(length);
                let bytes = std::mem::replace(&mut self.unread[way as usize], rest);
                let named = self.frames.named(way, &bytes);
                Some(Frame { named, bytes })
            }
            Ok(_) if unread.len() <= FRAME_MAX => None,
            _ => {
                self.is_lost = true;
                let bytes = std::mem::take(&mut self.unread[way as usize]);
                Some(Frame { named: Named::new("unreadable", None), bytes })
            }
        }
    }

    /// The frame that [`next`](Splitter::next) gave last this way is passed on so many times.
    pub fn passed(&mut self, way: Way, copies: usize) {
        self.frames.passed(way, copies);
    }

    /// What came this way and is no whole frame, when no more will come.
    pub fn rest(&mut self, way: Way) -> Vec<u8> {
        std::mem::take(&mut self.unread[way as usize])
    }
}
