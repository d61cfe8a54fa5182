//! `judge`: the verdicts on recorded histories.

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

/// The producer's part of a history, which came to rest.
const PRODUCER: &str = r#"{"format":"delivery-history","version":1}
{"at":1,"process":"orders","event":"submit","message":1}
{"at":2,"process":"orders","event":"attempt","message":1,"attempt":1}
{"at":5,"process":"orders","event":"outcome","message":1,"outcome":"acked"}
{"at":6,"process":"orders","event":"quiescent"}
"#;

/// The consumer's part, without its end.
const CONSUMER: &str = r#"{"format":"delivery-history","version":1}
{"at":3,"process":"inventory","event":"deliver","message":1}
{"at":4,"process":"inventory","event":"effect","message":1}
"#;

#[test]
fn a_part_that_keeps_a_joint_history_from_an_answer_is_named() {
    let rested = format!("{CONSUMER}{}\n", r#"{"at":7,"process":"inventory","event":"quiescent"}"#);
    let cut = format!("{rested}{}", r#"{"at":8,"proc"#);
    let here =
        place(&[("p.jsonl", PRODUCER), ("busy.jsonl", CONSUMER), ("rested.jsonl", &rested), ("cut.jsonl", &cut)]);
    let judged = |second: &str| {
        let flags = ["judge", "p.jsonl", second, "--expect", "exactly-once", "--allow-truncated"];
        delivery_in(here.path(), &flags)
    };
    let (busy, rested, cut) = (judged("busy.jsonl"), judged("rested.jsonl"), judged("cut.jsonl"));
    assert_eq!((busy.code, rested.code, cut.code), (3, 0, 3), "{}{}{}", busy.out, rested.out, cut.out);
    assert!(busy.out.contains("busy.jsonl does not end with `quiescent` but in line 3"), "{}", busy.out);
    assert!(cut.out.contains("cut.jsonl is cut off in line 5"), "{}", cut.out);
    assert!(!rested.out.contains(".jsonl"), "{}", rested.out);
}

#[test]
fn a_cut_off_part_stays_without_an_end_in_the_joined_file() {
    let cut = format!("{CONSUMER}{}\n{}", r#"{"at":7,"process":"inventory","event":"quiescent"}"#, r#"{"at":8,"proc"#);
    let here = place(&[("p.jsonl", PRODUCER), ("cut.jsonl", &cut)]);
    let parts = ["judge", "p.jsonl", "cut.jsonl", "--allow-truncated", "--joined", "whole.jsonl"];
    assert_eq!(delivery_in(here.path(), &parts).code, 3);
    let again = delivery_in(here.path(), &["judge", "whole.jsonl", "--expect", "exactly-once"]);
    assert_eq!(again.code, 3, "{}", again.out);
}

#[test]
fn what_the_header_promises_decides_the_exit_code() {
    let submitted = r#"{"at":1,"process":"orders","event":"submit","message":1}"#;
    let acked = r#"{"at":2,"process":"orders","event":"outcome","message":1,"outcome":"acked"}"#;
    let arrived = r#"{"at":3,"process":"inventory","event":"deliver","message":1}"#;
    let made = r#"{"at":4,"process":"inventory","event":"effect","message":1}"#;
    let ends = r#"{"at":9,"process":"orders","event":"quiescent"}"#;
    let exactly_once = r#","promises":"exactly-once""#;
    for (promises, events, code) in [
        (exactly_once, &[submitted, acked, arrived, made, ends][..], 0),
        (exactly_once, &[submitted, acked, ends], 1),
        (exactly_once, &[submitted, acked, arrived, ends], 1),
        (exactly_once, &[submitted, acked, arrived, made, made, ends], 1),
        (exactly_once, &[submitted, acked, arrived, made], 3),
        ("", &[submitted, acked, arrived, made, made, ends], 0),
        ("", &[submitted, acked], 3),
        (exactly_once, &[], 3),
        ("", &[], 3),
    ] {
        let header = format!(r#"{{"format":"delivery-history","version":1,"pipeline":{{"name":"it"{promises}}}}}"#);
        let history = [&[header.as_str()], events].concat().join("\n") + "\n";
        let here = place(&[("it.jsonl", &history)]);
        let ended = delivery_in(here.path(), &["judge", "it.jsonl"]);
        assert_eq!(ended.code, code, "{history}{}{}", ended.out, ended.err);
    }
}

/// One message whose effect comes twice, and one that is lost, as another system would record them.
const OF_ANOTHER_SYSTEM: &str = r#"{"format":"delivery-history","version":1,"level":"effect"}
{"at":"2026-11-27T10:00:00Z","process":"shop","event":"submit","message":"order-a"}
{"at":"2026-11-27T10:00:00.010Z","process":"shop","event":"outcome","message":"order-a","outcome":"acked"}
{"at":"2026-11-27T10:00:00.030Z","process":"stock","event":"effect","message":"order-a","attributes":{"pod":"<b>"}}
{"at":"2026-11-27T10:00:00.050Z","process":"stock","event":"effect","message":"order-a"}
{"at":"2026-11-27T10:00:01Z","process":"shop","event":"submit","message":"order-b"}
{"at":"2026-11-27T10:00:01.500Z","process":"shop","event":"outcome","message":"order-b","outcome":"acked"}
{"at":"2026-11-27T10:00:04.500Z","process":"shop","event":"quiescent"}
"#;

#[test]
fn each_violation_is_told_as_a_diagram_of_its_message() {
    let here = place(&[("shop.jsonl", OF_ANOTHER_SYSTEM)]);
    let judged = delivery_in(here.path(), &["judge", "shop.jsonl"]);
    assert!(judged.out.contains("✗ effect of order-a ◀ 2nd effect"), "{}", judged.out);
    assert!(judged.out.contains("✗ message order-b is never delivered"), "{}", judged.out);
    let none = delivery_in(here.path(), &["judge", "shop.jsonl", "--stories", "0"]);
    assert!(!none.out.contains('◀'), "{}", none.out);

    let json = delivery_in(here.path(), &["judge", "shop.jsonl", "--json"]);
    let violations = &json.json()[0]["worlds"]["history"]["violations"];
    assert_eq!(violations[0]["message"], "order-a");
    let rows = violations[0]["story"]["rows"].as_array().expect("a list");
    assert_eq!(rows.len(), 4);
    assert_eq!((&rows[3]["breaks"], &rows[2]["attributes"]["pod"]), (&"2nd effect".into(), &"<b>".into()));
    let never = violations[1]["story"]["never"].as_str().expect("a loss tells what never came");
    assert!(never.starts_with("message order-b is never delivered"), "{never}");
}

#[test]
fn the_page_has_the_stories_and_nothing_of_the_record_is_taken_for_html() {
    let here = place(&[("shop.jsonl", OF_ANOTHER_SYSTEM)]);
    let judged = delivery_in(here.path(), &["judge", "shop.jsonl", "--html", "page.html"]);
    assert_eq!(judged.code, 0, "{}", judged.err);
    let page = std::fs::read_to_string(here.path().join("page.html")).expect("it was written");
    for expected in [
        "data-property=\"no-duplicate-effect\" data-message=\"order-a\"",
        "data-property=\"acked-not-lost\" data-message=\"order-b\"",
        "◀ 2nd effect",
        "&lt;b&gt;",
        "aria-label='submit to arrival over time'",
    ] {
        assert!(page.contains(expected), "{expected} is missing");
    }
    assert!(!page.contains("<b>") && !page.contains("src=") && !page.contains("href=\"http"), "{page}");

    let refused = delivery_in(here.path(), &["judge", "shop.jsonl", "--html", "nowhere/page.html"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("nowhere/page.html"), "{}", refused.err);
}
