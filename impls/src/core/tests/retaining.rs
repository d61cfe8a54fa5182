//! What retention drops is not missed: a broker that drops as soon as it may, beside a twin that never does.

use delivery_model::pipeline::{
    Commits, Dedup, DedupOnRestart, Delivers, Identity as By, RecordsSettles, Remembers, Settles,
};
use delivery_model::vocab::{AttemptNumber, Epoch, EventKind, Position};
use proptest::prelude::*;

use super::*;
use crate::core::broker::RewindError;
use crate::core::deliveries::Next;
use crate::core::delivery::{ConsumerId, DeliveryId, HandOff, SettleRequest};
use crate::core::tuning::Retention;
use crate::data::positions::Positions;
use crate::data::record::{Identity, Record, Session, Submission, Verdict};
use crate::store::simulated::Halfway;
use crate::store::{Covers, Journal, StoreError};

const CONSUMER: ConsumerId = ConsumerId(0);
const EAGER: Retention = Retention { records: 0, batch: 1 };

fn p(position: u64) -> Position {
    Position(position)
}

/// A broker, and what its consumer has finished where that is stored elsewhere.
struct Twin {
    pipeline: Pipeline,
    tuning: Tuning,
    broker: Broker<SimulatedJournal>,
    finished: Positions,
    /// How often each journal was written anew.
    rewrites: [u64; 2],
}

impl Twin {
    fn new(pipeline: &Pipeline, retention: Option<Retention>) -> Twin {
        let tuning = Tuning { retention, ..Tuning::default() };
        let broker = Broker::open(pipeline, tuning, Journals::default()).unwrap();
        Twin { pipeline: pipeline.clone(), tuning, broker, finished: Positions::default(), rewrites: [0; 2] }
    }

    fn retain(&mut self) {
        if !self.broker.needs_sync()
            && let Some(start) = self.broker.droppable(&self.finished)
        {
            self.broker.drop_below(start).unwrap();
            self.rewrites[0] += 1;
        }
        if self.broker.is_ledger_long() {
            self.broker.compact_ledger().unwrap();
            self.rewrites[1] += 1;
        }
    }

    fn publish(&mut self, publish: Publish) {
        store(&mut self.broker, publish);
    }

    /// Hands off or sets aside what is next.
    fn advance(&mut self) -> Option<(Next, Option<HandOff>)> {
        let (owner, _) = self.broker.deliveries().owner();
        let next = self.broker.next_for(owner, &[&self.finished])?;
        Some(match next {
            Next::HandOff(position) => (next, Some(self.broker.hand_off(NOW, position, owner).unwrap())),
            Next::DeadLetter(position) => {
                self.broker.dead_letter(position).unwrap();
                (next, None)
            }
        })
    }

    /// Hands off what is next, and nothing else.
    fn hand_off(&mut self) -> HandOff {
        self.advance().and_then(|(_, hand_off)| hand_off).expect("a hand-off is next")
    }

    fn settle(&mut self, hand: DeliveryId) -> String {
        if self.broker.is_settled_elsewhere() {
            self.finished.insert(hand.position);
            self.broker.release(hand);
            return "elsewhere".into();
        }
        let covers = match self.pipeline.consumer.commits {
            Commits::Each => Covers::One(hand.position),
            Commits::Prefix | Commits::Highest => Covers::Below(Position(hand.position.0 + 1)),
        };
        format!("{:?}", self.broker.settle(NOW, SettleRequest { hand, covers, finishes: true }))
    }

    fn crash(&mut self, keeps: usize) {
        let nobody = Broker::open(&self.pipeline, self.tuning, Journals::default()).unwrap();
        let mut journals = std::mem::replace(&mut self.broker, nobody).into_journals();
        journals.log.crash(keeps.min(journals.log.unsynced()), Tear::Torn);
        journals.ledger.crash(0, Tear::Torn);
        self.broker = Broker::open(&self.pipeline, self.tuning, journals).unwrap();
    }

