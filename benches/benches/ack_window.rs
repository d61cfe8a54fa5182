//! The cost of the contiguous settled prefix: the lock-free ack window compared with a set of positions behind a
//! lock.
//!
//! Both have the same contract: every position is reserved and settled, as a consumer does it. One iteration settles
//! a batch. A window is used for a whole sample, so its positions never repeat. The prefix is checked after each
//! sample.

use std::collections::BTreeSet;
use std::hint::{black_box, spin_loop};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use delivery_benches::{report_speed_beside_another, time, time_at_once};
use delivery_impls::shared::ack_window::AckWindow;
use delivery_model::vocab::Position;

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
    fn from_zero() -> Self;
    fn has_room_for(&self, position: u64) -> bool;
    /// Settles a position. Returns by how many positions the prefix moved.
    fn settle(&self, position: u64) -> u64;
    fn end(&self) -> u64;
}

impl Prefix for AckWindow {
    fn from_zero() -> Self {
        AckWindow::new(Position(0), CAPACITY)
    }

    fn has_room_for(&self, position: u64) -> bool {
        self.try_reserve(Position(position)).is_ok()
    }

    fn settle(&self, position: u64) -> u64 {
        let advance = AckWindow::settle(self, Position(position)).expect("a position is settled once");
        advance.map_or(0, |advance| advance.to.0 - advance.from.0)
    }

    fn end(&self) -> u64 {
        self.watermark().0
    }
}

/// The baseline: a set behind a lock.
struct LockedSet(Mutex<Settled>);

/// The settled positions: all below the end, and the set of those ahead of it.
struct Settled {
    end: u64,
    ahead: BTreeSet<u64>,
}

impl Prefix for LockedSet {
    fn from_zero() -> Self {
        LockedSet(Mutex::new(Settled { end: 0, ahead: BTreeSet::new() }))
    }

    fn has_room_for(&self, position: u64) -> bool {
        position < self.0.lock().expect("no panic in between").end + u64::from(CAPACITY)
    }

    fn settle(&self, position: u64) -> u64 {
        let mut settled = self.0.lock().expect("no panic in between");
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

/// Waits for room and settles the position. Returns by how many positions the prefix moved.
fn handle(prefix: &impl Prefix, position: u64) -> u64 {
    let mut spins = 0;
    while !prefix.has_room_for(position) {
        if spins < SPINS_MAX {
            spin_loop()
        } else {
            thread::yield_now()
        }
        spins += 1;
    }
    prefix.settle(black_box(position))
}

fn in_order(positions: u64) -> impl Iterator<Item = u64> {
    0..positions
}

fn out_of_order(positions: u64) -> impl Iterator<Item = u64> {
    (0..positions / BLOCK).flat_map(|block| (block * BLOCK..(block + 1) * BLOCK).rev())
}

/// Checks that every position was settled and moved the prefix once.
fn check(prefix: &impl Prefix, moved: u64, positions: u64) {
    assert_eq!(prefix.end(), positions, "the prefix covers everything");
    assert_eq!(moved, positions, "every position moved the prefix once");
}

fn one_worker<P: Prefix, O: Iterator<Item = u64>>(
    group: &mut BenchmarkGroup<WallTime>,
    name: &str,
    order: fn(u64) -> O,
) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let (prefix, positions, mut moved) = (P::from_zero(), iterations * BATCH, 0);
            let took = time(|| moved = order(positions).map(|position| handle(&prefix, position)).sum());
            check(&prefix, moved, positions);
            took
        });
    });
}

/// Two workers, each of which takes the next block when it has finished one.
fn two_workers<P: Prefix>(group: &mut BenchmarkGroup<WallTime>, name: &str) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let (prefix, positions) = (P::from_zero(), iterations * BATCH);
            let (next, moved) = (AtomicU64::new(0), AtomicU64::new(0));
            let work = || {
                let mut own = 0;
                loop {
                    let first = next.fetch_add(BLOCK, Ordering::Relaxed);
                    if first >= positions {
                        break;
                    }
                    own += (first..first + BLOCK).rev().map(|position| handle(&prefix, position)).sum::<u64>();
                }
                moved.fetch_add(own, Ordering::Relaxed);
            };
            let took = time_at_once([work, work]);
            check(&prefix, moved.into_inner(), positions);
            took
        });
    });
}

fn ack_window(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ack_window");
    group.throughput(Throughput::Elements(BATCH));
    one_worker::<AckWindow, _>(&mut group, "in order/lock-free", in_order);
    one_worker::<LockedSet, _>(&mut group, "in order/locked set", in_order);
    one_worker::<AckWindow, _>(&mut group, "out of order/lock-free", out_of_order);
    one_worker::<LockedSet, _>(&mut group, "out of order/locked set", out_of_order);
    report_speed_beside_another();
    two_workers::<AckWindow>(&mut group, "two workers/lock-free");
    two_workers::<LockedSet>(&mut group, "two workers/locked set");
    group.finish();
}

criterion_group!(benches, ack_window);
criterion_main!(benches);
