//! The shared part of a run: settings, clock, fault injector, observer, and how the run ends.
//!
//! The parties run together, as threads of one process that ends as a whole ([`drive`](super::drive)), or apart, each
//! in a process of its own that waits for its broker and leaves when it is asked to.

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
use crate::store::embedded::EmbeddedInventory;
use crate::store::file::Room;
use crate::store::{RecoverError, StoreError};

/// The process name of faults in histories.
const FAULTS: &str = "faults";

/// The longest time that a waiting thread does not look at whether the run has ended.
const POLL_MAX: Duration = Duration::from_millis(100);

/// The reason why a party failed.
#[derive(Debug, Error)]
pub enum DriverError {
    /// A store failed.
    #[error("{role}: {why}")]
    Store {
        /// The party.
        role: String,
        /// The cause.
        why: StoreError,
    },
    /// A store cannot be opened.
    #[error("{role} cannot recover: {why}")]
    Recover {
        /// The party.
        role: String,
        /// The cause.
        why: RecoverError,
    },
    /// The application submitted a message that cannot be sent.
    #[error("{role}: {why}")]
    Submit {
        /// The party.
        role: String,
        /// The cause.
        why: SubmitError,
    },
    /// The operating system refused a socket or a thread.
    #[error("{role}: {why}")]
    Io {
        /// The party.
        role: String,
        /// The cause.
        why: io::Error,
    },
    /// A broker that listens beyond the loopback address has no secret.
    #[error("{address} is not the loopback address: clients must know a secret, and the broker has none")]
    Open {
        /// The address on which it should listen.
        address: SocketAddr,
    },
    /// The broker did not accept the secret.
    #[error("{role}: the broker did not accept the secret")]
    Denied {
        /// The party that was not let in.
        role: String,
    },
    /// The broker has other settings.
    #[error("{role} has other settings than the broker: {reason}")]
    Unfit {
        /// The party that was not let in.
        role: String,
        /// The first setting that differs.
        reason: String,
    },
    /// The group cannot be reset to this position, because the log does not have it.
    #[error("position {to} is not in the broker's log, which starts at {start} and ends before {end}")]
    NotInLog {
        /// The position to which the group should be reset.
        to: Position,
        /// The position of the earliest record that was not dropped.
        start: Position,
        /// The position after the last record.
        end: Position,
    },
    /// An event could not be recorded, so the run must not go on.
    #[error("an event could not be recorded: {0}")]
    Observe(io::Error),
}

/// The way in which a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing more can happen: all messages are submitted, and delivered as far as the settings allow.
    Drained,
    /// The run was asked to stop, and unfinished work is in the stores.
    Stopped,
}

/// The reason why a party's loop ended early.
#[derive(Debug)]
pub(super) enum Interrupt {
    /// A planned crash.
    Crash(PlannedFault),
    /// A failure.
    Failed(DriverError),
}

impl From<DriverError> for Interrupt {
    fn from(error: DriverError) -> Self {
        Interrupt::Failed(error)
    }
}

/// The paths of the parties' stores.
#[derive(Clone, Debug)]
pub struct Stores {
    directory: PathBuf,
    /// The capacity of each of the broker's journals.
    pub room: Room,
}

impl Stores {
    /// The stores in this directory, which must exist.
    pub fn in_directory(directory: &Path) -> Stores {
        Stores { directory: directory.to_owned(), room: Room::default() }
    }

    /// The file of the broker's log.
    pub fn log(&self) -> PathBuf {
        self.directory.join("broker.log")
    }

    /// The file of the broker's ledger.
    pub fn ledger(&self) -> PathBuf {
        self.directory.join("broker.ledger")
    }

    /// The file of the inventory service's database.
    pub fn inventory(&self) -> PathBuf {
        self.directory.join("inventory.redb")
    }

    /// The file of the journal beside that database.
    pub fn inventory_journal(&self) -> PathBuf {
        EmbeddedInventory::journal(&self.inventory())
    }

    /// The file of a producer's outbox.
    pub fn outbox(&self, producer: ProducerId) -> PathBuf {
        self.directory.join(format!("outbox-{}.journal", producer.0))
    }
}

/// The default number of latest records that a broker keeps.
pub const RETAINED: u64 = 100_000;

/// Time-outs for a run on the loopback address: long compared with a sync or with one pass of a busy loop, short
/// compared with a run of seconds. If one ends early, the pipeline's settings allow what follows.
pub fn loopback_tuning() -> Tuning {
    Tuning {
        reply_timeout: Millis(200),
        back_off: BackOff { base: Millis(2), max: Millis(100), seed: 1 },
        lease: Millis(100),
        retention: Some(Retention::of(RETAINED)),
        ..Tuning::default()
    }
}