    /// Everything that anybody can ask of it.
    fn sees(&mut self, asked: &[Identity]) -> String {
        let broker = &mut self.broker;
        let reports = kinds(|| broker.poll_report());
        let replies = replies(broker).into_iter().map(|reply| (reply.message, reply.attempt, is_ack(reply)));
        let replies: Vec<_> = replies.collect();
        let memory = broker.memory();
        let judged: Vec<_> = asked.iter().map(|identity| memory.judge(*identity)).collect();
        let known = (memory.covers(), broker.restart_changes_memory());
        let due: Vec<_> = broker.due().collect();
        let ends = (broker.log().end(), broker.log().synced(), broker.needs_sync(), broker.poll_timeout());
        let deliveries = broker.deliveries();
        let marks = (deliveries.settled(), deliveries.durable(), deliveries.dead(), deliveries.owner());
        format!("{reports:?} {replies:?} {judged:?} {known:?} {due:?} {ends:?} {marks:?}")
    }
}

fn is_ack(reply: Reply) -> bool {
    matches!(reply.verdict, Verdict::Acked(_))
}

#[derive(Clone, Debug)]
enum Op {
    /// Message, under this number or id, from this epoch.
    Publish(u64, u32),
    Sync,
    Confirm(u64),
    Advance,
    Settle(prop::sample::Index),
    Release(prop::sample::Index),
    EndLease(prop::sample::Index),
    Register(u32),
    PassTo(u8),
    Rewind(prop::sample::Index),
    Crash(usize),
    Forget,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..6u64, 0..2u32).prop_map(|(message, epoch)| Op::Publish(message, epoch)),
        4 => Just(Op::Sync),
        2 => (0..6u64).prop_map(Op::Confirm),
        6 => Just(Op::Advance),
        4 => any::<prop::sample::Index>().prop_map(Op::Settle),
        1 => any::<prop::sample::Index>().prop_map(Op::Release),
        1 => any::<prop::sample::Index>().prop_map(Op::EndLease),
        1 => (0..2u32).prop_map(Op::Register),
        1 => (0..2u8).prop_map(Op::PassTo),
        1 => any::<prop::sample::Index>().prop_map(Op::Rewind),
        1 => (0..3usize).prop_map(Op::Crash),
        1 => Just(Op::Forget),
    ]
}

fn settings() -> impl Strategy<Value = Pipeline> {
    let by = prop::sample::select(vec![
        (By::None, Dedup::None),
        (By::MessageId, Dedup::MessageId),
        (By::Sequence, Dedup::Sequence),
    ]);
    let broker = (by, 0..3u32, any::<bool>(), any::<bool>(), any::<bool>(), 0..3u32);
    let settles = prop::sample::select(vec![Settles::AfterEffect, Settles::WithEffect]);
    let consumer = (settles, prop::sample::select(vec![Commits::Each, Commits::Prefix]));
    (broker, consumer).prop_map(|((by, window, forgets, once, lazily, max_deliveries), (settles, commits))| {
        pipeline(|it| {
            (it.producer.identity, it.broker.dedup) = by;
            it.broker.dedup_window = window;
            if forgets {
                it.broker.dedup_on_restart = DedupOnRestart::Forgotten;
            }
            if once {
                it.broker.delivers = Delivers::Once;
            }
            if lazily {
                it.broker.records_settles = RecordsSettles::Lazily;
            }
            it.broker.max_deliveries = max_deliveries;
            (it.consumer.settles, it.consumer.commits, it.consumer.remembers) = (settles, commits, Remembers::Nothing);
        })
    })
}

fn identity(pipeline: &Pipeline, message: u64) -> Identity {
    let session = Session { producer: ProducerId(1), session: Epoch(0) };
    match pipeline.producer.identity {
        By::None => Identity::None,
        By::MessageId => Identity::Message { message: MessageId(message), session },
        By::Sequence => Identity::Sequence { session, number: message },
    }
}

fn attempt(pipeline: &Pipeline, message: u64, epoch: u32) -> Publish {
    let identity = identity(pipeline, message);
    let (producer, epoch, payload) = (ProducerId(1), Epoch(epoch), order(1));
    let record = Record { message: MessageId(message), identity, producer, epoch, payload };
    Publish { record, attempt: AttemptNumber(1) }
}

