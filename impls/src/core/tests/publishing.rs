//! From submission to confirmation: identities, retries, acks, and what the broker recognises.

use delivery_model::pipeline::{Acks, Attempts, Dedup, Identity as By, Pipeline};
use delivery_model::vocab::{AttemptNumber, EventKind, MessageId, Outcome, Position};

use super::*;
use crate::core::producer::{PAYLOAD_MAX, SubmitError};
use crate::data::record::{Submission, Verdict};
use crate::store::StoreError;

fn outcomes(producer: &mut Producer<SimulatedOutbox>) -> Vec<(MessageId, Option<AttemptNumber>, Outcome)> {
    let outcome = |kind| match kind {
        EventKind::Outcome { message, attempt, outcome, .. } => Some((message, attempt, outcome)),
        _ => None,
    };
    kinds(|| producer.poll_report()).into_iter().filter_map(outcome).collect()
}

pub(super) fn of_first(number: u64) -> Submission {
    Submission { producer: ProducerId(1), message: message(number) }
}

fn reply(publish: &Publish, verdict: Verdict) -> Reply {
    Reply { message: publish.record.message, attempt: publish.attempt, verdict }
}

#[test]
fn a_confirmation_waits_for_the_disk() {
    let pipeline = Pipeline::default();
    let mut producer = producer_with(&pipeline, 1);
    let mut broker = open_broker(&pipeline, Journals::default());
    store(&mut broker, producer.transmit(NOW).unwrap().unwrap());
    broker.confirm_due();
    assert_eq!(replies(&mut broker), []);
    assert!(broker.needs_sync() && !broker.confirm(of_first(1)));
    broker.sync().unwrap();
    assert!(broker.confirm(of_first(1)));
    let verdict = Verdict::Acked(Some(Position(0)));
    assert_eq!(replies(&mut broker), [Reply { message: message(1), attempt: AttemptNumber(1), verdict }]);
    assert!(!broker.owes(of_first(1)));
}

#[test]
fn the_ack_policy_says_when_the_producer_hears_something() {
    let check = |acks, on_receipt: usize, on_refusal: usize, after_sync: usize| {
        let pipeline = pipeline(|it| (it.broker.acks, it.producer.in_flight) = (acks, 2));
        let mut producer = producer_with(&pipeline, 2);
        let mut broker = open_broker(&pipeline, Journals::default());
        broker.receive(producer.transmit(NOW).unwrap().unwrap(), Some(PEER)).unwrap();
        assert_eq!(replies(&mut broker).len(), on_receipt, "{acks:?} on receipt");
        assert!(broker.append_next().unwrap());
        broker.receive(producer.transmit(NOW).unwrap().unwrap(), Some(PEER)).unwrap();
        replies(&mut broker);
        assert!(broker.refuse_next());
        assert_eq!(replies(&mut broker).len(), on_refusal, "{acks:?} on refusal");
        broker.sync().unwrap();
        broker.confirm_due();
        assert_eq!(replies(&mut broker).len(), after_sync, "{acks:?} after sync");
    };
    check(Acks::Never, 0, 0, 0);
    check(Acks::OnReceipt, 1, 0, 0);
    check(Acks::AfterSync, 0, 1, 1);
}

#[test]
fn the_broker_decides_about_one_attempt_at_a_time() {
    let pipeline = pipeline(|it| it.producer.in_flight = 2);
    let mut producer = producer_with(&pipeline, 2);
    let mut broker = open_broker(&pipeline, Journals::default());
    assert!(!broker.append_next().unwrap() && !broker.refuse_next());
    broker.receive(producer.transmit(NOW).unwrap().unwrap(), Some(PEER)).unwrap();
    let busy = broker.receive(producer.transmit(NOW).unwrap().unwrap(), Some(PEER)).unwrap_err();
    assert_eq!(busy.0, message(1));
    let received = broker.received().expect("the first");
    assert!(received.waiting.iter().eq([(PEER, AttemptNumber(1))]));
}

#[test]
fn a_window_bounds_what_waits_for_a_reply() {
    let mut producer = producer_with(&pipeline(|it| it.producer.in_flight = 2), 3);
    let first = producer.transmit(NOW).unwrap().unwrap();
    let second = producer.transmit(NOW).unwrap().unwrap();
    assert_eq!((first.record.message, second.record.message), (message(1), message(2)));
    assert_eq!(producer.transmit(NOW).unwrap(), None);
    producer.handle_reply(NOW, reply(&second, Verdict::Acked(None))).unwrap();
    assert_eq!(producer.transmit(NOW).unwrap().unwrap().record.message, message(3));
}

