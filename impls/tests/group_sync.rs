//! Group sync without its races: who is woken when, what a sync covers; and under real threads, that nobody waits for ever.
//!
//! Loom explores the races (`proofs/loom`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use delivery_impls::shared::group_sync::GroupSync;
use delivery_model::vocab::Position;

#[test]
fn only_a_syncer_that_sleeps_is_woken_and_only_for_something_new() {
    let group = GroupSync::new(Position(5));
    assert!(!group.request(Position(6)), "it is awake at first");
    assert_eq!(group.begin(), Some(Position(6)));
    assert!(!group.request(Position(8)), "it is syncing, and looks again");
    assert!(!group.request(Position(7)), "more is asked for already");
    assert_eq!(group.synced(), Position(5), "not before it is finished");
    group.finish(Position(6));
    assert_eq!(group.synced(), Position(6));
    assert_eq!(group.begin(), Some(Position(8)));
    group.finish(Position(8));
    assert_eq!(group.begin(), None);
    assert_eq!(group.begin(), None, "it was woken for nothing, and sleeps on");
    assert!(!group.request(Position(8)), "that is durable");
    assert!(group.request(Position(9)));
    assert!(!group.request(Position(10)), "it is woken already");
    assert_eq!(group.begin(), Some(Position(10)));
}

/// If a wake-up were lost, this would not end.
#[test]
fn many_threads_that_wait_for_their_append_to_be_durable_all_get_there() {
    const THREADS: u64 = 3;
    const APPENDS: u64 = 500;
    let (group, end) = (GroupSync::new(Position(0)), AtomicU64::new(0));
    let mut syncs = 0;
    thread::scope(|scope| {
        let syncer = scope.spawn(|| {
            while group.synced().0 < THREADS * APPENDS {
                match group.begin() {
                    Some(end) => {
                        group.finish(end);
                        syncs += 1;
                    }
                    None => thread::park(),
                }
            }
        });
        let syncer = syncer.thread().clone();
        for _ in 0..THREADS {
            let (group, end, syncer) = (&group, &end, syncer.clone());
            scope.spawn(move || {
                for _ in 0..APPENDS {
                    let mine = end.fetch_add(1, Ordering::Relaxed) + 1;
                    if group.request(Position(mine)) {
                        syncer.unpark();
                    }
                    while group.synced().0 < mine {
                        thread::yield_now();
                    }
                }
            });
        }
    });
    assert_eq!(group.synced(), Position(THREADS * APPENDS));
    assert!((1..=THREADS * APPENDS).contains(&syncs), "no sync without something to sync: {syncs}");
}
