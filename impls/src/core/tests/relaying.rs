//! An outbox that is read by position, and a producer that starts over after a refusal.

use delivery_model::pipeline::{OnRefusal, OnRestart, OutboxRead, RelayCommits};
use delivery_model::vocab::{AttemptNumber, Epoch};

use super::*;
use crate::data::record::{Identity, Session, Verdict};

/// Everything that the producer may transmit now: message, and session and number of its identity.
fn attempts(producer: &mut Producer<SimulatedOutbox>) -> Vec<(u64, u32, u64)> {
    let attempts = std::iter::from_fn(|| {
        producer.next_attempt().map(|(_, earliest)| earliest).and_then(|earliest| producer.transmit(earliest).unwrap())
    });
    let told = attempts.map(|Publish { record, .. }| match record.identity {
        Identity::Sequence { session: Session { session, .. }, number } => (record.message.0, session.0, number),
        other => unreachable!("{other:?}"),
    });
    told.collect()
}

fn answer(producer: &mut Producer<SimulatedOutbox>, number: u64, verdict: Verdict) {
    let reply = Reply { message: message(number), attempt: AttemptNumber(1), verdict };
    producer.handle_reply(NOW, reply).unwrap();
}

/// What is transmitted first, and what after a crash, if of three messages in flight the second one is confirmed.
fn around_a_crash(outbox: OutboxRead, relay_commits: RelayCommits, on_restart: OnRestart) -> [Vec<(u64, u32, u64)>; 2] {
    let pipeline = pipeline(|it| {
        (it.producer.outbox, it.producer.relay_commits) = (outbox, relay_commits);
        (it.producer.on_restart, it.producer.in_flight) = (on_restart, 3);
    });
    let mut producer = producer_with(&pipeline, 4);
    let first = attempts(&mut producer);
    answer(&mut producer, 2, Verdict::Acked(None));
    let mut widened = pipeline;
    widened.producer.in_flight = 9;
    [first, attempts(&mut open_producer(&widened, producer.into_store()))]
}

/// What was confirmed behind something that was not comes again: the position is one number.
#[test]
fn a_restart_goes_on_behind_the_stored_position() {
    use OnRestart::{Outbox, Resubmits};
    use OutboxRead::{Cursor, Rows};
    use RelayCommits::{AfterAck, BeforePublish};
    let check = |outbox, relay_commits, on_restart, expected: &[(u64, u32, u64)]| {
        let [first, again] = around_a_crash(outbox, relay_commits, on_restart);
        assert_eq!(first, [(1, 0, 0), (2, 0, 1), (3, 0, 2)]);
        assert_eq!(again, expected, "{outbox:?} {relay_commits:?} {on_restart:?}");
    };
    check(Rows, AfterAck, Outbox, &[(1, 0, 0), (3, 0, 2), (4, 0, 3)]);
    check(Rows, BeforePublish, Outbox, &[(1, 0, 0), (3, 0, 2), (4, 0, 3)]);
    check(Cursor, AfterAck, Outbox, &[(1, 0, 0), (2, 0, 1), (3, 0, 2), (4, 0, 3)]);
    check(Cursor, AfterAck, Resubmits, &[(1, 1, 0), (2, 1, 1), (3, 1, 2), (4, 1, 3)]);
    check(Cursor, BeforePublish, Outbox, &[(4, 0, 3)]);
    check(Cursor, BeforePublish, Resubmits, &[(4, 1, 0)]);
}

#[test]
fn a_row_that_becomes_visible_behind_the_position_is_not_read() {
    let check = |outbox, expected: &[(u64, u32, u64)]| {
        let pipeline = pipeline(|it| (it.producer.outbox, it.producer.in_flight) = (outbox, 9));
        let mut producer = open_producer(&pipeline, SimulatedOutbox::default());
        producer.submit(message(2), order(2)).unwrap();
        assert_eq!(attempts(&mut producer), [(2, 0, 0)]);
        producer.submit(message(1), order(1)).unwrap();
        assert_eq!(attempts(&mut producer), expected, "{outbox:?}");
        // Nothing was confirmed: no position is stored, and who starts anew reads from the beginning.
        let mut successor = open_producer(&pipeline, producer.into_store());
        assert_eq!(attempts(&mut successor), [(2, 0, 0), (1, 0, 1)], "{outbox:?}");
        answer(&mut successor, 2, Verdict::Acked(None));
        answer(&mut successor, 1, Verdict::Acked(None));
        assert_eq!(attempts(&mut open_producer(&pipeline, successor.into_store())), []);
    };
    check(OutboxRead::Rows, &[(1, 0, 1)]);
    check(OutboxRead::Cursor, &[]);
}

#[test]
fn a_refusal_begins_a_session_that_restarts_keep() {
    let pipeline = pipeline(|it| (it.producer.on_refusal, it.producer.in_flight) = (OnRefusal::NewEpoch, 2));
    let mut producer = producer_with(&pipeline, 3);
    assert_eq!(attempts(&mut producer), [(1, 0, 0), (2, 0, 1)]);
    answer(&mut producer, 2, Verdict::Refused);
    assert_eq!(producer.epoch(), Epoch(1));
    assert_eq!(attempts(&mut producer), [(1, 1, 0), (2, 1, 1)]);
    let mut successor = open_producer(&pipeline, producer.into_store());
    assert_eq!(successor.epoch(), Epoch(2));
    assert_eq!(attempts(&mut successor), [(1, 1, 0), (2, 1, 1)]);
    answer(&mut successor, 1, Verdict::Acked(None));
    assert_eq!(attempts(&mut successor), [(3, 1, 2)]);
}
