//! The producer's settings walk in lockstep under the faults that matter to them.
//!
//! Every result has its bounds beside it: how many messages, which budgets, and how many states where a walk is not full.

use delivery_model::pipeline::{Dedup, FaultBudget, Identity, OnRefusal, OnRestart, Pipeline};
use delivery_model::presets;
use delivery_model::vocab::Fault;
use delivery_proofs::lockstep::{Walked, walk};
use delivery_proofs::mutants::Mutant;

/// Walks at most so many states, and to the end if there are no more.
fn check_within(states_max: usize, pipeline: &Pipeline, messages: u32) -> Walked {
    let walked = walk(pipeline, messages, Mutant::None, &mut |states, _| states < states_max).expect("so few fit");
    if let Some(parted) = &walked.parted {
        panic!("{pipeline:#?}\nwith {messages} messages: spec and cores part: {parted}");
    }
    walked
}

fn exactly_once(change: impl FnOnce(&mut Pipeline)) -> Pipeline {
    let mut pipeline = presets::named("exactly-once").expect("a reference");
    change(&mut pipeline);
    pipeline
}

/// In every way in which a session is kept or renewed, with refusals, crashes and what is left of old epochs.
#[test]
fn a_new_epoch_after_a_refusal_walks_in_lockstep() {
    for on_restart in OnRestart::ALL {
        for (identity, dedup) in [(Identity::Sequence, Dedup::Sequence), (Identity::MessageId, Dedup::MessageId)] {
            let faults = FaultBudget::once_each([Fault::PublishRefused, Fault::ProducerCrash, Fault::PublishAckLost]);
            let faults = faults.with(Fault::PublishRefused, 2).capped(3);
            let pipeline = exactly_once(|it| {
                (it.producer.on_restart, it.producer.on_refusal) = (on_restart, OnRefusal::NewEpoch);
                (it.producer.identity, it.broker.dedup, it.producer.in_flight) = (identity, dedup, 2);
                it.faults = faults;
            });
            let walked = check_within(20_000, &pipeline, 2);
            assert!(walked.struck.contains_key(&Fault::ProducerCrash), "{walked:?}");
            let mut zombies = pipeline;
            zombies.faults = FaultBudget::once_each([Fault::PublishRefused, Fault::ProducerZombie, Fault::BrokerCrash]);
            (zombies.broker.fencing, zombies.producer.attempts) =
                (false, delivery_model::pipeline::Attempts::AtMost(2));
            check_within(20_000, &zombies, 2);
        }
    }
}

/// A producer that has no epochs left is cut off in both alike: refusals come again and again.
#[test]
fn epochs_end_in_lockstep() {
    let pipeline = exactly_once(|it| {
        it.producer.on_refusal = OnRefusal::NewEpoch;
        it.faults = FaultBudget::NONE.with(Fault::PublishRefused, 9);
    });
    assert!(check_within(usize::MAX, &pipeline, 1).complete);
}
