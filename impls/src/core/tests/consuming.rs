//! The consumer's orders of effect, memory and settle, and what its transactions hold.

use delivery_model::pipeline::{Commits, Leases, Pipeline, Remembers, Settles};
use delivery_model::vocab::{DeliveryNumber, Epoch, EventKind, GroupId, MessageId, Position, SettleOutcome};

use super::*;
use crate::core::consumer::{Consumer, HandlerFailed, Task};
use crate::core::delivery::{ConsumerId, ConsumerOutput, DeliveryId, HandOff, Lease};
use crate::data::positions::Positions;
use crate::data::record::{DecodeError, Identity, Key, Record, Session};
use crate::store::simulated::SimulatedInventory;
use crate::store::{Change, EffectStore, Generation, InventoryStore, StoreError};

const CONSUMER: ConsumerId = ConsumerId(0);

pub(super) fn consumer(change: impl FnOnce(&mut Pipeline)) -> Consumer {
    Consumer::new(&pipeline(change), CONSUMER)
}

/// The message of this number, at this position.
pub(super) fn hand_off(number: u64, position: u64) -> HandOff {
    let session = Default::default();
    let identity = Identity::Sequence { session, number };
    let (producer, epoch, payload) = (ProducerId(1), Epoch(0), order(number as u32));
    HandOff {
        hand: DeliveryId { position: Position(position), lease: Lease { incarnation: 1, number: 1 } },
        consumer: CONSUMER,
        generation: Generation(0),
        delivery: Some(DeliveryNumber(1)),
        record: Record { message: MessageId(number), identity, producer, epoch, payload },
    }
}

pub(super) fn deliver(consumer: &mut Consumer, number: u64, position: u64) -> DeliveryId {
    let hand_off = hand_off(number, position);
    let hand = hand_off.hand;
    consumer.deliver(hand_off);
    hand
}

pub(super) fn handle(consumer: &mut Consumer, hand: DeliveryId, store: &mut SimulatedInventory) {
    consumer.handle(hand, store, |_| Ok(())).unwrap();
}

