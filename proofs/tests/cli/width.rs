//! Output for people: no line is wider than the terminal, and 80 columns are enough.

use std::path::Path;

use crate::common::{delivery_in, delivery_in_columns, place, samples};

/// A name that no line can hold together with a verdict, of words that a line can.
const LONG: &str = "name = \"orders of the whole company, of all its shops and of those who order on their behalf\"\n\
                    promises = \"exactly-once\"\n[faults]\npoison = 1\n";

/// Runs the command, and checks every line that it prints. Links and paths are not broken.
fn check(here: &Path, columns: Option<&str>, arguments: &[&str]) -> String {
    let ended = delivery_in_columns(here, columns, arguments);
    assert!([0, 1].contains(&ended.code), "{arguments:?}: {ended:?}");
    let columns = columns.map_or(80, |columns| columns.parse().expect("a number"));
    for line in ended.out.lines() {
        let is_whole = line.contains("://") || line.contains(std::path::MAIN_SEPARATOR);
        assert!(line.chars().count() <= columns || is_whole, "{arguments:?} in {columns} columns: {line}");
    }
    ended.out
}

#[test]
fn no_line_is_wider_than_80_columns_or_than_the_terminal() {
    let here = place(&[("long.toml", LONG)]);
    let saved = delivery_in(here.path(), &["check", "long.toml", "--schedules", "100", "--save", "saved"]);
    assert_eq!(saved.code, 1, "{}", saved.err);
    let schedule = format!("saved/{}", saved_schedule(here.path()));
    let history = samples("histories").join("redelivered-one-effect.jsonl");
    let history = history.to_str().expect("UTF-8");
    let schedules = ["--schedules", "100"];
    for columns in [None, Some("64")] {
        let check = |arguments: &[&str]| check(here.path(), columns, arguments);
        check(&[&["check", "long.toml", "kafka-idempotent", "azure-service-bus-peek-lock"], &schedules[..]].concat());
        check(&[&["check"], &schedules[..]].concat());
        check(&[&["simulate", "long.toml", "redis-streams"], &schedules[..]].concat());
        for world in ["model", "simulation"] {
            check(&["replay", &schedule, "--world", world]);
        }
        check(&["judge", history]);
        check(&["mutants", "OutboxRowRemovedOnAttempt", "TakenUpUnderNewNumber"]);
        check(&["run", "kafka-idempotent", "--messages", "20", "--faults", "1"]);
        check(&["atlas", "long.toml", "--messages", "1"]);
    }
    // The help wraps its texts, and not its usage lines.
    for columns in [None, Some("80")] {
        let check = |arguments: &[&str]| check(here.path(), columns, arguments);
        for verb in ["check", "explore", "simulate", "replay", "run", "broker", "judge", "atlas", "mutants"] {
            check(&[verb, "--help"]);
        }
        check(&["--help"]);
    }
}

fn saved_schedule(here: &Path) -> String {
    let mut names = crate::common::names(&here.join("saved"));
    names.pop().expect("a story was saved")
}

#[test]
fn a_wider_terminal_is_used() {
    let here = place(&[]);
    let wide = check(here.path(), Some("120"), &["check", "kafka-idempotent", "--schedules", "100"]);
    assert!(wide.lines().any(|line| line.chars().count() > 80), "{wide}");
}

#[test]
fn json_stays_on_its_line() {
    let ended = delivery_in_columns(place(&[]).path(), None, &["check", "--json", "--schedules", "100"]);
    assert_eq!((ended.code, ended.json().len()), (0, 3));
}
