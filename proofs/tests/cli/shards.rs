//! `simulate --shard` and `--merge`: the joined report is that of one run, byte for byte, and what does not belong together
//! is refused.

use std::path::Path;

use crate::common::{delivery_in, place};

const NO_INBOX: &str = "name = \"no-inbox\"\npromises = \"exactly-once\"\n[consumer]\nremembers = \"nothing\"\n";
/// Breaks several properties, one of them in a few runs only.
const WEAK: &str = "promises = \"at-least-once\"\nordered = true\n[producer]\nin-flight = 3\nattempts = 3\n\
                    [broker]\nacks = \"on-receipt\"\n[consumer]\nsettles = \"before-effect\"\n";
/// Is retried without end.
const POISON: &str = "promises = \"at-least-once\"\n[faults]\npoison = 1\n";
/// Has dead letters.
const DIES: &str = "promises = \"exactly-once\"\n[broker]\nmax-deliveries = 1\n[faults]\nconsumer-crash = 1\n";

fn pipelines() -> tempfile::TempDir {
    place(&[("no-inbox.toml", NO_INBOX), ("weak.toml", WEAK), ("poison.toml", POISON), ("dies.toml", DIES)])
}

/// Writes the partial reports of all shares, and returns their names.
fn shards(here: &Path, campaign: &[&str], shares: u32) -> Vec<String> {
    let write = |index: u32| {
        let (share, name) = (format!("{index}/{shares}"), format!("{index}.jsonl"));
        let ended = delivery_in(here, &[&["simulate", "--shard", &share], campaign].concat());
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        std::fs::write(here.join(&name), ended.out).expect("the folder is writable");
        name
    };
    (1..=shares).map(write).collect()
}

/// The exit code is that of one run; it is returned.
fn check(campaign: &[&str], shares: u32) -> i32 {
    let here = pipelines();
    let mut parts = shards(here.path(), campaign, shares);
    parts.reverse();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let merge = [&["simulate", "--merge"], &parts[..]].concat();
    let mut codes = Vec::new();
    for json in [&[][..], &["--json"]] {
        let whole = delivery_in(here.path(), &[&["simulate"], campaign, json].concat());
        let joined = delivery_in(here.path(), &[&merge[..], json].concat());
        assert_eq!((joined.out, joined.code), (whole.out, whole.code), "{campaign:?}: {}", joined.err);
        codes.push(whole.code);
    }
    assert_eq!(codes[0], codes[1]);
    codes[0]
}

#[test]
fn the_joined_report_is_that_of_one_run_byte_for_byte() {
    for (campaign, code) in [
        (&["exactly-once", "--schedules", "200"][..], 0),
        (&["no-inbox.toml", "--schedules", "200"], 1),
        (&["no-inbox.toml", "--schedules", "100", "--seed", "7"], 1),
        (&["weak.toml", "--schedules", "301", "--seed", "3"], 1),
        (&["weak.toml", "poison.toml", "dies.toml", "--schedules", "100", "--seed", "18446744073709551615"], 1),
        (&["weak.toml", "weak.toml", "--schedules", "2"], 1),
        (&["dies.toml", "--schedules", "500"], 0),
        (&["--schedules", "50"], 0),
    ] {
        assert_eq!(check(campaign, 3), code, "{campaign:?}");
    }
    // More shares than schedules.
    check(&["no-inbox.toml", "--schedules", "3"], 5);
    check(&["no-inbox.toml", "--schedules", "60"], 1);
}

/// What is printed, saved and written as a partial report is the same on one thread, two and three.
#[test]
fn the_report_is_the_same_whatever_the_number_of_threads() {
    let said = |threads: &str| {
        let here = pipelines();
        let run = |arguments: &[&str]| {
            let ended = delivery_in(here.path(), &[&["simulate", "--threads", threads], arguments].concat());
            assert!(ended.code <= 1, "{arguments:?}: {}", ended.err);
            (ended.out, ended.err, ended.code)
        };
        let broken = ["weak.toml", "poison.toml", "dies.toml", "no-inbox.toml", "--schedules", "301", "--seed", "3"];
        let told = [
            run(&[&broken[..], &["--save", "found"]].concat()),
            run(&[&broken[..], &["--json"]].concat()),
            run(&[&broken[..], &["--shard", "2/3"]].concat()),
            run(&["--schedules", "100"]),
            // Fewer schedules than a thread takes at a time, and none at all.
            run(&["weak.toml", "--schedules", "5", "--json"]),
            run(&["weak.toml", "--schedules", "2", "--shard", "3/3"]),
        ];
        let saved = std::fs::read_dir(here.path().join("found")).expect("it was written");
        let read = |path: std::path::PathBuf| (path.file_name().map(Into::into), std::fs::read(path).expect("a file"));
        let mut saved: Vec<(Option<std::ffi::OsString>, Vec<u8>)> =
            saved.map(|entry| read(entry.expect("it is listed").path())).collect();
        saved.sort();
        (told, saved)
    };
    let alone = said("1");
    assert!(alone.1.len() > 2, "little was found");
    for threads in ["2", "3"] {
        assert_eq!(said(threads), alone, "{threads} threads");
    }
}

