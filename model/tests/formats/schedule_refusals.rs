//! Schedules that are refused, each with its whole message.

use delivery_model::schedule::Schedule;
use expect_test::{Expect, expect};

/// A schedule with these members after the usual ones.
pub fn document(members: &str) -> String {
    format!(r#"{{"format":"delivery-schedule","version":1,"pipeline":{{}},"messages":2{members}}}"#)
}

fn refused(text: &str, expected: Expect) {
    expected.assert_eq(&Schedule::from_json(text).expect_err(text).to_string());
}

fn fault_refused(fault: &str, expected: Expect) {
    refused(&document(&format!(r#","faults":[{fault}]"#)), expected);
}

fn step_refused(step: &str, expected: Expect) {
    refused(&document(&format!(r#","order":{{"steps":[{{"step":"sync"}},{step}]}}"#)), expected);
}

#[test]
fn what_is_no_schedule_is_refused() {
    refused("", expect!["cannot be read as JSON: EOF while parsing a value at line 1 column 0"]);
    refused(
        "{\"format\":\"delivery-schedule\",}",
        expect!["cannot be read as JSON: trailing comma at line 1 column 31"],
    );
    refused("[]", expect!["the document: found a list; allowed: a table"]);
    refused("{}", expect![[r#"`format`: missing; expected "delivery-schedule""#]]);
    refused(
        r#"{"format":"delivery-history","version":1}"#,
        expect![[r#"`format`: found "delivery-history"; allowed: "delivery-schedule""#]],
    );
    refused(r#"{"format":"delivery-schedule","version":2,"seeds":[]}"#, expect!["`version`: found 2; allowed: 1"]);
    refused(
        r#"{"format":"delivery-schedule","version":1,"format":1}"#,
        expect![[r#"cannot be read as JSON: the key "format" stands twice in one table at line 1 column 53"#]],
    );
    refused(&"[".repeat(100_000), expect!["cannot be read as JSON: recursion limit exceeded at line 1 column 128"]);
}

#[test]
fn a_members_mistake_is_refused_with_its_path() {
    refused(
        &document(r#","seed":7"#),
        expect!["`seed`: unknown key; allowed here: format, version, pipeline, messages, faults, order"],
    );
    refused(
        r#"{"format":"delivery-schedule","version":1,"messages":2}"#,
        expect!["`pipeline`: missing; expected a pipeline's settings"],
    );
    refused(
        r#"{"format":"delivery-schedule","version":1,"pipeline":{}}"#,
        expect!["`messages`: missing; expected a whole number from 1 to 1,000,000"],
    );
    refused(
        r#"{"format":"delivery-schedule","version":1,"pipeline":{},"messages":0}"#,
        expect!["`messages`: found 0; allowed: a whole number from 1 to 1,000,000"],
    );
    refused(
        r#"{"format":"delivery-schedule","version":1,"pipeline":"orders","messages":1}"#,
        expect![[
            r#"`pipeline`: found "orders"; allowed: a table with the keys name, promises, level, obligation, ordered, dead-letters, producer, broker, consumer, faults"#
        ]],
    );
    refused(
        r#"{"format":"delivery-schedule","version":1,"pipeline":{"broker":{"acks":"later"}},"messages":1}"#,
        expect![[
            r#"`pipeline.broker.acks`: found "later"; allowed: "never", "on-receipt", "after-sync", "replicated""#
        ]],
    );
    refused(
        r#"{"format":"delivery-schedule","version":1,"pipeline":{"broker":{"acks":"never"}},"messages":1}"#,
        expect![[
            r#"`pipeline.broker.acks`: "never" means nothing together with `pipeline.producer.attempts` = "until-acked" (left out, so the default): a producer that waits for acks that never come never ends; allowed: `producer.attempts` = "once" or a number, or `broker.acks` = "on-receipt" or "after-sync""#
        ]],
    );
    refused(&document(r#","order":7"#), expect!["`order`: found 7; allowed: a table with the keys seed, steps, loop"]);
    refused(&document(r#","order":{}"#), expect!["`order`: found neither; allowed: either `seed` or `steps`"]);
    refused(
        &document(r#","order":{"seed":1,"steps":[]}"#),
        expect!["`order`: found both; allowed: either `seed` or `steps`"],
    );
    refused(
        &document(r#","order":{"seed":-1}"#),
        expect!["`order.seed`: found -1; allowed: a whole number from 0 to 18,446,744,073,709,551,615"],
    );
    refused(
        &document(r#","order":{"steps":"all"}"#),
        expect![[r#"`order.steps`: found "all"; allowed: a list of steps"#]],
    );
    refused(
        &document(r#","order":{"seed":1,"loop":0}"#),
        expect!["`order.loop`: found 0; allowed: none, as only `steps` can be repeated"],
    );
    let looped = |steps: &str, from: &str| document(&format!(r#","order":{{"steps":[{steps}],"loop":{from}}}"#));
    let (sync, fault) = (r#"{"step":"sync"}"#, r#"{"step":"dedup-forgotten"}"#);
    refused(
        &looped(&format!("{fault},{sync},{sync}"), "0"),
        expect!["`order.loop`: found 0; allowed: a whole number from 1 to 2: a step behind the last fault"],
    );
    refused(
        &looped(&format!("{fault},{sync},{sync}"), "3"),
        expect!["`order.loop`: found 3; allowed: a whole number from 1 to 2: a step behind the last fault"],
    );
    refused(
        &looped(&format!("{sync},{fault}"), "1"),
        expect!["`order.loop`: found 1; allowed: none, as no step comes behind the last fault"],
    );
    refused(&looped("", "0"), expect!["`order.loop`: found 0; allowed: none, as no step comes behind the last fault"]);
    refused(&document(r#","faults":{}"#), expect!["`faults`: found a table; allowed: a list of faults"]);
    refused(
        &document(r#","faults":[{"fault":"poison","of":"submit","message":1}],"order":{"steps":[]}"#),
        expect!["`faults`: found a list; allowed: none, as `order.steps` is exact: its faults stand among its steps"],
    );
}

#[test]
fn a_faults_mistake_is_refused_with_what_its_kind_allows() {
    fault_refused("7", expect!["`faults[0]`: found 7; allowed: a table"]);
    fault_refused(
        "{}",
        expect![[
            r#"`faults[0].fault`: missing; expected "publish-lost", "publish-refused", "publish-ack-lost", "publish-duplicated", "publish-reordered", "producer-crash", "producer-zombie", "broker-crash", "delivery-lost", "consumer-crash", "settle-lost", "lease-expiry", "dedup-forgotten", "handler-fails", "handler-crashes", "poison", "rewind", "dead-letter-lost", "redrive", "commit-reordered", "failover", "record-expired", "group-forgotten", "rebalance""#
        ]],
    );
    fault_refused(
        r#"{"fault":"fire"}"#,
        expect![[
            r#"`faults[0].fault`: found "fire"; allowed: "publish-lost", "publish-refused", "publish-ack-lost", "publish-duplicated", "publish-reordered", "producer-crash", "producer-zombie", "broker-crash", "delivery-lost", "consumer-crash", "settle-lost", "lease-expiry", "dedup-forgotten", "handler-fails", "handler-crashes", "poison", "rewind", "dead-letter-lost", "redrive", "commit-reordered", "failover", "record-expired", "group-forgotten", "rebalance""#
        ]],
    );
    fault_refused(r#"{"fault":"publish-ack-lost"}"#, expect![[r#"`faults[0].of`: missing; expected "ack""#]]);
    fault_refused(
        r#"{"fault":"publish-ack-lost","after":"ack","message":1}"#,
        expect!["`faults[0].after`: unknown key; allowed here: fault, of, message, time"],
    );
    fault_refused(
        r#"{"fault":"publish-ack-lost","of":"settle","message":1}"#,
        expect![[r#"`faults[0].of`: found "settle"; allowed: "ack""#]],
    );
    fault_refused(
        r#"{"fault":"publish-ack-lost","of":"ack"}"#,
        expect!["`faults[0].message`: missing; expected a whole number from 1 to 2, as there are 2 messages"],
    );
    fault_refused(
        r#"{"fault":"publish-ack-lost","of":"ack","message":3}"#,
        expect!["`faults[0].message`: found 3; allowed: a whole number from 1 to 2, as there are 2 messages"],
    );
    fault_refused(
        r#"{"fault":"publish-ack-lost","of":"ack","message":0}"#,
        expect!["`faults[0].message`: found 0; allowed: a whole number from 1 to 2, as there are 2 messages"],
    );
    fault_refused(
        r#"{"fault":"publish-ack-lost","of":"ack","message":1,"time":0}"#,
        expect!["`faults[0].time`: found 0; allowed: a whole number from 1 to 1,000,000"],
    );
    fault_refused(
        r#"{"fault":"publish-ack-lost","of":"ack","message":1,"keeps":0}"#,
        expect!["`faults[0].keeps`: unknown key; allowed here: fault, of, message, time"],
    );
    fault_refused(
        r#"{"fault":"broker-crash","of":"append","message":1}"#,
        expect!["`faults[0].of`: unknown key; allowed here: fault, after, message, time, keeps"],
    );
    fault_refused(
        r#"{"fault":"broker-crash","after":"apend","message":1}"#,
        expect![[
            r#"`faults[0].after`: found "apend"; allowed: "submit", "attempt", "receive", "receive-late", "append", "sync", "sync-settles", "ack", "take-reply", "time-out", "hand-off", "deliver", "handle", "remember", "settle", "record-settle", "dead-letter""#
        ]],
    );
    fault_refused(
        r#"{"fault":"broker-crash","after":"append","message":1,"keeps":-1}"#,
        expect!["`faults[0].keeps`: found -1; allowed: a whole number from 0 to 18,446,744,073,709,551,615"],
    );
    fault_refused(
        r#"{"fault":"broker-crash","after":"sync","message":1}"#,
        expect!["`faults[0].message`: found 1; allowed: none, as a sync is about all messages"],
    );
    fault_refused(
        r#"{"fault":"consumer-crash","after":"append","message":1}"#,
        expect![[
            r#"`faults[0].after`: found "append"; allowed: "hand-off", "deliver", "handle", "remember", "settle", "record-settle""#
        ]],
    );
    fault_refused(
        r#"{"fault":"producer-crash","after":"deliver","message":1}"#,
        expect![[
            r#"`faults[0].after`: found "deliver"; allowed: "submit", "attempt", "receive", "receive-late", "append", "sync", "ack", "take-reply", "time-out""#
        ]],
    );
    fault_refused(
        r#"{"fault":"rewind","after":"handle","message":1,"to":"start"}"#,
        expect![[r#"`faults[0].to`: found "start"; allowed: a whole number from 0 to 18,446,744,073,709,551,615"#]],
    );
}

#[test]
fn a_steps_mistake_is_refused_with_its_place_in_the_list() {
    step_refused("7", expect!["`order.steps[1]`: found 7; allowed: a table"]);
    step_refused(
        r#"{"step":"publish"}"#,
        expect![
            "`order.steps[1]`: not a step: unknown variant `publish`, expected one of `submit`, `attempt`, `receive`, `receive-late`, `append`, `sync`, `sync-settles`, `ack`, `take-reply`, `time-out`, `hand-off`, `deliver`, `handle`, `remember`, `settle`, `record-settle`, `dead-letter`, `publish-lost`, `publish-refused`, `publish-ack-lost`, `publish-duplicated`, `publish-reordered`, `producer-crash`, `producer-zombie`, `broker-crash`, `delivery-lost`, `consumer-crash`, `settle-lost`, `lease-expiry`, `dedup-forgotten`, `handler-fails`, `handler-crashes`, `poison`, `rewind`, `dead-letter-lost`, `redrive`, `commit-reordered`, `failover`, `record-expired`, `group-forgotten`, `rebalance`"
        ],
    );
    step_refused(r#"{"step":"submit"}"#, expect!["`order.steps[1]`: not a step: missing field `message`"]);
    step_refused(
        r#"{"step":"submit","message":3}"#,
        expect!["`order.steps[1].message`: found 3; allowed: a whole number from 1 to 2"],
    );
    step_refused(
        r#"{"step":"submit","message":1,"nth":1}"#,
        expect!["`order.steps[1]`: not a step: unknown field `nth`, expected `message`"],
    );
    step_refused(
        r#"{"step":"sync","message":1}"#,
        expect!["`order.steps[1]`: not a step: unknown key `message`; allowed here: step"],
    );
    step_refused(
        r#"{"step":"hand-off","position":-1}"#,
        expect!["`order.steps[1]`: not a step: invalid value: integer `-1`, expected u64"],
    );
    step_refused(
        r#"{"step":"deliver","hand":{"position":0,"late":"no"}}"#,
        expect![[
            r#"`order.steps[1]`: not a step: invalid type: string "no", expected true, false, or a whole number from 0 to 255"#
        ]],
    );
    step_refused(
        r#"{"step":"deliver","hand":{"position":0,"late":256}}"#,
        expect![
            "`order.steps[1]`: not a step: invalid value: integer `256`, expected true, false, or a whole number from 0 to 255"
        ],
    );
    step_refused(
        r#"{"step":"deliver","hand":[0,true]}"#,
        expect!["`order.steps[1]`: not a step: `hand` is a list; allowed: a table"],
    );
    step_refused(r#"{"step":"broker-crash"}"#, expect!["`order.steps[1]`: not a step: missing field `keeps`"]);
}
