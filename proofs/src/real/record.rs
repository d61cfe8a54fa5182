//! The recorder: it writes every event of a run to the history's file before the reporter of the event goes on.
//!
//! It is one value behind a lock, not a thread behind a queue. If an event waited in a queue while its reporter went
//! on, a peer could act on an event that a killed process never wrote. Each event is one `write` to the operating
//! system, which keeps it when the process is killed. The history is not synced: it is evidence, not the pipeline's
//! state, so a failure of the machine may lose it. A kill in the middle of a write leaves a part of a line, on which
//! no party acted; a resumed run removes it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use delivery_impls::core::report::Report;
use delivery_impls::driver::Observer;
use delivery_model::history::{
    At, Header, History, HistoryError, HistoryWriter, LINE_LIMIT, Names, PipelineOf, ReadOptions, TruncatedTail,
};
use delivery_model::pipeline::Pipeline;
use delivery_model::vocab::{Event, EventKind, Fault, MessageId, Outcome};

use rustix::time::{ClockId, clock_gettime};

use super::RealError;

/// The progress of a run, as counts of its history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The number of messages that were submitted.
    pub submitted: u64,
    /// The number of attempts that were acked.
    pub acked: u64,
    /// The number of deliveries that were received.
    pub delivered: u64,
    /// The number of effects.
    pub effects: u64,
    /// The number of faults that struck.
    pub faults: u64,
}

/// A callback for the progress of a run.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;
/// A callback for every event, with the name of its process.
pub type OnEvent = Arc<dyn Fn(&str, &EventKind) + Send + Sync>;
/// A callback for notices on connections, with the name of the process.
pub type OnNotice = Arc<dyn Fn(&str, &dyn Display) + Send + Sync>;

/// The callbacks of a recorder. They are called once the event is recorded.
#[derive(Clone, Default)]
pub struct Listeners {
    /// Receives the progress of the run.
    pub progress: Option<OnProgress>,
    /// Receives every event.
    pub event: Option<OnEvent>,
    /// Receives notices for operators.
    pub notice: Option<OnNotice>,
}

/// The kind of time in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing {
    /// Time of the run: it begins at 0, and a resumed run continues it.
    Own,
    /// The machine's monotonic clock, which all its processes share until the machine is restarted.
    Machine,
}

/// The clock of a history, in nanoseconds.
#[derive(Clone, Copy, Debug)]
enum Clock {
    Own { began: Instant, base: u64 },
    Machine,
}

impl Clock {
    fn now(self) -> u64 {
        match self {
            Clock::Own { began, base } => base + began.elapsed().as_nanos() as u64,
            Clock::Machine => {
                let since_start = clock_gettime(ClockId::Monotonic);
                since_start.tv_sec as u64 * 1_000_000_000 + since_start.tv_nsec as u64
            }
        }
    }
}

/// The name of the one consumer group in histories.
const GROUP: &str = "inventory";

/// The recorder of a history.
pub struct Recorder {
    state: Mutex<State>,
    listeners: Listeners,
}

struct State {
    writer: HistoryWriter<File>,
    names: Names,
    clock: Clock,
    summary: Summary,
}

/// The contents of the history so far, as far as a run needs them.
#[derive(Default)]
struct Summary {
    progress: Progress,
    submitted: BTreeSet<MessageId>,
    delivered: BTreeSet<MessageId>,
    effects: BTreeMap<MessageId, u64>,
    dead_lettered: BTreeSet<MessageId>,
    faults: BTreeMap<Fault, u64>,
    /// Whether anything but submits and rewinds is recorded.
    has_acted: bool,
}

impl Summary {
    fn note(&mut self, kind: &EventKind) {
        let Summary { progress, submitted, delivered, effects, dead_lettered, faults, has_acted } = self;
        *has_acted |= !matches!(kind, EventKind::Submit { .. } | EventKind::Rewind { .. });
        match *kind {
            EventKind::Submit { message, .. } => {
                progress.submitted += 1;
                submitted.insert(message);
            }
            EventKind::Outcome { outcome: Outcome::Acked, .. } => progress.acked += 1,
            EventKind::Deliver { message, .. } => {
                progress.delivered += 1;
                delivered.insert(message);
            }
            EventKind::Effect { message, .. } => {
                progress.effects += 1;
                *effects.entry(message).or_default() += 1;
            }
            EventKind::DeadLetter { message, .. } => {
                dead_lettered.insert(message);
            }
            EventKind::Fault { fault } => {
                progress.faults += 1;
                *faults.entry(fault).or_default() += 1;
            }
            _ => {}
        }
    }
}

impl Recorder {
    /// Begins the history of this pipeline in this file, or continues the one that is there. Also returns the history
    /// so far.
    pub fn open(
        path: &Path,
        pipeline: &Pipeline,
        timing: Timing,
        listeners: Listeners,
    ) -> Result<(Recorder, History), RealError> {
        let header = Header::from(pipeline);
        let unusable = |why| RealError::File { path: path.to_owned(), why };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = file.map_err(unusable)?;
        let killed = ReadOptions { truncated_tail: TruncatedTail::NameAndIgnore, ..ReadOptions::default() };
        let (writer, before) = match History::read(BufReader::new(&file), killed) {
            Ok(before) if before.header == header => {
                end_with_a_whole_line(&mut file, before.truncated.is_some()).map_err(unusable)?;
                (HistoryWriter::resume(file, before.events.last().map(|last| last.at)), before)
            }
            Ok(before) => {
                let name = before.header.pipeline.as_ref().map_or("no pipeline", PipelineOf::name);
                return Err(RealError::OtherRun {
                    path: path.to_owned(),
                    found: format!("a history of {name}, with other settings"),
                    expected: format!("one of {}, as it is now, or an empty file", pipeline.name),
                });
            }
            Err(HistoryError::Empty) => {
                let writer = HistoryWriter::new(file, &header).map_err(unusable)?;
                (writer, History { header, ..History::default() })
            }
            Err(why) => return Err(RealError::History { path: path.to_owned(), why: Box::new(why) }),
        };
        let clock = start(timing, &before, path)?;
        let (names, mut summary) = (before.names.clone(), Summary::default());
        before.events.iter().for_each(|recorded| summary.note(&recorded.event.kind));
        let recorder = Recorder { state: Mutex::new(State { writer, names, clock, summary }), listeners };
        Ok((recorder, before))
    }

