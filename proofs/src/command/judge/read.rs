//! How the judge reads: a history of any size in two readings, the parts of one and the records of others as a whole.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Context;
use delivery_model::history::{History, ReadOptions, TruncatedTail};
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::{Judgement, Threads, judge, judge_streamed};

use super::super::terminal::Interrupt;
use super::super::{import, output, terminal};
use super::Arguments;

/// A history, or the part of it that stories need, with its judgement.
pub struct Judged {
    /// Its name in the output.
    pub name: String,
    /// The history.
    pub history: History,
    /// Its judgement.
    pub judgement: Judgement,
    /// The parts of a joint history that keep the whole from being quiescent, with the reason of each.
    pub unfinished: Vec<String>,
    /// The semantics that it should show.
    pub expect: Option<Semantics>,
}

impl Judged {
    fn new(history: History, judgement: Judgement, unfinished: Vec<String>, arguments: &Arguments) -> Self {
        let name = super::name(arguments, &history);
        Judged { name, history, judgement, unfinished, expect: arguments.question().expect }
    }
}

/// Reads and judges what the user named; none after Ctrl-C.
pub fn judged(arguments: &Arguments, interrupt: &Interrupt) -> anyhow::Result<Option<Judged>> {
    let Some(mut opened) = import::Opened::all(&arguments.history, interrupt)? else {
        return Ok(None);
    };
    let foreign = match arguments.numbered {
        true => Ok(None),
        false => import::foreign(&mut opened, &arguments.known),
    };
    if interrupt.is_raised() {
        eprintln!("stopped: nothing is judged");
        return Ok(None);
    }
    // A page has plots over all events.
    let in_memory = arguments.history.len() > 1 || arguments.joined.is_some() || arguments.html.is_some();
    let (history, unfinished) = match foreign? {
        Some(history) => (history, Vec::new()),
        None if !in_memory => return streamed(opened.remove(0), arguments, interrupt),
        None => {
            let Some(parts) = parts(opened, arguments, interrupt)? else { return Ok(None) };
            let unfinished = unfinished(&arguments.history, &parts);
            let Some(history) = joined(parts, arguments, interrupt)? else { return Ok(None) };
            (history, unfinished)
        }
    };
    terminal::spinner(&format!("judging {} events", history.events.len()));
    let judgement = judge(&history, arguments.question());
    if interrupt.is_raised() {
        eprintln!("stopped: {} events were read, and are not judged", history.events.len());
        return Ok(None);
    }
    Ok(Some(Judged::new(history, judgement, unfinished, arguments)))
}

/// Judges one history without keeping it in memory.
fn streamed(first: import::Opened, arguments: &Arguments, interrupt: &Interrupt) -> anyhow::Result<Option<Judged>> {
    let path = &arguments.history[0];
    let (name, progress) = (first.name().to_owned(), first.progress());
    let mut source = Source::new(first, path)?;
    let judged =
        judge_streamed(|| source.open(path, interrupt), options(arguments), arguments.question(), Threads::Two);
    if interrupt.is_raised() {
        eprintln!("stopped: {}", terminal::how_far(&progress));
        return Ok(None);
    }
    let (history, judgement) = judged.with_context(|| name)?;
    Ok(Some(Judged::new(history, judgement, Vec::new(), arguments)))
}

/// Reads a whole history from a file. Returns none after Ctrl-C.
pub fn history(path: &Path, interrupt: &Interrupt) -> anyhow::Result<Option<History>> {
    whole(import::Opened::new(path, interrupt)?, ReadOptions::default(), interrupt)
}

pub fn options(arguments: &Arguments) -> ReadOptions {
    let truncated_tail = if arguments.allow_truncated { TruncatedTail::NameAndIgnore } else { TruncatedTail::Refuse };
    ReadOptions { truncated_tail, numbered: arguments.numbered, share: arguments.shard }
}

/// A history that is read more than once.
pub enum Source {
    /// A file, which was opened once already.
    File(Option<import::Opened>),
    /// A stream, and the temporary file in which it is kept while it is read.
    Stream(Rc<RefCell<Spool>>),
}