#[test]
fn the_application_is_asked_for_a_few_messages_ahead_and_for_none_at_the_end() {
    let pipeline = pipeline(|_| ());
    let tuning = Tuning { ahead: 2, ..Tuning::default() };
    let mut producer = Producer::open(&pipeline, tuning, ProducerId(1), SimulatedOutbox::default()).unwrap();
    let mut asked = Vec::new();
    for number in 1..=3 {
        asked.push(producer.wants_more());
        producer.submit(message(number), order(1)).unwrap();
    }
    assert_eq!(asked, [true, true, false]);
    let mut producer = open_producer(&pipeline, SimulatedOutbox::default());
    producer.stop(Millis(10));
    assert!(!producer.wants_more());
}

#[test]
fn a_producer_that_is_to_stop_does_so_when_it_is_through_or_has_tried_for_long_enough() {
    let pipeline = pipeline(|_| ());
    let mut producer = producer_with(&pipeline, 1);
    assert!(!producer.may_stop(Millis(99)), "nobody asked it to");
    producer.stop(Millis(10));
    producer.stop(Millis(90));
    assert_eq!([9, 10].map(|now| producer.may_stop(Millis(now))), [false, true]);
    let publish = producer.transmit(NOW).unwrap().expect("one is queued");
    assert_eq!(producer.poll_timeout(), Some(Millis(10)), "before the reply is overdue");
    producer.handle_reply(NOW, reply(&publish, Verdict::Acked(None))).unwrap();
    assert!(producer.may_stop(NOW));
}

#[test]
fn nothing_is_waited_for_over_a_connection_that_has_ended() {
    let pipeline = pipeline(|it| it.producer.in_flight = 2);
    let mut producer = producer_with(&pipeline, 3);
    (0..2).for_each(|_| assert!(producer.transmit(NOW).unwrap().is_some()));
    producer.handle_disconnected(Millis(5)).unwrap();
    let unknown = |number| (message(number), Some(AttemptNumber(1)), Outcome::Unknown);
    assert_eq!(outcomes(&mut producer), [unknown(1), unknown(2)]);
    assert_eq!(producer.next_attempt().map(|(next, _)| next), Some(message(1)));
}

#[test]
fn a_retry_waits_for_its_back_off_and_keeps_its_identity() {
    let mut producer = producer_with(&Pipeline::default(), 1);
    let first = producer.transmit(NOW).unwrap().unwrap();
    let timeout = producer.poll_timeout().unwrap();
    assert_eq!(timeout, Tuning::default().reply_timeout);
    producer.handle_timeout(Millis(timeout.0 - 1)).unwrap();
    assert_eq!(producer.transmit(Millis(u64::MAX)).unwrap(), None);
    producer.handle_timeout(timeout).unwrap();
    let retry_at = producer.poll_timeout().unwrap();
    assert_eq!(retry_at, timeout + Tuning::default().back_off.after(1, 1));
    assert_eq!(producer.transmit(Millis(retry_at.0 - 1)).unwrap(), None);
    let second = producer.transmit(retry_at).unwrap().unwrap();
    assert_eq!((&second.record, second.attempt), (&first.record, AttemptNumber(2)));
    assert_eq!(outcomes(&mut producer), [(message(1), Some(AttemptNumber(1)), Outcome::Unknown)]);
}

#[test]
fn a_refusal_counts_for_the_attempt_it_is_about_and_an_ack_for_any() {
    let mut producer = producer_with(&Pipeline::default(), 1);
    let first = producer.transmit(NOW).unwrap().unwrap();
    producer.time_out(NOW, message(1)).unwrap();
    producer.transmit(Millis(100)).unwrap().unwrap();
    outcomes(&mut producer);
    producer.handle_reply(NOW, reply(&first, Verdict::Refused)).unwrap();
    assert_eq!((outcomes(&mut producer), producer.outbox().in_flight()), (vec![], 1));
    producer.handle_reply(NOW, reply(&first, Verdict::Acked(None))).unwrap();
    assert_eq!(outcomes(&mut producer), [(message(1), Some(AttemptNumber(1)), Outcome::Acked)]);
    assert!(producer.outbox().is_empty());
    producer.handle_reply(NOW, reply(&first, Verdict::Refused)).unwrap();
    assert_eq!(outcomes(&mut producer), []);
}

