//! No circle between files: whoever reads one file need not have read another one that needs it. Read from the sources'
//! own `use` lines and paths.
//!
//! What a module names of its own children (it declares them and passes their names on) is no arrow here.
//!
//! Left out: `loom`, whose files are those of `impls`, and names that a macro writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Module = Vec<String>;
type Arrows = BTreeMap<Module, BTreeSet<Module>>;

/// Every module of the crate whose sources are here, with its file.
fn modules(sources: &Path) -> BTreeMap<Module, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![sources.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is readable") {
            let path = entry.expect("the entry is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(sources).expect("it is below").with_extension("");
                let mut module: Module = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                module.pop_if(|last| ["mod", "lib", "main"].contains(&last.as_str()));
                found.insert(module, path);
            }
        }
    }
    found
}

/// The file's code, without comments and without the tests at its end.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("the source is readable");
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
    lines.map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every path in the code that starts in this crate, with the names in braces written out one by one.
fn paths(code: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate", "super", "self"] {
        for (at, _) in code.match_indices(&format!("{start}::")) {
            let is_word =
                code[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric() && before != '_');
            let is_outermost = !code[..at].ends_with("::");
            if is_word && is_outermost {
                written_out(&code[at..], Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Reads one path, and gives back what follows it.
fn written_out<'a>(mut rest: &'a str, mut path: Vec<String>, found: &mut Vec<Vec<String>>) -> &'a str {
    loop {
        rest = rest.trim_start();
        if let Some(mut group) = rest.strip_prefix('{') {
            loop {
                group = group.trim_start().trim_start_matches(',').trim_start();
                match group.strip_prefix('}') {
                    Some(after) => return after,
                    None if group.is_empty() => return group,
                    None => {
                        let after = written_out(group, path.clone(), found);
                        // What cannot be read is no list of names.
                        if after.len() == group.len() {
                            return after;
                        }
                        group = after;
                    }
                }
            }
        }
        let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
        path.extend((end > 0).then(|| rest[..end].to_owned()));
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(after) => rest = after,
            None => {
                // What follows a `$` is a macro's to fill in.
                if !(rest.starts_with('$') && path.len() > 1) {
                    found.push(path);
                }
                return rest;
            }
        }
    }
}

/// The module that a path leads to, seen from this one: the longest part of it that is a module.
fn target(path: &[String], from: &Module, modules: &BTreeMap<Module, PathBuf>) -> Option<Module> {
    let mut at = from.clone();
    let mut names = path.iter().peekable();
    match names.next()?.as_str() {
        "crate" => at.clear(),
        "super" => drop(at.pop()),
        _ => {}
    }
    while names.next_if(|name| *name == "super").is_some() {
        at.pop();
    }
    for name in names {
        at.push(name.clone());
        if !modules.contains_key(&at) {
            at.pop();
            break;
        }
    }
    modules.contains_key(&at).then_some(at)
}

fn arrows(modules: &BTreeMap<Module, PathBuf>) -> Arrows {
    let of = |(module, path): (&Module, &PathBuf)| {
        let targets = paths(&code(path)).into_iter().filter_map(|path| target(&path, module, modules));
        let others = targets.filter(|target| !target.starts_with(module)).collect();
        (module.clone(), others)
    };
    modules.iter().map(of).collect()
}

/// A module that leads back to itself, with the way.
fn circle(arrows: &Arrows) -> Option<Vec<Module>> {
    arrows.keys().find_map(|start| {
        let mut reached_from: BTreeMap<&Module, &Module> = BTreeMap::new();
        let mut open = vec![start];
        while let Some(at) = open.pop() {
            for next in &arrows[at] {
                if next == start {
                    let mut way = vec![start.clone(), at.clone()];
                    let mut back = at;
                    while let Some(before) = reached_from.get(back) {
                        way.push((*before).clone());
                        back = before;
                    }
                    way.reverse();
                    return Some(way);
                }
                if !reached_from.contains_key(next) {
                    reached_from.insert(next, at);
                    open.push(next);
                }
            }
        }
        None
    })
}

#[test]
fn no_file_needs_one_that_needs_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    for sources in ["model/src", "impls/src", "proofs/import/src", "proofs/src", "benches/memories/src", "audit/src"] {
        let modules = modules(&root.join(sources));
        let arrows = arrows(&modules);
        assert!(arrows.values().map(BTreeSet::len).sum::<usize>() > modules.len() / 2, "{sources}: arrows are read");
        let circle = circle(&arrows).map(|way| way.iter().map(|module| module.join("::")).collect::<Vec<_>>());
        assert_eq!(circle, None, "{sources}");
    }
}

#[test]
fn paths_are_read_from_code() {
    let read = |code: &str| -> Vec<String> { paths(code).iter().map(|path| path.join("::")).collect() };
    assert_eq!(
        read("use crate::a::{self, b::C, d::{E, F}};\nsuper::g();"),
        ["crate::a::self", "crate::a::b::C", "crate::a::d::E", "crate::a::d::F", "super::g"]
    );
    assert_eq!(read("let x = other_crate::y; use std::self_made::z;"), Vec::<String>::new());
}
