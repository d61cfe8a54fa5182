//! `judge` in shares, on parts that others made, and with a horizon: the joined judgement has the bytes of one pass.

use std::fmt::Write as _;
use std::io::{Write as _, stderr};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{delivery_in, place};

/// A history with messages that are lost, repeated, and at one position.
fn history(messages: u32) -> String {
    let mut out = "{\"format\":\"delivery-history\",\"version\":1}\n".to_owned();
    let mut at = 0;
    let mut line = |rest: &str| {
        at += 1;
        let _ = writeln!(out, "{{\"at\":{at},{rest}}}");
    };
    for number in 1..=messages {
        let (name, position) = (format!("\"order {number}\""), if number == 70 { 5 } else { number });
        line(&format!(r#""process":"p","event":"submit","message":{name}"#));
        line(&format!(r#""process":"p","event":"outcome","message":{name},"outcome":"acked","position":{position}"#));
        if number % 50 == 7 {
            line(r#""process":"faults","event":"fault","fault":"delivery-lost""#);
            continue;
        }
        line(&format!(r#""process":"c","event":"deliver","message":{name},"group":"g","position":{position}"#));
        line(&format!(r#""process":"c","event":"effect","message":{name},"group":"g""#));
        if number % 40 == 3 {
            line(&format!(r#""process":"c","event":"effect","message":{name},"group":"g""#));
        }
    }
    line(r#""process":"faults","event":"quiescent""#);
    out
}

#[test]
fn joined_shares_have_the_bytes_of_one_pass() {
    let here = place(&[("orders.jsonl", &history(300))]);
    for share in ["1/3", "2/3", "3/3"] {
        let out = format!("part-{}", &share[..1]);
        let ended = delivery_in(here.path(), &["judge", "orders.jsonl", "--shard", share, "-o", &out]);
        assert_eq!((ended.code, ended.out.as_str()), (0, ""), "{}", ended.err);
    }
    for flag in [None, Some("--json"), Some("--stories=20")] {
        let whole: Vec<&str> = ["judge", "orders.jsonl"].into_iter().chain(flag).collect();
        let merged: Vec<&str> = ["judge", "--merge", "part-1", "part-2", "part-3"].into_iter().chain(flag).collect();
        let (whole, merged) = (delivery_in(here.path(), &whole), delivery_in(here.path(), &merged));
        assert_eq!((merged.code, &merged.out), (whole.code, &whole.out), "{flag:?}: {}", merged.err);
        assert!(whole.out.contains("is lost") && whole.out.contains("both at position 5"), "{}", whole.out);
    }
    let missing = delivery_in(here.path(), &["judge", "--merge", "part-1", "part-3"]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("a share is missing or twice"), "{}", missing.err);
    let history = delivery_in(here.path(), &["judge", "--merge", "orders.jsonl"]);
    assert_eq!(history.code, 2);
    assert!(history.err.contains("part 1 orders.jsonl") && history.err.contains("judge --shard"), "{}", history.err);
    let endless = delivery_in(here.path(), &["judge", "--merge", "/dev/zero"]);
    assert_eq!(endless.code, 2, "an input without an end is not held in memory");
    assert!(endless.err.contains("found a line of more than 67,108,864 bytes"), "{}", endless.err);
    for (wrong, told) in [("4/3", "1/4 to 4/4"), ("0/3", "1/4 to 4/4"), ("half", "1/4 to 4/4")] {
        let refused = delivery_in(here.path(), &["judge", "orders.jsonl", "--shard", wrong]);
        assert_eq!(refused.code, 2);
        assert!(refused.err.contains(told), "{}", refused.err);
    }
    let twice = delivery_in(here.path(), &["judge", "orders.jsonl", "--shard", "1/3", "-o", "part-1"]);
    assert_eq!(twice.code, 2, "a file that is there is not overwritten");
}

#[test]
fn a_horizon_loses_what_does_not_come_in_time() {
    let late = "{\"format\":\"delivery-history\",\"version\":1}\n\
        {\"at\":\"2026-11-27T10:00:00Z\",\"process\":\"p\",\"event\":\"submit\",\"message\":1}\n\
        {\"at\":\"2026-11-27T10:00:01Z\",\"process\":\"p\",\"event\":\"outcome\",\"message\":1,\"outcome\":\"acked\"}\n\
        {\"at\":\"2026-11-27T11:30:00Z\",\"process\":\"c\",\"event\":\"deliver\",\"message\":1,\"group\":\"g\"}\n\
        {\"at\":\"2026-11-27T11:30:01Z\",\"process\":\"c\",\"event\":\"effect\",\"message\":1,\"group\":\"g\"}\n\
        {\"at\":\"2026-11-27T11:30:02Z\",\"process\":\"faults\",\"event\":\"quiescent\"}\n";
    let here = place(&[("late.jsonl", late)]);
    let judged = |horizon: &[&str]| delivery_in(here.path(), &[&["judge", "late.jsonl"], horizon].concat());
    let whole = judged(&[]);
    assert!(whole.out.contains("exactly-once   holds"), "{}", whole.out);
    let hour = judged(&["--horizon", "1h"]);
    assert!(hour.out.contains("message 1 was acked and is lost"), "{}", hour.out);
    assert!(hour.out.contains("late: message 1 (line 4)\nlate: message 1 (line 5)\n"), "{}", hour.out);
    let two = judged(&["--horizon", "2h"]);
    assert_eq!(two.out, whole.out);
    let wrong = judged(&["--horizon", "soon"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("such as 90s"), "{}", wrong.err);
}

#[test]
fn parts_that_others_made_are_judged_and_joined() {
    let text = history(100);
    let numbered: Vec<(usize, &str)> = (1..).zip(text.lines()).collect();
    let of = |even: bool| {
        let is_here = |line: &str| match line.split_once("\"order ") {
            None => true,
            Some((_, rest)) => {
                rest.split('"').next().and_then(|it| it.parse::<u32>().ok()).unwrap() % 2 == u32::from(!even)
            }
        };
        let lines = numbered.iter().filter(|(_, line)| is_here(line));
        lines.fold(String::new(), |out, (number, line)| out + &format!("{number}\t{line}\n"))
    };
    let here = place(&[("orders.jsonl", &text), ("even", &of(true)), ("odd", &of(false))]);
    for part in ["even", "odd"] {
        let out = format!("{part}.part");
        let arguments = ["judge", part, "--partial", "--numbered", "--name", "orders", "-o", &out];
        let ended = delivery_in(here.path(), &arguments);
        assert_eq!(ended.code, 0, "{}", ended.err);
    }
    let merged = delivery_in(here.path(), &["judge", "--merge", "even.part", "odd.part"]);
    let whole = delivery_in(here.path(), &["judge", "orders.jsonl"]);
    assert_eq!(merged.out, whole.out, "{}", merged.err);
}

/// Whether Spark can be started: it needs Java, and the Python package.
fn has_spark(test: &str) -> bool {
    let runs = |command: &str, arguments: &[&str]| {
        let ran = Command::new(command).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        ran.is_ok_and(|status| status.success())
    };
    let missing = match (runs("java", &["-version"]), runs("python3", &["-c", "import pyspark"])) {
        (true, true) => return true,
        (false, _) => "no java; apt-get install default-jre-headless",
        (true, false) => "no PySpark; pip install pyspark",
    };
    let _ = writeln!(stderr(), "left out: {test}: {missing}");
    false
}

#[test]
fn spark_judges_in_two_workers_what_one_pass_judges() {
    if !has_spark("spark_judges_in_two_workers_what_one_pass_judges") {
        return;
    }
    let here = place(&[("orders.jsonl", &history(300))]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/spark/judge.py");
    let ran = Command::new("python3")
        .arg(script)
        .args(["orders.jsonl", "parts", "--delivery", env!("CARGO_BIN_EXE_delivery")])
        .current_dir(here.path())
        .output()
        .expect("python starts");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let mut arguments = vec!["judge".to_owned(), "--merge".to_owned()];
    arguments.extend((0..4).map(|part| format!("parts/part-{part:05}")));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (merged, whole) = (delivery_in(here.path(), &arguments), delivery_in(here.path(), &["judge", "orders.jsonl"]));
    assert_eq!(merged.out, whole.out, "{}", merged.err);
}
