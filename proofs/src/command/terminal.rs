//! What depends on where the output goes: colour, progress bars, Ctrl-C.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use delivery_model::story::Ink;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Colour where standard output is a terminal, unless the user asked for none (`NO_COLOR`).
pub fn ink() -> Ink {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if !refused && io::stdout().is_terminal() { Ink::Colour } else { Ink::Plain }
}

/// The columns of the terminal, or as many as a file should have.
pub fn width() -> usize {
    comfy_table::Table::new().width().map_or(120, usize::from)
}

/// A flag that Ctrl-C raises, so that work under way can end cleanly.
#[derive(Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over Ctrl-C. The first one raises the flag; a second one ends the process at once.
    pub fn install() -> anyhow::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        let raised = Arc::clone(&flag);
        let handler = move || {
            if raised.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        };
        ctrlc::set_handler(handler).context("cannot listen for Ctrl-C")?;
        Ok(Interrupt(flag))
    }

    /// Ctrl-C was pressed.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// The flag itself, for those who stop by one.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// A bar on standard error for work of a known length; hidden where that is no terminal.
pub fn bar(length: u64, what: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}").expect("the template is well-formed");
    drawn(ProgressBar::new(length).with_style(style).with_message(what.to_owned()))
}

/// A line on standard error for work of unknown length.
pub fn spinner(what: &str) -> ProgressBar {
    drawn(ProgressBar::new_spinner().with_message(what.to_owned()))
}

fn drawn(bar: ProgressBar) -> ProgressBar {
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar
}

/// Writes to standard output. A reader that went away (`| head`) ends the process quietly.
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