#[test]
fn it_gives_up_after_its_last_attempt() {
    let check = |attempts, verdicts: &[Verdict], retries: bool| {
        let mut producer = producer_with(&pipeline(|it| it.producer.attempts = attempts), 1);
        for verdict in verdicts {
            let (_, earliest) = producer.next_attempt().unwrap();
            let publish = producer.transmit(earliest).unwrap().unwrap();
            producer.handle_reply(NOW, reply(&publish, *verdict)).unwrap();
        }
        assert_eq!(producer.next_attempt().is_some(), retries, "{attempts:?}");
        assert_eq!(open_producer(&Pipeline::default(), producer.into_store()).outbox().is_empty(), !retries);
    };
    check(Attempts::AtMost(1), &[Verdict::Refused], false);
    check(Attempts::AtMost(3), &[Verdict::Refused; 2], true);
    check(Attempts::AtMost(3), &[Verdict::Refused; 3], false);
    check(Attempts::UntilAcked, &[Verdict::Refused; 9], true);
}

#[test]
fn attempts_carry_no_number_beyond_the_count() {
    let tuning = Tuning { numbers_max: 3, ..Tuning::default() };
    let (pipeline, store) = (Pipeline::default(), SimulatedOutbox::default());
    let mut producer = Producer::open(&pipeline, tuning, ProducerId(1), store).unwrap();
    producer.submit(message(1), order(1)).unwrap();
    let mut numbers = Vec::new();
    for _ in 0..4 {
        producer.transmit(Millis(u64::MAX)).unwrap().unwrap();
        producer.time_out(NOW, message(1)).unwrap();
        numbers.push(outcomes(&mut producer)[0].1.map(|attempt| attempt.0));
    }
    assert_eq!(numbers, [Some(1), Some(2), None, None]);
}

#[test]
fn a_message_that_the_outbox_refused_leaves_no_gap() {
    let mut store = SimulatedOutbox::default();
    store.refuse_next = true;
    let mut producer = open_producer(&Pipeline::default(), store);
    let refused = SubmitError::Store { message: message(1), why: StoreError::Refused };
    assert_eq!(producer.submit(message(1), order(1)), Err(refused));
    assert_eq!(kinds(|| producer.poll_report()), []);
    producer.submit(message(2), order(2)).unwrap();
    assert_eq!(producer.submit(message(2), order(2)), Err(SubmitError::Unfinished(message(2))));
    let mut broker = open_broker(&Pipeline::default(), Journals::default());
    store_and_check(&mut broker, producer.transmit(NOW).unwrap().unwrap(), 1);
}

/// On the wire it would never fit into a frame: it would be kept, and tried for ever.
#[test]
fn a_message_that_is_too_long_to_be_transmitted_is_not_taken() {
    let mut producer = open_producer(&Pipeline::default(), SimulatedOutbox::default());
    let found = PAYLOAD_MAX + 1;
    let refused = producer.submit(message(1), vec![7; found].into());
    assert_eq!(refused, Err(SubmitError::TooLong { message: message(1), found }));
    assert_eq!(kinds(|| producer.poll_report()), []);
    producer.submit(message(2), vec![7; PAYLOAD_MAX].into()).unwrap();
    assert_eq!(producer.outbox().iter().map(|(message, _)| message).collect::<Vec<_>>(), [message(2)]);
}

fn store_and_check(broker: &mut Broker<SimulatedJournal>, publish: Publish, records: u64) {
    store(broker, publish);
    assert_eq!(broker.log().end(), Position(records));
}

#[test]
fn a_retry_of_what_is_not_durable_yet_shares_its_fate() {
    for (identity, dedup) in [(By::Sequence, Dedup::Sequence), (By::MessageId, Dedup::MessageId)] {
        let pipeline = pipeline(|it| (it.producer.identity, it.broker.dedup) = (identity, dedup));
        let mut producer = producer_with(&pipeline, 1);
        let mut broker = open_broker(&pipeline, Journals::default());
        store_and_check(&mut broker, producer.transmit(NOW).unwrap().unwrap(), 1);
        producer.time_out(NOW, message(1)).unwrap();
        store_and_check(&mut broker, producer.transmit(Millis(100)).unwrap().unwrap(), 1);
        broker.confirm_due();
        assert_eq!(replies(&mut broker), [], "{dedup:?}");
        broker.sync().unwrap();
        broker.confirm_due();
        let verdict = Verdict::Acked(Some(Position(0)));
        assert_eq!(replies(&mut broker), [Reply { message: message(1), attempt: AttemptNumber(2), verdict }]);
    }
}

