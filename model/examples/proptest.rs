//! A queue of your own under drawn faults: proptest draws what goes wrong, the judge says what it broke.
//!
//! The queue below delivers again what was not settled, and its consumer has no memory. So it keeps at-least-once, and
//! breaks exactly-once. Run it: `cargo run -p delivery-model --example proptest`.

use std::collections::VecDeque;

use delivery_model::history::History;
use delivery_model::pipeline::Semantics;
use delivery_model::semantics::{Judgement, Question, Verdict, judge};
use delivery_model::vocab::{EventKind, SettleOutcome};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRng, TestRunner};

/// Sends as many messages as there are drawn faults. Each true value is a settle that is lost on its way.
fn run(lost_settles: &[bool]) -> History {
    let mut history = History::default();
    let mut record = |process: &str, kind| history.record(process, kind).expect("two processes have names");
    let mut queue = VecDeque::new();
    for message in 1..=lost_settles.len() as u64 {
        record("shop", EventKind::submit(message));
        queue.push_back((message, lost_settles[message as usize - 1]));
        record("shop", EventKind::acked(message));
    }
    while let Some((message, settle_is_lost)) = queue.pop_front() {
        record("stock", EventKind::deliver(message));
        record("stock", EventKind::effect(message));
        let outcome = if settle_is_lost { SettleOutcome::Unknown } else { SettleOutcome::Ok };
        record("stock", EventKind::settle(message, outcome));
        if settle_is_lost {
            queue.push_back((message, false));
        }
    }
    record("shop", EventKind::Quiescent);
    history
}

fn judged(lost_settles: &[bool]) -> Judgement {
    judge(&run(lost_settles), Question::default())
}

fn main() {
    let claim = |semantics| {
        // The same draws in every run, and no file for the failing ones.
        let config = Config { failure_persistence: None, ..Config::default() };
        let draws = TestRng::deterministic_rng(config.rng_algorithm);
        TestRunner::new_with_rng(config, draws).run(&vec(any::<bool>(), 1..20), |lost_settles| {
            let judgement = judged(&lost_settles);
            prop_assert_ne!(judgement.verdicts.of(semantics), Verdict::Violated);
            Ok(())
        })
    };
    assert!(claim(Semantics::AtLeastOnce).is_ok(), "what was not settled is delivered again");
    println!("at-least-once: not broken in 256 drawn runs of up to 19 messages");

    let Err(TestError::Fail(_, shortest)) = claim(Semantics::ExactlyOnce) else {
        panic!("a lost settle repeats an effect")
    };
    println!("exactly-once: broken by {} message, settle lost: {}", shortest.len(), shortest[0]);
    judged(&shortest).violations.iter().for_each(|violation| println!("  {violation}"));
}
