//! A proxy between clients and a server. It knows the frames of their protocol by name, and injects faults into them.
//!
//! Every frame is passed on as it came, whole, once and in order, unless a fault is planned for it. A connection that one
//! side closes is closed on the other side, too. The server may be started again behind the proxy.

pub mod amqp;
pub mod delivery;
pub mod frames;
pub mod mqtt;
pub mod nats;
pub mod postgres;
pub mod resp;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener as Listener};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{AbortHandle, AbortRegistration, Abortable, Either, poll_fn, select};
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::{sleep, timeout};

use self::frames::{Frame, Frames, Splitter, Way};
use crate::address::Address;
use crate::plan::Role;
use crate::trouble::Trouble;

/// The most bytes of one read.
const CHUNK: usize = 1 << 14;

/// A fault of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFault {
    /// It is dropped. So is what a client sends behind it on the same connection, because an answer to that would tell the
    /// client that the server has read the dropped frame.
    Drop,
    /// It is passed on twice.
    Duplicate,
    /// It is passed on when clients have given up waiting. What comes behind it waits, too.
    Delay,
    /// Its connection is cut on both sides, and it is dropped.
    Cut,
}

/// A planned fault of one frame: the n-th with this role, counted from 1 over all connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The role.
    pub role: Role,
    /// Its number.
    pub nth: u64,
    /// The fault.
    pub fault: FrameFault,
}

/// Hears of the faults of frames. An index stands for the planned fault.
pub trait Witness: Sync {
    /// The frame has come, and its fault begins.
    fn struck(&self, index: usize);

    /// Its fault has ended: whatever of the frame is to reach the other side has been sent.
    fn healed(&self, index: usize);
}

/// Makes the frame splitter of a new connection.
pub type NewFrames = fn() -> Box<dyn Frames>;

/// A proxy that listens.
pub struct Proxy {
    listener: Listener,
    port: u16,
    server: Address,
    frames: NewFrames,
}

/// Ends the task that accepts connections when it is dropped.
pub struct Stop(AbortHandle);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The task that accepts connections and passes on their frames, until it is stopped.
pub struct Service<'a> {
    wire: Wire<'a>,
    registration: AbortRegistration,
}

impl Proxy {
    /// Listens at a port of the loopback address, for clients of this server.
    pub fn open(server: Address, frames: NewFrames) -> Result<Proxy, Trouble> {
        let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Trouble::file("127.0.0.1"))?;
        listener.set_nonblocking(true).map_err(Trouble::file("127.0.0.1"))?;
        let port = listener.local_addr().map_err(Trouble::file("127.0.0.1"))?.port();
        Ok(Proxy { listener, port, server, frames })
    }

    /// Where clients reach the server through it.
    pub fn address(&self) -> Address {
        self.server.through(self.port)
    }

    /// A service with these faults. `patience`: the time by which a frame is delayed. It serves while [`Service::run`] runs.
    pub fn service<'a>(
        &'a self,
        planned: &'a [Option<Planned>],
        patience: Duration,
        witness: &'a dyn Witness,
    ) -> (Service<'a>, Stop) {
        let (handle, registration) = AbortHandle::new_pair();
        let wire = Wire { proxy: self, planned, patience, witness, counts: RefCell::default() };
        (Service { wire, registration }, Stop(handle))
    }
}

impl Service<'_> {
    /// Serves until it is stopped. Then every connection is closed.
    pub fn run(self) -> Result<(), Trouble> {
        let Service { wire, registration } = self;
        let trouble = || Trouble::file(wire.proxy.address().to_string());
        let runtime = Builder::new_current_thread().enable_all().build().map_err(trouble())?;
        runtime.block_on(async {
            let listener = wire.proxy.listener.try_clone().map_err(trouble())?;
            let listener = TcpListener::from_std(listener).map_err(trouble())?;
            let mut connections = FuturesUnordered::new();
            let serving = poll_fn(|context| {
                // A failure to accept concerns that connection alone.
                while let Poll::Ready(accepted) = listener.poll_accept(context) {
                    if let Ok((client, _)) = accepted {
                        connections.push(wire.connection(client));
                    }
                }
                while let Poll::Ready(Some(())) = connections.poll_next_unpin(context) {}
                Poll::<()>::Pending
            });
            let _ = Abortable::new(serving, registration).await;
            Ok(())
        })
    }
}

