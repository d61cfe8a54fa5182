//! Parties whose processes are killed at random instants under load, many times: no acked message is lost, and none
//! takes effect twice.
//!
//! A seed decides which process is killed next, and after how many more events of the whole run. The exact instant
//! between two steps of that process depends on the machine. As `real::killed` says, a kill does not test the disk.

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use delivery_impls::driver::run::Stores;
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::Verdict;
use delivery_model::vocab::MessageId;
use delivery_proofs::real::order;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::party::{Party, Said, free_port, judged};

const MESSAGES: u64 = 1_200;
const KILLS: u32 = 120;
/// The most events between two kills.
const EVENTS_BETWEEN: u32 = 30;
/// The time without any event after which the run counts as hung.
const HUNG: Duration = Duration::from_secs(60);

const BROKER: usize = 0;
const CONSUMER: usize = 1;
const PRODUCERS: [usize; 2] = [2, 3];
/// The processes among which the next kill is drawn, each as often as its share.
const VICTIMS: [usize; 8] = [BROKER, BROKER, BROKER, CONSUMER, CONSUMER, CONSUMER, PRODUCERS[0], PRODUCERS[1]];

/// Waits for the next event of a process that is alive. Returns false if a producer has ended.
fn next_event(parties: &[Party], said: &Receiver<Said>) -> bool {
    loop {
        let Said { party, life, line } = said.recv_timeout(HUNG).expect("something happens");
        let is_alive = parties[party].is_started() && parties[party].life() == life;
        match line {
            Some(_) if is_alive => return true,
            None if is_alive => {
                assert!(PRODUCERS.contains(&party), "only producers end by themselves");
                return false;
            }
            // The line was printed before the kill.
            Some(_) | None => {}
        }
    }
}

#[test]
fn exactly_once_stays_so_while_every_process_is_killed_again_and_again() {
    let place = tempfile::tempdir().expect("a directory");
    let (to_test, said) = channel();
    let address = format!("127.0.0.1:{}", free_port());
    let messages = MESSAGES.to_string();
    let produce = ["produce", "--connect", &address, "--messages", &messages, "--producers", "2", "--producer"];
    let arguments = [
        vec!["broker", "--listen", &address, "--retain", "0"],
        vec!["consume", "--connect", &address],
        [&produce[..], &["0"]].concat(),
        [&produce[..], &["1"]].concat(),
    ];
    let mut parties = Party::start_all(place.path(), &arguments, &to_test);

    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut kills = [0; 4];
    while kills.iter().sum::<u32>() < KILLS {
        for _ in 0..random.random_range(1..=EVENTS_BETWEEN) {
            assert!(next_event(&parties, &said), "a producer was done after {kills:?} kills: too few messages");
        }
        let victim = VICTIMS[random.random_range(0..VICTIMS.len())];
        parties[victim].kill();
        parties[victim].start();
        kills[victim] += 1;
    }

    PRODUCERS.into_iter().for_each(|producer| parties[producer].comes_to_rest());
    [BROKER, CONSUMER].into_iter().for_each(|party| parties[party].leaves());

    let judgement = judged(place.path(), &["broker-0", "consumer-0", "producer-0", "producer-1"]);
    assert_eq!(judgement.verdicts.of(Semantics::ExactlyOnce), Verdict::Holds, "{kills:?} {:#?}", judgement.violations);
    assert_eq!(judgement.counts.submitted, MESSAGES);
    assert!(judgement.counts.delivered > MESSAGES, "kills make deliveries come again, or they fell between messages");
    assert!(kills.iter().all(|kills| *kills >= 10), "{kills:?}");

    let inventory = EmbeddedInventory::open(&Stores::in_directory(place.path()).inventory()).expect("an inventory");
    let expected: Vec<_> = (1..=MESSAGES)
        .map(|message| order(MessageId(message)))
        .map(|order| (order.sku, -i64::from(order.quantity)))
        .collect();
    assert_eq!(inventory.stocks().expect("readable"), expected);
}
