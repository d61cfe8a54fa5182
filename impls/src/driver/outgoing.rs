//! What a connection has to write: frames in their order, written by the thread that has them or, where the peer is slow, by
//! the link's own.
//!
//! ```text
//!   a loop: send, send, .. flush --> the kernel takes all of it: done, and nobody was woken
//!                                    it takes a part: the writer is woken, and waits for room
//! ```
//!
//! A loop sends whatever one turn says and then flushes once: one system call, and no change of threads. A flush never waits.
//! While the writer has frames in hand, all others wait for it, so that frames keep their order.
//!
//! A [`send`](Outgoing::send) without a flush is written with the next heartbeat at the latest.

use std::io::{self, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::frame;

/// The most frames that wait to be written. It is far more than the requests that a peer has outstanding, so only a
/// peer that stopped reading reaches it.
pub const QUEUE_FRAMES: usize = 1024;

/// The frames that wait, and the stream that they go to.
#[derive(Debug)]
pub(super) struct Outgoing {
    stream: TcpStream,
    waiting: Mutex<Waiting>,
    /// The writer has something to do.
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Encoded frames. The first may have been written in part.
    bytes: Vec<u8>,
    /// The number of frames in them.
    frames: usize,
    /// The writer has frames in hand, or is to take those that wait.
    is_writers: bool,
    /// Something was written since the writer last looked.
    was_written: bool,
    end: Option<End>,
}

/// No frame is taken any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// What waits is still to be written.
    Finished,
    /// The connection has ended: what waits is lost.
    Lost,
}

/// Why a frame was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotSent {
    /// Too many frames wait: the peer does not read.
    Full,
    /// Nothing can be sent any more.
    Ended,
}

impl Outgoing {
    pub fn new(stream: TcpStream) -> Outgoing {
        Outgoing { stream, waiting: Mutex::default(), wake: Condvar::new() }
    }

    /// No step panics half-way, so a poisoned lock guards whole frames.
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one body of at most [`frame::BODY_MAX`] bytes. It is written by the next flush.
    pub fn send(&self, body: &[u8]) -> Result<(), NotSent> {
        let mut waiting = self.waiting();
        if waiting.end.is_some() {
            return Err(NotSent::Ended);
        }
        if waiting.frames >= QUEUE_FRAMES {
            return Err(NotSent::Full);
        }
        frame::encode(body, &mut waiting.bytes).expect("the link lets no longer body in");
        waiting.frames += 1;
        Ok(())
    }

