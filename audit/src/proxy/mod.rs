//! The proxy: stands between clients and a server, knows the frames of their protocol by name, and lets faults befall them.
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

/// So much is read at once, in bytes.
const CHUNK: usize = 1 << 14;

/// What befalls a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It vanishes. What a client sends behind it on its connection vanishes, too: a server that answered that would say
    /// that it had read all before.
    Lost,
    /// It is passed on twice.
    Doubled,
    /// It is passed on when clients have given up waiting. What comes behind it waits, too.
    Late,
    /// Its connection is cut, on both sides, and it vanishes with it.
    Cut,
}

/// The fate of one frame: the n-th with this role, counted from 1 over all connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The role.
    pub role: Role,
    /// Its number.
    pub nth: u64,
    /// What befalls it.
    pub fate: Fate,
}

/// Is told what befalls frames. An index stands for the planned fate.
pub trait Witness: Sync {
    /// A frame has come, and its fate begins.
    fn struck(&self, index: usize);

    /// Its fate has ended: whatever of it is to reach the other side has been sent.
    fn healed(&self, index: usize);
}

/// How the frames of a new connection are told apart.
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

/// What serves until it is stopped.
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

    /// A service with these fates. `patience`: so long a frame is late. It serves while [`Service::run`] runs.
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
                // A failure to accept is of that connection.
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

/// A fault cuts the connection.
struct Cut;

/// A fate that has begun. It ends with this.
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
        let mut vanishes = false;
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            splitter.borrow_mut().put(way, &chunk[..count]);
            loop {
                let next = splitter.borrow_mut().next(way);
                let Some(frame) = next else { break };
                if !frame.named.swallowed && !vanishes {
                    let fate = self.pass_frame(way, frame, &mut to, splitter).await?;
                    vanishes = way == Way::ToServer && fate == Some(Fate::Lost);
                }
            }
        }
        let rest = splitter.borrow_mut().rest(way);
        let _ = to.write_all(&rest).await;
        let _ = to.shutdown().await;
        Ok(())
    }

    /// That the receiver is gone shows where its own bytes end. Until then the rest is read, so that the sender is not reset.
    async fn pass_frame(
        &self,
        way: Way,
        frame: Frame,
        to: &mut WriteHalf<'_>,
        splitter: &RefCell<Splitter>,
    ) -> Result<Option<Fate>, Cut> {
        let Some((index, fate)) = self.fate(&frame) else {
            let _ = to.write_all(&frame.bytes).await;
            return Ok(None);
        };
        self.witness.struck(index);
        let _begun = Begun { witness: self.witness, index };
        let copies = match fate {
            Fate::Cut => return Err(Cut),
            Fate::Lost => 0,
            Fate::Doubled => 2,
            Fate::Late => {
                sleep(self.patience).await;
                1
            }
        };
        splitter.borrow_mut().passed(way, copies);
        for _ in 0..copies {
            let _ = to.write_all(&frame.bytes).await;
        }
        Ok(Some(fate))
    }

    /// What befalls this frame, which is counted.
    fn fate(&self, frame: &Frame) -> Option<(usize, Fate)> {
        let role = frame.named.role?;
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(role).or_default();
        *count += 1;
        let due = |it: &Option<Planned>| it.is_some_and(|it| (it.role, it.nth) == (role, *count));
        let index = self.planned.iter().position(due)?;
        self.planned[index].map(|planned| (index, planned.fate))
    }
}
