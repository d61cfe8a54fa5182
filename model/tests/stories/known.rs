//! The known ways in which a promise breaks: each comes out of the model by itself, and goes away with one setting.
//!
//! Every story is a minimal pair: a pipeline that survives its faults, and the same with one setting weakened, which breaks
//! a named property. Both searches are complete within two messages. What the literature calls a story is told in the doc
//! comment. Left out: a sequence number recorded before it is stored, and `seq <= last` taken for "seen": no setting means
//! either. They are bugs, so the cores have them seeded, and `proofs/tests/known_bugs.rs` tells their stories.

use delivery_model::check::Violation;
use delivery_model::pipeline::*;
use delivery_model::semantics::PropertyId;
use delivery_model::spec::{Events, State};
use delivery_model::story;
use delivery_model::vocab::{EventKind, Fault};

use super::{explored, pipeline, told};

/// The property is kept by the pipeline and broken once it is weakened, by a story with as many messages and steps.
fn check(property: PropertyId, pipeline: Pipeline, weaken: fn(&mut Pipeline), (messages, steps): (u32, usize)) {
    assert_eq!(told(&pipeline, property), None, "the neighbour breaks it as well");
    let mut weakened = pipeline;
    weaken(&mut weakened);
    assert!(weakened.means_something(), "the weakened pipeline is one that a user may write");
    let story = told(&weakened, property).expect("the weakened pipeline breaks it");
    assert_eq!((story.messages, story.steps.len()), (messages, steps), "{:#?}", story.steps);
    let struck: Vec<Fault> = story.steps.iter().filter_map(|step| step.fault()).collect();
    assert_eq!(struck, weakened.faults.kinds().collect::<Vec<_>>(), "the story needs its faults and no other");
}

/// The ack is lost, the producer sends again, and nobody can tell that it is the same message.
#[test]
fn a_retry_without_identity_duplicates() {
    check(
        PropertyId::NoDuplicateEffect,
        pipeline(&[Fault::PublishAckLost], |_| {}),
        |it| (it.producer.identity, it.broker.dedup) = (Identity::None, Dedup::None),
        (1, 19),
    );
}

/// A producer that restarts as somebody new sends again what it had already sent as somebody else.
#[test]
fn an_identity_that_a_restart_forgets_duplicates() {
    check(
        PropertyId::NoDuplicateEffect,
        pipeline(&[Fault::ProducerCrash], |_| {}),
        |it| it.producer.on_restart = OnRestart::Resubmits,
        (1, 16),
    );
}

/// The broker confirms what is in its memory only, and crashes.
#[test]
fn an_ack_before_the_sync_loses() {
    check(
        PropertyId::AckedNotLost,
        pipeline(&[Fault::BrokerCrash], |it| it.obligation = Obligation::Acked),
        |it| it.broker.acks = Acks::OnReceipt,
        (1, 5),
    );
}

/// The settle is lost, the message comes again, and its effect too.
#[test]
fn an_effect_without_an_inbox_duplicates() {
    check(
        PropertyId::NoDuplicateEffect,
        pipeline(&[Fault::SettleLost], |_| {}),
        |it| it.consumer.remembers = Remembers::Nothing,
        (1, 13),
    );
}

/// A consumer that settles before its effect relies on being told no: its lease ends, another consumer gets the message
/// and settles it, and the first one's settle, stale by then, is confirmed as well (nats-server issue 4786).
#[test]
fn an_unchecked_lease_lets_a_stale_settle_through() {
    check(
        PropertyId::NoDuplicateEffect,
        pipeline(&[Fault::LeaseExpiry], |it| {
            (it.consumer.settles, it.consumer.remembers) = (Settles::BeforeEffect, Remembers::Nothing);
        }),
        |it| it.broker.leases = Leases::Unchecked,
        (1, 16),
    );
}

/// The broker remembers the last message only; a copy of the one before arrives late.
#[test]
fn an_evicted_identity_lets_a_late_copy_in() {
    check(
        PropertyId::NoDuplicateEffect,
        pipeline(&[Fault::PublishDuplicated], |it| {
            (it.producer.identity, it.broker.dedup) = (Identity::MessageId, Dedup::MessageId);
            it.consumer.remembers = Remembers::Nothing;
        }),
        |it| it.broker.dedup_window = 1,
        (2, 26),
    );
}

