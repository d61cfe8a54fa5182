//! The table of races in the documentation, which every exploration must agree with: `docs/races.md`.
//!
//! `UPDATE_EXPECT=1 cargo test -p delivery-loom` writes what the explorations found.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What an exploration found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The assertion that a broken part fails by; none, where the part is sound and everything holds.
    pub complaint: Option<String>,
    /// How many runs it took: all there are, where everything holds; else the one that failed is the last.
    pub runs: u64,
}

const HEAD: &str = "\
<!-- Made by `UPDATE_EXPECT=1 cargo test -p delivery-loom`; its tests keep it true. -->

# Races under loom

Each race is explored in every interleaving of its threads with at most three preemptions, on the files of
[`impls/src/shared`](../impls/src/shared/mod.rs) that ship. Where a step is broken on purpose, a run must fail by the assertion that
names the mistake: these are the seeded bugs of what threads share, beside [those of the cores](kill-matrix.md). The broken steps,
and what each mistake is, stand in the test of the same name under `proofs/loom/tests`. A twin whose threads wait for ever ends
loom's process, so it runs in a process of its own and has no row: `work_queue.rs` has four.

| race | caught by | runs |
|---|---|---|
";

/// Explorations of one process come one after the other.
static TURN: Mutex<()> = Mutex::new(());

/// The rows of the table, by the names of the races.
///
/// # Panics
/// If the table is not there, or is none.
pub fn rows() -> BTreeMap<String, Found> {
    let page = fs::read_to_string(path()).expect("the table of races is in the docs");
    let cells = |line: &str| line.split(" | ").map(|cell| cell.trim_matches(['|', ' ']).to_owned()).collect::<Vec<_>>();
    let row = |cells: Vec<String>| {
        let [name, complaint, runs] = cells.try_into().expect("three cells a row");
        let complaint = Some(complaint).filter(|complaint| complaint != HOLDS);
        (name, Found { complaint, runs: runs.parse().expect("a number of runs") })
    };
    page.lines().skip(HEAD.lines().count()).map(|line| row(cells(line))).collect()
}

const HOLDS: &str = "holds";

/// Holds what was found against the table.
pub(crate) fn check(name: &str, found: Found) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut rows = if path().exists() { rows() } else { BTreeMap::new() };
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        rows.insert(name.to_owned(), found);
        fs::write(path(), page(&rows)).expect("the docs can be written");
    } else {
        let remedy = "docs/races.md differs; `UPDATE_EXPECT=1 cargo test -p delivery-loom` writes it anew";
        assert_eq!(rows.get(name), Some(&found), "{name}: {remedy}");
    }
}

fn page(rows: &BTreeMap<String, Found>) -> String {
    let line = |(name, found): (&String, &Found)| {
        format!("| {name} | {} | {} |\n", found.complaint.as_deref().unwrap_or(HOLDS), found.runs)
    };
    HEAD.chars().chain(rows.iter().map(line).collect::<String>().chars()).collect()
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/races.md")
}
