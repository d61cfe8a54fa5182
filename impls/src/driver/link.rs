//! One end of a TCP connection: frames out through a bounded queue, frames in through a callback.
//!
//! Two threads a link: one reads and decodes, one encodes and writes. A peer that does not read fills the queue, and is
//! then cut off: it must not hold up the loop that serves everybody else. A peer that sends something else than frames
//! is cut off too, and the reason is handed to the callback.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use thiserror::Error;

use crate::driver::frame::{self, BODY_MAX, Decoder, FrameError};

/// How many frames may wait to be written: far more than a peer has requests outstanding, so that only one that stopped
/// reading meets it.
const QUEUE_FRAMES: usize = 1024;

/// How long the kernel may refuse to take more bytes before the peer counts as gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The writer stops gathering frames into one write past this size.
const GATHER_BYTES: usize = 64 << 10;

/// Why nothing more comes in over a link.
#[derive(Debug, Error)]
pub enum Cut {
    /// The peer closed the connection between two frames.
    #[error("the peer closed the connection")]
    Closed,
    /// The connection ended inside a frame.
    #[error("the connection ended inside a frame")]
    InsideAFrame,
    /// What came in is not a frame.
    #[error("the peer sent no frame: {0}")]
    Garbage(#[from] FrameError),
    /// The operating system says so.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

/// The sending half, which owns the connection: dropping it writes out what is queued, then closes both directions.
#[derive(Debug)]
pub struct Link {
    queue: Option<SyncSender<Vec<u8>>>,
    stream: TcpStream,
    writer: Option<JoinHandle<()>>,
}

impl Link {
    /// Starts both threads. `incoming` gets every body and last of all the reason why no more will come; what it
    /// returns says whether to go on. It may block: that is the back-pressure on the peer.
    pub fn start(
        name: &str,
        stream: TcpStream,
        incoming: impl FnMut(Result<Vec<u8>, Cut>) -> bool + Send + 'static,
    ) -> io::Result<Link> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let (queue, queued) = sync_channel(QUEUE_FRAMES);
        let (inward, outward) = (stream.try_clone()?, stream.try_clone()?);
        // The reader is not joined: it ends when the connection does, and it may be waiting for room in a queue that
        // the thread which drops this link would have to empty.
        thread::Builder::new().name(format!("{name} in")).spawn(move || read_all(inward, incoming))?;
        let writer = thread::Builder::new().name(format!("{name} out")).spawn(move || write_all(outward, &queued))?;
        Ok(Link { queue: Some(queue), stream, writer: Some(writer) })
    }

    /// Queues one body, of at most [`BODY_MAX`] bytes. A full queue, or a connection that has ended, cuts the link and
    /// loses the body: the reading half learns of it, and the protocol's retries take it from there.
    pub fn send(&self, body: Vec<u8>) {
        assert!(body.len() <= BODY_MAX, "messages are bounded where they are submitted");
        let queued = self.queue.as_ref().is_some_and(|queue| queue.try_send(body).is_ok());
        if !queued {
            self.cut();
        }
    }

    /// Ends the connection now, as a crash would: what is queued is lost.
    pub fn cut(&self) {
        // An error means that it has ended already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        self.cut();
    }
}

fn read_all(mut stream: TcpStream, mut incoming: impl FnMut(Result<Vec<u8>, Cut>) -> bool) {
    let reason = read_until_cut(&mut stream, &mut incoming);
    let _ = stream.shutdown(Shutdown::Both);
    if let Some(reason) = reason {
        incoming(Err(reason));
    }
}

/// Reads until the connection ends, and says why; `None` where the callback asked to stop.
fn read_until_cut(stream: &mut TcpStream, incoming: &mut impl FnMut(Result<Vec<u8>, Cut>) -> bool) -> Option<Cut> {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let mut piece = match stream.read(&mut buffer) {
            Ok(0) if decoder.is_inside_a_frame() => return Some(Cut::InsideAFrame),
            Ok(0) => return Some(Cut::Closed),
            Ok(length) => &buffer[..length],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Some(Cut::Io(error)),
        };
        loop {
            match decoder.take(&mut piece) {
                Ok(None) => break,
                Ok(Some(body)) => {
                    if !incoming(Ok(body)) {
                        return None;
                    }
                }
                Err(error) => return Some(Cut::Garbage(error)),
            }
        }
    }
}

/// Writes what is queued, gathering what is there into one write, until the link is dropped or the connection ends.
fn write_all(mut stream: TcpStream, queued: &Receiver<Vec<u8>>) {
    let mut bytes = Vec::new();
    while let Ok(first) = queued.recv() {
        bytes.clear();
        let mut next = Some(first);
        while let Some(body) = next {
            frame::encode(&body, &mut bytes).expect("`send` lets no longer body in");
            next = if bytes.len() < GATHER_BYTES { queued.try_recv().ok() } else { None };
        }
        if stream.write_all(&bytes).is_err() {
            // The reader sees the end and reports it.
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    type Inbox = Receiver<Result<Vec<u8>, Cut>>;

    fn pair() -> (Link, Inbox, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("listening");
        let (far, _) = listener.accept().expect("connected");
        let (inbox_in, inbox) = channel();
        let link = Link::start("test", near, move |body| inbox_in.send(body).is_ok()).expect("threads");
        (link, inbox, far)
    }

    fn end_of(inbox: &Inbox) -> String {
        inbox.recv().expect("a reason").expect_err("no body").to_string()
    }

    #[test]
    fn what_is_queued_is_written_before_a_dropped_link_closes() {
        let (link, _inbox, mut far) = pair();
        (0..100u8).for_each(|byte| link.send(vec![byte; 9]));
        drop(link);
        let mut stream = Vec::new();
        far.read_to_end(&mut stream).expect("closed in order");
        let (mut decoder, mut rest) = (Decoder::default(), &stream[..]);
        for byte in 0..100u8 {
            assert_eq!(decoder.take(&mut rest), Ok(Some(vec![byte; 9])));
        }
    }

    #[test]
    fn the_end_of_a_connection_is_told_with_its_reason() {
        let (_link, inbox, far) = pair();
        drop(far);
        assert_eq!(end_of(&inbox), "the peer closed the connection");

        let (_link, inbox, mut far) = pair();
        far.write_all(b"PoD").expect("connected");
        drop(far);
        assert_eq!(end_of(&inbox), "the connection ended inside a frame");

        let (_link, inbox, mut far) = pair();
        far.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("connected");
        assert!(end_of(&inbox).starts_with("the peer sent no frame: byte 0: expected a frame"));
    }

    #[test]
    fn a_peer_that_does_not_read_is_cut_off_and_holds_nobody_up() {
        let (link, inbox, far) = pair();
        // More than the kernel's buffers and the queue take together.
        (0..2 * QUEUE_FRAMES).for_each(|_| link.send(vec![0; 64 << 10]));
        assert!(inbox.recv().expect("a reason").is_err());
        drop(far);
    }
}
