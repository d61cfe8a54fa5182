//! A run that cannot be made is refused with a reason, and the user's files are not changed.

use std::fs;

use delivery_model::schedule::{PlannedFault, Point, StepWord};
use delivery_model::vocab::{Fault, MessageId};
use delivery_proofs::real::{FaultPlan, Options};

use crate::common::{TestDirectory, preset};

/// Runs ten messages, then another run in the same directory, which must be refused with this error.
fn check(change: impl FnOnce(&TestDirectory, &mut Options), expected: &str) {
    let place = TestDirectory::new();
    let mut options = place.options(10, 0);
    place.run(&preset("exactly-once"), &options).expect("a run");
    options.messages = 20;
    change(&place, &mut options);
    let history = fs::read_to_string(&options.record).ok();
    let error = place.run(&preset("exactly-once"), &options).expect_err("refused").to_string();
    assert!(error.contains(expected), "{error:?} does not contain {expected:?}");
    assert!(fs::read_to_string(&options.record).ok() == history, "the file has changed");
}

#[test]
fn options_that_make_no_sense() {
    check(|_, options| options.messages = 0, "messages: found 0; expected 1 to 4294967295");
    check(|_, options| options.producers = 0, "producers: found 0; expected 1 to 1024");
    let poison =
        PlannedFault::new(Fault::Poison, Point { step: StepWord::Submit, message: Some(MessageId(11)), nth: 1 });
    check(move |_, options| options.plan = FaultPlan::Given(vec![poison]), "a threaded run does not inject this fault");
}

#[test]
fn a_history_that_is_not_this_runs() {
    check(
        |place, options| {
            options.record = place.path().join("notes.txt");
            fs::write(&options.record, "dear diary").expect("writable");
        },
        "notes.txt: line 1: found",
    );
    check(
        |_, options| {
            let other = fs::read_to_string(&options.record).expect("a history");
            fs::write(&options.record, other.replacen("exactly-once", "another", 1)).expect("writable");
        },
        "a history of another, with other settings; expected one of exactly-once",
    );
    check(|_, options| options.directory = None, "there is a file already; expected a new one");
}

#[test]
fn stores_that_are_not_this_histories() {
    check(
        |place, options| options.record = place.path().join("new.jsonl"),
        "broker-0's log has had 10 records; expected none",
    );
    check(|_, options| options.producers = 3, "the run had more producers; expected 3 as asked for now");
}