/// The second of two messages is done first; its position is committed, and with it the first one's.
#[test]
fn committing_the_highest_position_loses_where_the_contiguous_prefix_does_not() {
    check(
        PropertyId::SubmittedNotLost,
        pipeline(&[Fault::ConsumerCrash], |it| {
            (it.consumer.workers, it.consumer.commits) = (2, Commits::Prefix);
        }),
        |it| it.consumer.commits = Commits::Highest,
        (2, 21),
    );
}

/// What the broker stores twice has its effect once, as long as the inbox goes by message and not by position.
#[test]
fn an_inbox_keyed_by_message_id_needs_no_dedup_in_the_broker() {
    check(
        PropertyId::NoDuplicateEffect,
        pipeline(&[Fault::PublishAckLost], |it| {
            (it.producer.identity, it.broker.dedup) = (Identity::MessageId, Dedup::None);
        }),
        |it| it.producer.identity = Identity::None,
        (1, 19),
    );
}

/// The settle was confirmed before it was durable.
#[test]
fn settles_recorded_lazily_redeliver_what_was_confirmed() {
    check(
        PropertyId::NoDeliveryAfterSettle,
        pipeline(&[Fault::BrokerCrash], |_| {}),
        |it| it.broker.records_settles = RecordsSettles::Lazily,
        (1, 13),
    );
}

/// The inbox by message id keeps its promise under all the usual faults, not only under the one of its story.
#[test]
fn an_inbox_keyed_by_message_id_gives_exactly_once_effects_under_the_usual_faults() {
    let mut pipeline = pipeline(&[], |it| {
        (it.producer.identity, it.broker.dedup) = (Identity::MessageId, Dedup::None);
    });
    pipeline.faults = FaultBudget::default();
    let explored = explored(&pipeline);
    assert!(explored.is_complete());
    assert_eq!(explored.verdicts.strongest(), Some(Semantics::ExactlyOnce));
}

/// A crash of the consumer repeats its effect whatever the broker does with its settles. The story of a broker that records
/// them lazily is another one, and dies where it records them first.
#[test]
fn a_story_of_lazily_recorded_settles_needs_that_setting() {
    let strong = pipeline(&[Fault::ConsumerCrash, Fault::BrokerCrash], |it| it.consumer.remembers = Remembers::Nothing);
    let strong = Pipeline { faults: strong.faults.capped(1), ..strong };
    let mut weak = strong.clone();
    weak.broker.records_settles = RecordsSettles::Lazily;
    let story = |pipeline: &Pipeline| told(pipeline, PropertyId::NoDuplicateEffect).expect("a crash repeats an effect");
    let (of_weak, of_strong) = (story(&weak), story(&strong));
    assert_eq!((of_weak.needs, of_strong.needs), (Some("broker.records-settles = \"lazily\""), None));
    let dies = |found: &Violation| match story::spec_for(&strong, found.messages, &found.steps) {
        Err(_) => true,
        Ok(spec) => {
            let mut state = State::default();
            let effects =
                |events: Events| events.iter().filter(|it| matches!(it.kind, EventKind::Effect { .. })).count();
            found.steps.iter().map(|&step| effects(spec.take(&mut state, step))).sum::<usize>() < 2
        }
    };
    assert!(dies(&of_weak), "{:#?}", of_weak.steps);
    assert!(!dies(&of_strong), "{:#?}", of_strong.steps);
}

/// The broker has not enough replicas for a moment, and says so; the producer takes that for final.
#[test]
fn a_refusal_that_is_taken_for_final_loses_what_was_submitted() {
    check(
        PropertyId::SubmittedNotLost,
        pipeline(&[Fault::PublishRefused], |_| {}),
        |it| it.producer.on_refusal = OnRefusal::GiveUp,
        (1, 5),
    );
}

/// The handler throws once, the consumer logs it and goes on, and the next commit covers the message.
#[test]
fn a_failed_message_that_is_skipped_is_lost() {
    check(
        PropertyId::SubmittedNotLost,
        pipeline(&[Fault::HandlerFails], |it| it.consumer.commits = Commits::Prefix),
        |it| it.consumer.on_failure = OnFailure::Skip,
        (1, 10),
    );
}

/// The handler fails once, for a reason that would have passed; the one delivery that the broker allows is used up.
#[test]
fn one_delivery_and_a_handler_that_fails_once_make_a_dead_letter() {
    check(
        PropertyId::SubmittedNotLost,
        pipeline(&[Fault::HandlerFails], |it| {
            (it.dead_letters, it.broker.max_deliveries) = (DeadLetters::AreLost, 2);
        }),
        |it| it.broker.max_deliveries = 1,
        (1, 11),
    );
}
