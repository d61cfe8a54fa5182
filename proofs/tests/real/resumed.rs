//! A run that was stopped is resumed, and a difference between stores and history after a kill is reconciled or
//! refused.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use delivery_impls::core::log::Log;
use delivery_impls::data::record::ProducerId;
use delivery_impls::driver::run::{Ended, Stores};
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_impls::store::file::{FileJournal, Room};
use delivery_impls::store::outbox::FileOutbox;
use delivery_impls::store::{Change, EffectStore, OutboxStore};
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::{Doubt, Verdict};
use delivery_model::vocab::{EventKind, MessageId};
use delivery_proofs::real::{FaultPlan, Progress, RealError, order};

use crate::common::{TestDirectory, preset};

const MESSAGES: u64 = 200;

/// The directory of a run that was stopped after about half of its effects.
fn stopped() -> TestDirectory {
    stopped_when(|progress| progress.effects >= MESSAGES / 2)
}

fn stopped_when(is_time: impl Fn(Progress) -> bool + Send + Sync + 'static) -> TestDirectory {
    let place = TestDirectory::new();
    let mut options = place.options(MESSAGES, 2);
    let stop = Arc::new(AtomicBool::new(false));
    options.stop = Arc::clone(&stop);
    options.progress = Some(Arc::new(move |progress| {
        if is_time(progress) {
            stop.store(true, Ordering::Release);
        }
    }));
    let report = place.run(&preset("exactly-once"), &options).expect("a run");
    assert_eq!(report.ended, Ended::Stopped);
    assert!(report.progress.effects < MESSAGES, "{:?}", report.progress);
    place
}

/// Resumes the run to its end. Returns the number of events that were written from the stores.
fn resume(place: &TestDirectory) -> u64 {
    let report = place.run(&preset("exactly-once"), &place.options(MESSAGES, 2)).expect("it goes on");
    assert_eq!((report.ended, report.resumed), (Ended::Drained, true));
    let judgement = place.judged(None);
    assert_eq!(judgement.verdicts.of(Semantics::ExactlyOnce), Verdict::Holds, "{:#?}", judgement.violations);
    assert_eq!((report.progress.submitted, report.progress.effects), (MESSAGES, MESSAGES));
    report.reconciled
}

#[test]
fn a_stopped_run_is_not_judged_whole_and_goes_on_to_the_end() {
    let place = stopped();
    let verdict = place.judged(None).verdicts.of(Semantics::ExactlyOnce);
    assert_eq!(verdict, Verdict::Unknown(Doubt::NotQuiescent));
    assert_eq!(resume(&place), 0);
}

#[test]
fn a_finished_run_has_nothing_left_to_do() {
    let place = stopped();
    resume(&place);
    let before = fs::read(place.history()).expect("a history");
    let report = place.run(&preset("exactly-once"), &place.options(MESSAGES, 2)).expect("nothing to do");
    assert_eq!((report.ended, report.effects), (Ended::Drained, 0));
    assert!(fs::read(place.history()).expect("a history") == before, "the history has changed");
}

#[test]
fn a_line_that_a_kill_cut_off_is_cut_away() {
    let place = stopped();
    let mut history = fs::read(place.history()).expect("a history");
    history.extend(br#"{"at":99999999999999,"process":"producer-0","eve"#);
    fs::write(place.history(), history).expect("writable");
    resume(&place);
}

#[test]
fn a_line_whose_end_a_kill_cut_off_is_ended() {
    let place = stopped();
    let mut history = fs::read(place.history()).expect("a history");
    assert_eq!(history.pop(), Some(b'\n'));
    fs::write(place.history(), history).expect("writable");
    resume(&place);
}

#[test]
fn an_effect_that_the_history_had_no_time_to_tell_is_told_from_the_stock() {
    // If every stored message had its effect at the stop, there is nothing to reconcile, and another run is stopped.
    let (place, change) = (0..50)
        .find_map(|_| {
            let place = stopped();
            let told = place.messages(|kind| matches!(kind, EventKind::Effect { .. }));
            let journal = FileJournal::open(&Stores::in_directory(place.path()).log(), Room::default());
            let log = Log::open(&preset("exactly-once").broker, journal.expect("no other process has it open"))
                .expect("a log");
            let (position, record) = log.records().find(|(_, record)| !told.contains(&record.message))?;
            let (order, inbox) = (Some(order(record.message)), Some(record.key(position)));
            Some((place, Change { effect: order, inbox, ..Change::default() }))
        })
        .expect("a run that was stopped before everything stored had its effect");
    let inventory = Stores::in_directory(place.path()).inventory();
    EmbeddedInventory::open(&inventory).expect("an inventory").apply(&change).expect("room");
    assert_eq!(resume(&place), 1);
}

#[test]
fn a_submit_that_the_history_had_no_time_to_tell_is_told_from_the_outbox() {
    let place = stopped_when(|progress| progress.submitted >= MESSAGES / 4);
    let submitted = place.messages(|kind| matches!(kind, EventKind::Submit { .. }));
    // Producer 0's next message, in the order in which the four take turns.
    let next = (0..).map(|turn| MessageId(1 + 4 * turn)).find(|message| !submitted.contains(message)).expect("endless");
    assert!(next.0 <= MESSAGES, "some are left");
    let outbox = Stores::in_directory(place.path()).outbox(ProducerId(0));
    let mut outbox = FileOutbox::open(&outbox).expect("an outbox");
    let number = outbox.recover().expect("readable").next_number;
    outbox.insert(next, &order(next).encode(), Some(number)).expect("room");
    drop(outbox);
    assert_eq!(resume(&place), 1);
}

#[test]
fn an_effect_that_is_told_and_not_in_the_stock_is_an_error() {
    let place = stopped();
    let mut text = fs::read_to_string(place.history()).expect("a history");
    let effect = text.lines().rfind(|line| line.contains(r#""event":"effect""#)).expect("an effect").to_owned();
    let at = text.lines().last().and_then(|line| line.split([':', ',']).nth(1)).expect("a time").to_owned();
    let told_twice = effect.split_once(',').map(|(_, rest)| format!("{{\"at\":{at},{rest}\n")).expect("several keys");
    text.push_str(&told_twice);
    fs::write(place.history(), text).expect("writable");
    let mut options = place.options(MESSAGES, 2);
    options.plan = FaultPlan::Given(Vec::new());
    let error = place.run(&preset("exactly-once"), &options).expect_err("they differ");
    assert!(matches!(error, RealError::Disagreement { inventory: 1.0, history: 2, messages: 1, .. }), "{error}");
}
