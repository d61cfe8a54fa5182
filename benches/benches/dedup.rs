//! The cost for a publish of recognising a retry: the memory of the broker, the memories that it is compared with,
//! and a hash set of the standard library.
//!
//! Every eighth publish is a retry of the one before. Names continue from iteration to iteration (otherwise all would
//! be duplicates from the second one on), and each memory covers its window from the start. After each sample, the
//! stored and the suppressed publishes are compared with what was published, so no figure belongs to a memory that
//! made an error.
//!
//! The memories do not remember the same: `delivery_benches::dedup` says what each forgets. The durable one is on
//! disk, and its time is that of a transaction.

use std::cell::Cell;
use std::collections::{HashSet, VecDeque};
use std::fmt::Debug;
use std::hint::black_box;
use std::path::Path;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use delivery_benches::dedup::{
    Answer, BitWindow, Dedup, Durable, ExactIds, HighWater, LastFive, Numbered, ProducerTable, TwoGenerations,
};
use delivery_benches::time;
use delivery_impls::core::dedup::{Familiarity, Memory};
use delivery_impls::data::record::{Identity, ProducerId, Session};
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_model::pipeline::{self, Broker};
use delivery_model::vocab::{Epoch, MessageId, Position};

/// The number of publishes in an iteration, retries included, and the number of messages that are stored before.
#[derive(Clone, Copy)]
struct Load {
    batch: u64,
    warm: u64,
}

/// The load of a memory in RAM.
const IN_MEMORY: Load = Load { batch: 4096, warm: WINDOW as u64 };
/// The load of a memory that makes a transaction of each message.
const ON_DISK: Load = Load { batch: 64, warm: 0 };
/// One publish of this many is a retry.
const RETRY_EVERY: u64 = 8;
/// The number of latest records that a memory with a window covers.
const WINDOW: u32 = 10_000;
/// The number of words of a bit window that covers as many.
const WINDOW_WORDS: usize = WINDOW.div_ceil(64) as usize + 1;
/// The number of producers that take turns, in the case of several.
const PRODUCERS: u64 = 1000;

/// A memory by which a retry is recognised.
trait Recognise {
    type Name: Copy + Debug;
    fn is_duplicate(&self, name: Self::Name) -> bool;
    fn remember(&mut self, position: Position, name: Self::Name);
}

/// The memory of the broker.
impl Recognise for Memory {
    type Name = Identity;

    fn is_duplicate(&self, name: Identity) -> bool {
        match self.judge(name) {
            Familiarity::New => false,
            Familiarity::Duplicate => true,
            Familiarity::Gap => panic!("every number follows the one before: {name:?}"),
        }
    }

    fn remember(&mut self, position: Position, name: Identity) {
        Memory::remember(self, position, name);
    }
}

/// A memory that the broker's is compared with.
struct Compared<M>(M);

impl<M: Dedup> Recognise for Compared<M> {
    type Name = M::Name;

    fn is_duplicate(&self, name: M::Name) -> bool {
        match self.0.judge(name).expect("it answers") {
            Answer::New => false,
            Answer::Duplicate => true,
            refused => panic!("every number follows the one before: {name:?} is {refused:?}"),
        }
    }

    fn remember(&mut self, _: Position, name: M::Name) {
        self.0.remember(name).expect("there is room");
    }
}

/// The baseline: a hash set, and a queue of the order in which it forgets.
#[derive(Default)]
struct WindowedSet {
    seen: HashSet<Identity>,
    order: VecDeque<Identity>,
}

impl Recognise for WindowedSet {
    type Name = Identity;

    fn is_duplicate(&self, name: Identity) -> bool {
        self.seen.contains(&name)
    }

    fn remember(&mut self, _: Position, name: Identity) {
        self.seen.insert(name);
        self.order.push_back(name);
        if self.order.len() > WINDOW as usize {
            let oldest = self.order.pop_front().expect("the queue is not empty");
            self.seen.remove(&oldest);
        }
    }
}

fn memory(dedup: pipeline::Dedup) -> Memory {
    Memory::new(&Broker { dedup, dedup_window: WINDOW, ..Broker::default() }, Position(0))
}

/// The n-th distinct message, of producers that take turns.
fn numbered<const PRODUCERS: u64>(n: u64) -> Numbered {
    let session = Session { producer: ProducerId((n % PRODUCERS) as u32), session: Epoch(0) };
    Numbered { session, number: n / PRODUCERS }
}

