//! The protocol of this project's broker: a frame is a header with a length, and a body that begins with a tag.

use super::frames::{Frames, Named, Unreadable, Way};
use crate::plan::Role;

const MAGIC: &[u8] = b"PoD\x01";
const HEADER: usize = 16;

/// Where a `reply` holds its verdict: behind the tag, the message and the number of the attempt. 0: it is refused.
const VERDICT: usize = HEADER + 1 + 8 + 4;

/// Where `settled` holds its outcome: behind the tag, the position and the lease. 0: it is settled.
const OUTCOME: usize = HEADER + 1 + 8 + 8;

/// One connection.
#[derive(Default)]
pub struct Delivery;

impl Frames for Delivery {
    fn length(&self, _way: Way, unread: &[u8]) -> Result<Option<usize>, Unreadable> {
        if !MAGIC.starts_with(&unread[..unread.len().min(MAGIC.len())]) {
            return Err(Unreadable);
        }
        let Some(length) = unread.get(4..8) else { return Ok(None) };
        let body = u32::from_le_bytes(length.try_into().expect("four bytes"));
        Ok(Some(HEADER + body as usize).filter(|&whole| whole <= unread.len()))
    }

    fn named(&mut self, way: Way, frame: &[u8]) -> Named {
        let at = |place: usize| frame.get(place).copied();
        let (name, role) = match (way, at(HEADER)) {
            (_, None) => ("heartbeat", None),
            (Way::ToServer, Some(1)) => ("register", None),
            (Way::ToServer, Some(2)) => ("publish", Some(Role::Publish)),
            (Way::ToServer, Some(3)) => ("subscribe", None),
            (Way::ToServer, Some(4)) => ("settle", Some(Role::Settle)),
            (Way::ToServer, Some(7)) => ("hello", None),
            (Way::ToServer, Some(8)) => ("leave", None),
            (Way::ToClient, Some(1)) => ("registered", None),
            (Way::ToClient, Some(2)) => ("reply", at(VERDICT).filter(|&it| it != 0).map(|_| Role::PublishAck)),
            (Way::ToClient, Some(3)) => ("hand off", Some(Role::Delivery)),
            (Way::ToClient, Some(4)) => ("settled", at(OUTCOME).filter(|&it| it == 0).map(|_| Role::SettleAck)),
            (Way::ToClient, Some(7)) => ("left", None),
            _ => ("?", None),
        };
        Named::new(name, role)
    }
}
