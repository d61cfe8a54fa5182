//! The consumer's threads: one that talks to the broker, and the workers.
//!
//! All of them share one core behind a lock. A thread holds it for one micro-step at a time, and never during a transaction.
//! So deliveries interleave step by step, and a crash after any thread's step ends all of them together. A thread does the step
//! of all deliveries that are ready for it: two threads are enough for all workers of the settings.

mod rewinding;
mod state;
mod window;
mod work;

use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::thread;

pub use self::rewinding::rewind;
use self::state::Shared;
use super::dialled::{Dialled, hear_broker};
use super::run::{Calls, DriverError, Ended, Interrupt, Run};
use super::wire::FromBroker;
use crate::core::delivery::ConsumerId;
use crate::core::steps::Steps;
use crate::store::StoreError;

/// The name under which histories know the consumer.
pub const NAME: &str = "consumer-0";

/// Its place in the group.
const ID: ConsumerId = ConsumerId(0);

/// The reads that may wait for the loop: hand-offs are bounded by the workers, replies by what is at work.
const INCOMING: usize = 64;

/// The most threads of the workers. Handlers do not wait for anything, and transactions come one after another: while one
/// thread stores the effects of all workers, the other settles what was stored before.
const THREADS: u32 = 2;

/// Runs the consumer and its workers until the broker has ended, where both share a process, or until the consumer is asked to
/// leave. The result is `Drained` if no delivery was unfinished then.
pub fn consume<S: Steps>(run: &Run<S>, broker: SocketAddr) -> Result<Ended, DriverError> {
    let shared = Shared::open(run)?;
    thread::scope(|scope| {
        let worker = || {
            let worked = work::work(run, &shared);
            if worked.is_err() {
                run.halt();
            }
            worked
        };
        let threads = run.pipeline.consumer.workers.min(THREADS);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let talked = talk(run, broker, &shared);
        shared.queue.close();
        let worked = workers.into_iter().map(|worker| worker.join().expect("workers do not panic"));
        worked.fold(talked, Result::and)
    })?;
    let ended = if shared.queue.lock().core.is_idle() { Ended::Drained } else { Ended::Stopped };
    Ok(ended)
}

/// Keeps a connection to the broker for as long as there is one to be had.
fn talk<S: Steps>(run: &Run<S>, broker: SocketAddr, shared: &Shared<S>) -> Result<(), DriverError> {
    let mut calls = Calls::default();
    loop {
        let life = shared.queue.lock().life;
        let Some(incoming) = connect(run, broker, &mut calls, shared)? else {
            return Ok(());
        };
        if converse(run, shared, life, &incoming)? == Next::Leave {
            return Ok(());
        }
    }
}

/// Connects and subscribes. None if the run would rather end than wait for the broker.
fn connect<S: Steps>(
    run: &Run<S>,
    broker: SocketAddr,
    calls: &mut Calls,
    shared: &Shared<S>,
) -> Result<Option<Receiver<Vec<FromBroker>>>, DriverError> {
    let Some((link, incoming)) = dial(run, broker, calls)? else {
        return Ok(None);
    };
    shared.queue.lock().attach(link);
    Ok(Some(incoming))
}

/// Connects. None if the run would rather end than wait for the broker.
fn dial<S>(run: &Run<S>, broker: SocketAddr, calls: &mut Calls) -> Result<Option<Dialled>, DriverError> {
    let mut incoming = None;
    let link = run.reach(NAME, broker, calls, |stream| {
        let (link, said) = hear_broker(NAME, stream, run.limits, INCOMING)?;
        incoming = Some(said);
        Ok(link)
    })?;
    Ok(link.zip(incoming))
}

fn failed(why: StoreError) -> DriverError {
    DriverError::Store { role: NAME.into(), why }
}

/// What comes after a connection.
#[derive(PartialEq, Eq)]
enum Next {
    /// Another one.
    Connect,
    /// Nothing: it was asked to leave, and did all it had to do.
    Leave,
}

/// Takes in what the broker says until the connection ends, or the life does that it belongs to, or nothing is left to
/// do for a consumer that is to leave.
fn converse<S: Steps>(
    run: &Run<S>,
    shared: &Shared<S>,
    life: u64,
    incoming: &Receiver<Vec<FromBroker>>,
) -> Result<Next, DriverError> {
    loop {
        let patience = run.patience(shared.queue.lock().core.poll_timeout());
        let first = incoming.recv_timeout(patience);
        let mut state = shared.queue.lock();
        if state.life != life || run.is_halted() {
            return Ok(Next::Connect);
        }
        let taken = state.take_in(run, first, incoming);
        state.flush();
        let (may_leave, is_cut) = (state.core.may_leave(), !state.is_attached());
        drop(state);
        match taken {
            Ok(()) if may_leave => return Ok(Next::Leave),
            Ok(()) if is_cut => return Ok(Next::Connect),
            Ok(()) => shared.queue.wake(),
            Err(Interrupt::Crash(planned)) => {
                shared.crash(run, planned)?;
                return Ok(Next::Connect);
            }
            Err(Interrupt::Failed(error)) => return Err(error),
        }
    }
}
