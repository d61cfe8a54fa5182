//! Bad input: exit code 2, one clear message, no output and no file.

use std::io::Write;
use std::net::TcpListener;
use std::process::Stdio;

use crate::common::{delivery, delivery_in, ended, names, place};

/// Checks the error of `arguments` on a file called `input` with this text.
fn check(arguments: &[&str], text: &str, expected: &[&str]) {
    let here = place(&[("input", text)]);
    let ended = delivery_in(here.path(), arguments);
    let told = format!("{arguments:?} on {text:?}: {ended:?}");
    assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{told}");
    assert!(ended.err.starts_with("error: ") && !ended.err.contains("panicked"), "{told}");
    assert_eq!(ended.err.matches("error: ").count(), 1, "{told}");
    for words in expected {
        assert!(ended.err.contains(words), "{words:?} is missing: {told}");
    }
    assert_eq!(names(here.path()), ["input"], "{told}");
    assert_eq!(std::fs::read_to_string(here.path().join("input")).expect("it is there"), text, "{told}");
}

#[test]
fn pipelines() {
    for (text, expected) in [
        ("promise = \"exactly-once\"", &["input", "line 1", "`promise`", "promises"][..]),
        (
            "\n[broker]\nacks = \"sometimes\"",
            &["line 3", "broker.acks", "sometimes", "never", "on-receipt", "after-sync"],
        ),
        ("[faults]\nmeteor = 1", &["line 2", "meteor", "publish-lost"]),
        ("[broker]\ndedup-window = -1", &["line 2", "broker.dedup-window", "-1"]),
        ("[producer]\nin-flight = 0", &["line 2", "producer.in-flight", "0", "1"]),
        ("[producer]\nidentity = \"none\"", &["identity", "dedup", "sequence"]),
        ("[broker]\nacks = \"never\"", &["broker.acks", "never"]),
        ("name = ", &["line 1"]),
        ("name = \"a\"\nname = \"b\"", &["line 2", "name"]),
    ] {
        for verb in ["check", "explore", "simulate", "run"] {
            check(&[verb, "./input"], text, expected);
        }
    }
}

#[test]
fn files_that_are_none() {
    check(&["check", "missing.toml"], "", &["missing.toml", "No such file"]);
    check(&["check", "kafka"], "", &["kafka", "neither a file nor a preset", "exactly-once", "kafka-idempotent"]);
    check(
        &["check", "kafka-idempotant"],
        "",
        &["neither a file nor a preset (did you mean kafka-idempotent?); presets:"],
    );
    check(&["check", "."], "", &["directory"]);
    check(&["check", "-", "exactly-once", "-"], "", &["standard input (-) is named twice"]);
    check(&["judge", "missing.jsonl"], "", &["missing.jsonl", "No such file"]);
    check(&["replay", "missing.json"], "", &["missing.json", "No such file"]);
}

