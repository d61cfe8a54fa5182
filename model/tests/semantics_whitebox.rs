//! Each white-box property on moments written down by hand: one that breaks it, and its legal neighbours.

use delivery_model::party_state::{Decision, PartyState, Received};
use delivery_model::pipeline::Pipeline;
use delivery_model::semantics::whitebox::{Happened, Watch, WhiteboxRules};
use delivery_model::semantics::{PropertyId, PropertySet};
use delivery_model::vocab::{
    DeliveryRef, Epoch, Event, EventKind, GroupId, MessageId, Move, Outcome, Position, ProcessId, SettleOutcome, Step,
    Strike,
};

/// A moment. Marks are lists of positions.
#[derive(Clone, Default)]
struct Scene {
    log: Vec<u64>,
    synced: u64,
    received: Option<Received>,
    epoch: u32,
    leases: Vec<u64>,
    hand_offs: Vec<u64>,
    settled: Vec<u64>,
    dead: Vec<u64>,
    effected: Vec<u64>,
    remembered: Vec<u64>,
    rewound: bool,
}

fn count(marks: &[u64], position: Position) -> usize {
    marks.iter().filter(|&&mark| mark == position.0).count()
}

impl PartyState for Scene {
    fn end(&self) -> Position {
        Position(self.log.len() as u64)
    }
    fn synced(&self) -> Position {
        Position(self.synced)
    }
    fn message_at(&self, position: Position) -> Option<MessageId> {
        self.log.get(position.0 as usize).copied().map(MessageId)
    }
    fn received(&self) -> Option<Received> {
        self.received
    }
    fn epoch(&self) -> Epoch {
        Epoch(self.epoch)
    }
    fn live_leases(&self, position: Position) -> usize {
        count(&self.leases, position)
    }
    fn hand_offs(&self, position: Position) -> u32 {
        count(&self.hand_offs, position) as u32
    }
    fn is_settled(&self, position: Position) -> bool {
        count(&self.settled, position) > 0
    }
    fn is_dead(&self, position: Position) -> bool {
        count(&self.dead, position) > 0
    }
    fn is_effected(&self, position: Position) -> bool {
        count(&self.effected, position) > 0
    }
    fn was_effected_from(&self, position: Position) -> bool {
        count(&self.effected, position) > 0
    }
    fn is_remembered(&self, position: Position) -> bool {
        count(&self.remembered, position) > 0
    }
    fn was_rewound(&self) -> bool {
        self.rewound
    }
}

/// Strict about everything, with two hand-offs a position at most.
const STRICT: WhiteboxRules = WhiteboxRules {
    window: 0,
    deliveries_max: 2,
    has_epochs: true,
    is_transactional: true,
    is_cumulative: true,
    is_owed: true,
    rewinds: true,
};

const M1: MessageId = MessageId(1);
const P0: Position = Position(0);
const CURRENT: DeliveryRef = DeliveryRef { position: P0, late: 0 };
const LATE: DeliveryRef = DeliveryRef { position: P0, late: 1 };

fn acked(message: u64) -> EventKind {
    EventKind::Outcome {
        message: MessageId(message),
        attempt: None,
        outcome: Outcome::Acked,
        partition: Default::default(),
        position: None,
    }
}

fn settle(outcome: SettleOutcome) -> EventKind {
    EventKind::Settle {
        message: M1,
        group: GroupId(0),
        partition: Default::default(),
        position: Some(P0),
        delivery: None,
        outcome,
    }
}

const EFFECT: EventKind = EventKind::Effect { message: M1, group: GroupId(0), payload: None };

/// What the step breaks of this property, and for which message.
fn judged(property: PropertyId, before: &Scene, step: Step, events: &[EventKind], after: &Scene) -> Option<u64> {
    let watch = Watch { terms: STRICT, watched: property.into() };
    let events: Vec<Event> = events.iter().map(|&kind| Event { process: ProcessId(0), kind }).collect();
    let mut broken = None;
    watch.after(watch.before(step, before), step, events.iter().collect(), after, |by, message| {
        assert_eq!(by, property);
        broken = Some(message.0);
    });
    let concerned = watch.concerns(step);
    assert!(concerned || broken.is_none(), "what does not concern it does not break it");
    broken
}

/// From the scene, a step with these events makes another scene; that is broken for a message, or it is fine.
fn check(
    property: PropertyId,
    before: &Scene,
    step: Step,
    events: &[EventKind],
    change: impl FnOnce(&mut Scene),
    expected: Option<u64>,
) {
    let mut after = before.clone();
    change(&mut after);
    assert_eq!(judged(property, before, step, events, &after), expected, "{property}: {step}");
}

/// Messages 1 and 2 in the log, both durable.
fn scene() -> Scene {
    Scene { log: vec![1, 2], synced: 2, ..Scene::default() }
}

