//! Draws pipelines: any settings that mean something together, with numbers small enough for the model's encoding.

use std::fmt::Debug;

use delivery_model::pipeline::{
    Acks, Attempts, Broker, Consumer, Dedup, FaultBudget, Identity, Obligation, Overflow, Pipeline, Producer, Settles,
};
use delivery_model::vocab::Fault;
use delivery_model::words::Word;
use proptest::prelude::*;
use proptest::sample::select;

/// Any pipeline that means something, under every fault as often as the model's encoding can tell apart.
pub fn pipelines() -> impl Strategy<Value = Pipeline> {
    let pipeline = (recognised(), confirmed(), producer(), broker(), consumer(), faults());
    pipeline.prop_map(|((identity, dedup), (attempts, acks, obligation), producer, broker, consumer, faults)| {
        without_a_mix(Pipeline {
            name: "drawn".to_owned(),
            obligation,
            producer: Producer { identity, attempts, ..producer },
            broker: Broker { dedup, acks, ..broker },
            consumer,
            faults,
            ..Pipeline::default()
        })
    })
}

/// What is set aside without a word, and what the log loses, are drawn apart: a position that was dropped and then comes again is
/// left to tests of their own.
fn without_a_mix(mut pipeline: Pipeline) -> Pipeline {
    if pipeline.positions_come_again() {
        pipeline.broker.overflow = Overflow::Refuse;
        pipeline.faults = pipeline.faults.with(Fault::RecordExpired, 0).with(Fault::DeadLetterLost, 0);
    }
    pipeline
}

/// Any word of a type.
fn word<W: Word + Debug>() -> impl Strategy<Value = W> {
    select(W::ALL)
}

/// By what messages are recognised, where they carry it.
fn recognised() -> impl Strategy<Value = (Identity, Dedup)> {
    let means_something = |(identity, dedup): &(Identity, Dedup)| match dedup {
        Dedup::None => true,
        Dedup::MessageId => *identity != Identity::None,
        Dedup::Sequence => *identity == Identity::Sequence,
    };
    let all = Identity::ALL.iter().flat_map(|&identity| Dedup::ALL.iter().map(move |&dedup| (identity, dedup)));
    select(all.filter(means_something).collect::<Vec<_>>())
}

/// Attempts, acks and what is owed: nobody waits for acks that never come, or owes only what was acked by them.
fn confirmed() -> impl Strategy<Value = (Attempts, Acks, Obligation)> {
    let attempts = prop_oneof![Just(Attempts::UntilAcked), (1..=3u32).prop_map(Attempts::AtMost)];
    (attempts, word(), word()).prop_map(|(attempts, acks, obligation)| match (acks, attempts) {
        (Acks::Never, Attempts::UntilAcked) => (Attempts::AtMost(2), acks, Obligation::Submitted),
        (Acks::Never, Attempts::AtMost(_)) => (attempts, acks, Obligation::Submitted),
        (Acks::OnReceipt | Acks::AfterSync | Acks::Replicated, _) => (attempts, acks, obligation),
    })
}

fn producer() -> impl Strategy<Value = Producer> {
    let settings = (word(), word(), (word(), word()), 1..=3u32);
    settings.prop_map(|(on_restart, on_refusal, (outbox, relay_commits), in_flight)| Producer {
        on_restart,
        on_refusal,
        outbox,
        relay_commits,
        in_flight,
        ..Producer::default()
    })
}

fn broker() -> impl Strategy<Value = Broker> {
    let remembers = (0..=2u32, word(), any::<bool>());
    let answers = (word(), word());
    let queue = (0..=3u32, word(), word(), word(), word());
    let delivers = (word(), word(), word(), 0..=2u32);
    (remembers, answers, queue, delivers).prop_map(|(remembers, answers, queue, delivers)| {
        let (dedup_window, dedup_on_restart, fencing) = remembers;
        let (answers_duplicates, forgotten_producers) = answers;
        let (capacity, overflow, hands_off, dead_lettering, new_group) = queue;
        let (delivers, records_settles, leases, max_deliveries) = delivers;
        Broker {
            dedup_window,
            dedup_on_restart,
            fencing,
            answers_duplicates,
            forgotten_producers,
            capacity,
            overflow,
            hands_off,
            dead_lettering,
            new_group,
            delivers,
            records_settles,
            leases,
            max_deliveries,
            ..Broker::default()
        }
    })
}

fn consumer() -> impl Strategy<Value = Consumer> {
    let words = (word(), word(), word(), word(), word());
    let settings = (words, 1..=3u32, 0..=2u32, 1..=3u32);
    settings.prop_map(|((settles, commits, remembers, on_failure, on_duplicate), workers, prefetch, batch)| Consumer {
        settles,
        commits,
        remembers,
        on_failure,
        on_duplicate,
        prefetch,
        workers,
        batch: if workers == 1 && prefetch == 0 && settles != Settles::InBackground { batch } else { 1 },
    })
}

/// Restarts and stragglers within the encoding's two bits and two places; of the other kinds a few each.
fn faults() -> impl Strategy<Value = FaultBudget> {
    prop::array::uniform(0..=3u32).prop_map(|each| {
        let mut budget = FaultBudget { total: 0, each };
        for (fault, most) in [(Fault::PublishDuplicated, 1), (Fault::ProducerZombie, 1), (Fault::ProducerCrash, 2)] {
            budget = budget.with(fault, budget.of(fault).min(most));
        }
        budget
    })
}

#[cfg(test)]
mod tests {
    use delivery_model::spec::bounds;

    use super::*;

    proptest! {
        #[test]
        fn a_drawn_pipeline_means_something_and_fits_the_encoding(pipeline in pipelines()) {
            prop_assert!(pipeline.means_something(), "{pipeline:?}");
            prop_assert_eq!(bounds::exceeded(&pipeline), Vec::new());
        }
    }
}
