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

#[test]
fn guided_search_is_compared_with_unguided() {
    let here = place(&[]);
    let ended = delivery_in(here.path(), &["mutants", "--guided", "--json", "RowNotWritten", "AckBeforeSync"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let found = ended.json();
    assert_eq!(found.len(), 2);
    for hunt in &found {
        let [unguided, guided] = ["unguided", "guided"].map(|it| hunt[it]["median"].as_u64().expect("it is found"));
        assert!(unguided > 0 && guided > 0, "{hunt}");
    }
    let told = delivery_in(here.path(), &["mutants", "--guided", "RowNotWritten"]).out;
    assert!(told.contains("schedules until the property is broken, of at most 2,000"), "{told}");
    let page = delivery_in(here.path(), &["mutants", "--guided", "--markdown", "RowNotWritten"]);
    assert_eq!(page.code, 2, "a page is of all bugs: {}", page.out);
}
