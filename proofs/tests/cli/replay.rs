//! `simulate` and `replay`: the same seed gives the same bytes, and what was found can be shown again in every world.

use crate::common::{delivery_in, names, place};

const NO_INBOX: &str = "name = \"no-inbox\"\npromises = \"exactly-once\"\n[consumer]\nremembers = \"nothing\"\n";

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let here = place(&[("no-inbox.toml", NO_INBOX)]);
    let run = |seed: &str, save: &str| {
        let arguments = ["simulate", "no-inbox.toml", "--schedules", "200", "--seed", seed, "--save", save];
        let ended = delivery_in(here.path(), &arguments);
        assert_eq!(ended.code, 1, "{}{}", ended.out, ended.err);
        (ended.out, std::fs::read(here.path().join(save).join("no-inbox.no-duplicate-effect.json")).unwrap())
    };
    assert_eq!(run("7", "first"), run("7", "second"));
    assert_ne!(run("7", "first").0, run("8", "third").0);
}

#[test]
fn a_shrunk_counterexample_breaks_the_same_property_in_every_world() {
    let here = place(&[("no-inbox.toml", NO_INBOX)]);
    delivery_in(here.path(), &["simulate", "no-inbox.toml", "--schedules", "200", "--save", "found"]);
    assert_eq!(names(&here.path().join("found")), ["no-inbox.no-duplicate-effect.json"]);
    for world in ["simulation", "model", "real"] {
        let replayed =
            delivery_in(here.path(), &["replay", "found/no-inbox.no-duplicate-effect.json", "--world", world]);
        assert_eq!(replayed.code, 1, "{world}: {}{}", replayed.out, replayed.err);
        assert!(replayed.out.contains("no-duplicate-effect, broken for message 1"), "{world}: {}", replayed.out);
    }
}

#[test]
fn a_promise_that_is_kept_exits_with_0() {
    let here = place(&[]);
    let ended = delivery_in(here.path(), &["simulate", "--schedules", "300"]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert_eq!(names(here.path()), [""; 0]);
}

#[test]
fn a_recorded_replay_is_judged_alike_and_no_file_is_overwritten() {
    let here = place(&[("no-inbox.toml", NO_INBOX)]);
    delivery_in(here.path(), &["check", "no-inbox.toml", "--save", "."]);
    for world in ["model", "simulation", "real"] {
        let history = format!("{world}.jsonl");
        let replay = ["replay", "no-inbox.no-duplicate-effect.json", "--world", world, "--record", &history];
        assert_eq!(delivery_in(here.path(), &replay).code, 1, "{world}");
        let judged = delivery_in(here.path(), &["judge", &history, "--expect", "exactly-once"]);
        assert_eq!(judged.code, 1, "{world}: {}{}", judged.out, judged.err);
        let is_told = |line: &str| line.starts_with("no-duplicate-effect") && line.contains("violated");
        assert!(judged.out.lines().any(is_told), "{world}: {}", judged.out);
        let written = std::fs::read(here.path().join(&history)).unwrap();
        let again = delivery_in(here.path(), &replay);
        assert_eq!(again.code, 2, "{world}: {}", again.out);
        assert_eq!(std::fs::read(here.path().join(&history)).unwrap(), written, "{world}");
    }
}
