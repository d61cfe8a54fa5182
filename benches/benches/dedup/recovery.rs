//! A restart of a broker with a million producers: the snapshot, and the memory that comes of it.

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput};
use delivery_benches::{is_test, time_of_thread};
use delivery_memories::{Answer, BitWindow, Dedup, HighWater, LastFive, Numbered, ProducerTable};
use delivery_proofs::figures::Sheet;

use crate::loads::Named;

/// The numbers that each producer has sent.
const NUMBERS: u64 = 3;

/// The times of a memory.
#[derive(Clone, Copy)]
pub struct Times {
    pub producers: u32,
    snapshot: Duration,
    recovery: Duration,
    bytes: usize,
}

impl Times {
    pub fn recovery_ms(&self) -> f64 {
        self.recovery.as_secs_f64() * 1e3
    }
}

/// Measures a snapshot and a recovery of each memory. Leaves out what a filter leaves out.
pub fn compare(criterion: &mut Criterion) -> Vec<(&'static str, Times)> {
    let producers: u32 = if is_test() { 1000 } else { 1_000_000 };
    let times = [
        ("producer-table", measure(criterion, "producer-table", producers, || ProducerTable::new(producers as usize))),
        ("bit-window", measure(criterion, "bit-window", producers, BitWindow::<2>::default)),
        ("high-water", measure(criterion, "high-water", producers, HighWater::default)),
        ("last-five", measure(criterion, "last-five", producers, LastFive::default)),
    ];
    times.into_iter().filter(|(_, times)| times.bytes > 0).collect()
}

/// Adds the table of these times.
pub fn add(sheet: &mut Sheet, times: &[(&str, Times)]) {
    let Some((_, first)) = times.first() else {
        return;
    };
    let title = format!("a restart with {} producers", first.producers);
    let table = sheet.table(&title, &["memory", "snapshot ms", "recovery ms", "bytes a producer"]);
    for (memory, times) in times {
        let bytes = times.bytes as f64 / f64::from(times.producers);
        table.row(*memory, [times.snapshot.as_secs_f64() * 1e3, times.recovery_ms(), bytes]);
    }
}

fn measure<M>(criterion: &mut Criterion, id: &str, producers: u32, new: impl Fn() -> M) -> Times
where
    M: Dedup<Name = Numbered, Snapshot = Vec<u8>>,
{
    let mut group = criterion.benchmark_group("dedup/recovery");
    group.sample_size(10).sampling_mode(SamplingMode::Flat).throughput(Throughput::Elements(producers.into()));
    group.warm_up_time(Duration::from_millis(50)).measurement_time(Duration::from_millis(500));
    let (mut times, mut memory) =
        (Times { producers, snapshot: Duration::MAX, recovery: Duration::MAX, bytes: 0 }, None);
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|iterations| {
            let mut sum = Duration::ZERO;
            for _ in 0..iterations {
                let before = memory.take().unwrap_or_else(|| full(&new, producers));
                let (mut bytes, mut after) = (Vec::new(), None);
                let snapshot = time_of_thread(|| bytes = before.into_snapshot());
                times.bytes = bytes.len();
                let recovery = time_of_thread(|| after = M::recover(bytes).ok());
                let after = after.expect("its own snapshot");
                check(&after, producers);
                memory = Some(after);
                times.snapshot = times.snapshot.min(snapshot);
                times.recovery = times.recovery.min(recovery);
                sum += recovery;
            }
            sum
        });
    });
    times
}

/// A memory of so many producers.
fn full<M: Dedup<Name = Numbered>>(new: impl Fn() -> M, producers: u32) -> M {
    let (mut memory, mut answers) = (new(), Vec::new());
    for number in 0..NUMBERS {
        let names: Vec<Numbered> = (0..producers).map(|producer| Numbered::of(producer, number)).collect();
        memory.admit_all(&names, &mut answers).expect("there is room");
    }
    assert!(answers.iter().all(|answer| *answer == Answer::New), "each name comes once");
    memory
}

/// Checks that the memory knows the last number of every producer, and expects the next.
fn check<M: Dedup<Name = Numbered>>(memory: &M, producers: u32) {
    for producer in 0..producers {
        let ask = |number| memory.judge(Numbered::of(producer, number)).expect("it answers");
        assert_eq!([ask(NUMBERS - 1), ask(NUMBERS)], [Answer::Duplicate, Answer::New], "producer {producer}");
    }
}
