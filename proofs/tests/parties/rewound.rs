//! A rewound group: deliveries repeat, and effects repeat where the consumer has no memory.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use delivery_model::pipeline::Semantics;
use delivery_model::semantics::Verdict::{self, Holds, Violated};
use tempfile::TempDir;

use crate::party::{Party, Said, free_port, judged};

const MESSAGES: u64 = 60;
const BACK_TO: u64 = 20;
/// The time without any event after which the run counts as hung.
const HUNG: Duration = Duration::from_secs(60);

/// Waits until the party has printed `count` lines with this word.
fn wait_for(said: &Receiver<Said>, party: usize, word: &str, count: u64) {
    let mut seen = 0;
    while seen < count {
        let said = said.recv_timeout(HUNG).expect("something happens");
        let line = if said.party == party { said.line.unwrap_or_default() } else { String::new() };
        seen += u64::from(line.split_whitespace().any(|found| found == word));
    }
}

struct Parties {
    place: TempDir,
    broker: Party,
    back: Party,
    said: Receiver<Said>,
}

impl Parties {
    /// Three parties that delivered everything once, after which the consumer has left.
    fn after_all_was_delivered(pipeline: &str, back_to: u64) -> Parties {
        let place = tempfile::tempdir().expect("a directory");
        let file = place.path().join("pipeline.toml");
        std::fs::write(&file, format!("name = \"rewound\"\n{pipeline}")).expect("writable");
        let pipeline = file.to_str().expect("a path in ASCII");
        let (to_test, said) = channel();
        let address = format!("127.0.0.1:{}", free_port());
        let party = |number, arguments: &[&str]| Party::new(number, place.path(), arguments, to_test.clone());
        let (messages, back_to) = (MESSAGES.to_string(), back_to.to_string());
        let mut broker = party(0, &["broker", pipeline, "--listen", &address]);
        let mut consumer = party(1, &["consume", pipeline, "--connect", &address]);
        let mut producer = party(2, &["produce", pipeline, "--connect", &address, "--messages", &messages]);
        let back = party(3, &["consume", pipeline, "--connect", &address, "--rewind", &back_to]);
        for party in [&mut broker, &mut consumer, &mut producer] {
            party.start();
        }
        producer.comes_to_rest();
        wait_for(&said, 1, "effect", MESSAGES);
        consumer.leaves();
        Parties { place, broker, back, said }
    }

    fn place(&self) -> &Path {
        self.place.path()
    }
}

fn check(pipeline: &str, effects: u64, at_most_once: Verdict) {
    let mut parties = Parties::after_all_was_delivered(pipeline, BACK_TO);
    parties.back.start();
    wait_for(&parties.said, 3, "deliver", MESSAGES - BACK_TO);
    parties.broker.leaves();
    parties.back.leaves();
    let judgement = judged(parties.place(), &["broker-0", "consumer-0", "producer-0"]);
    assert_eq!(judgement.counts.delivered, 2 * MESSAGES - BACK_TO);
    assert_eq!(judgement.counts.effects, effects);
    assert_eq!(judgement.verdicts.of(Semantics::AtLeastOnce), Holds, "{:#?}", judgement.violations);
    assert_eq!(judgement.verdicts.of(Semantics::AtMostOnce), at_most_once, "{:#?}", judgement.violations);
}

#[test]
fn an_inbox_makes_no_effect_twice_however_far_its_group_goes_back() {
    check("", MESSAGES, Holds);
    check("[consumer]\nsettles = \"with-effect\"", MESSAGES, Holds);
}

#[test]
fn without_a_memory_every_message_from_there_on_takes_effect_again() {
    check("[consumer]\nremembers = \"nothing\"", 2 * MESSAGES - BACK_TO, Violated);
}

#[test]
fn a_group_cannot_go_back_to_what_the_log_does_not_have() {
    let mut parties = Parties::after_all_was_delivered("", MESSAGES + 1);
    parties.back.start();
    let (code, err) = parties.back.wait();
    let expected =
        format!("position {} is not in the broker's log, which starts at 0 and ends before {MESSAGES}", MESSAGES + 1);
    assert!(err.contains(&expected), "{err}");
    assert_eq!(code, Some(2));
}
