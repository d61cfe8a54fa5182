//! Running of the command, and inspection of its results.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// The `delivery` command that was built for these tests, on a wide terminal: what is said is tested apart from how it is
/// wrapped.
pub fn delivery() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_delivery"));
    command.stdin(Stdio::null()).env("NO_COLOR", "1").env("COLUMNS", "160");
    command
}

/// The output of the command, and its exit code.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// The JSON objects of the output, one a line.
    pub fn json(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }
}

/// Runs the command in a directory to its end.
pub fn delivery_in(directory: &Path, arguments: &[&str]) -> Ended {
    ended(delivery().current_dir(directory).args(arguments).output().expect("it starts"))
}

/// Runs the command in a directory to its end, on a terminal of so many columns, or where the columns are not known.
pub fn delivery_in_columns(directory: &Path, columns: Option<&str>, arguments: &[&str]) -> Ended {
    let mut command = delivery();
    match columns {
        Some(columns) => command.env("COLUMNS", columns),
        None => command.env_remove("COLUMNS"),
    };
    ended(command.current_dir(directory).args(arguments).output().expect("it starts"))
}

pub fn ended(output: Output) -> Ended {
    let text = |bytes| String::from_utf8(bytes).expect("it prints UTF-8");
    Ended { code: output.status.code().expect("it was not killed"), out: text(output.stdout), err: text(output.stderr) }
}

/// A temporary directory with these files.
pub fn place(files: &[(&str, &str)]) -> TempDir {
    let place = tempfile::tempdir().expect("a directory of its own");
    for (name, text) in files {
        std::fs::write(place.path().join(name), text).expect("a file in it");
    }
    place
}

/// The names of the entries of a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("it is there");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The sample files with the verdicts that they must get.
pub fn samples(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/samples").join(kind)
}

pub fn expected(kind: &str) -> Value {
    let text = std::fs::read_to_string(samples(kind).join("expected.json")).expect("the samples are there");
    serde_json::from_str(&text).expect("they are well-formed")
}

/// The number of looks, which is enough for a start on a loaded machine.
const LOOKS_MAX: u32 = 6_000;
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks again and again until it is so.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    assert!(
        (0..LOOKS_MAX).any(|_| is_so() || {
            thread::park_timeout(LOOK_EVERY);
            false
        }),
        "{what}"
    );
}

/// Sends a signal to the command, such as "INT".
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", child.id())).status();
    assert!(sent.expect("a shell").success());
}
