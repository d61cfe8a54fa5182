//! What a consumer takes, what its workers may go on with, and what it tells the broker beside settles.

use delivery_model::pipeline::{Commits, Leases, Pipeline, Remembers, Settles};
use delivery_model::vocab::{EventKind, Position, SettleOutcome};

use super::consuming::{consumer, deliver, hand_off, handle, outputs};
use super::*;
use crate::core::consumer::{Consumer, Task};
use crate::core::delivery::{ConsumerOutput, DeliveryId, HandOff, Lease};
use crate::data::positions::Positions;
use crate::data::record::Identity;
use crate::store::simulated::SimulatedInventory;
use crate::store::{Change, Covers, EffectStore, Generation};

fn set_cursor(pipeline: &mut Pipeline) {
    (pipeline.consumer.commits, pipeline.consumer.workers) = (Commits::Prefix, 4);
}

/// A connected consumer that follows a cursor and has said all that it has to say.
fn cursor(change: impl FnOnce(&mut Pipeline)) -> Consumer {
    let mut consumer = consumer(|it| {
        set_cursor(it);
        change(it);
    });
    consumer.handle_connected();
    outputs(&mut consumer);
    consumer
}

fn positions(of: &[u64]) -> Positions {
    let mut positions = Positions::default();
    of.iter().for_each(|&position| assert!(positions.insert(Position(position))));
    positions
}

fn has(of: &[u64]) -> ConsumerOutput {
    ConsumerOutput::Has(positions(of))
}

/// The same position, handed off once more.
fn again(position: u64, generation: u32) -> HandOff {
    let first = hand_off(position + 1, position);
    let hand = DeliveryId { lease: Lease { incarnation: 1, number: 2 }, ..first.hand };
    HandOff { hand, generation: Generation(generation), ..first }
}

/// Handles it, and settles it if that is to be done.
fn work(consumer: &mut Consumer, hand: DeliveryId, store: &mut SimulatedInventory) {
    handle(consumer, hand, store);
    if consumer.task(hand) == Some(Task::Settle) {
        consumer.settle(NOW, hand);
    }
}

#[test]
fn a_cursor_takes_nothing_twice_that_it_has_and_says_so() {
    let check = |prepare: fn(&mut Consumer, DeliveryId, &mut SimulatedInventory), settles| {
        let mut consumer = cursor(|it| it.consumer.settles = settles);
        let mut store = SimulatedInventory::default();
        let hand = deliver(&mut consumer, 1, 0);
        prepare(&mut consumer, hand, &mut store);
        outputs(&mut consumer);
        kinds(|| consumer.poll_report());
        let second = again(0, 0);
        consumer.deliver(second.clone());
        assert_eq!(kinds(|| consumer.poll_report()), [], "it is not taken");
        assert_eq!(consumer.task(second.hand), None);
        // Also what the broker was told before: that word may have been on its way.
        assert_eq!(outputs(&mut consumer), [has(&[0]), ConsumerOutput::Release(second.hand)]);
    };
    check(|_, _, _| (), Settles::AfterEffect);
    check(work, Settles::AfterEffect);
    check(work, Settles::WithEffect);
    check(
        |consumer, hand, store| {
            work(consumer, hand, store);
            consumer.handle_settled(hand, SettleOutcome::Ok);
        },
        Settles::AfterEffect,
    );
}

#[test]
fn what_is_leased_or_of_a_later_generation_or_given_up_is_taken_again() {
    let takes = |consumer: &mut Consumer, generation| {
        kinds(|| consumer.poll_report());
        consumer.deliver(again(0, generation));
        kinds(|| consumer.poll_report()).len() == 1
    };
    let mut leased = consumer(|_| ());
    deliver(&mut leased, 1, 0);
    assert!(takes(&mut leased, 0), "the broker knows who has what");
    let mut rewound = cursor(|_| ());
    deliver(&mut rewound, 1, 0);
    assert!(takes(&mut rewound, 1), "it is to be done again");
    assert!(!takes(&mut rewound, 1));
    let mut failed = cursor(|_| ());
    let mut store = SimulatedInventory::default();
    let hand = deliver(&mut failed, 1, 0);
    store.refuse_next = true;
    handle(&mut failed, hand, &mut store);
    assert!(takes(&mut failed, 0));
}

