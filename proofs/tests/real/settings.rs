//! The real run of each pipeline shows what the pipeline promises, and also the harm that it does not exclude.

use delivery_impls::driver::run::Ended;
use delivery_model::pipeline::{Level, Pipeline, Semantics};
use delivery_model::semantics::Verdict::{self, Holds, Violated};
use delivery_proofs::real::left_out;

use crate::common::{TestDirectory, preset};

const MESSAGES: u64 = 300;
const EACH: u32 = 3;

/// Runs the pipeline under every fault of its budget, and checks its verdicts at the level of effects.
fn check(pipeline: &Pipeline, expected: [(Semantics, Verdict); 2]) -> TestDirectory {
    let place = TestDirectory::new();
    let report = place.run(pipeline, &place.options(MESSAGES, EACH)).expect("a run");
    assert_eq!((report.ended, report.progress.submitted), (Ended::Drained, MESSAGES));
    for fault in pipeline.faults.kinds().filter(|fault| !left_out(pipeline).contains(fault)) {
        let fired = report.fired.get(&fault).copied().unwrap_or(0);
        assert!(fired >= EACH.into(), "{fault} struck {fired} times; never came: {:?}", report.unreached);
    }
    let judgement = place.judged(Some(Level::Effect));
    for (semantics, verdict) in expected {
        assert_eq!(judgement.verdicts.of(semantics), verdict, "{semantics}: {:#?}", judgement.violations);
    }
    place
}

fn check_exactly_once(toml: &str) {
    let text = format!("name = \"settings\"\n{toml}");
    let pipeline = Pipeline::from_toml(&text, "settings").expect("a pipeline");
    check(&pipeline, [(Semantics::AtMostOnce, Holds), (Semantics::AtLeastOnce, Holds)]);
}

#[test]
fn exactly_once_neither_loses_nor_repeats_an_effect_but_repeats_deliveries() {
    let expected = [(Semantics::AtMostOnce, Holds), (Semantics::AtLeastOnce, Holds)];
    let place = check(&preset("exactly-once"), expected);
    let deliveries = place.judged(Some(Level::Delivery)).verdicts;
    assert_eq!(deliveries.of(Semantics::AtMostOnce), Violated);
    assert_eq!(deliveries.of(Semantics::AtLeastOnce), Holds);
}

#[test]
fn at_least_once_loses_nothing_and_repeats() {
    let expected = [(Semantics::AtMostOnce, Violated), (Semantics::AtLeastOnce, Holds)];
    let place = check(&preset("at-least-once"), expected);
    assert_eq!(place.judged(Some(Level::Delivery)).verdicts.of(Semantics::AtMostOnce), Violated);
}

#[test]
fn at_most_once_repeats_nothing_and_loses() {
    let expected = [(Semantics::AtMostOnce, Holds), (Semantics::AtLeastOnce, Violated)];
    check(&preset("at-most-once"), expected);
}

#[test]
fn workers_that_finish_out_of_order_commit_the_contiguous_prefix() {
    check_exactly_once("[consumer]\ncommits = \"prefix\"\nworkers = 4");
}

#[test]
fn a_consumer_that_keeps_its_positions_itself_resumes_from_them() {
    check_exactly_once("[consumer]\nsettles = \"with-effect\"\nremembers = \"nothing\"\ncommits = \"prefix\"");
    check_exactly_once("[consumer]\nsettles = \"with-effect\"\nworkers = 3");
}

#[test]
fn message_ids_and_several_attempts_in_flight_are_recognised() {
    check_exactly_once(
        "[producer]\nidentity = \"message-id\"\nin-flight = 5\n[broker]\ndedup = \"message-id\"\n[consumer]\nworkers = 2",
    );
}

#[test]
fn settles_that_a_broker_crash_forgets_repeat_deliveries_only() {
    check_exactly_once("[broker]\nrecords-settles = \"lazily\"\nleases = \"unchecked\"");
}
