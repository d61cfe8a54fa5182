//! The table of races has those that are explored, and no other.

use std::fs;
use std::path::Path;

use delivery_loom::table::{is_page_true, rows};

#[test]
fn every_race_of_the_table_is_in_a_test_and_enough_are_broken_on_purpose() {
    let rows = rows();
    for name in rows.keys() {
        let (file, race) = name.split_once(": ").expect("a file's name, and the race's");
        let test = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file).with_extension("rs");
        let text = fs::read_to_string(&test).expect("the race has a test");
        assert!(text.contains(&format!("\"{race}\"")), "{name} is not explored any more: take it off races.txt");
    }
    let broken = rows.values().filter(|found| found.complaint.is_some()).count();
    assert!(broken >= 15, "{broken} broken twins are caught");
}

#[test]
fn the_page_in_the_docs_says_what_the_table_says() {
    assert!(is_page_true(), "`UPDATE_EXPECT=1 cargo test -p delivery-loom` writes docs/races.md anew");
}
