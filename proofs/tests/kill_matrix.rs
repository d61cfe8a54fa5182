//! No seeded bug survives, in any world in which it can show; and the page that says so is true.
//!
//! `UPDATE_EXPECT=1 cargo test -p delivery-proofs --test kill_matrix` writes the page anew.

use delivery_model::vocab::Fault;
use delivery_proofs::kill_matrix::{InRealRuns, RUNS_MAX, Row, in_real_runs, markdown, row, states_until_broken};
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
    expect_file!["../../docs/kill-matrix.md"].assert_eq(&markdown(&rows));
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

/// A few of each party. `delivery mutants --real` runs them all.
#[test]
fn a_seeded_bug_is_caught_in_a_real_run_in_which_sound_cores_keep_the_property() {
    let sample = [
        Mutant::RetryUnderNewIdentity,
        Mutant::GivesUpOnRefusal,
        Mutant::FailedStoreAcked,
        Mutant::RowNotWritten,
        Mutant::LostSettleTakenForOk,
        Mutant::InboxNotAsked,
    ];
    for bug in sample {
        let in_real_runs = |steps| in_real_runs(bug, steps, &|| true).expect("the runs end");
        let found = in_real_runs(bug);
        assert!(matches!(found, InRealRuns::Killed { .. }), "{bug:?}: {found:?}");
        assert_eq!(
            in_real_runs(Mutant::None),
            InRealRuns::Kept { runs: RUNS_MAX },
            "{bug:?}: sound cores break it too"
        );
    }
}

#[test]
fn a_bug_whose_fault_no_driver_injects_is_not_run_for_real() {
    let found = in_real_runs(Mutant::LeaseUnchecked, Mutant::LeaseUnchecked, &|| true).expect("nothing is run");
    assert_eq!(found, InRealRuns::NotInjected(Fault::LeaseExpiry));
}