/// Does the same to both; what comes of it is the same.
fn on_both<T: PartialEq + std::fmt::Debug>(twins: &mut [Twin; 2], act: impl Fn(&mut Twin) -> T) -> T {
    let [plain, dropping] = twins;
    let (expected, found) = (act(plain), act(dropping));
    assert_eq!(found, expected, "with retention, and without");
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn nobody_can_tell_that_records_were_dropped(
        pipeline in settings(), ops in prop::collection::vec(op(), 0..60), batch in 1..4u64, records in 0..2u64,
    ) {
        let retention = Retention { records, batch };
        let mut twins = [Twin::new(&pipeline, None), Twin::new(&pipeline, Some(retention))];
        let asked: Vec<Identity> = (0..7).map(|message| identity(&pipeline, message)).collect();
        let mut hands: Vec<DeliveryId> = Vec::new();
        for op in ops {
            match op {
                Op::Publish(message, epoch) => {
                    on_both(&mut twins, |twin| twin.publish(attempt(&pipeline, message, epoch)));
                }
                Op::Sync => on_both(&mut twins, |twin| twin.broker.sync().unwrap()),
                Op::Confirm(message) => {
                    let submission = Submission { producer: ProducerId(1), message: MessageId(message) };
                    on_both(&mut twins, |twin| twin.broker.confirm(submission));
                }
                Op::Advance => {
                    let advanced = on_both(&mut twins, Twin::advance);
                    hands.extend(advanced.and_then(|(_, hand_off)| hand_off).map(|hand_off| hand_off.hand));
                }
                Op::Settle(which) if !hands.is_empty() => {
                    let hand = *which.get(&hands);
                    on_both(&mut twins, |twin| twin.settle(hand));
                }
                Op::Release(which) if !hands.is_empty() => {
                    let hand = *which.get(&hands);
                    on_both(&mut twins, |twin| twin.broker.release(hand));
                }
                Op::EndLease(which) if !hands.is_empty() => {
                    let hand = *which.get(&hands);
                    on_both(&mut twins, |twin| twin.broker.end_lease(hand.position));
                }
                Op::Settle(_) | Op::Release(_) | Op::EndLease(_) => {}
                Op::Register(epoch) => {
                    on_both(&mut twins, |twin| twin.broker.register(ProducerId(1), Epoch(epoch), PEER).unwrap());
                }
                Op::PassTo(consumer) => {
                    on_both(&mut twins, |twin| twin.broker.pass_to(ConsumerId(consumer)).unwrap());
                }
                // No further back than both can go, and nobody holds anything.
                Op::Rewind(which) => {
                    let log = twins[1].broker.log();
                    let to = Position(log.start().0 + which.index(log.records().len() + 1) as u64);
                    on_both(&mut twins, |twin| {
                        twin.broker.handle_timeout(Millis(u64::MAX));
                        twin.finished.truncate(to);
                        twin.broker.rewind(to).unwrap();
                    });
                }
                Op::Crash(keeps) => on_both(&mut twins, |twin| twin.crash(keeps)),
                Op::Forget => on_both(&mut twins, |twin| twin.broker.forget_seen()),
            }
            twins[1].retain();
            on_both(&mut twins, |twin| twin.sees(&asked));
        }
        // A restart, and nobody manages anything: how often is each position handed off yet?
        on_both(&mut twins, |twin| twin.crash(0));
        for _ in 0..40 {
            on_both(&mut twins, |twin| {
                let advanced = twin.advance();
                twin.broker.handle_timeout(Tuning::default().lease);
                advanced
            });
        }
    }
}

/// A broker that has delivered so many messages and been told so, on a pipeline that recognises retries by number.
fn settled(messages: u64, retention: Retention) -> Twin {
    let mut twin = Twin::new(&Pipeline::default(), Some(retention));
    for message in 0..messages {
        twin.publish(attempt(&Pipeline::default(), message, 0));
        twin.broker.sync().unwrap();
        twin.broker.confirm_due();
        replies(&mut twin.broker);
        let hand = twin.hand_off().hand;
        twin.settle(hand);
        twin.retain();
    }
    twin
}

fn log_range(broker: &Broker<SimulatedJournal>) -> (u64, u64) {
    (broker.log().start().0, broker.log().end().0)
}

#[test]
fn the_latest_records_stay_and_the_others_go_a_batch_at_a_time() {
    let check = |messages, records, batch, expected| {
        let twin = settled(messages, Retention { records, batch });
        assert_eq!(log_range(&twin.broker), (expected, messages), "{messages} {records} {batch}");
    };
    check(5, 0, 1, 5);
    check(5, 3, 1, 2);
    check(5, 9, 1, 0);
    check(5, 0, 3, 3);
    check(6, 0, 3, 6);
    check(8, 2, 3, 6);
}

