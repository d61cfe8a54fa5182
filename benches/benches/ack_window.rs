//! The cost of the contiguous settled prefix: the lock-free ack window compared with a tree of positions behind a
//! lock, and with a skip list without one.
//!
//! All have the same contract: every position is reserved and settled, as a consumer does it. One iteration settles
//! a batch. A window is used for a whole sample, so its positions never repeat. The prefix is checked after each
//! sample.

use std::collections::BTreeSet;
use std::hint::{black_box, spin_loop};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::thread;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use crossbeam_skiplist::SkipSet;
use delivery_benches::{PrivateLine, is_test, report_speed_beside_another, tell, time, time_at_once};
use delivery_impls::shared::ack_window::{AckWindow, Worker};
use delivery_model::vocab::Position;
use delivery_proofs::figures::{Bound, Sheet};

/// The farthest that a position may be ahead of the watermark.
const CAPACITY: u32 = 1024;
/// The number of positions in an iteration.
const BATCH: u64 = 4096;
/// The number of positions that a worker takes at once. In the out-of-order case they are settled from the last to
/// the first.
const BLOCK: u64 = 16;
/// The number of times that a worker looks for room before it yields.
const SPINS_MAX: u32 = 100;

/// The contiguous settled prefix, in one of the compared ways.
trait Prefix: Sync {
    /// Who settles positions.
    type Worker<'a>
    where
        Self: 'a;
    fn from_zero() -> Self;
    fn worker(&self) -> Self::Worker<'_>;
    fn has_room_for(worker: &mut Self::Worker<'_>, position: u64) -> bool;
    /// Settles a position. Returns by how many positions the prefix moved.
    fn settle(worker: &mut Self::Worker<'_>, position: u64) -> u64;
    fn end(&self) -> u64;
}

impl Prefix for AckWindow {
    type Worker<'a> = Worker<'a>;

    fn from_zero() -> Self {
        AckWindow::new(Position(0), CAPACITY)
    }

    fn worker(&self) -> Worker<'_> {
        self.worker()
    }

    #[inline]
    fn has_room_for(worker: &mut Worker<'_>, position: u64) -> bool {
        worker.try_reserve(Position(position)).is_ok()
    }

    #[inline]
    fn settle(worker: &mut Worker<'_>, position: u64) -> u64 {
        let advance = worker.settle(Position(position)).expect("a position is settled once");
        advance.map_or(0, |advance| advance.to.0 - advance.from.0)
    }

    fn end(&self) -> u64 {
        self.watermark().0
    }
}

/// The baseline: a tree behind a lock.
struct LockedTree(Mutex<Settled>);

/// The settled positions: all below the end, and the set of those ahead of it.
struct Settled {
    end: u64,
    ahead: BTreeSet<u64>,
}

impl Prefix for LockedTree {
    type Worker<'a> = &'a Self;

    fn from_zero() -> Self {
        LockedTree(Mutex::new(Settled { end: 0, ahead: BTreeSet::new() }))
    }

    fn worker(&self) -> &Self {
        self
    }

    fn has_room_for(tree: &mut &Self, position: u64) -> bool {
        position < tree.0.lock().expect("no panic in between").end + u64::from(CAPACITY)
    }

    fn settle(tree: &mut &Self, position: u64) -> u64 {
        let mut settled = tree.0.lock().expect("no panic in between");
        let before = settled.end;
        assert!(position >= before && settled.ahead.insert(position), "a position is settled once");
        while settled.ahead.first() == Some(&settled.end) {
            settled.ahead.pop_first();
            settled.end += 1;
        }
        settled.end - before
    }

    fn end(&self) -> u64 {
        self.0.lock().expect("no panic in between").end
    }
}

/// The settled positions ahead of the end in a skip list, which threads share without a lock.
struct SkipList {
    end: AtomicU64,
    ahead: SkipSet<u64>,
}

impl Prefix for SkipList {
    type Worker<'a> = &'a Self;

