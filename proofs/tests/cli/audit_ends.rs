//! The end of an audit by Ctrl-C or SIGKILL: no server, no mount and no directory is left.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::common::{delivery, ended, place, signal, wait_until};

/// The number of servers whose arguments name this directory.
fn servers(base: &Path) -> usize {
    let base = base.to_string_lossy().into_owned();
    let is_server = |entry: &fs::DirEntry| {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&arguments).into_owned();
        words.contains("redis-server") && (words.contains(&base) || says(&entry.path(), &base))
    };
    fs::read_dir("/proc").expect("Linux").flatten().filter(is_server).count()
}

/// Redis rewrites its arguments; its open files name the directory, too.
fn says(process: &Path, base: &str) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).any(|file| file.to_string_lossy().starts_with(base))
}

fn mounts(base: &Path) -> usize {
    let mounts = fs::read_to_string("/proc/self/mounts").expect("Linux");
    mounts.lines().filter(|line| line.contains(&*base.to_string_lossy())).count()
}

fn runs(base: &Path) -> usize {
    fs::read_dir(base.join("delivery-audit")).map_or(0, |entries| entries.flatten().count())
}

fn start(base: &Path) -> Child {
    let mut command = delivery();
    command.args(["audit", "redis/always", "--faults", "kill,power", "--rounds", "100", "--jobs", "2"]);
    command.env("TMPDIR", base).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

/// Whether this machine has what the tests need; what it lacks is told on the terminal.
fn can_audit() -> bool {
    ["redis-server", "setpriv"].iter().all(|program| {
        let there = std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|it| it.join(program).is_file()));
        if !there {
            let _ = writeln!(std::io::stderr(), "left out: the end of an audit: {program} is not installed");
        }
        there
    })
}

#[test]
fn ctrl_c_leaves_nothing() {
    if !can_audit() {
        return;
    }
    let base = place(&[]);
    let mut child = start(base.path());
    wait_until("a server runs", || servers(base.path()) > 0);
    signal(&child, "INT");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert_eq!((servers(base.path()), mounts(base.path()), runs(base.path())), (0, 0, 0));
}

#[test]
fn a_kill_leaves_no_server_and_the_next_audit_cleans_up_the_rest() {
    if !can_audit() {
        return;
    }
    let base = place(&[]);
    let mut child = start(base.path());
    wait_until("a server runs", || servers(base.path()) > 0);
    signal(&child, "KILL");
    assert_eq!(child.wait().expect("it ends").code(), None);
    wait_until("the servers end with it", || servers(base.path()) == 0);
    assert_eq!(runs(base.path()), 1);
    let mut next = delivery();
    next.args(["audit", "redis/always", "--faults", "consumer-crash", "--rounds", "1", "--messages", "20"]);
    let told = ended(next.env("TMPDIR", base.path()).output().expect("it starts"));
    assert!(told.err.contains("cleaned up after an audit that was killed"), "{}", told.err);
    assert_eq!(told.code, 0, "{}", told.out);
    assert_eq!((servers(base.path()), mounts(base.path()), runs(base.path())), (0, 0, 0));
}
