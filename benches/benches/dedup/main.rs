//! The cost of recognising a retry: our memories and the broker's, beside the maps, sets and caches of others.
//!
//! Names are made before the clock starts, a memory answers on thousands of them at a time, and after each timed run
//! the answers are held against an exact set over the same input ([`oracle`]). So a figure never belongs to a memory
//! that skipped its work; what it let in or refused wrongly stands beside it. The limits of the machine are measured in
//! the same run ([`floors`]), and the last column is what the model says of a pipeline with such a memory, past what it
//! remembers ([`verdicts`]).
//!
//! The memories do not remember the same: `delivery_memories` says what each forgets. Criterion's report has a
//! group for each load; so have the tables at the end, and the goals stand after them.

mod floors;
mod goals;
mod loads;
mod memories;
mod oracle;
mod ours;
mod peers;
mod recovery;
mod shared;
mod table;
mod verdicts;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use delivery_benches::{is_test, tell};
use delivery_memories::Errs;
use peak_alloc::PeakAlloc;

use self::loads::{LONG, Load, Named, Share};
use self::memories::{Clock, Entrant, Recognise, Run, of_thread, on_the_wall};
use self::table::{Row, Rows};

criterion_group!(benches, dedup);
criterion_main!(benches);

/// Counts the bytes of the memories.
#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

fn dedup(criterion: &mut Criterion) {
    let mut rows = Rows::new();
    one_producer(criterion, &mut rows);
    producers(criterion, &mut rows);
    ids(criterion, &mut rows);
    shared::compare(criterion, &mut rows);
    let recovered = recovery::compare(criterion);
    let mut sheet = rows.sheet();
    recovery::add(&mut sheet, &recovered);
    goals::add(&mut sheet, &rows, &recovered);
    tell(&sheet);
}

/// The loads of one producer.
fn one_producer(criterion: &mut Criterion, rows: &mut Rows) {
    let loads = [
        loads::one_producer("in-order", 0.0, 1),
        loads::one_producer("retries-0.1", 0.001, 1),
        loads::one_producer("retries-1", 0.01, 1),
        loads::one_producer("retries-10", 0.1, 1),
        loads::one_producer("retries-50", 0.5, 1),
        loads::one_producer("shuffled-8", 0.1, 8),
        loads::one_producer("shuffled-64", 0.1, 64),
        loads::one_producer("shuffled-1024", 0.1, 1024),
        loads::blackouts("blackouts", 1024, 1, 1),
    ];
    for load in &loads {
        compare(criterion, rows, load, &[&ours::ONE_PRODUCER[..], &peers::ONE_PRODUCER[..]].concat());
    }
}

/// The loads of many producers.
fn producers(criterion: &mut Criterion, rows: &mut Rows) {
    let counts: &[(u32, &str)] =
        if is_test() { &[(1000, "1k")] } else { &[(1000, "1k"), (100_000, "100k"), (1_000_000, "1m")] };
    for &(count, name) in counts {
        for (share, shared) in [(Share::Uniform, "uniform"), (Share::Zipf, "zipf")] {
            let load = loads::producers(format!("producers-{name}-{shared}"), count, share, LONG);
            compare(criterion, rows, &load, &[&ours::PRODUCERS[..], &peers::PRODUCERS[..]].concat());
        }
    }
}

/// The loads of ids: a memory is full, and forgets one for each that is new.
fn ids(criterion: &mut Criterion, rows: &mut Rows) {
    let counts: &[(u64, &str)] =
        if is_test() { &[(1000, "1k")] } else { &[(10_000, "10k"), (100_000, "100k"), (1_000_000, "1m")] };
    let mut loads: Vec<Load> = Vec::new();
    loads.extend(counts.iter().map(|&(count, name)| loads::ids(format!("ids-{name}"), count, LONG)));
    loads.push(loads::blackouts("ids-blackouts", 8192, 20_000, 10_000));
    for load in &loads {
        compare(criterion, rows, load, &[&ours::IDS[..], &peers::IDS[..]].concat());
    }
    durable(criterion, rows);
}

/// The memory on disk: few ids, because each is a transaction.
fn durable(criterion: &mut Criterion, rows: &mut Rows) {
    let load = loads::ids("ids-on-disk".to_owned(), 64, 64);
    let folder = tempfile::tempdir().expect("a folder");
    let new = || ours::durable(folder.path());
    let mut group = group(criterion, &load);
    measure(&mut group, rows, &load, ("durable", Errs::Never, on_the_wall), new);
}

/// Measures every memory under a load that takes it.
fn compare<N: Named>(criterion: &mut Criterion, rows: &mut Rows, load: &Load, entrants: &[Entrant<N>]) {
    let mut group = group(criterion, load);
    for entrant in entrants.iter().filter(|entrant| entrant.takes(load)) {
        let new = || (entrant.new)(load.entries.max(1) as usize);
        measure(&mut group, rows, load, (entrant.id, entrant.errs, of_thread), new);
    }
}

fn group<'a>(criterion: &'a mut Criterion, load: &Load) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("dedup/{}", load.id));
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    group.warm_up_time(Duration::from_millis(30)).measurement_time(Duration::from_millis(100));
    group.throughput(Throughput::Elements(load.items.len() as u64));
    group
}

fn measure<N: Named>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    rows: &mut Rows,
    load: &Load,
    (id, errs, clock): (&'static str, Errs, Clock),
    new: impl Fn() -> Box<dyn Recognise<N>>,
) {
    // Made when it is first asked for: a filter may leave it out.
    let mut run: Option<Run<'_, N>> = None;
    group.bench_function(id, |bencher| {
        let run = run.get_or_insert_with(|| Run::new(load, clock, &new));
        bencher.iter_custom(|iterations| (0..iterations).map(|_| run.once()).sum());
    });
    if let Some(run) = run {
        let ns = run.best.as_secs_f64() * 1e9 / load.items.len() as f64;
        rows.add(Row::new(load, id, errs, ns, run.bytes, run.wrong));
    }
}
