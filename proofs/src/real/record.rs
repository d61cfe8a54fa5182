//! The recorder: every event of a run, written to the history's file before whoever reported it goes on.
//!
//! It is one value behind a lock, not a thread behind a queue: a reporter that went on while its event still waited in a
//! queue could have a peer act upon what a killed process then never wrote. Each event is one `write` to the operating
//! system, which keeps it when the process is killed; against a failure of the machine the history is not protected,
//! as it is evidence and not the pipeline's state. A kill in the middle of a write leaves a part of a line, which
//! nobody acted upon and which a resumed run cuts off.

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

/// How far a run has come, by its history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Messages submitted.
    pub submitted: u64,
    /// Attempts confirmed.
    pub acked: u64,
    /// Hand-offs received.
    pub delivered: u64,
    /// Effects made.
    pub effects: u64,
    /// Faults that struck.
    pub faults: u64,
}

/// Who wants to know how far a run has come.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;
/// Who wants to know every event, and whose it is.
pub type OnEvent = Arc<dyn Fn(&str, &EventKind) + Send + Sync>;
/// Who wants to know what happens to connections, and whose they are.
pub type OnNotice = Arc<dyn Fn(&str, &dyn Display) + Send + Sync>;

/// Who is told what, as soon as it is recorded.
#[derive(Clone, Default)]
pub struct Listeners {
    /// How far the run has come.
    pub progress: Option<OnProgress>,
    /// Every event.
    pub event: Option<OnEvent>,
    /// What operators want to know.
    pub notice: Option<OnNotice>,
}

/// Whose time a history is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing {
    /// Its own: it begins at 0 and goes on where an earlier part left off.
    Own,
    /// The machine's monotonic clock, which all its processes share until it is started anew.
    Machine,
}

/// The clock that times are read from, in nanoseconds.
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

/// The name of the one consumer group, as histories have it.
const GROUP: &str = "inventory";

/// Writes a history while it happens.
pub struct Recorder {
    state: Mutex<State>,
    listeners: Listeners,
}

struct State {
    writer: HistoryWriter<File>,
    names: Names,
    clock: Clock,
    told: Told,
}

/// What the history has told so far, as far as a run asks.
#[derive(Default)]
struct Told {
    progress: Progress,
    submitted: BTreeSet<MessageId>,
    delivered: BTreeSet<MessageId>,
    effects: BTreeMap<MessageId, u64>,
    dead_lettered: BTreeSet<MessageId>,
    faults: BTreeMap<Fault, u64>,
    /// Something was told that is more than a wish.
    has_acted: bool,
}

impl Told {
    fn note(&mut self, kind: &EventKind) {
        let Told { progress, submitted, delivered, effects, dead_lettered, faults, has_acted } = self;
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
    /// Starts the history of this pipeline in this file, or goes on with the one that is there, and gives what it says
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
        let killed = ReadOptions { truncated_tail: TruncatedTail::NameAndIgnore };
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
        let (names, mut told) = (before.names.clone(), Told::default());
        before.events.iter().for_each(|recorded| told.note(&recorded.event.kind));
        let recorder = Recorder { state: Mutex::new(State { writer, names, clock, told }), listeners };
        Ok((recorder, before))
    }

    /// How far the run has come.
    pub fn progress(&self) -> Progress {
        self.state().told.progress
    }

    /// Every message that was submitted.
    pub fn submitted(&self) -> BTreeSet<MessageId> {
        self.state().told.submitted.clone()
    }

    /// Every message that was delivered.
    pub fn delivered(&self) -> BTreeSet<MessageId> {
        self.state().told.delivered.clone()
    }

    /// How often each message took effect.
    pub fn effects(&self) -> BTreeMap<MessageId, u64> {
        self.state().told.effects.clone()
    }

    /// Every message that was set aside.
    pub fn dead_lettered(&self) -> BTreeSet<MessageId> {
        self.state().told.dead_lettered.clone()
    }

    /// How often each kind of fault struck.
    pub fn faults(&self) -> BTreeMap<Fault, u64> {
        self.state().told.faults.clone()
    }

    /// Whether anything but submits and the wish to go back was told: then a broker has let the party in.
    pub(super) fn has_acted(&self) -> bool {
        self.state().told.has_acted
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A line is written by one call, so a panic elsewhere leaves none half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn observe(&self, process: &str, report: &Report) -> io::Result<()> {
        let mut state = self.state();
        let State { writer, names, clock, told } = &mut *state;
        let id = names.process_id(process).map_err(io::Error::other)?;
        if report.kind.group().is_some() {
            names.group_id(GROUP).map_err(io::Error::other)?;
        }
        let mut kind = report.kind;
        if let Some(bytes) = &report.payload {
            carry(&mut kind, names, bytes)?;
        }
        writer.record(names, At::Whole(clock.now()), &Event { process: id, kind })?;
        told.note(&kind);
        let progress = told.progress;
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

/// The clock of a history that begins or goes on.
#[expect(clippy::disallowed_methods, reason = "a real run's history is in real time")]
fn start(timing: Timing, before: &History, path: &Path) -> Result<Clock, RealError> {
    let last = match before.events.last().map(|last| last.at) {
        Some(At::Whole(nanoseconds)) => nanoseconds,
        Some(At::Fraction(nanoseconds)) => nanoseconds.ceil() as u64,
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

/// Puts the message's bytes into the event, in hexadecimal: orders are short.
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

/// Moves to the end, and sees to it that a line ends there: cuts off the part of one that a kill left, or ends it where
/// only its end is missing. The file was read as a history before, so nobody else's file is changed.
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
