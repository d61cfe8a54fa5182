//! One party of a run, in a process of its own, with its own stores and its own part of the history.
//!
//! The times of a part come from the machine's monotonic clock, and every event is written before any party can act
//! on it. So the parts of one machine can be joined by time
//! ([`History::join`](delivery_model::history::History::join)). A part ends with `quiescent` if its party came to
//! rest; the whole is quiescent when every part is.
//!
//! A party that is started again on the same directory and history goes on where it was stopped or killed. If it was
//! killed or failed, a crash of the party is recorded before any other event. A party that is refused before it has
//! done anything leaves no file behind.
//!
//! Leaves out: planned faults. A test that runs parties apart kills their processes.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use delivery_impls::core::report::Report;
use delivery_impls::core::tuning::{Retention, Tuning};
use delivery_impls::data::record::ProducerId;
use delivery_impls::driver::Observer;
use delivery_impls::driver::faults::owner;
use delivery_impls::driver::producer::Orders;
use delivery_impls::driver::run::{Deployment, DriverError, Ended, Run, Stores, apart_tuning};
use delivery_impls::driver::secret::Secret;
use delivery_impls::driver::{broker, consumer, producer};
use delivery_model::pipeline::Pipeline;
use delivery_model::vocab::{EventKind, Fault, MessageId, Position};

use super::created::CreatedFiles;
use super::life::Life;
use super::record::{Listeners, Recorder, Timing};
use super::{MESSAGES_LIMIT, Progress, RealError, order, reconcile};

/// The role of a party, with what it needs to know of the other parties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartyRole {
    /// The broker.
    Broker {
        /// The address to listen on.
        listen: SocketAddr,
        /// The number of latest records to keep although they are settled.
        retain: u64,
    },
    /// A producer.
    Producer {
        /// The id of the producer, counted from 0.
        id: ProducerId,
        /// The number of producers that share the messages.
        of: u32,
        /// The number of messages of all producers, numbered from 1.
        messages: u64,
        /// The address of the broker.
        broker: SocketAddr,
    },
    /// The consumer.
    Consumer {
        /// The address of the broker.
        broker: SocketAddr,
        /// The position to which the group is reset before anything else.
        rewind: Option<Position>,
    },
}

impl PartyRole {
    /// The party's name in histories.
    pub fn name(&self) -> String {
        match self {
            PartyRole::Broker { .. } => broker::NAME.to_owned(),
            PartyRole::Producer { id, .. } => producer::name(*id),
            PartyRole::Consumer { .. } => consumer::NAME.to_owned(),
        }
    }

    /// Checks that the numbers are possible.
    fn check(&self) -> Result<(), RealError> {
        let PartyRole::Producer { id, of, messages, .. } = *self else {
            return Ok(());
        };
        let range = |what, found: u64, limits: std::ops::RangeInclusive<u64>| match limits.contains(&found) {
            true => Ok(()),
            false => {
                let expected = format!("{} to {}", limits.start(), limits.end());
                Err(RealError::Option { what, found: found.to_string(), expected })
            }
        };
        range("messages", messages, 1..=MESSAGES_LIMIT)?;
        range("producers", of.into(), 1..=1024)?;
        range("producer", id.0.into(), 0..=u64::from(of) - 1)
    }

    fn crash(&self) -> Fault {
        match self {
            PartyRole::Broker { .. } => Fault::BrokerCrash,
            PartyRole::Producer { .. } => Fault::ProducerCrash,
            PartyRole::Consumer { .. } => Fault::ConsumerCrash,
        }
    }
}

/// One party: its role, its directory and its part of the history.
pub struct Party {
    /// The role of the party.
    pub role: PartyRole,
    /// The directory of its stores.
    pub directory: PathBuf,
    /// The file of its part of the history.
    pub record: PathBuf,
    /// The secret that the parties share; empty: none.
    pub secret: Secret,
    /// The time-outs and counts of the cores.
    pub tuning: Tuning,
    /// The callbacks for events and notices.
    pub listeners: Listeners,
    /// Set to true, it asks the party to finish its work and leave.
    pub stop: Arc<AtomicBool>,
}

/// The result of a party's run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyReport {
    /// Whether the party came to rest, or left work in its stores.
    pub ended: Ended,
    /// The counts of its part of the history, earlier lives included.
    pub progress: Progress,
    /// The number of events that an earlier life could not record, written from the stores.
    pub reconciled: u64,
}

impl Party {
    /// This party in this directory, with the default tuning and no secret.
    pub fn new(role: PartyRole, directory: PathBuf) -> Party {
        let record = directory.join(format!("{}.jsonl", role.name()));
        let (secret, listeners, stop) = Default::default();
        let mut tuning = apart_tuning();
        if let PartyRole::Broker { retain, .. } = role {
            tuning.retention = Some(Retention::of(retain));
        }
        Party { role, directory, record, secret, tuning, listeners, stop }
    }

