//! The broker's stores do not grow with the messages that pass through them, under every fault.

use delivery_impls::core::log::Log;
use delivery_impls::core::tuning::Retention;
use delivery_impls::driver::run::Stores;
use delivery_impls::store::file::{FileJournal, Room};
use delivery_model::pipeline::{Pipeline, Semantics};
use delivery_model::semantics::Verdict;

use crate::common::{TestDirectory, preset};

const MESSAGES: u64 = 600;
const KEPT: Retention = Retention { records: 40, batch: 40 };

/// Checks that the broker drops batch after batch while parties crash and the network loses messages, and that the
/// promise holds.
fn check(pipeline: &Pipeline) {
    let place = TestDirectory::new();
    let mut options = place.options(MESSAGES, 4);
    options.tuning.retention = Some(KEPT);
    place.run(pipeline, &options).expect("a run");
    let judgement = place.judged(None);
    assert_eq!(judgement.verdicts.of(Semantics::ExactlyOnce), Verdict::Holds, "{:#?}", judgement.violations);
    let stores = Stores::in_directory(place.path());
    let journal = FileJournal::open(&stores.log(), Room::default()).expect("no other process has it open");
    let log = Log::open(&pipeline.broker, journal).expect("a log");
    assert!(log.end().0 >= MESSAGES, "{}", log.end());
    // A consumer that stores its own positions reports them to the broker once for 64 of them.
    let left = log.end().0 - log.start().0;
    assert!((KEPT.records..=KEPT.records + KEPT.batch + 64).contains(&left), "{left} records left");
    let ledger_bytes = stores.ledger().metadata().expect("a file").len();
    assert!(ledger_bytes < 8_000, "{ledger_bytes} bytes of ledger");
}

#[test]
fn what_is_settled_leaves_the_broker() {
    check(&preset("exactly-once"));
}

#[test]
fn what_a_consumer_has_finished_by_its_own_positions_leaves_the_broker() {
    let toml = "name = \"own positions\"\npromises = \"exactly-once\"\n\
        [consumer]\nsettles = \"with-effect\"\nworkers = 3";
    check(&Pipeline::from_toml(toml, "own positions").expect("a pipeline"));
}
