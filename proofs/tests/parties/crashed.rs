//! A crash is on record: the next life of a killed party records it, and a life after a clean end records none.

use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use delivery_model::vocab::{EventKind, Fault};

use crate::party::{Party, free_port, judged, part};

const PARTIES: [(&str, Fault); 3] =
    [("broker-0", Fault::BrokerCrash), ("consumer-0", Fault::ConsumerCrash), ("producer-0", Fault::ProducerCrash)];

/// The places at which each party records a crash of its own in its part. No party records a crash of another.
fn crashes(directory: &Path) -> [Vec<usize>; 3] {
    PARTIES.map(|(name, own)| {
        let events = part(directory, name).events;
        let faults = events.iter().enumerate().filter_map(|(at, recorded)| match recorded.event.kind {
            EventKind::Fault { fault } => Some((at, fault)),
            _ => None,
        });
        faults.inspect(|(_, fault)| assert_eq!(*fault, own, "{name}")).map(|(at, _)| at).collect()
    })
}

fn start_and_kill_once(directory: &Path, is_killed: bool) {
    let (to_test, said) = channel();
    let address = format!("127.0.0.1:{}", free_port());
    let arguments = [
        vec!["broker", "--listen", &address],
        vec!["consume", "--connect", &address],
        vec!["produce", "--connect", &address, "--messages", "2000"],
    ];
    let mut parties = Party::start_all(directory, &arguments, &to_test);
    let takes_effect = |life: u32| {
        let is_effect = |line: &str| line.starts_with("consumer-0 ") && line.contains("effect");
        let mut said = said.iter().filter(|said| said.life == life);
        said.find(|said| said.line.as_deref().is_some_and(is_effect)).expect("it takes effect");
    };
    match is_killed {
        true => {
            takes_effect(1);
            for party in &mut parties {
                party.kill();
                party.start();
            }
            takes_effect(2);
        }
        false => PARTIES.iter().take(2).for_each(|(name, _)| wait_until_it_runs(directory, name)),
    }
    parties[2].comes_to_rest();
    for party in &mut parties[..2] {
        party.interrupt();
        let (code, err) = party.wait();
        // Work may be left in its stores, but it ended by itself.
        assert!(matches!(code, Some(0 | 130)), "{code:?} {err}");
    }
}

/// Waits until the party reports that it runs: then it can be asked to leave.
fn wait_until_it_runs(directory: &Path, name: &str) {
    let life = directory.join(format!("{name}.life"));
    let runs = || std::fs::read(&life).is_ok_and(|said| said == b"running\n");
    assert!(
        (0..6_000).any(|_| runs() || {
            std::thread::park_timeout(Duration::from_millis(10));
            false
        }),
        "{name}"
    );
}

/// A regression: a broker that was killed before it had recorded anything had no crash on record.
#[test]
fn a_kill_is_told_once_and_by_the_next_life_and_a_clean_end_is_not() {
    let place = tempfile::tempdir().expect("a directory");
    start_and_kill_once(place.path(), true);
    let told = crashes(place.path());
    assert!(told.iter().all(|at| at.len() == 1), "{told:?}");
    assert_eq!(told[0], [0], "before anything else that the broker tells");
    let faults = judged(place.path(), &PARTIES.map(|(name, _)| name)).counts.faults;
    assert_eq!(faults, 3);
    // One more life, after a clean end.
    start_and_kill_once(place.path(), false);
    assert_eq!(crashes(place.path()), told);
}

#[test]
fn a_first_start_tells_of_no_crash() {
    let place = tempfile::tempdir().expect("a directory");
    start_and_kill_once(place.path(), false);
    assert_eq!(crashes(place.path()), [const { Vec::<usize>::new() }; 3]);
}

#[test]
fn a_second_process_in_the_same_role_and_place_is_refused_and_tells_of_no_crash() {
    let place = tempfile::tempdir().expect("a directory");
    let (to_test, said) = channel();
    let addresses = [(); 2].map(|()| format!("127.0.0.1:{}", free_port()));
    let broker =
        |number: usize| Party::new(number, place.path(), &["broker", "--listen", &addresses[number]], to_test.clone());
    let (mut first, mut second) = (broker(0), broker(1));
    first.start();
    said.recv().expect("it listens");
    second.start();
    let (code, err) = second.wait();
    assert!(code == Some(2) && err.contains("another process runs this party in this directory"), "{err}");
    first.interrupt();
    let (code, err) = first.wait();
    assert_eq!(code, Some(130), "there is no consumer: {err}");
    assert_eq!(part(place.path(), "broker-0").events, []);
}
