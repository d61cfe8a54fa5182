//! A loop and its connections' readers, by explicit ticks: the loop works when a test says so, as if it had been busy.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use delivery_model::pipeline::{Commits, Settles};
use delivery_model::vocab::{AttemptNumber, Epoch, MessageId, SettleOutcome};
use proptest::prelude::*;

use super::*;
use crate::core::broker::{Broker, Journals, Peer};
use crate::core::deliveries::Next;
use crate::core::delivery::ConsumerId;
use crate::core::tuning::Tuning;
use crate::data::record::{Identity, ProducerId, Publish, Record, Session};
use crate::store::Covers;
use crate::store::simulated::SimulatedJournal;

const LEASE: Millis = Millis(100);
const CONSUMER: ConsumerId = ConsumerId(0);
/// The consumer's connection.
const ITS: u64 = 7;

struct Loop {
    pipeline: Pipeline,
    core: Broker<SimulatedJournal>,
    leasing: Leasing,
    inputs: Receiver<Input>,
    to_broker: SyncSender<Input>,
    now: Millis,
}

fn open(pipeline: &Pipeline, journals: Journals<SimulatedJournal>, room: u32) -> Loop {
    let tuning = Tuning { lease: LEASE, ..Tuning::default() };
    let core = Broker::open(pipeline, tuning, journals).expect("intact");
    let leasing = Leasing::with_room(pipeline, core.log().start(), core.deliveries(), room);
    let (to_broker, inputs) = sync_channel(256);
    Loop { pipeline: pipeline.clone(), core, leasing, inputs, to_broker, now: Millis(0) }
}

/// A loop whose log holds so many messages, for a consumer that settles one by one.
fn started(change: impl FnOnce(&mut Pipeline), messages: u64, room: u32) -> Loop {
    let mut pipeline = Pipeline::default();
    change(&mut pipeline);
    let mut it = open(&pipeline, Journals::default(), room);
    let (producer, epoch) = (ProducerId(1), Epoch(0));
    it.core.register(producer, epoch).expect("room");
    for number in 0..messages {
        let identity = Identity::Sequence { session: Session { producer, session: epoch }, number };
        let record = Record { message: MessageId(number + 1), identity, producer, epoch, payload: [].into() };
        it.core.receive(Publish { record, attempt: AttemptNumber(1) }, Some(Peer(1))).expect("nothing waits");
        it.core.append_next().expect("room");
    }
    it.core.sync().expect("room");
    it
}

impl Loop {
    fn next(&self) -> Option<Next> {
        let next = self.core.next(CONSUMER, &[])?;
        let (Next::HandOff(position) | Next::DeadLetter(position)) = next;
        self.leasing.has_room(position).then_some(next)
    }

    fn hand_off(&mut self) -> DeliveryId {
        let Some(Next::HandOff(position)) = self.next() else { panic!("nothing to hand off: {:?}", self.next()) };
        let hand = self.core.hand_off(self.now, position, CONSUMER).expect("room").hand;
        self.leasing.grant(ITS, hand, self.now + LEASE);
        hand
    }

    fn set_aside(&mut self) -> Position {
        let Some(Next::DeadLetter(position)) = self.next() else { panic!("nothing to set aside: {:?}", self.next()) };
        self.leasing.set_aside(position, || self.core.dead_letter(position)).expect("room");
        position
    }

    /// A connection brings a settle, in a thread of its own, which has read it when this returns.
    fn read(&self, connection: u64, hand: DeliveryId, finishes: bool) {
        let (leasing, to_broker) = (self.leasing.clone(), self.to_broker.clone());
        let request = SettleRequest { hand, covers: Covers::One(hand.position), finishes };
        let reader = thread::spawn(move || to_broker.send(leasing.admit(connection, request)).expect("the loop lives"));
        reader.join().expect("no panic");
    }

