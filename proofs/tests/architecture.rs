//! Arrows between floors point down only, and what the judged code may see is kept small: read from the sources' own words.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use delivery_model::presets;
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::Fault;

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
    for place in ["vocab", "party_state.rs", "words.rs", "numbers.rs", "document", "pipeline", "history", "schedule"] {
        let above = ["crate::semantics", "crate::spec", "crate::story", "crate::check", "stateright"];
        check(&format!("model/src/{place}"), &above);
    }
}

#[test]
fn the_semantics_know_nothing_of_how_a_protocol_works_or_a_state_is_packed() {
    check("model/src/semantics", &["crate::spec", "crate::story", "crate::check", "crate::bits", "stateright"]);
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
    check("model/src", &["std::net", "std::fs", "rand::", "std::time", "Timestamp::now"]);
}

#[test]
fn importers_say_what_a_record_tells_and_judge_nothing() {
    check("proofs/import/src", &["delivery_model::semantics", "delivery_model::spec", "delivery_model::check"]);
}

#[test]
fn the_audit_alone_knows_clients_of_brokers_and_it_judges_by_the_one_judge() {
    check("audit/src", &["delivery_model::spec", "delivery_model::check", "delivery_impls", "delivery_proofs"]);
    let names_the_audit =
        sources(&root().join("proofs/src")).into_iter().filter(|it| code(it).contains("delivery_audit"));
    let [verb, parts] = ["audit.rs", "audit"].map(|name| root().join("proofs/src/command").join(name));
    let (of_the_verb, others): (Vec<_>, Vec<_>) = names_the_audit.partition(|it| *it == verb || it.starts_with(&parts));
    assert!(of_the_verb.contains(&verb) && others.is_empty(), "the command has it as a verb, and no library sees it");
    for place in ["model/src", "impls/src", "proofs/src", "proofs/import/src", "benches/src", "benches/memories/src"] {
        check(place, &["tokio::", "redis::", "async_nats::", "tokio_postgres::", "lapin::", "rskafka::"]);
    }
}

/// The files of the product that name every one of these: each is a list that a new one is added to. Tests and what kills
/// seeded bugs are left out.
fn lists(names: &[String]) -> Vec<String> {
    let root = root();
    let checks = ["tests", "tests.rs", "kill_schedules", "kill_matrix", "mutants"];
    let is_test = |path: &Path| path.iter().any(|part| checks.iter().any(|check| part == *check));
    let places = [
        "model/src",
        "impls/src",
        "proofs/src",
        "proofs/loom/src",
        "benches/src",
        "benches/memories/src",
        "benches/benches",
    ];
    let files = places.iter().map(|place| root.join(place)).filter(|place| place.exists());
    let names_all = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("the source is readable");
        let words: BTreeSet<&str> = text.split(|letter: char| !letter.is_alphanumeric() && letter != '-').collect();
        names.iter().all(|name| words.contains(name.as_str()))
    };
    let found = files.flat_map(|place| sources(&place)).filter(|path| !is_test(path)).filter(names_all);
    let found = found.map(|path| path.strip_prefix(&root).expect("it is below").display().to_string());
    found.collect::<BTreeSet<_>>().into_iter().collect()
}

#[test]
fn a_new_property_is_its_file_one_list_and_its_breaches() {
    let names = |properties: &[PropertyId]| properties.iter().map(|it| format!("{it:?}")).collect::<Vec<_>>();
    let breaches = "model/src/semantics/automaton.rs";
    assert_eq!(lists(&names(PropertyId::BLACK_BOX)), [breaches, "model/src/semantics/mod.rs"]);
    assert_eq!(lists(&names(PropertyId::WHITE_BOX)), ["model/src/semantics/whitebox/mod.rs"]);
}

#[test]
fn a_new_setting_is_its_row_and_what_obeys_it() {
    // The settings of one word. Who obeys some does not name all of them.
    let parties = ["attempts", "identity", "acks", "dedup", "fencing", "delivers", "leases"];
    let settings = parties.iter().chain(&["settles", "commits", "remembers", "workers"]).map(|it| (*it).to_owned());
    let places = ["model/src/pipeline/settings.rs", "proofs/src/simulation/pipelines.rs"];
    assert_eq!(lists(&settings.collect::<Vec<_>>()), places);
}

#[test]
fn a_new_fault_is_its_row_and_one_arm_for_each_who_deals_with_faults() {
    let names: Vec<String> = Fault::ALL.iter().map(|fault| format!("{fault:?}")).collect();
    let of_model = ["vocab/faults.rs", "spec/faults.rs", "spec/reads.rs", "story/mod.rs"];
    let [row, model, reads, story] = of_model.map(|it| format!("model/src/{it}"));
    let [parties, cores] = ["party", "simulation"].map(|it| format!("proofs/src/{it}/world/faults.rs"));
    assert_eq!(lists(&names), [model, reads, story, row, parties, cores]);
}

#[test]
fn a_new_preset_is_its_file_and_one_list() {
    let names: Vec<String> = presets::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(lists(&names), ["model/src/presets.rs"]);
    let files = fs::read_dir(root().join("model/presets")).expect("the presets are there");
    let stem = |path: PathBuf| path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
    let files: BTreeSet<String> = files.map(|file| stem(file.expect("the entry is readable").path())).collect();
    assert_eq!(files, names.into_iter().collect(), "every preset's file is in the list");
}

#[test]
fn a_new_dedup_memory_is_its_file_one_list_and_its_bench() {
    let root = root().join("benches/memories/src");
    let files = fs::read_dir(&root).expect("the memories are there").map(|file| file.expect("it is readable").path());
    // What several memories have in common.
    let others = ["lib.rs", "tests.rs", "idle.rs", "sealed.rs", "sessions.rs", "slots.rs", "table.rs", "tags.rs"];
    let memories = files.filter(|path| !others.iter().any(|other| path.ends_with(other)));
    let camel = |path: PathBuf| {
        let stem = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        stem.split('_').map(capital).collect::<String>()
    };
    let memories: Vec<String> = memories.map(camel).collect();
    assert!(memories.len() > 1, "{memories:?}");
    assert_eq!(lists(&memories), ["benches/benches/dedup/ours.rs", "benches/memories/src/lib.rs"]);
}
