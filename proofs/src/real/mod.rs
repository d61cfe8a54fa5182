//! The real world: the implementation with its threads, TCP and disk, under planned faults, and its recorded history.
//!
//! Every message orders an article of its own, so the inventory's stock says how often each message took effect. At the
//! end that is compared with what the history says, so that the code's own word is not the only witness.
//!
//! A run that was stopped or killed goes on when it is started again on the same directory and history: the stores are
//! recovered, what they hold and the history does not yet tell is written (`mend`), and the remaining messages
//! follow. Such a start is told as a crash of all three parties, for that is what it is to them.
//!
//! The parties may also run apart, each in a process of its own that records its own part of the history ([`Party`]).
//!
//! Leaves out: judging. The history is in its file, for the one judge there is.

mod life;
mod party;
mod plan;
mod reconcile;
mod record;
mod traces;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use delivery_impls::core::report::Report;
use delivery_impls::core::tuning::Tuning;
use delivery_impls::data::record::ProducerId;
use delivery_impls::driver::faults::{Injector, PlanError, owner};
use delivery_impls::driver::producer::Orders;
use delivery_impls::driver::run::{Deployment, DriverError, Ended, Run, Stores, loopback_tuning};
use delivery_impls::driver::{Observer, drive};
use delivery_impls::inventory::{Order, Sku};
use delivery_impls::store::RecoverError;
use delivery_model::history::{History, HistoryError};
use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::PlannedFault;
use delivery_model::vocab::{EventKind, Fault, MessageId};
use thiserror::Error;

pub use self::party::{Party, PartyReport, Role};
pub use self::plan::{Plan, left_out};
pub use self::record::{Listeners, OnEvent, OnNotice, OnProgress, Progress};
use self::record::{Recorder, Timing};
use self::traces::Traces;

/// The most messages of a run: each orders an article of its own, and articles are numbered in 32 bits.
pub const MESSAGES_LIMIT: u64 = u32::MAX as u64;

/// What to run, and where.
#[derive(Clone)]
pub struct Options {
    /// How many messages are submitted in all, earlier parts of the run included: those numbered from 1.
    pub messages: u64,
    /// How many producers share them, each with a connection and an outbox of its own; at least 1.
    pub producers: u32,
    /// The history's file.
    pub record: PathBuf,
    /// Where the stores are; none: in a temporary directory, which goes when the run ends.
    pub directory: Option<PathBuf>,
    /// Which faults strike.
    pub plan: Plan,
    /// How long to wait for what.
    pub tuning: Tuning,
    /// Is told how far the run has come, after every event.
    pub progress: Option<OnProgress>,
    /// Set it, and the run ends soon, and cleanly.
    pub stop: Arc<AtomicBool>,
}

impl Options {
    /// A run of so many messages without faults, in a temporary directory.
    pub fn new(messages: u64, record: &Path) -> Options {
        Options {
            messages,
            producers: 8,
            record: record.to_owned(),
            directory: None,
            plan: Plan::Given(Vec::new()),
            tuning: loopback_tuning(),
            progress: None,
            stop: Arc::default(),
        }
    }

    fn listeners(&self) -> Listeners {
        Listeners { progress: self.progress.clone(), ..Listeners::default() }
    }
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct RealReport {
    /// Whether everything was delivered, as far as the settings go, or the run was stopped before.
    pub ended: Ended,
    /// What the history tells, earlier parts included.
    pub progress: Progress,
    /// How often each kind of fault struck, earlier parts included.
    pub fired: BTreeMap<Fault, u64>,
    /// Planned faults of this part whose point never came.
    pub unreached: Vec<PlannedFault>,
    /// This part went on with an earlier one.
    pub resumed: bool,
    /// Events that an earlier part had no time to record, written from the stores.
    pub reconciled: u64,
    /// How long this part took.
    pub elapsed: Duration,
    /// How many effects were made in this part.
    pub effects: u64,
    /// The history's file.
    pub history: PathBuf,
}

impl RealReport {
    /// Effects a second, in this part.
    pub fn throughput(&self) -> f64 {
        self.effects as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }
}

/// Why a run could not begin, go on, or be believed.
#[derive(Debug, Error)]
pub enum RealError {
    /// What was asked for makes no sense.
    #[error("{what}: found {found}; expected {expected}")]
    Option {
        /// Which option.
        what: &'static str,
        /// What it was.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// A file or directory cannot be used.
    #[error("{}: {why}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// The file that is to record the history holds something else.
    #[error("{}: {why}", .path.display())]
    History {
        /// Which.
        path: PathBuf,
        /// Why.
        why: Box<HistoryError>,
    },
    /// History and stores are not of one run.
    #[error("{}: {found}; expected {expected}", .path.display())]
    OtherRun {
        /// What was found to differ.
        path: PathBuf,
        /// What is there.
        found: String,
        /// What should be.
        expected: String,
    },
    /// The plan holds a fault that a real run does not inject.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A store cannot be read.
    #[error("{}: {why}", .path.display())]
    Store {
        /// Which.
        path: PathBuf,
        /// Why.
        why: RecoverError,
    },
    /// A role could not go on.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The inventory's contents are not what the history says.
    #[error(
        "message {message} took effect {inventory} times by the inventory's stock and {history} times by the \
         history ({messages} messages differ)"
    )]
    Disagreement {
        /// The first message that differs.
        message: MessageId,
        /// How often it took effect, by the stock of its article.
        inventory: f64,
        /// How often the history tells of it.
        history: u64,
        /// How many messages differ.
        messages: usize,
    },
}

