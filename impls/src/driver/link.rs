//! One end of a TCP connection: it sends frames from a bounded queue, and passes received frames to a callback.
//!
//! A link has two threads: one reads and decodes, one writes what a [`flush`](Link::flush) could not write at once
//! (`outgoing`). The callback gets all frames that one read brought together, so that a loop which waits for them is woken
//! once, and finds all of them. The link ends the connection if its peer does not read until the queue is full, sends bytes that are not frames, does not finish a frame, or is silent for
//! too long. So a slow peer cannot block the loop that serves the others. The callback receives the reason.
//!
//! An empty body is a heartbeat. Links send and drop heartbeats; the callback sees none.

use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use thiserror::Error;

use super::frame::{BODY_MAX, Decoder, FrameError};
pub use super::outgoing::QUEUE_FRAMES;
use super::outgoing::{NotSent, Outgoing};

/// The time-outs of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The interval at which an idle link sends a heartbeat.
    pub heartbeat: Duration,
    /// The longest silence of a peer, heartbeats included, before it counts as gone.
    pub silence: Duration,
    /// The longest time from a frame's first byte to its last.
    pub frame: Duration,
    /// The longest time that the kernel may refuse to take more bytes before the peer counts as gone. The kernel's
    /// buffers may first take some bytes, so a peer that stopped reading is gone after at most twice this time.
    pub write: Duration,
    /// The longest time from the connection to the peer's first message.
    pub hello: Duration,
}

impl Default for Limits {
    /// Long enough for a peer on a loaded machine, and short enough that a dead peer does not hold its leases for
    /// long.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Limits {
            heartbeat: seconds(3),
            silence: seconds(15),
            frame: seconds(10),
            write: seconds(10),
            hello: seconds(5),
        }
    }
}

/// The reason why a connection ended.
#[derive(Debug, Error)]
pub enum Disconnect {
    /// The peer closed the connection between two frames.
    #[error("the peer closed the connection")]
    Closed,
    /// The connection ended inside a frame.
    #[error("the connection ended inside a frame")]
    InsideAFrame,
    /// The peer sent bytes that are not a frame.
    #[error("the peer sent no frame: {0}")]
    NotAFrame(#[from] FrameError),
    /// Nothing came in for too long.
    #[error("the peer sent nothing for {} ms", .0.as_millis())]
    Silent(Duration),
    /// A frame was not finished in time.
    #[error("the peer did not finish a frame in {} ms", .0.as_millis())]
    Unfinished(Duration),
    /// The queue to the peer was full, or the peer took no bytes for too long.
    #[error("the peer did not read what it was sent")]
    NotReading,
    /// The operating system reported an error.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

/// The sending half of a link, which owns the connection. When it is dropped, it writes what is queued and then
/// closes both directions.
#[derive(Debug)]
pub struct Link {
    outgoing: Arc<Outgoing>,
    stream: TcpStream,
    gave_up: GaveUp,
    writer: Option<JoinHandle<()>>,
}

impl Link {
    /// Starts both threads. `incoming` receives the bodies that each read brought, at least one and at most 64 KiB of them and
    /// the end of another, and last the reason why the connection ended; it returns whether to go on. It may block, which
    /// slows down the peer.
    pub fn start(
        name: &str,
        stream: TcpStream,
        limits: Limits,
        incoming: impl FnMut(Result<Vec<Vec<u8>>, Disconnect>) -> bool + Send + 'static,
    ) -> io::Result<Link> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(limits.write))?;
        stream.set_read_timeout(Some(limits.silence.min(limits.frame) / 4))?;
        let (mut inward, outgoing) = (stream.try_clone()?, Arc::new(Outgoing::new(stream.try_clone()?)));
        // The reader is not joined. It ends when the connection does, and it may wait for room in a queue that the
        // thread that drops this link would have to empty.
        let gave_up = GaveUp::default();
        let (for_reader, for_writer) = (gave_up.clone(), gave_up.clone());
        let read = move || read_all(&mut inward, limits, &for_reader, incoming);
        thread::Builder::new().name(format!("{name} in")).spawn(read)?;
        let (writes, ends) = (Arc::clone(&outgoing), stream.try_clone()?);
        let write = move || write_all(&writes, &ends, limits.heartbeat, &for_writer);
        let writer = thread::Builder::new().name(format!("{name} out")).spawn(write)?;
        Ok(Link { outgoing, stream, gave_up, writer: Some(writer) })
    }

    /// Queues one body of at most [`BODY_MAX`] bytes, for the next [`flush`](Self::flush). If the queue is full or the
    /// connection has ended, the connection is ended and the body is lost: the reading half reports it, and the protocol's
    /// retries recover.
    pub fn send(&self, body: &[u8]) {
        assert!(body.len() <= BODY_MAX, "messages are bounded where they are submitted");
        if let Err(why) = self.outgoing.send(body) {
            if why == NotSent::Full {
                self.gave_up.note();
            }
            self.cut();
        }
    }

