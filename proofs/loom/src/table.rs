//! The table of races, which every exploration must agree with: `proofs/src/kill_matrix/races.txt`, from where the kill matrix
//! reads it, and `docs/races.md`, the same as a page.
//!
//! `UPDATE_EXPECT=1 cargo test -p delivery-loom` writes what the explorations found into both.

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

const DATA: &str = "../src/kill_matrix/races.txt";
const PAGE: &str = "../../docs/races.md";
/// The first line of the data.
const TITLES: &str = "race | caught by | runs\n";

/// The rows of the table, by the names of the races.
///
/// # Panics
/// If the table is not there, or is none.
pub fn rows() -> BTreeMap<String, Found> {
    let data = fs::read_to_string(path(DATA)).expect("the table of races is among the sources");
    let cells = |line: &str| line.split(" | ").map(str::to_owned).collect::<Vec<_>>();
    let row = |cells: Vec<String>| {
        let [name, complaint, runs] = cells.try_into().expect("three cells a row");
        let complaint = Some(complaint).filter(|complaint| complaint != HOLDS);
        (name, Found { complaint, runs: runs.parse().expect("a number of runs") })
    };
    data.lines().skip(TITLES.lines().count()).map(|line| row(cells(line))).collect()
}

/// Whether the page in the documentation says the same as the data.
///
/// # Panics
/// If there is no page.
pub fn is_page_true() -> bool {
    fs::read_to_string(path(PAGE)).expect("the page is in the docs") == page(&rows())
}

const HOLDS: &str = "holds";

/// Holds what was found against the table.
pub(crate) fn check(name: &str, found: Found) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut rows = if path(DATA).exists() { rows() } else { BTreeMap::new() };
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        rows.insert(name.to_owned(), found);
        fs::write(path(DATA), data(&rows)).expect("the sources can be written");
        fs::write(path(PAGE), page(&rows)).expect("the docs can be written");
    } else {
        let remedy = "the table of races differs; `UPDATE_EXPECT=1 cargo test -p delivery-loom` writes it anew";
        assert_eq!(rows.get(name), Some(&found), "{name}: {remedy}");
    }
}

fn data(rows: &BTreeMap<String, Found>) -> String {
    let line = |row| format!("{}\n", cells(row));
    TITLES.to_owned() + &rows.iter().map(line).collect::<String>()
}

fn page(rows: &BTreeMap<String, Found>) -> String {
    let line = |row| format!("| {} |\n", cells(row));
    HEAD.to_owned() + &rows.iter().map(line).collect::<String>()
}

fn cells((name, found): (&String, &Found)) -> String {
    format!("{name} | {} | {}", found.complaint.as_deref().unwrap_or(HOLDS), found.runs)
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}
