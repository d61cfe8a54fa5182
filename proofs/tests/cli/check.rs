//! `check`: the promise, whether it holds in both worlds, and the story if it does not.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::common::{delivery, delivery_in, delivery_in_columns, ended, expected, names, place, samples};

#[test]
fn the_reference_pipelines_keep_their_promises_in_both_worlds() {
    let here = place(&[]);
    for arguments in [&[][..], &["check"]] {
        let ended = delivery_in(here.path(), arguments);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
        for promise in ["at-most-once", "at-least-once", "exactly-once"] {
            assert!(ended.out.contains(&format!("{promise} promises {promise} (by effect")), "{}", ended.out);
        }
        assert_eq!(ended.out.matches("messages): holds\n").count(), 3, "{}", ended.out);
        assert_eq!(ended.out.matches("model and simulation agree\ntook ").count(), 3, "{}", ended.out);
    }
    assert_eq!(names(here.path()), [""; 0], "a check writes nothing that it was not asked for");
}

#[test]
fn the_samples_get_their_verdicts() {
    for (name, strongest) in expected("pipelines").as_object().expect("by name") {
        let file = samples("pipelines").join(format!("{name}.toml"));
        let ended = delivery_in(file.parent().unwrap(), &["check", "--json", file.to_str().unwrap()]);
        assert_eq!(ended.code, 0, "{name} promises nothing that it could break: {}", ended.err);
        let [object] = &ended.json()[..] else { panic!("one object for one pipeline: {}", ended.out) };
        assert_eq!((&object["strongest"], &object["agree"]), (strongest, &Value::Bool(true)), "{name}");
        assert_eq!(object["worlds"]["model"]["complete"], true, "{name}");
        assert!(object["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{name}");
        assert_eq!(object["worlds"]["model"]["verdicts"], object["worlds"]["simulation"]["verdicts"], "{name}");
    }
}

/// What a public report tells breaks the promise in both worlds alike.
#[test]
fn a_reports_pipeline_breaks_its_promise_in_both_worlds() {
    let reports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/reports");
    for report in std::fs::read_dir(&reports).expect("the reports") {
        let file = report.expect("readable").path();
        let ended = delivery_in(&reports, &["check", "--json", file.to_str().expect("a name")]);
        let [object] = &ended.json()[..] else { panic!("one object for one pipeline: {}", ended.out) };
        assert_eq!((ended.code, &object["agree"]), (1, &Value::Bool(true)), "{}: {}", file.display(), ended.err);
    }
}

/// A reference pipeline with one setting weakened.
struct Weakened {
    what: &'static str,
    preset: &'static str,
    /// The keys of the lines to replace, each with the new line.
    changes: &'static [(&'static str, &'static str)],
    breaks: &'static str,
}

const WEAKENED: &[Weakened] = &[
    Weakened {
        what: "no retry, where every submitted message counts",
        preset: "at-least-once",
        changes: &[("attempts", "\"once\"")],
        breaks: "submitted-not-lost",
    },
    Weakened {
        what: "neither identity nor dedup, and so no inbox by identity",
        preset: "exactly-once",
        changes: &[("identity", "\"none\""), ("dedup", "\"none\"")],
        breaks: "no-duplicate-effect",
    },
    Weakened {
        what: "settles before the effect",
        preset: "at-least-once",
        changes: &[("settles", "\"before-effect\"")],
        breaks: "submitted-not-lost",
    },
    Weakened {
        what: "settles before the effect",
        preset: "exactly-once",
        changes: &[("settles", "\"before-effect\"")],
        breaks: "submitted-not-lost",
    },
    Weakened {
        what: "no inbox",
        preset: "exactly-once",
        changes: &[("remembers", "\"nothing\"")],
        breaks: "no-duplicate-effect",
    },
    Weakened {
        what: "acks on receipt",
        preset: "at-least-once",
        changes: &[("acks", "\"on-receipt\"")],
        breaks: "submitted-not-lost",
    },
    Weakened {
        what: "acks on receipt",
        preset: "exactly-once",
        changes: &[("acks", "\"on-receipt\"")],
        breaks: "submitted-not-lost",
    },
    Weakened {
        what: "a restart forgets, where every submitted message counts",
        preset: "exactly-once",
        changes: &[("on-restart", "\"forgets\"")],
        breaks: "submitted-not-lost",
    },
    Weakened {
        what: "a restart forgets, where every submitted message counts",
        preset: "at-least-once",
        changes: &[("on-restart", "\"forgets\"")],
        breaks: "submitted-not-lost",
    },
    Weakened {
        what: "retries",
        preset: "at-most-once",
        changes: &[("attempts", "\"until-acked\""), ("acks", "\"after-sync\"")],
        breaks: "no-duplicate-effect",
    },
    Weakened {
        what: "hands off until settled, and settles after the effect",
        preset: "at-most-once",
        changes: &[("delivers", "\"until-settled\""), ("settles", "\"after-effect\"")],
        breaks: "no-duplicate-effect",
    },
];

impl Weakened {
    fn toml(&self) -> String {
        let (_, text) = delivery_model::presets::ALL.iter().find(|(name, _)| *name == self.preset).expect("a preset");
        let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
        let changed = |line: &str| {
            let change = self.changes.iter().find(|(changed, _)| *changed == key(line));
            change.map_or_else(|| line.to_owned(), |(key, word)| format!("{key} = {word}"))
        };
        let toml: Vec<String> = text.lines().map(changed).collect();
        for (changed, _) in self.changes {
            assert!(text.lines().any(|line| key(line) == *changed), "{}: {changed} is not set", self.preset);
        }
        toml.join("\n")
    }
}

#[test]
fn one_weakened_setting_breaks_the_promise_in_every_world() {
    for weakened in WEAKENED {
        let what = format!("{}: {}", weakened.preset, weakened.what);
        let here = place(&[("weakened.toml", &weakened.toml())]);
        let ended = delivery_in(here.path(), &["check", "weakened.toml", "--save", "stories"]);
        assert_eq!(ended.code, 1, "{what}: {}{}", ended.out, ended.err);
        assert!(ended.out.contains(&format!("\n{}, broken for message 1", weakened.breaks)), "{what}: {}", ended.out);
        assert!(ended.out.contains("the shortest story, 1 message in "), "{what}: {}", ended.out);
        assert!(ended.out.contains("● submits order 1"), "{what}: {}", ended.out);
        assert!(ended.out.contains("model and simulation agree\n"), "{what}: {}", ended.out);
        let story = format!("stories/{}.{}.json", weakened.preset, weakened.breaks);
        for world in ["model", "simulation"] {
            let replayed = delivery_in(here.path(), &["replay", &story, "--world", world]);
            assert_eq!(replayed.code, 1, "{what}, {world}: {}{}", replayed.out, replayed.err);
            let breach = format!("{}, broken for message 1: ", weakened.breaks);
            assert!(replayed.out.contains(&breach), "{what}, {world}: {}", replayed.out);
            for (told, where_from) in [(&ended.out, "check"), (&replayed.out, world)] {
                assert_eq!(marks(told, weakened.breaks), 1, "{what}, {where_from}: {told}");
            }
        }
    }
}

/// How many lines mark this property as broken, or tell its loss.
fn marks(told: &str, property: &str) -> usize {
    let marks: &[&str] = match property {
        "no-duplicate-effect" => &["◀ 2nd effect"],
        _ => &["✗ message 1 is never delivered", "✗ message 1 has no effect"],
    };
    told.lines().filter(|line| marks.iter().any(|mark| line.contains(mark))).count()
}

#[test]
fn the_step_that_breaks_and_what_never_comes_stand_in_the_json() {
    let here = place(&[("no-inbox.toml", "name = \"no-inbox\"\n[consumer]\nremembers = \"nothing\"\n")]);
    for (pipeline, world) in [("no-inbox.toml", "model"), ("no-inbox.toml", "simulation"), ("nats-core", "model")] {
        let ended = delivery_in(here.path(), &["check", pipeline, "--json", "--schedules", "200"]);
        let told: Value = serde_json::from_str(&ended.out).expect("it is JSON");
        let violations = told["worlds"][world]["violations"].as_array().expect("a list");
        assert!(!violations.is_empty());
        for it in violations {
            let (property, breaks, never) = (it["property"].as_str().unwrap(), &it["breaks"], &it["never"]);
            match property.ends_with("-not-lost") {
                true => assert!(breaks.is_null() && never == "message 1 is never delivered", "{it}"),
                false => assert!(never.is_null() && breaks.is_u64(), "{it}"),
            }
            if property == "no-duplicate-effect" {
                let step = &it["steps"][breaks.as_u64().unwrap() as usize];
                assert_eq!(step["step"], "handle", "{it}");
            }
        }
    }
}

#[test]
fn the_readmes_exit_codes_are_those_of_the_help() {
    let help = delivery_in(place(&[]).path(), &["--help"]).out;
    let (_, codes) = help.split_once("Exit codes:\n").expect("the help lists them");
    let rows: Vec<String> = codes
        .lines()
        .filter_map(|line| line.trim().split_once("  "))
        .map(|(code, meaning)| format!("| {code} | {meaning} |"))
        .collect();
    assert_eq!(rows.len(), 5, "{codes}");
    let readme = of_readme("| code | meaning |", "`--save DIR`");
    for row in rows {
        assert!(readme.contains(&row), "{row} is not in the README:\n{readme}");
    }
}

/// The text between two lines of the README.
fn of_readme(begin: &str, end: &str) -> String {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).expect("it is there");
    let (_, rest) = readme.split_once(begin).expect("it has such a block");
    rest.split_once(end).expect("the block ends").0.to_owned()
}

