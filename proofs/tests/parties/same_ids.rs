//! Two producers with the same message ids: each learns the outcome of its own messages.

use std::sync::mpsc::channel;

use delivery_impls::driver::run::Stores;
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_model::vocab::{EventKind, MessageId, Outcome};
use delivery_proofs::real::order;

use crate::party::{Party, free_port, part};

const MESSAGES: u64 = 60;

/// A regression: the broker knew an unanswered attempt by the message id alone, and one of the two producers retried
/// after every time-out. A time-out would show here as an outcome other than acked.
#[test]
fn two_producers_with_the_same_ids_both_finish_and_nobody_tries_again() {
    let place = tempfile::tempdir().expect("a directory");
    let (to_test, _said) = channel();
    let address = format!("127.0.0.1:{}", free_port());
    let messages = MESSAGES.to_string();
    let produce = ["produce", "--connect", &address, "--messages", &messages];
    let arguments = [
        vec!["broker", "--listen", &address],
        vec!["consume", "--connect", &address],
        // All messages.
        [&produce[..], &["--producers", "1", "--producer", "0"]].concat(),
        // Every second message.
        [&produce[..], &["--producers", "2", "--producer", "1"]].concat(),
    ];
    let mut parties = Party::start_all(place.path(), &arguments, &to_test);
    [2, 3].into_iter().for_each(|producer| parties[producer].comes_to_rest());
    [0, 1].into_iter().for_each(|party| parties[party].leaves());

    let mut submitted = Vec::new();
    for name in ["producer-0", "producer-1"] {
        for recorded in part(place.path(), name).events {
            match recorded.event.kind {
                EventKind::Submit { message, .. } => submitted.push(message),
                EventKind::Outcome { outcome, message, .. } => {
                    assert_eq!(outcome, Outcome::Acked, "{name}, message {message}");
                }
                _ => {}
            }
        }
    }
    let share = submitted.len() as u64 - MESSAGES;
    assert!(share > 0 && share < MESSAGES, "{share} ids are shared");

    // Each message of each producer took effect once.
    let inventory = EmbeddedInventory::open(&Stores::in_directory(place.path()).inventory()).expect("an inventory");
    let times = |message| submitted.iter().filter(|submitted| **submitted == message).count() as i64;
    let expected: Vec<_> = (1..=MESSAGES)
        .map(MessageId)
        .map(|message| (order(message).sku, -i64::from(order(message).quantity) * times(message)))
        .collect();
    assert_eq!(inventory.stocks().expect("readable"), expected);
}
