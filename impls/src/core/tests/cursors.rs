//! Consumers that follow a cursor: what they commit, what they store with effects, and what they keep in mind.

use delivery_model::pipeline::{Commits, Pipeline, RecordsSettles, Settles};
use delivery_model::vocab::{EventKind, Position};

use super::consuming::{consumer, deliver, hand_off, handle, outputs};
use super::*;
use crate::core::consumer::{Consumer, Task};
use crate::core::delivery::{ConsumerOutput, HandOff};
use crate::data::positions::Positions;
use crate::store::simulated::SimulatedInventory;
use crate::store::{Change, Covers, EffectStore, Generation, InventoryStore};

/// What is sent for positions that are finished in this order, when the broker has everything below `committed`.
fn sent(commits: Commits, committed: u64, finished: &[u64]) -> Vec<Option<Covers>> {
    let mut consumer = consumer(|it| (it.consumer.commits, it.consumer.workers) = (commits, 8));
    consumer.handle_committed(&Positions::below(Position(committed)));
    let mut store = SimulatedInventory::default();
    let mut send = |position: u64| {
        let hand = deliver(&mut consumer, position + 1, position);
        handle(&mut consumer, hand, &mut store);
        consumer.settle(NOW, hand);
        match outputs(&mut consumer)[..] {
            [ConsumerOutput::Settle(request)] => Some(request.covers),
            [ConsumerOutput::Release(released)] if released == hand => None,
            ref other => panic!("{other:?}"),
        }
    };
    finished.iter().map(|&position| send(position)).collect()
}

#[test]
fn a_cursor_commits_its_prefix_or_the_highest_that_it_has_seen() {
    let below = |end| Some(Covers::Below(Position(end)));
    let one = |position| Some(Covers::One(Position(position)));
    assert_eq!(sent(Commits::Each, 0, &[1, 0]), [one(1), one(0)]);
    assert_eq!(sent(Commits::Prefix, 0, &[1, 2, 0, 3]), [None, None, below(3), below(4)]);
    assert_eq!(sent(Commits::Prefix, 2, &[3, 2]), [None, below(4)]);
    assert_eq!(sent(Commits::Highest, 0, &[1, 0, 2]), [below(2), below(2), below(3)]);
}

#[test]
fn stored_positions_are_part_of_the_effects_transaction() {
    let check = |commits, expected: &[u64]| {
        let mut consumer = consumer(|it| {
            (it.consumer.settles, it.consumer.commits, it.consumer.workers) = (Settles::WithEffect, commits, 3);
        });
        let mut store = SimulatedInventory::default();
        // Position 1 is finished before position 0, and 3 is still at work when all is over.
        let hands = [(2, 1), (1, 0), (3, 2)].map(|(number, position)| deliver(&mut consumer, number, position));
        let ends = hands.map(|hand| {
            handle(&mut consumer, hand, &mut store);
            store.finished_positions().runs().map(|(start, end)| end.0 - start.0).sum::<u64>()
        });
        assert_eq!(ends, expected, "{commits:?}");
        assert_eq!(store.stock(Sku(1)), Ok(-6));
        assert!(consumer.inbox().is_needless(&Positions::default()), "what is stored needs no note");
    };
    check(Commits::Each, &[1, 2, 3]);
    check(Commits::Prefix, &[0, 2, 3]);
    check(Commits::Highest, &[2, 2, 3]);
}

/// A cursor that has finished positions 0 and 2 and heard nothing of it yet.
fn with_a_hole(change: impl FnOnce(&mut Pipeline)) -> (Consumer, SimulatedInventory) {
    let mut consumer = consumer(|it| {
        (it.consumer.commits, it.consumer.workers) = (Commits::Prefix, 4);
        change(it);
    });
    let mut store = SimulatedInventory::default();
    for position in [0, 2] {
        let hand = deliver(&mut consumer, position + 1, position);
        handle(&mut consumer, hand, &mut store);
        if consumer.task(hand) == Some(Task::Settle) {
            consumer.settle(NOW, hand);
        }
    }
    kinds(|| consumer.poll_report());
    (consumer, store)
}

fn done(consumer: &Consumer) -> Vec<u64> {
    (0..4).filter(|&position| consumer.inbox().done().contains(Position(position))).collect()
}

