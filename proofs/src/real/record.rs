//! The recorder: every event of a run, written to the history's file before whoever reported it goes on.
//!
//! It is one value behind a lock, not a thread behind a queue: a reporter that went on while its event still waited in a
//! queue could have a peer act upon what a killed process then never wrote. Each event is one `write` to the operating
//! system, which keeps it when the process is killed; against a failure of the machine the history is not protected,
//! as it is evidence and not the pipeline's state. A kill in the middle of a write leaves a part of a line, which
//! nobody acted upon and which a resumed run cuts off.

use std::collections::{BTreeMap, BTreeSet};
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

/// Who wants to know.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// The name of the one consumer group, as histories have it.
const GROUP: &str = "inventory";

/// Writes a history while it happens.
pub struct Recorder {
    state: Mutex<State>,
    on_progress: Option<OnProgress>,
}

struct State {
    writer: HistoryWriter<File>,
    names: Names,
    began: Instant,
    /// When an earlier part of the history left off, in nanoseconds; 0 for a new one.
    base: u64,
    told: Told,
}

/// What the history has told so far, as far as a run asks.
#[derive(Default)]
struct Told {
    progress: Progress,
    submitted: BTreeSet<MessageId>,
    delivered: BTreeSet<MessageId>,
    effects: BTreeMap<MessageId, u64>,
    faults: BTreeMap<Fault, u64>,
}

impl Told {
    fn note(&mut self, kind: &EventKind) {
        let Told { progress, submitted, delivered, effects, faults } = self;
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
        on_progress: Option<OnProgress>,
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
        let recorder = Recorder::starting(writer, &before, on_progress);
        Ok((recorder, before))
    }

    #[expect(clippy::disallowed_methods, reason = "a real run's history is in real time")]
    fn starting(writer: HistoryWriter<File>, before: &History, on_progress: Option<OnProgress>) -> Recorder {
        let base = match before.events.last().map(|last| last.at) {
            Some(At::Whole(nanoseconds)) => nanoseconds,
            Some(At::Fraction(nanoseconds)) => nanoseconds.ceil() as u64,
            None => 0,
        };
        let (names, mut told) = (before.names.clone(), Told::default());
        before.events.iter().for_each(|recorded| told.note(&recorded.event.kind));
        Recorder { state: Mutex::new(State { writer, names, began: Instant::now(), base, told }), on_progress }
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

    /// How often each kind of fault struck.
    pub fn faults(&self) -> BTreeMap<Fault, u64> {
        self.state().told.faults.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A line is written by one call, so a panic elsewhere leaves none half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn observe(&self, process: &str, report: &Report) -> io::Result<()> {
        let mut state = self.state();
        let State { writer, names, began, base, told } = &mut *state;
        let process = names.process_id(process).map_err(io::Error::other)?;
        if report.kind.group().is_some() {
            names.group_id(GROUP).map_err(io::Error::other)?;
        }
        let mut kind = report.kind;
        if let Some(bytes) = &report.payload {
            carry(&mut kind, names, bytes)?;
        }
        let at = At::Whole(*base + began.elapsed().as_nanos() as u64);
        writer.record(names, at, &Event { process, kind })?;
        told.note(&kind);
        let progress = told.progress;
        drop(state);
        if let Some(on_progress) = &self.on_progress {
            on_progress(progress);
        }
        Ok(())
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
    file.read_to_end(&mut tail)?;
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