    /// The progress of the run.
    pub fn progress(&self) -> Progress {
        self.state().summary.progress
    }

    /// Every message that was submitted.
    pub fn submitted(&self) -> BTreeSet<MessageId> {
        self.state().summary.submitted.clone()
    }

    /// Every message that was delivered.
    pub fn delivered(&self) -> BTreeSet<MessageId> {
        self.state().summary.delivered.clone()
    }

    /// The number of effects of each message.
    pub fn effects(&self) -> BTreeMap<MessageId, u64> {
        self.state().summary.effects.clone()
    }

    /// Every message that became a dead letter.
    pub fn dead_lettered(&self) -> BTreeSet<MessageId> {
        self.state().summary.dead_lettered.clone()
    }

    /// The number of strikes of each kind of fault.
    pub fn faults(&self) -> BTreeMap<Fault, u64> {
        self.state().summary.faults.clone()
    }

    /// Whether anything but submits and rewinds is recorded: then a broker has let the party in.
    pub(super) fn has_acted(&self) -> bool {
        self.state().summary.has_acted
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A line is written by one call, so a panic of another thread leaves no partial line.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn observe(&self, process: &str, report: &Report) -> io::Result<()> {
        let mut state = self.state();
        let State { writer, names, clock, summary } = &mut *state;
        let id = names.process_id(process).map_err(io::Error::other)?;
        if report.kind.group().is_some() {
            names.group_id(GROUP).map_err(io::Error::other)?;
        }
        let mut kind = report.kind;
        if let Some(bytes) = &report.payload {
            carry(&mut kind, names, bytes)?;
        }
        writer.record(names, At::Whole(clock.now()), &Event { process: id, kind })?;
        summary.note(&kind);
        let progress = summary.progress;
        drop(state);
        if let Some(on_progress) = &self.listeners.progress {
            on_progress(progress);
        }
        if let Some(on_event) = &self.listeners.event {
            on_event(process, &kind);
        }
        Ok(())
    }

    fn notice(&self, process: &str, notice: &dyn Display) {
        if let Some(on_notice) = &self.listeners.notice {
            on_notice(process, notice);
        }
    }
}

/// The clock of a history that begins or continues.
#[expect(clippy::disallowed_methods, reason = "a real run's history is in real time")]
fn start(timing: Timing, before: &History, path: &Path) -> Result<Clock, RealError> {
    let last = match before.events.last().map(|last| last.at) {
        Some(At::Whole(nanoseconds)) => nanoseconds,
        Some(At::Fraction(nanoseconds)) => nanoseconds.ceil() as u64,
        Some(at @ At::Instant(_)) => {
            return Err(RealError::OtherRun {
                path: path.to_owned(),
                found: format!("its last event is at {at}"),
                expected: "a history whose times are numbers, as a real run records them, or a new file".to_owned(),
            });
        }
        None => 0,
    };
    let now = Clock::Machine.now();
    match timing {
        Timing::Own => Ok(Clock::Own { began: Instant::now(), base: last }),
        Timing::Machine if last <= now => Ok(Clock::Machine),
        Timing::Machine => Err(RealError::OtherRun {
            path: path.to_owned(),
            found: format!("its last event is at {last}, and this machine's clock says {now}"),
            expected: "a history recorded since the machine was started, or a new file".to_owned(),
        }),
    }
}

/// Adds the message's payload to the event, in hexadecimal: orders are short.
fn carry(kind: &mut EventKind, names: &mut Names, bytes: &[u8]) -> io::Result<()> {
    use EventKind::*;
    let (Submit { payload, .. } | Attempt { payload, .. } | Deliver { payload, .. } | Effect { payload, .. }) = kind
    else {
        return Ok(());
    };
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    *payload = Some(names.payload_id(&text).map_err(io::Error::other)?);
    Ok(())
}

/// Seeks to the end of the file and makes sure that a whole line ends there: a partial line is removed, and a missing
/// line break is added. The file was read as a history before, so no other file is changed.
fn end_with_a_whole_line(file: &mut File, is_cut_off: bool) -> io::Result<()> {
    let length = file.metadata()?.len();
    let tail_start = length.saturating_sub(LINE_LIMIT as u64 + 1);
    file.seek(SeekFrom::Start(tail_start))?;
    let mut tail = Vec::new();
    Read::take(&mut *file, LINE_LIMIT as u64 + 1).read_to_end(&mut tail)?;
    let whole = tail.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    match (whole < tail.len(), is_cut_off) {
        (false, _) => Ok(()),
        (true, false) => file.write_all(b"\n"),
        (true, true) => {
            file.set_len(tail_start + whole as u64)?;
            file.seek(SeekFrom::End(0)).map(drop)
        }
    }
}
