//! The broker's thread: takes in what its connections bring, and lets the core decide.
//!
//! One turn drains what is readable, appends all of it, confirms what has become durable by then, hands off, and asks
//! for the sync of the rest, which goes on beside the next turns: that is group commit, of the log and of settles alike. A
//! consumer that settles gets its next hand-off before the settle goes to disk, so the two overlap.
//!
//! A definite refusal of the store is answered to the peer that it concerns, and the broker goes on: a full disk refuses
//! publishes, and takes them again when there is room. If the contents of the disk are unknown, the broker ends, and a
//! restart recovers.

mod connections;
mod deferred;
mod delivering;
mod joining;
mod rewinding;
mod syncing;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use delivery_model::schedule::{PlannedFault, StepWord};
use delivery_model::vocab::{Epoch, Position};

use self::connections::{Connection, Reason, Standing};
use self::deferred::Deferred;
use self::joining::{Attempt, Entrance};
use self::syncing::{SharedJournal, Syncer};
use super::faults::Role;
use super::run::{DriverError, Ended, Interrupt, Run};
use super::wire::{FromBroker, ToBroker};
use crate::core::broker::{AttemptKey, Broker, Drain, DrainEnd, Journals, Peer, Unsynced};
use crate::core::delivery::ConsumerId;
use crate::core::steps::Steps;
use crate::core::time::Millis;
use crate::data::record::{ProducerId, Publish, Reply, Verdict};
use crate::store::file::FileJournal;
use crate::store::{RecoverError, StoreError};

/// The name under which histories know the broker.
pub const NAME: &str = "broker-0";

/// Inputs that may wait for the loop. All that one read of a connection brought, at most 64 KiB, is one. A full queue makes
/// the connections' readers wait, and TCP makes the peers wait.
const INPUTS: usize = 512;

/// Inputs that one turn takes, so that confirmations do not wait for ever while more comes in.
const TURN: usize = 64;

/// Connections at once: each takes two threads.
const CONNECTIONS: usize = 512;

/// How long the listener waits after it failed to accept a connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// How long a broker that was asked to leave goes on delivering.
const DRAIN: Millis = Millis(30_000);

/// What happens to the broker.
pub(super) enum Input {
    /// A peer connected.
    Opened(TcpStream, SocketAddr),
    /// A connection brought all of this in one read.
    Read(Vec<Input>),
    /// A connection brought a message, which arrived at this instant and was announced.
    Said(u64, Millis, ToBroker),
    /// A connection brought an attempt that is decided by itself.
    Attempt(u64, Publish),
    /// Connections brought attempts at one message. They wait where they met.
    Attempts(AttemptKey),
    /// A connection ended, or must end.
    Closed(u64, Reason),
    /// More of the log is durable, or it cannot be synced any more.
    Synced,
    /// The producers are done: leave once everything is delivered, or at once if the run is to stop.
    Drain,
}

impl Input {
    /// One after another.
    fn each(self) -> impl Iterator<Item = Input> {
        match self {
            Input::Read(inputs) => inputs.into_iter().chain(None),
            input => Vec::new().into_iter().chain(Some(input)),
        }
    }
}

/// Where a broker listens, and what reaches it. It listens while this lives.
pub struct Inbox {
    address: SocketAddr,
    inputs: Receiver<Input>,
    pub(super) to_broker: SyncSender<Input>,
}