#[test]
fn an_ack_needs_a_durable_record() {
    let take = Step::Move(Move::TakeReply { message: MessageId(2) });
    let check = |synced, events: &[EventKind], expected| {
        check(PropertyId::AckHonesty, &Scene { synced, ..scene() }, take, events, |_| {}, expected);
    };
    check(2, &[acked(2)], None);
    check(1, &[acked(2)], Some(2));
    check(1, &[acked(1)], None);
    check(2, &[acked(3)], Some(3));
    check(0, &[], None);
}

fn received(message: u64, epoch: u32, decision: Decision) -> Scene {
    let received = Received { message: MessageId(message), epoch: Epoch(epoch), decision };
    Scene { received: Some(received), epoch: 1, ..scene() }
}

#[test]
fn what_is_suppressed_is_in_the_log() {
    let check = |message, decision, expected| {
        let append = Step::Move(Move::Append { message: MessageId(message) });
        check(PropertyId::DedupHonesty, &received(message, 1, decision), append, &[], |_| {}, expected);
    };
    check(2, Decision::Duplicate, None);
    check(3, Decision::Duplicate, Some(3));
    check(3, Decision::Refuse, None);
    check(3, Decision::Store, None);
}

#[test]
fn what_is_in_the_log_is_not_stored_again() {
    let check = |message, stored: bool, expected| {
        let append = Step::Move(Move::Append { message: MessageId(message) });
        let store = |it: &mut Scene| it.log.extend(stored.then_some(message));
        let before = received(message, 1, Decision::Store);
        check(PropertyId::DedupCompleteness, &before, append, &[], store, expected);
    };
    check(1, true, Some(1));
    check(1, false, None);
    check(3, true, None);
}

#[test]
fn past_the_window_a_retry_may_be_stored() {
    let append = Step::Move(Move::Append { message: M1 });
    let broken = |window| {
        let watched = PropertyId::DedupCompleteness.into();
        let watch = Watch { terms: WhiteboxRules { window, ..STRICT }, watched };
        let after = Scene { log: vec![1, 2, 1], ..scene() };
        let mut broken = false;
        let before = watch.before(append, &received(1, 1, Decision::Store));
        watch.after(before, append, Happened::default(), &after, |_, _| broken = true);
        broken
    };
    assert_eq!([1, 2, 3, 0].map(broken), [false, true, true, true]);
}

#[test]
fn a_position_is_leased_once() {
    let hand_off = Step::Move(Move::HandOff { position: P0 });
    let check = |before: &[u64], after: &[u64], expected| {
        let before = Scene { leases: before.to_vec(), ..scene() };
        check(PropertyId::LeaseExclusive, &before, hand_off, &[], |it| it.leases = after.to_vec(), expected);
    };
    check(&[], &[0], None);
    check(&[1], &[1, 0], None);
    check(&[0], &[0], Some(1));
    check(&[], &[0, 0], Some(1));
}

#[test]
fn a_settle_that_comes_late_is_refused() {
    let check = |step, outcome, expected| {
        check(PropertyId::StaleSettleRefused, &scene(), step, &[settle(outcome)], |_| {}, expected);
    };
    check(Step::Move(Move::RecordSettle { hand: LATE }), SettleOutcome::Ok, Some(1));
    check(Step::Move(Move::RecordSettle { hand: LATE }), SettleOutcome::Refused, None);
    check(Step::Move(Move::RecordSettle { hand: CURRENT }), SettleOutcome::Ok, None);
    check(Step::Move(Move::Handle { hand: LATE }), SettleOutcome::Ok, Some(1));
    check(Step::Move(Move::Handle { hand: CURRENT }), SettleOutcome::Ok, None);
}

#[test]
fn nothing_of_an_older_epoch_is_stored_or_effected() {
    let append = Step::Move(Move::Append { message: MessageId(3) });
    let of_producer = |epoch, stored: bool, expected| {
        let before = received(3, epoch, Decision::Store);
        let store = |it: &mut Scene| it.log.extend(stored.then_some(3));
        check(PropertyId::Fencing, &before, append, &[], store, expected);
    };
    of_producer(0, true, Some(3));
    of_producer(0, false, None);
    of_producer(1, true, None);
    let of_consumer = |hand, events: &[EventKind], expected| {
        check(PropertyId::Fencing, &scene(), Step::Move(Move::Handle { hand }), events, |_| {}, expected);
    };
    of_consumer(LATE, &[EFFECT], Some(1));
    of_consumer(LATE, &[settle(SettleOutcome::Ok)], Some(1));
    of_consumer(LATE, &[], None);
    of_consumer(CURRENT, &[EFFECT, settle(SettleOutcome::Ok)], None);
}

