//! One party of a run, in a process of its own, with its own stores and its own part of the history.
//!
//! A part's times are the machine's monotonic clock, and every event is in its file before anybody can act upon it: so
//! the parts of one machine can be joined by time ([`History::join`](delivery_model::history::History::join)). A part
//! that came to rest says so; the whole is at rest when every part is.
//!
//! Started again on the same directory and history, a part goes on where it was stopped or killed. If it was killed, or failed,
//! that is told as a crash of its party before anything else that it does. One that is refused, before it has done anything,
//! leaves no file behind.
//!
//! Leaves out: planned faults. Whoever runs parties apart kills them.

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

use super::life::Life;
use super::record::{Listeners, Recorder, Timing};
use super::traces::Traces;
use super::{MESSAGES_LIMIT, Progress, RealError, order, reconcile};

/// Which party, and what it needs to know of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// The broker.
    Broker {
        /// Where it listens.
        listen: SocketAddr,
        /// How many of the latest records it keeps although they are delivered for good.
        retain: u64,
    },
    /// A producer.
    Producer {
        /// Which of them, counted from 0.
        id: ProducerId,
        /// How many producers share the messages.
        of: u32,
        /// How many messages there are in all, numbered from 1.
        messages: u64,
        /// Where the broker is.
        broker: SocketAddr,
    },
    /// The consumer.
    Consumer {
        /// Where the broker is.
        broker: SocketAddr,
        /// Where the group is reset to before anything else.
        rewind: Option<Position>,
    },
}

impl Role {
    /// The name under which histories know it.
    pub fn name(&self) -> String {
        match self {
            Role::Broker { .. } => broker::NAME.to_owned(),
            Role::Producer { id, .. } => producer::name(*id),
            Role::Consumer { .. } => consumer::NAME.to_owned(),
        }
    }

    /// Whether its numbers make sense.
    fn check(&self) -> Result<(), RealError> {
        let Role::Producer { id, of, messages, .. } = *self else {
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
            Role::Broker { .. } => Fault::BrokerCrash,
            Role::Producer { .. } => Fault::ProducerCrash,
            Role::Consumer { .. } => Fault::ConsumerCrash,
        }
    }
}

/// One party: what it is, and where it keeps what it has.
pub struct Party {
    /// What it does.
    pub role: Role,
    /// Where its stores are.
    pub directory: PathBuf,
    /// The file of its part of the history.
    pub record: PathBuf,
    /// What peers must know; empty: nothing.
    pub secret: Secret,
    /// How long to wait for what.
    pub tuning: Tuning,
    /// Who is told what happens.
    pub listeners: Listeners,
    /// Set it, and the party finishes what it is at and leaves.
    pub stop: Arc<AtomicBool>,
}

/// What came of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartyReport {
    /// Whether the party came to rest, or left something in its stores.
    pub ended: Ended,
    /// What its history tells, earlier lives included.
    pub progress: Progress,
    /// Events that an earlier life had no time to record, written from the stores.
    pub reconciled: u64,
}

impl Party {
    /// This party, in this directory, with the usual waits and no secret.
    pub fn new(role: Role, directory: PathBuf) -> Party {
        let record = directory.join(format!("{}.jsonl", role.name()));
        let (secret, listeners, stop) = Default::default();
        let mut tuning = apart_tuning();
        if let Role::Broker { retain, .. } = role {
            tuning.retention = Some(Retention::of(retain));
        }
        Party { role, directory, record, secret, tuning, listeners, stop }
    }

