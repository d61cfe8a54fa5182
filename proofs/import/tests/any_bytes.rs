//! Any bytes are a history or an error, never a panic: random bytes, and the examples with random bytes changed.

use std::fs;
use std::path::{Path, PathBuf};

use delivery_import::{Format, Input, Options, decompressed, import, recognise};
use delivery_model::history::{History, ReadOptions};
use delivery_model::semantics::{Question, judge};
use proptest::prelude::*;

fn files(below: &Path) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(below).expect("the folder is readable").map(|entry| entry.expect("it is readable").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn examples() -> Vec<Vec<u8>> {
    let mut files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples"));
    files.sort();
    files.into_iter().map(|file| fs::read(file).expect("the example is readable")).collect()
}

/// Imports the bytes in every format, and holds what comes of it to the format of histories.
fn check(bytes: &[u8]) {
    recognise(bytes);
    for &format in Format::ALL {
        for quiescent in [false, true] {
            let options = Options { quiescent, ..Options::default() };
            let Ok(imported) = import(format, &[Input::new("any", bytes)], &options) else { continue };
            // Memory follows: what an event holds beyond its names is small, or is a copy of what its record says.
            assert!(
                imported.history.events.len() <= bytes.len() + 1,
                "no more events than bytes, and one that says the end"
            );
            judge(&imported.history, Question::default());
            let mut written = Vec::new();
            imported.history.write(&mut written).expect("what was imported can be written");
            let again = History::read(&written[..], ReadOptions::default()).expect("what was written can be read");
            assert_eq!(again.events, imported.history.events);
        }
    }
}

/// Examples with bytes replaced, put in, left out, and cut off.
fn mutations() -> impl Strategy<Value = Vec<u8>> {
    let example = proptest::sample::select(examples());
    let change = (any::<proptest::sample::Index>(), 0..4u8, any::<u8>());
    (example, proptest::collection::vec(change, 1..8)).prop_map(|(mut bytes, changes)| {
        for (place, kind, byte) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(bytes.len() / 2)),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_imported_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        check(&bytes);
    }

    #[test]
    fn examples_with_some_bytes_changed_are_imported_or_refused(bytes in mutations()) {
        check(&bytes);
    }

    #[test]
    fn bytes_that_look_compressed_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512), kind in 0..3usize) {
        let magics = [&[0x28, 0xb5, 0x2f, 0xfd][..], &[0x1f, 0x8b, 8, 0], &[0x50, 0x2a, 0x4d, 0x18]];
        let magic = magics[kind];
        let input = [magic, &bytes].concat();
        if let Ok(mut read) = decompressed(&input[..]) {
            // Whether it is an error is no matter.
            let _ = std::io::copy(&mut std::io::Read::take(&mut read, 1 << 20), &mut std::io::sink());
        }
    }
}

#[test]
fn deep_nesting_is_imported_or_refused() {
    for open in ["[", "(", "{", "#{", "#a ", "[:poll {", "{:type :ok, :value [", "{\"resourceSpans\":["] {
        check(open.repeat(100_000).as_bytes());
    }
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    check(format!("{{:type :invoke, :f :enqueue, :process 0, :value {deep}}}").as_bytes());
    check(format!("0\t:ok\t:poll\t[[:poll {{{deep} [[0 {deep}]]}}]]").as_bytes());
}
