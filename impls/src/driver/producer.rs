//! A producer's thread: submits the application's orders, transmits them over its connection, and takes the replies in.
//!
//! One turn takes in all replies that have come and submits as much as there is room for. Its changes of the outbox are one
//! transaction (`rows`); what took effect is told, and attempts are sent, after it.

mod rows;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use delivery_model::schedule::StepWord;
use delivery_model::vocab::{EventKind, MessageId, Outcome};

use self::rows::GatheredRows;
use super::dialled::hear_broker;
use super::faults::Role;
use super::link::Link;
use super::run::{Calls, DriverError, Ended, Interrupt, Run};
use super::wire::{FromBroker, ToBroker};
use crate::core::producer::{Producer, SubmitError};
use crate::core::steps::Steps;
use crate::core::time::Millis;
use crate::core::tuning::Tuning;
use crate::data::record::{Payload, ProducerId};
use crate::store::outbox::FileOutbox;
use crate::store::{RecoverError, StoreError};

/// The reads whose replies may wait for the loop: the window of unresolved messages bounds them long before.
const REPLIES: usize = 64;

/// What the application will submit, in order.
pub type Orders = VecDeque<(MessageId, Payload)>;

/// Runs one producer, restarting it after each planned crash, until all its orders are finished or the run stops. What is
/// unfinished then is in its outbox, if it keeps one.
pub fn produce<S: Steps>(
    run: &Run<S>,
    id: ProducerId,
    broker: SocketAddr,
    mut orders: Orders,
) -> Result<Ended, DriverError> {
    loop {
        let mut incarnation = Incarnation::open(run, id, broker)?;
        match incarnation.work(&mut orders) {
            Ok(ended) => return Ok(ended),
            Err(Interrupt::Failed(error)) => return Err(error),
            Err(Interrupt::Crash(planned)) => {
                incarnation.crash();
                run.tell_fault(planned.fault)?;
            }
        }
    }
}

/// The name under which histories know a producer.
pub fn name(id: ProducerId) -> String {
    format!("producer-{}", id.0)
}

/// The run's tuning, with as much taken ahead as fills the window and what is stored meanwhile.
fn tuning<S>(run: &Run<S>) -> Tuning {
    let in_flight = run.pipeline.producer.in_flight as usize;
    let fills = in_flight <= run.tuning.ahead;
    Tuning { ahead: if fills { run.tuning.ahead } else { 2 * in_flight }, ..run.tuning }
}

/// One incarnation of a producer, with the connection that it has at the moment.
struct Incarnation<'a, S> {
    run: &'a Run<S>,
    name: String,
    broker: SocketAddr,
    core: Producer<GatheredRows, S>,
    /// The core's.
    rows: GatheredRows,
    calls: Calls,
    connection: Option<Connection>,
}

struct Connection {
    link: Link,
    replies: Receiver<Vec<FromBroker>>,
    is_registered: bool,
}

impl<'a, S: Steps> Incarnation<'a, S> {
    fn open(run: &'a Run<S>, id: ProducerId, broker: SocketAddr) -> Result<Self, DriverError> {
        let name = name(id);
        let recover = |why| DriverError::Recover { role: name.clone(), why };
        let store = FileOutbox::open(&run.stores.outbox(id)).map_err(|why| recover(RecoverError::Store(why)))?;
        let rows = GatheredRows::of(store);
        let core = Producer::with_steps(&run.pipeline, tuning(run), id, rows.clone(), run.steps.clone());
        let core = core.map_err(recover)?;
        let (calls, connection) = Default::default();
        Ok(Incarnation { run, name, broker, core, rows, calls, connection })
    }

    /// Loses the core, and what is on its way on the connection; the store closes as it is.
    fn crash(self) {
        if let Some(connection) = self.connection {
            connection.link.cut();
        }
    }

    fn work(&mut self, orders: &mut Orders) -> Result<Ended, Interrupt> {
        while !self.run.is_halted() {
            self.run.look_for_crash(self.role())?;
            let now = self.run.now();
            if self.run.is_stopping() {
                self.core.stop(now + self.run.last_tries());
            }
            self.submit(orders)?;
            self.store()?;
            if self.core.outbox().is_empty() && orders.is_empty() {
                return Ok(Ended::Drained);
            }
            if self.core.may_stop(now) {
                return Ok(Ended::Stopped);
            }
            if self.connection.is_none() {
                self.connection = self.connect()?;
            }
            if self.connection.is_none() {
                return Ok(Ended::Stopped);
            }
            self.transmit()?;
            self.take_in()?;
        }
        Ok(Ended::Stopped)
    }

    fn role(&self) -> Role {
        Role::Producer(self.core.id())
    }

    /// None if the run would rather end than wait for the broker.
    fn connect(&mut self) -> Result<Option<Connection>, DriverError> {
        let mut incoming = None;
        let link = self.run.reach(&self.name, self.broker, &mut self.calls, |stream| {
            let (link, replies) = hear_broker(&self.name, stream, self.run.limits, REPLIES)?;
            incoming = Some(replies);
            Ok(link)
        })?;
        Ok(link.zip(incoming).map(|(link, replies)| {
            link.send_now(&ToBroker::Register { producer: self.core.id(), epoch: self.core.epoch() }.encode());
            Connection { link, replies, is_registered: false }
        }))
    }

