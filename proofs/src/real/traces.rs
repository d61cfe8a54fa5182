//! What a run makes before it has begun: taken away again if it is refused.
//!
//! Only what was not there before, and only files that are this run's own: other parties may have theirs beside it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files and directories that go when this is dropped, unless they are kept.
pub(super) struct Traces {
    files: Vec<PathBuf>,
    /// The innermost first.
    directories: Vec<PathBuf>,
}

impl Traces {
    /// Makes the directory and its parents. Files that exist already are not traces, and are never removed.
    pub fn begin(directory: &Path, files: impl IntoIterator<Item = PathBuf>) -> io::Result<Traces> {
        let is_new = |path: &PathBuf| !path.as_os_str().is_empty() && !path.exists();
        let files = files.into_iter().filter(is_new).collect();
        let directories = directory.ancestors().map(Path::to_owned).take_while(is_new).collect();
        let traces = Traces { files, directories };
        fs::create_dir_all(directory)?;
        Ok(traces)
    }

    /// The run has begun: whatever becomes of it, its files stay.
    pub fn keep(mut self) {
        self.files.clear();
        self.directories.clear();
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        // What was never made cannot be removed, and a directory that somebody uses meanwhile is his.
        self.files.iter().for_each(|file| drop(fs::remove_file(file)));
        self.directories.iter().for_each(|directory| drop(fs::remove_dir(directory)));
    }
}
