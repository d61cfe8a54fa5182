//! Real servers, where they are installed: those that keep their promises do, and the rest of the machinery works on them.
//!
//! What is not installed, or not possible here, is left out by name.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::AtomicBool;

use delivery_audit::campaign::{Campaign, Extent, Sums};
use delivery_audit::faults::{
    ConsumerCrash, Fault, Kill, PUBLISH_ACK_LOST, Power, ProducerCrash, SETTLE_ACK_LOST, SETTLE_LOST, Stop,
};
use delivery_audit::findings::Finding;
use delivery_audit::place::Run;
use delivery_audit::plan::{Load, Patience};
use delivery_audit::product::{Product, Trouble};
use delivery_audit::products;

/// A round, unless something is missing here, which is printed.
fn round(product: &'static dyn Product, setting: &str, fault: &'static dyn Fault, load: Load) -> Option<Sums> {
    let setting = product.settings().iter().find(|it| it.name == setting).expect("the setting exists");
    let campaign = Campaign { product, setting, fault, load, server: None };
    // In memory where there is such a place: what is tested does not depend on how fast a disk syncs.
    let memory = std::path::Path::new("/dev/shm");
    let base = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let base = base.expect("a directory");
    // PostgreSQL's user goes through it.
    fs::set_permissions(base.path(), Permissions::from_mode(0o755)).expect("its owner may");
    let (run, _) = Run::begin(base.path()).expect("a run begins");
    let directory = run.directory().expect("a directory");
    let possible = product.version().map_err(|missing| missing.to_string());
    let possible = possible.and_then(|_| fault.possible(&directory).map_err(|trouble| trouble.to_string()));
    // To the terminal, also where the output of tests that pass is not shown.
    let left_out = |why: String| {
        let _ = writeln!(std::io::stderr(), "left out: {}: {why}", campaign.name());
        None
    };
    if let Err(why) = possible {
        return left_out(why);
    }
    let extent = Extent { rounds: 1, messages: 60, patience: Patience::LOCAL, record: None, schedule: None };
    let sums = match campaign.run(&extent, &run, &AtomicBool::new(false), &|| {}) {
        // A program that servers are started with is not here, such as setpriv of util-linux.
        Err(why @ Trouble::Program { .. }) => return left_out(why.to_string()),
        sums => sums.expect("the round runs"),
    };
    assert_eq!((sums.rounds, sums.not_struck), (1, 0), "{}", campaign.name());
    Some(sums)
}

/// Nothing that was acked is lost and nothing that was settled comes again, and the broker comes back.
#[track_caller]
fn keeps(product: &'static dyn Product, setting: &str, fault: &'static dyn Fault, load: Load) {
    if let Some(sums) = round(product, setting, fault, load) {
        let bad = [Finding::AckedLost, Finding::AgainAfterSettle, Finding::DidNotReturn, Finding::QueueForgotten];
        let bad = bad.map(|finding| (finding.word(), sums.rounds_with(finding)));
        assert!(bad.iter().all(|&(_, rounds)| rounds == 0), "{} {setting} {}: {bad:?}", product.name(), fault.name());
        assert_eq!((sums.acked, sums.rounds_with(Finding::NotAtRest)), (60, 0));
    }
}

#[test]
fn redis_that_syncs_always_keeps_everything() {
    keeps(&products::Redis, "always", &Kill, Load::Lags);
    keeps(&products::Redis, "always", &Power, Load::Lags);
}

#[test]
fn redis_delivers_again_what_a_crashed_consumer_left() {
    keeps(&products::Redis, "always", &ConsumerCrash, Load::KeepsUp);
}

#[test]
fn a_stopped_redis_loses_nothing() {
    keeps(&products::Redis, "default", &Stop, Load::KeepsUp);
}

/// The harness can see: snapshots alone lose what was acked since the last one, with the group.
#[test]
fn redis_with_snapshots_alone_forgets_its_queue() {
    if let Some(sums) = round(&products::Redis, "default", &Kill, Load::Lags) {
        assert_eq!((sums.rounds_with(Finding::AckedLost), sums.rounds_with(Finding::QueueForgotten)), (1, 1));
    }
}

#[test]
fn postgres_keeps_everything() {
    for fault in [&Kill as &dyn Fault, &Power] {
        keeps(&products::Postgres, "default", fault, Load::Lags);
    }
}

/// The harness can see: 2.9 and 2.15 forget the acks of the last 50 ms and more.
#[test]
fn nats_that_is_killed_delivers_again_what_was_settled() {
    if let Some(sums) = round(&products::Nats, "default", &Kill, Load::KeepsUp) {
        assert_eq!((sums.rounds_with(Finding::AgainAfterSettle), sums.rounds_with(Finding::AckedLost)), (1, 0));
    }
}

/// The harness can see: Debian's defaults write nothing until 1,800 s have passed, so a kill takes queue and session.
#[test]
fn mosquitto_on_defaults_forgets_its_queue() {
    for setting in ["qos1", "qos2"] {
        if let Some(sums) = round(&products::Mosquitto, setting, &Kill, Load::Lags) {
            assert_eq!((sums.rounds_with(Finding::AckedLost), sums.rounds_with(Finding::QueueForgotten)), (1, 1));
        }
    }
}