#[test]
fn nothing_is_dropped_without_retention() {
    let mut twin = Twin::new(&Pipeline::default(), None);
    twin.publish(attempt(&Pipeline::default(), 0, 0));
    twin.broker.sync().unwrap();
    let hand = twin.hand_off().hand;
    twin.settle(hand);
    assert_eq!((twin.broker.droppable(&twin.finished), twin.broker.is_ledger_long()), (None, false));
}

#[test]
fn a_retry_of_a_dropped_record_is_confirmed_and_not_stored_even_after_a_restart() {
    for crashes in [false, true] {
        let mut twin = settled(3, EAGER);
        if crashes {
            twin.crash(0);
        }
        twin.publish(attempt(&Pipeline::default(), 1, 0));
        assert_eq!(log_range(&twin.broker), (3, 3), "{crashes}");
        twin.broker.confirm_due();
        let verdicts: Vec<Verdict> = replies(&mut twin.broker).into_iter().map(|reply| reply.verdict).collect();
        assert_eq!(verdicts, [Verdict::Acked(None)], "{crashes}");
    }
}

#[test]
fn a_group_goes_back_no_further_than_the_log_does() {
    let mut twin = settled(4, Retention { records: 2, batch: 1 });
    let refused = |to| RewindError::NotInLog { to: p(to), start: p(2), end: p(4) };
    assert_eq!(refused(1).to_string(), "position 1 is not in the log, which starts at 2 and ends before 4");
    assert_eq!(twin.broker.rewind(p(1)), Err(refused(1)));
    assert_eq!(twin.broker.rewind(p(5)), Err(refused(5)));
    assert!(twin.broker.rewind(p(4)).is_ok());
    assert_eq!(twin.broker.next_for(CONSUMER, &[]), None);
    assert!(twin.broker.rewind(p(2)).is_ok());
    assert_eq!(twin.broker.next_for(CONSUMER, &[]), Some(Next::HandOff(p(2))));
}

#[test]
fn a_dead_letter_can_be_looked_at_when_its_record_was_dropped() {
    let poisoned = pipeline(|it| it.broker.max_deliveries = 1);
    let mut twin = Twin::new(&poisoned, Some(EAGER));
    twin.publish(attempt(&poisoned, 0, 0));
    twin.broker.sync().unwrap();
    let HandOff { hand, record, .. } = twin.hand_off();
    twin.broker.release(hand);
    assert!(matches!(twin.advance(), Some((Next::DeadLetter(Position(0)), _))));
    assert!(matches!(kinds(|| twin.broker.poll_report())[..], [EventKind::DeadLetter { .. }]));
    twin.retain();
    for crashes in [false, true] {
        if crashes {
            twin.crash(0);
        }
        assert_eq!(log_range(&twin.broker), (1, 1));
        assert_eq!(twin.broker.log().at(p(0)), Some(&record));
    }
}

#[test]
fn both_journals_stay_short_however_many_messages_pass() {
    let retention = Retention { records: 8, batch: 16 };
    let check = |delivers, settles: bool| {
        let pipeline = pipeline(|it| it.broker.delivers = delivers);
        let mut twin = Twin::new(&pipeline, Some(retention));
        let mut journal_bytes = |messages: std::ops::Range<u64>| {
            for message in messages {
                twin.publish(attempt(&pipeline, message, 0));
                twin.broker.sync().unwrap();
                let hand = twin.hand_off().hand;
                if settles {
                    twin.settle(hand);
                }
                twin.retain();
            }
            let journals = twin.broker.clone().into_journals();
            let bytes = [journals.log, journals.ledger].map(|mut it| it.recover().unwrap().concat().len());
            (bytes, twin.rewrites)
        };
        let (([log, ledger], _), ([log_later, ledger_later], rewrites)) =
            (journal_bytes(0..64), journal_bytes(64..1024));
        assert!(log_later < 2 * log && ledger_later < 2 * ledger, "{log} {log_later}, {ledger} {ledger_later}");
        assert!(rewrites[0] <= 1024 / 16 && rewrites[1] <= 2 * 1024 / 16, "{rewrites:?}");
    };
    check(Delivers::UntilSettled, true);
    check(Delivers::Once, false);
}

