//! The costs of the guarantees, measured with criterion: `cargo bench -p delivery-benches`.
//!
//! | bench | question |
//! |---|---|
//! | `ack_window` | the cost of the contiguous settled prefix for a position: the lock-free window, a tree behind a lock and a skip list, with one worker and with two |
//! | `dedup` | the cost of recognising a retry: our memories and the broker's beside maps, sets and caches of others, with what each lets in or refuses wrongly, the limit of the machine, and the model's verdict |
//! | `group_sync` | durable confirmations a second, one sync for each and one for many, compared with the limit of the disk |
//! | `pipeline` | messages a second and latency of the running pipeline from end to end, compared with the limit of the disk |
//! | `semantics` | the cost of at-most-once, at-least-once and exactly-once for a message, on one thread and with one for each side, and of each mechanism of exactly-once; and what each loses and repeats over a lossy transport, in memory and on disk |
//! | `simulation` | the schedules of faults that the simulation runs and judges a second, beside a like scenario over turmoil |
//!
//! Each timed run is followed by a check of its result, so a figure never belongs to code that skipped its work.
//! Times are of batches, because reading the clock takes longer than one of these operations. This crate has what the
//! benches share: the clock, the mode, and the control that shows whether two threads really have a core each. The
//! memories that the bench `dedup` compares are a crate of their own, `delivery-memories`.

pub mod disk;

use std::env;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use delivery_proofs::figures::Sheet;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Whether the benches run once, as tests, and do not measure.
pub fn is_test() -> bool {
    env::args().any(|argument| argument == "--test")
}

/// The width of the figures that a bench prints.
const COLUMNS: usize = 80;

/// Prints the figures of a bench to standard error. Where the bench measures, they are also written beside criterion's
/// results, for `delivery report`.
///
/// # Panics
///
/// If they cannot be written.
pub fn tell(sheet: &Sheet) {
    eprint!("\n{}", sheet.text(COLUMNS));
    if !is_test() {
        let directory = criterion_directory();
        sheet.write(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    }
}

/// Where criterion writes its results: a bench is in `release/deps` of cargo's target directory.
fn criterion_directory() -> PathBuf {
    let named = env::var_os("CRITERION_HOME").map(PathBuf::from);
    named.unwrap_or_else(|| {
        let bench = env::current_exe().expect("a bench is a file");
        bench.ancestors().nth(3).expect("it is in release/deps of the target directory").join("criterion")
    })
}

/// The time of the work.
#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
pub fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The time that this thread worked. Unlike [`time`], it does not count while the machine does something else, and so
/// it is for work that waits for nothing.
pub fn time_of_thread(work: impl FnOnce()) -> Duration {
    let now = || {
        let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(tv_sec as u64, tv_nsec as u32)
    };
    let start = now();
    work();
    now() - start
}

/// The time of work on several threads at once, from the start of the first thread to the end of the last. The
/// threads read the clock themselves, because a thread that waits for them may be woken late.
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

/// A counter that shares no cache line with another one, nor the neighbouring line that is fetched with it.
#[repr(align(128))]
#[derive(Default)]
pub struct PrivateLine(pub AtomicU64);

/// The speed of a thread beside another one with which it shares no data, as a fraction of its speed alone: about 1
/// on two cores, about 0.5 if the two share one. It is the best of a few tries, because other load only makes it
/// lower.
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

/// Prints how far the figures of two threads can be trusted, to standard error. A bench calls it once.
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
