//! The consumer's threads: one that talks to the broker, and the workers.
//!
//! All of them share one `State` behind a lock, which a thread holds for one micro-step at a time. So hand-offs that
//! are at work at once interleave step by step, and a crash, whoever's step it follows, takes everything at once.

mod prefix;
mod state;
mod work;

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;

use self::state::{Shared, State};
use super::link::Link;
use super::run::{DriverError, Interrupt, Run};
use super::wire::FromBroker;
use crate::core::hand::ConsumerId;

/// The name under which histories know the consumer.
pub const NAME: &str = "consumer-0";

/// Its place in the group.
const ID: ConsumerId = ConsumerId(0);

/// What may wait for the loop: hand-offs are bounded by the workers, replies by what is at work.
const INCOMING: usize = 1024;

/// Runs the consumer and its workers until the broker has closed for good.
pub(super) fn consume(run: &Run, broker: SocketAddr) -> Result<(), DriverError> {
    let shared = Shared::new(State::open(run)?);
    thread::scope(|scope| {
        let worker = || {
            let worked = work::work(run, &shared);
            if worked.is_err() {
                run.halt();
            }
            worked
        };
        let workers: Vec<_> = (0..run.pipeline.consumer.workers).map(|_| scope.spawn(worker)).collect();
        let talked = talk(run, broker, &shared);
        shared.close();
        let worked = workers.into_iter().map(|worker| worker.join().expect("workers do not panic"));
        worked.fold(talked, Result::and)
    })
}

/// Keeps a connection to the broker for as long as there is one to be had.
fn talk(run: &Run, broker: SocketAddr, shared: &Shared) -> Result<(), DriverError> {
    while !run.is_ending() {
        let life = shared.lock().life();
        let incoming = match connect(run, broker, shared) {
            Ok(incoming) => incoming,
            // It closed between the look and the attempt.
            Err(_) if run.is_ending() => break,
            Err(error) => return Err(error),
        };
        converse(run, shared, life, &incoming)?;
    }
    Ok(())
}

/// Connects and subscribes.
fn connect(run: &Run, broker: SocketAddr, shared: &Shared) -> Result<Receiver<FromBroker>, DriverError> {
    let failed = |why| DriverError::Io { role: NAME.into(), why };
    let stream = TcpStream::connect(broker).map_err(failed)?;
    let (to_loop, incoming) = sync_channel(INCOMING);
    let link = Link::start(NAME, stream, move |body| {
        // Whatever ends the connection, the loop sees the queue's other end gone.
        body.ok().and_then(|body| FromBroker::decode(&body).ok()).is_some_and(|said| to_loop.send(said).is_ok())
    });
    shared.lock().attach(run, link.map_err(failed)?)?;
    Ok(incoming)
}

/// Takes in what the broker says until the connection ends, or the life does that it belongs to.
fn converse(run: &Run, shared: &Shared, life: u64, incoming: &Receiver<FromBroker>) -> Result<(), DriverError> {
    loop {
        let patience = run.patience(shared.lock().deadline());
        let said = incoming.recv_timeout(patience);
        let mut state = shared.lock();
        if state.life() != life || run.is_halted() {
            return Ok(());
        }
        let taken = match said {
            Ok(said) => state.hear(run, said),
            Err(RecvTimeoutError::Timeout) => state.look_up(run),
            Err(RecvTimeoutError::Disconnected) => state.detach(run),
        };
        let is_cut = !state.is_attached();
        match taken {
            Ok(()) if is_cut => return Ok(()),
            Ok(()) => shared.wake(),
            Err(Interrupt::Crash(planned)) => {
                state.crash(run, planned)?;
                return Ok(());
            }
            Err(Interrupt::Failed(error)) => return Err(error),
        }
    }
}
