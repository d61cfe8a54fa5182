//! What the roles of one run share: settings, clock, faults, the observer, and how things end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{PlannedFault, StepWord};
use delivery_model::vocab::{EventKind, Fault, MessageId};
use thiserror::Error;

use super::Observer;
use super::faults::{Injector, Role};
use crate::core::record::ProducerId;
use crate::core::report::Report;
use crate::core::time::{BackOff, Millis};
use crate::core::tuning::Tuning;
use crate::store::{RecoverError, StoreError};

/// The process name under which faults are reported.
const FAULTS: &str = "faults";

/// How long a thread that waits for others may go without a look at whether the run is over.
const LOOK_UP: Duration = Duration::from_millis(100);

/// Why a role could not go on.
#[derive(Debug, Error)]
pub enum DriverError {
    /// A store failed.
    #[error("{role}: {why}")]
    Store {
        /// Whose.
        role: String,
        /// Why.
        why: StoreError,
    },
    /// A store cannot be opened.
    #[error("{role} cannot recover: {why}")]
    Recover {
        /// Whose.
        role: String,
        /// Why.
        why: RecoverError,
    },
    /// The operating system refused a socket or a thread.
    #[error("{role}: {why}")]
    Io {
        /// Whose.
        role: String,
        /// Why.
        why: io::Error,
    },
    /// An event could not be recorded, so nothing more may happen.
    #[error("an event could not be recorded: {0}")]
    Observe(io::Error),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing more can happen: all is submitted, and delivered as far as the settings go.
    Drained,
    /// It was asked to stop, and what is left is in the stores.
    Stopped,
}

/// What ends a role's turn early.
#[derive(Debug)]
pub(super) enum Interrupt {
    /// It crashes, on plan.
    Crash(PlannedFault),
    /// It cannot go on.
    Failed(DriverError),
}

impl From<DriverError> for Interrupt {
    fn from(error: DriverError) -> Self {
        Interrupt::Failed(error)
    }
}

/// Where the roles keep their stores.
#[derive(Clone, Debug)]
pub struct Stores {
    directory: PathBuf,
}

impl Stores {
    /// In this directory, which exists.
    pub fn in_directory(directory: &Path) -> Stores {
        Stores { directory: directory.to_owned() }
    }

    /// The broker's message log.
    pub fn log(&self) -> PathBuf {
        self.directory.join("broker-log.redb")
    }

    /// The broker's ledger of deliveries.
    pub fn ledger(&self) -> PathBuf {
        self.directory.join("broker-ledger.redb")
    }

    /// The inventory service's database.
    pub fn inventory(&self) -> PathBuf {
        self.directory.join("inventory.redb")
    }

    /// A producer's outbox.
    pub fn outbox(&self, producer: ProducerId) -> PathBuf {
        self.directory.join(format!("outbox-{}.redb", producer.0))
    }
}

/// Waits that suit the loopback: long against a sync and a turn of a busy loop, short against a run of seconds.
/// Expiring early does no harm that the pipeline's settings do not allow for anyway.
pub fn loopback_tuning() -> Tuning {
    Tuning {
        reply_timeout: Millis(200),
        back_off: BackOff { base: Millis(2), max: Millis(100), seed: 1 },
        lease: Millis(100),
        ..Tuning::default()
    }
}

/// One run's common ground.
pub struct Run {
    /// What runs.
    pub pipeline: Pipeline,
    /// How long to wait for what.
    pub tuning: Tuning,
    /// Where the stores are.
    pub stores: Stores,
    /// The faults to come.
    pub injector: Injector,
    /// Nothing more is to be submitted; what is under way is finished by the producers, and the rest stays in the
    /// stores.
    pub stop: Arc<AtomicBool>,
    observer: Arc<dyn Observer>,
    began: Instant,
    /// The broker has closed for good.
    ending: AtomicBool,
    /// A role failed.
    halted: AtomicBool,
}

impl Run {
    /// Starts the clock.
    #[expect(clippy::disallowed_methods, reason = "drivers own the clock")]
    pub fn new(
        pipeline: Pipeline,
        tuning: Tuning,
        stores: Stores,
        injector: Injector,
        observer: Arc<dyn Observer>,
        stop: Arc<AtomicBool>,
    ) -> Run {
        let began = Instant::now();
        let (ending, halted) = Default::default();
        Run { pipeline, tuning, stores, injector, stop, observer, began, ending, halted }
    }

    /// Milliseconds since the run began.
    pub(super) fn now(&self) -> Millis {
        Millis(self.began.elapsed().as_millis() as u64)
    }

    /// How long a role may wait for input: until its next deadline, but not without looking up now and then.
    pub(super) fn patience(&self, deadline: Option<Millis>) -> Duration {
        let left = |deadline: Millis| Duration::from_millis(deadline.0).saturating_sub(self.began.elapsed());
        deadline.map_or(LOOK_UP, |deadline| left(deadline).min(LOOK_UP))
    }

    pub(super) fn tell(&self, process: &str, report: &Report) -> Result<(), DriverError> {
        self.observer.observe(process, report).map_err(DriverError::Observe)
    }

    /// A fault strikes now.
    pub(super) fn tell_fault(&self, fault: Fault) -> Result<(), DriverError> {
        self.tell(FAULTS, &Report::of(EventKind::Fault { fault }))
    }

    /// A role has taken a step. Gives whether what the step was about to do is lost, and the crash that follows it.
    pub(super) fn reached(
        &self,
        role: Role,
        step: StepWord,
        message: Option<MessageId>,
    ) -> Result<(Option<Fault>, Result<(), Interrupt>), DriverError> {
        let struck = self.injector.reached(role, step, message);
        if let Some(fault) = struck.lost {
            self.tell_fault(fault)?;
        }
        Ok((struck.lost, struck.crash.map_or(Ok(()), |planned| Err(Interrupt::Crash(planned)))))
    }

    /// A role has taken a step at which nothing can be lost.
    pub(super) fn passed(&self, role: Role, step: StepWord, message: Option<MessageId>) -> Result<(), Interrupt> {
        let (_, crash) = self.reached(role, step, message)?;
        crash
    }

    /// A crash that was put off until this role came around.
    pub(super) fn look_for_crash(&self, role: Role) -> Result<(), Interrupt> {
        self.injector.crash_due(role).map_or(Ok(()), |planned| Err(Interrupt::Crash(planned)))
    }

    /// The broker closes and will not come back.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire) || self.is_halted()
    }

    /// A role failed: everybody leaves as soon as they look up.
    pub(super) fn halt(&self) {
        self.halted.store(true, Ordering::Release);
    }

    pub(super) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire) || self.is_halted()
    }
}
