//! The consumer's orders of effect, memory and settle, and what its transactions hold.

use delivery_model::pipeline::{Commits, Leases, Pipeline, Remembers, Settles};
use delivery_model::vocab::{DeliveryNumber, Epoch, EventKind, MessageId, Position, SettleOutcome};

use super::*;
use crate::core::consumer::{Consumer, HandlerFailed, Task};
use crate::core::hand::{ConsumerId, ConsumerOutput, HandId, HandOff, Lease};
use crate::core::positions::Positions;
use crate::core::record::{Identity, Record, Session};
use crate::store::simulated::SimulatedInventory;
use crate::store::{Covers, Generation, InventoryStore};

const CONSUMER: ConsumerId = ConsumerId(0);

fn consumer(change: impl FnOnce(&mut Pipeline)) -> Consumer {
    Consumer::new(&pipeline(change), CONSUMER, Mutant::None)
}

/// The message of this number, at this position.
fn hand_off(number: u64, position: u64) -> HandOff {
    let session = Default::default();
    let identity = Identity::Sequence { session, number };
    let (producer, epoch, payload) = (ProducerId(1), Epoch(0), order(number as u32));
    HandOff {
        hand: HandId { position: Position(position), lease: Lease { incarnation: 1, number: 1 } },
        consumer: CONSUMER,
        generation: Generation(0),
        delivery: Some(DeliveryNumber(1)),
        record: Record { message: MessageId(number), identity, producer, epoch, payload },
    }
}

fn deliver(consumer: &mut Consumer, number: u64, position: u64) -> HandId {
    let hand_off = hand_off(number, position);
    let hand = hand_off.hand;
    consumer.deliver(hand_off);
    hand
}

fn handle(consumer: &mut Consumer, hand: HandId, store: &mut SimulatedInventory) {
    consumer.handle(hand, &Positions::default(), store, |_| Ok(())).unwrap();
}

fn outputs(consumer: &mut Consumer) -> Vec<ConsumerOutput> {
    std::iter::from_fn(|| consumer.poll_output()).collect()
}

/// Works on one message until it is over, and says in which order what was done; the broker confirms every settle.
fn story(consumer: &mut Consumer, number: u64, position: u64, store: &mut SimulatedInventory) -> Vec<&'static str> {
    let hand = deliver(consumer, number, position);
    let mut story = Vec::new();
    while let Some(task) = consumer.task(hand) {
        match task {
            Task::Handle => handle(consumer, hand, store),
            Task::Remember => consumer.remember(hand, store).unwrap(),
            Task::Settle => consumer.settle(hand, &Positions::default()),
            Task::AwaitSettled => consumer.handle_settled(hand, SettleOutcome::Ok),
        }
        let word = |kind| match kind {
            EventKind::Effect { .. } => Some("effect"),
            EventKind::Settle { outcome: SettleOutcome::Ok, .. } => Some("settled"),
            _ => None,
        };
        story.extend(kinds(|| consumer.poll_report()).into_iter().filter_map(word));
        story.extend((task == Task::Remember).then_some("remember"));
    }
    assert_eq!(consumer.busy(), 0);
    story
}

#[test]
fn each_setting_has_its_order() {
    let check = |settles, remembers, expected: &[&str], again: &[&str]| {
        let mut consumer = consumer(|it| (it.consumer.settles, it.consumer.remembers) = (settles, remembers));
        let mut store = SimulatedInventory::default();
        assert_eq!(story(&mut consumer, 3, 0, &mut store), expected, "{settles:?} {remembers:?}");
        // The same message at another position.
        assert_eq!(story(&mut consumer, 3, 1, &mut store), again, "{settles:?} {remembers:?}, again");
    };
    use Remembers::{InMemory, Nothing, WithEffect as Inbox};
    use Settles::{AfterEffect, BeforeEffect, WithEffect};
    check(AfterEffect, Nothing, &["effect", "settled"], &["effect", "settled"]);
    check(AfterEffect, InMemory, &["effect", "remember", "settled"], &["settled"]);
    check(AfterEffect, Inbox, &["effect", "settled"], &["settled"]);
    check(BeforeEffect, Nothing, &["settled", "effect"], &["settled", "effect"]);
    check(BeforeEffect, InMemory, &["settled", "effect", "remember"], &["settled"]);
    check(BeforeEffect, Inbox, &["settled", "effect"], &["settled"]);
    check(WithEffect, Nothing, &["effect", "settled"], &["effect", "settled"]);
    check(WithEffect, InMemory, &["effect", "settled", "remember"], &["settled"]);
    check(WithEffect, Inbox, &["effect", "settled"], &["settled"]);
}

