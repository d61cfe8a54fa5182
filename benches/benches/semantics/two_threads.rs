//! The cost of a message with a core for each side: the producer and the broker's core on one thread, the consumer
//! with its inventory on the other.
//!
//! The threads exchange what they would send over a connection, in batches of up to a round, through bounded queues,
//! so that both work at the same time: the broker continues to publish and to hand off while up to [`AHEAD`] batches
//! wait for the consumer. A run is a batch of messages from the first submit to the last release. It takes about a
//! millisecond, so some runs are not interrupted. A gain shows only on two idle cores, so the control is printed with
//! the figures.

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use delivery_benches::{report_speed_beside_another, time_at_once};
use delivery_impls::core::deliveries::Next;
use delivery_impls::core::delivery::{ConsumerOutput, DeliveryId, HandOff};
use delivery_model::pipeline::Pipeline;
use delivery_model::vocab::SettleOutcome;
use delivery_proofs::figures::Sheet;

use super::{BATCH, CONSUMER, FAILS, MemoryBroker, NAMES, NOW, Ordering, ROUND, Stocking, Whole, reference};

/// The number of batches that the consumer has not answered: enough that neither side waits for the other to wake up.
const AHEAD: usize = 8;

/// The number of looks of a waiting thread before it yields: about the time of a batch.
const SPINS: u32 = 1_000;

/// The messages of the broker in one batch.
#[derive(Default)]
struct Batch {
    settled: Vec<(DeliveryId, SettleOutcome)>,
    hand_offs: Vec<HandOff>,
}

/// The consumer's answer to a batch, which may be empty.
type Answer = Vec<ConsumerOutput>;

/// The loop of the first thread, until every message is published and its delivery has ended.
fn serve(
    ordering: &mut Ordering,
    broker: &mut MemoryBroker,
    messages: u64,
    to_consumer: SyncSender<Batch>,
    answers: Receiver<Answer>,
) {
    let (mut over, mut ahead, mut settled) = (0, 0, Vec::new());
    while over < messages {
        let publishes = ordering.submitted < messages && ahead < AHEAD;
        if publishes {
            ordering.publish_round(broker);
        }
        let batch = Batch { settled: std::mem::take(&mut settled), hand_offs: hand_off(broker) };
        if !(batch.settled.is_empty() && batch.hand_offs.is_empty()) {
            to_consumer.send(batch).expect("the consumer is there");
            ahead += 1;
        }
        // Waits if there is nothing else to do.
        let first = if publishes { answers.try_recv().ok() } else { next(&answers) };
        for answer in first.into_iter().chain(answers.try_iter()) {
            ahead -= 1;
            over += take(broker, answer, &mut settled);
        }
    }
}

/// The next value of the queue; none if the other side has ended. A wake-up by the operating system takes longer than
/// a batch, so a waiting thread keeps its core unless another thread wants it.
fn next<T>(queue: &Receiver<T>) -> Option<T> {
    loop {
        for _ in 0..SPINS {
            match queue.try_recv() {
                Ok(next) => return Some(next),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => std::hint::spin_loop(),
            }
        }
        thread::yield_now();
    }
}

fn hand_off(broker: &mut MemoryBroker) -> Vec<HandOff> {
    let mut hand_offs = Vec::with_capacity(ROUND as usize);
    while let Some((CONSUMER, Next::HandOff(position))) = broker.next() {
        hand_offs.push(broker.hand_off(NOW, position, CONSUMER).expect(FAILS));
    }
    hand_offs
}

/// Passes the consumer's messages to the broker. Returns the number of deliveries that have ended.
fn take(broker: &mut MemoryBroker, answer: Answer, settled: &mut Vec<(DeliveryId, SettleOutcome)>) -> u64 {
    let mut over = 0;
    for output in answer {
        match output {
            ConsumerOutput::Settle(request) => settled.push((request.hand, broker.settle(NOW, request).expect(FAILS))),
            ConsumerOutput::Release(hand) => {
                broker.release(hand);
                over += 1;
            }
            other => unreachable!("it is not connected, and follows no cursor: {other:?}"),
        }
    }
    while broker.poll_report().is_some() {}
    over
}

/// The loop of the second thread, until the queue has ended.
fn consume(stocking: &mut Stocking, batches: Receiver<Batch>, to_broker: SyncSender<Answer>) {
    while let Some(Batch { settled, hand_offs }) = next(&batches) {
        for (hand, outcome) in settled {
            stocking.consumer.handle_settled(hand, outcome);
            stocking.work(hand);
        }
        for hand_off in hand_offs {
            let hand = hand_off.hand;
            stocking.consumer.deliver(hand_off);
            stocking.work(hand);
        }
        let answer = std::iter::from_fn(|| stocking.consumer.poll_output()).collect();
        if to_broker.send(answer).is_err() {
            return;
        }
    }
}

/// The time of this many messages from end to end.
fn timed(pipeline: &Pipeline, messages: u64) -> Duration {
    let Whole { mut ordering, mut broker, mut stocking } = Whole::new(pipeline.clone());
    let (to_consumer, batches) = sync_channel(AHEAD);
    let (to_broker, answers) = sync_channel(AHEAD);
    let (ordering, broker, consumer) = (&mut ordering, &mut broker, &mut stocking);
    let sides: [Box<dyn FnOnce() + Send>; 2] = [
        Box::new(move || serve(ordering, broker, messages, to_consumer, answers)),
        Box::new(move || consume(consumer, batches, to_broker)),
    ];
    let took = time_at_once(sides);
    stocking.check(messages);
    took
}

/// Adds the cost of a message under each semantics: the best of a few runs of each. The pipelines take turns, so that
/// other load affects all of them in the same way. Prints the control, to standard error.
pub fn add(sheet: &mut Sheet, is_test: bool) {
    let tries = if is_test { 1 } else { 2_000 };
    let pipelines = NAMES.map(reference);
    let mut best = [Duration::MAX; NAMES.len()];
    for _ in 0..tries {
        for (best, pipeline) in best.iter_mut().zip(&pipelines) {
            *best = timed(pipeline, BATCH).min(*best);
        }
    }
    report_speed_beside_another();
    let [_, least, _] = best;
    let table = sheet.table("a message in memory, a thread for each side", &["semantics", "ns", "by at-least-once"]);
    for (name, took) in NAMES.iter().zip(best) {
        table.row(*name, [took.as_nanos() as f64 / BATCH as f64, took.as_secs_f64() / least.as_secs_f64()]);
    }
}
