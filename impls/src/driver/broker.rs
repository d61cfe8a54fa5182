//! The broker's thread: takes in what its connections bring, and lets the core decide.
//!
//! One turn drains what is readable, appends all of it, syncs once, then confirms all of it: that is group commit. The
//! hand-offs go out before the sync, for what is durable already, and after it. A consumer that settles gets its next
//! hand-off before the settle goes to disk, so the two overlap.

mod delivering;

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use delivery_model::schedule::{PlannedFault, StepWord};
use delivery_model::vocab::Fault;

use self::delivering::Subscriber;
use super::faults::Role;
use super::link::Link;
use super::run::{DriverError, Ended, Interrupt, Run};
use super::wire::{FromBroker, ToBroker};
use crate::core::broker::{Broker, Journals, Peer};
use crate::core::record::{ProducerId, Publish, Verdict};
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
    /// A connection ended.
    Closed(u64),
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
    core: Broker<EmbeddedJournal>,
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
        let open = |path| EmbeddedJournal::open(path).map_err(|why| recover(RecoverError::Store(why)));
        let journals = Journals { log: open(&run.stores.log())?, ledger: open(&run.stores.ledger())? };
        let core = Broker::open(&run.pipeline, run.tuning, journals, Mutant::None).map_err(recover)?;
        let (links, producers, subscriber) = Default::default();
        Ok(Incarnation { run, inputs, to_broker, next_connection, is_draining, core, links, producers, subscriber })
    }

    /// Loses the core, the connections and what was not synced, apart from the records that the plan lets survive.
    fn crash(self, planned: PlannedFault) -> Result<(), DriverError> {
        self.links.values().for_each(Link::cut);
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
        self.hand_off()?;
        if self.core.needs_sync() {
            self.core.sync().map_err(failed)?;
            self.run.passed(Role::Broker, StepWord::Sync, None)?;
        }
        self.core.confirm_due();
        self.reply()?;
        self.hand_off()
    }

    fn take(&mut self, input: Input) -> Result<(), Interrupt> {
        match input {
            Input::Opened(stream) => self.open_link(stream),
            Input::Said(connection, said) => return self.hear(connection, said),
            Input::Closed(connection) => self.forget(connection),
            Input::Drain => *self.is_draining = true,
        }
        Ok(())
    }

    /// A connection that cannot be served is dropped, and its peer tries again.
    fn open_link(&mut self, stream: TcpStream) {
        let connection = *self.next_connection;
        *self.next_connection += 1;
        let to_broker = self.to_broker.clone();
        let link = Link::start(&format!("broker {connection}"), stream, move |body| {
            let said = body.ok().and_then(|body| ToBroker::decode(&body).ok());
            let goes_on = said.is_some();
            let input = said.map_or(Input::Closed(connection), |said| Input::Said(connection, said));
            to_broker.send(input).is_ok() && goes_on
        });
        self.links.extend(link.ok().map(|link| (connection, link)));
    }

    fn forget(&mut self, connection: u64) {
        self.links.remove(&connection);
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
            ToBroker::Publish(publish) => self.publish(connection, publish),
            to_deliver => self.hear_consumer(connection, to_deliver),
        }
    }

    fn publish(&mut self, connection: u64, publish: Publish) -> Result<(), Interrupt> {
        if self.producers.get(&publish.record.producer) != Some(&connection) {
            return Ok(());
        }
        let message = publish.record.message;
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
        while let Some((Peer(connection), reply)) = self.core.poll_reply() {
            let (lost, crash) = match reply.verdict {
                Verdict::Acked(_) => self.run.reached(Role::Broker, StepWord::Ack, Some(reply.message))?,
                Verdict::Refused => (None, Ok(())),
            };
            if lost.is_none() {
                self.say(connection, &FromBroker::Reply(reply));
            }
            crash?;
        }
        Ok(())
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