fn by_sequence<const PRODUCERS: u64>(n: u64) -> Identity {
    let Numbered { session, number } = numbered::<PRODUCERS>(n);
    Identity::Sequence { session, number }
}

fn by_id(n: u64) -> Identity {
    // Ids of applications come in no order: multiplication by an odd number maps each number to another one.
    Identity::Message { message: MessageId(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)), session: Session::default() }
}

/// A broker that does nothing but dedup.
struct Publishing<M> {
    memory: M,
    stored: u64,
    suppressed: u64,
}

impl<M: Recognise> Publishing<M> {
    fn publish(&mut self, name: M::Name) {
        if self.memory.is_duplicate(black_box(name)) {
            self.suppressed += 1;
        } else {
            self.memory.remember(Position(self.stored), name);
            self.stored += 1;
        }
    }

    /// Publishes a batch, in which every eighth publish repeats the one before.
    fn publish_batch(&mut self, batch: u64, name: fn(u64) -> M::Name) {
        for publish in 0..batch {
            let is_retry = publish % RETRY_EVERY == RETRY_EVERY - 1;
            self.publish(name(self.stored - u64::from(is_retry)));
        }
    }
}

fn bench<M: Recognise>(
    group: &mut BenchmarkGroup<WallTime>,
    name: &str,
    Load { batch, warm }: Load,
    memory: impl Fn() -> M,
    name_of: fn(u64) -> M::Name,
) {
    group.throughput(Throughput::Elements(batch));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut publishing = Publishing { memory: memory(), stored: 0, suppressed: 0 };
            (0..warm).for_each(|n| publishing.publish(name_of(n)));
            let took = time(|| (0..iterations).for_each(|_| publishing.publish_batch(batch, name_of)));
            let retries = iterations * batch / RETRY_EVERY;
            assert_eq!(publishing.suppressed, retries, "every retry is recognised");
            assert_eq!(publishing.stored, warm + iterations * batch - retries, "nothing else is");
            took
        });
    });
}

/// The memories by number, for one producer or for a thousand that take turns.
fn sequences<const PRODUCERS: u64>(criterion: &mut Criterion, producers: &str) {
    let group = &mut criterion.benchmark_group(format!("dedup/{producers}"));
    bench(group, "broker, sequence", IN_MEMORY, || memory(pipeline::Dedup::Sequence), by_sequence::<PRODUCERS>);
    bench(group, "high water", IN_MEMORY, || Compared(HighWater::default()), numbered::<PRODUCERS>);
    bench(group, "bit window of 128", IN_MEMORY, || Compared(BitWindow::<3>::default()), numbered::<PRODUCERS>);
    if PRODUCERS == 1 {
        let wide = || Compared(BitWindow::<WINDOW_WORDS>::default());
        bench(group, "bit window of 10000", IN_MEMORY, wide, numbered::<PRODUCERS>);
    }
    bench(group, "producer table", IN_MEMORY, || Compared(ProducerTable::new(1000)), numbered::<PRODUCERS>);
    bench(group, "last five", IN_MEMORY, || Compared(LastFive::default()), numbered::<PRODUCERS>);
    bench(group, "hash set", IN_MEMORY, WindowedSet::default, by_sequence::<PRODUCERS>);
}

fn ids(criterion: &mut Criterion) {
    let group = &mut criterion.benchmark_group("dedup/message ids");
    let window = WINDOW as usize;
    bench(group, "broker, message-id", IN_MEMORY, || memory(pipeline::Dedup::MessageId), by_id);
    bench(group, "exact set", IN_MEMORY, || Compared(ExactIds::new(window)), by_id);
    bench(group, "two generations", IN_MEMORY, || Compared(TwoGenerations::new(window)), by_id);
    bench(group, "hash set", IN_MEMORY, WindowedSet::default, by_id);
    let (folder, samples) = (tempfile::tempdir().expect("a folder"), Cell::new(0));
    let new_file = || folder.path().join(format!("{}.redb", samples.replace(samples.get() + 1)));
    group.sample_size(10);
    bench(group, "durable", ON_DISK, || durable(&new_file()), by_id);
}

fn durable(path: &Path) -> Compared<Durable<EmbeddedInventory>> {
    let Ok(memory) = Durable::recover(EmbeddedInventory::open(path).expect("a new database"));
    Compared(memory)
}

fn dedup(criterion: &mut Criterion) {
    sequences::<1>(criterion, "one producer");
    sequences::<PRODUCERS>(criterion, "1000 producers");
    ids(criterion);
}

criterion_group!(benches, dedup);
criterion_main!(benches);
