//! The files of `docs/formats` beside what is generated. `cargo xtask formats` writes them anew.

use std::fs;
use std::path::{Path, PathBuf};

use delivery_model::reference::{Document, documents};

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
