//! Threads and TCP: what owns the sockets, the clocks and the loops. The cores keep the logic.
//!
//! | module | what |
//! |---|---|
//! | [`frame`], [`wire`] | the bytes between the parties, sans-IO |
//! | [`link`], `outgoing`, `dialled` | one end of a connection: bounded queues, two threads |
//! | [`secret`] | by what parties on several machines know each other |
//! | [`settings`] | what a broker and its peers must agree on |
//! | [`producer`], [`broker`], [`consumer`] | the roles' loops |
//! | [`faults`] | planned faults, at logical points |
//! | [`run`] | what the roles of one run share |
//!
//! Queues are bounded everywhere. Nobody sleeps: a loop waits for its inbox until its core's next deadline.

pub mod broker;
pub mod consumer;
mod dialled;
pub mod faults;
pub mod frame;
pub mod link;
mod outgoing;
pub mod producer;
pub mod run;
pub mod secret;
pub mod settings;
pub mod wire;

use std::fmt::Display;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use self::producer::Orders;
use self::run::{DriverError, Ended, Run};
use crate::core::report::Report;
use crate::core::steps::Steps;
use crate::data::record::ProducerId;

/// Who is told what a run's processes do, at the moment it takes effect.
pub trait Observer: Send + Sync {
    /// Takes in one event. The process goes on only when this returns, so whatever a peer could act upon after it was
    /// observed before.
    fn observe(&self, process: &str, report: &Report) -> io::Result<()>;

    /// Takes in what is no event of a history and yet worth knowing: a peer that was cut off and why, a broker that is
    /// out of reach.
    fn notice(&self, process: &str, notice: &dyn Display);
}

/// A free port of this machine, for nobody else.
pub const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Runs the whole pipeline, one producer for each list of orders, until everything is delivered as far as the settings
/// go, or until the run is stopped.
pub fn drive<S: Steps>(run: &Run<S>, orders: Vec<Orders>) -> Result<Ended, DriverError> {
    let inbox = broker::listen(run, LOOPBACK)?;
    let (address, to_broker) = (inbox.address(), inbox.to_broker.clone());
    thread::scope(|scope| {
        let broker = scope.spawn(|| halting(run, broker::serve(run, inbox)));
        let consumer = scope.spawn(|| halting(run, consumer::consume(run, address)));
        let ids = (0..).map(ProducerId);
        let producers: Vec<_> = ids
            .zip(orders)
            .map(|(id, orders)| scope.spawn(move || halting(run, producer::produce(run, id, address, orders))))
            .collect();
        let produced: Vec<_> = producers.into_iter().map(|producer| producer.join().expect(PANIC).map(drop)).collect();
        // A broker that failed has nobody to tell.
        let _ = to_broker.send(broker::Input::Drain);
        let ended = broker.join().expect(PANIC)?;
        consumer.join().expect(PANIC)?;
        produced.into_iter().collect::<Result<(), _>>()?;
        // The broker may have delivered all that it was sent, and the producers still have had orders left.
        Ok(if run.is_stopping() { Ended::Stopped } else { ended })
    })
}

const PANIC: &str = "roles report what goes wrong, they do not panic";

/// When one role fails, the others must not wait for it.
fn halting<S, T>(run: &Run<S>, outcome: Result<T, DriverError>) -> Result<T, DriverError> {
    if outcome.is_err() {
        run.halt();
    }
    outcome
}
