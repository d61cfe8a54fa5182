//! `mutants`: every seeded bug is caught by the property that is named for it.

use std::collections::BTreeSet;

use delivery_model::semantics::PropertyId;
use delivery_proofs::mutants::Mutant;
use serde_json::Value;

use crate::common::{delivery_in, place};

#[test]
fn every_seeded_bug_is_caught_by_name() {
    let here = place(&[]);
    let ended = delivery_in(here.path(), &["mutants", "--json"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let told = ended.json();
    let names: Vec<&str> = told.iter().map(|it| it["mutant"].as_str().unwrap()).collect();
    assert_eq!(names, Mutant::ALL.map(|mutant| format!("{mutant:?}")));
    let mut broken = BTreeSet::new();
    for it in &told {
        assert_eq!(it["caught"], true, "{it}");
        assert!(it["breaks"].as_array().unwrap().contains(&it["property"]), "{it}");
        broken.extend(it["breaks"].as_array().unwrap().iter().filter_map(Value::as_str));
    }
    let all = PropertyId::ALL.iter().map(|property| property.word());
    assert_eq!(broken, all.collect(), "every property is broken by a seeded bug");
}

#[test]
fn a_seeded_bug_is_hunted_by_its_name_and_tells_the_race_that_is_the_same_mistake() {
    let here = place(&[]);
    let ended = delivery_in(here.path(), &["mutants", "ackbeforesync", "GapAccepted", "AckBeforeSync"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(
        ended.out.contains("under loom, the same mistake: group_sync: group sync, claims too much"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("2 seeded bugs caught in the simulation; none survives"), "{}", ended.out);
}
