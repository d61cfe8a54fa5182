//! What recognising a retry costs a publish: the broker's memories beside a hash set of the standard library.
//!
//! Every eighth publish is a retry of the one before. Identities go on from iteration to iteration, or all would be
//! duplicates from the second on, and each memory covers its window from the start. After each sample, what was stored
//! and what was suppressed is counted against what was published.

use std::collections::{HashSet, VecDeque};
use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use delivery_benches::time;
use delivery_impls::core::dedup::{Familiarity, Memory};
use delivery_impls::core::record::{Identity, ProducerId, Session};
use delivery_model::pipeline::{Broker, Dedup};
use delivery_model::vocab::{Epoch, MessageId, Position};

/// Publishes in an iteration, retries included.
const BATCH: u64 = 4096;
/// One publish in so many is a retry.
const RETRY_EVERY: u64 = 8;
/// How many records the memories cover.
const WINDOW: u32 = 10_000;
/// Producers that take turns, where there is more than one.
const PRODUCERS: u64 = 1000;

/// A memory of the latest records, by which a retry is recognised.
trait Recognise {
    fn is_duplicate(&self, identity: Identity) -> bool;
    fn remember(&mut self, position: Position, identity: Identity);
}

impl Recognise for Memory {
    fn is_duplicate(&self, identity: Identity) -> bool {
        match self.judge(identity) {
            Familiarity::New => false,
            Familiarity::Duplicate => true,
            Familiarity::Gap => panic!("every number follows the one before: {identity:?}"),
        }
    }

    fn remember(&mut self, position: Position, identity: Identity) {
        Memory::remember(self, position, identity);
    }
}

/// The baseline: a hash set, and a queue to forget by.
#[derive(Default)]
struct WindowedSet {
    seen: HashSet<Identity>,
    order: VecDeque<Identity>,
}

impl Recognise for WindowedSet {
    fn is_duplicate(&self, identity: Identity) -> bool {
        self.seen.contains(&identity)
    }

    fn remember(&mut self, _: Position, identity: Identity) {
        self.seen.insert(identity);
        self.order.push_back(identity);
        if self.order.len() > WINDOW as usize {
            let oldest = self.order.pop_front().expect("the queue is not empty");
            self.seen.remove(&oldest);
        }
    }
}

fn memory(dedup: Dedup) -> Memory {
    Memory::new(&Broker { dedup, dedup_window: WINDOW, ..Broker::default() }, Position(0))
}

/// The n-th distinct message, of producers that take turns.
fn by_sequence<const PRODUCERS: u64>(n: u64) -> Identity {
    let producer = ProducerId((n % PRODUCERS) as u32);
    Identity::Sequence { session: Session { producer, session: Epoch(0) }, number: n / PRODUCERS }
}

fn by_id(n: u64) -> Identity {
    // Ids as applications make them are in no order: an odd factor sends each number to another one.
    Identity::Message { message: MessageId(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)), session: Session::default() }
}

/// A broker as far as its dedup goes.
struct Publishing<M> {
    memory: M,
    stored: u64,
    suppressed: u64,
}

impl<M: Recognise> Publishing<M> {
    fn publish(&mut self, identity: Identity) {
        if self.memory.is_duplicate(black_box(identity)) {
            self.suppressed += 1;
        } else {
            self.memory.remember(Position(self.stored), identity);
            self.stored += 1;
        }
    }

    /// Every eighth publish is the one before once more.
    fn publish_batch(&mut self, identity: fn(u64) -> Identity) {
        for publish in 0..BATCH {
            let is_retry = publish % RETRY_EVERY == RETRY_EVERY - 1;
            self.publish(identity(self.stored - u64::from(is_retry)));
        }
    }
}

fn bench<M: Recognise>(
    group: &mut BenchmarkGroup<WallTime>,
    name: &str,
    memory: impl Fn() -> M,
    identity: fn(u64) -> Identity,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut publishing = Publishing { memory: memory(), stored: 0, suppressed: 0 };
            let warm = u64::from(WINDOW);
            (0..warm).for_each(|n| publishing.publish(identity(n)));
            let took = time(|| (0..iterations).for_each(|_| publishing.publish_batch(identity)));
            let retries = iterations * BATCH / RETRY_EVERY;
            assert_eq!(publishing.suppressed, retries, "every retry is recognised");
            assert_eq!(publishing.stored, warm + iterations * BATCH - retries, "nothing else is");
            took
        });
    });
}

fn dedup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("dedup");
    group.throughput(Throughput::Elements(BATCH));
    bench(&mut group, "one producer/sequence", || memory(Dedup::Sequence), by_sequence::<1>);
    bench(&mut group, "one producer/hash set", WindowedSet::default, by_sequence::<1>);
    bench(&mut group, "1000 producers/sequence", || memory(Dedup::Sequence), by_sequence::<PRODUCERS>);
    bench(&mut group, "1000 producers/hash set", WindowedSet::default, by_sequence::<PRODUCERS>);
    bench(&mut group, "message ids/id set", || memory(Dedup::MessageId), by_id);
    bench(&mut group, "message ids/hash set", WindowedSet::default, by_id);
    group.finish();
}

criterion_group!(benches, dedup);
criterion_main!(benches);
