//! The files that a run creates before it has begun. They are removed if the run is refused.
//!
//! Only files of this run that did not exist before are removed: other parties may have their files in the same
//! directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files and directories that are removed when this value is dropped, unless they are kept.
pub(super) struct CreatedFiles {
    files: Vec<PathBuf>,
    /// The directories, the innermost first.
    directories: Vec<PathBuf>,
}

impl CreatedFiles {
    /// Creates the directory and its parents. Files that exist already are never removed.
    pub fn begin(directory: &Path, files: impl IntoIterator<Item = PathBuf>) -> io::Result<CreatedFiles> {
        let is_new = |path: &PathBuf| !path.as_os_str().is_empty() && !path.exists();
        let files = files.into_iter().filter(is_new).collect();
        let directories = directory.ancestors().map(Path::to_owned).take_while(is_new).collect();
        let created = CreatedFiles { files, directories };
        fs::create_dir_all(directory)?;
        Ok(created)
    }

    /// Keeps the files: the run has begun.
    pub fn keep(mut self) {
        self.files.clear();
        self.directories.clear();
    }
}

impl Drop for CreatedFiles {
    fn drop(&mut self) {
        // A file that was never created cannot be removed; a directory that is in use is not empty and stays.
        self.files.iter().for_each(|file| drop(fs::remove_file(file)));
        self.directories.iter().for_each(|directory| drop(fs::remove_dir(directory)));
    }
}