/// Time-outs for parties in processes, and perhaps on machines, of their own. A lease is longer than the longest
/// handling; it need not be short, because a lease ends with its connection.
pub fn apart_tuning() -> Tuning {
    Tuning { lease: Tuning::default().lease, ..loopback_tuning() }
}

/// The recent connections of a party to the broker.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// The time at which the last one was established.
    last: Option<Millis>,
    /// The number of short connections in a row.
    short: u32,
}

/// The duration below which a connection counts as short: it was probably closed by the broker, not lost.
const BRIEF: Millis = Millis(1_000);

/// The deployment of a run: whether its parties share a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deployment {
    /// All parties are threads of one process. When the broker ends, all do.
    Together,
    /// Each party has a process of its own, and starts and stops by itself.
    Apart,
}

/// Milliseconds since a run began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Instant,
}

impl Clock {
    pub(super) fn now(self) -> Millis {
        Millis(self.began.elapsed().as_millis() as u64)
    }
}

/// A run: what its parties share.
pub struct Run<S = Sound> {
    /// The pipeline that runs.
    pub pipeline: Pipeline,
    /// The time-outs and counts of the cores.
    pub tuning: Tuning,
    /// The paths of the stores.
    pub stores: Stores,
    /// The planned faults.
    pub injector: Injector,
    /// Set to true, it ends the run: no more messages are submitted, running work is finished, and the rest stays in
    /// the stores.
    pub stop: Arc<AtomicBool>,
    /// The secret that a peer must send to be let in.
    pub secret: Secret,
    /// The time-outs of connections.
    pub limits: Limits,
    /// The steps of the cores.
    pub(super) steps: S,
    deployment: Deployment,
    observer: Arc<dyn Observer>,
    clock: Clock,
    /// Whether the broker has closed and will not come back.
    ending: AtomicBool,
    /// Whether a party failed.
    halted: AtomicBool,
}

impl Run {
    /// A run without faults and without a secret, with the default limits. Its clock starts now.
    pub fn new(
        pipeline: Pipeline,
        tuning: Tuning,
        stores: Stores,
        observer: Arc<dyn Observer>,
        deployment: Deployment,
    ) -> Run {
        Run::with_steps(pipeline, tuning, stores, observer, deployment, Sound)
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
        deployment: Deployment,
        steps: S,
    ) -> Run<S> {
        let clock = Clock { began: Instant::now() };
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
            deployment,
            observer,
            clock,
            ending,
            halted,
        }
    }

    /// The time since the run began.
    pub(super) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// The run's clock, for a thread of its own.
    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// The longest wait for input of a party: until its next deadline, but at most [`POLL_MAX`].
    pub(super) fn patience(&self, deadline: Option<Millis>) -> Duration {
        let left = |deadline: Millis| Duration::from_millis(deadline.0).saturating_sub(self.clock.began.elapsed());
        deadline.map_or(POLL_MAX, |deadline| left(deadline).min(POLL_MAX))
    }

    pub(super) fn tell(&self, process: &str, report: &Report) -> Result<(), DriverError> {
        self.observer.observe(process, report).map_err(DriverError::Observe)
    }

    /// Reports a notice for operators.
    pub(super) fn notice(&self, process: &str, notice: &dyn Display) {
        self.observer.notice(process, notice);
    }

    /// Records that a fault strikes.
    pub(super) fn tell_fault(&self, fault: Fault) -> Result<(), DriverError> {
        self.tell(FAULTS, &Report::of(EventKind::Fault { fault }))
    }

    /// Called before a step of a party. Returns the fault that takes the place of the step, if one strikes.
    pub(super) fn forestalled(&self, step: StepWord, message: Option<MessageId>) -> Result<Option<Fault>, DriverError> {
        let struck = if self.is_stopping() { None } else { self.injector.forestalled(step, message) };
        struck.map_or(Ok(()), |fault| self.tell_fault(fault)).map(|()| struck)
    }

    /// Called after a step of a party. Returns the fault by which the result of the step is lost, if one strikes, and
    /// the crash that follows the step, if one is planned.
    pub(super) fn reached(
        &self,
        role: Role,
        step: StepWord,
        message: Option<MessageId>,
    ) -> Result<(Option<Fault>, Result<(), Interrupt>), DriverError> {
        // No more faults strike in a run that stops, so that it ends soon.
        let struck = if self.is_stopping() { Struck::default() } else { self.injector.reached(role, step, message) };
        if let Some(fault) = struck.lost {
            self.tell_fault(fault)?;
        }
        Ok((struck.lost, struck.crash.map_or(Ok(()), |planned| Err(Interrupt::Crash(planned)))))
    }

    /// Called after a step at which nothing can be lost. Fails with the crash that follows the step, if one is
    /// planned.
    pub(super) fn passed(&self, role: Role, step: StepWord, message: Option<MessageId>) -> Result<(), Interrupt> {
        let (_, crash) = self.reached(role, step, message)?;
        crash
    }

    /// Fails with the crash that was planned at a step of another party and waits for this one.
    pub(super) fn look_for_crash(&self, role: Role) -> Result<(), Interrupt> {
        let due = if self.is_stopping() { None } else { self.injector.crash_due(role) };
        due.map_or(Ok(()), |planned| Err(Interrupt::Crash(planned)))
    }

    /// Records that the broker has closed and will not come back.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire) || self.is_halted()
    }

    /// Records that a party failed: all parties leave at their next look.
    pub(super) fn halt(&self) {
        self.halted.store(true, Ordering::Release);
    }

    pub(super) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire) || self.is_halted()
    }

    /// The time for which a producer that stops still tries to finish its messages. It is short where the parties
    /// share a process, because the others wait for it.
    pub(super) fn last_tries(&self) -> Millis {
        match self.deployment {
            Deployment::Together => Millis(300),
            Deployment::Apart => Millis(5_000),
        }
    }

    /// Whether this party, which has a process of its own, was asked to leave.
    pub(super) fn is_leaving(&self) -> bool {
        self.deployment == Deployment::Apart && self.is_stopping()
    }

    /// Connects to the broker and sends `hello` and `settings`. Tries again until the broker answers. None if the
    /// party should leave: where broker and party run together, the broker has closed and will not come back.
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
                    link.send(&ToBroker::Hello(self.secret.clone()).encode());
                    let settings = Settings::of(&self.pipeline);
                    link.send_now(&ToBroker::Settings { name: name.to_owned(), settings }.encode());
                    calls.last = Some(self.now());
                    return Ok(Some(link));
                }
                Err(_) if self.is_ending() => break,
                Err(why) if self.deployment == Deployment::Together => {
                    return Err(DriverError::Io { role: name.to_owned(), why });
                }
                Err(why) => self.wait_for_broker(name, &why, &mut failures),
            }
        }
        Ok(None)
    }

    /// Waits before the next connection if the last ones were short. A broker without room, or a second process with
    /// the same role, would otherwise cause an endless loop of connections.
    fn wait_after(&self, calls: &mut Calls) {
        let was_short = calls.last.is_some_and(|last| self.now() < last + BRIEF);
        calls.short = if was_short { calls.short.saturating_add(1) } else { 0 };
        // A single short connection may be a fault of the network.
        if calls.short > 1 {
            self.rest(calls.short - 1);
        }
    }

    fn wait_for_broker(&self, name: &str, why: &io::Error, failures: &mut u32) {
        if *failures == 0 {
            self.notice(name, &format_args!("the broker cannot be reached and will be tried again: {why}"));
        }
        *failures = failures.saturating_add(1);
        self.rest(*failures);
    }

    fn rest(&self, failures: u32) {
        let wait = self.tuning.back_off.after(failures, u64::from(std::process::id()));
        // No thread unparks this one: it looks again after the wait, which is short enough for a party that should leave.
        thread::park_timeout(Duration::from_millis(wait.0).min(POLL_MAX));
    }
}