/// Its position is in the store, but nothing was done about it: that is how `commits = "highest"` loses messages, and not by
/// what the consumer declines.
#[test]
fn what_is_covered_and_was_not_finished_is_taken() {
    let mut consumer =
        cursor(|it| (it.consumer.settles, it.consumer.commits) = (Settles::WithEffect, Commits::Highest));
    let mut store = SimulatedInventory::default();
    let second = deliver(&mut consumer, 2, 1);
    handle(&mut consumer, second, &mut store);
    assert_eq!(consumer.has(), positions(&[0, 1]));
    let first = deliver(&mut consumer, 1, 0);
    assert_eq!(consumer.task(first), Some(Task::Handle));
    let again = again(1, 0);
    consumer.deliver(again.clone());
    assert_eq!(consumer.task(again.hand), None, "that one it has finished");
}

/// The first word of a new generation counts, whoever brings it: what was done before is none of its commits.
#[test]
fn a_hand_off_of_a_later_generation_begins_it() {
    let (mut consumer, mut store) = (cursor(|_| ()), SimulatedInventory::default());
    let early = deliver(&mut consumer, 1, 0);
    work(&mut consumer, early, &mut store);
    consumer.deliver(HandOff { generation: Generation(1), ..hand_off(2, 1) });
    assert_eq!((consumer.first_open(Position(0)), consumer.has()), (Position(0), positions(&[1])));
}

#[test]
fn what_a_consumer_has_is_told_when_it_changes_and_before_all_else() {
    let (mut consumer, mut store) = (cursor(|_| ()), SimulatedInventory::default());
    let [first, second] = [0, 1].map(|position| deliver(&mut consumer, position + 1, position));
    assert_eq!(outputs(&mut consumer), [has(&[0, 1])]);
    work(&mut consumer, first, &mut store);
    assert!(matches!(outputs(&mut consumer)[..], [ConsumerOutput::Settle(_)]), "it has what it had");
    store.refuse_next = true;
    handle(&mut consumer, second, &mut store);
    assert_eq!(outputs(&mut consumer), [has(&[0]), ConsumerOutput::Release(second)]);
    consumer.handle_committed(&Positions::below(Position(1)));
    assert_eq!(outputs(&mut consumer), [], "it still has the hand-off");
    consumer.handle_settled(first, SettleOutcome::Ok);
    assert_eq!(outputs(&mut consumer), [has(&[]), ConsumerOutput::Release(first)], "the broker cannot forget it");
    assert_eq!(outputs(&mut consumer), []);
}

#[test]
fn nothing_of_it_is_told_by_leases_or_without_a_connection() {
    let mut leased = consumer(|_| ());
    let hand = deliver(&mut leased, 1, 0);
    leased.handle_connected();
    deliver(&mut leased, 2, 1);
    let expected = ConsumerOutput::Subscribe { workers: 1, hands: vec![hand], has: Positions::default() };
    assert_eq!(outputs(&mut leased), [expected]);
    let mut consumer = cursor(|_| ());
    consumer.handle_disconnected();
    deliver(&mut consumer, 1, 0);
    assert_eq!(outputs(&mut consumer), []);
}

#[test]
fn a_new_connection_begins_with_what_is_still_there() {
    let (mut consumer, mut store) = (cursor(|_| ()), SimulatedInventory::default());
    let [first, second] = [0, 1].map(|position| deliver(&mut consumer, position + 1, position));
    work(&mut consumer, first, &mut store);
    kinds(|| consumer.poll_report());
    consumer.handle_disconnected();
    // Nobody will say what came of the settle.
    let unknown = SettleOutcome::Unknown;
    assert!(matches!(kinds(|| consumer.poll_report())[..], [EventKind::Settle { outcome, .. }] if outcome == unknown));
    consumer.handle_connected();
    let expected = ConsumerOutput::Subscribe { workers: 4, hands: vec![second], has: positions(&[0, 1]) };
    assert_eq!(outputs(&mut consumer), [expected], "and nothing that was to be said before");
}

#[test]
fn what_an_earlier_life_stored_is_there_from_the_start() {
    let check = |settles, expected: &[u64]| {
        let mut store = SimulatedInventory::default();
        store.apply(&Change { finished: Some(Covers::Below(Position(2))), ..Change::default() }).unwrap();
        let mut consumer = consumer(|it| {
            set_cursor(it);
            it.consumer.settles = settles;
        });
        consumer.resume(&store).unwrap();
        assert_eq!((consumer.has(), consumer.first_open(Position(0)).0), (positions(expected), expected.len() as u64));
    };
    check(Settles::WithEffect, &[0, 1]);
    check(Settles::AfterEffect, &[]);
}

