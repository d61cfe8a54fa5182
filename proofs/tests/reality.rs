//! The audit that the repository keeps: its document is what its rows say, and model and reality agree or the difference
//! has a name.

use std::fs;
use std::path::Path;

use delivery_model::presets;
use delivery_proofs::reality::{self, About, Claims, Ledger, Recording, STAND_FOR, kept, markdown};

/// A figure of a row.
type Figure = fn(&reality::Record) -> u64;

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn ledger() -> Ledger {
    Ledger::new(&Claims::kept().expect("claims.toml can be read"), kept())
}

#[test]
fn the_document_is_what_the_kept_run_says() {
    let directory = here().join("src/reality/run");
    let rows = kept();
    let recordings = Recording::in_directory(&directory, rows).expect("the histories can be read");
    let about = fs::read_to_string(directory.join("about.toml")).expect("it is there");
    let about: About = toml::from_str(&about).expect("it can be read");
    let said = markdown(Some(&about), &ledger(), rows, &recordings);
    let document = fs::read_to_string(here().join("../docs/AUDIT.md")).expect("it is there");
    assert!(document == said, "docs/AUDIT.md is not what the kept run says: cargo xtask ledger writes it");
}

#[test]
fn whatever_was_seen_and_the_model_forbids_has_a_name() {
    let ledger = ledger();
    let open: Vec<_> = ledger.mismatches.iter().filter(|it| it.because.is_none()).collect();
    assert!(open.is_empty(), "{open:#?}");
    assert!(ledger.not_seen.is_empty(), "named, and not seen in the kept run: {:?}", ledger.not_seen);
}

#[test]
fn the_kept_run_has_what_was_measured_by_hand_in_kind() {
    let rows = kept();
    let sum = |product: &str, setting: &str, fault: &str, figure: Figure| -> u64 {
        let of_it = rows.iter().filter(|row| row.product == product && row.setting == setting && row.fault == fault);
        of_it.map(figure).sum()
    };
    let lost: Figure = |it| it.lost;
    let again: Figure = |it| it.again;
    for (product, setting, fault, figure, is_seen) in [
        ("nats", "default", "kill", again, true),
        ("nats", "default", "power", lost, true),
        ("redis", "everysec", "power", lost, true),
        ("redis", "always", "power", lost, false),
        ("redis", "always", "kill", lost, false),
        ("postgres", "default", "power", lost, false),
        ("postgres", "default", "kill", lost, false),
        ("mosquitto", "qos1", "kill", lost, true),
        ("mosquitto", "qos2", "kill", lost, true),
        ("delivery", "exactly-once", "kill", lost, false),
        ("delivery", "exactly-once", "power", lost, false),
        ("delivery", "exactly-once", "power", again, false),
    ] {
        let seen = sum(product, setting, fault, figure);
        assert_eq!(seen > 0, is_seen, "{product} {setting} {fault}: {seen}");
    }
}

#[test]
fn every_preset_that_stands_for_a_product_is_there() {
    for &(product, setting, preset) in STAND_FOR {
        assert!(presets::named(preset).is_some(), "{product} {setting}: {preset}");
    }
}

#[cfg(feature = "audit")]
#[test]
fn rows_and_claims_name_settings_that_exist() {
    use delivery_audit::{faults, products};

    let exists = |product: &str, setting: &str| {
        let known = products::ALL.iter().find(|it| it.name() == product);
        known.is_some_and(|it| it.settings().iter().any(|it| it.name == setting))
    };
    for &(product, setting, _) in STAND_FOR {
        assert!(exists(product, setting), "{product} {setting}");
    }
    for claim in Claims::kept().expect("claims.toml can be read").claims {
        assert!(exists(&claim.product, &claim.setting), "{} {}", claim.product, claim.setting);
        for fault in &claim.faults {
            assert!(faults::ALL.iter().any(|it| it.name() == fault), "{fault}");
        }
    }
}
