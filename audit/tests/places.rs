//! An audit that was killed leaves a directory that nobody has locked: the next one ends what it left, and nothing else.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command};

use delivery_audit::disk::{OwnFileSystem, power_can_be_lost};
use delivery_audit::place::Run;

fn child() -> Child {
    Command::new("sleep").arg("1000").spawn().expect("it starts")
}

/// When the kernel says that the process was started.
fn started(child: &Child) -> String {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("it runs");
    stat.rsplit_once(") ").expect("a name").1.split(' ').nth(19).expect("a field").to_owned()
}

/// The directory of an audit that was killed and noted this process.
fn leftover(base: &Path, name: &str, child: &Child, started: &str) -> std::path::PathBuf {
    let directory = base.join(name);
    fs::create_dir_all(directory.join("processes")).expect("a directory");
    fs::write(directory.join("lock"), "").expect("a lock");
    fs::write(directory.join("processes").join(child.id().to_string()), started).expect("a note");
    directory
}

#[test]
fn a_server_of_a_killed_audit_is_ended_and_a_process_that_took_its_number_is_not() {
    let base = tempfile::tempdir().expect("a directory");
    let (mut server, mut other) = (child(), child());
    let theirs = leftover(base.path(), "run-1", &server, &started(&server));
    let numbered = leftover(base.path(), "run-2", &other, "12345");
    let (run, mut cleaned) = Run::begin(base.path()).expect("it begins");
    cleaned.sort();
    assert_eq!(cleaned, [theirs.clone(), numbered.clone()]);
    assert!(!theirs.exists() && !numbered.exists());
    assert!(other.try_wait().expect("it can be asked").is_none(), "it is somebody else's");
    other.kill().expect("it runs");
    other.wait().expect("it ended");
    assert!(!server.wait().expect("it ended").success());
    drop(run);
    assert_eq!(fs::read_dir(base.path()).expect("it is there").count(), 0, "the end removes the audit's own directory");
}

#[test]
fn the_directory_of_a_running_audit_stays() {
    let base = tempfile::tempdir().expect("a directory");
    let (first, _) = Run::begin(base.path()).expect("it begins");
    let directory = first.directory().expect("a directory");
    // Another process would have another directory; here both have the same one, which the first has locked.
    assert!(Run::begin(base.path()).is_err());
    assert!(directory.exists());
}

#[test]
fn what_a_killed_audit_mounted_is_unmounted() {
    let base = tempfile::tempdir().expect("a directory");
    let tried = base.path().join("tried");
    fs::create_dir(&tried).expect("a directory");
    if let Err(why) = power_can_be_lost(&tried) {
        let _ = writeln!(std::io::stderr(), "left out: the mounts of a killed audit: {why}");
        return;
    }
    let mut none = child();
    none.kill().expect("it runs");
    none.wait().expect("it ended");
    let directory = leftover(base.path(), "run-1", &none, "12345");
    let mounted = OwnFileSystem::new(&directory).expect("it is mounted");
    let place = mounted.path().to_owned();
    std::mem::forget(mounted);
    let is_mounted = || {
        let mounts = fs::read_to_string("/proc/self/mounts").expect("Linux tells");
        mounts.contains(&*place.to_string_lossy())
    };
    assert!(is_mounted());
    drop(Run::begin(base.path()).expect("it begins"));
    assert!(!is_mounted() && !directory.exists());
}
