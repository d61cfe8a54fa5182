//! Known ways in which a producer's settings lose or repeat a message: each goes away with one setting or fault.
//!
//! Every search is complete within two messages and the faults that it names.

use std::collections::BTreeSet;

use delivery_model::pipeline::*;
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::Fault;

use super::{explored, pipeline, story_of};

/// The property is broken, and neither with one setting mended nor without the fault.
fn check(property: PropertyId, broken: &Pipeline, mend: fn(&mut Pipeline), (messages, steps): (u32, usize)) {
    let story = story_of(explored(broken), property).expect("it is broken");
    assert_eq!((story.messages, story.steps.len()), (messages, steps), "{:#?}", story.steps);
    let struck: BTreeSet<Fault> = story.steps.iter().filter_map(|step| step.fault()).collect();
    assert_eq!(struck, broken.faults.kinds().collect(), "the story needs its faults and no other");
    let mut mended = broken.clone();
    mend(&mut mended);
    let faultless = Pipeline { faults: FaultBudget::NONE, ..broken.clone() };
    assert_eq!(story_of(explored(&mended), property), None, "mended, it is broken as well");
    assert_eq!(story_of(explored(&faultless), property), None, "without a fault");
}

/// One of two messages in flight is refused. The producer starts over in a new epoch and sends both again, one of which
/// was stored: the broker cannot tell. Clients of Kafka had it that bumped the epoch and renumbered what was in flight.
#[test]
fn a_new_epoch_after_a_refusal_stores_what_was_in_flight_again() {
    check(
        PropertyId::NoDuplicateEffect,
        &pipeline(&[Fault::PublishRefused], |it| {
            (it.producer.on_refusal, it.producer.in_flight) = (OnRefusal::NewEpoch, 2);
            it.consumer.remembers = Remembers::Nothing;
        }),
        |it| it.producer.on_refusal = OnRefusal::Retry,
        (2, 20),
    );
}

/// The first attempt was stored and its ack lost; that of the retry is refused for another reason. Nothing else is in flight:
/// the refused message itself comes twice.
#[test]
fn a_new_epoch_renames_a_message_that_an_earlier_attempt_stored() {
    check(
        PropertyId::NoDuplicateEffect,
        &pipeline(&[Fault::PublishRefused, Fault::PublishAckLost], |it| {
            it.producer.on_refusal = OnRefusal::NewEpoch;
            it.consumer.remembers = Remembers::Nothing;
        }),
        |it| it.producer.on_refusal = OnRefusal::Retry,
        (1, 23),
    );
}

/// An outbox row takes its position when its transaction begins, and is visible when that commits. The relay has read the
/// row after it by then, and never looks back: the event of a business transaction that succeeded is never sent.
#[test]
fn a_relay_that_reads_by_position_skips_a_row_that_commits_late() {
    let broken = pipeline(&[Fault::CommitReordered], |it| it.producer.outbox = OutboxRead::Cursor);
    check(PropertyId::SubmittedNotLost, &broken, |it| it.producer.outbox = OutboxRead::Rows, (2, 14));
}

/// The relay notes the position and then publishes. It crashes in between, and its successor goes on behind the message.
#[test]
fn a_position_that_is_stored_before_the_publish_loses_what_a_crash_interrupts() {
    let broken = pipeline(&[Fault::ProducerCrash], |it| {
        (it.producer.outbox, it.producer.relay_commits) = (OutboxRead::Cursor, RelayCommits::BeforePublish);
    });
    let after_ack = |it: &mut Pipeline| it.producer.relay_commits = RelayCommits::AfterAck;
    check(PropertyId::SubmittedNotLost, &broken, after_ack, (1, 3));
    let rows = |it: &mut Pipeline| it.producer.outbox = OutboxRead::Rows;
    check(PropertyId::SubmittedNotLost, &broken, rows, (1, 3));
}

/// Without an outbox there is nothing to read by position: both settings have nothing to do.
#[test]
fn a_producer_without_an_outbox_reads_nothing_by_position() {
    let states = |change: fn(&mut Pipeline)| {
        let mut forgets = pipeline(&[Fault::ProducerCrash, Fault::CommitReordered], change);
        forgets.producer.on_restart = OnRestart::Forgets;
        let explored = explored(&forgets);
        assert_eq!(explored.never_fired, [Fault::CommitReordered], "no row can be late");
        explored.states
    };
    let rows = states(|_| {});
    let cursor = states(|it| {
        (it.producer.outbox, it.producer.relay_commits) = (OutboxRead::Cursor, RelayCommits::BeforePublish);
    });
    assert_eq!(rows, cursor);
}