pub(super) fn outputs(consumer: &mut Consumer) -> Vec<ConsumerOutput> {
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
            Task::Settle => consumer.settle(NOW, hand),
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

/// A judge that compares payloads and positions sees what these say.
#[test]
fn reports_tell_position_delivery_and_bytes() {
    let (mut consumer, mut store) = (consumer(|_| ()), SimulatedInventory::default());
    let hand = deliver(&mut consumer, 3, 8);
    handle(&mut consumer, hand, &mut store);
    consumer.settle(NOW, hand);
    consumer.handle_settled(hand, SettleOutcome::Ok);
    let (message, group, delivery) = (message(3), GroupId(0), Some(DeliveryNumber(1)));
    let (position, outcome) = (Some(Position(8)), SettleOutcome::Ok);
    let expected = [
        Report::with(
            EventKind::Deliver { message, group, partition: Default::default(), position, delivery, payload: None },
            &order(3),
        ),
        Report::with(EventKind::Effect { message, group, payload: None }, &order(3)),
        Report::of(EventKind::Settle { message, group, partition: Default::default(), position, delivery, outcome }),
    ];
    assert_eq!(std::iter::from_fn(|| consumer.poll_report()).collect::<Vec<_>>(), expected);
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
        consumer.handle(hand, &mut store, |_| verdict).unwrap();
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
        consumer.settle(NOW, hand);
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

#[test]
fn the_inbox_holds_what_had_an_effect_and_only_where_the_settings_say() {
    let check = |remembers, expected: bool| {
        let mut consumer = consumer(|it| it.consumer.remembers = remembers);
        let mut store = SimulatedInventory::default();
        story(&mut consumer, 3, 0, &mut store);
        let key = Key::Identity(hand_off(3, 0).record.identity);
        assert_eq!(store.seen(&key), Ok(expected), "{remembers:?}");
        assert_eq!(consumer.inbox().has_seen(&key), remembers == Remembers::InMemory, "{remembers:?}");
    };
    check(Remembers::Nothing, false);
    check(Remembers::InMemory, false);
    check(Remembers::WithEffect, true);
}

/// An inventory that fails to say what became of a transaction.
struct Mute(SimulatedInventory);

impl EffectStore for Mute {
    type Effect = Order;

    fn effect_of(&self, payload: &[u8]) -> Result<Order, DecodeError> {
        self.0.effect_of(payload)
    }

    fn apply(&mut self, _: &Change<Order>) -> Result<(), StoreError> {
        Err(StoreError::Failed { what: "commit", why: "no answer".into() })
    }

    fn fence(&mut self, generation: Generation) -> Result<(), StoreError> {
        self.0.fence(generation)
    }

    fn seen(&self, key: &Key) -> Result<bool, StoreError> {
        self.0.seen(key)
    }

    fn finished(&self) -> Result<Positions, StoreError> {
        self.0.finished()
    }

    fn rewind(&mut self, to: Position) -> Result<(), StoreError> {
        self.0.rewind(to)
    }
}

#[test]
fn an_effect_that_may_have_happened_is_the_callers_to_find_out_about() {
    let mut consumer = consumer(|_| {});
    let hand = deliver(&mut consumer, 3, 0);
    kinds(|| consumer.poll_report());
    let failed = consumer.handle(hand, &mut Mute(SimulatedInventory::default()), |_| Ok(()));
    assert!(matches!(failed, Err(StoreError::Failed { .. })));
    assert_eq!((consumer.task(hand), outputs(&mut consumer)), (Some(Task::Handle), vec![]));
    assert_eq!(kinds(|| consumer.poll_report()), []);
}

#[test]
fn a_consumer_is_who_it_was_made_as_and_as_wide_as_its_settings() {
    let pipeline = pipeline(|it| it.consumer.workers = 5);
    let consumer = Consumer::new(&pipeline, ConsumerId(3));
    assert_eq!((consumer.id(), consumer.workers(), consumer.busy()), (ConsumerId(3), 5, 0));
}

#[test]
fn a_position_may_be_at_work_under_several_leases() {
    let mut consumer = consumer(|_| {});
    for (position, number) in [(1, 2), (0, 1), (1, 1), (2, 1)] {
        let mut hand_off = hand_off(position + 1, position);
        hand_off.hand.lease.number = number;
        consumer.deliver(hand_off);
    }
    let lease = |number| Lease { incarnation: 1, number };
    let at = |position| {
        let hands = consumer.hands_of(Position(position)).map(|(hand, task)| (hand.position, hand.lease, task));
        hands.collect::<Vec<_>>()
    };
    assert_eq!(at(1), [1, 2].map(|number| (Position(1), lease(number), Task::Handle)));
    assert_eq!((at(0).len(), at(3).len(), consumer.hands().count()), (1, 0, 4));
    assert_eq!(consumer.record(DeliveryId { position: Position(2), lease: lease(1) }), Some(&hand_off(3, 2).record));
}

#[test]
fn a_hand_off_that_was_taken_away_leaves_without_a_word() {
    let mut consumer = consumer(|_| {});
    let hand = deliver(&mut consumer, 3, 0);
    kinds(|| consumer.poll_report());
    consumer.drop_hand(hand);
    assert_eq!((consumer.task(hand), consumer.record(hand), consumer.busy()), (None, None, 0));
    assert_eq!((outputs(&mut consumer), kinds(|| consumer.poll_report())), (vec![], vec![]));
    consumer.handle_settled(hand, SettleOutcome::Ok);
    assert_eq!(kinds(|| consumer.poll_report()), []);
}

#[test]
fn one_worker_takes_together_what_so_many_would_take_one_by_one() {
    let check = |change: fn(&mut Pipeline), expected: &[u64]| {
        let mut consumer = consumer(change);
        // The message of position 1 is that of position 0 again.
        for (number, position) in [(1, 0), (1, 1), (2, 2), (3, 3), (4, 4)] {
            deliver(&mut consumer, number, position);
        }
        let mut one_by_one = consumer.clone();
        let singly: Vec<DeliveryId> = std::iter::from_fn(|| one_by_one.next_ready()).collect();
        let together = consumer.take_ready(usize::MAX, |_| true);
        assert_eq!(together, singly);
        assert_eq!(together.iter().map(|hand| hand.position.0).collect::<Vec<_>>(), expected);
        assert_eq!(consumer, one_by_one);
    };
    check(|_| {}, &[0, 2, 3, 4]);
    check(|pipeline| (pipeline.consumer.workers, pipeline.consumer.prefetch) = (2, 2), &[0, 2]);
    check(|pipeline| pipeline.consumer.settles = Settles::BeforeEffect, &[0, 2, 3, 4]);
    check(|pipeline| pipeline.consumer.settles = Settles::WithEffect, &[0, 2, 3, 4]);
    let stores_prefix = |pipeline: &mut Pipeline| {
        (pipeline.consumer.settles, pipeline.consumer.commits) = (Settles::WithEffect, Commits::Prefix);
    };
    check(stores_prefix, &[0]);
    let mut consumer = consumer(|_| {});
    for number in 1..=3 {
        deliver(&mut consumer, number, number);
    }
    assert_eq!(consumer.take_ready(2, |_| true).len(), 2);
    assert_eq!(consumer.take_ready(2, |task| task == Task::Settle), [], "it takes no such task");
    assert_eq!(consumer.take_ready(2, |_| true).len(), 1);
}
