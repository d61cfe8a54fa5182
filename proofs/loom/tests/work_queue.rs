//! The work queue under loom: workers that begin to wait while work comes, or while the queue closes.
//!
//! A worker that waits for ever is a deadlock, which loom finds by itself. It ends the whole process then, so that each broken
//! twin is run in a process of its own.

use std::process::Command;

use delivery_loom::explore::{Seen, holds};
use delivery_loom::shared::lock;
use delivery_loom::shared::work_queue::{Sound, Steps, WorkQueue};
use delivery_loom::sync::{Condvar, Mutex, MutexGuard};
use loom::sync::Arc;
use loom::thread;

/// What loom says of threads that all wait.
const DEADLOCK: &str = "deadlock";

type Queue<S> = WorkQueue<Vec<u32>, S>;

/// Takes work until there is no more. How much it was.
fn work<S: Steps>(queue: &Queue<S>) -> u32 {
    let mut taken = 0;
    while queue.next(Vec::pop).is_some() {
        taken += 1;
    }
    taken
}

/// One worker, and another thread that brings a piece of work.
fn work_comes<S: Steps + 'static>(seen: &Seen) {
    let queue = Arc::new(Queue::<S>::with_steps(Vec::new()));
    let worker = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || queue.next(Vec::pop))
    };
    queue.lock().push(1);
    queue.wake();
    assert_eq!(worker.join().expect("it ends"), Some(1), "what was brought is taken");
    seen.note("taken");
}

/// Two workers, and nothing but the end.
fn the_queue_closes_under_two_workers<S: Steps + 'static>(seen: &Seen) {
    let queue = Arc::new(Queue::<S>::with_steps(vec![1]));
    let workers = [(); 2].map(|()| {
        let queue = Arc::clone(&queue);
        thread::spawn(move || work(&queue))
    });
    queue.close();
    let taken = workers.map(|worker| worker.join().expect("it ends"));
    assert_eq!(taken.iter().sum::<u32>(), 1, "what there is when it closes is taken once: {taken:?}");
    seen.note(if taken[0] == 1 { "by the first" } else { "by the second" });
}

#[test]
fn work_that_comes_while_a_worker_begins_to_wait_is_taken() {
    holds("work queue, work comes", &["taken"], work_comes::<Sound>);
}

#[test]
fn workers_that_begin_to_wait_while_the_queue_closes_leave() {
    let ways = ["by the first", "by the second"];
    holds("work queue, closes", &ways, the_queue_closes_under_two_workers::<Sound>);
}

/// Lets go of the lock, and then begins to wait: what comes in between wakes nobody.
enum LetsGoBeforeWaiting {}

impl Steps for LetsGoBeforeWaiting {
    fn wait<'a, T>(open: &'a Mutex<T>, ready: &Condvar, held: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        drop(held);
        let held = lock(open);
        Sound::wait(open, ready, held)
    }
}

#[test]
#[ignore = "it deadlocks: run by the test of all twins"]
fn gap_when_work_comes() {
    holds("gap_when_work_comes", &[], work_comes::<LetsGoBeforeWaiting>);
}

#[test]
#[ignore = "it deadlocks: run by the test of all twins"]
fn gap_when_it_closes() {
    holds("gap_when_it_closes", &[], the_queue_closes_under_two_workers::<LetsGoBeforeWaiting>);
}

/// Wakes one where several wait.
enum WakesOne {}

impl Steps for WakesOne {
    fn wake(ready: &Condvar) {
        ready.notify_one();
    }
}

#[test]
#[ignore = "it deadlocks: run by the test of all twins"]
fn one_is_woken() {
    holds("one_is_woken", &[], the_queue_closes_under_two_workers::<WakesOne>);
}

/// Wakes, and marks the end afterwards: who looks in between waits again.
enum WakesBeforeClosing {}

impl Steps for WakesBeforeClosing {
    fn close(mark: impl FnOnce(), wake: impl FnOnce()) {
        wake();
        mark();
    }
}

#[test]
#[ignore = "it deadlocks: run by the test of all twins"]
fn woken_before_it_closes() {
    holds("woken_before_it_closes", &[], the_queue_closes_under_two_workers::<WakesBeforeClosing>);
}

#[test]
fn a_wake_up_that_is_lost_or_comes_too_early_leaves_a_worker_waiting() {
    for twin in ["gap_when_work_comes", "gap_when_it_closes", "one_is_woken", "woken_before_it_closes"] {
        let tests = std::env::current_exe().expect("a test has a path");
        let run = Command::new(tests).args(["--exact", twin, "--ignored", "--nocapture"]).output().expect("it starts");
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && said.contains(DEADLOCK), "{twin} is not caught: {said}");
    }
}