#[test]
fn the_readmes_example_does_what_it_says() {
    let here = place(&[("orders.toml", &of_readme("```toml\n", "```"))]);
    let ended = delivery_in_columns(here.path(), None, &["check", "orders.toml"]);
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    let story = of_readme("```text\n", "```");
    assert!(story.starts_with("no-duplicate-effect, broken"), "{story}");
    assert!(ended.out.contains(&story), "the README tells\n{story}and the command\n{}", ended.out);
}

/// The reduced search is the usual one: it has fewer states, and the same verdicts and story as that of all orders of
/// steps. Whole runs are judged by the whole graph, or not at all.
#[test]
fn a_reduced_search_tells_the_same_of_everything_but_whole_runs() {
    let here = place(&[("orders.toml", &of_readme("```toml\n", "```"))]);
    let check = |arguments: &[&str]| {
        let arguments = [&["check", "orders.toml", "--schedules", "10"], arguments].concat();
        let ended = delivery_in_columns(here.path(), None, &arguments);
        assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
        ended
    };
    let story = of_readme("```text\n", "```");
    let told = check(&["--reduced"]).out;
    assert!(told.contains(&story), "the README tells\n{story}and the command\n{told}");
    assert!(told.contains("2 messages, 2 faults: all, reduced to "), "{told}");
    assert!(told.contains("whole runs in the model: judged only for losses in runs without end"), "{told}");
    let [full, usual, reduced] = [&["--json", "--all-orders"][..], &["--json"], &["--json", "--reduced"]]
        .map(|arguments| check(arguments).json().remove(0));
    let of_model = |object: &Value, key: &str| object["worlds"]["model"][key].clone();
    for key in ["verdicts", "complete", "never-fired"] {
        assert_eq!(of_model(&full, key), of_model(&reduced, key), "{key}");
        assert_eq!(of_model(&full, key), of_model(&usual, key), "{key}");
    }
    assert_eq!(of_model(&usual, "states"), of_model(&reduced, "states"));
    assert_eq!(full["strongest"], reduced["strongest"]);
    assert!(of_model(&full, "states").as_u64() > of_model(&reduced, "states").as_u64().map(|states| 10 * states));
    assert_eq!([&full, &usual, &reduced].map(|it| of_model(it, "reduced")), [false, true, true]);
    assert_ne!(of_model(&full, "liveness"), json!([]));
    assert_eq!(of_model(&full, "liveness"), of_model(&usual, "liveness"));
    assert_eq!(of_model(&reduced, "liveness"), json!([]));
}

