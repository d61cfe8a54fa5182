//! Small histories with the verdicts that they must get, worked out by hand: records that contradict themselves, and
//! their legal neighbours. `expected.json` says why.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use delivery_model::history::{History, ReadOptions};
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::{PropertyId, Question, judge};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[allow(dead_code, reason = "for the reader of the file")]
    why: String,
    verdicts: BTreeMap<String, String>,
    violated: Vec<String>,
    /// Contradictions by which something is unknown.
    #[serde(default)]
    contradictions: usize,
    /// Contradictions by which no verdict changes.
    #[serde(default)]
    notes: usize,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/histories")
}

fn check(name: &str, expected: &Expected) {
    let file = File::open(folder().join(format!("{name}.jsonl"))).expect("the case has a file");
    let history = History::read(BufReader::new(file), ReadOptions::default()).expect("the case is a history");
    let judgement = judge(&history, Question::default());
    let verdicts = Semantics::ALL.map(|it| (it.word().to_owned(), judgement.verdicts.of(it).word().to_owned()));
    assert_eq!(BTreeMap::from(verdicts), expected.verdicts, "{name}");
    let violated: Vec<&str> = judgement.violated().iter().map(PropertyId::word).collect();
    assert_eq!(violated, expected.violated, "{name}");
    let notes = judgement.contradictions.iter().filter(|it| it.is_note).count();
    let others = judgement.contradictions.len() - notes;
    assert_eq!((others, notes), (expected.contradictions, expected.notes), "{name}: {:#?}", judgement.contradictions);
    for contradiction in &judgement.contradictions {
        assert!(!contradiction.lines.is_empty(), "{name}: {contradiction:?} has no lines");
    }
}

#[test]
fn every_case_gets_its_verdicts() {
    let text = std::fs::read_to_string(folder().join("expected.json")).expect("the expectations are there");
    let expected: BTreeMap<String, Expected> = serde_json::from_str(&text).expect("the expectations are well-formed");
    let files =
        std::fs::read_dir(folder()).expect("the folder is there").map(|entry| entry.expect("it is read").path());
    let histories = files.filter(|path| path.extension().is_some_and(|it| it == "jsonl")).count();
    assert_eq!(histories, expected.len(), "each file has an expectation");
    expected.iter().for_each(|(name, expected)| check(name, expected));
}
