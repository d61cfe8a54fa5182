//! Reading from a connection with a deadline, for clients that speak a protocol without a library's client.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::time::Duration;

use crate::clock::Deadline;
use crate::trouble::Broken;

/// The shortest time-out of a read: a time-out of zero is an error of the socket.
const WAIT_MIN: Duration = Duration::from_millis(1);

/// Reads once, at most `N` bytes, and appends them to what is unread. False if nothing came before the deadline.
pub fn fill<const N: usize>(
    stream: &mut TcpStream,
    unread: &mut impl for<'a> Extend<&'a u8>,
    deadline: Deadline,
) -> Result<bool, Broken> {
    let mut bytes = [0; N];
    stream.set_read_timeout(Some(deadline.left().max(WAIT_MIN))).map_err(Broken::by)?;
    match stream.read(&mut bytes) {
        Ok(0) => return Err(Broken("the broker closed the connection".to_owned())),
        Ok(count) => unread.extend(&bytes[..count]),
        Err(error) if error.kind() == ErrorKind::Interrupted => {}
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            return Ok(!deadline.has_passed());
        }
        Err(error) => return Err(Broken::by(error)),
    }
    Ok(true)
}