/// All connections of a service.
struct Wire<'a> {
    proxy: &'a Proxy,
    planned: &'a [Option<Planned>],
    patience: Duration,
    witness: &'a dyn Witness,
    counts: RefCell<BTreeMap<Role, u64>>,
}

/// The connection was cut by a fault.
struct Cut;

/// A fault at work. Its end is reported when this is dropped.
struct Begun<'a> {
    witness: &'a dyn Witness,
    index: usize,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.witness.healed(self.index);
    }
}

impl Wire<'_> {
    async fn connection(&self, mut client: TcpStream) {
        let place = self.proxy.server.to_string();
        // The client meets a connection that is closed, as it would without the proxy.
        let Ok(Ok(mut server)) = timeout(self.patience, TcpStream::connect(place)).await else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let splitter = RefCell::new(Splitter::new((self.proxy.frames)()));
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let there = std::pin::pin!(self.pass(Way::ToServer, from_client, to_server, &splitter));
        let back = std::pin::pin!(self.pass(Way::ToClient, from_server, to_client, &splitter));
        if let Either::Left((Ok(()), back)) = select(there, back).await {
            // The server has yet to read all that the client sent.
            let _ = timeout(self.patience, back).await;
        }
    }

    /// Passes on what comes, frame by frame, until its sender closes the connection.
    async fn pass(
        &self,
        way: Way,
        mut from: ReadHalf<'_>,
        mut to: WriteHalf<'_>,
        splitter: &RefCell<Splitter>,
    ) -> Result<(), Cut> {
        let mut chunk = vec![0; CHUNK];
        let mut drops = false;
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            splitter.borrow_mut().put(way, &chunk[..count]);
            loop {
                let next = splitter.borrow_mut().next(way);
                let Some(frame) = next else { break };
                if !frame.named.swallowed && !drops {
                    let fault = self.pass_frame(way, frame, &mut to, splitter).await?;
                    drops = way == Way::ToServer && fault == Some(FrameFault::Drop);
                }
            }
        }
        let rest = splitter.borrow_mut().rest(way);
        let _ = to.write_all(&rest).await;
        let _ = to.shutdown().await;
        Ok(())
    }

    /// Passes on a frame, or injects its fault, which is returned. A failed write is no end: the receiver's own direction ends
    /// when it is gone, and until then the sender is read, so that it is not reset.
    async fn pass_frame(
        &self,
        way: Way,
        frame: Frame,
        to: &mut WriteHalf<'_>,
        splitter: &RefCell<Splitter>,
    ) -> Result<Option<FrameFault>, Cut> {
        let Some((index, fault)) = self.fault(&frame) else {
            let _ = to.write_all(&frame.bytes).await;
            return Ok(None);
        };
        self.witness.struck(index);
        let _begun = Begun { witness: self.witness, index };
        let copies = match fault {
            FrameFault::Cut => return Err(Cut),
            FrameFault::Drop => 0,
            FrameFault::Duplicate => 2,
            FrameFault::Delay => {
                sleep(self.patience).await;
                1
            }
        };
        splitter.borrow_mut().passed(way, copies);
        for _ in 0..copies {
            let _ = to.write_all(&frame.bytes).await;
        }
        Ok(Some(fault))
    }

    /// Counts the frame. Returns the fault that is planned for it.
    fn fault(&self, frame: &Frame) -> Option<(usize, FrameFault)> {
        let role = frame.named.role?;
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(role).or_default();
        *count += 1;
        let due = |it: &Option<Planned>| it.is_some_and(|it| (it.role, it.nth) == (role, *count));
        let index = self.planned.iter().position(due)?;
        self.planned[index].map(|planned| (index, planned.fault))
    }
}
