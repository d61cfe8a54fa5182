//! MQTT 3.1.1: a frame is a packet. At QoS 2 the ack is PUBCOMP, and PUBREC with PUBREL is the settle with its answer.

use super::frames::{Frames, Named, Unreadable, Way};
use crate::plan::Role;

const NAMES: [&str; 16] = [
    "reserved",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

/// One connection.
#[derive(Default)]
pub struct Mqtt {
    /// A PUBACK went to the server: the next PINGRESP says that the server has read it.
    settled: bool,
}

impl Frames for Mqtt {
    fn length(&self, _way: Way, unread: &[u8]) -> Result<Option<usize>, Unreadable> {
        // The type, then the length of the rest: seven bits in each byte, the lowest first, in at most four bytes.
        let mut length = 0;
        for (at, byte) in unread.iter().skip(1).take(4).enumerate() {
            length |= usize::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Ok(Some(at + 2 + length).filter(|&whole| whole <= unread.len()));
            }
        }
        if unread.len() >= 5 { Err(Unreadable) } else { Ok(None) }
    }

    fn named(&mut self, way: Way, frame: &[u8]) -> Named {
        let name = NAMES[usize::from(frame[0] >> 4)];
        let role = match (way, name) {
            (Way::ToServer, "PUBLISH") => Some(Role::Publish),
            (Way::ToClient, "PUBACK" | "PUBCOMP") => Some(Role::PublishAck),
            (Way::ToClient, "PUBLISH") => Some(Role::Delivery),
            (Way::ToServer, "PUBACK" | "PUBREC") => Some(Role::Settle),
            (Way::ToClient, "PUBREL") => Some(Role::SettleAck),
            (Way::ToClient, "PINGRESP") if self.settled => Some(Role::SettleAck),
            _ => None,
        };
        match (way, name) {
            (Way::ToServer, "PUBACK") => self.settled = true,
            (Way::ToClient, "PINGRESP") => self.settled = false,
            _ => {}
        }
        Named::new(name, role)
    }
}