    /// Writes what waits, as far as the kernel takes it at once, and leaves the rest to the writer. An error means that the
    /// connection has ended.
    pub fn flush(&self) -> io::Result<()> {
        let mut waiting = self.waiting();
        if waiting.bytes.is_empty() || waiting.is_writers {
            return Ok(());
        }
        let mut written = 0;
        while written < waiting.bytes.len() {
            match write_at_once(&self.stream, &waiting.bytes[written..]) {
                Ok(count) => written += count,
                Err(why) if why.kind() == ErrorKind::Interrupted => {}
                Err(why) if why.kind() == ErrorKind::WouldBlock => break,
                Err(why) => {
                    waiting.lose();
                    self.wake.notify_one();
                    return Err(why);
                }
            }
        }
        waiting.was_written = written > 0;
        if written == waiting.bytes.len() {
            waiting.bytes.clear();
            waiting.frames = 0;
        } else {
            waiting.bytes.drain(..written);
            waiting.is_writers = true;
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Takes no more frames. What waits is written, and then the peer sees the end of the stream.
    pub fn finish(&self) {
        self.waiting().end.get_or_insert(End::Finished);
        self.wake.notify_one();
    }

    /// For the writer's thread: writes what is left to it, and a heartbeat (a frame without a body) whenever nothing was
    /// written for so long, until the frames are finished. An error means that the connection has ended.
    pub fn write_all(&self, heartbeat: Duration) -> io::Result<()> {
        let mut bytes = Vec::new();
        while self.take(&mut bytes, heartbeat) {
            if let Err(why) = (&self.stream).write_all(&bytes) {
                self.waiting().lose();
                return Err(why);
            }
        }
        // An error means that the connection has ended already.
        let _ = self.stream.shutdown(Shutdown::Write);
        Ok(())
    }

    /// Waits for something to write, and takes it. False: nothing is left, and nothing will come.
    fn take(&self, bytes: &mut Vec<u8>, heartbeat: Duration) -> bool {
        bytes.clear();
        let mut waiting = self.waiting();
        waiting.is_writers &= !waiting.bytes.is_empty();
        while !waiting.is_writers && waiting.end.is_none() {
            let waited = self.wake.wait_timeout(waiting, heartbeat);
            let (locked, timer) = waited.unwrap_or_else(PoisonError::into_inner);
            waiting = locked;
            if timer.timed_out() && !waiting.is_writers && !std::mem::take(&mut waiting.was_written) {
                if waiting.bytes.is_empty() {
                    frame::encode(&[], &mut waiting.bytes).expect("it is short");
                }
                waiting.is_writers = true;
            }
        }
        if waiting.end == Some(End::Lost) || waiting.bytes.is_empty() {
            return false;
        }
        waiting.is_writers = true;
        waiting.frames = 0;
        std::mem::swap(bytes, &mut waiting.bytes);
        true
    }
}

impl Waiting {
    fn lose(&mut self) {
        self.end = Some(End::Lost);
        (self.bytes, self.frames) = Default::default();
    }
}

/// Writes as much as the kernel takes without waiting.
#[cfg(unix)]
fn write_at_once(stream: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    use rustix::net::{SendFlags, send};
    Ok(send(stream, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
}

/// Here the writer writes everything.
#[cfg(not(unix))]
fn write_at_once(_: &TcpStream, _: &[u8]) -> io::Result<usize> {
    Err(ErrorKind::WouldBlock.into())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::thread;

    use super::super::frame::Decoder;
    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);

    fn pair() -> (Outgoing, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("listening");
        (Outgoing::new(near), listener.accept().expect("connected").0)
    }

    /// The numbers of the frames that come until the stream ends.
    fn numbers(mut far: impl Read) -> Vec<u32> {
        let (mut decoder, mut stream, mut numbers) = (Decoder::default(), Vec::new(), Vec::new());
        far.read_to_end(&mut stream).expect("closed in order");
        let mut rest = &stream[..];
        while let Some(body) = decoder.take(&mut rest).expect("frames") {
            numbers.push(u32::from_le_bytes(*body.first_chunk().expect("a number")));
        }
        numbers
    }

    #[test]
    fn what_is_flushed_is_written_without_a_writer() {
        let (outgoing, far) = pair();
        (0..9_u32).for_each(|number| outgoing.send(&number.to_le_bytes()).expect("room"));
        outgoing.flush().expect("connected");
        drop(outgoing);
        assert_eq!(numbers(far), (0..9).collect::<Vec<_>>());
    }

    #[test]
    fn what_the_kernel_does_not_take_is_the_writers_and_frames_keep_their_order() {
        let (outgoing, far) = pair();
        let outgoing = Arc::new(outgoing);
        let writes = Arc::clone(&outgoing);
        let writer = thread::spawn(move || writes.write_all(NEVER));
        // Far more than the kernel's buffers hold: the peer does not read yet.
        let body = |number: u32| [&number.to_le_bytes()[..], &[0; 60 << 10]].concat();
        for number in 0..400 {
            outgoing.send(&body(number)).expect("room");
            outgoing.flush().expect("connected");
        }
        assert!(outgoing.waiting().is_writers);
        outgoing.finish();
        assert_eq!(numbers(far), (0..400).collect::<Vec<_>>());
        writer.join().expect("no panic").expect("connected");
        assert_eq!(outgoing.send(&[1]), Err(NotSent::Ended));
    }

    #[test]
    fn a_writer_writes_what_nobody_flushes() {
        let (outgoing, far) = pair();
        outgoing.send(&7_u32.to_le_bytes()).expect("room");
        let outgoing = Arc::new(outgoing);
        let writes = Arc::clone(&outgoing);
        let writer = thread::spawn(move || writes.write_all(Duration::from_millis(1)));
        let (mut first, mut far) = ([0; frame::HEADER + 4], far);
        far.read_exact(&mut first).expect("connected");
        assert!(first.ends_with(&7_u32.to_le_bytes()), "{first:?}");
        outgoing.finish();
        writer.join().expect("no panic").expect("connected");
    }

    #[test]
    fn a_peer_that_is_gone_is_an_error_and_ends_it() {
        let (outgoing, far) = pair();
        drop(far);
        let ended = (0..1_000).any(|_| {
            let sent = outgoing.send(&[0; 1 << 10]);
            sent.is_err() || outgoing.flush().is_err()
        });
        assert!(ended);
        assert_eq!(outgoing.send(&[1]), Err(NotSent::Ended));
    }
}
