//! Colour, progress bars and Ctrl-C: what depends on where the output goes.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use delivery_model::story::{Ink, WIDTH_MIN};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use textwrap::WordSplitter;
use textwrap::core::display_width;

use super::INTERRUPTED;
use delivery_model::numbers::grouped;

/// Colour if standard output is a terminal and the user did not turn it off (`NO_COLOR`).
pub fn ink() -> Ink {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if !refused && io::stdout().is_terminal() { Ink::Colour } else { Ink::Plain }
}

/// The number of columns of what goes into a file or a pipe.
const WIDTH: usize = 80;

/// The number of columns that people read: those of the terminal, or fewer if `COLUMNS` says so; where standard output is no
/// terminal, `COLUMNS`, else 80.
pub fn width() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|&columns| columns > 0);
    let found = comfy_table::Table::new().width().map(usize::from);
    match (said, found) {
        (Some(said), Some(found)) => found.min(said),
        (said, found) => found.or(said).unwrap_or(WIDTH),
    }
    .max(WIDTH_MIN)
}

/// The time after Ctrl-C within which work should end by itself. Then the process is ended.
const GRACE: Duration = Duration::from_millis(700);

/// What the handler of Ctrl-C needs to end the process while work still runs.
static ENDING: Mutex<Ending> = Mutex::new(Ending { drawn: None, temporary: Vec::new() });

struct Ending {
    /// The latest progress bar, which knows the progress.
    drawn: Option<ProgressBar>,
    /// Directories to remove at the end of the process.
    temporary: Vec<PathBuf>,
}

impl Ending {
    fn lock() -> MutexGuard<'static, Ending> {
        ENDING.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Prints the progress, and ends the process.
    fn end_now(&self) -> ! {
        let how_far = self.drawn.as_ref().map(how_far).filter(|how_far| !how_far.is_empty());
        eprintln!("stopped{}", how_far.map_or_else(String::new, |how_far| format!(": {how_far}")));
        for directory in &self.temporary {
            // The process ends: an error of the removal cannot be reported.
            let _ = std::fs::remove_dir_all(directory);
        }
        std::process::exit(INTERRUPTED.into());
    }
}

/// The progress as text, such as "exactly-once, 120 of 10,000" or "reading history.jsonl, 3.20 MiB".
pub fn how_far(bar: &ProgressBar) -> String {
    match (bar.length().filter(|_| bar.prefix() != BYTES), bar.position()) {
        (Some(length), position) => format!("{}, {} of {}", bar.message(), grouped(position), grouped(length)),
        (None, 0) => bar.message(),
        (None, bytes) => format!("{}, {}", bar.message(), HumanBytes(bytes)),
    }
}

/// A flag that Ctrl-C raises, so that running work can end cleanly.
#[derive(Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over Ctrl-C. The first one raises the flag, and ends the process after a grace period; a second one ends
    /// the process at once. So the process is gone within a second.
    pub fn install() -> anyhow::Result<Self> {
        Interrupt::listen(|| {
            let (_never, nothing) = channel::<()>();
            let _ = nothing.recv_timeout(GRACE);
            Ending::lock().end_now();
        })
    }

    /// Takes over Ctrl-C for a party, which finishes its work with the other parties. Only a second Ctrl-C ends the
    /// process at once.
    pub fn install_for_party() -> anyhow::Result<Self> {
        Interrupt::listen(|| eprintln!("finishing the current work, then ending; Ctrl-C again ends at once"))
    }

    /// Takes over Ctrl-C for work that has servers running and file systems mounted, which it ends and unmounts. Only a
    /// second Ctrl-C ends the process at once.
    #[cfg(feature = "audit")]
    pub fn install_for_servers() -> anyhow::Result<Self> {
        Interrupt::listen(|| eprintln!("stopping: servers are ended, and what is mounted is unmounted"))
    }

    fn listen(first: fn()) -> anyhow::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        let raised = Arc::clone(&flag);
        let handler = move || {
            if raised.swap(true, Ordering::SeqCst) {
                Ending::lock().end_now();
            }
            // On a thread of its own, because this one waits for the second Ctrl-C.
            thread::spawn(first);
        };
        ctrlc::set_handler(handler).context("cannot listen for Ctrl-C")?;
        Ok(Interrupt(flag))
    }

    /// Whether Ctrl-C was pressed.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// The flag itself, for code that stops on an atomic flag.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// A file, a device or a pipe that fails reads and writes after Ctrl-C.
