//! The figures that the repository keeps: the documents say what they say.

use std::fs;
use std::path::Path;

use delivery_proofs::figures::{Gathered, markdown, summary};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn kept() -> Gathered {
    Gathered::from_json(&read("benches/figures.json")).expect("figures")
}

#[test]
fn the_document_of_the_benches_is_what_the_kept_figures_say() {
    let is_same = read("benches/README.md") == markdown(&kept());
    assert!(is_same, "benches/README.md is not what benches/figures.json says: cargo xtask figures writes it");
}

#[test]
fn the_goals_in_the_readme_are_what_the_kept_figures_say() {
    let readme = read("README.md");
    let (_, rest) = readme.split_once("<!-- figures:begin -->\n").expect("the beginning is marked");
    let (goals, _) = rest.split_once("\n<!-- figures:end -->").expect("the end is marked");
    assert!(goals == summary(&kept()).trim_end(), "README.md has other goals: cargo xtask figures writes them");
}

/// Every bench has a sheet, so that a run of all of them is what was kept.
#[test]
fn every_bench_that_has_goals_or_tables_is_kept() {
    let kept = kept();
    let named: Vec<&str> = kept.sheets.iter().map(|sheet| sheet.bench.as_str()).collect();
    for bench in ["ack_window", "checker", "dedup", "pipeline", "semantics", "simulation"] {
        assert!(named.contains(&bench), "{bench} is not among {named:?}");
    }
}