/// Once, what was owed was known by the message alone: of two producers that used the same id, the later one took the
/// confirmation from the earlier one, which tried again until it was alone.
#[test]
fn producers_with_the_same_ids_are_each_confirmed() {
    let check = |identity, dedup| {
        let pipeline = pipeline(|it| (it.producer.identity, it.broker.dedup) = (identity, dedup));
        let mut broker = open_broker(&pipeline, Journals::default());
        let publishes = [1, 2].map(|id| {
            let (tuning, store) = (Tuning::default(), SimulatedOutbox::default());
            let mut producer = Producer::open(&pipeline, tuning, ProducerId(id), store).unwrap();
            producer.submit(message(1), order(1)).unwrap();
            producer.transmit(NOW).unwrap().unwrap()
        });
        for (publish, peer) in publishes.into_iter().zip([1, 2]) {
            broker.receive(publish, Some(Peer(peer))).unwrap();
            assert!(broker.append_next().unwrap());
        }
        broker.sync().unwrap();
        broker.confirm_due();
        let replies: Vec<_> = std::iter::from_fn(|| broker.poll_reply()).collect();
        let reply = |position| {
            let verdict = Verdict::Acked(Some(Position(position)));
            Reply { message: message(1), attempt: AttemptNumber(1), verdict }
        };
        assert_eq!(replies, [(Peer(1), reply(0)), (Peer(2), reply(1))], "{identity:?}");
    };
    check(By::Sequence, Dedup::Sequence);
    check(By::MessageId, Dedup::MessageId);
    check(By::None, Dedup::None);
}

#[test]
fn a_number_that_overtakes_another_is_refused() {
    let pipeline = pipeline(|it| it.producer.in_flight = 3);
    let mut producer = producer_with(&pipeline, 3);
    let mut broker = open_broker(&pipeline, Journals::default());
    let [first, second, third] = [(); 3].map(|()| producer.transmit(NOW).unwrap().unwrap());
    store_and_check(&mut broker, first, 1);
    store_and_check(&mut broker, third.clone(), 1);
    assert_eq!(replies(&mut broker), [reply(&third, Verdict::Refused)]);
    store_and_check(&mut broker, second, 2);
    store_and_check(&mut broker, third, 3);
}

/// A number that a session which nobody remembers skipped is called old later, although no record has it. A duplicate is
/// confirmed again, as Kafka does: the message is acked and lost.
#[test]
fn a_number_that_was_never_stored_is_taken_for_old_and_confirmed() {
    let pipeline = pipeline(|it| it.producer.in_flight = 3);
    let mut producer = producer_with(&pipeline, 3);
    let mut broker = open_broker(&pipeline, Journals::default());
    let [first, second, third] = std::array::from_fn(|_| producer.transmit(NOW).unwrap().unwrap());
    store_and_check(&mut broker, first, 1);
    broker.forget_seen();
    store_and_check(&mut broker, third, 2);
    store_and_check(&mut broker, second, 2);
    let confirmed = |broker: &mut Broker<_>| -> Vec<MessageId> {
        broker.confirm_due();
        replies(broker).iter().map(|reply| reply.message).collect()
    };
    assert_eq!(confirmed(&mut broker), [message(2)], "there is no record to wait for");
    broker.sync().unwrap();
    assert_eq!(confirmed(&mut broker), [message(1), message(3)]);
}

#[test]
fn a_failed_write_is_refused_and_its_retry_is_no_duplicate() {
    let pipeline = Pipeline::default();
    let check = |fail: &dyn Fn(&mut SimulatedJournal)| {
        let mut journals = Journals::default();
        fail(&mut journals.log);
        let mut broker = open_broker(&pipeline, journals);
        let mut producer = producer_with(&pipeline, 1);
        let publish = producer.transmit(NOW).unwrap().unwrap();
        store_and_check(&mut broker, publish.clone(), 0);
        assert_eq!(replies(&mut broker), [reply(&publish, Verdict::Refused)]);
        assert!(!broker.owes_any() && !broker.needs_sync());
        let mut journals = broker.into_journals();
        (journals.log.refuse_next, journals.log.capacity_bytes) = (false, None);
        store_and_check(&mut open_broker(&pipeline, journals), publish, 1);
    };
    check(&|log| log.refuse_next = true);
    check(&|log| log.capacity_bytes = Some(20));
}

#[test]
fn nobody_is_told_of_a_straggler_or_over_a_dead_connection() {
    let pipeline = Pipeline::default();
    let publish = producer_with(&pipeline, 1).transmit(NOW).unwrap().unwrap();
    let check = |from, disconnect: bool| {
        let mut broker = open_broker(&pipeline, Journals::default());
        broker.receive(publish.clone(), from).unwrap();
        if disconnect {
            broker.disconnect(PEER);
        }
        assert!(broker.append_next().unwrap());
        broker.sync().unwrap();
        broker.confirm_due();
        replies(&mut broker).len()
    };
    assert_eq!((check(Some(PEER), false), check(None, false), check(Some(PEER), true)), (1, 0, 0));
}
