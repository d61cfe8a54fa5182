//! Pipelines with small bounds and their expected answers, worked out by hand. Each was once answered wrongly, or is
//! a correct neighbour of one that was.
//!
//! `expected.json` has for each: `messages` (default 2), `strongest`, a property that is `violated`, whether its
//! story is `endless`, whether the promise depends on `dead-letters`, and the `exit` code of its promise.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use delivery_model::check::Limits;
use delivery_model::pipeline::{Pipeline, Semantics};
use delivery_model::semantics::Verdict;
use delivery_proofs::verify::{Bounds, Verified, Watcher, verify};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Expected {
    messages: Option<u32>,
    strongest: Option<String>,
    violated: Option<String>,
    #[serde(default)]
    endless: bool,
    #[serde(default)]
    dead_letters: bool,
    exit: Option<u8>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn verified(pipeline: &Pipeline, messages: u32) -> Verified {
    let limits = Limits { messages, ..Limits::default() };
    let watcher = Watcher { model: &|_| true, campaign: &mut |_| true };
    verify(pipeline, Bounds { limits, whole_runs: true, schedules: 2_000, seed: 1 }, watcher)
        .expect("so few messages fit")
}

fn check(name: &str, expected: &Expected) {
    let text = std::fs::read_to_string(folder().join(format!("{name}.toml"))).expect("the case has a file");
    let pipeline = Pipeline::from_toml(&text, name).expect("the case is a pipeline");
    let verified = verified(&pipeline, expected.messages.unwrap_or(2));
    assert!(verified.model.is_complete(), "{name}: {:?}", verified.model.bounds_exceeded);
    assert!(verified.agree(), "{name}: {:?} {:?}", verified.disagreements(), verified.could_not_say());
    if let Some(strongest) = &expected.strongest {
        let found = verified.verdicts().strongest().map_or("none", Semantics::word);
        assert_eq!(found, strongest, "{name}");
    }
    let violation =
        verified.model.violations.iter().find(|it| Some(it.property.word()) == expected.violated.as_deref());
    assert_eq!(violation.is_some(), expected.violated.is_some(), "{name}: {:#?}", verified.model.violations);
    assert_eq!(violation.is_some_and(|it| !it.cycle.is_empty()), expected.endless, "{name}: {violation:#?}");
    assert_eq!(verified.model.dead_letter.is_some(), expected.dead_letters, "{name}");
    let exit = match verified.claims(&pipeline) {
        Verdict::Holds => 0,
        Verdict::Violated => 1,
        Verdict::Unknown(_) => 3,
    };
    assert_eq!(exit, expected.exit.unwrap_or(0), "{name}");
}

#[test]
fn every_case_gets_its_answer() {
    let text = std::fs::read_to_string(folder().join("expected.json")).expect("the expectations are there");
    let expected: BTreeMap<String, Expected> = serde_json::from_str(&text).expect("the expectations are well-formed");
    let files =
        std::fs::read_dir(folder()).expect("the folder is there").map(|entry| entry.expect("it is read").path());
    let pipelines = files.filter(|path| path.extension().is_some_and(|it| it == "toml")).count();
    assert_eq!(pipelines, expected.len(), "each file has an expectation");
    expected.iter().for_each(|(name, expected)| check(name, expected));
}