pub struct Spool {
    stream: import::Opened,
    kept: File,
}

impl Source {
    /// A source whose first opening was made.
    pub fn new(first: import::Opened, path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() != "-" && path.metadata().is_ok_and(|it| it.is_file()) {
            return Ok(Source::File(Some(first)));
        }
        let kept = tempfile::tempfile().context("no place for the stream, which is read twice")?;
        Ok(Source::Stream(Rc::new(RefCell::new(Spool { stream: first, kept }))))
    }

    /// Opens the history at its beginning.
    pub fn open(&mut self, path: &Path, interrupt: &Interrupt) -> io::Result<Box<dyn BufRead>> {
        let spool = match self {
            Source::File(first) => {
                let opened = first.take().map_or_else(|| import::Opened::new(path, interrupt), Ok);
                return Ok(Box::new(opened.map_err(io::Error::other)?));
            }
            Source::Stream(spool) => spool,
        };
        let is_first = spool.borrow_mut().kept.stream_position()? == 0;
        if is_first {
            return Ok(Box::new(BufReader::with_capacity(1 << 16, Kept(Rc::clone(spool)))));
        }
        io::copy(&mut Kept(Rc::clone(spool)), &mut io::sink())?;
        let mut kept = spool.borrow_mut().kept.try_clone()?;
        kept.seek(SeekFrom::Start(0))?;
        Ok(Box::new(BufReader::with_capacity(1 << 16, kept)))
    }
}

/// The stream, of which each part is kept as it is read.
struct Kept(Rc<RefCell<Spool>>);

impl Read for Kept {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Spool { stream, kept } = &mut *self.0.borrow_mut();
        let bytes = stream.read(buffer)?;
        kept.write_all(&buffer[..bytes])?;
        Ok(bytes)
    }
}

/// All parts that the user named; none after Ctrl-C.
fn parts(
    opened: Vec<import::Opened>,
    arguments: &Arguments,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<Vec<History>>> {
    opened.into_iter().map(|input| whole(input, options(arguments), interrupt)).collect()
}

/// The parts of a joint history that keep the whole from being quiescent, with the reason of each.
fn unfinished(paths: &[PathBuf], parts: &[History]) -> Vec<String> {
    let why = |part: &History| match (part.truncated, part.events.last(), part.rest()) {
        (Some(line), _, _) => Some(format!("is cut off in line {line}")),
        (None, _, Some(_)) => None,
        (None, Some(last), None) => Some(format!("does not end with `quiescent` but in line {}", last.line)),
        (None, None, None) => Some("has no events".to_owned()),
    };
    let told = paths.iter().zip(parts).filter_map(|(path, part)| Some(format!("{} {}", path.display(), why(part)?)));
    if parts.len() > 1 { told.collect() } else { Vec::new() }
}

/// The one history, or the joined parts; none after Ctrl-C.
fn joined(mut parts: Vec<History>, arguments: &Arguments, interrupt: &Interrupt) -> anyhow::Result<Option<History>> {
    terminal::spinner(&format!("joining {} parts", parts.len()));
    let history = match parts.len() {
        1 => parts.remove(0),
        _ => History::join(&parts).with_context(|| {
            let names =
                arguments.history.iter().enumerate().map(|(part, path)| format!("part {part} {}", path.display()));
            names.collect::<Vec<_>>().join(", ")
        })?,
    };
    if let Some(path) = &arguments.joined {
        let written = output::write_history(&history, path, interrupt);
        if interrupt.is_raised() {
            eprintln!("stopped while {} was written", path.display());
            return Ok(None);
        }
        written?;
    }
    Ok(Some(history))
}

/// Reads a history. Returns none after Ctrl-C.
fn whole(mut input: import::Opened, options: ReadOptions, interrupt: &Interrupt) -> anyhow::Result<Option<History>> {
    let history = History::read(&mut input, options);
    if interrupt.is_raised() {
        eprintln!("stopped: {}", input.how_far());
        return Ok(None);
    }
    history.map(Some).with_context(|| input.name().to_owned())
}