    /// The loop comes around at this time. What became of the settles that it finds.
    fn turn(&mut self, at: u64) -> Vec<SettleOutcome> {
        self.now = Millis(at);
        match self.leasing.expire(self.now) {
            Some(ended) => ended.into_iter().for_each(|hand| self.core.end_lease(hand.position)),
            None => self.core.handle_timeout(self.now),
        }
        let found: Vec<Input> = self.inputs.try_iter().collect();
        let settled = found.into_iter().map(|input| match input {
            Input::Settles(_, request, begun) => self.settle(request, Some(begun)),
            Input::Said(_, ToBroker::Settle(request)) => self.settle(request, None),
            _ => panic!("nothing else was said"),
        });
        let settled = settled.collect();
        assert!(self.leasing.agrees_with(self.core.deliveries()));
        settled
    }

    fn settle(&mut self, request: SettleRequest, begun: Option<PendingSettle>) -> SettleOutcome {
        let outcome = self.core.settle(request).expect("room");
        if outcome == SettleOutcome::Ok {
            self.leasing.finish(&request, begun);
        }
        outcome
    }

    fn release(&mut self, hand: DeliveryId) {
        self.core.release(hand);
        self.leasing.end(hand);
    }

    /// The consumer's connection ends.
    fn disconnect(&mut self) {
        self.core.end_leases_of(CONSUMER);
        self.leasing.end_where(|hand| !self.core.is_live(*hand));
    }

    /// A crash after which all that was synced is there.
    fn restart(self, room: u32) -> Loop {
        open(&self.pipeline, self.core.into_journals(), room)
    }
}

/// Once, the loop looked at the clock first, and refused what had waited for it.
#[test]
fn a_settle_that_was_read_in_time_is_accepted_however_long_the_loop_was_busy() {
    for busy_until in [LEASE.0 - 1, LEASE.0, LEASE.0 + 1, LEASE.0 * 1_000] {
        let mut it = started(|_| (), 1, ROOM);
        let hand = it.hand_off();
        it.read(ITS, hand, true);
        assert_eq!(it.turn(busy_until), [SettleOutcome::Ok], "busy until {busy_until}");
        assert_eq!(it.next(), None, "and nothing is delivered again");
    }
}

#[test]
fn a_settle_that_was_read_when_its_lease_had_ended_is_refused() {
    let mut it = started(|_| (), 1, ROOM);
    let hand = it.hand_off();
    assert_eq!(it.turn(LEASE.0 - 1), []);
    assert_eq!(it.leasing.next_ends(), Some(LEASE));
    assert_eq!(it.turn(LEASE.0), []);
    assert_eq!(it.leasing.next_ends(), None);
    it.read(ITS, hand, true);
    let again = it.hand_off();
    it.read(ITS, hand, true);
    assert_eq!(it.turn(LEASE.0), [SettleOutcome::Refused; 2]);
    it.read(ITS, again, true);
    assert_eq!(it.turn(3 * LEASE.0), [SettleOutcome::Ok], "the newer lease is none of their business");
}

#[test]
fn the_loop_does_not_wait_for_the_end_of_a_lease_that_is_being_settled() {
    let mut it = started(|_| (), 2, ROOM);
    let first = it.hand_off();
    it.now = Millis(5);
    it.hand_off();
    it.read(ITS, first, true);
    assert_eq!(it.leasing.next_ends(), Some(Millis(105)));
}

#[test]
fn a_settle_that_nobody_deals_with_leaves_its_lease_to_its_deadline() {
    let mut it = started(|_| (), 1, ROOM);
    let hand = it.hand_off();
    it.read(ITS, hand, true);
    assert_eq!(it.leasing.next_ends(), None);
    drop(it.inputs.try_recv());
    assert_eq!((it.leasing.next_ends(), it.turn(LEASE.0 - 1)), (Some(LEASE), vec![]));
    assert!(it.core.is_live(hand));
    it.turn(LEASE.0);
    assert_eq!(it.next(), Some(Next::HandOff(hand.position)));
}

#[test]
fn what_a_consumer_held_that_is_gone_is_free_at_once_whatever_its_settle_is_at() {
    let mut it = started(|_| (), 2, ROOM);
    let hands = [it.hand_off(), it.hand_off()];
    it.read(ITS, hands[0], true);
    let left_behind = it.inputs.try_recv().expect("it was read");
    it.disconnect();
    let again = [it.hand_off(), it.hand_off()];
    assert!(again.iter().zip(&hands).all(|(again, old)| again.position == old.position && again != old));
    it.read(ITS, again[0], true);
    drop(left_behind);
    assert_eq!(it.turn(LEASE.0), [SettleOutcome::Ok], "what was left behind does not touch the newer lease");
}