    /// Sends one body at once, after all that is queued.
    pub fn send_now(&self, body: &[u8]) {
        self.send(body);
        self.flush();
    }

    /// Writes what is queued, without waiting for the peer. Call it once after all that there is to say.
    pub fn flush(&self) {
        if self.outgoing.flush().is_err() {
            self.cut();
        }
    }

    /// Ends the sending direction: what is queued is written, then the peer sees the end of the stream. Bodies from
    /// the peer still arrive.
    pub fn finish(&mut self) {
        self.outgoing.finish();
    }

    /// Ends the connection at once, as a crash would: what is queued is lost.
    pub fn cut(&self) {
        // An error means that the connection has ended already.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.finish();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        self.cut();
    }
}

/// Whether the sending half gave up on the peer. The receiving half, which then sees the connection end, reports it.
#[derive(Clone, Debug, Default)]
struct GaveUp(Arc<AtomicBool>);

impl GaveUp {
    fn note(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_noted(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

fn read_all(
    stream: &mut TcpStream,
    limits: Limits,
    gave_up: &GaveUp,
    mut incoming: impl FnMut(Result<Vec<Vec<u8>>, Disconnect>) -> bool,
) {
    let reason = read_until_end(stream, limits, &mut incoming);
    let _ = stream.shutdown(Shutdown::Both);
    if let Some(reason) = reason {
        incoming(Err(if gave_up.is_noted() { Disconnect::NotReading } else { reason }));
    }
}

/// Reads until the connection ends and returns the reason; `None` if the callback asked to stop.
fn read_until_end(
    stream: &mut TcpStream,
    limits: Limits,
    incoming: &mut impl FnMut(Result<Vec<Vec<u8>>, Disconnect>) -> bool,
) -> Option<Disconnect> {
    let mut decoder = Decoder::default();
    let mut buffer = vec![0; 64 << 10];
    let mut timer = PeerTimer::new(limits);
    loop {
        let mut piece = match stream.read(&mut buffer) {
            Ok(0) if decoder.is_inside_a_frame() => return Some(Disconnect::InsideAFrame),
            Ok(0) => return Some(Disconnect::Closed),
            Ok(length) => &buffer[..length],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                match timer.expired(decoder.is_inside_a_frame()) {
                    Some(reason) => return Some(reason),
                    None => continue,
                }
            }
            Err(error) => return Some(Disconnect::Io(error)),
        };
        let mut bodies = Vec::new();
        let error = loop {
            match decoder.take(&mut piece) {
                Ok(None) => break None,
                Ok(Some(body)) => {
                    timer.frame_ended();
                    if !body.is_empty() {
                        bodies.push(body);
                    }
                }
                Err(error) => break Some(error),
            }
        };
        if !bodies.is_empty() && !incoming(Ok(bodies)) {
            return None;
        }
        if let Some(error) = error {
            return Some(Disconnect::NotAFrame(error));
        }
        timer.heard();
        if let Some(reason) = timer.expired(decoder.is_inside_a_frame()) {
            return Some(reason);
        }
    }
}

/// The time since the peer's last bytes, and since the start of the current frame.
struct PeerTimer {
    limits: Limits,
    heard: Instant,
    frame_began: Option<Instant>,
}

impl PeerTimer {
    fn new(limits: Limits) -> PeerTimer {
        PeerTimer { limits, heard: now(), frame_began: None }
    }

    /// Notes that bytes arrived and that whole frames were handled: the time of the handling does not count as the
    /// peer's.
    fn heard(&mut self) {
        self.heard = now();
    }

    fn frame_ended(&mut self) {
        self.frame_began = None;
    }

    fn expired(&mut self, is_inside_a_frame: bool) -> Option<Disconnect> {
        let Limits { silence, frame, .. } = self.limits;
        if is_inside_a_frame && self.frame_began.get_or_insert_with(now).elapsed() >= frame {
            return Some(Disconnect::Unfinished(frame));
        }
        (self.heard.elapsed() >= silence).then_some(Disconnect::Silent(silence))
    }
}

#[expect(clippy::disallowed_methods, reason = "drivers own the clock")]
fn now() -> Instant {
    Instant::now()
}

/// Writes what is left to the writer until the link is finished or the connection ends.
fn write_all(outgoing: &Outgoing, stream: &TcpStream, heartbeat: Duration, gave_up: &GaveUp) {
    if let Err(error) = outgoing.write_all(heartbeat) {
        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
            gave_up.note();
        }
        // The reader sees the end and reports it.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::super::frame;
    use super::*;

    type Inbox = Receiver<Result<Vec<u8>, Disconnect>>;

    /// Passes bodies on, one at a time.
    fn each(bodies: Result<Vec<Vec<u8>>, Disconnect>, inbox: &Sender<Result<Vec<u8>, Disconnect>>) -> bool {
        match bodies {
            Ok(bodies) => bodies.into_iter().all(|body| inbox.send(Ok(body)).is_ok()),
            Err(reason) => inbox.send(Err(reason)).is_ok(),
        }
    }

    fn pair() -> (Link, Inbox, TcpStream) {
        pair_with(Limits::default())
    }

    fn pair_with(limits: Limits) -> (Link, Inbox, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let near = TcpStream::connect(listener.local_addr().expect("bound")).expect("listening");
        let (far, _) = listener.accept().expect("connected");
        let (inbox_in, inbox) = channel();
        let link = Link::start("test", near, limits, move |bodies| each(bodies, &inbox_in)).expect("threads");
        (link, inbox, far)
    }

    fn end_of(inbox: &Inbox) -> String {
        inbox.recv().expect("a reason").expect_err("no body").to_string()
    }

    #[test]
    fn what_is_queued_is_written_before_a_dropped_link_closes() {
        let (link, inbox, mut far) = pair();
        (0..100u8).for_each(|byte| link.send(&[byte; 9]));
        drop(link);
        let mut stream = Vec::new();
        far.read_to_end(&mut stream).expect("closed in order");
        let (mut decoder, mut rest) = (Decoder::default(), &stream[..]);
        for byte in 0..100u8 {
            assert_eq!(decoder.take(&mut rest), Ok(Some(vec![byte; 9])));
        }
        assert_eq!(
            end_of(&inbox),
            "the peer closed the connection",
            "nothing is read any more, though the peer is there"
        );
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
        // More than the kernel's buffers and the queue hold together.
        (0..2 * QUEUE_FRAMES).for_each(|_| {
            link.send_now(&[0; 64 << 10]);
        });
        assert_eq!(end_of(&inbox), "the peer did not read what it was sent");
        drop(far);
    }

    #[test]
    fn a_peer_that_reads_too_slowly_is_cut_off_though_the_queue_has_room() {
        let (link, inbox, far) = pair_with(Limits { write: SOON, ..Limits::default() });
        (0..QUEUE_FRAMES / 2).for_each(|_| link.send(&[0; 64 << 10]));
        link.flush();
        assert_eq!(end_of(&inbox), "the peer did not read what it was sent");
        drop(far);
    }

    const SOON: Duration = Duration::from_millis(40);
    const NEVER: Duration = Duration::from_secs(3600);

    #[test]
    fn a_peer_that_says_nothing_is_cut_off() {
        let (_link, inbox, _far) = pair_with(Limits { silence: SOON, heartbeat: NEVER, ..Limits::default() });
        assert_eq!(end_of(&inbox), "the peer sent nothing for 40 ms");
    }

    #[test]
    fn a_peer_that_drips_a_frame_is_cut_off_though_it_is_never_silent() {
        let (_link, inbox, mut far) = pair_with(Limits { frame: SOON, ..Limits::default() });
        let mut bytes = Vec::new();
        frame::encode(&[7; 1 << 10], &mut bytes).expect("short");
        // The thread ends when the link does. It sends one byte at a time, each just before the link would see silence.
        let drip = thread::spawn(move || {
            bytes
                .iter()
                .take(bytes.len() - 1)
                .take_while(|byte| {
                    thread::park_timeout(SOON / 8);
                    far.write_all(&[**byte]).is_ok()
                })
                .count()
        });
        assert_eq!(end_of(&inbox), "the peer did not finish a frame in 40 ms");
        assert!(drip.join().expect("no panic") < 1 << 10);
    }

    /// A heartbeat may come a hundred times later than it should, because many tests share the processor.
    #[test]
    fn heartbeats_keep_a_silent_connection_alive_and_nobody_sees_them() {
        let limits = Limits { heartbeat: SOON / 8, silence: 25 * SOON, ..Limits::default() };
        let (near, near_inbox, far) = pair_with(limits);
        let (to_far_inbox, far_inbox) = channel();
        let far = Link::start("far", far, limits, move |bodies| each(bodies, &to_far_inbox)).expect("threads");
        let quiet = near_inbox.recv_timeout(40 * SOON);
        assert!(quiet.is_err(), "{quiet:?}");
        far.send_now(&[1]);
        assert_eq!(near_inbox.recv().expect("alive").expect("a body"), [1]);
        drop(near);
        assert_eq!(end_of(&far_inbox), "the peer closed the connection");
    }

    #[test]
    fn a_finished_link_writes_out_and_still_hears() {
        let (mut link, inbox, mut far) = pair();
        link.send(&[1, 2]);
        link.finish();
        let mut stream = Vec::new();
        far.read_to_end(&mut stream).expect("closed in order");
        assert_eq!(Decoder::default().take(&mut &stream[..]), Ok(Some(vec![1, 2])));
        stream.clear();
        frame::encode(&[3], &mut stream).expect("short");
        far.write_all(&stream).expect("the other direction is open");
        assert_eq!(inbox.recv().expect("open").expect("a body"), [3]);
    }
}
