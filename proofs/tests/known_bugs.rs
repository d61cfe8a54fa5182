//! Two known stories that no setting tells, because they are bugs: the cores have them seeded, drawn schedules find them,
//! and shrinking leaves the story. The others are told by the model, in `model/tests/stories/known.rs`.

use delivery_model::pipeline::{FaultBudget, Identity, Pipeline};
use delivery_model::presets;
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::Fault;
use delivery_proofs::mutants::Mutant;
use delivery_proofs::simulation::campaign::{CampaignReport, campaign};

/// How many schedules are drawn; the rarer bug is found within a tenth of them.
const SCHEDULES: u32 = 2_000;

fn drawn(pipeline: &Pipeline, mutant: Mutant) -> CampaignReport {
    campaign(pipeline, mutant, SCHEDULES, 1, &mut |_| true)
}

/// Where only this fault may strike, once, the cores with the bug lose a submitted message, by a story that needs it, and
/// those without the bug keep all.
fn check(mutant: Mutant, fault: Fault, change: fn(&mut Pipeline)) {
    let mut pipeline = presets::named("exactly-once").expect("a reference");
    pipeline.faults = FaultBudget::NONE.with(fault, 1);
    change(&mut pipeline);
    let sound = drawn(&pipeline, Mutant::None);
    assert!(sound.fired[fault as usize] > u64::from(SCHEDULES / 10), "{fault} hardly ever strikes");
    assert!(!sound.broken.contains(PropertyId::SubmittedNotLost), "sound cores lose as well");
    let report = drawn(&pipeline, mutant);
    let story = report.counterexamples.iter().find(|found| found.property == PropertyId::SubmittedNotLost);
    let schedule = &story.expect("the bug is found").schedule;
    let struck: Vec<Fault> = schedule.faults.iter().map(|planned| planned.fault).collect();
    assert_eq!(struck, [fault], "{schedule:?}");
}

/// A write fails after its sequence number was noted as seen; its retry is taken for a duplicate and confirmed, and the
/// message is nowhere (Pulsar issue 5218).
#[test]
fn a_sequence_number_recorded_before_its_message_is_stored_loses() {
    check(Mutant::SeenBeforeStored, Fault::PublishRefused, |_| {});
}

/// Of two messages on their way the first fails and the second lands. Without a check for gaps the retry of the first is
/// older than the last number seen, and so taken for a duplicate.
#[test]
fn older_than_the_last_taken_for_seen_loses_under_reordering() {
    let pipelined = |it: &mut Pipeline| {
        it.producer.in_flight = 2;
        assert_eq!(it.producer.identity, Identity::Sequence);
    };
    check(Mutant::GapAccepted, Fault::PublishReordered, pipelined);
}
