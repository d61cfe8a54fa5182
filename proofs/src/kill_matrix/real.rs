//! Seeded bugs in real runs: threads, TCP and disk, on the bug's kill schedule, as far as a threaded run injects its faults.
//!
//! Threads interleave differently in each run, so a bug that needs one order of them may show in one run and not in the next.
//! Each bug gets a few runs. A run that makes no progress is stopped, and judged as a run without end.

use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use delivery_impls::core::tuning::Retention;
use delivery_impls::driver::run::Ended;
use delivery_model::history::{History, ReadOptions};
use delivery_model::semantics::{PropertyId, PropertySet, Question, judge};
use delivery_model::vocab::Fault;

use crate::mutants::Mutant;
use crate::real::{FaultPlan, Options, RealError, run_with_steps};
use crate::simulation::kill_schedules::{KillSchedule, kill_schedule};

/// So many runs are tried of each bug.
pub const RUNS_MAX: u32 = 3;
/// A run of a few messages takes a fraction of that, time-outs included.
const STUCK_AFTER: Duration = Duration::from_secs(3);
/// The limit of a run of sound cores, which end long before it unless the machine is stalled.
const SOUND_STUCK_AFTER: Duration = Duration::from_secs(30);

/// What real runs of a seeded bug's kill schedule show whenever they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForReal {
    /// One of [`RUNS_MAX`] breaks this property, and sound cores keep it. It is the one that is named for the bug, where the
    /// events of a real run tell of it.
    Killed(PropertyId),
    /// A run does not tell the bug from sound cores: depending on the order of threads, the bug keeps the property, or sound
    /// cores break it too.
    NotTold,
    /// No driver injects this fault of its kill schedule.
    NotInjected(Fault),
}

/// The bugs that real runs caught in each of eight campaigns of `delivery mutants --real`, on a machine with two busy cores,
/// while sound cores kept the property.
const KILLED: &[Mutant] = {
    use Mutant::*;
    &[
        OutboxRowRemovedOnAttempt,
        RowNotWritten,
        AckTakenAsCumulative,
        RetryUnderNewIdentity,
        TimeOutTakenForRefusal,
        SilenceTakenForAck,
        EpochReused,
        PayloadBufferReused,
        RefusalTakenForAck,
        GivesUpOnRefusal,
        GivesUpOnSilence,
        WindowIgnored,
        SeenBeforeStored,
        FailedStoreAcked,
        GapAccepted,
        WindowOneShort,
        DedupNotRebuilt,
        RequeuedAtBack,
        DeadLetterLate,
        SetAsideDropped,
        LastDeliverySetAside,
        LeaseEndsEarly,
        WorkerNotFreed,
        SettleBeforeEffect,
        LostSettleTakenForOk,
        CommitsOneTooMany,
        InboxNotAsked,
        InboxAfterEffect,
        InboxBeforeEffect,
        InboxWithoutSession,
    ]
};

/// What real runs of a seeded bug show.
///
/// # Panics
/// If the bug has no kill schedule.
pub fn for_real(bug: Mutant) -> ForReal {
    let kill = kill_schedule(bug).expect("every seeded bug has a kill schedule");
    match not_injected(&kill) {
        Some(fault) => ForReal::NotInjected(fault),
        None if KILLED.contains(&bug) => ForReal::Killed(property_for_real(bug, &kill)),
        None => ForReal::NotTold,
    }
}

/// The first fault of a kill schedule that no driver injects.
fn not_injected(kill: &KillSchedule) -> Option<Fault> {
    kill.schedule.faults.iter().map(|planned| planned.fault).find(|fault| !fault.row().in_real_runs)
}