#[test]
fn counterexamples_are_saved_as_by_one_run_and_shares_can_come_through_a_pipe() {
    let here = pipelines();
    let campaign = ["weak.toml", "--schedules", "200"];
    delivery_in(here.path(), &[&["simulate", "--save", "whole"], &campaign[..]].concat());
    let lines = |name: &String| std::fs::read_to_string(here.path().join(name)).expect("it is there");
    let all: String = shards(here.path(), &campaign, 4).iter().map(lines).collect();
    std::fs::write(here.path().join("all.jsonl"), all).expect("the folder is writable");
    let joined = delivery_in(here.path(), &["simulate", "--save", "joined", "--merge", "all.jsonl"]);
    assert_eq!(joined.code, 1, "{}", joined.err);
    let saved = |folder: &str| {
        let names = crate::common::names(&here.path().join(folder));
        let text = |name: String| (std::fs::read_to_string(here.path().join(folder).join(&name)).unwrap(), name);
        names.into_iter().map(text).collect::<Vec<_>>()
    };
    assert!(saved("whole").len() > 1);
    assert_eq!(saved("joined"), saved("whole"));
}

#[test]
fn a_partial_report_is_written_into_a_new_file_only() {
    let here = pipelines();
    let shard = ["simulate", "no-inbox.toml", "--schedules", "20", "--shard", "2/2"];
    let written = delivery_in(here.path(), &[&shard[..], &["-o", "part.jsonl"]].concat());
    assert_eq!((written.code, written.out.as_str()), (0, ""), "{}", written.err);
    let text = std::fs::read_to_string(here.path().join("part.jsonl")).expect("it is there");
    assert_eq!(text, delivery_in(here.path(), &shard).out);
    let again = delivery_in(here.path(), &[&shard[..], &["-o", "part.jsonl"]].concat());
    assert_eq!(again.code, 2);
    assert!(again.err.contains("part.jsonl: there is a file already"), "{}", again.err);
}

/// Of three shares of `no-inbox.toml`, the third is replaced by this text; the error has these words.
fn refused(third: impl Fn(&Path, &str) -> String, expected: &[&str]) {
    let here = pipelines();
    let names = shards(here.path(), &["no-inbox.toml", "--schedules", "60"], 3);
    let path = here.path().join(&names[2]);
    let text = third(here.path(), &std::fs::read_to_string(&path).expect("it is there"));
    std::fs::write(path, text).expect("the folder is writable");
    let ended = delivery_in(here.path(), &["simulate", "--merge", "1.jsonl", "2.jsonl", "3.jsonl"]);
    assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{}", ended.err);
    for expected in expected {
        assert!(ended.err.contains(expected), "{}lacks {expected:?}", ended.err);
    }
}

