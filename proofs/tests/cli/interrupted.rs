//! Ctrl-C: every verb ends within a second, reports its progress, and exits with 130.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::common::{delivery, names, place, signal, wait_until};

/// The time-out for the end, which takes at most a second on an idle machine.
const SOON: Duration = Duration::from_secs(8);

fn start(directory: &Path, arguments: &[&str], input: Stdio) -> Child {
    let mut command = delivery();
    command.current_dir(directory).args(arguments).stdin(input);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts")
}

/// Whether the process handles SIGINT, according to the system.
fn has_taken_over_ctrl_c(child: &Child) -> bool {
    const INTERRUPT: u64 = 1 << 1;
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it is not reaped yet");
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a line of it");
    u64::from_str_radix(caught.trim(), 16).expect("a mask in hexadecimal") & INTERRUPT != 0
}

/// Interrupts the process. Returns its standard error; the end must come soon.
fn interrupt(mut child: Child) -> String {
    wait_until("it takes Ctrl-C over", || has_taken_over_ctrl_c(&child));
    signal(&child, "INT");
    let (to_test, ended) = channel();
    let mut err = child.stderr.take().expect("piped");
    thread::spawn(move || {
        let mut text = String::new();
        let _ = err.read_to_string(&mut text);
        let _ = to_test.send(text);
    });
    // The end of standard error is the end of the process.
    let said = ended.recv_timeout(SOON);
    if said.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().expect("it is gone");
    let said = said.expect("it ends soon");
    assert_eq!(status.code(), Some(130), "{said}");
    said
}

fn check(arguments: &[&str], expected: &str) {
    let here = place(&[]);
    let said = interrupt(start(here.path(), arguments, Stdio::null()));
    assert!(said.contains(expected), "{arguments:?} says {said:?}, not {expected:?}");
    assert_eq!(names(here.path()), [""; 0], "{arguments:?}");
}

#[test]
fn searches_campaigns_and_surveys_end() {
    check(
        &["check", "kafka-transactional", "--messages", "4"],
        "stopped: 1 of 1 pipelines were checked, the last one in part",
    );
    check(&["check", "--schedules", "4000000000"], "stopped: ");
    check(&["simulate", "--schedules", "4000000000"], " of 4,000,000,000 schedules");
    check(
        &["simulate", "--schedules", "4000000000", "--shard", "2/4", "-o", "part.jsonl"],
        " of 1,000,000,000 schedules",
    );
    check(&["atlas", "--messages", "3"], "stopped: 0 of 44 pipelines searched");
    check(&["atlas", "--messages", "3", "--html", "atlas.html"], "stopped: 0 of 44 pipelines searched");
    check(&["explore", "--messages", "4", "--listen", "127.0.0.1:0"], "stopped");
    check(&["mutants"], "seeded bugs");
}

/// What was not looked at is not told as if it could not happen.
#[test]
fn an_interrupted_check_does_not_say_that_faults_never_struck() {
    let here = place(&[]);
    let told = |arguments: &[&str]| {
        let told = here.path().join("told");
        let mut command = delivery();
        command.current_dir(here.path()).args(arguments).stdin(Stdio::null()).stderr(Stdio::piped());
        let out = std::fs::File::create(&told).expect("the folder is writable");
        interrupt(command.stdout(out).spawn().expect("it starts"));
        std::fs::read_to_string(told).expect("it is there")
    };
    let long = ["check", "kafka-transactional", "--messages", "4"];
    let in_words = told(&long);
    assert!(!in_words.contains("never struck"), "{in_words}");
    assert!(in_words.contains("the model was interrupted before these could strike: "), "{in_words}");
    let in_json = told(&[&long[..], &["--json"]].concat());
    assert!(in_json.contains("\"never-fired\":null"), "{in_json}");
}

#[test]
fn a_run_ends_while_it_is_planned_and_while_parties_crash() {
    const MANY: [&str; 5] = ["run", "--messages", "100000", "--faults", "200000"];
    check(&MANY, "stopped");
    let here = place(&[]);
    let child = start(here.path(), &[&MANY[..], &["--directory", "stores"]].concat(), Stdio::null());
    let history = here.path().join("stores/history.jsonl");
    let crashed = || std::fs::read_to_string(&history).is_ok_and(|text| text.contains("broker-crash"));
    wait_until("it goes on", crashed);
    let said = interrupt(child);
    assert!(said.contains("stopped"), "{said}");
    // The run can be resumed on what it left.
    let child = start(here.path(), &["run", "--messages", "100000", "--directory", "stores"], Stdio::null());
    let effect = || std::fs::read_to_string(&history).is_ok_and(|text| text.contains("\"effect\""));
    wait_until("it goes on", effect);
    let said = interrupt(child);
    assert!(said.contains("stopped"), "{said}");
}

const HEADER: &str = "{\"format\":\"delivery-history\",\"version\":1}\n";

#[test]
fn a_judge_ends_though_its_history_does_not() {
    let here = place(&[]);
    let mut child = start(here.path(), &["judge", "-", "--joined", "whole.jsonl"], Stdio::piped());
    let mut input = child.stdin.take().expect("piped");
    let (to_test, written) = channel();
    thread::spawn(move || {
        let mut line = HEADER.to_owned();
        for message in 0_u64.. {
            if input.write_all(line.as_bytes()).is_err() {
                return;
            }
            let _ = to_test.send(());
            line = format!("{{\"at\":{message},\"process\":\"p\",\"event\":\"submit\",\"message\":{message}}}\n");
        }
    });
    // These lines are more than a pipe holds, so the judge is reading.
    written.iter().take(10_000).for_each(drop);
    let said = interrupt(child);
    assert!(said.contains("stopped: reading -, ") && said.contains("iB"), "{said}");
    assert_eq!(names(here.path()), [""; 0]);
}

/// The judge waits for input, so it does not look at the flag of Ctrl-C.
#[test]
fn a_judge_ends_though_it_waits_for_its_history() {
    let here = place(&[]);
    let mut child = start(here.path(), &["judge", "-"], Stdio::piped());
    let mut input = child.stdin.take().expect("piped");
    input.write_all(HEADER.as_bytes()).expect("it is there");
    let said = interrupt(child);
    // On a loaded machine Ctrl-C may come before the judge begins to read.
    let ends = ["stopped: reading -", "stopped: nothing was read"];
    assert!(ends.iter().any(|end| said.contains(end)), "{said}");
    drop(input);
}
