//! `run`: threads, TCP and disk, faults of every kind, and the judgement of the history.

use crate::common::{delivery_in, names, place};

/// Runs a reference pipeline. Returns the judgement of its history at a level.
fn judged(pipeline: &str, level: &str, code: i32) -> serde_json::Value {
    let here = place(&[]);
    let run = ["run", pipeline, "--messages", "1000", "--faults", "5", "--record", "history.jsonl"];
    let ended = delivery_in(here.path(), &run);
    assert_eq!(ended.code, code, "{}{}", ended.out, ended.err);
    let judge = ["judge", "history.jsonl", "--json", "--level", level];
    let judged = delivery_in(here.path(), &judge);
    assert_eq!(judged.code, 0, "{}", judged.err);
    assert_eq!(names(here.path()), ["history.jsonl"]);
    let world = judged.json()[0]["worlds"]["history"].clone();
    for (fault, planned, struck) in faults(&ended.out) {
        assert_eq!((planned, struck), (5, 5), "{fault}: {}", ended.out);
    }
    world
}

/// The table of faults: the kind, how often it was planned, and how often it struck.
fn faults(out: &str) -> Vec<(&str, u32, u32)> {
    let rows = out.lines().skip_while(|line| !line.starts_with("FAULT")).skip(1).take_while(|line| !line.is_empty());
    let rows: Vec<_> = rows
        .filter_map(|line| {
            let mut cells = line.split_whitespace();
            let fault = cells.next()?;
            let mut number = || cells.next()?.parse().ok();
            Some((fault, number()?, number()?))
        })
        .collect();
    assert!(rows.len() >= 6, "{out}");
    rows
}

#[test]
fn a_kind_that_struck_less_often_than_planned_is_told_with_the_reason() {
    let here = place(&[]);
    let ended = delivery_in(here.path(), &["run", "--messages", "3", "--faults", "20"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(faults(&ended.out).iter().all(|(_, planned, struck)| *planned == 20 && *struck <= 3), "{}", ended.out);
    let why = "publish-lost struck 3 times: a kind strikes a message once at most, and there are 3 messages\n";
    assert!(ended.out.contains(why), "{}", ended.out);
}

#[test]
fn a_run_without_faults_or_budgets_is_a_run() {
    let here = place(&[("calm.toml", "promises = \"exactly-once\"\n[faults]\n")]);
    for arguments in [&["run", "calm.toml", "--messages", "30"][..], &["run", "--messages", "30", "--faults", "0"]] {
        let ended = delivery_in(here.path(), arguments);
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        assert!(ended.out.contains("30 messages from 8 producers, 30 effects"), "{}", ended.out);
        assert!(!ended.out.contains("FAULT") && !ended.out.contains("struck"), "{}", ended.out);
    }
}

#[test]
fn exactly_once_holds_by_effect() {
    let world = judged("exactly-once", "effect", 0);
    assert_eq!(world["verdicts"]["exactly-once"], "holds");
}

#[test]
fn at_least_once_repeats_deliveries() {
    let world = judged("at-least-once", "delivery", 0);
    assert_eq!(world["verdicts"]["at-least-once"], "holds");
    assert_eq!(world["properties"]["no-duplicate-delivery"], "violated");
}

#[test]
fn at_most_once_loses() {
    let world = judged("at-most-once", "effect", 0);
    assert_eq!(world["verdicts"]["at-most-once"], "holds");
    assert_eq!(world["properties"]["acked-not-lost"], "violated");
}

/// A regression: with several producers the run never ended, because messages of one made the broker forget the
/// numbers of another.
#[test]
fn a_window_of_numbers_is_not_shared_unless_somebody_asks_for_it() {
    let check = |more: &[&str], producers: &str, is_warned: bool| {
        let here = place(&[]);
        let run = ["run", "kafka-transactional", "--messages", "20", "--faults", "0"];
        let ended = delivery_in(here.path(), &[&run[..], more].concat());
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        assert!(ended.out.contains(&format!("20 messages from {producers}, 20 effects")), "{}", ended.out);
        assert_eq!(ended.err.contains("dedup-window = 5 is shared by 2 producers"), is_warned, "{}", ended.err);
    };
    check(&[], "1 producer", false);
    check(&["--producers", "2"], "2 producers", true);
}

/// Without a flag, a run shows what exactly-once is for: retries, and redeliveries that the consumer recognises.
#[test]
fn a_run_without_flags_shows_what_was_done_again_and_what_became_of_it() {
    let check = |arguments: &[&str], expected: [&str; 3]| {
        let ended = delivery_in(place(&[]).path(), arguments);
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        for words in expected {
            assert!(ended.out.contains(words), "{words}: {}", ended.out);
        }
    };
    let again = "published again after a refusal or without an answer";
    check(&["run"], ["2,000 messages from 8 producers, 2,000 effects", again, " recognised, 0 done twice; "]);
    check(&["run", "at-least-once", "--messages", "100"], ["100 messages", again, "the effect: each was done twice\n"]);
}