#[test]
fn a_claimed_order_counts_as_a_promise() {
    let unordered = "ordered = true\n[producer]\nidentity = \"none\"\nin-flight = 2\n[broker]\ndedup = \"none\"\n\
                     [faults]\npublish-reordered = 1\n";
    let here = place(&[("unordered.toml", unordered)]);
    let ended = delivery_in(here.path(), &["check", "unordered.toml"]);
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("unordered promises order"), "{}", ended.out);
    assert!(ended.out.contains("\norder, broken"), "{}", ended.out);
}

#[test]
fn what_the_model_cannot_hold_is_unknown_and_said() {
    let many = "promises = \"exactly-once\"\n[faults]\ntotal = 0\nproducer-crash = 9\n";
    let here = place(&[("many.toml", many)]);
    let ended = delivery_in(here.path(), &["check", "many.toml", "--messages", "1", "--schedules", "10"]);
    assert_eq!(ended.code, 3, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("unknown"), "{}", ended.out);
    assert!(ended.out.contains("restarts of the producer: 9 asked for, the model stops at 7"), "{}", ended.out);
}

#[test]
fn what_promises_nothing_says_so_and_what_it_gives() {
    let weak = "level = \"delivery\"\n[broker]\ndelivers = \"once\"\n[faults]\ndelivery-lost = 1\n";
    let here = place(&[("weak.toml", weak), ("empty.toml", "")]);
    for (pipeline, strongest) in [("weak.toml", "at-most-once"), ("empty.toml", "exactly-once")] {
        for (verb, limit) in [("check", "--schedules"), ("simulate", "--schedules"), ("run", "--messages")] {
            let faults = if verb == "run" { &["--faults", "1"][..] } else { &[] };
            let ended = delivery_in(here.path(), &[&[verb, pipeline, limit, "200"], faults].concat());
            assert_eq!(ended.code, 0, "{verb} {pipeline}: {}{}", ended.out, ended.err);
            let nothing = ended.out.contains("nothing is promised") || ended.out.contains("promises nothing");
            assert!(nothing, "{verb} {pipeline}: {}", ended.out);
            let told = ended.out.lines().any(|line| line.contains("the strongest that") && line.contains(strongest));
            assert!(told, "{verb} {pipeline}: {}", ended.out);
        }
    }
}

