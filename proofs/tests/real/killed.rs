//! A process that is killed in the middle, many times, loses nothing that was acked.
//!
//! A kill does not test the disk: what was written survives in the operating system. It tests that everything that
//! must survive was written before another party acted on it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use delivery_model::pipeline::Semantics;
use delivery_model::semantics::Verdict;

use crate::common::{TestDirectory, preset};

const MESSAGES: u64 = 1_000;

/// The path of the example, which runs until it is done or killed.
fn example() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a path");
    let profile = own.ancestors().nth(2).expect("tests lie in `deps` of their profile's folder");
    profile.join("examples").join(format!("run_for_real{}", std::env::consts::EXE_SUFFIX))
}

fn start(place: &TestDirectory, name: &str) -> Child {
    let messages = MESSAGES.to_string();
    let mut command = Command::new(example());
    command.arg(place.path()).args([name, &messages]).stdout(Stdio::piped()).spawn().expect("the example is built")
}

/// Kills the process after it has printed `lines` lines of progress, one for every hundred effects.
fn kill_after(mut child: Child, lines: usize) {
    let told = BufReader::new(child.stdout.take().expect("piped"));
    let seen = told.lines().take(lines).count();
    child.kill().expect("it runs");
    child.wait().expect("it is gone");
    assert_eq!(seen, lines, "it ended before it was killed");
}

fn check(name: &str, semantics: Semantics) {
    let place = TestDirectory::new();
    for lines in [1, 2, 1] {
        kill_after(start(&place, name), lines);
    }
    let output = start(&place, name).wait_with_output().expect("it runs to its end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let judgement = place.judged(None);
    assert_eq!(judgement.verdicts.of(semantics), Verdict::Holds, "{:#?}", judgement.violations);
    assert_eq!(judgement.counts.submitted, MESSAGES);
    // Once more, with nothing left to do: history and inventory still agree.
    let report = place.run(&preset(name), &place.same_as_example(MESSAGES)).expect("they agree");
    assert_eq!(report.effects, 0);
}

#[test]
fn exactly_once_stays_so_over_kills() {
    check("exactly-once", Semantics::ExactlyOnce);
}

#[test]
fn at_most_once_stays_so_over_kills() {
    check("at-most-once", Semantics::AtMostOnce);
}
