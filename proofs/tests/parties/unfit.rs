//! Parties whose settings differ from their broker's are refused when they connect, and the setting is named.

use std::fs;
use std::sync::mpsc::channel;

use crate::party::{Party, free_port, part};

#[test]
fn a_role_with_other_settings_is_refused_by_their_name_and_leaves_nothing_behind() {
    let place = tempfile::tempdir().expect("a directory");
    let (to_test, said) = channel();
    let address = format!("127.0.0.1:{}", free_port());
    let file = |name: &str, text: &str| {
        let path = place.path().join(name);
        fs::write(&path, text).expect("writable");
        path.to_str().expect("a path in ASCII").to_owned()
    };
    let own = file("own.toml", "name = \"own\"");
    let no_dedup = file("no-dedup.toml", "name = \"other\"\n[broker]\ndedup = \"none\"");
    let claims = file("claims.toml", "name = \"own\"\n[faults]\n");
    let party = |number, directory: &str, arguments: &[&str]| {
        Party::new(number, &place.path().join(directory), arguments, to_test.clone())
    };
    let mut broker = party(0, "broker", &["broker", &own, "--listen", &address]);
    broker.start();
    said.recv().expect("it listens");
    let differs = |party: &str| {
        format!(
            "error: {party} has other settings than the broker: broker.dedup is \"sequence\" at the broker and \
             \"none\" at {party}\n"
        )
    };
    for (arguments, name) in [
        (&["consume", &no_dedup, "--connect", &address][..], "consumer-0"),
        (&["consume", &no_dedup, "--connect", &address, "--rewind", "0"], "consumer-0"),
        (&["produce", &no_dedup, "--connect", &address], "producer-0"),
    ] {
        let mut other = party(1, "deep/down", arguments);
        other.start();
        let (code, err) = other.wait();
        assert_eq!((code, err), (Some(2), differs(name)), "{arguments:?}");
        assert!(!place.path().join("deep").exists(), "{arguments:?}");
    }
    // The broker does not compare faults and claims.
    let mut fits = party(1, "fits", &["produce", &claims, "--connect", &address, "--messages", "3"]);
    fits.start();
    fits.comes_to_rest();
    let mut consumer = party(2, "fits", &["consume", &own, "--connect", &address]);
    consumer.start();
    let is_effect = |line: &str| line.starts_with("consumer-0 effect");
    said.iter().find(|said| said.line.as_deref().is_some_and(is_effect)).expect("it takes effect");
    // A party that was let in before keeps its files when it is refused later.
    let mut other = party(1, "fits", &["produce", &no_dedup, "--connect", &address]);
    other.start();
    let (code, err) = other.wait();
    assert!(code == Some(2) && err.contains("a history of own, with other settings"), "{err}");
    assert_eq!(part(&place.path().join("fits"), "producer-0").events.len(), 10);
    broker.leaves();
    consumer.leaves();
}
