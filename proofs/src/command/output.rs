//! Checks of the places for results, made before long work begins. A check leaves no file behind, so a command that
//! is refused later has changed nothing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use delivery_model::history::History;

use super::terminal::{self, Interrupt, Stoppable};

/// Checks that a file can be written here. A file that exists stays as it is.
pub fn check_file(path: &Path) -> anyhow::Result<()> {
    let tried = match create_and_remove(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).open(path).map(drop)
        }
        tried => tried,
    };
    tried.with_context(|| path.display().to_string())
}

/// Checks that a new file can be written here.
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

/// Checks that files can be written into this directory, or that it can be created.
pub fn check_directory(path: &Path) -> anyhow::Result<()> {
    let there = path.ancestors().find(|place| !place.as_os_str().is_empty() && place.exists());
    // A file without a name is removed when it is closed.
    tempfile::tempfile_in(there.unwrap_or(Path::new("."))).map(drop).with_context(|| path.display().to_string())
}

/// Writes a text into a new file. On an error the file is removed.
pub fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = File::create_new(path).and_then(|mut file| {
        let written = file.write_all(text.as_bytes());
        if written.is_err() {
            // The first error is reported; one of the removal would add nothing.
            let _ = fs::remove_file(path);
        }
        written
    });
    written.with_context(|| path.display().to_string())
}

/// Writes a history into a new file. On an error the file is removed.
pub fn write_history(history: &History, path: &Path, interrupt: &Interrupt) -> anyhow::Result<()> {
    let bar = terminal::bytes(&format!("writing {}", path.display()), None);
    let written = File::create_new(path).and_then(|file| {
        let written = history.write(BufWriter::new(Stoppable::new(file, interrupt, &bar)));
        if written.is_err() {
            // The first error is reported; one of the removal would add nothing.
            let _ = fs::remove_file(path);
        }
        written
    });
    bar.finish_and_clear();
    written.with_context(|| path.display().to_string())
}
