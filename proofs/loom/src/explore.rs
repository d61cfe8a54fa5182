//! Running a loom model so that its pass means something.
//!
//! Loom ends a run as a pass when a limit from the environment is reached, and passes as well when the race that the
//! test is about never happened. So limits are set here, none that cuts a run short; what the runs saw is noted outside of the
//! model; and a test says what must have been seen.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Write, stderr};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::table::{self, Found};

/// Races of a few threads show within so many preemptions; without a bound a test takes minutes for the same answer.
pub const PREEMPTIONS_MAX: usize = 3;
/// Thread switches in one run. A run that needs more panics: none of these loops for ever.
const SWITCHES_MAX: usize = 10_000;

/// How the runs of an exploration ended: each way with its number of runs.
///
/// Not loom's: its lock is invisible to the model, so noting adds no interleaving.
#[derive(Clone, Debug, Default)]
pub struct Seen(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Seen {
    /// This run ended this way. Once a run.
    pub fn note(&self, way: &'static str) {
        *self.lock().entry(way).or_default() += 1;
    }

    fn runs(&self) -> u64 {
        self.lock().values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the threads of a model pass through between their calls, so that loom tries the calls in every order.
///
/// Loom 0.7 finds a race of a write with the *last* access of an atomic only. Where a thread reads, a second thread
/// reads and then writes, the second one's own read hides the first one's, and the order "write, then the first read"
/// is never tried. Two passages always race, and, being relaxed, order nothing that the calls do.
#[derive(Clone, Debug)]
pub struct Turnstile(loom::sync::Arc<loom::sync::atomic::AtomicU64>);

impl Turnstile {
    /// One for each run, made inside the model.
    #[expect(clippy::new_without_default, reason = "loom's objects exist in a run only, a default promises more")]
    pub fn new() -> Turnstile {
        Turnstile(loom::sync::Arc::new(loom::sync::atomic::AtomicU64::new(0)))
    }

    /// Before each call of a thread.
    pub fn pass(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Explores every interleaving of a model that must hold, and requires that its runs ended in exactly these ways, and that
/// the table of races says so.
#[track_caller]
pub fn holds(name: &str, ways: &[&'static str], model: impl Fn(&Seen) + Send + Sync + 'static) {
    let (seen, started) = (Seen::default(), Arc::new(AtomicU64::new(0)));
    let (noted, counted) = (seen.clone(), Arc::clone(&started));
    builder().check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model(&noted);
    });
    let runs = seen.runs();
    report(name, &format!("holds in {runs} runs: {:?}", seen.lock()));
    assert_eq!(started.load(Ordering::Relaxed), runs, "{name}: each run says once how it ended");
    let ended: BTreeSet<_> = seen.lock().keys().copied().collect();
    assert_eq!(ended, ways.iter().copied().collect(), "{name}: the ways in which the runs ended");
    table::check(&race(name), Found { complaint: None, runs });
}

/// Explores a model whose code is broken, and requires that a run fails by the assertion that says `complaint`, and that the
/// table of races says so.
#[track_caller]
pub fn is_caught(name: &str, complaint: &str, model: impl Fn(&Seen) + Send + Sync + 'static) {
    let seen = Seen::default();
    let noted = seen.clone();
    let exploration = catch_unwind(AssertUnwindSafe(|| builder().check(move || model(&noted))));
    let runs = seen.runs();
    let Err(panic) = exploration else { panic!("{name}: not caught in {runs} runs, all there are") };
    let message = message(panic.as_ref());
    assert!(message.contains(complaint), "{name}: expected \"{complaint}\", caught by another assertion: {message}");
    report(name, &format!("caught after {runs} runs: {complaint}"));
    table::check(&race(name), Found { complaint: Some(complaint.to_owned()), runs: runs + 1 });
}

/// The race's name in the table: that of the test's file, and its own.
#[track_caller]
fn race(name: &str) -> String {
    let file = Path::new(Location::caller().file()).file_stem().expect("a test has a file");
    format!("{}: {name}", file.to_string_lossy())
}

fn builder() -> loom::model::Builder {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS_MAX);
    builder.max_branches = SWITCHES_MAX;
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.checkpoint_file = None;
    builder
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

/// One line an exploration, past the test runner's capture: the numbers are the result.
fn report(name: &str, result: &str) {
    let line = format!("loom, at most {PREEMPTIONS_MAX} preemptions: {name}: {result}\n");
    // In one write, so that tests that run at once do not mix their lines. A closed stream must not fail a proof.
    let _ = stderr().write_all(line.as_bytes());
}
