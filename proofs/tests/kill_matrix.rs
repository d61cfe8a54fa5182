//! No seeded bug survives, in any world in which it can show; and the page that says so is true.
//!
//! `UPDATE_EXPECT=1 cargo test -p delivery-proofs --test kill_matrix` writes the page anew.

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use delivery_model::semantics::{PropertyId, PropertySet};
use delivery_model::vocab::Fault;
use delivery_proofs::kill_matrix::{
    ForReal, InRealRuns, RUNS_MAX, Row, for_real, in_real_runs, markdown, row, states_until_broken,
};
use delivery_proofs::mutants::Mutant;
use delivery_proofs::simulation::kill_schedules::kill_schedule;
use expect_test::expect_file;

/// What no event tells: the spec knows of no bytes.
const UNSEEN_BY_LOCKSTEP: [Mutant; 1] = [Mutant::PayloadBufferReused];

#[test]
fn no_seeded_bug_survives_and_the_page_in_the_docs_says_what_each_cost() {
    let rows: Vec<Row> = Mutant::ALL.into_iter().map(|mutant| row(mutant, &|| true)).collect();
    for row in &rows {
        assert!(!row.mutant.source().is_empty(), "{:?} names no source", row.mutant);
        assert!(row.caught.is_some(), "{:?} survives its kill schedule", row.mutant);
        assert_eq!(row.parted.is_none(), UNSEEN_BY_LOCKSTEP.contains(&row.mutant), "{row:?}");
        assert!(row.twin.as_ref().is_none_or(|twin| twin.states.is_some()), "the twin keeps the property: {row:?}");
    }
    let broken = rows.iter().filter_map(|row| row.caught.as_ref()).map(|caught| caught.broken);
    let broken = broken.fold(PropertySet::EMPTY, |all, broken| all | broken);
    let idle: Vec<PropertyId> = PropertyId::ALL.iter().copied().filter(|it| !broken.contains(*it)).collect();
    assert_eq!(idle, [], "no seeded bug breaks these");
    expect_file!["../../docs/kill-matrix.md"].assert_eq(&markdown(&rows));
}

/// A step that no bug replaces is not needed.
#[test]
fn every_step_of_the_cores_is_replaced_by_a_seeded_bug() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let functions = |path: &str| -> Vec<String> {
        let text = fs::read_to_string(root.join(path)).expect("the file is there");
        let name = |rest: &str| rest.split(['(', '<']).next().expect("a function has a name").to_owned();
        text.lines().filter_map(|line| line.strip_prefix("    fn ")).map(name).collect()
    };
    for party in ["producer", "broker", "consumer"] {
        let steps = functions(&format!("impls/src/core/steps/{party}.rs"));
        let replaced = functions(&format!("proofs/src/mutants/{party}.rs"));
        assert!(!steps.is_empty());
        let sound: Vec<&String> = steps.iter().filter(|step| !replaced.contains(step)).collect();
        assert!(sound.is_empty(), "the {party}'s steps that no bug replaces: {sound:?}");
    }
}

/// Else the twin would show nothing: it is the changed setting that breaks the property.
#[test]
fn without_the_setting_of_its_twin_a_pipeline_keeps_the_property_in_the_model() {
    let breaks = |mutant: &Mutant| {
        let kill = kill_schedule(*mutant).expect("every bug has a kill schedule");
        kill.twin.is_some() && states_until_broken(&kill, &kill.schedule.pipeline, &|| true).is_some()
    };
    let broken: Vec<Mutant> = Mutant::ALL.into_iter().filter(breaks).collect();
    assert_eq!(broken, [], "their properties are broken without the settings of their twins");
}

fn is_killed_for_real(bug: &Mutant) -> bool {
    matches!(for_real(*bug), ForReal::Killed(_))
}

/// Looks at each bug that real runs kill, a few at a time: such a run waits for disks and time-outs, and computes little.
fn each_killed_for_real(look: impl Fn(Mutant) + Sync) {
    let bugs = Mutex::new(Mutant::ALL.into_iter().filter(is_killed_for_real));
    let look_at_some = || {
        while let Some(bug) = { bugs.lock().expect("nobody panics with it").next() } {
            look(bug);
        }
    };
    thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(look_at_some))));
}

/// The order of threads differs: a bug gets more runs than `delivery mutants --real` gives it.
#[test]
fn the_page_calls_killed_what_real_runs_catch() {
    each_killed_for_real(|bug| {
        let mut tries = (0..4).map(|_| in_real_runs(bug, bug, &|| true).expect("the runs end"));
        assert!(tries.any(|found| matches!(found, InRealRuns::Killed { .. })), "{bug:?} is not caught");
    });
}

#[test]
fn sound_cores_keep_the_property_in_the_real_runs_that_catch_a_bug() {
    each_killed_for_real(|bug| {
        let found = in_real_runs(bug, Mutant::None, &|| true).expect("the runs end");
        assert_eq!(found, InRealRuns::Kept { runs: RUNS_MAX }, "{bug:?}: sound cores break it too");
    });
}

#[test]
fn a_bug_whose_fault_no_driver_injects_is_not_run_for_real() {
    let found = in_real_runs(Mutant::LeaseUnchecked, Mutant::LeaseUnchecked, &|| true).expect("nothing is run");
    assert_eq!(found, InRealRuns::NotInjected(Fault::LeaseExpiry));
}