    /// Takes orders, which are submitted once they are stored: [`store`](Self::store) follows.
    fn submit(&mut self, orders: &mut Orders) -> Result<(), DriverError> {
        while self.core.wants_more() {
            let Some((message, payload)) = orders.pop_front() else {
                return Ok(());
            };
            match self.core.submit(message, payload) {
                // A restart found it in the store already.
                Ok(()) | Err(SubmitError::Unfinished(_)) => {}
                Err(SubmitError::Store { why, .. }) => return Err(self.failed(why)),
                Err(why @ SubmitError::TooLong { .. }) => {
                    return Err(DriverError::Submit { role: self.name.clone(), why });
                }
            }
        }
        Ok(())
    }

    /// Sends what is due. A crash loses what was not written yet.
    fn transmit(&mut self) -> Result<(), Interrupt> {
        self.send()?;
        self.connection.iter().for_each(|connection| connection.link.flush());
        Ok(())
    }

    fn send(&mut self) -> Result<(), Interrupt> {
        if self.connection.as_ref().is_none_or(|connection| !connection.is_registered) {
            return Ok(());
        }
        let now = self.run.now();
        while let Some(publish) = self.core.transmit(now).map_err(|why| self.failed(why))? {
            self.store()?;
            let message = publish.record.message;
            let (lost, crash) = self.run.reached(self.role(), StepWord::Attempt, Some(message))?;
            if let (None, Some(connection)) = (lost, &self.connection) {
                connection.link.send(&ToBroker::Publish(publish).encode());
            }
            crash?;
        }
        Ok(())
    }

    /// Waits for a reply, or for the next deadline; takes in what has come, and then looks whether a deadline has passed.
    /// What follows from that is stored and told in the next turn.
    fn take_in(&mut self) -> Result<(), DriverError> {
        let Some(Connection { replies, is_registered, .. }) = &self.connection else {
            return Ok(());
        };
        let patience = self.run.patience(self.core.poll_timeout().filter(|_| *is_registered));
        let first = replies.recv_timeout(patience);
        let now = self.run.now();
        let said: Vec<FromBroker> = match first {
            Ok(first) => first.into_iter().chain(replies.try_iter().take(REPLIES).flatten()).collect(),
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            Err(RecvTimeoutError::Disconnected) => {
                self.connection = None;
                self.step(|core| core.handle_disconnected(now))?;
                Vec::new()
            }
        };
        for said in said {
            let epoch = self.core.epoch();
            self.hear(now, said)?;
            if self.core.epoch() != epoch {
                // The new epoch is registered over a new connection, and replies that still come over this one are ignored.
                self.connection.take().iter().for_each(|connection| connection.link.cut());
                break;
            }
        }
        self.step(|core| core.handle_timeout(now))
    }

    fn hear(&mut self, now: Millis, said: FromBroker) -> Result<(), DriverError> {
        match said {
            FromBroker::Registered => self.connection.iter_mut().for_each(|it| it.is_registered = true),
            FromBroker::Reply(reply) => self.step(|core| core.handle_reply(now, reply))?,
            FromBroker::Denied => return Err(DriverError::Denied { role: self.name.clone() }),
            FromBroker::Unfit(reason) => {
                return Err(DriverError::Unfit { role: self.name.clone(), reason });
            }
            // A broker that talks to a producer as to a consumer is confused: the protocol has no use for it.
            FromBroker::HandOff(_)
            | FromBroker::Committed(_)
            | FromBroker::Settled { .. }
            | FromBroker::Left
            | FromBroker::Rewound
            | FromBroker::NotInLog { .. } => self.connection.iter().for_each(|it| it.link.cut()),
        }
        Ok(())
    }

    /// Takes a step of the core.
    fn step(
        &mut self,
        step: impl FnOnce(&mut Producer<GatheredRows, S>) -> Result<(), StoreError>,
    ) -> Result<(), DriverError> {
        step(&mut self.core).map_err(|why| self.failed(why))
    }

    /// Makes durable what the core did since, and tells it.
    fn store(&mut self) -> Result<(), Interrupt> {
        self.rows.store().map_err(|why| self.failed(why))?;
        self.drain()
    }

    /// Tells what the core did. The attempt is no step yet: it is sent first.
    fn drain(&mut self) -> Result<(), Interrupt> {
        let mut crash = Ok(());
        while let Some(report) = self.core.poll_report() {
            self.run.tell(&self.name, &report)?;
            let step = match report.kind {
                EventKind::Submit { .. } => StepWord::Submit,
                EventKind::Outcome { outcome: Outcome::Unknown, .. } => StepWord::TimeOut,
                EventKind::Outcome { .. } => StepWord::TakeReply,
                _ => continue,
            };
            // After a crash nothing is reached any more; what took effect before it is still told.
            if crash.is_ok() {
                crash = self.run.passed(self.role(), step, report.kind.message());
            }
        }
        crash
    }

    fn failed(&self, why: StoreError) -> DriverError {
        DriverError::Store { role: self.name.clone(), why }
    }
}