#[test]
fn nobody_begins_what_was_handed_off_to_another() {
    let mut it = started(|_| (), 1, ROOM);
    let hand = it.hand_off();
    it.read(ITS + 1, hand, true);
    assert!(matches!(it.inputs.try_recv(), Ok(Input::Said(8, ToBroker::Settle(_)))));
    it.turn(LEASE.0);
    assert_eq!(it.next(), Some(Next::HandOff(hand.position)), "its lease has ended in time");
}

#[test]
fn a_settle_before_the_effect_leaves_the_lease_to_whoever_is_at_work() {
    let mut it = started(|pipeline| pipeline.consumer.settles = Settles::BeforeEffect, 2, ROOM);
    let hands = [it.hand_off(), it.hand_off()];
    for finishes in [false, false] {
        it.read(ITS, hands[0], finishes);
        assert_eq!(it.turn(1), [SettleOutcome::Ok], "its answer may have been lost: it says so again");
    }
    it.read(ITS, hands[1], false);
    assert_eq!(it.turn(LEASE.0 - 1), [SettleOutcome::Ok]);
    assert!(hands.iter().all(|hand| it.core.is_live(*hand)));
    it.release(hands[0]);
    it.turn(LEASE.0);
    assert!(!hands.iter().any(|hand| it.core.is_live(*hand)), "one was given back, the other's time is up");
    assert_eq!(it.next(), None);
}

#[test]
fn the_group_waits_where_there_is_no_room_ahead_of_what_is_not_settled() {
    let mut it = started(|_| (), 40, 1);
    let hands: Vec<DeliveryId> = (0..32).map(|_| it.hand_off()).collect();
    assert_eq!(it.next(), None);
    hands[1..].iter().for_each(|hand| it.read(ITS, *hand, true));
    assert_eq!((it.turn(1), it.next()), (vec![SettleOutcome::Ok; 31], None));
    it.read(ITS, hands[0], true);
    assert_eq!((it.turn(2), it.next()), (vec![SettleOutcome::Ok], Some(Next::HandOff(Position(32)))));
}

/// The ledger has settled, set aside and counted positions, some of them ahead of one that is not settled.
#[test]
fn a_restart_goes_on_with_what_the_ledger_has() {
    let mut it = started(|pipeline| pipeline.broker.max_deliveries = 2, 40, ROOM);
    let hands: Vec<DeliveryId> = (0..39).map(|_| it.hand_off()).collect();
    hands[..3].iter().chain(&hands[35..]).for_each(|hand| it.read(ITS, *hand, true));
    it.turn(1);
    it.disconnect();
    (3..35).for_each(|position| assert_eq!(it.hand_off().position, Position(position)));
    // Less room than the group has used already.
    let mut it = it.restart(1);
    assert!(it.leasing.agrees_with(it.core.deliveries()));
    assert!((3..35).all(|position| it.set_aside() == Position(position)));
    assert!(it.leasing.agrees_with(it.core.deliveries()), "the prefix has moved past what was settled ahead");
    let last = it.hand_off();
    assert_eq!(last.position, Position(39));
    it.read(ITS, last, true);
    assert_eq!((it.turn(1), it.next()), (vec![SettleOutcome::Ok], None));
}

/// Earlier settings handed off once; or left it to the consumer to know what is finished, and the log has dropped that.
#[test]
fn what_earlier_settings_are_done_with_holds_up_nobody() {
    let mut it = started(|pipeline| pipeline.broker.delivers = Delivers::Once, 40, 1);
    (0..5).for_each(|position| assert_eq!(it.hand_off().position, Position(position)));
    it.disconnect();
    it.core.compact_ledger().expect("room");
    it.pipeline.broker.delivers = Delivers::UntilSettled;
    let mut it = it.restart(1);
    assert_eq!(it.hand_off().position, Position(5));
    assert!(it.leasing.agrees_with(it.core.deliveries()));

    let mut it = started(|_| (), 100, 1);
    it.core.drop_below(Position(50)).expect("room");
    let mut it = it.restart(1);
    assert_eq!(it.hand_off().position, Position(50));
    assert!(it.leasing.agrees_with(it.core.deliveries()));
}

