//! Where results are to go, looked at before long work begins: a place that cannot be written to is better known then. A
//! look leaves nothing behind, so that a command that is refused afterwards has changed nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::Path;

use anyhow::Context;
use delivery_model::history::History;

use super::terminal::{self, Interrupt, Stoppable};

/// That a file can be written here, be there one or not. One that is there stays as it is.
pub fn check_file(path: &Path) -> anyhow::Result<()> {
    let tried = match create_and_remove(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path).map(drop)
        }
        tried => tried,
    };
    tried.with_context(|| path.display().to_string())
}

/// That a new file can be written here.
pub fn check_new_file(path: &Path) -> anyhow::Result<()> {
    let tried = create_and_remove(path).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => io::Error::new(error.kind(), "there is a file already; a new one is expected"),
        _ => error,
    });
    tried.with_context(|| path.display().to_string())
}

fn create_and_remove(path: &Path) -> io::Result<()> {
    File::create_new(path)?;
    fs::remove_file(path)
}

/// That files can be written into this directory, which need not be there yet.
pub fn check_directory(path: &Path) -> anyhow::Result<()> {
    let there = path.ancestors().find(|place| !place.as_os_str().is_empty() && place.exists());
    // A file without a name goes by itself.
    tempfile::tempfile_in(there.unwrap_or(Path::new("."))).map(drop).with_context(|| path.display().to_string())
}

/// Writes a history into a new file: all of it, or no file is left.
pub fn write_history(history: &History, path: &Path, interrupt: &Interrupt) -> anyhow::Result<()> {
    let bar = terminal::bytes(&format!("writing {}", path.display()));
    let written = File::create_new(path).and_then(|file| {
        let written = history.write(BufWriter::new(Stoppable::new(file, interrupt, &bar)));
        if written.is_err() {
            // What is wrong with the place is told already.
            let _ = fs::remove_file(path);
        }
        written
    });
    bar.finish_and_clear();
    written.with_context(|| path.display().to_string())
}