#[test]
fn mosquitto_delivers_again_what_a_crashed_consumer_left_and_marks_it() {
    for setting in ["qos1", "qos2"] {
        keeps(&products::Mosquitto, setting, &ConsumerCrash, Load::Lags);
    }
}

#[test]
fn mosquitto_loses_nothing_while_it_is_stopped() {
    keeps(&products::Mosquitto, "qos2", &Stop, Load::KeepsUp);
    keeps(&products::Mosquitto, "qos2", &ProducerCrash, Load::Lags);
}

#[test]
fn a_quorum_queue_of_rabbitmq_keeps_everything() {
    for fault in [&Kill as &dyn Fault, &Power] {
        keeps(&products::RabbitMq, "quorum", fault, Load::Lags);
    }
}

#[test]
fn rabbitmq_delivers_again_what_a_crashed_consumer_left_and_marks_it() {
    let sums = round(&products::RabbitMq, "classic", &ConsumerCrash, Load::KeepsUp);
    assert!(sums.is_none_or(|sums| sums.findings.is_empty()));
}

/// The harness can see: a durable queue survives a kill, and transient messages in it do not.
#[test]
fn rabbitmq_loses_transient_messages_when_it_is_killed() {
    if let Some(sums) = round(&products::RabbitMq, "classic-transient", &Kill, Load::Lags) {
        assert_eq!((sums.rounds_with(Finding::AckedLost), sums.rounds_with(Finding::QueueForgotten)), (1, 0));
    }
}

#[test]
fn beanstalkd_that_syncs_always_keeps_everything() {
    for fault in [&Kill as &dyn Fault, &Power] {
        keeps(&products::Beanstalkd, "binlog-always", fault, Load::Lags);
    }
}

/// The harness can see: without a binlog, jobs are in memory alone.
#[test]
fn beanstalkd_without_a_binlog_loses_its_jobs() {
    if let Some(sums) = round(&products::Beanstalkd, "default", &Kill, Load::Lags) {
        assert_eq!(sums.rounds_with(Finding::AckedLost), 1);
    }
}

#[test]
fn beanstalkd_delivers_again_what_a_crashed_consumer_left_and_counts_it() {
    let sums = round(&products::Beanstalkd, "default", &ConsumerCrash, Load::KeepsUp);
    assert!(sums.is_none_or(|sums| sums.findings.is_empty()));
}

/// The harness can see: SQLite's log is synced some commits later, so a power loss takes what was acked, and a kill nothing.
#[test]
fn tansu_on_sqlite_keeps_everything_but_when_power_is_lost() {
    keeps(&products::Tansu, "sqlite", &Kill, Load::Lags);
    if let Some(sums) = round(&products::Tansu, "sqlite", &Power, Load::Lags) {
        assert_eq!(sums.rounds_with(Finding::AckedLost), 1);
    }
}

#[test]
fn the_broker_of_this_project_keeps_everything() {
    for fault in delivery_audit::faults::ALL.into_iter().filter(|fault| fault.on_the_wire().is_none()) {
        for load in Load::ALL {
            keeps(&products::Delivery, "exactly-once", fault, load);
        }
    }
}

/// The harness can see: what is acked on receipt may not be stored yet when the power fails. A third of the rounds show it.
#[test]
fn the_broker_of_this_project_loses_what_it_acks_on_receipt() {
    let loses = |_| {
        let sums = round(&products::Delivery, "on-receipt", &Power, Load::Lags);
        sums.is_none_or(|sums| sums.rounds_with(Finding::AckedLost) > 0)
    };
    assert!((0..30).any(loses), "30 power losses, and nothing acked was lost");
}

/// What was stored is stored once more where nobody recognises the retry, and once where somebody does: so the proxy works.
#[test]
fn a_lost_ack_makes_a_duplicate_where_no_retry_is_recognised() {
    let all: [(&'static dyn Product, &str, u64); 7] = [
        (&products::Nats, "default", 0),
        (&products::Redis, "default", 1),
        (&products::Postgres, "default", 0),
        (&products::Mosquitto, "qos1", 1),
        (&products::Mosquitto, "qos2", 0),
        (&products::Delivery, "at-least-once", 1),
        (&products::Delivery, "exactly-once", 0),
    ];
    for (product, setting, expected) in all {
        if let Some(sums) = round(product, setting, &PUBLISH_ACK_LOST, Load::KeepsUp) {
            assert_eq!(sums.repeated, expected, "{} {setting}", product.name());
            assert_eq!(sums.rounds_with(Finding::RetryStored), 0, "{} {setting}", product.name());
        }
    }
}

#[test]
fn a_settle_whose_ack_is_lost_is_no_loss() {
    let all: [(&'static dyn Product, &str); 5] = [
        (&products::Nats, "default"),
        (&products::Redis, "default"),
        (&products::Postgres, "default"),
        (&products::Mosquitto, "qos2"),
        (&products::Delivery, "exactly-once"),
    ];
    for (product, setting) in all {
        keeps(product, setting, &SETTLE_ACK_LOST, Load::Lags);
    }
}

/// At QoS 1 the answer to a PINGREQ confirms a settle: where the settle vanished, so must that.
#[test]
fn a_settle_that_vanished_is_not_confirmed_by_what_came_behind_it() {
    keeps(&products::Mosquitto, "qos1", &SETTLE_LOST, Load::KeepsUp);
}