    /// Runs the party until nothing is left to do or it is asked to leave. `listening` is called with the address of
    /// a broker that listens.
    pub fn take(&self, pipeline: &Pipeline, listening: impl FnOnce(SocketAddr)) -> Result<PartyReport, RealError> {
        self.role.check()?;
        let file = |path: &Path| {
            let path = path.to_owned();
            move |why| RealError::File { path, why }
        };
        let stores = Stores::in_directory(&self.directory);
        let life_path = Life::path(&self.directory, &self.role.name());
        let own = self.stores(&stores).into_iter().chain([self.record.clone(), life_path.clone()]);
        let created = CreatedFiles::begin(&self.directory, own).map_err(file(&self.directory))?;
        let mut life = Life::begin(&life_path).map_err(file(&life_path))?;
        let (recorder, before) = Recorder::open(&self.record, pipeline, Timing::Machine, self.listeners.clone())?;
        let recorder = Arc::new(recorder);
        let observer = Arc::clone(&recorder) as Arc<dyn Observer>;
        let mut run = Run::new(pipeline.clone(), self.tuning, stores, observer, Deployment::Apart);
        run.stop = Arc::clone(&self.stop);
        run.secret = self.secret.clone();
        // The address is taken before anything is written, so that a failure leaves nothing behind.
        let inbox = match self.role {
            PartyRole::Broker { listen, .. } => Some(broker::listen(&run, listen)?),
            PartyRole::Producer { .. } | PartyRole::Consumer { .. } => None,
        };
        let reconciled = self.reconcile(&run.stores, pipeline, &recorder)?;
        if life.comes_after_a_crash() {
            tell(&recorder, EventKind::Fault { fault: self.role.crash() })?;
        }
        life.runs().map_err(file(&life_path))?;
        let driven = self.drive(&run, &recorder, inbox, listening);
        let is_refused = driven.as_ref().is_err_and(is_refusal);
        // The files of a party that was let in before stay, even if the party is refused later.
        if !is_refused || !before.events.is_empty() || recorder.has_acted() {
            created.keep();
        }
        if driven.is_ok() || is_refused {
            life.ends().map_err(file(&life_path))?;
        }
        let ended = driven?;
        if let PartyRole::Consumer { .. } = self.role {
            reconcile::compare(&run.stores, &recorder)?;
        }
        if ended == Ended::Drained {
            tell(&recorder, EventKind::Quiescent)?;
        }
        Ok(PartyReport { ended, progress: recorder.progress(), reconciled })
    }

    /// The files that belong to this party alone.
    fn stores(&self, stores: &Stores) -> Vec<PathBuf> {
        match self.role {
            PartyRole::Broker { .. } => vec![stores.log(), stores.ledger()],
            PartyRole::Producer { id, .. } => vec![stores.outbox(id)],
            PartyRole::Consumer { .. } => vec![stores.inventory(), stores.inventory_journal()],
        }
    }

    fn reconcile(&self, stores: &Stores, pipeline: &Pipeline, recorder: &Recorder) -> Result<u64, RealError> {
        match self.role {
            PartyRole::Broker { .. } => reconcile::reconcile_dead_letters(stores, pipeline, recorder),
            PartyRole::Producer { id, .. } => reconcile::reconcile_submits(stores, id, recorder),
            PartyRole::Consumer { .. } => reconcile::reconcile_effects(stores, recorder),
        }
    }

    fn drive(
        &self,
        run: &Run,
        recorder: &Recorder,
        inbox: Option<broker::Inbox>,
        listening: impl FnOnce(SocketAddr),
    ) -> Result<Ended, RealError> {
        match self.role {
            PartyRole::Broker { .. } => {
                let inbox = inbox.expect("the broker has its listener before it serves");
                listening(inbox.address());
                Ok(broker::serve(run, inbox)?)
            }
            PartyRole::Producer { id, of, messages, broker } => {
                let orders = orders(id, of, messages, recorder);
                Ok(producer::produce(run, id, broker, orders)?)
            }
            PartyRole::Consumer { broker, rewind } => {
                let is_reset = rewind.map_or(Ok(true), |to| consumer::rewind(run, broker, to))?;
                if is_reset { Ok(consumer::consume(run, broker)?) } else { Ok(Ended::Stopped) }
            }
        }
    }
}

/// The producer's share of the messages, without those that it submitted in an earlier life.
fn orders(id: ProducerId, of: u32, messages: u64, recorder: &Recorder) -> Orders {
    let submitted = recorder.submitted();
    let own = (1..=messages).map(MessageId).filter(|message| owner(*message, of) == id);
    let left = own.filter(|message| !submitted.contains(message));
    left.map(|message| (message, order(message).encode())).collect()
}

/// Whether the party ended because the broker or an option refused it.
fn is_refusal(error: &RealError) -> bool {
    use DriverError::*;
    matches!(error, RealError::Driver(Denied { .. } | Unfit { .. } | NotInLog { .. }))
}

fn tell(recorder: &Recorder, kind: EventKind) -> Result<(), DriverError> {
    recorder.observe("faults", &Report::of(kind)).map_err(DriverError::Observe)
}
