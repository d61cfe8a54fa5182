//! Arrows between floors point down only, and what the judged code may see is kept small: read from the sources' own words.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").to_path_buf()
}

fn sources(below: &Path) -> Vec<PathBuf> {
    if below.is_file() {
        return vec![below.to_path_buf()];
    }
    let entries = fs::read_dir(below).unwrap_or_else(|error| panic!("{}: {error}", below.display()));
    entries
        .flat_map(|entry| sources(&entry.expect("the entry is readable").path()))
        .filter(|path| is_rust(path))
        .collect()
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// A file's code: comments may name what they like.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("the source is readable");
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// No file below `place` names any of these.
fn check(place: &str, unseen: &[&str]) {
    let files = sources(&root().join(place));
    assert!(!files.is_empty(), "{place} has no sources");
    for file in files {
        let code = code(&file);
        for word in unseen {
            assert!(!code.contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn words_and_formats_know_nothing_above_them() {
    for place in ["vocab", "party_state.rs", "words.rs", "document", "pipeline", "history", "schedule"] {
        let above = ["crate::semantics", "crate::spec", "crate::story", "crate::check", "stateright"];
        check(&format!("model/src/{place}"), &above);
    }
}

#[test]
fn the_semantics_know_nothing_of_how_a_protocol_works() {
    check("model/src/semantics", &["crate::spec", "crate::story", "crate::check", "stateright"]);
}

#[test]
fn the_protocol_knows_nothing_of_what_its_behaviour_is_called() {
    check("model/src/spec", &["crate::semantics", "crate::story", "crate::check", "stateright"]);
}

#[test]
fn the_graph_checker_knows_nothing_of_the_protocol() {
    let above = ["crate::semantics", "crate::spec", "crate::story", "crate::vocab", "crate::pipeline"];
    check("model/src/check/graph", &above);
}

#[test]
fn the_judged_never_sees_its_judges() {
    check("impls/src", &["delivery_model::semantics", "delivery_model::spec", "delivery_model::check", "stateright"]);
}

#[test]
fn the_product_knows_no_seeded_bug() {
    check("impls/src", &["Mutant", "mutants::"]);
}

#[test]
fn stores_and_plain_values_know_no_core() {
    for place in ["store", "data"] {
        check(&format!("impls/src/{place}"), &["crate::core", "super::core", "crate::driver"]);
    }
}

#[test]
fn only_one_file_of_the_judged_names_atomics() {
    for place in ["core", "shared", "store"] {
        check(&format!("impls/src/{place}"), &["std::sync::atomic", "core::sync::atomic", "loom::"]);
    }
}

#[test]
fn below_the_drivers_nobody_opens_a_socket_or_a_thread() {
    for place in ["core", "shared"] {
        check(&format!("impls/src/{place}"), &["std::net", "std::thread", "std::fs", "rand::"]);
    }
    check("model/src", &["std::net", "std::fs", "rand::", "Instant", "SystemTime"]);
}
