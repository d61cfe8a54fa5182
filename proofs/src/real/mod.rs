//! The real world: the implementation with its threads, TCP and disk, under planned faults, and its recorded history.
//!
//! Every message orders an article of its own, so the inventory's stock shows how often each message took effect. At
//! the end the stock is compared with the history, so that the code's own report is not the only witness.
//!
//! A run that was stopped or killed is resumed when it is started again on the same directory and history. The stores
//! are recovered, events that the stores hold and the history lacks are written (`reconcile`), and the remaining
//! messages follow. The history records such a start as a crash of all three parties, because that is what each of
//! them experienced.
//!
//! The parties can also run apart, each in a process of its own that records its own part of the history ([`Party`]).
//!
//! Leaves out: judging. The history is in its file, for the judge.

mod created;
mod life;
mod party;
mod plan;
mod reconcile;
mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use delivery_impls::core::report::Report;
use delivery_impls::core::steps::{Sound, Steps};
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

use self::created::CreatedFiles;
pub use self::party::{Party, PartyReport, PartyRole};
pub use self::plan::{FaultPlan, left_out};
pub use self::record::{Listeners, OnEvent, OnNotice, OnProgress, Progress};
use self::record::{Recorder, Timing};

/// The most messages of a run: each message orders an article of its own, and articles are numbered in 32 bits.
pub const MESSAGES_LIMIT: u64 = u32::MAX as u64;

/// The options of a run.
#[derive(Clone)]
pub struct Options {
    /// The number of messages that are submitted, numbered from 1, earlier parts of the run included.
    pub messages: u64,
    /// The number of producers that share the messages, each with a connection and an outbox of its own; at least 1.
    pub producers: u32,
    /// The history's file.
    pub record: PathBuf,
    /// The directory of the stores; none: a temporary directory, which is removed when the run ends.
    pub directory: Option<PathBuf>,
    /// The faults that strike.
    pub plan: FaultPlan,
    /// The time-outs and counts of the cores.
    pub tuning: Tuning,
    /// Called after every event with the progress of the run.
    pub progress: Option<OnProgress>,
    /// Set to true, it ends the run soon and cleanly.
    pub stop: Arc<AtomicBool>,
}

impl Options {
    /// A run of this many messages without faults, in a temporary directory.
    pub fn new(messages: u64, record: &Path) -> Options {
        Options {
            messages,
            producers: 8,
            record: record.to_owned(),
            directory: None,
            plan: FaultPlan::Given(Vec::new()),
            tuning: loopback_tuning(),
            progress: None,
            stop: Arc::default(),
        }
    }

    fn listeners(&self) -> Listeners {
        Listeners { progress: self.progress.clone(), ..Listeners::default() }
    }
}

/// The result of a run.
#[derive(Clone, Debug)]
pub struct RealReport {
    /// Whether everything was delivered as far as the settings allow, or the run was stopped before that.
    pub ended: Ended,
    /// The counts of the history, earlier parts included.
    pub progress: Progress,
    /// How often each kind of fault struck, earlier parts included.
    pub fired: BTreeMap<Fault, u64>,
    /// The planned faults of this part whose point was not reached.
    pub unreached: Vec<PlannedFault>,
    /// Whether this part resumed an earlier one.
    pub resumed: bool,
    /// The number of events that an earlier part could not record, written from the stores.
    pub reconciled: u64,
    /// The duration of this part.
    pub elapsed: Duration,
    /// The number of effects of this part.
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

/// The reason why a run failed or cannot be trusted.
#[derive(Debug, Error)]
pub enum RealError {
    /// An option has an impossible value.
    #[error("{what}: found {found}; expected {expected}")]
    Option {
        /// The option.
        what: &'static str,
        /// Its value.
        found: String,
        /// The allowed values.
        expected: String,
    },
    /// A file or directory cannot be used.
    #[error("{}: {why}", .path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The cause.
        why: io::Error,
    },
    /// The file for the history is not a history of this run.
    #[error("{}: {why}", .path.display())]
    History {
        /// The path.
        path: PathBuf,
        /// The cause.
        why: Box<HistoryError>,
    },
    /// History and stores belong to different runs.
    #[error("{}: {found}; expected {expected}", .path.display())]
    OtherRun {
        /// The path of the file that differs.
        path: PathBuf,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// The plan holds a fault that a real run does not inject.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A store cannot be read.
    #[error("{}: {why}", .path.display())]
    Store {
        /// The path.
        path: PathBuf,
        /// The cause.
        why: RecoverError,
    },
    /// A party failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The inventory's contents differ from the history.
    #[error(
        "message {message} took effect {inventory} times by the inventory's stock and {history} times by the \
         history ({messages} messages differ)"
    )]
    Disagreement {
        /// The first message that differs.
        message: MessageId,
        /// The number of its effects, by the stock of its article.
        inventory: f64,
        /// The number of its effects in the history.
        history: u64,
        /// The number of messages that differ.
        messages: usize,
    },
}

/// The payload of message `m`: each message orders an article of its own.
pub fn order(message: MessageId) -> Order {
    Order { sku: Sku(message.0 as u32), quantity: 1 + (message.0 % 5) as u32 }
}

/// Runs a pipeline, or resumes a run that was stopped or killed.
pub fn run(pipeline: &Pipeline, options: &Options) -> Result<RealReport, RealError> {
    run_with_steps(pipeline, options, Sound)
}

/// [`run`], with steps of the caller's choice in the cores.
#[expect(clippy::disallowed_methods, reason = "a real run takes real time")]
pub fn run_with_steps<S: Steps>(pipeline: &Pipeline, options: &Options, steps: S) -> Result<RealReport, RealError> {
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
    let own = [stores.log(), stores.ledger(), stores.inventory(), stores.inventory_journal(), options.record.clone()];
    let created = CreatedFiles::begin(directory, own.into_iter().chain(outboxes))
        .map_err(|why| RealError::File { path: directory.clone(), why })?;
    reconcile::check_same_run(&stores, pipeline, options)?;
    let (recorder, before) = Recorder::open(&options.record, pipeline, Timing::Own, options.listeners())?;
    let recorder = Arc::new(recorder);
    let reconciled = reconcile::reconcile(&stores, pipeline, options, &recorder)?;
    created.keep();
    let part = AllParties { pipeline, options, stores, recorder: &recorder, before: &before };
    let effects_before = recorder.progress().effects;
    let (ended, tally) = part.drive(steps)?;
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
    if let FaultPlan::Given(faults) = &options.plan {
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
struct AllParties<'a> {
    pipeline: &'a Pipeline,
    options: &'a Options,
    stores: Stores,
    recorder: &'a Arc<Recorder>,
    before: &'a History,
}

impl AllParties<'_> {
    fn drive<S: Steps>(&self, steps: S) -> Result<(Ended, Vec<PlannedFault>), RealError> {
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
        let together = Deployment::Together;
        let mut run = Run::with_steps(pipeline, self.options.tuning, stores, observer, together, steps);
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