#[test]
fn a_consumer_that_lost_its_own_positions_is_offered_what_is_left() {
    let pipeline = pipeline(|it| it.consumer.settles = Settles::WithEffect);
    let mut twin = Twin::new(&pipeline, Some(EAGER));
    for message in 0..2 {
        twin.publish(attempt(&pipeline, message, 0));
    }
    twin.broker.sync().unwrap();
    let hand = twin.hand_off().hand;
    twin.settle(hand);
    twin.retain();
    twin.finished = Positions::default();
    assert_eq!(twin.broker.next_for(CONSUMER, &[]), Some(Next::HandOff(p(1))));
}

#[test]
fn a_machine_that_fails_while_a_journal_is_rewritten_comes_up_with_all_of_the_old_one_or_of_the_new() {
    for halfway in [Halfway::Before, Halfway::After] {
        for of_log in [true, false] {
            let mut twin = settled(4, Retention { records: 4, batch: 1 });
            let expected = twin.sees(&[]);
            let mut journals = twin.broker.into_journals();
            let failing = if of_log { &mut journals.log } else { &mut journals.ledger };
            failing.fail_next_rewrite = Some(halfway);
            let tuning = Tuning { retention: Some(EAGER), ..Tuning::default() };
            let mut broker = Broker::open(&twin.pipeline, tuning, journals).unwrap();
            let start = broker.droppable(&Positions::default()).unwrap();
            let dropped = broker.drop_below(start);
            let compacted = broker.compact_ledger();
            assert!(matches!(if of_log { dropped } else { compacted }, Err(StoreError::Failed { .. })));
            (twin.tuning, twin.broker) = (tuning, broker);
            twin.crash(0);
            let is_old = of_log && halfway == Halfway::Before;
            assert_eq!(log_range(&twin.broker), (if is_old { 0 } else { 4 }, 4), "{halfway:?} {of_log}");
            assert_eq!(twin.sees(&[]), expected, "{halfway:?} {of_log}");
        }
    }
}

#[test]
fn a_disk_without_room_for_a_rewrite_leaves_everything_as_it_was() {
    let mut twin = settled(4, Retention { records: 4, batch: 1 });
    let expected = twin.sees(&[]);
    let mut journals = twin.broker.into_journals();
    (journals.log.capacity_bytes, journals.ledger.capacity_bytes) = (Some(20), Some(20));
    let tuning = Tuning { retention: Some(EAGER), ..Tuning::default() };
    twin.broker = Broker::open(&twin.pipeline, tuning, journals).unwrap();
    let start = twin.broker.droppable(&Positions::default()).unwrap();
    assert!(matches!(twin.broker.drop_below(start), Err(StoreError::Full { .. })));
    assert!(matches!(twin.broker.compact_ledger(), Err(StoreError::Full { .. })));
    let tries = (twin.broker.droppable(&Positions::default()), twin.broker.is_ledger_long());
    assert_eq!(tries, (None, false), "it waits before it tries again");
    let found = twin.sees(&[]);
    assert_eq!(log_range(&twin.broker), (0, 4));
    // The start found no room either, and waits for a sync.
    assert_eq!(found.replace(", true, None)", ", false, None)"), expected);
}

#[test]
fn a_ledger_that_was_full_at_the_start_serves_again_when_it_is_compacted() {
    let mut twin = settled(4, Retention { records: 4, batch: 100 });
    twin.publish(attempt(&Pipeline::default(), 4, 0));
    twin.broker.sync().unwrap();
    let mut journals = twin.broker.into_journals();
    journals.ledger.capacity_bytes = Some(journals.ledger.clone().recover().unwrap().len() * 25);
    twin.broker = Broker::open(&twin.pipeline, Tuning { retention: Some(EAGER), ..twin.tuning }, journals).unwrap();
    assert_eq!(twin.broker.next_for(CONSUMER, &[]), None, "its start is not recorded");
    twin.retain();
    assert_eq!(twin.broker.next_for(CONSUMER, &[]), Some(Next::HandOff(p(4))));
    let before = twin.hand_off().hand;
    twin.crash(0);
    assert_ne!(twin.hand_off().hand, before, "the start was recorded");
}
