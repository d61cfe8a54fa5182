//! Pipelines as TOML and JSON: what loads as what, and that writing and reading agree.

use delivery_model::pipeline::*;
use delivery_model::vocab::Fault;
use expect_test::expect;
use proptest::prelude::*;

use crate::strategies::{changed, changes, pipeline};

fn loaded(text: &str) -> Pipeline {
    Pipeline::from_toml(text, "unnamed").unwrap_or_else(|error| panic!("{text}\n{error}"))
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
fn a_name_of_a_hundred_characters_loads_and_none_is_the_default_one() {
    assert_eq!(loaded(&format!("name = \"{}\"\n", "é".repeat(100))).name, "é".repeat(100));
    assert_eq!(Pipeline::from_toml("", "stem").unwrap().name, "stem");
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
    let text = include_str!("../samples/contract.toml");
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
        name         = "say \"orders\""
        level        = "effect"
        obligation   = "acked"
        ordered      = false
        dead-letters = "pay"

        [producer]
        attempts      = "until-acked"
        identity      = "sequence"
        on-restart    = "outbox"
        on-refusal    = "retry"
        outbox        = "rows"
        relay-commits = "after-ack"
        in-flight     = 1

        [broker]
        acks                = "after-sync"
        dedup               = "sequence"
        dedup-window        = 0
        dedup-on-restart    = "rebuilt"
        answers-duplicates  = "ack"
        forgotten-producers = "accept"
        fencing             = true
        capacity            = 0
        overflow            = "refuse"
        hands-off           = "synced"
        delivers            = "until-settled"
        records-settles     = "after-sync"
        leases              = "checked"
        max-deliveries      = 0
        dead-lettering      = "with-settle"
        new-group           = "earliest"

        [consumer]
        settles      = "after-effect"
        commits      = "each"
        remembers    = "with-effect"
        on-failure   = "release"
        on-duplicate = "settle"
        batch        = 1
        prefetch     = 0
        workers      = 1

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
