//! Conformance of single parties: the shipped ones keep every behaviour that their settings promise, and seeded bugs break
//! the one that they are about.

use delivery_model::pipeline::{Delivers, Pipeline};
use delivery_model::presets;
use delivery_model::vocab::Fault;
use delivery_proofs::conformance::behaviour::{self, Checked};
use delivery_proofs::mutants::Mutant;
use delivery_proofs::party::shipped::{self, Effects};

fn all(pipeline: &Pipeline, mutant: Mutant) -> Vec<Checked> {
    let mut checked = behaviour::broker(pipeline, shipped::broker_with(pipeline, mutant));
    checked.extend(behaviour::consumer(pipeline, shipped::consumer_with::<Effects, Mutant>(pipeline, mutant)));
    checked
}

#[test]
fn shipped_parties_keep_what_every_preset_promises() {
    let mut asked: Vec<&str> = Vec::new();
    for (name, _) in presets::ALL {
        let pipeline = presets::named(name).expect("it exists");
        for checked in all(&pipeline, Mutant::None) {
            assert!(!checked.is_broken(), "{name}: {checked}");
            asked.extend(checked.result.is_some().then_some(checked.name));
        }
    }
    let never = all(&Pipeline::default(), Mutant::None).into_iter().filter(|checked| !asked.contains(&checked.name));
    assert_eq!(never.map(|checked| checked.name).collect::<Vec<_>>(), [""; 0], "asked of no preset");
}

#[test]
fn a_seeded_bug_breaks_the_behaviour_that_it_is_about() {
    let check = |mutant, change: fn(&mut Pipeline), broken: &[&str]| {
        let mut pipeline = presets::named("exactly-once").expect("it exists");
        change(&mut pipeline);
        let sound: Vec<_> = all(&pipeline, Mutant::None).into_iter().filter(Checked::is_broken).collect();
        assert_eq!(sound, [], "{mutant:?}");
        let found = all(&pipeline, mutant).into_iter().filter(Checked::is_broken).map(|checked| checked.name);
        assert_eq!(found.collect::<Vec<_>>(), broken, "{mutant:?}");
    };
    let as_it_is = |_: &mut Pipeline| {};
    check(Mutant::AckBeforeSync, as_it_is, &["what was acked outlives a crash"]);
    check(Mutant::DedupNotRebuilt, as_it_is, &["a retry after a restart is stored once"]);
    check(Mutant::FencingSkipped, as_it_is, &["an older incarnation of the producer is fenced off"]);
    check(Mutant::LeaseUnchecked, as_it_is, &["a stale settle is refused, and changes nothing"]);
    check(Mutant::SettleNotPersisted, as_it_is, &["what was settled does not come again after a restart"]);
    check(Mutant::SettleBeforeEffect, as_it_is, &["the effect comes before the settle"]);
    // Where a rewind may come nothing is dropped; else the record leaves with its first hand-off, and that hides the bug.
    let once = |it: &mut Pipeline| {
        it.broker.delivers = Delivers::Once;
        it.faults = it.faults.with(Fault::Rewind, 1);
    };
    check(Mutant::HandOffNotPersisted, once, &["what is handed off once is not handed off again"]);
    let twice = |it: &mut Pipeline| it.broker.max_deliveries = 2;
    check(Mutant::DeadLetterLate, twice, &["what fails too often is set aside"]);
}