#[test]
fn how_far_all_is_finished_for_good_is_told_now_and_then() {
    let tuning = Tuning { finished_step: 2, ..Tuning::default() };
    // Each position is stored for itself: what is stored has a hole.
    let own_positions = |it: &mut Pipeline| {
        (it.consumer.settles, it.consumer.commits) = (Settles::WithEffect, Commits::Each);
    };
    let mut consumer = cursor(own_positions).tuned(tuning);
    let mut store = SimulatedInventory::default();
    let mut told = Vec::new();
    for position in [0, 2, 1, 3, 4] {
        let hand = deliver(&mut consumer, position + 1, position);
        handle(&mut consumer, hand, &mut store);
        told.extend(outputs(&mut consumer).into_iter().filter_map(|output| match output {
            ConsumerOutput::Finished(end) => Some((position, end.0)),
            _ => None,
        }));
    }
    assert_eq!(told, [(1, 3), (4, 5)]);
    // A new connection has heard nothing yet, and hears of it after the subscription.
    consumer.handle_connected();
    let said = outputs(&mut consumer);
    assert!(matches!(said[..], [ConsumerOutput::Subscribe { .. }, ConsumerOutput::Finished(Position(5))]), "{said:?}");
    let (mut other, mut store) = (cursor(|_| ()).tuned(tuning), SimulatedInventory::default());
    for position in 0..4 {
        let hand = deliver(&mut other, position + 1, position);
        work(&mut other, hand, &mut store);
    }
    other.handle_committed(&Positions::below(Position(4)));
    assert!(!outputs(&mut other).iter().any(|output| matches!(output, ConsumerOutput::Finished(_))));
}

#[test]
fn workers_run_only_so_far_ahead_of_what_is_not_finished() {
    let tuning = Tuning { room: 2, ..Tuning::default() };
    for settles in [Settles::AfterEffect, Settles::BeforeEffect, Settles::WithEffect] {
        let mut consumer = cursor(|it| it.consumer.settles = settles).tuned(tuning);
        let mut store = SimulatedInventory::default();
        let ready = |consumer: &Consumer| consumer.ready().map(|(hand, _)| hand.position.0).collect::<Vec<_>>();
        let [third, second, first] = [2, 1, 0].map(|position| deliver(&mut consumer, position + 1, position));
        assert_eq!(ready(&consumer), [0, 1], "{settles:?}");
        let finish = |consumer: &mut Consumer, store: &mut SimulatedInventory, hand| match settles {
            Settles::BeforeEffect => consumer.settle(NOW, hand),
            _ => work(consumer, hand, store),
        };
        finish(&mut consumer, &mut store, second);
        assert_eq!(ready(&consumer), [0], "{settles:?}: position 1 is no hole");
        finish(&mut consumer, &mut store, first);
        assert_eq!(ready(&consumer), [2], "{settles:?}");
        assert!(consumer.task(third).is_some());
    }
}

#[test]
fn what_is_set_aside_makes_room_and_leases_know_no_bound() {
    let tuning = Tuning { room: 1, ..Tuning::default() };
    let mut consumer = cursor(|_| ()).tuned(tuning);
    let hand = deliver(&mut consumer, 2, 1);
    assert_eq!(consumer.next_ready(), None);
    consumer.handle_committed(&Positions::below(Position(1)));
    assert_eq!(consumer.next_ready(), Some(hand));
    let mut leased = self::consumer(|_| ()).tuned(tuning);
    let hand = deliver(&mut leased, 9, 8);
    assert_eq!(leased.next_ready(), Some(hand));
}

/// What has begun goes on: it makes the room that others wait for.
#[test]
fn room_is_for_what_has_not_begun() {
    let tuning = Tuning { room: 2, ..Tuning::default() };
    let mut consumer = cursor(|_| ()).tuned(tuning);
    let mut store = SimulatedInventory::default();
    let hand = deliver(&mut consumer, 2, 1);
    handle(&mut consumer, hand, &mut store);
    let mut consumer = consumer.tuned(Tuning { room: 1, ..tuning });
    assert_eq!((consumer.next_ready(), consumer.go_on(hand)), (Some(hand), Some(Task::Settle)));
}

