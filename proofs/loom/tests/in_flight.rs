//! Attempts in flight under loom: readers that post at once, a loop that takes, and the splits that lose an attempt.

use delivery_loom::explore::{Seen, Turnstile, holds, is_caught};
use delivery_loom::shared::in_flight::{InFlight, Posted, Sound, Steps, Table, WAITING_MAX, add};
use delivery_loom::shared::lock;
use delivery_loom::sync::Mutex;
use loom::sync::Arc;
use loom::thread;

const KEY: u64 = 7;

/// A broker as far as one message goes.
struct World<S> {
    in_flight: InFlight<u64, usize, S>,
    /// The loop's inputs.
    inputs: Mutex<Vec<u64>>,
    turnstile: Turnstile,
}

impl<S: Steps> World<S> {
    fn new() -> Arc<Self> {
        Arc::new(World {
            in_flight: InFlight::with_steps(),
            inputs: Mutex::new(Vec::new()),
            turnstile: Turnstile::new(),
        })
    }

    fn queue(&self) {
        self.turnstile.pass();
        self.inputs.lock().expect("no panic in between").push(KEY);
    }

    /// A reader's turn, by the calling contract. Whether its attempt made an input.
    fn post(&self, attempt: usize) -> Posted {
        self.turnstile.pass();
        let posted = self.in_flight.post(KEY, attempt);
        if posted == Posted::First {
            self.queue();
        }
        posted
    }

    /// A reader that queues its input before it posts.
    fn post_queueing_first(&self, attempt: usize) -> Posted {
        self.queue();
        self.turnstile.pass();
        self.in_flight.post(KEY, attempt)
    }

    /// The loop's turn: for each input, the attempts that it brings.
    fn take(&self) -> Vec<Vec<usize>> {
        self.turnstile.pass();
        let inputs = std::mem::take(&mut *self.inputs.lock().expect("no panic in between"));
        inputs.iter().map(|key| self.in_flight.take(key)).collect()
    }
}

/// Two readers, and a loop that takes while they post and once more after it.
fn post_and_take<S: Steps + Send + Sync + 'static>(post: fn(&World<S>, usize) -> Posted, seen: &Seen) {
    let world = World::<S>::new();
    let readers: Vec<_> = (1..=2)
        .map(|attempt| {
            let world = Arc::clone(&world);
            thread::spawn(move || post(&world, attempt))
        })
        .collect();
    let mut batches = world.take();
    let posted: Vec<Posted> = readers.into_iter().map(|reader| reader.join().expect("a reader ends")).collect();
    batches.extend(world.take());
    let mut taken: Vec<usize> = batches.concat();
    taken.sort();
    assert_eq!(taken, [1, 2], "each attempt reaches the loop once");
    assert!(batches.iter().all(|batch| !batch.is_empty()), "no input without an attempt");
    let added = posted.iter().filter(|posted| **posted == Posted::Added).count();
    assert_eq!(batches.len() + added, 2, "who is added makes no input of its own");
    seen.note(if added == 1 { "one was added" } else { "one after the other" });
}

#[test]
fn attempts_that_meet_are_one_input_and_none_is_lost() {
    let post = World::<Sound>::post;
    holds("in flight", &["one was added", "one after the other"], move |seen| post_and_take(post, seen));
}

/// Looks whether an input is on its way, and makes one under another lock.
enum PostsInTwoSteps {}

impl Steps for PostsInTwoSteps {
    fn post<K: Ord, A>(waiting: &Mutex<Table<K, A>>, key: K, attempt: A) -> Posted {
        if let Some(others) = lock(waiting).get_mut(&key) {
            return add(others, attempt);
        }
        lock(waiting).insert(key, vec![attempt]);
        Posted::First
    }
}

#[test]
fn a_look_and_a_post_apart_lose_an_attempt() {
    let post = World::<PostsInTwoSteps>::post;
    let complaint = "each attempt reaches the loop once";
    is_caught("in flight, posted in two steps", complaint, move |seen| post_and_take(post, seen));
}

/// Takes the attempts, and ends the wait under another lock.
enum TakesInTwoSteps {}

impl Steps for TakesInTwoSteps {
    fn take<K: Ord, A>(waiting: &Mutex<Table<K, A>>, key: &K) -> Vec<A> {
        let taken = lock(waiting).get_mut(key).map(std::mem::take).unwrap_or_default();
        lock(waiting).remove(key);
        taken
    }
}

/// Takes the attempts, and leaves the key as if an input were on its way.
enum TakesAndStays {}

impl Steps for TakesAndStays {
    fn take<K: Ord, A>(waiting: &Mutex<Table<K, A>>, key: &K) -> Vec<A> {
        lock(waiting).get_mut(key).map(std::mem::take).unwrap_or_default()
    }
}

#[test]
fn an_attempt_that_is_added_to_what_is_taken_is_lost() {
    let complaint = "each attempt reaches the loop once";
    let post = World::<TakesInTwoSteps>::post;
    is_caught("in flight, taken in two steps", complaint, move |seen| post_and_take(post, seen));
    let post = World::<TakesAndStays>::post;
    is_caught("in flight, taken and left", complaint, move |seen| post_and_take(post, seen));
}

#[test]
fn an_input_that_is_queued_before_its_attempt_is_posted_brings_nothing() {
    let post = World::<Sound>::post_queueing_first;
    let complaint = "no input without an attempt";
    is_caught("in flight, queued first", complaint, move |seen| post_and_take(post, seen));
}

/// Two readers, where one more finds room.
fn post_at_the_limit<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let world = World::<S>::new();
    for attempt in 1..WAITING_MAX {
        let _ = world.in_flight.post(KEY, attempt);
    }
    let reader = {
        let world = Arc::clone(&world);
        thread::spawn(move || world.post(WAITING_MAX))
    };
    let posted = [world.post(WAITING_MAX + 1), reader.join().expect("a reader ends")];
    assert_eq!(world.in_flight.take(&KEY).len(), WAITING_MAX, "no more wait than may");
    seen.note(if posted[0] == Posted::Lost { "the first is lost" } else { "the second is lost" });
}

/// Looks whether there is room, and waits with the others under another lock.
enum LooksForRoomFirst {}

impl Steps for LooksForRoomFirst {
    fn post<K: Ord, A>(waiting: &Mutex<Table<K, A>>, key: K, attempt: A) -> Posted {
        if lock(waiting).get(&key).is_some_and(|others| others.len() >= WAITING_MAX) {
            return Posted::Lost;
        }
        lock(waiting).entry(key).or_default().push(attempt);
        Posted::Added
    }
}

#[test]
fn no_more_attempts_wait_for_the_loop_than_may() {
    holds("in flight, full", &["the first is lost", "the second is lost"], post_at_the_limit::<Sound>);
    is_caught("in flight, room first", "no more wait than may", post_at_the_limit::<LooksForRoomFirst>);
}
