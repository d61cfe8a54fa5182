//! Schedules as JSON: what loads as what, how faults read, and that writing and reading agree.

use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::*;
use delivery_model::vocab::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::schedule_refusals::document;
use crate::strategies::{changed, changes, schedule, step};

fn loaded(members: &str) -> Schedule {
    let text = document(members);
    Schedule::from_json(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

#[test]
fn left_out_members_have_their_defaults() {
    let plain = loaded("");
    assert_eq!(plain.pipeline, Pipeline { name: "pipeline".to_owned(), ..Pipeline::default() });
    assert_eq!((plain.messages, plain.faults.len(), plain.interleaving), (2, 0, Interleaving::Seeded(0)));
    assert_eq!(loaded(r#","faults":[],"order":{"steps":[]}"#).interleaving, Interleaving::Exact(Vec::new()));

    let fault = &loaded(r#","faults":[{"of":"ack","fault":"publish-ack-lost","message":2}]"#).faults[0];
    let at = Point { step: StepWord::Ack, message: Some(MessageId(2)), nth: 1 };
    assert_eq!(*fault, PlannedFault::new(Fault::PublishAckLost, at));
}

#[test]
fn a_byte_order_mark_is_skipped() {
    assert_eq!(Schedule::from_json(&format!("\u{feff}{}", document(""))), Ok(loaded("")));
}

#[test]
fn a_schedule_may_strike_more_often_than_the_pipelines_budget() {
    let schedule = loaded(
        r#","faults":[
            {"fault":"broker-crash","after":"append","message":1},
            {"fault":"broker-crash","after":"append","message":2},
            {"fault":"broker-crash","after":"sync","time":3},
            {"fault":"poison","of":"submit","message":1}]"#,
    );
    assert_eq!(schedule.faults.len(), 4);
    assert_eq!(schedule.pipeline.faults.of(Fault::Poison), 0);
}

#[test]
fn faults_read_as_a_person_would_say_them() {
    let said = |fault: &str, expected: Expect| {
        expected.assert_eq(&loaded(&format!(r#","faults":[{fault}]"#)).faults[0].to_string());
    };
    said(
        r#"{"fault":"publish-ack-lost","of":"ack","message":2}"#,
        expect!["publish-ack-lost: the ack of message 2, first time"],
    );
    said(
        r#"{"fault":"publish-lost","of":"attempt","message":1,"time":2}"#,
        expect!["publish-lost: the attempt of message 1, second time"],
    );
    said(
        r#"{"fault":"settle-lost","of":"settle","message":1,"time":4}"#,
        expect!["settle-lost: the settle of message 1, time 4"],
    );
    said(r#"{"fault":"poison","of":"submit","message":1}"#, expect!["poison: message 1"]);
    said(
        r#"{"fault":"consumer-crash","after":"handle","message":1}"#,
        expect!["consumer-crash after the handling of message 1, first time"],
    );
    said(
        r#"{"fault":"broker-crash","after":"append","message":1,"keeps":0}"#,
        expect!["broker-crash after the append of message 1, first time, keeping 0 unsynced records"],
    );
    said(
        r#"{"fault":"broker-crash","after":"sync","time":3,"keeps":1}"#,
        expect!["broker-crash after the sync, third time, keeping 1 unsynced record"],
    );
    said(
        r#"{"fault":"rewind","after":"record-settle","message":1,"to":0}"#,
        expect!["rewind after the recording of the settle of message 1, first time, to position 0"],
    );
}

#[test]
fn every_fault_can_be_planned_at_each_of_its_steps() {
    for fault in Fault::ALL {
        let (strikes, steps) = (fault.row().strikes, fault.row().at);
        for &step in steps {
            let message = if step.has_message() { r#","message":1"# } else { "" };
            let text = format!(r#","faults":[{{"fault":"{fault}","{}":"{step}"{message}}}]"#, strikes.word());
            assert_eq!(loaded(&text).faults[0].at.step, step);
        }
    }
}

#[test]
fn a_written_schedule_is_for_people_to_read() {
    let mut schedule = loaded(
        r#","faults":[
            {"fault":"publish-ack-lost","of":"ack","message":2},
            {"fault":"broker-crash","after":"append","message":1,"time":2,"keeps":0}],"order":{"seed":7}"#,
    );
    schedule.pipeline.name = "orders".to_owned();
    expect![[r#"
        {
          "format": "delivery-schedule",
          "version": 1,
          "pipeline": {
            "name": "orders",
            "level": "effect",
            "obligation": "acked",
            "ordered": false,
            "dead-letters": "pay",
            "producer": {
              "attempts": "until-acked",
              "identity": "sequence",
              "on-restart": "outbox",
              "on-refusal": "retry",
              "outbox": "rows",
              "relay-commits": "after-ack",
              "in-flight": 1
            },
            "broker": {
              "acks": "after-sync",
              "dedup": "sequence",
              "dedup-window": 0,
              "dedup-on-restart": "rebuilt",
              "answers-duplicates": "ack",
              "forgotten-producers": "accept",
              "fencing": true,
              "capacity": 0,
              "overflow": "refuse",
              "hands-off": "synced",
              "delivers": "until-settled",
              "records-settles": "after-sync",
              "leases": "checked",
              "max-deliveries": 0,
              "dead-lettering": "with-settle",
              "new-group": "earliest"
            },
            "consumer": {
              "settles": "after-effect",
              "commits": "each",
              "remembers": "with-effect",
              "on-failure": "release",
              "on-duplicate": "settle",
              "batch": 1,
              "prefetch": 0,
              "workers": 1
            },
            "faults": {
              "total": 2,
              "publish-lost": 1,
              "publish-refused": 1,
              "publish-ack-lost": 1,
              "producer-crash": 1,
              "broker-crash": 1,
              "delivery-lost": 1,
              "consumer-crash": 1,
              "settle-lost": 1
            }
          },
          "messages": 2,
          "faults": [
            {"fault":"publish-ack-lost","of":"ack","message":2,"time":1},
            {"fault":"broker-crash","after":"append","message":1,"time":2,"keeps":0}
          ],
          "order": { "seed": 7 }
        }
    "#]]
    .assert_eq(&schedule.to_json());
    schedule.faults.clear();
    let (position, hand) = (Position(0), DeliveryRef { position: Position(0), late: 1 });
    let third = DeliveryRef { late: 3, ..hand };
    let steps = vec![
        Step::Move(Move::HandOff { position }),
        Step::Fault(Strike::LeaseExpiry { hand }),
        Step::Move(Move::Settle { hand: third }),
        Step::Move(Move::Sync),
    ];
    schedule.interleaving = Interleaving::Endless { steps, from: 2 };
    let text = schedule.to_json();
    expect![[r#"
          "messages": 2,
          "order": {
            "steps": [
              {"step":"hand-off","position":0},
              {"step":"lease-expiry","hand":{"position":0,"late":true}},
              {"step":"settle","hand":{"position":0,"late":3}},
              {"step":"sync"}
            ],
            "loop": 2
          }
        }
    "#]]
    .assert_eq(&text[text.find("  \"messages\"").unwrap()..]);
}

/// Files of earlier versions hold these.
#[test]
fn every_step_is_written_by_its_word_and_what_it_names() {
    let hand = DeliveryRef { position: Position(4), late: 1 };
    let targets = [
        Target::Nothing,
        Target::Message(MessageId(1)),
        Target::Position(Position(3)),
        Target::Delivery(hand),
        Target::Consumer(1),
        Target::Records(2),
    ];
    let moves = StepWord::ALL.into_iter().flat_map(|word| targets.map(|target| Move::at(word, target).map(Step::Move)));
    let faults = Fault::ALL.into_iter().flat_map(|fault| targets.map(|it| Strike::at(fault, it).map(Step::Fault)));
    let lines = moves.chain(faults).flatten().map(|step| {
        let json = serde_json::to_string(&step).unwrap();
        assert_eq!(serde_json::from_str::<Step>(&json).unwrap(), step);
        format!("{json} {step}\n")
    });
    expect![[r#"
        {"step":"submit","message":1} order service submits message 1
        {"step":"attempt","message":1} order service publishes message 1
        {"step":"receive","message":1} broker receives message 1
        {"step":"receive-late","message":1} broker receives a late copy of message 1
        {"step":"append","message":1} broker decides about message 1
        {"step":"sync"} broker syncs
        {"step":"sync-settles"} broker syncs its settles
        {"step":"ack","message":1} broker acks message 1
        {"step":"take-reply","message":1} order service takes the reply about message 1
        {"step":"time-out","message":1} order service stops waiting for message 1
        {"step":"hand-off","position":3} broker hands off position 3
        {"step":"deliver","hand":{"position":4,"late":true}} inventory service receives position 4 (lease ended)
        {"step":"handle","hand":{"position":4,"late":true}} inventory service handles position 4 (lease ended)
        {"step":"remember","hand":{"position":4,"late":true}} inventory service notes position 4 (lease ended) as seen
        {"step":"settle","hand":{"position":4,"late":true}} inventory service settles position 4 (lease ended)
        {"step":"record-settle","hand":{"position":4,"late":true}} broker records the settle of position 4 (lease ended)
        {"step":"dead-letter","position":3} broker dead-letters position 3
        {"step":"publish-lost","message":1} fault publish-lost: message 1
        {"step":"publish-refused","message":1} fault publish-refused: message 1
        {"step":"publish-ack-lost","message":1} fault publish-ack-lost: message 1
        {"step":"publish-duplicated","message":1} fault publish-duplicated: message 1
        {"step":"publish-reordered","message":1} fault publish-reordered: message 1
        {"step":"producer-crash"} fault producer-crash
        {"step":"producer-zombie","message":1} fault producer-zombie: message 1
        {"step":"broker-crash","keeps":2} fault broker-crash: keeps 2 records
        {"step":"delivery-lost","hand":{"position":4,"late":true}} fault delivery-lost: position 4 (lease ended)
        {"step":"consumer-crash","consumer":1} fault consumer-crash: the second consumer
        {"step":"settle-lost","hand":{"position":4,"late":true}} fault settle-lost: position 4 (lease ended)
        {"step":"lease-expiry","hand":{"position":4,"late":true}} fault lease-expiry: position 4 (lease ended)
        {"step":"dedup-forgotten"} fault dedup-forgotten
        {"step":"handler-fails","hand":{"position":4,"late":true}} fault handler-fails: position 4 (lease ended)
        {"step":"handler-crashes","message":1} fault handler-crashes: message 1
        {"step":"poison","message":1} fault poison: message 1
        {"step":"rewind","position":3} fault rewind: to position 3
        {"step":"dead-letter-lost","position":3} fault dead-letter-lost: to position 3
        {"step":"redrive","position":3} fault redrive: to position 3
        {"step":"commit-reordered","message":1} fault commit-reordered: message 1
        {"step":"failover","keeps":2} fault failover: keeps 2 records
        {"step":"record-expired","position":3} fault record-expired: to position 3
        {"step":"group-forgotten"} fault group-forgotten
        {"step":"rebalance"} fault rebalance
    "#]]
    .assert_eq(&lines.collect::<String>());
}

proptest! {
    #[test]
    fn a_written_schedule_reads_as_the_same(schedule in schedule()) {
        let text = schedule.to_json();
        let again = Schedule::from_json(&text)?;
        prop_assert_eq!(again.to_json(), text);
        prop_assert_eq!(again, schedule);
    }

    #[test]
    fn a_step_has_a_word_or_is_a_fault(step in step()) {
        match StepWord::of(&step) {
            Some(word) => {
                prop_assert_eq!(step.fault(), None);
                prop_assert_eq!(&serde_json::to_value(step)?["step"], word.word());
            }
            None => prop_assert!(step.fault().is_some()),
        }
    }

    #[test]
    fn any_text_loads_or_is_refused(text in any::<String>()) {
        let _ = Schedule::from_json(&text);
        let _ = Schedule::from_json(&document(&text));
    }

    #[test]
    fn a_changed_text_is_refused_or_loads_as_what_can_be_written(schedule in schedule(), changes in changes()) {
        let text = changed(schedule.to_json().as_bytes(), &changes);
        if let Ok(schedule) = Schedule::from_json(&String::from_utf8_lossy(&text)) {
            prop_assert_eq!(Schedule::from_json(&schedule.to_json())?, schedule);
        }
    }
}