#[test]
fn a_worker_has_a_hand_off_until_it_waits_or_is_over() {
    let (mut consumer, mut store) = (consumer(|it| it.consumer.workers = 2), SimulatedInventory::default());
    let [first, second] = [0, 1].map(|position| deliver(&mut consumer, position + 1, position));
    assert_eq!(
        [consumer.next_ready(), consumer.next_ready(), consumer.next_ready()],
        [Some(first), Some(second), None]
    );
    assert_eq!(consumer.go_on(first), Some(Task::Handle));
    handle(&mut consumer, first, &mut store);
    assert_eq!((consumer.next_ready(), consumer.go_on(first)), (None, Some(Task::Settle)));
    consumer.settle(NOW, first);
    assert_eq!((consumer.go_on(first), consumer.next_ready()), (None, None));
    consumer.handle_settled(first, SettleOutcome::Ok);
    assert_eq!(consumer.go_on(first), None);
    // With the settle first, the hand-off comes back to whoever is free.
    let mut before = self::consumer(|it| it.consumer.settles = Settles::BeforeEffect);
    let hand = deliver(&mut before, 1, 0);
    assert_eq!((before.next_ready(), before.go_on(hand)), (Some(hand), Some(Task::Settle)));
    before.settle(NOW, hand);
    assert_eq!((before.go_on(hand), before.next_ready()), (None, None));
    before.handle_settled(hand, SettleOutcome::Ok);
    assert_eq!((before.next_ready(), before.go_on(hand)), (Some(hand), Some(Task::Handle)));
}

/// Two workers at once would both find that the message is new.
#[test]
fn one_message_is_one_workers_at_a_time() {
    let check = |number, remembers, expected| {
        let mut consumer = consumer(|it| (it.consumer.workers, it.consumer.remembers) = (2, remembers));
        let first = deliver(&mut consumer, 1, 0);
        let second = hand_off(number, 1);
        consumer.deliver(second.clone());
        assert_eq!(consumer.next_ready(), Some(first));
        assert_eq!(consumer.next_ready(), if expected { Some(second.hand) } else { None });
        consumer.drop_hand(first);
        assert_eq!(consumer.ready().count(), usize::from(!expected));
    };
    check(2, Remembers::WithEffect, true);
    check(1, Remembers::WithEffect, false);
    check(1, Remembers::InMemory, false);
    let mut nameless = consumer(|it| it.consumer.workers = 2);
    for position in [0, 1] {
        let mut hand_off = hand_off(1, position);
        hand_off.record.identity = Identity::None;
        nameless.deliver(hand_off);
    }
    assert!([nameless.next_ready(), nameless.next_ready()].iter().all(Option::is_some), "known by their positions");
}

/// Each stores what it knows to be finished: of two at once, neither would count the other's.
#[test]
fn transactions_that_store_a_prefix_come_one_after_another() {
    let check = |settles, commits, expected| {
        let mut consumer = cursor(|it| (it.consumer.settles, it.consumer.commits) = (settles, commits));
        let [first, _] = [0, 1].map(|position| deliver(&mut consumer, position + 1, position));
        assert_eq!(consumer.next_ready(), Some(first));
        assert_eq!(consumer.next_ready().is_some(), expected, "{settles:?} {commits:?}");
    };
    check(Settles::WithEffect, Commits::Prefix, false);
    check(Settles::WithEffect, Commits::Highest, false);
    check(Settles::WithEffect, Commits::Each, true);
    check(Settles::AfterEffect, Commits::Prefix, true);
}

/// Workers mark what they finish before they come to say so: what is marked counts for whoever comes first.
#[test]
fn what_another_worker_has_finished_is_committed_along() {
    let (mut consumer, mut store) = (cursor(|_| ()), SimulatedInventory::default());
    let [first, second] = [0, 1].map(|position| deliver(&mut consumer, position + 1, position));
    [first, second].iter().for_each(|hand| handle(&mut consumer, *hand, &mut store));
    consumer.handle_finished(|position| position <= Position(1));
    consumer.settle_finished(NOW, first);
    let covers = outputs(&mut consumer).into_iter().find_map(|output| match output {
        ConsumerOutput::Settle(request) => Some(request.covers),
        _ => None,
    });
    assert_eq!(covers, Some(Covers::Below(Position(2))));
    let mut leased = self::consumer(|_| ());
    deliver(&mut leased, 1, 0);
    leased.handle_finished(|_| true);
    assert!(leased.inbox().done().is_empty(), "the broker knows each position for itself");
}

