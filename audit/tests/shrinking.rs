//! A broken round gets smaller until nothing can be left out, and its schedule runs it again.

use std::sync::atomic::AtomicBool;

use delivery_audit::campaign::{Campaign, Extent};
use delivery_audit::fake::{Fake, PATIENCE};
use delivery_audit::faults::{ConsumerCrash, Fault, Kill, Power, SETTLE_ACK_LOST};
use delivery_audit::findings::Finding;
use delivery_audit::harness::{Plan, Planned};
use delivery_audit::place::Run;
use delivery_audit::plan::{At, Load};
use delivery_audit::product::Product;
use delivery_audit::scheduled::{self, Unmapped};
use delivery_audit::shrink::shrink;
use delivery_model::presets;
use delivery_model::schedule::Schedule;

fn campaign(setting: &str) -> Campaign {
    let setting = Fake.settings().iter().find(|it| it.name == setting).expect("the setting exists");
    Campaign { product: &Fake, setting, fault: &Kill, load: Load::Lags, server: None }
}

fn run() -> (tempfile::TempDir, Run) {
    let base = tempfile::tempdir().expect("a directory");
    let (run, _) = Run::begin(base.path()).expect("it begins");
    (base, run)
}

fn planned(fault: &'static dyn Fault, at: At, nth: u64) -> Planned {
    Planned { fault, at, nth, of: None }
}

#[test]
fn a_round_loses_the_faults_and_messages_that_the_finding_does_not_need() {
    let (_base, run) = run();
    let faults = vec![planned(&ConsumerCrash, At::Effected, 3), planned(&Kill, At::Acked, 30)];
    let plan = Plan { name: "fake".to_owned(), messages: 40, load: Load::Lags, faults, patience: PATIENCE };
    let campaign = campaign("loses-acked-on-kill");
    let shrunk = shrink(&campaign, &plan, Finding::AckedLost, &run, &AtomicBool::new(false)).expect("the fake runs");
    let shrunk = shrunk.expect("every round shows it");
    let left: Vec<(&str, u64)> = shrunk.plan.faults.iter().map(|it| (it.fault.name(), it.nth)).collect();
    assert_eq!((shrunk.plan.messages, left), (1, vec![("kill", 1)]));
    assert_eq!((shrunk.shown, shrunk.rounds), (5, 5));

    // What is written runs again, and shows the same.
    let pipeline = presets::named("at-least-once").expect("the reference is there");
    let text = scheduled::schedule(pipeline, shrunk.plan.messages, &shrunk.plan.faults).to_json();
    let schedule = Some(Schedule::from_json(&text).expect("what is written can be read"));
    let extent = Extent { rounds: 2, messages: 99, patience: PATIENCE, record: None, schedule };
    let sums = campaign.run(&extent, &run, &AtomicBool::new(false), &|| {}).expect("the fake runs");
    assert_eq!((sums.acked, sums.lost, sums.not_struck), (2, 2, 0));
}

#[test]
fn a_round_that_does_not_show_the_finding_is_not_made_smaller() {
    let (_base, run) = run();
    let faults = vec![planned(&Kill, At::Acked, 10)];
    let plan = Plan { name: "fake".to_owned(), messages: 20, load: Load::Lags, faults, patience: PATIENCE };
    let shrunk = shrink(&campaign("honest"), &plan, Finding::AckedLost, &run, &AtomicBool::new(false));
    assert!(shrunk.expect("the fake runs").is_none());
}

fn schedule(faults: &str, order: &str) -> Schedule {
    let pipeline = serde_json::to_string(&presets::named("at-least-once").expect("the reference is there")).unwrap();
    let text = format!(
        r#"{{"format": "delivery-schedule", "version": 1, "pipeline": {pipeline}, "messages": 3, "faults": [{faults}]{order}}}"#
    );
    Schedule::from_json(&text).expect("a schedule")
}

#[test]
fn faults_of_a_schedule_strike_at_points_of_their_message() {
    let crash = r#"{"fault": "broker-crash", "after": "ack", "message": 2}"#;
    let consumer = r#"{"fault": "consumer-crash", "after": "handle", "message": 3, "time": 2}"#;
    let mapped = scheduled::planned(&schedule(&format!("{crash}, {consumer}"), ""), &Power).expect("both map");
    let told: Vec<_> = mapped.iter().map(|it| (it.fault.name(), it.at, it.nth, it.of)).collect();
    assert_eq!(told, [("power", At::Acked, 1, Some(2)), ("consumer-crash", At::Effected, 2, Some(3))]);
}

#[test]
fn the_named_faults_stand_for_the_schedules_one_of_the_same_word() {
    let names = |schedule: &Schedule, wanted: &[&'static dyn Fault], named| {
        let ways = scheduled::ways(schedule, wanted, named)?;
        let mapped = ways.iter().map(|&way| scheduled::planned(schedule, way)).collect::<Result<Vec<_>, _>>()?;
        Ok::<_, Unmapped>(mapped.iter().map(|it| it[0].fault.name()).collect::<Vec<_>>())
    };
    let every = &delivery_audit::faults::ALL[..];
    let settle = schedule(r#"{"fault": "settle-lost", "of": "settle", "message": 2}"#, "");
    assert_eq!(names(&settle, &[&SETTLE_ACK_LOST], true), Ok(vec!["settle-ack-lost"]));
    assert_eq!(names(&settle, every, true), Ok(vec!["settle-lost", "settle-ack-lost"]));
    assert_eq!(names(&settle, &[&Kill, &SETTLE_ACK_LOST], false), Ok(vec!["settle-lost"]), "nobody named them");
    let crash = schedule(r#"{"fault": "broker-crash", "after": "ack", "message": 2}"#, "");
    assert_eq!(names(&crash, every, false), Ok(vec!["kill", "power"]));
    assert_eq!(names(&crash, &[&Power], true), Ok(vec!["power"]));
    let told = names(&crash, &[&ConsumerCrash], true).unwrap_err().to_string();
    let fault = "broker-crash after the ack of message 2, first time";
    assert_eq!(told, format!("none of the named faults stands for {fault}; allowed are kill, power"));
}

#[test]
fn what_does_not_map_is_named_with_what_does() {
    let error = |schedule: &Schedule| scheduled::planned(schedule, &Kill).err().expect("it does not map");
    let hidden = schedule(r#"{"fault": "broker-crash", "after": "append", "message": 2}"#, "");
    let told = "broker-crash after the append of message 2, first time: the audit does not see this point; it sees ack, \
                take-reply, hand-off, deliver, handle, settle, record-settle, each of one message";
    assert_eq!(error(&hidden).to_string(), told);
    let unknown = schedule(r#"{"fault": "rewind", "after": "ack", "message": 2}"#, "");
    let told = error(&unknown).to_string();
    assert!(told.contains("the audit has no such fault; it has broker-crash, lease-expiry"), "{told}");
    let keeps = schedule(r#"{"fault": "broker-crash", "after": "ack", "message": 2, "keeps": 1}"#, "");
    assert!(matches!(error(&keeps), Unmapped::Keeps { .. }));
    let exact = schedule("", r#", "order": {"steps": [{"step": "submit", "message": 1}]}"#);
    assert_eq!(error(&exact), Unmapped::Exact);
    // Also where no fault has to be mapped.
    assert_eq!(scheduled::ways(&exact, &[&Kill], false).err(), Some(Unmapped::Exact));
}
