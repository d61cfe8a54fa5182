//! Pipelines as TOML and JSON: what loads, what is refused in which words, and that writing and reading agree.

mod common;

use common::{changed, changes, pipeline};
use delivery_model::pipeline::*;
use delivery_model::vocab::Fault;
use expect_test::{Expect, expect};
use proptest::prelude::*;

/// The text is refused with this message.
fn refused(text: &str, expected: Expect) {
    expected.assert_eq(&Pipeline::from_toml(text, "unnamed").expect_err(text).to_string());
}

fn loaded(text: &str) -> Pipeline {
    Pipeline::from_toml(text, "unnamed").unwrap_or_else(|error| panic!("{text}\n{error}"))
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    refused(
        "name = \"orders\"\nlevel = = \"effect\"\n",
        expect![[r#"line 2: not TOML: extra `=`, expected nothing, found "=""#]],
    );
    refused("[producer\n", expect!["line 1: not TOML: unclosed table, expected `]`"]);
    refused(
        "name = \"a\"\nlevel = effect\n",
        expect![[r#"line 2: not TOML: string values must be quoted, expected literal string, found "effect""#]],
    );
    refused("name = \"a\"\nname = \"b\"\n", expect![[r#"line 2: not TOML: duplicate key, found "name""#]]);
    refused("[broker]\n[broker]\n", expect![[r#"line 2: not TOML: duplicate key, found "broker""#]]);
    refused("{\"name\":\"orders\"}", expect!["line 1: not TOML: invalid key-value pair, expected key"]);
    refused("name = \"a", expect![[r#"line 1: not TOML: invalid basic string, expected `"`"#]]);
}

#[test]
fn an_unknown_key_is_refused_with_the_allowed_ones() {
    refused(
        "nmae = \"orders\"\n",
        expect![
            "line 1, `nmae`: unknown key; allowed here: name, promises, level, obligation, ordered, producer, broker, consumer, faults"
        ],
    );
    refused(
        "[producer]\nattempts = \"once\"\nin_flight = 1\n",
        expect!["line 3, `producer.in_flight`: unknown key; allowed here: attempts, identity, on-restart, in-flight"],
    );
    refused(
        "[broker]\nack = \"never\"\n",
        expect![
            "line 2, `broker.ack`: unknown key; allowed here: acks, dedup, dedup-window, dedup-on-restart, fencing, delivers, records-settles, leases, max-deliveries"
        ],
    );
    refused(
        "[consumer]\n\n\nworker = 1\n",
        expect!["line 4, `consumer.worker`: unknown key; allowed here: settles, commits, remembers, workers"],
    );
    refused(
        "[faults]\nbroker-crsh = 1\n",
        expect![
            "line 2, `faults.broker-crsh`: unknown key; allowed here: total, publish-lost, publish-refused, publish-ack-lost, publish-duplicated, publish-reordered, producer-crash, producer-zombie, broker-crash, delivery-lost, consumer-crash, settle-lost, lease-expiry, dedup-forgotten, poison, rewind"
        ],
    );
    refused(
        "[network]\nlatency = 1\n",
        expect![
            "line 1, `network`: unknown key; allowed here: name, promises, level, obligation, ordered, producer, broker, consumer, faults"
        ],
    );
    refused(
        "producer.attemps = \"once\"\n",
        expect!["line 1, `producer.attemps`: unknown key; allowed here: attempts, identity, on-restart, in-flight"],
    );
}

#[test]
fn an_unknown_word_is_refused_with_the_allowed_ones() {
    refused(
        "promises = \"exactly_once\"\n",
        expect![[
            r#"line 1, `promises`: found "exactly_once"; allowed: "at-most-once", "at-least-once", "exactly-once""#
        ]],
    );
    refused("level = \"message\"\n", expect![[r#"line 1, `level`: found "message"; allowed: "delivery", "effect""#]]);
    refused("obligation = \"all\"\n", expect![[r#"line 1, `obligation`: found "all"; allowed: "acked", "submitted""#]]);
    refused(
        "[producer]\nattempts = \"twice\"\n",
        expect![[
            r#"line 2, `producer.attempts`: found "twice"; allowed: "once", "until-acked", or a whole number from 1 to 1000"#
        ]],
    );
    refused(
        "[producer]\nidentity = \"uuid\"\n",
        expect![[r#"line 2, `producer.identity`: found "uuid"; allowed: "none", "message-id", "sequence""#]],
    );
    refused(
        "[producer]\non-restart = \"Outbox\"\n",
        expect![[r#"line 2, `producer.on-restart`: found "Outbox"; allowed: "forgets", "resubmits", "outbox""#]],
    );
    refused(
        "[broker]\nacks = \"always\"\n",
        expect![[r#"line 2, `broker.acks`: found "always"; allowed: "never", "on-receipt", "after-sync""#]],
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
            r#"line 2, `consumer.settles`: found "never"; allowed: "before-effect", "after-effect", "with-effect""#
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
fn a_value_of_the_wrong_type_is_refused_with_what_was_found() {
    refused(
        "name = 7\n",
        expect!["line 1, `name`: found 7; allowed: a text of 1 to 100 characters without control characters"],
    );
    refused("ordered = \"true\"\n", expect![[r#"line 1, `ordered`: found "true"; allowed: true, false"#]]);
    refused(
        "promises = [\"exactly-once\"]\n",
        expect![[r#"line 1, `promises`: found a list; allowed: "at-most-once", "at-least-once", "exactly-once""#]],
    );
    refused(
        "producer = \"once\"\n",
        expect![[
            r#"line 1, `producer`: found "once"; allowed: a table with the keys attempts, identity, on-restart, in-flight"#
        ]],
    );
    refused(
        "[producer]\nattempts = true\n",
        expect![[
            r#"line 2, `producer.attempts`: found true; allowed: "once", "until-acked", or a whole number from 1 to 1000"#
        ]],
    );
    refused(
        "[producer]\nattempts = 2.5\n",
        expect![[
            r#"line 2, `producer.attempts`: found 2.5; allowed: "once", "until-acked", or a whole number from 1 to 1000"#
        ]],
    );
    refused(
        "[producer]\nin-flight = \"1\"\n",
        expect![[r#"line 2, `producer.in-flight`: found "1"; allowed: a whole number from 1 to 64"#]],
    );
    refused("[broker]\nfencing = 1\n", expect!["line 2, `broker.fencing`: found 1; allowed: true, false"]);
    refused(
        "[broker]\nacks = { after = \"sync\" }\n",
        expect![[r#"line 2, `broker.acks`: found a table; allowed: "never", "on-receipt", "after-sync""#]],
    );
    refused(
        "[broker]\ndedup-window = 1.0\n",
        expect!["line 2, `broker.dedup-window`: found 1.0; allowed: a whole number from 0 to 1000000"],
    );
    refused(
        "[consumer]\nworkers = 2026-01-01\n",
        expect!["line 2, `consumer.workers`: found 2026-01-01; allowed: a whole number from 1 to 64"],
    );
    refused(
        "[[faults]]\ntotal = 1\n",
        expect![
            "line 1, `faults`: found a list; allowed: a table with the keys total, publish-lost, publish-refused, publish-ack-lost, publish-duplicated, publish-reordered, producer-crash, producer-zombie, broker-crash, delivery-lost, consumer-crash, settle-lost, lease-expiry, dedup-forgotten, poison, rewind"
        ],
    );
}

#[test]
fn a_number_out_of_range_is_refused_with_the_range() {
    refused(
        "[producer]\nattempts = 0\n",
        expect![[
            r#"line 2, `producer.attempts`: found 0; allowed: "once", "until-acked", or a whole number from 1 to 1000"#
        ]],
    );
    refused(
        "[producer]\nattempts = 1001\n",
        expect![[
            r#"line 2, `producer.attempts`: found 1001; allowed: "once", "until-acked", or a whole number from 1 to 1000"#
        ]],
    );
    refused(
        "[producer]\nin-flight = 0\n",
        expect!["line 2, `producer.in-flight`: found 0; allowed: a whole number from 1 to 64"],
    );
    refused(
        "[producer]\nin-flight = 65\n",
        expect!["line 2, `producer.in-flight`: found 65; allowed: a whole number from 1 to 64"],
    );
    refused(
        "[broker]\ndedup-window = 1000001\n",
        expect!["line 2, `broker.dedup-window`: found 1000001; allowed: a whole number from 0 to 1000000"],
    );
    refused(
        "[broker]\nmax-deliveries = -1\n",
        expect!["line 2, `broker.max-deliveries`: found -1; allowed: a whole number from 0 to 1000"],
    );
    refused(
        "[broker]\nmax-deliveries = 1001\n",
        expect!["line 2, `broker.max-deliveries`: found 1001; allowed: a whole number from 0 to 1000"],
    );
    refused(
        "[consumer]\nworkers = 0\n",
        expect!["line 2, `consumer.workers`: found 0; allowed: a whole number from 1 to 64"],
    );
    refused(
        "[consumer]\nworkers = 99999999999999999999999999999999999999999999\n",
        expect![
            "line 2, `consumer.workers`: found 99999999999999999999999999999999999999999999; allowed: a whole number from 1 to 64"
        ],
    );
    refused(
        "[faults]\nbroker-crash = 1000001\n",
        expect!["line 2, `faults.broker-crash`: found 1000001; allowed: a whole number from 0 to 1000000"],
    );
    refused(
        "[faults]\ntotal = -1\n",
        expect!["line 2, `faults.total`: found -1; allowed: a whole number from 0 to 1000000"],
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
fn the_legal_neighbours_of_meaningless_combinations_load() {
    for text in [
        "[producer]\nidentity = \"none\"\n[broker]\ndedup = \"none\"\n",
        "[producer]\nidentity = \"message-id\"\n[broker]\ndedup = \"message-id\"\n",
        "[producer]\nidentity = \"sequence\"\n[broker]\ndedup = \"message-id\"\n",
        "[producer]\nidentity = \"sequence\"\n[broker]\ndedup = \"none\"\n",
        "obligation = \"submitted\"\n[producer]\nattempts = \"once\"\n[broker]\nacks = \"never\"\n",
        "obligation = \"submitted\"\n[producer]\nattempts = 3\n[broker]\nacks = \"never\"\n",
        "[producer]\nattempts = \"until-acked\"\n[broker]\nacks = \"on-receipt\"\n",
    ] {
        loaded(text);
    }
}

#[test]
fn a_name_is_short_and_printable() {
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
    assert_eq!(loaded(&format!("name = \"{}\"\n", "é".repeat(100))).name, "é".repeat(100));
    assert_eq!(Pipeline::from_toml("", "stem").unwrap().name, "stem");
    let error = Pipeline::from_toml("", "").unwrap_err().to_string();
    expect![[r#"`name`: found none, and "" to use instead; allowed: a text of 1 to 100 characters without control characters"#]].assert_eq(&error);
}

#[test]
fn what_is_left_out_has_the_default() {
    let default = Pipeline { name: "unnamed".to_owned(), ..Pipeline::default() };
    assert_eq!(loaded(""), default);
    assert_eq!(loaded("[producer]\n[broker]\n[consumer]\n"), default);
    assert_eq!(loaded("\u{feff}[producer]\r\nattempts = \"until-acked\"\r\n"), default);
}

#[test]
fn left_out_faults_are_the_five_failure_points_and_empty_ones_are_none() {
    assert_eq!(loaded("").faults, FaultBudget::default());
    assert_eq!(loaded("").faults.total, 2);
    assert_eq!(loaded("").faults.kinds().count(), 8);
    assert_eq!(loaded("[faults]\n").faults, FaultBudget::NONE);
    let crash = FaultBudget { total: 2, ..FaultBudget::NONE }.with(Fault::BrokerCrash, 3);
    assert_eq!(loaded("[faults]\nbroker-crash = 3\n").faults, crash);
    assert_eq!(loaded("[faults]\nbroker-crash = 3\ntotal = 0\n").faults, FaultBudget { total: 0, ..crash });
    assert_eq!(loaded("[faults]\ntotal = 7\nbroker-crash = 3\n").faults, FaultBudget { total: 7, ..crash });
}

#[test]
fn the_contract_of_section_5_loads_as_the_default() {
    let text = include_str!("samples/contract.toml");
    let budget = FaultBudget { total: 2, ..FaultBudget::NONE };
    let expected = Pipeline {
        name: "orders".to_owned(),
        promises: Some(Semantics::ExactlyOnce),
        faults: budget.with(Fault::PublishAckLost, 1).with(Fault::BrokerCrash, 1),
        ..Pipeline::default()
    };
    assert_eq!(loaded(text), expected);
}

#[test]
fn once_is_the_number_one() {
    assert_eq!(loaded("[producer]\nattempts = \"once\"\n"), loaded("[producer]\nattempts = 1\n"));
    assert_eq!(loaded("[producer]\nattempts = 0x10\n").producer.attempts, Attempts::AtMost(16));
}

#[test]
fn every_sample_loads_under_its_own_name() {
    let mut samples = 0;
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/samples/pipelines")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let pipeline = loaded(&std::fs::read_to_string(&path).unwrap());
            assert_eq!(Some(&*pipeline.name), path.file_stem().unwrap().to_str());
            samples += 1;
        }
    }
    assert_eq!(samples, 7);
}

#[test]
fn toml_spells_every_setting_out() {
    let pipeline = Pipeline { name: "say \"orders\"".to_owned(), ..Pipeline::default() };
    expect![[r#"
        name       = "say \"orders\""
        level      = "effect"
        obligation = "acked"
        ordered    = false

        [producer]
        attempts   = "until-acked"
        identity   = "sequence"
        on-restart = "outbox"
        in-flight  = 1

        [broker]
        acks             = "after-sync"
        dedup            = "sequence"
        dedup-window     = 0
        dedup-on-restart = "rebuilt"
        fencing          = true
        delivers         = "until-settled"
        records-settles  = "after-sync"
        leases           = "checked"
        max-deliveries   = 0

        [consumer]
        settles   = "after-effect"
        commits   = "each"
        remembers = "with-effect"
        workers   = 1

        [faults]
        total            = 2
        publish-lost     = 1
        publish-refused  = 1
        publish-ack-lost = 1
        producer-crash   = 1
        broker-crash     = 1
        delivery-lost    = 1
        consumer-crash   = 1
        settle-lost      = 1
    "#]]
    .assert_eq(&pipeline.to_toml());
}

#[test]
fn json_is_refused_with_the_path_of_keys() {
    let refused = |json: serde_json::Value, expected: Expect| {
        expected.assert_eq(&Pipeline::from_json(&json).unwrap_err().to_string());
    };
    refused(
        serde_json::json!(["orders"]),
        expect![
            "the document: found a list; allowed: a table with the keys name, promises, level, obligation, ordered, producer, broker, consumer, faults"
        ],
    );
    refused(
        serde_json::json!({ "producer": { "attempts": 0 } }),
        expect![[r#"`producer.attempts`: found 0; allowed: "once", "until-acked", or a whole number from 1 to 1000"#]],
    );
    refused(
        serde_json::json!({ "producer": { "atempts": 1 } }),
        expect!["`producer.atempts`: unknown key; allowed here: attempts, identity, on-restart, in-flight"],
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
        expect!["`faults.total`: found 1.5; allowed: a whole number from 0 to 1000000"],
    );
}

proptest! {
    #[test]
    fn written_toml_reads_as_the_same_pipeline(pipeline in pipeline()) {
        prop_assert_eq!(Pipeline::from_toml(&pipeline.to_toml(), "another")?, pipeline);
    }

    #[test]
    fn written_json_reads_as_the_same_pipeline(pipeline in pipeline()) {
        let json = serde_json::to_value(&pipeline)?;
        prop_assert_eq!(&Pipeline::from_json(&json)?, &pipeline);
        prop_assert_eq!(serde_json::from_str::<Pipeline>(&json.to_string())?, pipeline);
    }

    #[test]
    fn any_text_loads_or_is_refused(text in any::<String>()) {
        let _ = Pipeline::from_toml(&text, "any");
    }

    #[test]
    fn a_changed_text_is_refused_or_loads_as_what_can_be_written(pipeline in pipeline(), changes in changes()) {
        let text = changed(pipeline.to_toml().as_bytes(), &changes);
        if let Ok(pipeline) = Pipeline::from_toml(&String::from_utf8_lossy(&text), "changed") {
            prop_assert!(pipeline.means_something());
            prop_assert_eq!(Pipeline::from_toml(&pipeline.to_toml(), "another")?, pipeline);
        }
    }
}
