//! The files of `docs/formats` beside what is generated. `cargo xtask formats` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use delivery_model::history::{History, ReadOptions};
use delivery_model::reference::{Document, documents};
use delivery_model::semantics::{Question, Verdict, judge};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats")
}

#[test]
fn every_file_of_the_reference_is_as_the_sources_make_it() {
    let is_update = std::env::var_os("UPDATE_EXPECT").is_some();
    for Document { name, text } in documents() {
        let path = folder().join(name);
        if is_update {
            fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        } else {
            let found = fs::read_to_string(&path).unwrap_or_default();
            assert!(found == text, "docs/formats/{name} is not what the sources make of it; run `cargo xtask formats`");
        }
    }
}

#[test]
fn no_other_file_lies_in_the_folder() {
    let names: Vec<_> = documents().iter().map(|document| document.name).collect();
    for entry in fs::read_dir(folder()).expect("docs/formats is there") {
        let name = entry.expect("the entry is readable").file_name();
        assert!(name == "README.md" || names.iter().any(|known| name == *known), "docs/formats/{name:?} is stale");
    }
}

/// The page's examples, as they stand there, with how a loss of the one acked message is judged in each.
#[test]
fn the_examples_of_the_history_page_are_read_and_judged() {
    let page = documents().into_iter().find(|document| document.name == "history.md").expect("it is generated");
    let blocks: Vec<&str> = page.text.split("```\n").skip(1).step_by(2).collect();
    let losses = blocks.iter().map(|block| {
        let history = History::read(block.as_bytes(), ReadOptions::default()).unwrap_or_else(|error| panic!("{error}"));
        let judgement = judge(&history, Question::default());
        assert_eq!(judgement.duplicates(), 0, "{block}");
        judgement.findings.iter().find(|finding| finding.property.word() == "acked-not-lost").expect("judged").verdict
    });
    let losses: Vec<&str> = losses.map(Verdict::word).collect();
    assert_eq!(losses, ["holds", "holds", "unknown", "holds"]);
}
