//! What the roles of one run share: settings, clock, faults, the observer, and how things end.
//!
//! The roles run together, as threads of one process that ends as a whole ([`drive`](super::drive)), or apart, each in a
//! process of its own that looks for its broker, and leaves when it is asked to.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{PlannedFault, StepWord};
use delivery_model::vocab::{EventKind, Fault, MessageId, Position};
use thiserror::Error;

use super::Observer;
use super::faults::{Injector, Role, Struck};
use super::link::{Limits, Link};
use super::secret::Secret;
use super::settings::Settings;
use super::wire::ToBroker;
use crate::core::producer::SubmitError;
use crate::core::report::Report;
use crate::core::steps::Sound;
use crate::core::time::{BackOff, Millis};
use crate::core::tuning::{Retention, Tuning};
use crate::data::record::ProducerId;
use crate::store::file::Room;
use crate::store::{RecoverError, StoreError};

/// The process name under which faults are reported.
const FAULTS: &str = "faults";

/// How long a thread that waits for others may go without a look at whether the run is over.
const POLL_MAX: Duration = Duration::from_millis(100);

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
    /// The application submits what cannot be sent.
    #[error("{role}: {why}")]
    Submit {
        /// Whose.
        role: String,
        /// Why.
        why: SubmitError,
    },
    /// The operating system refused a socket or a thread.
    #[error("{role}: {why}")]
    Io {
        /// Whose.
        role: String,
        /// Why.
        why: io::Error,
    },
    /// A broker that others can reach must know its peers.
    #[error("{address} is not the loopback address: whoever connects must know a secret, and there is none")]
    Open {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The broker has another secret.
    #[error("{role}: the broker did not accept the secret")]
    Denied {
        /// Who was not let in.
        role: String,
    },
    /// The broker goes by other settings.
    #[error("{role} goes by other settings than the broker: {reason}")]
    Unfit {
        /// Who was not let in.
        role: String,
        /// The first setting that differs.
        reason: String,
    },
    /// There is nothing to go back to.
    #[error("position {to} is not in the broker's log, which starts at {start} and ends before {end}")]
    NotInLog {
        /// Where the group was to be reset to.
        to: Position,
        /// The earliest record that was not dropped.
        start: Position,
        /// One past the last record.
        end: Position,
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
    /// How much each of the broker's journals may take.
    pub room: Room,
}

impl Stores {
    /// In this directory, which exists.
    pub fn in_directory(directory: &Path) -> Stores {
        Stores { directory: directory.to_owned(), room: Room::default() }
    }

    /// The broker's message log.
    pub fn log(&self) -> PathBuf {
        self.directory.join("broker.log")
    }

    /// The broker's ledger of deliveries.
    pub fn ledger(&self) -> PathBuf {
        self.directory.join("broker.ledger")
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

/// How many of the latest records a broker keeps unless it is told otherwise.
pub const RETAINED: u64 = 100_000;

/// Waits that suit the loopback: long against a sync and a turn of a busy loop, short against a run of seconds.
/// Expiring early does no harm that the pipeline's settings do not allow for anyway.
pub fn loopback_tuning() -> Tuning {
    Tuning {
        reply_timeout: Millis(200),
        back_off: BackOff { base: Millis(2), max: Millis(100), seed: 1 },
        lease: Millis(100),
        retention: Some(Retention::of(RETAINED)),
        ..Tuning::default()
    }
}

/// Waits for parties that have processes, and perhaps machines, of their own. A connection that ends takes its leases with
/// it, so that they need not be short; and a handler must have the time to finish before its lease ends.
pub fn apart_tuning() -> Tuning {
    Tuning { lease: Tuning::default().lease, ..loopback_tuning() }
}

/// What a role's connections to the broker have come to so far.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// When the last one stood.
    last: Option<Millis>,
    /// How many in a row did not last.
    short: u32,
}

/// A connection that did not last so long was cut off rather than lost.
const BRIEF: Millis = Millis(1_000);

/// Whether the roles of a run share a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// They do: when the broker ends, all do.
    Together,
    /// Each has its own, and starts and stops when it likes.
    Apart,
}

/// One run's common ground.
pub struct Run<S = Sound> {
    /// What runs.
    pub pipeline: Pipeline,
    /// How long to wait for what.
    pub tuning: Tuning,
    /// Where the stores are.
    pub stores: Stores,
    /// The faults to come.
    pub injector: Injector,
    /// Nothing more is to be submitted; what is under way is finished, and the rest stays in the stores.
    pub stop: Arc<AtomicBool>,
    /// What a peer must know to be let in.
    pub secret: Secret,
    /// How long to bear with peers.
    pub limits: Limits,
    /// The steps of the cores.
    pub(super) steps: S,
    company: Deployment,
    observer: Arc<dyn Observer>,
    began: Instant,
    /// The broker has closed for good.
    ending: AtomicBool,
    /// A role failed.
    halted: AtomicBool,
}

impl Run {
    /// Starts the clock. No faults, no secret, the usual limits: set what is to differ.
    pub fn new(
        pipeline: Pipeline,
        tuning: Tuning,
        stores: Stores,
        observer: Arc<dyn Observer>,
        company: Deployment,
    ) -> Run {
        Run::with_steps(pipeline, tuning, stores, observer, company, Sound)
    }
}

impl<S> Run<S> {
    /// [`Run::new`], with steps of the caller's choice in the cores.
    #[expect(clippy::disallowed_methods, reason = "drivers own the clock")]
    pub fn with_steps(
        pipeline: Pipeline,
        tuning: Tuning,
        stores: Stores,
        observer: Arc<dyn Observer>,
        company: Deployment,
        steps: S,
    ) -> Run<S> {
        let began = Instant::now();
        let (stop, secret, limits, ending, halted) = Default::default();
        let injector = Injector::idle();
        Run {
            pipeline,
            tuning,
            stores,
            injector,
            stop,
            secret,
            limits,
            steps,
            company,
            observer,
            began,
            ending,
            halted,
        }
    }

    /// Milliseconds since the run began.
    pub(super) fn now(&self) -> Millis {
        Millis(self.began.elapsed().as_millis() as u64)
    }

    /// How long a role may wait for input: until its next deadline, but not without looking up now and then.
    pub(super) fn patience(&self, deadline: Option<Millis>) -> Duration {
        let left = |deadline: Millis| Duration::from_millis(deadline.0).saturating_sub(self.began.elapsed());
        deadline.map_or(POLL_MAX, |deadline| left(deadline).min(POLL_MAX))
    }

    pub(super) fn tell(&self, process: &str, report: &Report) -> Result<(), DriverError> {
        self.observer.observe(process, report).map_err(DriverError::Observe)
    }

    /// Operators want to know.
    pub(super) fn notice(&self, process: &str, notice: &dyn Display) {
        self.observer.notice(process, notice);
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
        // What is to end is struck no more: it shall end soon.
        let struck = if self.is_stopping() { Struck::default() } else { self.injector.reached(role, step, message) };
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
        let due = if self.is_stopping() { None } else { self.injector.crash_due(role) };
        due.map_or(Ok(()), |planned| Err(Interrupt::Crash(planned)))
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

    /// How long a producer that is to stop goes on with what it was submitted. One that shares a process holds it up.
    pub(super) fn last_tries(&self) -> Millis {
        match self.company {
            Deployment::Together => Millis(300),
            Deployment::Apart => Millis(5_000),
        }
    }

    /// This role, which has a process of its own, was asked to leave.
    pub(super) fn is_leaving(&self) -> bool {
        self.company == Deployment::Apart && self.is_stopping()
    }

    /// Connects to the broker and sends `hello` and `settings`; tries again until the broker is there. None if the role
    /// should leave: where the broker and the role run together, the broker has closed for good.
    pub(super) fn reach(
        &self,
        name: &str,
        broker: SocketAddr,
        calls: &mut Calls,
        mut start: impl FnMut(TcpStream) -> io::Result<Link>,
    ) -> Result<Option<Link>, DriverError> {
        self.wait_after(calls);
        let mut failures = 0;
        while !self.is_leaving() && !self.is_ending() {
            match TcpStream::connect(broker).and_then(&mut start) {
                Ok(link) => {
                    link.send(ToBroker::Hello(self.secret.clone()).encode());
                    let settings = Settings::of(&self.pipeline);
                    link.send(ToBroker::Settings { name: name.to_owned(), settings }.encode());
                    calls.last = Some(self.now());
                    return Ok(Some(link));
                }
                Err(_) if self.is_ending() => break,
                Err(why) if self.company == Deployment::Together => {
                    return Err(DriverError::Io { role: name.to_owned(), why });
                }
                Err(why) => self.wait_for_broker(name, &why, &mut failures),
            }
        }
        Ok(None)
    }

    /// A connection that ended as soon as it stood is not followed by the next one at once: a broker without room, or a
    /// second process in the same role, would make that an endless loop.
    fn wait_after(&self, calls: &mut Calls) {
        let was_short = calls.last.is_some_and(|last| self.now() < last + BRIEF);
        calls.short = if was_short { calls.short.saturating_add(1) } else { 0 };
        // The first one is a cut like any other.
        if calls.short > 1 {
            self.rest(calls.short - 1);
        }
    }

    fn wait_for_broker(&self, name: &str, why: &io::Error, failures: &mut u32) {
        if *failures == 0 {
            self.notice(name, &format_args!("the broker cannot be reached, trying on: {why}"));
        }
        *failures = failures.saturating_add(1);
        self.rest(*failures);
    }

    fn rest(&self, failures: u32) {
        let wait = self.tuning.back_off.after(failures, u64::from(std::process::id()));
        // Nobody unparks it: a role that is asked to leave looks up soon enough.
        thread::park_timeout(Duration::from_millis(wait.0).min(POLL_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Between processes a handler may take its time; and what a vanished consumer held is freed by the end of its
    /// connection, not by the end of its leases.
    #[test]
    fn between_processes_a_lease_outlasts_the_wait_for_a_silent_peer() {
        assert!(Duration::from_millis(apart_tuning().lease.0) > Limits::default().silence);
    }
}