    fn from_zero() -> Self {
        SkipList { end: AtomicU64::new(0), ahead: SkipSet::new() }
    }

    fn worker(&self) -> &Self {
        self
    }

    fn has_room_for(list: &mut &Self, position: u64) -> bool {
        position < list.end.load(Ordering::Acquire) + u64::from(CAPACITY)
    }

    fn settle(list: &mut &Self, position: u64) -> u64 {
        list.ahead.insert(position);
        // Of two threads, the one that comes last sees the other's position.
        fence(Ordering::SeqCst);
        let mut moved = 0;
        let mut end = list.end.load(Ordering::Acquire);
        while let Some(next) = list.ahead.get(&end) {
            match list.end.compare_exchange(end, end + 1, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    next.remove();
                    moved += 1;
                    end += 1;
                }
                Err(now) => end = now,
            }
        }
        moved
    }

    fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }
}

/// Waits for room and settles the position. Returns by how many positions the prefix moved.
#[inline]
fn handle<P: Prefix>(worker: &mut P::Worker<'_>, position: u64) -> u64 {
    let mut spins = 0;
    while !P::has_room_for(worker, position) {
        if spins < SPINS_MAX {
            spin_loop()
        } else {
            thread::yield_now()
        }
        spins += 1;
    }
    P::settle(worker, position)
}

/// Checks that every position was settled and moved the prefix once.
fn check(prefix: &impl Prefix, moved: u64, positions: u64) {
    assert_eq!(prefix.end(), positions, "the prefix covers everything");
    assert_eq!(moved, positions, "every position moved the prefix once");
}

/// Settles the positions of a block. Returns by how many positions the prefix moved.
#[inline]
fn handle_block<P: Prefix>(worker: &mut P::Worker<'_>, first: u64, order: Order) -> u64 {
    let block = first..first + BLOCK;
    match order {
        Order::Forwards => block.map(|position| handle::<P>(worker, position)).sum(),
        Order::Backwards => block.rev().map(|position| handle::<P>(worker, position)).sum(),
    }
}

/// The time for one worker to settle so many positions, each block in this order.
fn one_worker<P: Prefix>(positions: u64, order: Order) -> Duration {
    let (prefix, mut moved) = (P::from_zero(), 0);
    let firsts = (0..black_box(positions)).step_by(BLOCK as usize);
    let took = time(|| {
        let mut worker = prefix.worker();
        moved = firsts.map(|first| handle_block::<P>(&mut worker, first, order)).sum();
    });
    check(&prefix, moved, positions);
    took
}

/// The time for two workers, each of which takes the next block when it has finished one.
fn two_workers<P: Prefix>(positions: u64) -> Duration {
    let prefix = P::from_zero();
    let (next, moved) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        let (mut own, mut worker) = (0, prefix.worker());
        loop {
            let first = next.fetch_add(BLOCK, Ordering::Relaxed);
            if first >= positions {
                break;
            }
            own += handle_block::<P>(&mut worker, first, Order::Backwards);
        }
        moved.fetch_add(own, Ordering::Relaxed);
    };
    let took = time_at_once([work, work]);
    check(&prefix, moved.into_inner(), positions);
    took
}

/// The time for each of these workers to make `N` read-modify-writes for every position of its share, on lines that it
/// shares with nobody: no prefix, but what one costs at least that decides between two settles of a position.
fn atomics<const N: usize>(workers: u64, positions: u64) -> Duration {
    let lines: Vec<[PrivateLine; N]> = (0..workers).map(|_| std::array::from_fn(|_| PrivateLine::default())).collect();
    let count = |own: &[PrivateLine; N]| {
        for position in 0..positions / workers {
            black_box(position);
            for line in own {
                black_box(line.0.fetch_add(1, Ordering::AcqRel));
            }
        }
    };
    let took = time_at_once(lines.iter().map(|own| move || count(own)));
    let sum: u64 = lines.iter().flatten().map(|line| line.0.load(Ordering::Relaxed)).sum();
    assert_eq!(sum, positions * N as u64, "each was made");
    took
}