#[test]
fn what_is_done_is_kept_until_nobody_can_forget_it() {
    let check = |records_settles, expected: &[u64]| {
        let (mut consumer, _) = with_a_hole(|it| it.broker.records_settles = records_settles);
        assert_eq!(done(&consumer), [0, 2]);
        consumer.handle_committed(&Positions::below(Position(1)));
        assert_eq!(done(&consumer), expected, "{records_settles:?}");
    };
    check(RecordsSettles::AfterSync, &[2]);
    check(RecordsSettles::Lazily, &[0, 2]);
}

#[test]
fn a_gap_that_was_set_aside_frees_what_is_finished_beyond_it() {
    let (mut consumer, mut store) = with_a_hole(|it| {
        (it.consumer.settles, it.broker.records_settles) = (Settles::WithEffect, RecordsSettles::Lazily);
    });
    assert_eq!(done(&consumer), [2], "the transaction has position 0");
    // The dead letter of position 1 comes with what is settled.
    let hand = deliver(&mut consumer, 4, 3);
    consumer.handle_committed(&Positions::below(Position(2)));
    handle(&mut consumer, hand, &mut store);
    assert_eq!((store.finished(), done(&consumer)), (Ok(Positions::below(Position(4))), vec![]));
    let (mut consumer, _) = with_a_hole(|it| {
        (it.consumer.settles, it.broker.records_settles) = (Settles::WithEffect, RecordsSettles::Lazily);
    });
    consumer.handle_committed(&Positions::below(Position(3)));
    assert_eq!(done(&consumer), [0; 0], "positions that are stored with effects are never forgotten");
}

#[test]
fn a_rewind_clears_what_is_done_and_what_is_stored_from_there_on() {
    let check = |settles, stored: u64| {
        let (mut consumer, mut store) = with_a_hole(|it| it.consumer.settles = settles);
        store.apply(&Change { finished: Some(Covers::Below(Position(3))), ..Change::default() }).unwrap();
        consumer.resume(&store).unwrap();
        consumer.rewind(Position(1), Generation(1), &mut store).unwrap();
        assert_eq!(store.finished(), Ok(Positions::below(Position(stored))), "{settles:?}");
        assert!(!consumer.has().contains(Position(1)), "{settles:?}: it is to be done again");
        assert!(done(&consumer).iter().all(|&position| position < 1), "{settles:?}");
        assert!(matches!(kinds(|| consumer.poll_report())[..], [EventKind::Rewind { position: Position(1), .. }]));
    };
    check(Settles::AfterEffect, 3);
    check(Settles::WithEffect, 1);
}

#[test]
fn an_heir_goes_by_what_is_committed_and_not_by_its_own_memory() {
    let (mut consumer, _) = with_a_hole(|_| {});
    consumer.take_over(Generation(1));
    assert_eq!(done(&consumer), [0; 0]);
}

/// What was handed off before a rewind, or before the cursor came back, is finished late: it must not be committed by what is
/// handed off since.
#[test]
fn what_is_of_an_earlier_generation_is_no_part_of_what_is_committed() {
    type Told = fn(&mut Consumer, Generation);
    let told: [Told; 2] = [Consumer::take_over, Consumer::handle_rewound];
    for tell in told {
        let mut consumer = consumer(|it| (it.consumer.commits, it.consumer.workers) = (Commits::Prefix, 8));
        let mut store = SimulatedInventory::default();
        let early = deliver(&mut consumer, 1, 0);
        handle(&mut consumer, early, &mut store);
        tell(&mut consumer, Generation(1));
        consumer.settle(NOW, early);
        assert_eq!(done(&consumer), [0; 0]);
        let committed = |consumer: &mut Consumer| match outputs(consumer)[..] {
            [ConsumerOutput::Settle(request)] => request.covers,
            ref other => panic!("{other:?}"),
        };
        assert_eq!(committed(&mut consumer), Covers::Below(Position(1)), "its own settle speaks for itself");
        let of_now = HandOff { generation: Generation(1), ..hand_off(2, 1) };
        consumer.deliver(of_now.clone());
        handle(&mut consumer, of_now.hand, &mut store);
        consumer.settle(NOW, of_now.hand);
        assert_eq!(outputs(&mut consumer), [ConsumerOutput::Release(of_now.hand)], "position 0 is to be done again");
    }
}
