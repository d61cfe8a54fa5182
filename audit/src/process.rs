//! Processes of servers: started so that they end with the audit, signalled together with their children, and found again
//! by the next audit where this one was killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::clock;
use crate::trouble::Trouble;

/// How long the kernel may take to end a process that was sent SIGKILL.
const DEATH_MAX: Duration = Duration::from_secs(10);

/// How long a server may take to end by itself at the end of its round.
const FAREWELL_MAX: Duration = Duration::from_secs(3);

/// What to start.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program, by name or path.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The user to run it as; none: whoever runs the audit.
    pub user: Option<&'static str>,
    /// The signal that ends it for good, so that it takes what it has outside its directory with it.
    pub farewell: Signal,
}

/// A running server.
pub struct Process {
    child: Child,
    note: PathBuf,
}

impl Process {
    /// Starts a server. Its output is appended to `log`. A note in `notes` lets the next audit find it.
    ///
    /// The server gets SIGKILL when the calling thread ends: call this on a thread that lives as long as the audit.
    pub fn start(launch: &Launch, log: &Path, notes: &Path) -> Result<Process, Trouble> {
        let file = fs::OpenOptions::new().create(true).append(true).open(log).map_err(Trouble::file(log))?;
        let errors = file.try_clone().map_err(Trouble::file(log))?;
        // The standard library can set no death signal without unsafe code, so util-linux does.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some(user) = launch.user {
            command.args(["--reuid", user, "--regid", user, "--init-groups"]);
        }
        command.arg("--").arg(&launch.program).args(&launch.arguments);
        command.stdin(Stdio::null()).stdout(file).stderr(errors).current_dir("/");
        let child = command.spawn().map_err(|error| Trouble::Program { program: "setpriv".to_owned(), error })?;
        let note = notes.join(child.id().to_string());
        let process = Process { child, note };
        fs::write(&process.note, started_at(process.id()).unwrap_or_default()).map_err(Trouble::file(&process.note))?;
        Ok(process)
    }

    fn id(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id fits")
    }

    /// How it ended, if it ended.
    pub fn ended(&mut self) -> Option<String> {
        self.child.try_wait().ok().flatten().map(|status| status.to_string())
    }

    /// Freezes it with all its children.
    pub fn pause(&self) {
        pause(self.id());
    }

    /// Lets it go on with all its children.
    pub fn resume(&self) {
        for process in family(self.id()) {
            signal(process, Signal::CONT);
        }
    }

    /// Ends it at once with all its children.
    pub fn kill(mut self) {
        self.kill_and_wait();
    }

    /// Ends it as it wants to be ended, or at once where that takes too long.
    pub fn end(self, farewell: Signal) {
        self.end_within(farewell, FAREWELL_MAX);
    }

    /// Ends it as it wants to be ended, or at once where that takes longer than this. Returns whether it ended itself.
    pub fn end_within(mut self, farewell: Signal, limit: Duration) -> bool {
        signal(self.id(), farewell);
        self.resume();
        let ended = clock::until(limit, || self.ended().is_some());
        if !ended {
            self.kill_and_wait();
        }
        let _ = fs::remove_file(&self.note);
        ended
    }

    fn kill_and_wait(&mut self) {
        kill_family(self.id(), || {
            let _ = self.child.wait();
        });
        let _ = fs::remove_file(&self.note);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.kill_and_wait();
        }
    }
}

/// Ends the servers of an audit that was killed, by its notes.
pub fn end_noted(notes: &Path) {
    let Ok(entries) = fs::read_dir(notes) else { return };
    for entry in entries.flatten() {
        let id = entry.file_name().to_string_lossy().parse::<i32>();
        let noted = fs::read_to_string(entry.path()).ok();
        if let (Ok(id), Some(noted)) = (id, noted)
            && started_at(id).is_some_and(|started| started == noted)
        {
            kill_family(id, || {});
        }
    }
}

fn signal(process: i32, signal: Signal) {
    if let Some(process) = Pid::from_raw(process) {
        // It may have ended meanwhile, which is as good.
        let _ = kill_process(process, signal);
    }
}

/// Stops a process before its children are counted, so that none is added.
fn pause(process: i32) -> Vec<i32> {
    signal(process, Signal::STOP);
    let family = family(process);
    for &member in &family {
        signal(member, Signal::STOP);
    }
    family
}

fn kill_family(process: i32, reap: impl FnOnce()) {
    let family = pause(process);
    for &member in &family {
        signal(member, Signal::KILL);
    }
    reap();
    clock::until(DEATH_MAX, || family.iter().all(|&member| !is_alive(member)));
}

/// The process and all its descendants, itself first.
fn family(process: i32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
    let parents: Vec<(i32, i32)> = ids.filter_map(|id| Some((id, stat(id)?.parent))).collect();
    let mut family = vec![process];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        family.extend(parents.iter().filter(|it| it.1 == parent).map(|it| it.0));
        next += 1;
    }
    family
}

/// What the kernel tells of a process.
struct Stat {
    state: char,
    parent: i32,
    started: String,
}

fn stat(process: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold anything, so the fields begin after the last one.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let (state, parent) = (fields.next()?.chars().next()?, fields.next()?.parse().ok()?);
    Some(Stat { state, parent, started: fields.nth(17)?.to_owned() })
}

fn is_alive(process: i32) -> bool {
    stat(process).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// When a process was started: tells it from a later one with the same number.
fn started_at(process: i32) -> Option<String> {
    stat(process).map(|stat| stat.started)
}

/// Runs a program to its end. Returns its output.
pub fn run(program: &str, arguments: &[&str]) -> Result<String, Trouble> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let output = command.output().map_err(|error| Trouble::Program { program: program.to_owned(), error })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if !output.status.success() {
        let program = format!("{program} {}", arguments.join(" "));
        let said = text(&output.stderr);
        return Err(Trouble::Failed { program, status: output.status.to_string(), said });
    }
    Ok(text(&output.stdout))
}

/// What an installed program writes to its standard output for this argument; none if it is not installed, or fails.
pub fn said(program: &str, elsewhere: &[&str], argument: &str) -> Option<String> {
    find(program, elsewhere).and_then(|file| run(&file.to_string_lossy(), &[argument]).ok())
}

/// A program of this name in `PATH` or in one of these directories.
pub fn find(program: &str, elsewhere: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).chain(elsewhere.iter().map(PathBuf::from)).collect();
    places.into_iter().map(|place| place.join(program)).find(|file| file.is_file())
}