/// How a prefix is measured: the time for so many positions.
type Measure = Box<dyn Fn(u64) -> Duration>;

/// The ways of keeping a prefix, under one load, and what they may be compared with.
fn ways(load: Load) -> [(&'static str, Measure); WAYS] {
    fn of<P: Prefix>(load: Load) -> Measure {
        Box::new(move |positions| match load {
            Load::One(order) => one_worker::<P>(positions, order),
            Load::Two => two_workers::<P>(positions),
        })
    }
    fn floor<const N: usize>(load: Load) -> Measure {
        let workers = if matches!(load, Load::Two) { 2 } else { 1 };
        Box::new(move |positions| atomics::<N>(workers, positions))
    }
    [
        ("window", of::<AckWindow>(load)),
        ("locked-tree", of::<LockedTree>(load)),
        ("skip-list", of::<SkipList>(load)),
        ("one-atomic", floor::<1>(load)),
        ("two-atomics", floor::<2>(load)),
    ]
}

/// The number of ways.
const WAYS: usize = 5;

/// The order in which the positions of a block are settled.
#[derive(Clone, Copy)]
enum Order {
    Forwards,
    Backwards,
}

#[derive(Clone, Copy)]
enum Load {
    One(Order),
    Two,
}

const LOADS: [(&str, Load); 3] = [
    ("in-order", Load::One(Order::Forwards)),
    ("out-of-order", Load::One(Order::Backwards)),
    ("two-workers", Load::Two),
];

/// The best times of each way under each load, in turns, so that other work on the machine affects all of them.
fn report() {
    let (positions, tries) = if is_test() { (BATCH, 1) } else { (16 * BATCH, 40) };
    let about = "Workers settle positions; the contiguous settled prefix is kept by the lock-free window, by a tree behind a \
        lock, and by a skip list. ns a position, the best of interleaved runs. Out of order: blocks of 16, each from its \
        last position to its first. Two workers take the next block in turn. One atomic, two: as many read-modify-writes \
        for a position, by workers that share nothing. Without one no two threads can agree which of them settled a \
        position first (Herlihy 1991). The tree makes four, to lock and to unlock, for room and to settle.";
    let mut sheet = Sheet::new("ack_window", about);
    let mut figures = Vec::new();
    for (_, load) in LOADS {
        let ways = ways(load);
        let mut best = ways.each_ref().map(|_| Duration::MAX);
        for _ in 0..tries {
            for ((_, measure), best) in ways.iter().zip(&mut best) {
                *best = measure(positions).min(*best);
            }
        }
        figures.push(best.map(|took| took.as_secs_f64() * 1e9 / positions as f64));
    }
    let columns = ["load", "window", "one atomic", "two atomics", "locked tree", "skip list", "tree by window"];
    let table = sheet.table("ns a position", &columns);
    for ((load, _), [window, tree, list, one, two]) in LOADS.iter().zip(&figures) {
        table.row(*load, [*window, *one, *two, *tree, *list, tree / window]);
    }
    let times = |place: usize| figures[place][1] / figures[place][0];
    let unit = "times as fast as the locked tree";
    sheet.goal("ack window, one worker in order", times(0), unit, Bound::AtLeast(5.0));
    sheet.goal("ack window, one worker out of order", times(1), unit, Bound::AtLeast(5.0));
    sheet.goal("ack window, two workers", times(2), unit, Bound::AtLeast(1.0));
    tell(&sheet);
}

fn ack_window(criterion: &mut Criterion) {
    report_speed_beside_another();
    for (load, kind) in LOADS {
        let mut group = criterion.benchmark_group(format!("acks/{load}"));
        group.throughput(Throughput::Elements(BATCH));
        group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(500));
        for (way, measure) in ways(kind) {
            group.bench_function(way, |bencher| bencher.iter_custom(|iterations| measure(iterations * BATCH)));
        }
        group.finish();
    }
    report();
}

criterion_group!(benches, ack_window);
criterion_main!(benches);
