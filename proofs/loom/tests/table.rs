//! The table of races has those that are explored, and no other.

use std::fs;
use std::path::Path;

use delivery_loom::table::rows;

#[test]
fn every_race_of_the_table_is_in_a_test_and_enough_are_broken_on_purpose() {
    let rows = rows();
    for name in rows.keys() {
        let (file, race) = name.split_once(": ").expect("a file's name, and the race's");
        let test = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(file).with_extension("rs");
        let text = fs::read_to_string(&test).expect("the race has a test");
        assert!(text.contains(&format!("\"{race}\"")), "{name} is not explored any more: take it off docs/races.md");
    }
    let broken = rows.values().filter(|found| found.complaint.is_some()).count();
    assert!(broken >= 15, "{broken} broken twins are caught");
}
