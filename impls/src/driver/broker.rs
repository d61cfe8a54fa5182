//! The broker's thread: takes in what its connections bring, and lets the core decide.
//!
//! One turn drains what is readable, appends all of it, confirms what has become durable by then, hands off, and asks
//! for the sync of the rest, which goes on beside the next turns: that is group commit. A consumer that settles gets its
//! next hand-off before the settle goes to disk, so the two overlap.

mod delivering;
mod joining;
mod syncing;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use delivery_model::schedule::{PlannedFault, StepWord};
use delivery_model::vocab::{Fault, MessageId};

use self::delivering::Subscriber;
use self::joining::{Entrance, Lead};
use self::syncing::{SharedJournal, Syncer};
use super::faults::Role;
use super::link::Link;
use super::run::{DriverError, Ended, Interrupt, Run};
use super::wire::{FromBroker, ToBroker};
use crate::core::broker::{Broker, Journals, Peer};
use crate::core::record::{ProducerId, Publish, Reply, Verdict};
use crate::mutant::Mutant;
use crate::store::embedded::EmbeddedJournal;
use crate::store::{RecoverError, StoreError};

/// The name under which histories know the broker.
pub const NAME: &str = "broker-0";

/// Inputs that may wait for the loop. A full queue makes the connections' readers wait, and TCP makes the peers wait.
const INPUTS: usize = 4096;

/// Inputs that one turn takes, so that confirmations do not wait for ever while more comes in.
const TURN: usize = 256;

/// What happens to the broker.
pub(super) enum Input {
    /// Somebody connected.
    Opened(TcpStream),
    /// A connection brought a message.
    Said(u64, ToBroker),
    /// A connection brought an attempt that leads: retries of it join it until it has a reply.
    Leads(u64, Publish, Lead),
    /// A connection ended.
    Closed(u64),
    /// More of the log is durable, or it cannot be synced any more.
    Synced,
    /// The producers are done: leave once everything is delivered, or at once if the run is to stop.
    Drain,
}

/// Where a broker listens, and what reaches it.
pub(super) struct Inbox {
    pub address: SocketAddr,
    pub inputs: Receiver<Input>,
    pub to_broker: SyncSender<Input>,
}

/// Listens on a free port of the loopback address. The listener outlives crashes of the broker, as a port outlives a
/// process that is restarted at once. It ends with the process, or when the inputs' receiver is dropped and somebody
/// connects.
pub(super) fn listen() -> io::Result<Inbox> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let (to_broker, inputs) = sync_channel(INPUTS);
    let accepted = to_broker.clone();
    thread::Builder::new().name("broker accepts".into()).spawn(move || {
        for stream in listener.incoming().flatten() {
            if accepted.send(Input::Opened(stream)).is_err() {
                return;
            }
        }
    })?;
    Ok(Inbox { address, inputs, to_broker })
}