#[test]
fn leases_are_kept_where_their_end_refuses_a_settle_and_delivers_again() {
    let check = |expected, change: fn(&mut Pipeline)| {
        let it = started(change, 0, ROOM);
        assert_eq!(it.leasing.is_used(), expected, "{:?}", it.pipeline);
    };
    check(true, |_| ());
    check(true, |pipeline| pipeline.consumer.settles = Settles::BeforeEffect);
    check(false, |pipeline| pipeline.consumer.settles = Settles::WithEffect);
    check(false, |pipeline| pipeline.consumer.commits = Commits::Prefix);
    check(false, |pipeline| pipeline.broker.leases = Leases::Unchecked);
    check(false, |pipeline| pipeline.broker.delivers = Delivers::Once);
}

#[derive(Clone, Copy, Debug)]
enum Happens {
    HandOff,
    Reads { which: usize, over: u64, finishes: bool },
    Loses,
    Releases { which: usize },
    Disconnects,
    Turn { later_by: u64 },
    Restarts,
}

fn happens() -> impl Strategy<Value = Happens> {
    let which = || 0..6_usize;
    prop_oneof![
        6 => Just(Happens::HandOff),
        6 => (which(), ITS..ITS + 2, any::<bool>())
            .prop_map(|(which, over, finishes)| Happens::Reads { which, over, finishes }),
        1 => Just(Happens::Loses),
        2 => which().prop_map(|which| Happens::Releases { which }),
        1 => Just(Happens::Disconnects),
        4 => (0..LEASE.0).prop_map(|later_by| Happens::Turn { later_by }),
        1 => Just(Happens::Restarts),
    ]
}

proptest! {
    /// Whatever peers say and in which order; each turn of the loop compares table and core. Everything is delivered in
    /// the end.
    #[test]
    fn table_and_core_never_disagree(
        max_deliveries in 0..3u32, all in prop::collection::vec(happens(), 0..200),
    ) {
        let mut it = started(|pipeline| pipeline.broker.max_deliveries = max_deliveries, 70, 1);
        // By position, the newest hand-offs last.
        let mut hands: Vec<DeliveryId> = Vec::new();
        for happens in all {
            let hand = |which: usize| hands.iter().rev().nth(which).copied();
            match happens {
                Happens::HandOff => match it.next() {
                    Some(Next::HandOff(_)) => hands.push(it.hand_off()),
                    Some(Next::DeadLetter(_)) => drop(it.set_aside()),
                    None => {}
                },
                Happens::Reads { which, over, finishes } => {
                    hand(which).into_iter().for_each(|hand| it.read(over, hand, finishes));
                }
                Happens::Loses => drop(it.inputs.try_recv()),
                Happens::Releases { which } => hand(which).into_iter().for_each(|hand| it.release(hand)),
                Happens::Disconnects => it.disconnect(),
                Happens::Turn { later_by } => drop(it.turn(it.now.0 + later_by)),
                Happens::Restarts => {
                    it = it.restart(1);
                    hands.clear();
                }
            }
        }
        it.disconnect();
        it.turn(it.now.0);
        let mut delivered = BTreeMap::new();
        while let Some(next) = it.next() {
            if matches!(next, Next::DeadLetter(_)) {
                it.set_aside();
                continue;
            }
            let hand = it.hand_off();
            *delivered.entry(hand.position).or_insert(0) += 1;
            it.read(ITS, hand, true);
            prop_assert_eq!(it.turn(it.now.0), [SettleOutcome::Ok]);
        }
        prop_assert!(delivered.values().all(|times| *times == 1));
        prop_assert_eq!(over(it.core.log().start(), it.core.deliveries()), Positions::below(Position(70)));
    }
}

/// Once, a broker with such a limit panicked at its start.
#[test]
fn leases_are_kept_here_as_far_as_a_slot_counts_deliveries() {
    let check = |max_deliveries, expected| {
        let it = started(|pipeline| pipeline.broker.max_deliveries = max_deliveries, 0, 8);
        assert_eq!(it.leasing.is_used(), expected, "{max_deliveries}");
    };
    check(0, true);
    check(1_023, true);
    check(1_024, false);
}
