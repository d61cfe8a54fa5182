//! Completion of the command line, the manual, and the presets in the help.

use crate::common::{delivery_in, delivery_in_columns, names, place};

#[test]
fn every_shell_has_a_script_that_knows_verbs_and_presets() {
    let here = place(&[]);
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = delivery_in(here.path(), &["completions", shell]);
        assert_eq!(ended.code, 0, "{shell}: {}", ended.err);
        for word in ["check", "mutants", "schedules"] {
            assert!(ended.out.contains(word), "{shell} has no {word}");
        }
    }
    let bash = delivery_in(here.path(), &["completions", "bash"]).out;
    assert!(bash.contains("kafka-idempotent"), "{bash}");
    let ended = delivery_in(here.path(), &["completions", "cmd"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("bash, elvish, fish, powershell, zsh"), "{}", ended.err);
}

#[test]
fn the_manual_is_a_page_for_each_verb_or_the_main_page() {
    let here = place(&[("file", "")]);
    let main = delivery_in(here.path(), &["man"]);
    assert_eq!(main.code, 0, "{}", main.err);
    assert!(main.out.contains(".TH delivery 1") && main.out.contains("bad input"), "{}", main.out);
    let pages = delivery_in(here.path(), &["man", "pages/man1"]);
    assert_eq!((pages.code, pages.out.as_str()), (0, ""), "{}", pages.err);
    let written = names(&here.path().join("pages/man1"));
    for page in ["delivery.1", "delivery-check.1", "delivery-judge.1", "delivery-atlas.1"] {
        assert!(written.iter().any(|name| name == page), "{page} is not among {written:?}");
    }
    let check = std::fs::read_to_string(here.path().join("pages/man1/delivery-check.1")).expect("it is written");
    let presets = check.lines().find(|line| line.starts_with("Presets: ")).expect("man fills the lines itself");
    assert!(presets.contains("kafka\\-idempotent") && presets.contains("good\\-job"), "{presets}");
    assert_eq!(delivery_in(here.path(), &["man", "file"]).code, 2);
}

#[test]
fn the_help_of_what_takes_a_pipeline_lists_every_preset() {
    let here = place(&[]);
    for verb in ["check", "explore", "simulate", "run", "atlas", "broker", "produce", "consume"] {
        let help = delivery_in_columns(here.path(), None, &[verb, "--help"]).out;
        let (_, listed) = help.split_once("Presets:\n").unwrap_or_else(|| panic!("{verb}: {help}"));
        let listed: Vec<&str> = listed.split([',', '\n']).map(str::trim).filter(|name| !name.is_empty()).collect();
        let known: Vec<&str> = delivery_model::presets::ALL.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, known, "{verb}");
    }
    assert!(!delivery_in(here.path(), &["judge", "--help"]).out.contains("Presets:"));
}
