//! The directories of an audit: one for each round's broker, all below one that the next audit cleans up if this one was
//! killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::disk::{self, OwnFileSystem};
use crate::process;
use crate::trouble::Trouble;

/// Where a broker keeps its files.
#[derive(Clone, Debug)]
pub struct Place {
    /// The broker's data; the directory exists and is empty.
    pub data: PathBuf,
    /// Logs and configuration, which no fault touches.
    pub logs: PathBuf,
    /// Notes about running processes, for the next audit.
    pub notes: PathBuf,
    /// What all rounds of the audit share, such as data that is made once and copied.
    pub shared: PathBuf,
    /// The file system that the data is on, where power is to be lost.
    pub own: Option<Arc<OwnFileSystem>>,
}

/// The directory of this user's audits. Each user has one, because one may not write to another's.
pub fn base() -> PathBuf {
    let user = rustix::process::geteuid();
    let name = if user.is_root() { "delivery-audit".to_owned() } else { format!("delivery-audit-{}", user.as_raw()) };
    std::env::temp_dir().join(name)
}

impl Place {
    /// Fills the data with a copy of what is made once in an audit under this name. `make` gets a new directory to fill; the
    /// result is that directory. Campaigns run side by side: the first one makes it, and the others wait.
    pub fn copy_of_shared(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Result<(), Trouble>,
    ) -> Result<PathBuf, Trouble> {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let made = self.shared.join(name);
        let is_made = self.shared.join(format!("{name}-is-made"));
        if !is_made.exists() {
            // What an attempt left that failed.
            let _ = fs::remove_dir_all(&made);
            fs::create_dir(&made).map_err(Trouble::file(&made))?;
            make(&made)?;
            fs::write(&is_made, "").map_err(Trouble::file(&is_made))?;
        }
        drop(turn);
        process::run("cp", &["-a", &format!("{}/.", made.display()), &self.data.to_string_lossy()])?;
        Ok(made)
    }
}

/// A running audit, with its directory and a lock on it. Its end removes everything.
pub struct Run {
    directory: PathBuf,
    _lock: File,
    rounds: AtomicU64,
}

impl Run {
    /// Begins an audit below this directory, and cleans up after those that were killed. Returns the directories of
    /// those, too.
    pub fn begin(base: &Path) -> Result<(Run, Vec<PathBuf>), Trouble> {
        fs::create_dir_all(base).map_err(Trouble::file(base))?;
        let mut cleaned = Vec::new();
        for entry in fs::read_dir(base).map_err(Trouble::file(base))?.flatten() {
            let directory = entry.path();
            if directory.is_dir() && lock(&directory).is_some() {
                remove(&directory);
                cleaned.push(directory);
            }
        }
        let directory = base.join(format!("run-{}", std::process::id()));
        for path in [directory.clone(), directory.join("processes"), directory.join("shared")] {
            fs::create_dir_all(&path).map_err(Trouble::file(&path))?;
        }
        let lock = lock(&directory).ok_or_else(|| {
            let error = std::io::Error::other("another audit holds it");
            Trouble::File { path: directory.clone(), error }
        })?;
        Ok((Run { directory, _lock: lock, rounds: AtomicU64::new(0) }, cleaned))
    }

    /// A new directory of its own.
    pub fn directory(&self) -> Result<PathBuf, Trouble> {
        let round = 1 + self.rounds.fetch_add(1, Ordering::Relaxed);
        let directory = self.directory.join(format!("round-{round}"));
        fs::create_dir(&directory).map_err(Trouble::file(&directory))?;
        Ok(directory)
    }

    /// A new place in this directory, on a file system of its own if that is asked for.
    pub fn place(&self, directory: &Path, on_own_file_system: bool) -> Result<Place, Trouble> {
        let own = if on_own_file_system { Some(Arc::new(OwnFileSystem::new(directory)?)) } else { None };
        let data = own.as_ref().map_or(directory, |own| own.path()).join("data");
        let [notes, shared] = ["processes", "shared"].map(|name| self.directory.join(name));
        let place = Place { data, logs: directory.join("logs"), notes, shared, own };
        for path in [&place.data, &place.logs] {
            fs::create_dir(path).map_err(Trouble::file(path))?;
        }
        Ok(place)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

/// Takes the lock of a directory. None: somebody holds it.
fn lock(directory: &Path) -> Option<File> {
    let file = File::options().create(true).append(true).open(directory.join("lock")).ok()?;
    file.try_lock().is_ok().then_some(file)
}

/// Ends what runs for this directory, unmounts what is mounted in it, and removes it.
fn remove(directory: &Path) {
    process::end_noted(&directory.join("processes"));
    disk::unmount_all(directory);
    let _ = fs::remove_dir_all(directory);
}

/// The ports that servers get. Below those that the kernel gives to clients, so that no client takes one before its server
/// does, also while that is restarted.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A TCP port of the loopback address on which nobody listens. No audit gets the same one twice before all had a turn.
pub fn free_port() -> Result<u16, Trouble> {
    static TURNS: AtomicU64 = AtomicU64::new(0);
    let count = u64::from(PORTS.end - PORTS.start);
    // Audits that run at the same time begin at different places.
    let first = u64::from(std::process::id()) * 97;
    let mut last = None;
    for _ in 0..count {
        let turn = first + TURNS.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + u16::try_from(turn % count).expect("less than the number of ports");
        match std::net::TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    Err(Trouble::file("127.0.0.1")(last.expect("there is a port")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_servers_get_one_port() {
        let ports: std::collections::BTreeSet<u16> = (0..200).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 200);
        assert!(ports.iter().all(|port| PORTS.contains(port)));
    }
}
