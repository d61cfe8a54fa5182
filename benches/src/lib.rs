//! What the guarantees cost, measured with criterion: `cargo bench -p delivery-benches`.
//!
//! | bench | question |
//! |---|---|
//! | `ack_window` | what the contiguous settled prefix costs a position, lock-free and behind a lock, with one worker and with two |
//! | `dedup` | what recognising a retry costs a publish, by sequence number and by set of identities |
//! | `group_sync` | durable confirmations a second, one sync for each and one for many, beside the disk's floor |
//! | `semantics` | what at-most-once, at-least-once and exactly-once each cost a message, in memory, on one thread and with one for each side, and what each mechanism of exactly-once adds |
//!
//! ```
//! let took = delivery_benches::time_at_once([1, 2].map(|number| move || drop(std::hint::black_box(number + 1))));
//! println!("two threads, from when the first began until the last was done: {took:?}");
//! ```
//!
//! Each timed run is followed by a check of what it computed, so a figure never belongs to code that skipped its work. Times are of
//! batches: a clock read costs more than one of these operations. Here stands what the benches share: the
//! clock, the mode, and the control that says whether two threads really have a core each; and the memories of seen
//! messages that only the bench `dedup` runs.

pub mod dedup;

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Whether the benches run once, as tests, and not to measure.
pub fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// How long the work takes.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// How long the work takes on as many threads at once, from when the first begins until the last is done. The threads
/// read the clock themselves: whoever waits for them may be woken when they are half-way, or through.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub fn time_at_once<W: FnOnce() + Send>(work: impl IntoIterator<Item = W>) -> Duration {
    let work: Vec<W> = work.into_iter().collect();
    let all_up = Barrier::new(work.len());
    let spans: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let spawn = |work: W| {
            let all_up = &all_up;
            scope.spawn(move || {
                all_up.wait();
                let began = Instant::now();
                work();
                (began, Instant::now())
            })
        };
        let threads: Vec<_> = work.into_iter().map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread of the bench ends")).collect()
    });
    let began = spans.iter().map(|(began, _)| *began).min();
    let ended = spans.iter().map(|(_, ended)| *ended).max();
    began.zip(ended).map_or(Duration::ZERO, |(began, ended)| ended - began)
}

/// A counter that shares no cache line with another, nor the neighbouring line that is fetched along with it.
#[repr(align(128))]
#[derive(Default)]
struct PrivateLine(AtomicU64);

/// At which share of its speed alone a thread runs beside another one, when they have nothing in common: about 1 on two
/// cores, about 0.5 where the two share one. The best of a few tries, as anything else that runs only takes away.
pub fn speed_beside_another() -> f64 {
    const COUNT: u64 = 2_000_000;
    const TRIES: usize = 5;
    let count = |line: &PrivateLine| {
        for _ in 0..COUNT {
            black_box(&line.0).fetch_add(1, Ordering::Relaxed);
        }
    };
    let best = |threads: usize| {
        let one_try = || {
            let lines: Vec<PrivateLine> = (0..threads).map(|_| PrivateLine::default()).collect();
            let took = time_at_once(lines.iter().map(|line| move || count(line)));
            assert!(
                lines.iter().all(|line| line.0.load(Ordering::Relaxed) == COUNT),
                "every thread counted to the end"
            );
            took
        };
        (0..TRIES).map(|_| one_try()).min().expect("at least one try")
    };
    best(1).as_secs_f64() / best(2).as_secs_f64()
}

/// Says on standard error how far figures of two threads can be trusted. Once a bench, beside those figures.
pub fn report_speed_beside_another() {
    let speed = speed_beside_another();
    let meaning = if speed < 0.75 {
        "they share a core, with each other or with something else: two workers cannot show a gain"
    } else {
        "they have a core each"
    };
    eprintln!(
        "control: two threads with nothing in common each run at {:.0} % of their speed alone; {meaning}",
        speed * 100.0
    );
}