pub struct Stoppable<T> {
    stream: T,
    interrupt: Interrupt,
    bar: ProgressBar,
}

impl<T> Stoppable<T> {
    /// Wraps the stream. The bar counts its bytes.
    pub fn new(stream: T, interrupt: &Interrupt, bar: &ProgressBar) -> Self {
        Stoppable { stream, interrupt: interrupt.clone(), bar: bar.clone() }
    }

    fn pass(&mut self, pass: impl FnOnce(&mut T) -> io::Result<usize>) -> io::Result<usize> {
        if self.interrupt.is_raised() {
            return Err(io::Error::other("stopped by Ctrl-C"));
        }
        pass(&mut self.stream).inspect(|bytes| self.bar.inc(*bytes as u64))
    }
}

impl<T: Read> Read for Stoppable<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.pass(|stream| stream.read(buffer))
    }
}

impl<T: Write> Write for Stoppable<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pass(|stream| stream.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// A directory that is removed when it is dropped, or when Ctrl-C ends the process.
pub fn temporary() -> anyhow::Result<tempfile::TempDir> {
    let directory = tempfile::tempdir().context("no place for temporary files")?;
    Ending::lock().temporary.push(directory.path().to_owned());
    Ok(directory)
}

/// A progress bar on standard error for work of a known length; hidden if standard error is no terminal.
pub fn bar(length: u64, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {human_pos}/{human_len} {eta}")
        .expect("the template is well-formed");
    drawn(ProgressBar::new(length).with_style(style).with_message(what.to_owned()))
}

/// A line on standard error that counts the bytes that are read or written; a progress bar, if their number is known.
pub fn bytes(what: &str, all: Option<u64>) -> ProgressBar {
    let (bar, template) = match all {
        Some(all) => (ProgressBar::new(all), "{msg} {wide_bar} {bytes}/{total_bytes} {eta}"),
        None => (ProgressBar::no_length(), "{msg}: {bytes}"),
    };
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    drawn(bar.with_style(style).with_message(what.to_owned()).with_prefix(BYTES))
}

/// The mark of a bar that counts bytes.
const BYTES: &str = "bytes";

/// A line on standard error for work of unknown length.
pub fn spinner(what: &str) -> ProgressBar {
    drawn(ProgressBar::new_spinner().with_message(what.to_owned()))
}

fn drawn(bar: ProgressBar) -> ProgressBar {
    bar.set_draw_target(ProgressDrawTarget::stderr());
    Ending::lock().drawn = Some(bar.clone());
    bar
}

/// Writes text for people to standard output: a line that is wider than the terminal goes on below, indented. Words that
/// are longer than a line, such as links, stay whole.
pub fn tell(text: &str) {
    print(&fitted(text, width()));
}

fn fitted(text: &str, width: usize) -> String {
    let fitted = |line: &str| match display_width(line) <= width {
        true => line.to_owned(),
        false => {
            let indent = " ".repeat(line.len() - line.trim_start_matches(' ').len() + 2);
            let options = textwrap::Options::new(width).subsequent_indent(&indent).break_words(false);
            textwrap::fill(line, options.word_splitter(WordSplitter::NoHyphenation))
        }
    };
    // Lines end as they did: with a line feed, or not.
    text.split('\n').map(fitted).collect::<Vec<_>>().join("\n")
}

/// Writes to standard output as it is. If the reader has closed it (`| head`), the process ends without an error.
pub fn print(text: &str) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        let code = if error.kind() == io::ErrorKind::BrokenPipe { 0 } else { 2 };
        if code != 0 {
            eprintln!("error: cannot write to standard output: {error}");
        }
        std::process::exit(code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_wide_goes_on_below_and_a_link_stays_whole() {
        let link = "http://127.0.0.1:3000/#/steps/1";
        for (text, told) in [
            ("short\n\n  enough\n", "short\n\n  enough\n"),
            ("at-least-once holds in all runs", "at-least-once holds\n  in all runs"),
            ("  - its own indentation counts\n", "  - its own\n    indentation\n    counts\n"),
            ("\x1b[31mviolated\x1b[0m, all of it", "\x1b[31mviolated\x1b[0m, all of it"),
            (&format!("see {link}"), &format!("see\n  {link}")),
        ] {
            assert_eq!(fitted(text, 20), told);
        }
    }
}
