//! Spec and cores offer the same steps, suffer the same faults and make the same events, along every edge of the spec.

use delivery_impls::mutant::Mutant;
use delivery_model::pipeline::{FaultBudget, Pipeline};
use delivery_model::presets;
use delivery_model::vocab::Fault;
use delivery_proofs::lockstep::walk;

fn check(pipeline: &Pipeline, messages: u32) {
    let walked = walk(pipeline, messages, Mutant::None, &mut |_, _| true).expect("so few messages fit");
    if let Some(parted) = walked.parted {
        panic!("{}: spec and cores part: {parted}", pipeline.name);
    }
    assert!(walked.complete && walked.edges >= walked.states - 1, "{}: {walked:?}", pipeline.name);
}

#[test]
fn the_references_walk_in_lockstep() {
    for name in presets::REFERENCES {
        check(&presets::named(name).expect("references are presets"), 2);
    }
}

/// Each kind of fault, alone and twice, on a pipeline that has every mechanism.
#[test]
fn every_fault_walks_in_lockstep() {
    for fault in Fault::ALL {
        let mut pipeline = presets::named("exactly-once").expect("the preset exists");
        pipeline.name = format!("exactly-once under {fault}");
        pipeline.faults = FaultBudget { total: 2, ..FaultBudget::NONE }.with(fault, 2);
        check(&pipeline, 2);
    }
}