/// Runs the broker, restarting it after each planned crash, until it has drained or the run stops.
pub(super) fn serve(run: &Run, inbox: Inbox) -> Result<Ended, DriverError> {
    let Inbox { address, inputs, to_broker } = inbox;
    let mut next_connection = 0;
    let mut is_draining = false;
    let served = loop {
        match live(run, &inputs, &to_broker, &mut next_connection, &mut is_draining) {
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
fn live(
    run: &Run,
    inputs: &Receiver<Input>,
    to_broker: &SyncSender<Input>,
    next_connection: &mut u64,
    is_draining: &mut bool,
) -> Result<Option<Ended>, DriverError> {
    let mut incarnation = Incarnation::open(run, inputs, to_broker, next_connection, is_draining)?;
    match incarnation.work() {
        Ok(ended) => {
            // Before the connections close: their peers shall not come back.
            run.end();
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
struct Incarnation<'a> {
    run: &'a Run,
    inputs: &'a Receiver<Input>,
    to_broker: &'a SyncSender<Input>,
    next_connection: &'a mut u64,
    is_draining: &'a mut bool,
    core: Broker<SharedJournal>,
    syncer: Syncer,
    entrance: Entrance,
    /// The attempts that wait for a reply, by connection and message, where others may have joined them.
    leads: BTreeMap<(u64, MessageId), Lead>,
    links: BTreeMap<u64, Link>,
    /// Each producer's newest connection; an older one is not listened to any more.
    producers: BTreeMap<ProducerId, u64>,
    subscriber: Option<Subscriber>,
}

impl<'a> Incarnation<'a> {
    fn open(
        run: &'a Run,
        inputs: &'a Receiver<Input>,
        to_broker: &'a SyncSender<Input>,
        next_connection: &'a mut u64,
        is_draining: &'a mut bool,
    ) -> Result<Self, DriverError> {
        let recover = |why| DriverError::Recover { role: NAME.into(), why };
        let open = |path: PathBuf| match EmbeddedJournal::open(&path) {
            Ok(disk) => Ok(SharedJournal::new(disk)),
            Err(why) => Err(recover(RecoverError::Store(why))),
        };
        let (log, ledger) = (open(run.stores.log())?, open(run.stores.ledger())?);
        let syncs = log.clone();
        let core = Broker::open(&run.pipeline, run.tuning, Journals { log, ledger }, Mutant::None).map_err(recover)?;
        let syncer = Syncer::start(syncs, core.log().synced(), to_broker.clone())
            .map_err(|why| DriverError::Io { role: NAME.into(), why })?;
        Ok(Incarnation {
            run,
            inputs,
            to_broker,
            next_connection,
            is_draining,
            core,
            syncer,
            entrance: Entrance::new(&run.pipeline.broker, to_broker.clone()),
            leads: BTreeMap::new(),
            links: BTreeMap::new(),
            producers: BTreeMap::new(),
            subscriber: None,
        })
    }

    /// Loses the core, the connections and what was not synced, apart from the records that the plan lets survive.
    fn crash(self, planned: PlannedFault) -> Result<(), DriverError> {
        self.links.values().for_each(Link::cut);
        // A sync that is under way is not torn: what was asked for before the crash had the time.
        drop(self.syncer);
        let journals = self.core.into_journals();
        journals.log.crash(planned.keeps.unwrap_or(0)).map_err(failed)
    }

    fn work(&mut self) -> Result<Ended, Interrupt> {
        loop {
            self.run.look_for_crash(Role::Broker)?;
            self.turn()?;
            if *self.is_draining && self.is_drained() {
                return Ok(Ended::Drained);
            }
            if self.run.is_halted() || *self.is_draining && self.run.is_stopping() {
                return Ok(Ended::Stopped);
            }
        }
    }

    fn turn(&mut self) -> Result<(), Interrupt> {
        let patience = self.run.patience(self.core.poll_timeout());
        let inputs = self.inputs;
        let first = inputs.recv_timeout(patience).ok();
        self.core.handle_timeout(self.run.now());
        for input in first.into_iter().chain(inputs.try_iter().take(TURN)) {
            self.take(input)?;
        }
        self.take_synced()?;
        self.hand_off()?;
        self.ask_for_sync()
    }

    /// Confirms what has become durable since.
    fn take_synced(&mut self) -> Result<(), Interrupt> {
        let synced = self.syncer.synced().map_err(failed)?;
        if synced > self.core.log().synced() {
            self.core.handle_synced(synced).map_err(failed)?;
            self.run.passed(Role::Broker, StepWord::Sync, None)?;
        }
        self.core.confirm_due();
        self.reply()
    }

    fn ask_for_sync(&mut self) -> Result<(), Interrupt> {
        let log = self.core.log();
        if log.synced() < log.end() {
            self.syncer.request(log.end());
        } else if self.core.needs_sync() {
            // Settles alone, which are none of the syncer's business.
            self.core.sync().map_err(failed)?;
            self.run.passed(Role::Broker, StepWord::Sync, None)?;
        }
        Ok(())
    }

    fn take(&mut self, input: Input) -> Result<(), Interrupt> {
        match input {
            Input::Opened(stream) => self.open_link(stream),
            Input::Said(connection, said) => return self.hear(connection, said),
            Input::Leads(connection, publish, lead) => return self.publish(connection, publish, Some(lead)),
            Input::Closed(connection) => self.forget(connection),
            // The turn looks for itself.
            Input::Synced => {}
            Input::Drain => *self.is_draining = true,
        }
        Ok(())
    }

    /// A connection that cannot be served is dropped, and its peer tries again.
    fn open_link(&mut self, stream: TcpStream) {
        let connection = *self.next_connection;
        *self.next_connection += 1;
        let (to_broker, entrance) = (self.to_broker.clone(), self.entrance.clone());
        let link = Link::start(&format!("broker {connection}"), stream, move |body| {
            let said = body.ok().and_then(|body| ToBroker::decode(&body).ok());
            let goes_on = said.is_some();
            let input = match said {
                Some(ToBroker::Publish(publish)) => entrance.admit(connection, publish),
                Some(said) => Some(Input::Said(connection, said)),
                None => Some(Input::Closed(connection)),
            };
            input.is_none_or(|input| to_broker.send(input).is_ok()) && goes_on
        });
        self.links.extend(link.ok().map(|link| (connection, link)));
    }

    fn forget(&mut self, connection: u64) {
        self.links.remove(&connection);
        self.leads.retain(|(its, _), _| *its != connection);
        self.core.disconnect(Peer(connection));
        self.producers.retain(|_, its| *its != connection);
        if let Some(gone) = self.subscriber.take_if(|subscriber| subscriber.connection == connection) {
            self.core.end_leases_of(gone.consumer);
        }
    }

    /// What a connection of an earlier incarnation said is lost, as it would be in the memory of a process that died.
    fn hear(&mut self, connection: u64, said: ToBroker) -> Result<(), Interrupt> {
        if !self.links.contains_key(&connection) {
            return Ok(());
        }
        match said {
            ToBroker::Register { producer, epoch } => {
                self.core.register(producer, epoch).map_err(failed)?;
                self.producers.insert(producer, connection);
                self.say(connection, &FromBroker::Registered);
                Ok(())
            }
            ToBroker::Publish(publish) => self.publish(connection, publish, None),
            to_deliver => self.hear_consumer(connection, to_deliver),
        }
    }

    /// A producer is listened to over its newest connection. Where the attempt leads others, it does until it has a reply.
    fn publish(&mut self, connection: u64, publish: Publish, lead: Option<Lead>) -> Result<(), Interrupt> {
        if self.producers.get(&publish.record.producer) != Some(&connection) {
            return Ok(());
        }
        let message = publish.record.message;
        self.leads.extend(lead.map(|lead| ((connection, message), lead)));
        self.core.receive(publish, Some(Peer(connection))).expect("each attempt is decided about at once");
        self.run.passed(Role::Broker, StepWord::Receive, Some(message))?;
        self.reply()?;
        let (lost, crash) = self.run.reached(Role::Broker, StepWord::Append, Some(message))?;
        if lost == Some(Fault::PublishRefused) {
            self.core.refuse_next();
        } else {
            self.core.append_next().map_err(failed)?;
        }
        crash
    }

    /// Sends what the core has to say to producers.
    fn reply(&mut self) -> Result<(), Interrupt> {
        while let Some((peer, reply)) = self.core.poll_reply() {
            self.reply_to(peer, reply)?;
            if let Some(lead) = self.leads.remove(&(peer.0, reply.message)) {
                self.entrance.finish(&lead, reply).try_for_each(|(peer, reply)| self.reply_to(peer, reply))?;
            }
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

    /// Says it, if the connection still stands.
    fn say(&self, connection: u64, message: &FromBroker) {
        if let Some(link) = self.links.get(&connection) {
            link.send(message.encode());
        }
    }

    fn tell_reports(&mut self) -> Result<(), DriverError> {
        while let Some(report) = self.core.poll_report() {
            self.run.tell(NAME, &report)?;
        }
        Ok(())
    }

    /// Everything that the producers sent is delivered, as far as the settings go.
    fn is_drained(&self) -> bool {
        self.producers.is_empty() && !self.core.needs_sync() && self.has_delivered_all()
    }
}

pub(super) fn failed(why: StoreError) -> DriverError {
    DriverError::Store { role: NAME.into(), why }
}