/// The system reports the length of a device or a pipe as 0, and its contents have no end.
#[test]
fn files_without_an_end() {
    check(&["check", "/dev/zero"], "", &["/dev/zero", "more than 1,048,576 bytes", "for a pipeline"]);
    check(&["replay", "/dev/zero"], "", &["/dev/zero", "more than 16,777,216 bytes", "for a schedule"]);
    check(&["judge", "/dev/zero"], "", &["/dev/zero", "line 1", "more than 1,048,576 bytes"]);
    let secret = ["broker", "--directory", "stores", "--secret-file", "/dev/zero"];
    check(&secret, "", &["/dev/zero", "more than 4,096 bytes", "for a secret"]);
    for (arguments, expected) in [
        (&["check", "/dev/stdin"][..], "/dev/stdin: found more than 1,048,576 bytes"),
        (&["check", "-"], "standard input: found more than 1,048,576 bytes"),
        (&["judge", "-"], "-: line 1: found more than 1,048,576 bytes"),
    ] {
        let mut command = delivery();
        let child = command.args(arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("it starts");
        let mut input = child.stdin.take().expect("piped");
        // The command closes the pipe.
        while input.write_all(&[b'y'; 4096]).is_ok() {}
        let ended = ended(child.wait_with_output().expect("it ends"));
        assert_eq!(ended.code, 2, "{arguments:?}");
        assert!(ended.err.contains(expected), "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn histories() {
    const HEADER: &str = "{\"format\":\"delivery-history\",\"version\":1}\n";
    let after = |line: &str| format!("{HEADER}{line}\n");
    check(&["judge", "input"], "", &["input"]);
    check(&["judge", "input"], "{\"format\":\"a diary\",\"version\":1}\n", &["line 1", "delivery-history"]);
    check(&["judge", "input"], "{\"format\":\"delivery-history\",\"version\":9}\n", &["line 1", "9", "1"]);
    check(&["judge", "input"], &after("not json"), &["line 2"]);
    check(
        &["judge", "input"],
        &after("{\"at\":1,\"process\":\"p\",\"event\":\"submitted\",\"message\":1}"),
        &["line 2", "submitted", "submit"],
    );
    check(&["judge", "input"], &after("{\"at\":1,\"process\":\"p\",\"event\":\"submit\"}"), &["line 2", "message"]);
    let falls = "{\"at\":2,\"process\":\"p\",\"event\":\"submit\",\"message\":1}\n\
                 {\"at\":1,\"process\":\"p\",\"event\":\"submit\",\"message\":2}";
    check(&["judge", "input"], &after(falls), &["line 3", "at"]);
    check(&["judge", "input", "--expect", "at-least-twice"], HEADER, &["at-least-twice", "exactly-once"]);
    check(&["judge", "input", "--level", "ground"], HEADER, &["ground", "delivery", "effect"]);
}

#[test]
fn schedules() {
    const START: &str = "{\"format\":\"delivery-schedule\",\"version\":1,";
    let with = |rest: &str| format!("{START}{rest}}}");
    for (text, expected) in [
        ("{".to_owned(), &["input", "line 1"][..]),
        ("{\"format\":\"delivery-schedule\",\"version\":2}".to_owned(), &["version", "2", "1"]),
        (with("\"messages\":1"), &["pipeline"]),
        (with("\"pipeline\":{},\"messages\":0"), &["messages", "0"]),
        (
            with("\"pipeline\":{\"producer\":{\"attempts\":\"never\"}},\"messages\":1"),
            &["attempts", "never", "until-acked"],
        ),
        (with("\"pipeline\":{},\"messages\":1,\"faults\":[{\"fault\":\"meteor\"}]"), &["meteor", "publish-lost"]),
        (
            with(
                "\"pipeline\":{},\"messages\":1,\"faults\":[{\"fault\":\"publish-ack-lost\",\"of\":\"ack\",\"message\":2}]",
            ),
            &["message", "2", "from 1 to 1"],
        ),
        (
            with("\"pipeline\":{},\"messages\":1,\"order\":{\"steps\":[{\"step\":\"receive\",\"message\":1}]}"),
            &["step 1", "cannot"],
        ),
    ] {
        check(&["replay", "input"], &text, expected);
    }
    let five = with("\"pipeline\":{},\"messages\":5");
    check(&["replay", "input", "--world", "model"], &five, &["a model has 1 to 4 messages, not 5"]);
    let poison =
        with("\"pipeline\":{},\"messages\":1,\"faults\":[{\"fault\":\"poison\",\"of\":\"submit\",\"message\":1}]");
    check(&["replay", "input", "--world", "real"], &poison, &["poison", "a threaded run does not inject this fault"]);
}

/// The command is refused before it has written anything: no file is created, and existing files are unchanged.
#[test]
fn places_that_cannot_be_written_to_and_addresses_that_are_taken() {
    const HISTORY: &str = "{\"format\":\"delivery-history\",\"version\":1}\n";
    const SCHEDULE: &str = "{\"format\":\"delivery-schedule\",\"version\":1,\"pipeline\":{},\"messages\":1}";
    const ENDLESS: [&str; 2] = ["--schedules", "4000000000"];
    let no_such = "No such file";
    check(&["run", "--record", "missing/h.jsonl"], "", &["missing/h.jsonl", no_such]);
    check(&["run", "--record", "input"], "notes", &["input: there is a file already; a new one is expected"]);
    check(&["run", "--directory", "new/stores", "--record", "missing/h.jsonl"], "", &["missing/h.jsonl", no_such]);
    check(&["run", "--directory", "new/stores", "--record", "input"], "notes", &["input: line 1: found"]);
    check(&["run", "--directory", "new/stores", "--messages", "0"], "", &["messages: found 0"]);
    check(&["run", "--directory", "input/stores"], "", &["input/stores"]);
    check(&["replay", "input", "--record", "missing/h.jsonl"], SCHEDULE, &["missing/h.jsonl", no_such]);
    for world in ["model", "simulation", "real"] {
        check(
            &["replay", "input", "--world", world, "--record", "input"],
            SCHEDULE,
            &["input: there is a file already"],
        );
    }
    check(&["judge", "input", "--joined", "missing/h.jsonl"], HISTORY, &["missing/h.jsonl", no_such]);
    check(&["judge", "input", "--joined", "input"], HISTORY, &["input: there is a file already"]);
    check(&["judge", "input", "missing.jsonl", "--joined", "whole.jsonl"], HISTORY, &["missing.jsonl", no_such]);
    for verb in ["check", "simulate"] {
        check(&[&[verb, "--save", "input/found"], &ENDLESS[..]].concat(), "", &["input/found", "Not a directory"]);
        check(&[&[verb, "./input", "--save", "found"], &ENDLESS[..]].concat(), "name = 1", &["input", "line 1"]);
    }
    check(&["mutants", "--save", "input"], "", &["input", "Not a directory"]);
    check(&["mutants", "NoSuchBug"], "", &["NoSuchBug: not a seeded bug; expected one of ", "AckBeforeSync"]);
    check(&["atlas", "--html", "missing/atlas.html"], "", &["missing/atlas.html", no_such]);
    check(&["atlas", "./input", "--html", "atlas.html"], "name = 1", &["input", "line 1"]);
    check(&["atlas", "--html", "."], "", &["directory"]);

    let taken = TcpListener::bind("127.0.0.1:0").and_then(|taken| Ok((taken.local_addr()?.to_string(), taken)));
    let (address, _taken) = taken.expect("a free port");
    check(&["explore", "--listen", "localhost"], "", &["--listen", "no port; expected HOST:PORT"]);
    check(
        &["consume", "--directory", "new", "--connect", "localhost:http"],
        "",
        &["--connect", "`http`", "0 to 65535"],
    );
    check(&["explore", "--listen", &address], "", &[&address, "cannot listen"]);
    check(&["broker", "--directory", "new/stores", "--listen", &address], "", &["broker-0: Address already in use"]);
    check(&["broker", "--directory", ".", "--listen", &address], "", &["broker-0: Address already in use"]);
    check(&["broker", "--directory", "new", "--listen", "0.0.0.0:0"], "", &["0.0.0.0:0 is not the loopback address"]);
    check(&["broker", "--directory", "new", "--secret-file", "input"], "short", &["input", "5 bytes", "at least 16"]);
    check(&["broker", "--directory", "new", "./input"], "name = 1", &["input", "line 1"]);
    check(&["consume", "--directory", "new", "--record", "missing/h.jsonl"], "", &["missing/h.jsonl", no_such]);
    check(&["consume", "--directory", "new", "--record", "input"], "notes", &["input: line 1: found"]);
    check(&["produce", "--directory", "new", "--producer", "1"], "", &["producer: found 1; expected 0 to 0"]);
    check(&["produce", "--directory", "new", "--messages", "0"], "", &["messages: found 0"]);
}

#[test]
fn numbers_and_words_of_options() {
    check(&["check", "--messages", "5"], "", &["5", "1..=4"]);
    check(&["run", "--messages", "0"], "", &["messages", "0"]);
    check(&["simulate", "--schedules", "many"], "", &["many"]);
    check(&["prove"], "", &["prove"]);
}