#[test]
fn what_is_not_all_shares_of_one_campaign_is_refused_by_file_and_difference() {
    let replaced = |from: &'static str, to: &'static str| {
        move |_: &Path, text: &str| {
            assert!(text.contains(from), "{text}");
            text.replacen(from, to, 1)
        }
    };
    let other = |campaign: &'static [&'static str]| {
        move |here: &Path, _: &str| delivery_in(here, &[&["simulate"], campaign].concat()).out
    };
    refused(
        |here, _| std::fs::read_to_string(here.join("1.jsonl")).unwrap(),
        &["3.jsonl: share 1/3 is given twice", "1.jsonl"],
    );
    refused(
        other(&["no-inbox.toml", "--schedules", "60", "--shard", "3/3", "--seed", "2"]),
        &["3.jsonl: seed: found 2; expected 1 as in 1.jsonl"],
    );
    refused(
        other(&["no-inbox.toml", "--schedules", "61", "--shard", "3/3"]),
        &["3.jsonl: schedules: found 61; expected 60 as in 1.jsonl"],
    );
    refused(
        other(&["no-inbox.toml", "--schedules", "60", "--shard", "3/4"]),
        &["3.jsonl: number of shares: found 4; expected 3"],
    );
    refused(
        other(&["no-inbox.toml", "dies.toml", "--schedules", "60", "--shard", "3/3"]),
        &["3.jsonl: number of pipelines: found 2; expected 1"],
    );
    refused(
        other(&["dies.toml", "--schedules", "60", "--shard", "3/3"]),
        &["3.jsonl: pipeline 1: name: found \"dies\"; expected \"no-inbox\" as in 1.jsonl"],
    );
    // The same name, one setting other.
    refused(
        |here, _| {
            std::fs::write(here.join("no-inbox.toml"), format!("{NO_INBOX}workers = 2\n")).unwrap();
            delivery_in(here, &["simulate", "no-inbox.toml", "--schedules", "60", "--shard", "3/3"]).out
        },
        &["3.jsonl: pipeline 1: consumer.workers: found 2; expected 1 as in 1.jsonl"],
    );
    refused(replaced("\"version\":1", "\"version\":2"), &["3.jsonl: line 1: version: found 2; allowed: 1"]);
    refused(replaced("\"program\":\"", "\"program\":\"9."), &["3.jsonl: line 1: written by version 9."]);
    refused(replaced("\"share\":\"3/3\"", "\"share\":\"4/3\""), &["3.jsonl: line 1: share: found 4/3; ", "1/4"]);
    refused(replaced("\"schedules\":20", "\"schedules\":19"), &["3.jsonl: line 2: schedules: found 19; ", "has 20"]);
    refused(replaced("\"steps\"", "\"stops\""), &["3.jsonl: line 2: unknown field `stops`"]);
    refused(replaced("\"run\":", "\"run\":1"), &["3.jsonl: line 2: counterexamples: no-duplicate-effect: run 1"]);
    refused(
        replaced("\"property\":\"no-duplicate-effect\"", "\"property\":\"acked-not-lost\""),
        &["3.jsonl: line 2: counterexamples: acked-not-lost: its schedule does not break it"],
    );
    refused(
        |_, text| text.lines().next().unwrap().to_owned(),
        &["3.jsonl: line 1: found 0 of 1 pipelines: the rest is"],
    );
    refused(|_, text| text[..text.len() - 40].to_owned(), &["3.jsonl: line 2: EOF while parsing", "in column"]);
    refused(|_, _| String::new(), &["3.jsonl: line 1: found nothing; expected a partial report"]);
    refused(other(&["no-inbox.toml", "--json"]), &["3.jsonl: line 1: found no `format`; expected a partial report"]);
}

#[test]
fn missing_shares_are_named() {
    let here = pipelines();
    shards(here.path(), &["dies.toml", "--schedules", "20"], 9);
    for (parts, expected) in [
        (&["2.jsonl"][..], "shares 1/9, 3/9, 4/9, 5/9, 6/9 and 3 more are missing; found 1 of 9 shares in 2.jsonl"),
        (&["1.jsonl", "2.jsonl", "3.jsonl", "5.jsonl", "6.jsonl", "7.jsonl", "8.jsonl"], "shares 4/9, 9/9 are missing"),
        (
            &["1.jsonl", "2.jsonl", "3.jsonl", "4.jsonl", "5.jsonl", "7.jsonl", "8.jsonl", "9.jsonl"],
            "share 6/9 is missing",
        ),
    ] {
        let ended = delivery_in(here.path(), &[&["simulate", "--merge"], parts].concat());
        assert_eq!(ended.code, 2, "{}", ended.out);
        assert!(ended.err.contains(expected), "{}", ended.err);
    }
    for arguments in [
        &["--shard", "0/3"][..],
        &["--shard", "4/3"],
        &["--shard", "1/3", "--json"],
        &["--shard", "1/3", "--save", "found"],
        &["--output", "part.jsonl"],
        &["--merge", "1.jsonl", "--seed", "2"],
        &["--merge", "1.jsonl", "--schedules", "20"],
        &["dies.toml", "--merge", "1.jsonl"],
        &["--merge", "1.jsonl", "--threads", "2"],
        &["--threads", "0"],
    ] {
        let ended = delivery_in(here.path(), &[&["simulate"], arguments].concat());
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.out);
    }
}

#[test]
fn a_guided_campaign_repeats_for_its_seed_and_finds_what_breaks() {
    let here = pipelines();
    let guided = |more: &[&str]| {
        delivery_in(here.path(), &[&["simulate", "no-inbox.toml", "--guided", "--schedules", "200"], more].concat())
    };
    let found = guided(&["--seed", "7", "--json"]);
    assert_eq!(found.code, 1, "{}", found.err);
    assert_eq!(found.out, guided(&["--seed", "7", "--json"]).out);
    assert_ne!(found.out, guided(&["--seed", "8", "--json"]).out);
    assert!(guided(&[]).out.contains("200 guided schedules"), "{}", guided(&[]).out);
    for refused in [&["--threads", "2"][..], &["--shard", "1/2"]] {
        assert_eq!(guided(refused).code, 2, "{refused:?}");
    }
}