/// The result of a seeded bug's real runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InRealRuns {
    /// A run broke the property.
    Killed {
        /// Which: the one that is named for the bug, where the events of a real run tell of it.
        by: PropertyId,
        /// Which run it was, counted from 1.
        run: u32,
        /// How long all of them took.
        elapsed: Duration,
    },
    /// An assertion of a driver ended this run, counted from 1, before the property could be broken.
    Asserted {
        /// Which run it was.
        run: u32,
    },
    /// No run broke it.
    Kept {
        /// How many there were.
        runs: u32,
    },
    /// No driver injects this fault of its kill schedule.
    NotInjected(Fault),
}

/// Runs a seeded bug's kill schedule for real. [`Mutant::None`] may stand in for the bug, to see that sound cores keep the
/// property. `keep_going` is asked before each run.
///
/// # Panics
/// If the bug has no kill schedule.
#[expect(clippy::disallowed_methods, reason = "a real run takes real time")]
pub fn in_real_runs(bug: Mutant, steps: Mutant, keep_going: &dyn Fn() -> bool) -> Result<InRealRuns, RealError> {
    let kill = kill_schedule(bug).expect("every seeded bug has a kill schedule");
    if let Some(fault) = not_injected(&kill) {
        return Ok(InRealRuns::NotInjected(fault));
    }
    let (by, began) = (property_for_real(bug, &kill), Instant::now());
    for run in 1..=RUNS_MAX {
        if !keep_going() {
            return Ok(InRealRuns::Kept { runs: run - 1 });
        }
        let Some(broken) = breaks(&kill, steps)? else {
            return Ok(InRealRuns::Asserted { run });
        };
        if broken.contains(by) {
            return Ok(InRealRuns::Killed { by, run, elapsed: began.elapsed() });
        }
    }
    Ok(InRealRuns::Kept { runs: RUNS_MAX })
}

/// The property that a real run breaks: the one that is named for the bug, where the events tell of it.
fn property_for_real(bug: Mutant, kill: &KillSchedule) -> PropertyId {
    match bug {
        // The consumer crashes before it hears that its settle counts, so no event tells of the settle.
        Mutant::SettleBeforeEffect => PropertyId::SubmittedNotLost,
        _ => kill.property,
    }
}

/// What a run breaks; none, if an assertion ended it.
fn breaks(kill: &KillSchedule, steps: Mutant) -> Result<Option<PropertySet>, RealError> {
    let place = tempfile::tempdir().map_err(|why| RealError::File { path: std::env::temp_dir(), why })?;
    let mut options = Options::new(kill.schedule.messages.into(), &place.path().join("history.jsonl"));
    options.producers = 1;
    options.plan = FaultPlan::Given(kill.schedule.faults.clone());
    options.tuning.retention = Some(Retention { records: 0, batch: 1 });
    let stop = Arc::clone(&options.stop);
    let patience = if steps == Mutant::None { SOUND_STUCK_AFTER } else { STUCK_AFTER };
    let (over, waits) = channel::<()>();
    let watch = thread::spawn(move || {
        if waits.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            stop.store(true, Ordering::Relaxed);
        }
    });
    let report = catch_unwind(AssertUnwindSafe(|| run_with_steps(&kill.schedule.pipeline, &options, steps)));
    drop(over);
    watch.join().expect("it only waits");
    let Ok(report) = report else { return Ok(None) };
    let ended = match report {
        Ok(report) => report.ended,
        // The stock is a witness of its own: it differs where bytes were mixed up.
        Err(RealError::Disagreement { .. }) => Ended::Stopped,
        Err(why) => return Err(why),
    };
    let unreadable = |why: std::io::Error| RealError::File { path: options.record.clone(), why };
    let file = File::open(&options.record).map_err(unreadable)?;
    let history = History::read(BufReader::new(file), ReadOptions::default())
        .map_err(|why| RealError::History { path: options.record.clone(), why: Box::new(why) })?;
    let judgement = judge(&history, Question { endless: ended == Ended::Stopped, ..Question::default() });
    Ok(Some(judgement.violations.iter().map(|violation| violation.property).collect()))
}
