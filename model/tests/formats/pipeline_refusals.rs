//! Pipelines that are refused, each with its whole message.

use delivery_model::pipeline::Pipeline;
use expect_test::{Expect, expect};

/// The text is refused with this message.
fn refused(text: &str, expected: Expect) {
    expected.assert_eq(&Pipeline::from_toml(text, "unnamed").expect_err(text).to_string());
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    refused(
        "name = \"orders\"\nlevel = = \"effect\"\n",
        expect![[r#"line 2: not TOML: extra `=`, expected nothing, found "=""#]],
    );
    refused("[producer\n", expect![[r#"line 1: not TOML: unclosed table, expected `]`"#]]);
    refused(
        "name = \"a\"\nlevel = effect\n",
        expect![[r#"line 2: not TOML: string values must be quoted, expected literal string, found "effect""#]],
    );
    refused("name = \"a\"\nname = \"b\"\n", expect![[r#"line 2: not TOML: duplicate key, found "name""#]]);
    refused("[broker]\n[broker]\n", expect![[r#"line 2: not TOML: duplicate key, found "broker""#]]);
    refused("{\"name\":\"orders\"}", expect![[r#"line 1: not TOML: invalid key-value pair, expected key"#]]);
    refused("name = \"a", expect![[r#"line 1: not TOML: invalid basic string, expected `"`"#]]);
}

#[test]
fn an_unknown_key_is_refused_with_the_allowed_ones() {
    refused(
        "nmae = \"orders\"\n",
        expect![
            "line 1, `nmae`: unknown key (did you mean `name`?); allowed here: name, promises, level, obligation, ordered, dead-letters, producer, broker, consumer, faults"
        ],
    );
    refused(
        "[producer]\nattempts = \"once\"\nin_flight = 1\n",
        expect![
            "line 3, `producer.in_flight`: unknown key (did you mean `in-flight`?); allowed here: attempts, identity, on-restart, on-refusal, outbox, relay-commits, in-flight"
        ],
    );
    refused(
        "[broker]\nack = \"never\"\n",
        expect![
            "line 2, `broker.ack`: unknown key (did you mean `acks`?); allowed here: acks, dedup, dedup-window, dedup-on-restart, answers-duplicates, forgotten-producers, fencing, capacity, overflow, hands-off, delivers, records-settles, leases, max-deliveries, dead-lettering, new-group"
        ],
    );
    refused(
        "[consumer]\n\n\nworker = 1\n",
        expect![
            "line 4, `consumer.worker`: unknown key (did you mean `workers`?); allowed here: settles, commits, remembers, on-failure, on-duplicate, batch, prefetch, workers"
        ],
    );
    refused(
        "[faults]\nbroker-crsh = 1\n",
        expect![
            "line 2, `faults.broker-crsh`: unknown key (did you mean `broker-crash`?); allowed here: total, publish-lost, publish-refused, publish-ack-lost, publish-duplicated, publish-reordered, producer-crash, producer-zombie, broker-crash, delivery-lost, consumer-crash, settle-lost, lease-expiry, dedup-forgotten, handler-fails, handler-crashes, poison, rewind, dead-letter-lost, redrive, commit-reordered, failover, record-expired, group-forgotten, rebalance"
        ],
    );
    refused(
        "[network]\nlatency = 1\n",
        expect![[
            r#"line 1, `network`: unknown key; allowed here: name, promises, level, obligation, ordered, dead-letters, producer, broker, consumer, faults"#
        ]],
    );
    refused(
        "producer.attemps = \"once\"\n",
        expect![
            "line 1, `producer.attemps`: unknown key (did you mean `attempts`?); allowed here: attempts, identity, on-restart, on-refusal, outbox, relay-commits, in-flight"
        ],
    );
}

/// A key that stands in the wrong section belongs to another, which is a better guess than a key that looks like it.
#[test]
fn a_key_of_another_section_is_refused_with_its_section() {
    let hint = |text: &str| {
        let refused = Pipeline::from_toml(text, "unnamed").expect_err(text).to_string();
        let (before, _) = refused.split_once("; allowed here: ").expect("the allowed keys are told");
        before.to_owned()
    };
    assert_eq!(hint("capacity = 3\n"), "line 1, `capacity`: unknown key (it belongs to [broker])");
    assert_eq!(hint("in-flight = 3\n"), "line 1, `in-flight`: unknown key (it belongs to [producer])");
    assert_eq!(hint("[broker]\nworkers = 3\n"), "line 2, `broker.workers`: unknown key (it belongs to [consumer])");
    assert_eq!(hint("broker-crash = 3\n"), "line 1, `broker-crash`: unknown key (it belongs to [faults])");
    assert_eq!(
        hint("[faults]\nlevel = \"effect\"\n"),
        "line 2, `faults.level`: unknown key (it belongs to the top, before all sections)"
    );
    let nested = Pipeline::from_json(&serde_json::json!({ "broker": { "settles": "before-effect" } }));
    assert!(nested.expect_err("a wrong section").to_string().contains("(it belongs to [consumer])"));
}

#[test]
fn an_unknown_word_is_refused_with_the_allowed_ones() {
    refused(
        "promises = \"exactly_once\"\n",
        expect![[
            r#"line 1, `promises`: found "exactly_once" (did you mean "exactly-once"?); allowed: "at-most-once", "at-least-once", "exactly-once""#
        ]],
    );
    refused("level = \"message\"\n", expect![[r#"line 1, `level`: found "message"; allowed: "delivery", "effect""#]]);
    refused("obligation = \"all\"\n", expect![[r#"line 1, `obligation`: found "all"; allowed: "acked", "submitted""#]]);
    refused(
        "[producer]\nattempts = \"twice\"\n",
        expect![[
            r#"line 2, `producer.attempts`: found "twice"; allowed: "once", "until-acked", or a whole number from 1 to 1,000"#
        ]],
    );
    refused(
        "[producer]\nidentity = \"uuid\"\n",
        expect![[r#"line 2, `producer.identity`: found "uuid"; allowed: "none", "message-id", "sequence""#]],
    );
    refused(
        "[producer]\non-restart = \"Outbox\"\n",
        expect![[
            r#"line 2, `producer.on-restart`: found "Outbox" (did you mean "outbox"?); allowed: "forgets", "resubmits", "outbox""#
        ]],
    );
    refused(
        "[broker]\nacks = \"always\"\n",
        expect![[
            r#"line 2, `broker.acks`: found "always"; allowed: "never", "on-receipt", "after-sync", "replicated""#
        ]],
    );
    refused(
        "[broker]\ndedup = \"\"\n",
        expect![[r#"line 2, `broker.dedup`: found ""; allowed: "none", "message-id", "sequence""#]],
    );
    refused(
        "[broker]\ndedup-on-restart = \"kept\"\n",
        expect![[r#"line 2, `broker.dedup-on-restart`: found "kept"; allowed: "forgotten", "rebuilt""#]],
    );
    refused(
        "[broker]\ndelivers = \"twice\"\n",
        expect![[r#"line 2, `broker.delivers`: found "twice"; allowed: "once", "until-settled""#]],
    );
    refused(
        "[broker]\nrecords-settles = \"never\"\n",
        expect![[r#"line 2, `broker.records-settles`: found "never"; allowed: "lazily", "after-sync""#]],
    );
    refused(
        "[broker]\nleases = \"none\"\n",
        expect![[r#"line 2, `broker.leases`: found "none"; allowed: "checked", "unchecked""#]],
    );
    refused(
        "[consumer]\nsettles = \"never\"\n",
        expect![[
            r#"line 2, `consumer.settles`: found "never"; allowed: "before-effect", "after-effect", "with-effect", "in-background""#
        ]],
    );
    refused(
        "[consumer]\ncommits = \"all\"\n",
        expect![[r#"line 2, `consumer.commits`: found "all"; allowed: "each", "prefix", "highest""#]],
    );
    refused(
        "[consumer]\nremembers = \"\\u001b[31m everything, and on and on and on and on and on, to the end\"\n",
        expect![[
            r#"line 2, `consumer.remembers`: found "\u{1b}[31m everything, and on and on and on and on and on, to the"... (64 bytes); allowed: "nothing", "in-memory", "with-effect""#
        ]],
    );
}

#[test]
fn the_first_of_several_mistakes_is_the_one_that_is_told() {
    refused(
        "zeal = 1\nardour = 2\n",
        expect![[
            r#"line 1, `zeal`: unknown key; allowed here: name, promises, level, obligation, ordered, dead-letters, producer, broker, consumer, faults"#
        ]],
    );
    refused(
        "[producer]\non-restart = 1\nattempts = 0\n",
        expect![[r#"line 2, `producer.on-restart`: found 1; allowed: "forgets", "resubmits", "outbox""#]],
    );
}

#[test]
fn a_value_of_the_wrong_type_is_refused_with_what_was_found() {
    refused(
        "name = 7\n",
        expect![[r#"line 1, `name`: found 7; allowed: a text of 1 to 100 characters without control characters"#]],
    );
    refused("ordered = \"true\"\n", expect![[r#"line 1, `ordered`: found "true"; allowed: true, false"#]]);
    refused(
        "promises = [\"exactly-once\"]\n",
        expect![[r#"line 1, `promises`: found a list; allowed: "at-most-once", "at-least-once", "exactly-once""#]],
    );
    refused(
        "producer = \"once\"\n",
        expect![[
            r#"line 1, `producer`: found "once"; allowed: a table with the keys attempts, identity, on-restart, on-refusal, outbox, relay-commits, in-flight"#
        ]],
    );
    refused(
        "[producer]\nattempts = true\n",
        expect![[
            r#"line 2, `producer.attempts`: found true; allowed: "once", "until-acked", or a whole number from 1 to 1,000"#
        ]],
    );
    refused(
        "[producer]\nattempts = 2.5\n",
        expect![[
            r#"line 2, `producer.attempts`: found 2.5; allowed: "once", "until-acked", or a whole number from 1 to 1,000"#
        ]],
    );
    refused(
        "[producer]\nin-flight = \"1\"\n",
        expect![[r#"line 2, `producer.in-flight`: found "1"; allowed: a whole number from 1 to 64"#]],
    );
    refused("[broker]\nfencing = 1\n", expect![[r#"line 2, `broker.fencing`: found 1; allowed: true, false"#]]);
    refused(
        "[broker]\nacks = { after = \"sync\" }\n",
        expect![[
            r#"line 2, `broker.acks`: found a table; allowed: "never", "on-receipt", "after-sync", "replicated""#
        ]],
    );
    refused(
        "[broker]\ndedup-window = 1.0\n",
        expect![[r#"line 2, `broker.dedup-window`: found 1.0; allowed: a whole number from 0 to 1,000,000"#]],
    );
    refused(
        "[consumer]\nworkers = 2026-01-01\n",
        expect![[r#"line 2, `consumer.workers`: found 2026-01-01; allowed: a whole number from 1 to 64"#]],
    );
    refused(
        "[[faults]]\ntotal = 1\n",
        expect![[
            r#"line 1, `faults`: found a list; allowed: a table with the keys total, publish-lost, publish-refused, publish-ack-lost, publish-duplicated, publish-reordered, producer-crash, producer-zombie, broker-crash, delivery-lost, consumer-crash, settle-lost, lease-expiry, dedup-forgotten, handler-fails, handler-crashes, poison, rewind, dead-letter-lost, redrive, commit-reordered, failover, record-expired, group-forgotten, rebalance"#
        ]],
    );
}

#[test]
fn a_number_out_of_range_is_refused_with_the_range() {
    refused(
        "[producer]\nattempts = 0\n",
        expect![[
            r#"line 2, `producer.attempts`: found 0; allowed: "once", "until-acked", or a whole number from 1 to 1,000"#
        ]],
    );
    refused(
        "[producer]\nattempts = 1001\n",
        expect![[
            r#"line 2, `producer.attempts`: found 1001; allowed: "once", "until-acked", or a whole number from 1 to 1,000"#
        ]],
    );
    refused(
        "[producer]\nin-flight = 0\n",
        expect![[r#"line 2, `producer.in-flight`: found 0; allowed: a whole number from 1 to 64"#]],
    );
    refused(
        "[producer]\nin-flight = 65\n",
        expect![[r#"line 2, `producer.in-flight`: found 65; allowed: a whole number from 1 to 64"#]],
    );
    refused(
        "[broker]\ndedup-window = 1000001\n",
        expect![[r#"line 2, `broker.dedup-window`: found 1000001; allowed: a whole number from 0 to 1,000,000"#]],
    );
    refused(
        "[broker]\nmax-deliveries = -1\n",
        expect![[r#"line 2, `broker.max-deliveries`: found -1; allowed: a whole number from 0 to 1,000"#]],
    );
    refused(
        "[broker]\nmax-deliveries = 1001\n",
        expect![[r#"line 2, `broker.max-deliveries`: found 1001; allowed: a whole number from 0 to 1,000"#]],
    );
    refused(
        "[consumer]\nworkers = 0\n",
        expect![[r#"line 2, `consumer.workers`: found 0; allowed: a whole number from 1 to 64"#]],
    );
    refused(
        "[consumer]\nworkers = 99999999999999999999999999999999999999999999\n",
        expect![[
            r#"line 2, `consumer.workers`: found 99999999999999999999999999999999999999999999; allowed: a whole number from 1 to 64"#
        ]],
    );
    refused(
        "[faults]\nbroker-crash = 1000001\n",
        expect![[r#"line 2, `faults.broker-crash`: found 1000001; allowed: a whole number from 0 to 1,000,000"#]],
    );
    refused(
        "[faults]\ntotal = -1\n",
        expect![[r#"line 2, `faults.total`: found -1; allowed: a whole number from 0 to 1,000,000"#]],
    );
}

#[test]
fn a_combination_that_means_nothing_is_refused_with_both_keys() {
    let (identity, dedup) = ("[producer]\nidentity = \"none\"\n", "[broker]\ndedup = \"sequence\"\n");
    refused(
        &format!("{identity}{dedup}"),
        expect![[
            r#"line 2, `producer.identity`: "none" means nothing together with `broker.dedup` = "sequence" (line 4): messages carry no sequence number to go by; allowed: `broker.dedup` = "none", or `producer.identity` = "sequence""#
        ]],
    );
    refused(
        &format!("{dedup}{identity}"),
        expect![[
            r#"line 4, `producer.identity`: "none" means nothing together with `broker.dedup` = "sequence" (line 2): messages carry no sequence number to go by; allowed: `broker.dedup` = "none", or `producer.identity` = "sequence""#
        ]],
    );
    refused(
        identity,
        expect![[
            r#"line 2, `producer.identity`: "none" means nothing together with `broker.dedup` = "sequence" (left out, so the default): messages carry no sequence number to go by; allowed: `broker.dedup` = "none", or `producer.identity` = "sequence""#
        ]],
    );
    refused(
        "[producer]\nidentity = \"message-id\"\n",
        expect![[
            r#"line 2, `producer.identity`: "message-id" means nothing together with `broker.dedup` = "sequence" (left out, so the default): messages carry no sequence number to go by; allowed: `broker.dedup` = "none", or `producer.identity` = "sequence""#
        ]],
    );
    refused(
        "[producer]\nidentity = \"none\"\n[broker]\ndedup = \"message-id\"\n",
        expect![[
            r#"line 2, `producer.identity`: "none" means nothing together with `broker.dedup` = "message-id" (line 4): messages carry nothing to recognise them by; allowed: `broker.dedup` = "none", or `producer.identity` = "message-id" or "sequence""#
        ]],
    );
    refused(
        "[broker]\nacks = \"never\"\n",
        expect![[
            r#"line 2, `broker.acks`: "never" means nothing together with `producer.attempts` = "until-acked" (left out, so the default): a producer that waits for acks that never come never ends; allowed: `producer.attempts` = "once" or a number, or `broker.acks` = "on-receipt" or "after-sync""#
        ]],
    );
    refused(
        "[producer]\nattempts = \"until-acked\"\n\n[broker]\nacks = \"never\"\n",
        expect![[
            r#"line 2, `producer.attempts`: "until-acked" means nothing together with `broker.acks` = "never" (line 5): a producer that waits for acks that never come never ends; allowed: `producer.attempts` = "once" or a number, or `broker.acks` = "on-receipt" or "after-sync""#
        ]],
    );
    refused(
        "[producer]\nattempts = \"once\"\n[broker]\nacks = \"never\"\n",
        expect![[
            r#"line 4, `broker.acks`: "never" means nothing together with `obligation` = "acked" (left out, so the default): no message is ever acked, so that the obligation would hold whatever is lost; allowed: `obligation` = "submitted", or `broker.acks` = "on-receipt" or "after-sync""#
        ]],
    );
    refused(
        "obligation = \"acked\"\nproducer = { attempts = 3 }\nbroker = { acks = \"never\" }\n",
        expect![[
            r#"line 1, `obligation`: "acked" means nothing together with `broker.acks` = "never" (line 3): no message is ever acked, so that the obligation would hold whatever is lost; allowed: `obligation` = "submitted", or `broker.acks` = "on-receipt" or "after-sync""#
        ]],
    );
}

#[test]
fn a_name_that_is_long_or_not_printable_is_refused() {
    refused(
        "name = \"\"\n",
        expect![[r#"line 1, `name`: found ""; allowed: a text of 1 to 100 characters without control characters"#]],
    );
    refused(
        "name = \"two\\nlines\"\n",
        expect![[
            r#"line 1, `name`: found "two\nlines"; allowed: a text of 1 to 100 characters without control characters"#
        ]],
    );
    refused(
        &format!("name = \"{}\"\n", "é".repeat(101)),
        expect![[
            r#"line 1, `name`: found "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé"... (202 bytes); allowed: a text of 1 to 100 characters without control characters"#
        ]],
    );
    let error = Pipeline::from_toml("", "").unwrap_err().to_string();
    expect![[r#"`name`: found none, and "" to use instead; allowed: a text of 1 to 100 characters without control characters"#]].assert_eq(&error);
}

#[test]
fn json_is_refused_with_the_path_of_keys() {
    let refused = |json: serde_json::Value, expected: Expect| {
        expected.assert_eq(&Pipeline::from_json(&json).unwrap_err().to_string());
    };
    refused(
        serde_json::json!(["orders"]),
        expect![[
            r#"the document: found a list; allowed: a table with the keys name, promises, level, obligation, ordered, dead-letters, producer, broker, consumer, faults"#
        ]],
    );
    refused(
        serde_json::json!({ "producer": { "attempts": 0 } }),
        expect![[r#"`producer.attempts`: found 0; allowed: "once", "until-acked", or a whole number from 1 to 1,000"#]],
    );
    refused(
        serde_json::json!({ "producer": { "atempts": 1 } }),
        expect![
            "`producer.atempts`: unknown key (did you mean `attempts`?); allowed here: attempts, identity, on-restart, on-refusal, outbox, relay-commits, in-flight"
        ],
    );
    refused(serde_json::json!({ "level": null }), expect![[r#"`level`: found null; allowed: "delivery", "effect""#]]);
    refused(
        serde_json::json!({ "producer": { "identity": "none" } }),
        expect![[
            r#"`producer.identity`: "none" means nothing together with `broker.dedup` = "sequence" (left out, so the default): messages carry no sequence number to go by; allowed: `broker.dedup` = "none", or `producer.identity` = "sequence""#
        ]],
    );
    refused(
        serde_json::json!({ "faults": { "total": 1.5 } }),
        expect!["`faults.total`: found 1.5; allowed: a whole number from 0 to 1,000,000"],
    );
}