/// What is stored late, by a worker of an earlier generation, is the store's to tell.
#[test]
fn what_an_earlier_generation_stores_is_not_taken_for_finished_in_this_one() {
    let mut consumer = cursor(|it| {
        (it.consumer.settles, it.broker.leases) = (Settles::WithEffect, Leases::Unchecked);
    });
    let mut store = SimulatedInventory::default();
    let early = deliver(&mut consumer, 1, 0);
    consumer.handle_rewound(Generation(1));
    handle(&mut consumer, early, &mut store);
    assert_eq!((consumer.first_open(Position(0)), consumer.has()), (Position(0), positions(&[])));
    consumer.resume(&store).unwrap();
    assert_eq!(consumer.first_open(Position(0)), Position(1));
}

#[test]
fn an_answer_is_waited_for_so_long_and_then_nobody_knows() {
    let tuning = Tuning { reply_timeout: Millis(50), ..Tuning::default() };
    let mut consumer = consumer(|it| it.consumer.settles = Settles::BeforeEffect).tuned(tuning);
    let [first, second] = [0, 1].map(|position| deliver(&mut consumer, position + 1, position));
    assert_eq!(consumer.poll_timeout(), None);
    consumer.settle(Millis(7), first);
    consumer.settle(Millis(9), second);
    assert_eq!(consumer.poll_timeout(), Some(Millis(57)));
    kinds(|| consumer.poll_report());
    consumer.handle_timeout(Millis(56));
    assert_eq!(kinds(|| consumer.poll_report()), []);
    consumer.handle_timeout(Millis(57));
    let [EventKind::Settle { outcome, position, .. }] = kinds(|| consumer.poll_report())[..] else {
        panic!("one settle is over");
    };
    assert_eq!((outcome, position), (SettleOutcome::Unknown, Some(Position(0))));
    assert_eq!((consumer.task(first), consumer.poll_timeout()), (None, Some(Millis(59))));
    consumer.handle_settled(second, SettleOutcome::Ok);
    assert_eq!((consumer.task(second), consumer.poll_timeout()), (Some(Task::Handle), None));
}

#[test]
fn a_consumer_leaves_once_nothing_more_comes_and_it_is_over_with_what_came() {
    let (mut consumer, mut store) = (consumer(|_| ()), SimulatedInventory::default());
    consumer.handle_connected();
    let hand = deliver(&mut consumer, 1, 0);
    outputs(&mut consumer);
    assert!(!consumer.may_leave(), "nobody asked it to");
    consumer.leave();
    assert_eq!(outputs(&mut consumer), [ConsumerOutput::Leave]);
    assert_eq!(outputs(&mut consumer), [], "once is enough");
    consumer.handle_left();
    assert!(!consumer.may_leave() && !consumer.is_idle(), "it has something at work");
    work(&mut consumer, hand, &mut store);
    assert!(!consumer.may_leave(), "it waits for an answer");
    consumer.handle_settled(hand, SettleOutcome::Ok);
    assert!(consumer.may_leave() && consumer.is_idle());
}

#[test]
fn a_consumer_that_is_asked_to_leave_waits_for_the_brokers_word_as_long_as_there_is_a_broker() {
    let mut consumer = consumer(|_| ());
    assert!(!consumer.may_leave(), "nobody asked it to");
    consumer.leave();
    assert!(consumer.may_leave(), "there is no connection");
    assert_eq!(outputs(&mut consumer), []);
    consumer.handle_connected();
    assert!(!consumer.may_leave());
    assert!(matches!(outputs(&mut consumer)[..], [ConsumerOutput::Subscribe { .. }, ConsumerOutput::Leave]));
    assert!(!consumer.may_leave(), "the broker may have handed something off before it heard");
    consumer.handle_connected();
    assert!(matches!(outputs(&mut consumer)[..], [ConsumerOutput::Subscribe { .. }, ConsumerOutput::Leave]));
    consumer.handle_left();
    assert!(consumer.may_leave());
}