impl Inbox {
    /// Where it listens; the port is known by now if it was to be any free one.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Listens. The listener outlives crashes that are planned, as a port outlives a process that is restarted at once. It
/// ends with the process, or when the inbox is dropped and somebody connects.
///
/// Beyond the loopback address, only where peers must know a secret.
pub fn listen<S>(run: &Run<S>, address: SocketAddr) -> Result<Inbox, DriverError> {
    if !address.ip().is_loopback() && run.secret.is_empty() {
        return Err(DriverError::Open { address });
    }
    listen_at(address).map_err(|why| DriverError::Io { role: NAME.into(), why })
}

fn listen_at(address: SocketAddr) -> io::Result<Inbox> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    let (to_broker, inputs) = sync_channel(INPUTS);
    let accepted = to_broker.clone();
    let accept = move || {
        loop {
            // An error is that connection's, or a want of descriptors that an ended connection will relieve.
            let Ok((stream, peer)) = listener.accept() else {
                thread::park_timeout(ACCEPT_RETRY);
                continue;
            };
            if accepted.send(Input::Opened(stream, peer)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("broker accepts".into()).spawn(accept)?;
    Ok(Inbox { address, inputs, to_broker })
}

/// Runs the broker, restarting it after each planned crash, until it has drained or the run stops.
pub fn serve<S: Steps>(run: &Run<S>, inbox: Inbox) -> Result<Ended, DriverError> {
    let Inbox { address, inputs, to_broker } = inbox;
    let mut next_connection = 0;
    let mut draining = None;
    let served = loop {
        match live(run, &inputs, &to_broker, &mut next_connection, &mut draining) {
            Ok(None) => {}
            Ok(Some(ended)) => break Ok(ended),
            Err(error) => break Err(error),
        }
    };
    run.end();
    drop(inputs);
    // Wakes the listener, which finds nobody to tell and ends; if that fails it has ended already.
    drop(TcpStream::connect(address));
    served
}

/// One life of the broker; none if it ended in a crash.
fn live<S: Steps>(
    run: &Run<S>,
    inputs: &Receiver<Input>,
    to_broker: &SyncSender<Input>,
    next_connection: &mut u64,
    draining: &mut Option<Drain>,
) -> Result<Option<Ended>, DriverError> {
    let mut incarnation = Incarnation::open(run, inputs, to_broker, next_connection, draining)?;
    match incarnation.work() {
        Ok(ended) => {
            // Before the connections close: peers of the same process shall not come back.
            run.end();
            incarnation.take_leave();
            Ok(Some(ended))
        }
        Err(Interrupt::Failed(error)) => Err(error),
        Err(Interrupt::Crash(planned)) => {
            incarnation.crash(planned)?;
            run.tell_fault(planned.fault)?;
            Ok(None)
        }
    }
}

/// One incarnation of the broker, with its connections.
struct Incarnation<'a, S> {
    run: &'a Run<S>,
    inputs: &'a Receiver<Input>,
    to_broker: &'a SyncSender<Input>,
    next_connection: &'a mut u64,
    /// The drain that was asked for. It outlives a crash.
    draining: &'a mut Option<Drain>,
    core: Broker<SharedJournal, S>,
    syncer: Syncer,
    /// The core's ledger.
    ledger: SharedJournal,
    ledger_syncer: Syncer,
    deferred: Deferred,
    entrance: Entrance,
    connections: BTreeMap<u64, Connection>,
    /// The consumer that is connected, and its connection.
    subscriber: Option<(u64, ConsumerId)>,
    /// A consumer has subscribed before: whoever comes now joins a group that is there.
    was_subscribed: bool,
}

impl<'a, S: Steps> Incarnation<'a, S> {
    fn open(
        run: &'a Run<S>,
        inputs: &'a Receiver<Input>,
        to_broker: &'a SyncSender<Input>,
        next_connection: &'a mut u64,
        draining: &'a mut Option<Drain>,
    ) -> Result<Self, DriverError> {
        let recover = |why| DriverError::Recover { role: NAME.into(), why };
        let open = |path: PathBuf| {
            let disk = FileJournal::open(&path, run.stores.room.clone());
            disk.and_then(SharedJournal::new).map_err(|why| recover(RecoverError::Store(why)))
        };
        let (log, ledger) = (open(run.stores.log())?, open(run.stores.ledger())?);
        let (syncs, ledger_syncs, shared_ledger) = (log.clone(), ledger.clone(), ledger.clone());
        let mut core = Broker::with_steps(&run.pipeline, run.tuning, Journals { log, ledger }, run.steps.clone())
            .map_err(recover)?;
        let no_thread = |why| DriverError::Io { role: NAME.into(), why };
        let syncer = Syncer::start(syncs, core.log().synced(), to_broker.clone()).map_err(no_thread)?;
        // What recovery found is durable: records are counted from there.
        let ledger_syncer = Syncer::start(ledger_syncs, Position(0), to_broker.clone()).map_err(no_thread)?;
        draining.iter().for_each(|&drain| core.drain(drain));
        Ok(Incarnation {
            run,
            inputs,
            to_broker,
            next_connection,
            draining,
            core,
            syncer,
            ledger: shared_ledger,
            ledger_syncer,
            deferred: Deferred::new(),
            entrance: Entrance::new(&run.pipeline.broker),
            connections: BTreeMap::new(),
            subscriber: None,
            was_subscribed: false,
        })
    }

    /// Loses the core, the connections and what was not synced, apart from the records that the plan lets survive.
    fn crash(self, planned: PlannedFault) -> Result<(), DriverError> {
        // What was said before the crash is on its way.
        self.flush();
        self.connections.values().for_each(|connection| connection.link.cut());
        // A sync that is under way is not torn: what was asked for before the crash had the time.
        drop((self.syncer, self.ledger_syncer, self.ledger));
        let journals = self.core.into_journals();
        journals.ledger.crash(0).map_err(failed)?;
        journals.log.crash(planned.keeps.unwrap_or(0)).map_err(failed)
    }

    fn work(&mut self) -> Result<Ended, Interrupt> {
        loop {
            self.run.look_for_crash(Role::Broker)?;
            self.turn()?;
            if self.run.is_leaving() && self.draining.is_none() {
                self.drain(Drain::Until(self.run.now() + DRAIN));
                self.dismiss_producers();
            }
            if let Some(ended) = self.ended() {
                self.settle_up()?;
                return Ok(ended);
            }
        }
    }

    fn ended(&self) -> Option<Ended> {
        if self.run.is_halted() {
            return Some(Ended::Stopped);
        }
        match self.core.drain_end(self.run.now()) {
            Some(DrainEnd::Drained) => Some(Ended::Drained),
            Some(DrainEnd::GaveUp) => Some(Ended::Stopped),
            // The other parties of the process have ended.
            None => (*self.draining == Some(Drain::Whole) && self.run.is_stopping()).then_some(Ended::Stopped),
        }
    }

    fn drain(&mut self, drain: Drain) {
        *self.draining = Some(drain);
        self.core.drain(drain);
    }

    /// Runs one turn. Deadlines are checked after all inputs that arrived before them: see
    /// [`arrivals`](crate::shared::arrivals).
    fn turn(&mut self) -> Result<(), Interrupt> {
        let patience = self.run.patience(self.next_lease_ends());
        let inputs = self.inputs;
        let first = inputs.recv_timeout(patience).ok();
        self.mark();
        for input in first.into_iter().chain(inputs.try_iter().take(TURN)).flat_map(Input::each) {
            self.take(input)?;
        }
        self.end_leases();
        self.cut_off_the_nameless();
        self.take_synced()?;
        self.say_durable()?;
        self.hand_off()?;
        self.retain()?;
        self.ask_for_ledger();
        self.flush();
        self.ask_for_sync()
    }

    /// Drops records that are not needed any more, once a batch of them has gathered. After a full disk, a later turn tries
    /// again.
    fn retain(&mut self) -> Result<(), Interrupt> {
        if let Some(start) = self.core.droppable(&self.core.finished_elsewhere()) {
            // A settle that a crash could forget would need its record again.
            self.settle_up()?;
            self.sync()?;
            self.core.drop_below(start).or_else(definite)?;
        }
        if self.core.is_ledger_long() {
            self.core.compact_ledger().or_else(definite)?;
        }
        Ok(())
    }

    /// Makes everything durable without the syncer's help.
    fn sync(&mut self) -> Result<(), Interrupt> {
        self.core.sync().or_else(definite)?;
        self.run.passed(Role::Broker, StepWord::Sync, None)
    }

    /// Confirms what has become durable since.
    fn take_synced(&mut self) -> Result<(), Interrupt> {
        let synced = self.syncer.synced().map_err(failed)?;
        if self.core.handle_synced(synced).map_err(failed)? {
            self.run.passed(Role::Broker, StepWord::Sync, None)?;
        }
        self.core.confirm_due();
        self.reply()
    }

    fn ask_for_sync(&mut self) -> Result<(), Interrupt> {
        match self.core.unsynced() {
            Some(Unsynced::Log(end)) => self.syncer.request(end),
            Some(Unsynced::Ledger) => self.sync()?,
            None => {}
        }
        Ok(())
    }

    fn take(&mut self, input: Input) -> Result<(), Interrupt> {
        match input {
            Input::Opened(stream, peer) => self.welcome(stream, peer),
            Input::Said(connection, at, said) => {
                self.hear(connection, at, said)?;
                self.handled(connection);
            }
            Input::Attempt(connection, publish) => return self.hear_attempts([(connection, publish)]),
            Input::Attempts(key) => return self.hear_attempts(self.entrance.take(&key)),
            Input::Closed(connection, reason) => self.cut_off(connection, &reason),
            Input::Read(inputs) => inputs.into_iter().try_for_each(|input| self.take(input))?,
            // The turn looks for itself.
            Input::Synced => {}
            Input::Drain => self.drain(Drain::Whole),
        }
        Ok(())
    }

    fn hear(&mut self, connection: u64, at: Millis, said: ToBroker) -> Result<(), Interrupt> {
        if !self.is_heard(connection, &said) {
            return Ok(());
        }
        match said {
            ToBroker::Hello(secret) => {
                self.greet(connection, &secret);
                Ok(())
            }
            ToBroker::Settings { name, settings } => {
                self.compare(connection, &name, &settings);
                Ok(())
            }
            ToBroker::Register { producer, epoch } => self.register(connection, producer, epoch),
            ToBroker::Rewind(to) => self.rewind(connection, to),
            ToBroker::Publish(publish) => self.publish(connection, publish, []),
            to_deliver => self.hear_consumer(connection, at, to_deliver),
        }
    }

    /// Takes in attempts at one message, of those who may make them.
    fn hear_attempts(&mut self, attempts: impl IntoIterator<Item = Attempt>) -> Result<(), Interrupt> {
        let heard = attempts.into_iter().filter_map(|(connection, publish)| {
            let said = ToBroker::Publish(publish);
            match (self.is_heard(connection, &said), said) {
                (true, ToBroker::Publish(publish)) => Some((connection, publish)),
                _ => None,
            }
        });
        let mut heard: VecDeque<Attempt> = heard.collect();
        match heard.pop_front() {
            Some((connection, publish)) => self.publish(connection, publish, heard),
            None => Ok(()),
        }
    }

    fn register(&mut self, connection: u64, producer: ProducerId, epoch: Epoch) -> Result<(), Interrupt> {
        match self.core.register(producer, epoch, Peer(connection)) {
            Ok(replaced) => {
                self.becomes(connection, Standing::Producer(producer));
                replaced.into_iter().for_each(|Peer(replaced)| self.cut_off(replaced, &Reason::Replaced));
                self.say(connection, &FromBroker::Registered);
            }
            // It will come again.
            Err(why) if why.is_definite() => self.cut_off(connection, &Reason::NoRoom(why)),
            Err(why) => return Err(failed(why).into()),
        }
        Ok(())
    }

    /// An attempt, and others at the same message that join it.
    fn publish(
        &mut self,
        connection: u64,
        publish: Publish,
        others: impl IntoIterator<Item = Attempt>,
    ) -> Result<(), Interrupt> {
        let message = publish.record.message;
        if self.run.pipeline.broker.capacity > 0 {
            // A settle that a crash could forget makes no room in a queue.
            self.settle_up()?;
        }
        self.core.receive(publish, Some(Peer(connection))).expect("each attempt is decided about at once");
        for (connection, other) in others {
            self.core.join(other.attempt, Peer(connection));
        }
        self.run.passed(Role::Broker, StepWord::Receive, Some(message))?;
        self.reply()?;
        match self.run.forestalled(StepWord::Append, Some(message))? {
            Some(_) => self.core.refuse_next(),
            None => self.core.append_next().map_err(failed)?,
        };
        self.run.passed(Role::Broker, StepWord::Append, Some(message))
    }

    /// Sends what the core has to say to producers.
    fn reply(&mut self) -> Result<(), Interrupt> {
        while let Some((peer, reply)) = self.core.poll_reply() {
            self.reply_to(peer, reply)?;
        }
        Ok(())
    }

    fn reply_to(&self, Peer(connection): Peer, reply: Reply) -> Result<(), Interrupt> {
        let (lost, crash) = match reply.verdict {
            Verdict::Acked(_) => self.run.reached(Role::Broker, StepWord::Ack, Some(reply.message))?,
            Verdict::Refused => (None, Ok(())),
        };
        if lost.is_none() {
            self.say(connection, &FromBroker::Reply(reply));
        }
        crash
    }

    fn tell_reports(&mut self) -> Result<(), DriverError> {
        while let Some(report) = self.core.poll_report() {
            self.run.tell(NAME, &report)?;
        }
        Ok(())
    }
}

/// A definite "no" to settles that are recorded lazily: they stay in memory, and the next turn tries again.
fn definite(why: StoreError) -> Result<(), DriverError> {
    if why.is_definite() { Ok(()) } else { Err(failed(why)) }
}

pub(super) fn failed(why: StoreError) -> DriverError {
    DriverError::Store { role: NAME.into(), why }
}