/// What message `m` says: each message orders an article of its own.
pub fn order(message: MessageId) -> Order {
    Order { sku: Sku(message.0 as u32), quantity: 1 + (message.0 % 5) as u32 }
}

/// Runs a pipeline for real, or goes on with a run that was stopped or killed.
#[expect(clippy::disallowed_methods, reason = "a real run takes real time")]
pub fn run(pipeline: &Pipeline, options: &Options) -> Result<RealReport, RealError> {
    check(options)?;
    let began = Instant::now();
    let temporary;
    let directory = match &options.directory {
        Some(directory) => directory,
        None => {
            temporary = tempfile::tempdir().map_err(|why| RealError::File { path: std::env::temp_dir(), why })?;
            &temporary.path().to_owned()
        }
    };
    let stores = Stores::in_directory(directory);
    let outboxes = (0..options.producers).map(|id| stores.outbox(ProducerId(id)));
    let own = [stores.log(), stores.ledger(), stores.inventory(), options.record.clone()];
    let traces = Traces::begin(directory, own.into_iter().chain(outboxes))
        .map_err(|why| RealError::File { path: directory.clone(), why })?;
    reconcile::check_same_run(&stores, pipeline, options)?;
    let (recorder, before) = Recorder::open(&options.record, pipeline, Timing::Own, options.listeners())?;
    let recorder = Arc::new(recorder);
    let reconciled = reconcile::reconcile(&stores, pipeline, options, &recorder)?;
    traces.keep();
    let part = Whole { pipeline, options, stores, recorder: &recorder, before: &before };
    let effects_before = recorder.progress().effects;
    let (ended, tally) = part.drive()?;
    reconcile::compare(&part.stores, &recorder)?;
    let progress = recorder.progress();
    Ok(RealReport {
        ended,
        progress,
        fired: recorder.faults(),
        unreached: tally,
        resumed: !before.events.is_empty(),
        reconciled,
        elapsed: began.elapsed(),
        effects: progress.effects - effects_before,
        history: options.record.clone(),
    })
}

fn check(options: &Options) -> Result<(), RealError> {
    let range = |what, found: u64, limit: u64| match (1..=limit).contains(&found) {
        true => Ok(()),
        false => Err(RealError::Option { what, found: found.to_string(), expected: format!("1 to {limit}") }),
    };
    range("messages", options.messages, MESSAGES_LIMIT)?;
    range("producers", options.producers.into(), 1024)?;
    if let Plan::Given(faults) = &options.plan {
        Injector::new(faults, options.producers)?;
    }
    if options.directory.is_none() && options.record.metadata().is_ok_and(|file| file.len() > 0) {
        return Err(RealError::OtherRun {
            path: options.record.clone(),
            found: "there is a file already".into(),
            expected: "a new one, or the directory of the run that it is the history of".into(),
        });
    }
    Ok(())
}

/// All parties of a run, in this process.
struct Whole<'a> {
    pipeline: &'a Pipeline,
    options: &'a Options,
    stores: Stores,
    recorder: &'a Arc<Recorder>,
    before: &'a History,
}

impl Whole<'_> {
    fn drive(&self) -> Result<(Ended, Vec<PlannedFault>), RealError> {
        let submitted: BTreeSet<MessageId> = self.recorder.submitted();
        let unsubmitted: Vec<MessageId> =
            (1..=self.options.messages).map(MessageId).filter(|message| !submitted.contains(message)).collect();
        if unsubmitted.is_empty() && self.came_to_rest() {
            return Ok((Ended::Drained, Vec::new()));
        }
        if !self.before.events.is_empty() {
            for fault in [Fault::ProducerCrash, Fault::BrokerCrash, Fault::ConsumerCrash] {
                self.tell(EventKind::Fault { fault })?;
            }
        }
        let faults = self.plan(&unsubmitted);
        let limits = self.options.plan.limits(self.pipeline, &self.recorder.faults());
        let producers = self.options.producers;
        let observer = Arc::clone(self.recorder) as Arc<dyn Observer>;
        let (pipeline, stores) = (self.pipeline.clone(), self.stores.clone());
        let mut run = Run::new(pipeline, self.options.tuning, stores, observer, Deployment::Together);
        run.injector = Injector::new(&faults, producers)?.at_most(limits);
        run.stop = Arc::clone(&self.options.stop);
        let mut orders = vec![Orders::new(); producers as usize];
        for message in unsubmitted {
            orders[owner(message, producers).0 as usize].push_back((message, order(message).encode()));
        }
        let ended = drive(&run, orders)?;
        if ended == Ended::Drained {
            self.tell(EventKind::Quiescent)?;
        }
        Ok((ended, run.injector.tally().unreached))
    }

    fn came_to_rest(&self) -> bool {
        self.before.events.last().is_some_and(|last| last.event.kind == EventKind::Quiescent)
    }

    fn plan(&self, unsubmitted: &[MessageId]) -> Vec<PlannedFault> {
        let delivered = self.recorder.delivered();
        let undelivered: Vec<MessageId> =
            (1..=self.options.messages).map(MessageId).filter(|message| !delivered.contains(message)).collect();
        self.options.plan.faults(self.pipeline, unsubmitted, &undelivered, &self.recorder.faults())
    }

    fn tell(&self, kind: EventKind) -> Result<(), DriverError> {
        self.recorder.observe("faults", &Report::of(kind)).map_err(DriverError::Observe)
    }
}