#[test]
fn a_message_without_identity_is_known_by_its_position() {
    let mut consumer = consumer(|_| {});
    let mut store = SimulatedInventory::default();
    for position in [0, 0, 1] {
        let mut hand_off = hand_off(5, position);
        hand_off.record.identity = Identity::None;
        let hand = hand_off.hand;
        consumer.deliver(hand_off);
        handle(&mut consumer, hand, &mut store);
        consumer.drop_hand(hand);
    }
    assert_eq!(store.stock(Sku(1)), Ok(-10));
}

#[test]
fn the_same_id_from_two_producers_names_two_messages() {
    for (identity, remembers) in [(0, Remembers::InMemory), (0, Remembers::WithEffect), (1, Remembers::WithEffect)] {
        let mut consumer = consumer(|it| it.consumer.remembers = remembers);
        let mut store = SimulatedInventory::default();
        // Each comes twice.
        for (position, id) in [1, 2, 1, 2].into_iter().enumerate() {
            let mut hand_off = hand_off(5, position as u64);
            let session = Session { producer: ProducerId(id), session: Epoch(0) };
            hand_off.record.producer = ProducerId(id);
            hand_off.record.identity = match identity {
                0 => Identity::Sequence { session, number: 5 },
                _ => Identity::Message { message: MessageId(5), session },
            };
            let hand = hand_off.hand;
            consumer.deliver(hand_off);
            handle(&mut consumer, hand, &mut store);
            if consumer.task(hand) == Some(Task::Remember) {
                consumer.remember(hand, &mut store).unwrap();
            }
        }
        assert_eq!(store.stock(Sku(1)), Ok(-10), "{identity} {remembers:?}");
    }
}

#[test]
fn memory_dies_with_its_consumer_and_the_inbox_does_not() {
    let check = |remembers, expected| {
        let mut store = SimulatedInventory::default();
        for _ in 0..2 {
            let mut consumer = consumer(|it| it.consumer.remembers = remembers);
            story(&mut consumer, 3, 0, &mut store);
            assert_eq!(consumer.inbox().is_needless(&Positions::default()), remembers != Remembers::InMemory);
        }
        assert_eq!(store.stock(Sku(1)), Ok(expected), "{remembers:?}");
    };
    check(Remembers::Nothing, -6);
    check(Remembers::InMemory, -6);
    check(Remembers::WithEffect, -3);
}

#[test]
fn a_handler_that_fails_leaves_nothing_and_frees_its_lease() {
    let check = |fail: &dyn Fn(&mut HandOff, &mut SimulatedInventory) -> Result<(), HandlerFailed>| {
        let mut consumer = consumer(|it| it.consumer.settles = Settles::WithEffect);
        let mut store = SimulatedInventory::default();
        let mut hand_off = hand_off(3, 0);
        let verdict = fail(&mut hand_off, &mut store);
        let hand = hand_off.hand;
        consumer.deliver(hand_off);
        kinds(|| consumer.poll_report());
        let before = store.clone();
        consumer.handle(hand, &Positions::default(), &mut store, |_| verdict).unwrap();
        store.refuse_next = before.refuse_next;
        assert_eq!((store, consumer.task(hand)), (before, None));
        assert_eq!(outputs(&mut consumer), [ConsumerOutput::Release(hand)]);
        assert_eq!(kinds(|| consumer.poll_report()), []);
    };
    check(&|_, _| Err(HandlerFailed));
    check(&|hand_off, _| {
        hand_off.record.payload = Payload::from([0xff]);
        Ok(())
    });
    check(&|_, store| {
        store.refuse_next = true;
        Ok(())
    });
    // Another generation took over since the hand-off.
    check(&|_, store| {
        store.fence(Generation(1)).unwrap();
        Ok(())
    });
}

