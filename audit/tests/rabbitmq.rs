//! RabbitMQ, where it is installed: what its clients tell of a queue, and that nothing of a node is left.
//!
//! Where it is not installed, these tests are left out by name.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use delivery_audit::clock::until;
use delivery_audit::place::Run;
use delivery_audit::plan::Patience;
use delivery_audit::product::{Broken, Client, Product, Published, Settled};
use delivery_audit::products::RabbitMq;

/// One node at a time, as they share two cores or so.
static TURN: Mutex<()> = Mutex::new(());

/// Starts a node with this setting for the test, and ends it. The test gets the directory below which it all is, too.
fn with_node(test: &str, setting: &str, check: impl FnOnce(&dyn Client, &Path) -> Result<(), Broken>) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(missing) = RabbitMq.version() {
        // To the terminal, also where the output of tests that pass is not shown.
        let _ = writeln!(std::io::stderr(), "left out: {test}: {missing}");
        return;
    }
    let base = tempfile::tempdir().expect("a directory");
    let setting = RabbitMq.settings().iter().find(|it| it.name == setting).expect("the setting exists");
    let (run, _) = Run::begin(base.path()).expect("a run begins");
    let place = run.directory().and_then(|directory| run.place(&directory, false)).expect("a place");
    let mut broker = RabbitMq.broker(setting, place, Patience::LOCAL).expect("a broker");
    broker.start().expect("it starts");
    check(&*broker.client(), base.path()).expect("no connection breaks");
    drop(broker);
    let none_is_left = until(Duration::from_secs(10), || programs(base.path()).is_empty());
    assert!(none_is_left, "{:?} are left", programs(base.path()));
}

/// The names of the processes that have this directory in their environment.
fn programs(directory: &Path) -> Vec<String> {
    let directory = directory.to_string_lossy().into_owned();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let ours = processes.filter(|process| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&directory)
    });
    ours.map(|process| fs::read_to_string(process.join("comm")).unwrap_or_default().trim().to_owned()).collect()
}

/// The limit is on returns, so there is one delivery more than its number.
#[test]
fn a_delivery_limit_of_5_allows_6_deliveries() {
    with_node("a_delivery_limit_of_5_allows_6_deliveries", "quorum-limit", |client, _| {
        let published = client.publisher()?.publish(1);
        assert!(matches!(published, Published::Acked(Some(_))), "{published:?}");
        let mut marks = Vec::new();
        while let Some(delivery) = client.receiver()?.receive(Patience::LOCAL.idle)? {
            // The connection ends here, without a settle.
            marks.push(delivery.marked);
        }
        assert_eq!(marks, [false, true, true, true, true, true]);
        assert_eq!(client.waiting(), Ok(0));
        Ok(())
    });
}

/// What no queue takes is refused, not acked; where it was declared, it is acked, counted, delivered and settled.
#[test]
fn a_message_without_a_queue_is_refused() {
    with_node("a_message_without_a_queue_is_refused", "quorum-new", |client, _| {
        assert_eq!(client.has_queue(), Ok(false));
        let published = client.publisher()?.publish(1);
        assert!(matches!(&published, Published::Refused(why) if why.contains("NO_ROUTE")), "{published:?}");
        client.declare()?;
        client.declare()?;
        assert_eq!((client.has_queue(), client.waiting()), (Ok(true), Ok(0)));
        for message in [1, 2] {
            assert!(matches!(client.publisher()?.publish(message), Published::Acked(Some(_))));
        }
        assert_eq!(client.waiting(), Ok(2));
        let mut receiver = client.receiver()?;
        for message in [1, 2] {
            let delivery = receiver.receive(Patience::LOCAL.idle)?.expect("a delivery");
            assert_eq!((delivery.message, delivery.marked), (message, false));
            assert_eq!(receiver.settle(), Settled::Confirmed);
        }
        assert_eq!((receiver.receive(Duration::ZERO), client.waiting()), (Ok(None), Ok(0)));
        Ok(())
    });
}

/// A virtual machine, its children and epmd; they are seen while it runs, and `with_node` looks for them afterwards.
#[test]
fn nothing_of_a_node_is_left() {
    with_node("nothing_of_a_node_is_left", "classic", |_, directory| {
        let programs = programs(directory);
        assert!(["beam.smp", "epmd"].iter().all(|it| programs.iter().any(|program| program == it)), "{programs:?}");
        Ok(())
    });
}
