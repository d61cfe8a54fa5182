//! What the documents say of the repository is so: links lead somewhere, and the list of invariants is whole.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above").to_path_buf()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("the entry is readable").path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| below(path, extension)).collect()
}

fn below(path: PathBuf, extension: &str) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match path.is_dir() {
        true if name.starts_with('.') || name == "target" => Vec::new(),
        true => files(&path, extension),
        false if path.extension().is_some_and(|it| it == extension) => vec![path],
        false => Vec::new(),
    }
}

/// Where the links of a Markdown text lead, without what stands behind a `#`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets
        .map(|target| target.split('#').next().unwrap_or_default())
        .filter(|it| !it.is_empty() && !it.contains("://"))
}

#[test]
fn every_link_between_files_leads_somewhere() {
    let mut followed = 0;
    for document in files(&root(), "md") {
        let text = fs::read_to_string(&document).expect("the document is readable");
        for link in links(&text) {
            let target = document.parent().expect("a file is in a folder").join(link);
            assert!(target.exists(), "{} links to {link}, which is not there", document.display());
            followed += 1;
        }
    }
    assert!(followed > 50, "only {followed} links were found");
}

/// A source that states an invariant is named in the list, or the folder whose module it is.
#[test]
fn the_list_of_invariants_is_whole() {
    let list = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the document is readable");
    let mut stated = 0;
    for source in ["model", "impls", "proofs", "benches"].iter().flat_map(|place| files(&root().join(place), "rs")) {
        let text = fs::read_to_string(&source).expect("the source is readable");
        if !text.lines().any(|line| line.starts_with("//! Architecture Invariant:")) {
            continue;
        }
        let path = source.strip_prefix(root()).expect("it is below").to_string_lossy().replace('\\', "/");
        // By its last part, as files move about.
        let module = path.trim_end_matches("/mod.rs").trim_end_matches("/src/lib.rs").trim_end_matches(".rs");
        let name = module.rsplit('/').next().unwrap_or(module);
        let names_it = |line: &str| {
            let listed = line.split('`').nth(1).unwrap_or_default().trim_end_matches(".rs");
            line.starts_with("| `") && listed.rsplit('/').next() == Some(name)
        };
        assert!(list.lines().any(names_it), "{path} states an invariant that docs/ARCHITECTURE.md does not list");
        stated += 1;
    }
    assert!(stated > 5, "only {stated} invariants were found");
}