#[test]
fn a_fence_stops_only_those_who_check_their_lease() {
    let check = |leases, expected| {
        let mut consumer = consumer(|it| (it.consumer.settles, it.broker.leases) = (Settles::WithEffect, leases));
        let mut store = SimulatedInventory::default();
        store.fence(Generation(1)).unwrap();
        story(&mut consumer, 3, 0, &mut store);
        assert_eq!(store.stock(Sku(1)), Ok(expected), "{leases:?}");
    };
    check(Leases::Checked, 0);
    check(Leases::Unchecked, -3);
}

#[test]
fn what_came_of_a_settle_decides_what_is_next() {
    let check = |settles, outcome, expected: Option<Task>| {
        let mut consumer = consumer(|it| it.consumer.settles = settles);
        let mut store = SimulatedInventory::default();
        let hand = deliver(&mut consumer, 1, 0);
        if settles == Settles::AfterEffect {
            handle(&mut consumer, hand, &mut store);
        }
        consumer.handle_settled(hand, outcome);
        assert_eq!(consumer.task(hand), Some(Task::Settle), "none is awaited yet");
        consumer.settle(hand, &Positions::default());
        assert_eq!(consumer.busy(), u32::from(settles == Settles::BeforeEffect));
        outputs(&mut consumer);
        consumer.handle_settled(hand, outcome);
        assert_eq!(consumer.task(hand), expected, "{settles:?} {outcome:?}");
        assert_eq!(outputs(&mut consumer).len(), usize::from(expected.is_none()));
    };
    check(Settles::AfterEffect, SettleOutcome::Ok, None);
    check(Settles::AfterEffect, SettleOutcome::Refused, None);
    check(Settles::AfterEffect, SettleOutcome::Unknown, None);
    check(Settles::BeforeEffect, SettleOutcome::Ok, Some(Task::Handle));
    check(Settles::BeforeEffect, SettleOutcome::Refused, None);
    check(Settles::BeforeEffect, SettleOutcome::Unknown, None);
}

/// What is sent for positions that are finished in this order, when the broker has everything below `committed`.
fn sent(commits: Commits, committed: u64, finished: &[u64]) -> Vec<Option<Covers>> {
    let mut consumer = consumer(|it| (it.consumer.commits, it.consumer.workers) = (commits, 8));
    let committed = Positions::below(Position(committed));
    let mut store = SimulatedInventory::default();
    let mut send = |position: u64| {
        let hand = deliver(&mut consumer, position + 1, position);
        handle(&mut consumer, hand, &mut store);
        consumer.settle(hand, &committed);
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

#[test]
fn what_is_done_is_kept_until_nobody_can_forget_it() {
    let mut consumer = consumer(|it| (it.consumer.commits, it.consumer.workers) = (Commits::Prefix, 4));
    let mut store = SimulatedInventory::default();
    for position in [0, 2] {
        let hand = deliver(&mut consumer, position + 1, position);
        handle(&mut consumer, hand, &mut store);
        consumer.settle(hand, &Positions::default());
    }
    consumer.handle_committed(&Positions::below(Position(1)));
    assert!(!consumer.inbox().done().contains(Position(0)) && consumer.inbox().done().contains(Position(2)));
    kinds(|| consumer.poll_report());
    consumer.rewind(Position(1), &mut store).unwrap();
    assert!(consumer.inbox().done().is_empty());
    assert!(matches!(kinds(|| consumer.poll_report())[..], [EventKind::Rewind { position: Position(1), .. }]));
}