    /// Takes part, until nothing is left to do or the party is asked to leave. `listening` is told where a broker listens.
    pub fn take(&self, pipeline: &Pipeline, listening: impl FnOnce(SocketAddr)) -> Result<PartyReport, RealError> {
        self.role.check()?;
        let file = |path: &Path| {
            let path = path.to_owned();
            move |why| RealError::File { path, why }
        };
        let stores = Stores::in_directory(&self.directory);
        let life_path = Life::path(&self.directory, &self.role.name());
        let own = self.stores(&stores).into_iter().chain([self.record.clone(), life_path.clone()]);
        let traces = Traces::begin(&self.directory, own).map_err(file(&self.directory))?;
        let mut life = Life::begin(&life_path).map_err(file(&life_path))?;
        let (recorder, before) = Recorder::open(&self.record, pipeline, Timing::Machine, self.listeners.clone())?;
        let recorder = Arc::new(recorder);
        let observer = Arc::clone(&recorder) as Arc<dyn Observer>;
        let mut run = Run::new(pipeline.clone(), self.tuning, stores, observer, Deployment::Apart);
        run.stop = Arc::clone(&self.stop);
        run.secret = self.secret.clone();
        // An address that is not to be had is known before anything is written.
        let inbox = match self.role {
            Role::Broker { listen, .. } => Some(broker::listen(&run, listen)?),
            Role::Producer { .. } | Role::Consumer { .. } => None,
        };
        let reconciled = self.reconcile(&run.stores, pipeline, &recorder)?;
        if life.comes_after_a_crash() {
            tell(&recorder, EventKind::Fault { fault: self.role.crash() })?;
        }
        life.runs().map_err(file(&life_path))?;
        let driven = self.drive(&run, &recorder, inbox, listening);
        let is_refused = driven.as_ref().is_err_and(is_refusal);
        // Whoever was let in once has something to lose, even if he is not let in again.
        if !is_refused || !before.events.is_empty() || recorder.has_acted() {
            traces.keep();
        }
        if driven.is_ok() || is_refused {
            life.ends().map_err(file(&life_path))?;
        }
        let ended = driven?;
        if let Role::Consumer { .. } = self.role {
            reconcile::compare(&run.stores, &recorder)?;
        }
        if ended == Ended::Drained {
            tell(&recorder, EventKind::Quiescent)?;
        }
        Ok(PartyReport { ended, progress: recorder.progress(), reconciled })
    }

    /// The files that are this party's alone.
    fn stores(&self, stores: &Stores) -> Vec<PathBuf> {
        match self.role {
            Role::Broker { .. } => vec![stores.log(), stores.ledger()],
            Role::Producer { id, .. } => vec![stores.outbox(id)],
            Role::Consumer { .. } => vec![stores.inventory()],
        }
    }

    fn reconcile(&self, stores: &Stores, pipeline: &Pipeline, recorder: &Recorder) -> Result<u64, RealError> {
        match self.role {
            Role::Broker { .. } => reconcile::reconcile_dead_letters(stores, pipeline, recorder),
            Role::Producer { id, .. } => reconcile::reconcile_submits(stores, id, recorder),
            Role::Consumer { .. } => reconcile::reconcile_effects(stores, recorder),
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
            Role::Broker { .. } => {
                let inbox = inbox.expect("a broker listens before it serves");
                listening(inbox.address());
                Ok(broker::serve(run, inbox)?)
            }
            Role::Producer { id, of, messages, broker } => {
                let orders = orders(id, of, messages, recorder);
                Ok(producer::produce(run, id, broker, orders)?)
            }
            Role::Consumer { broker, rewind } => {
                let is_reset = rewind.map_or(Ok(true), |to| consumer::rewind(run, broker, to))?;
                if is_reset { Ok(consumer::consume(run, broker)?) } else { Ok(Ended::Stopped) }
            }
        }
    }
}

/// A producer's share of the messages, less what it submitted in an earlier life.
fn orders(id: ProducerId, of: u32, messages: u64, recorder: &Recorder) -> Orders {
    let submitted = recorder.submitted();
    let own = (1..=messages).map(MessageId).filter(|message| owner(*message, of) == id);
    let left = own.filter(|message| !submitted.contains(message));
    left.map(|message| (message, order(message).encode())).collect()
}

/// Whether a party ended because it may not, or cannot, do what it was started for.
fn is_refusal(error: &RealError) -> bool {
    use DriverError::*;
    matches!(error, RealError::Driver(Denied { .. } | Unfit { .. } | NotInLog { .. }))
}

fn tell(recorder: &Recorder, kind: EventKind) -> Result<(), DriverError> {
    recorder.observe("faults", &Report::of(kind)).map_err(DriverError::Observe)
}
