//! Lives under loom: a crash that comes while a worker changes what its life has open.

use std::sync::Mutex as Witness;

use delivery_loom::explore::{Seen, holds, is_caught};
use delivery_loom::shared::lives::{Held, Lives, Sound, Steps};
use delivery_loom::shared::lock;
use delivery_loom::sync::{Mutex, MutexGuard};
use loom::sync::Arc;
use loom::thread;

/// A worker of the first life commits and tells of it, while a crash ends that life.
fn a_crash_under_a_worker<S: Steps + 'static>(seen: &Seen) {
    let lives = Arc::new(Lives::<u32, S>::with_steps(0));
    // Not loom's: it takes no part in the race.
    let told = std::sync::Arc::new(Witness::new(Vec::new()));
    let tell = |what: &'static str| {
        let told = std::sync::Arc::clone(&told);
        move || told.lock().expect("no panic in between").push(what)
    };
    let worker = {
        let (lives, tell) = (Arc::clone(&lives), tell("effect"));
        thread::spawn(move || {
            lives.with(0, |effects| {
                *effects += 1;
                tell();
            })
        })
    };
    let tell_crash = tell("crash");
    let life = lives
        .end(
            || {
                tell_crash();
                Ok::<_, ()>(())
            },
            || Ok(0),
        )
        .expect("it is opened anew");
    let effects = lives.with(life, |effects| *effects).expect("the new life goes on");
    let was_in_time = worker.join().expect("it ends").is_some();
    let told = told.lock().expect("no panic in between").clone();
    let expected: &[&str] = if was_in_time { &["effect", "crash"] } else { &["crash"] };
    assert_eq!(told, expected, "nothing of a life that has ended takes effect");
    assert_eq!(effects, 0, "the next life begins with what it has opened");
    seen.note(if was_in_time { "in time" } else { "too late" });
}

#[test]
fn a_worker_whose_life_has_ended_changes_and_tells_nothing() {
    holds("lives, a crash under a worker", &["in time", "too late"], a_crash_under_a_worker::<Sound>);
}

/// Looks whether the life goes on, and takes the lock afterwards.
enum LooksBeforeLocking {}

impl Steps for LooksBeforeLocking {
    fn enter<T>(held: &Mutex<Held<T>>, life: u64) -> Option<MutexGuard<'_, Held<T>>> {
        let goes_on = lock(held).is_of(life);
        goes_on.then(|| lock(held))
    }
}

#[test]
fn a_worker_that_looks_before_it_locks_commits_after_the_crash() {
    let complaint = "nothing of a life that has ended takes effect";
    is_caught("lives, looks before locking", complaint, a_crash_under_a_worker::<LooksBeforeLocking>);
}