#[test]
fn where_nothing_is_promised_and_nothing_known_the_exit_code_says_so() {
    let here = place(&[("many.toml", "[faults]\ntotal = 0\nproducer-crash = 9\n")]);
    let ended = delivery_in(here.path(), &["check", "many.toml", "--messages", "1", "--schedules", "10"]);
    assert_eq!(ended.code, 3, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("the strongest that holds is unknown"), "{}", ended.out);
}

#[test]
fn a_promise_that_rests_on_dead_letters_says_so_in_words_and_in_json() {
    let dies = "promises = \"exactly-once\"\n[broker]\nmax-deliveries = 1\n[faults]\nconsumer-crash = 1\n";
    let here = place(&[("dies.toml", dies)]);
    for verb in ["check", "simulate"] {
        let ended = delivery_in(here.path(), &[verb, "dies.toml", "--schedules", "500"]);
        assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
        assert!(ended.out.contains("holds, or dead-lettered"), "{verb}: {}", ended.out);
        let ended = delivery_in(here.path(), &[verb, "dies.toml", "--schedules", "500", "--json"]);
        assert_eq!(ended.json()[0]["or-dead-lettered"], true, "{verb}");
    }
    let ended = delivery_in(here.path(), &["check", "dies.toml", "--schedules", "500"]);
    assert!(ended.out.contains("messages may end as dead letters"), "{}", ended.out);
    assert!(ended.out.contains("sets position 0 aside (dead letter)"), "{}", ended.out);
}

#[test]
fn a_story_beyond_the_messages_of_the_search_says_so() {
    let three = "[producer]\nin-flight = 3\n[faults]\npublish-lost = 1\ndedup-forgotten = 1\n";
    let here = place(&[("three.toml", three)]);
    let ended = delivery_in(here.path(), &["check", "three.toml"]);
    let told = "; the shortest story, 3 messages in 33 steps, beyond the 2 messages of the search:";
    assert!(ended.out.contains(told), "{}", ended.out);
    let ended = delivery_in(here.path(), &["check", "three.toml", "--messages", "3", "--schedules", "10"]);
    assert!(ended.out.contains("; the shortest story, 3 messages in 33 steps:"), "{}", ended.out);
}

#[test]
fn a_message_that_is_tried_for_ever_is_lost_and_its_loop_can_be_replayed() {
    let poison = "promises = \"at-least-once\"\n[faults]\npoison = 1\n";
    let here = place(&[("poison.toml", poison)]);
    let ended = delivery_in(here.path(), &["check", "poison.toml", "--schedules", "200", "--save", "saved"]);
    assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("model and simulation agree"), "{}", ended.out);
    assert!(ended.out.contains("loop: for ever from here on"), "{}", ended.out);
    for world in ["model", "simulation"] {
        let saved = "saved/poison.acked-not-lost.json";
        let replayed = delivery_in(here.path(), &["replay", saved, "--world", world]);
        assert_eq!(replayed.code, 1, "{world}: {}{}", replayed.out, replayed.err);
        assert!(replayed.out.contains("acked-not-lost, broken for message 1"), "{world}: {}", replayed.out);
    }
}

#[test]
fn a_pipeline_is_read_from_standard_input() {
    for verb in ["check", "simulate"] {
        let mut command = delivery();
        command.args([verb, "-", "--schedules", "50"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(b"name = \"piped\"\n").expect("it reads");
        let ended = ended(child.wait_with_output().expect("it ends"));
        assert_eq!(ended.code, 0, "{verb}: {}", ended.err);
        assert!(ended.out.starts_with("piped"), "{verb}: {}", ended.out);
    }
}
