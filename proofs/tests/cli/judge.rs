//! `judge`: the verdicts on histories that others recorded.

use crate::common::{delivery_in, expected, place, samples};

#[test]
fn the_samples_get_their_verdicts() {
    for (name, wanted) in expected("histories").as_object().expect("by name") {
        let file = samples("histories").join(format!("{name}.jsonl"));
        let flags = wanted["flags"].as_array().expect("a list").iter().map(|flag| flag.as_str().expect("a word"));
        let arguments: Vec<&str> = ["judge", "--json", file.to_str().unwrap()].into_iter().chain(flags).collect();
        let ended = delivery_in(file.parent().unwrap(), &arguments);
        assert_eq!(ended.code, 0, "{name}: {}", ended.err);
        let world = &ended.json()[0]["worlds"]["history"];
        assert_eq!(world["verdicts"], wanted["verdicts"], "{name}");
        let mut violated: Vec<&str> =
            world["violations"].as_array().unwrap().iter().map(|it| it["property"].as_str().unwrap()).collect();
        violated.sort_unstable();
        violated.dedup();
        let wanted: Vec<&str> = wanted["violated"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        assert_eq!(violated, wanted, "{name}");
    }
}

#[test]
fn an_expectation_that_is_not_met_is_told_by_the_exit_code() {
    for (name, wanted) in expected("histories").as_object().expect("by name") {
        let file = samples("histories").join(format!("{name}.jsonl"));
        let flags: Vec<&str> = wanted["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect();
        for (semantics, verdict) in wanted["verdicts"].as_object().unwrap() {
            let mut arguments = vec!["judge", file.to_str().unwrap(), "--expect", semantics];
            arguments.extend(&flags);
            let ended = delivery_in(file.parent().unwrap(), &arguments);
            let code = match verdict.as_str() {
                Some("holds") => 0,
                Some("violated") => 1,
                _ => 3,
            };
            assert_eq!(ended.code, code, "{name}, {semantics}: {}{}", ended.out, ended.err);
            assert!(
                ended.out.contains(&format!("expected {semantics}: {}", verdict.as_str().unwrap())),
                "{}",
                ended.out
            );
        }
    }
}

#[test]
fn a_history_that_was_cut_off_is_judged_only_when_asked_to() {
    let cut = "{\"format\":\"delivery-history\",\"version\":1}\n\
               {\"at\":1,\"process\":\"p\",\"event\":\"submit\",\"message\":1}\n{\"at\":2,\"proc";
    let here = place(&[("cut.jsonl", cut)]);
    let refused = delivery_in(here.path(), &["judge", "cut.jsonl"]);
    assert_eq!((refused.code, refused.out.as_str()), (2, ""));
    assert!(refused.err.contains("cut.jsonl: line 3"), "{}", refused.err);
    let judged = delivery_in(here.path(), &["judge", "cut.jsonl", "--allow-truncated", "--expect", "exactly-once"]);
    assert_eq!(judged.code, 3, "what was cut off may have held anything: {}", judged.out);
    assert!(judged.out.contains("line 3 was cut off"), "{}", judged.out);
}
