//! `delivery report` as its users meet it, on results that criterion left.

use std::fs;
use std::path::Path;

use crate::common::{delivery_in, place};

/// What criterion writes for a function of a group: its name, its parameter, and its nanoseconds.
fn measured(criterion: &Path, function: &str, parameter: Option<&str>, nanoseconds: f64) {
    let folder = criterion.join("acks").join(function).join(parameter.unwrap_or_default()).join("new");
    fs::create_dir_all(&folder).expect("a folder");
    let parameter = serde_json::to_string(&parameter).expect("a text or none");
    let benchmark = format!(
        r#"{{"group_id": "acks", "function_id": "{function}", "value_str": {parameter}, "throughput": {{"Elements": 100}}}}"#
    );
    fs::write(folder.join("benchmark.json"), benchmark).expect("it is written");
    let statistic = format!(
        r#"{{"confidence_interval": {{"confidence_level": 0.95, "lower_bound": {}, "upper_bound": {}}}, "point_estimate": {nanoseconds}, "standard_error": 1.0}}"#,
        nanoseconds * 0.9,
        nanoseconds * 1.1
    );
    let estimates = format!(r#"{{"mean": {statistic}, "median": {statistic}, "slope": null}}"#);
    fs::write(folder.join("estimates.json"), estimates).expect("it is written");
}

const SHEET: &str = r#"{"bench": "ack_window", "about": "Settles <out of order>.", "tables": [{"title": "one worker",
    "columns": ["structure", "ns", "verdict"], "rows": [["window", [12.5, "holds"]], ["tree", [null, "holds"]]]}],
    "goals": [{"of": "window", "unit": "times the tree", "figure": 6.25, "bound": {"at-least": 5}},
              {"of": "window, two threads", "unit": "times the tree", "figure": 0.5, "bound": {"at-least": 1}}]}"#;

#[test]
fn what_criterion_and_the_benches_left_becomes_a_page_and_markdown() {
    let here = place(&[]);
    let criterion = here.path().join("criterion");
    measured(&criterion, "window", None, 1_250.0);
    measured(&criterion, "tree", None, 80_000.0);
    fs::create_dir_all(criterion.join("sheets")).expect("a folder");
    fs::write(criterion.join("sheets/ack_window.json"), SHEET).expect("it is written");
    let documents = ["--save", "a.json", "--html", "a.html", "--markdown", "a.md"];
    let told = delivery_in(here.path(), &[&["report", "--criterion", "criterion"][..], &documents].concat());
    assert_eq!(told.code, 0, "{}", told.err);
    let goal = "missed: window, two threads: 0.500 times the tree, goal at least 1";
    assert!(told.out.contains("window     12.5  holds") && told.out.contains(goal), "{}", told.out);
    let [json, page, text] = ["a.json", "a.html", "a.md"].map(|name| {
        let path = here.path().join(name);
        fs::read_to_string(path).expect("it is there")
    });
    assert!(text.contains("| acks | window | 12.5 ns | 11.2 ns | 13.8 ns | 80,000,000 |"), "{text}");
    assert!(text.contains("| `ack_window` | window | 6.25 times the tree | at least 5 | met |"), "{text}");
    assert!(page.contains("Settles &lt;out of order&gt;.") && page.contains(">12.5 ns</text>"), "{page}");
    assert!(page.ends_with("</html>\n") && !page.contains("src="), "it loads nothing");
    // The kept figures give the same documents again.
    let again = ["--html", "b.html", "--markdown", "b.md"];
    let told = delivery_in(here.path(), &[&["report", "--from", "a.json", "--goals"][..], &again].concat());
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(
        told.out.contains("| `ack_window` | window, two threads | 0.500 times the tree | at least 1 | missed |"),
        "{}",
        told.out
    );
    for (name, earlier) in [("b.html", page), ("b.md", text)] {
        assert_eq!(fs::read_to_string(here.path().join(name)).expect("it is there"), earlier);
    }
    assert!(json.contains("\"date\": \"20"), "{json}");
}

#[test]
fn parameters_that_are_numbers_become_lines() {
    let here = place(&[]);
    for (parameter, times) in [("10", [10.0, 20.0]), ("100", [30.0, 200.0]), ("1000", [50.0, 2_000.0])] {
        measured(&here.path().join("criterion"), "window", Some(parameter), times[0]);
        measured(&here.path().join("criterion"), "tree", Some(parameter), times[1]);
    }
    let told = delivery_in(here.path(), &["report", "--criterion", "criterion", "--html", "a.html"]);
    assert_eq!(told.code, 0, "{}", told.err);
    let page = fs::read_to_string(here.path().join("a.html")).expect("it is there");
    assert_eq!(page.matches("<path class='line'").count(), 2, "{page}");
    assert_eq!(page.matches("<title>tree, ").count(), 3, "{page}");
}

#[test]
fn what_holds_no_figures_is_named() {
    let here = place(&[("bad.json", "{}")]);
    fs::create_dir(here.path().join("empty")).expect("a folder");
    let sheet = here.path().join("crooked/sheets/x.json");
    fs::create_dir_all(sheet.parent().expect("a folder")).expect("a folder");
    fs::write(sheet, SHEET.replace("[12.5, \"holds\"]", "[12.5]")).expect("it is written");
    for (arguments, says) in [
        (&["report", "--criterion", "nowhere"][..], "nowhere: No such file or directory"),
        (&["report", "--criterion", "empty"], "empty: no results of a bench; expected what `cargo bench"),
        (&["report", "--criterion", "crooked"], "one worker: row \"window\" has 2 cells, expected 3"),
        (&["report", "--from", "bad.json"], "bad.json: missing field `about`"),
        (&["report", "--from", "bad.json", "--save", "x.json"], "cannot be used with"),
    ] {
        let refused = delivery_in(here.path(), arguments);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{arguments:?}");
        assert!(refused.err.contains(says), "{arguments:?}: {}", refused.err);
    }
}