#[test]
fn what_is_committed_has_its_effect_or_is_a_dead_letter() {
    let hand = DeliveryRef { position: Position(1), late: 0 };
    let check = |effected: &[u64], dead: &[u64], settled: &[u64], expected| {
        let before = Scene { effected: effected.to_vec(), dead: dead.to_vec(), ..scene() };
        let commit = |it: &mut Scene| it.settled = settled.to_vec();
        check(PropertyId::CumulativeCommit, &before, Step::Move(Move::Handle { hand }), &[], commit, expected);
    };
    check(&[0], &[], &[0, 1], None);
    check(&[], &[], &[0, 1], Some(1));
    check(&[], &[0], &[0, 1], None);
    check(&[], &[], &[1], None);
    check(&[], &[], &[], None);
}

#[test]
fn hand_offs_are_limited_and_a_dead_letter_is_not_settled() {
    let hand_off = Step::Move(Move::HandOff { position: P0 });
    let handed = |hand_offs: &[u64], expected| {
        let again = |it: &mut Scene| it.hand_offs = hand_offs.to_vec();
        check(PropertyId::PoisonBounded, &scene(), hand_off, &[], again, expected);
    };
    handed(&[0, 0], None);
    handed(&[0, 0, 0], Some(1));
    handed(&[0, 1, 1, 1], None);
    let marked = |dead: &[u64], settled: &[u64], expected| {
        let mark = |it: &mut Scene| (it.dead, it.settled) = (dead.to_vec(), settled.to_vec());
        check(PropertyId::PoisonBounded, &scene(), Step::Move(Move::DeadLetter { position: P0 }), &[], mark, expected);
    };
    marked(&[0], &[1], None);
    marked(&[0], &[0], Some(1));
    marked(&[1], &[0, 1], Some(2));
}

#[test]
fn nothing_durable_vanishes() {
    let check = |settled: &[u64], dead: &[u64], effected: &[u64], synced, expected| {
        let marks = [settled, dead, effected].map(<[u64]>::to_vec);
        let [settled, dead, effected] = marks;
        let scene = Scene { settled, dead, effected, synced, ..scene() };
        let mut vanished = None;
        let watch = Watch { terms: STRICT, watched: PropertyId::PoisonBounded.into() };
        watch.at_rest(&scene, |_, message| vanished = Some(message.0));
        assert_eq!(vanished, expected);
    };
    check(&[0, 1], &[], &[], 2, None);
    check(&[0], &[1], &[], 2, None);
    check(&[0], &[], &[1], 2, None);
    check(&[0], &[], &[], 2, Some(2));
    check(&[0], &[], &[], 1, None);
    check(&[], &[], &[], 2, Some(1));
}

#[test]
fn a_replay_repeats_deliveries_and_no_effect() {
    let rewind = Step::Fault(Strike::Rewind { position: P0 });
    let before = Scene { settled: vec![0, 1], remembered: vec![0, 1], ..scene() };
    let check = |before: &Scene, change: fn(&mut Scene), expected| {
        check(PropertyId::ReplaySafe, before, rewind, &[], change, expected);
    };
    check(&before, |it| it.settled.clear(), None);
    check(&before, |_| {}, Some(1));
    check(&before, |it| it.settled = vec![1], Some(2));
    check(&before, |it| (it.settled, it.remembered) = (vec![], vec![1]), Some(1));
    check(&Scene { remembered: vec![0], ..before.clone() }, |it| it.settled.clear(), Some(2));
    check(&Scene { settled: vec![0], remembered: vec![0], ..before.clone() }, |it| it.settled.clear(), None);
    check(&Scene { dead: vec![1], remembered: vec![0], ..before }, |it| it.settled = vec![1], None);
}

#[test]
fn what_comes_again_after_a_rewind_has_no_second_effect() {
    let check = |rewound, effected: &[u64], events: &[EventKind], expected| {
        let before = Scene { rewound, effected: effected.to_vec(), ..scene() };
        check(PropertyId::ReplaySafe, &before, Step::Move(Move::Handle { hand: CURRENT }), events, |_| {}, expected);
    };
    check(true, &[0], &[EFFECT], Some(1));
    check(true, &[0], &[], None);
    check(true, &[1], &[EFFECT], None);
    check(false, &[0], &[EFFECT], None);
}

#[test]
fn every_property_is_judged_on_its_own() {
    let watch = Watch::new(&Pipeline::default());
    let claimed = watch.watched;
    assert!((claimed - PropertySet::WHITE_BOX).is_empty(), "a watch is of white-box properties alone");
    // Committing one position at a time claims nothing of prefixes.
    assert_eq!(PropertySet::WHITE_BOX - claimed, PropertyId::CumulativeCommit.into());
}