#[cfg(test)]
mod tests {
    use delivery_model::schedule::Point;

    use super::*;

    struct Nobody;

    impl Observer for Nobody {
        fn observe(&self, _: &str, _: &Report) -> io::Result<()> {
            Ok(())
        }

        fn notice(&self, _: &str, _: &dyn Display) {}
    }

    #[test]
    fn a_crash_at_a_step_of_another_party_waits_for_its_own_party_and_is_called_off_by_a_stop() {
        let (producer, step, message) = (Role::Producer(ProducerId(0)), StepWord::Attempt, Some(MessageId(1)));
        let planned = PlannedFault::new(Fault::ConsumerCrash, Point { step, message, nth: 1 });
        let begin = || {
            let (stores, observer) = (Stores::in_directory(Path::new("unused")), Arc::new(Nobody));
            let mut run = Run::new(Pipeline::default(), loopback_tuning(), stores, observer, Deployment::Together);
            run.injector = Injector::new(&[planned], 1).expect("a run can suffer it");
            assert!(run.passed(producer, step, message).is_ok(), "it is not the producer that crashes");
            run
        };
        let run = begin();
        assert!(run.look_for_crash(Role::Broker).is_ok());
        assert!(matches!(run.look_for_crash(Role::Consumer), Err(Interrupt::Crash(it)) if it == planned));
        assert!(run.look_for_crash(Role::Consumer).is_ok(), "once");
        let run = begin();
        run.stop.store(true, Ordering::Release);
        assert!(run.look_for_crash(Role::Consumer).is_ok(), "a run that stops ends soon");
    }

    /// A handler in another process may take long, so its lease is long; the leases of a dead consumer end with its
    /// connection.
    #[test]
    fn between_processes_a_lease_outlasts_the_wait_for_a_silent_peer() {
        assert!(Duration::from_millis(apart_tuning().lease.0) > Limits::default().silence);
    }
}
