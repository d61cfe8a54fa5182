//! Campaigns on several workers give what they give on one, in the same order, and an interrupt ends them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use delivery_audit::campaign::{Campaign, Extent};
use delivery_audit::fake::{Fake, PATIENCE};
use delivery_audit::faults::Kill;
use delivery_audit::place::Run;
use delivery_audit::plan::Load;
use delivery_audit::product::Product;
use delivery_audit::workers::{Shared, run_all};

fn campaigns() -> Vec<Campaign> {
    let of = |setting| Campaign { product: &Fake, setting, fault: &Kill, load: Load::Lags, server: None };
    Fake.settings().iter().map(of).collect()
}

/// The numbers of the campaigns as they came, each with its rounds and whether something was lost; and how often a round was done.
fn run(workers: usize, interrupt: &AtomicBool, raise: bool) -> (Vec<(usize, u64, bool)>, u64) {
    let base = tempfile::tempdir().expect("a directory");
    let (run, _) = Run::begin(base.path()).expect("it begins");
    let extent = Extent { rounds: 2, messages: 40, patience: PATIENCE, record: None, schedule: None };
    let done = AtomicU64::new(0);
    let tell = || {
        done.fetch_add(1, Ordering::SeqCst);
        interrupt.store(raise, Ordering::SeqCst);
    };
    let mut came = Vec::new();
    let shared = Shared { extent: &extent, run: &run, interrupt, done: &tell };
    run_all(&campaigns(), workers, shared, &mut |number, sums| {
        let sums = sums.expect("the fake runs");
        came.push((number, sums.rounds, sums.lost > 0));
    });
    (came, done.into_inner())
}

#[test]
fn several_workers_give_what_one_gives_in_the_same_order() {
    let quiet = || AtomicBool::new(false);
    let (alone, together) = (run(1, &quiet(), false), run(4, &quiet(), false));
    assert_eq!(alone, together);
    let settings = Fake.settings().len();
    assert_eq!((alone.0.len(), alone.1), (settings, 2 * settings as u64));
    assert!(alone.0.iter().any(|&(_, _, lost)| lost));
}

#[test]
fn an_interrupt_ends_all_workers_before_they_begin_anew() {
    let (came, done) = run(2, &AtomicBool::new(false), true);
    assert!(came.len() < Fake.settings().len(), "{came:?}");
    assert!((1..=4).contains(&done), "{done}");
}
