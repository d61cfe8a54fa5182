//! In-flight dedup under loom: attempts at one message that come at once, and the splits that store it twice.

use delivery_loom::explore::{Seen, Turnstile, holds, is_caught};
use delivery_loom::shared::in_flight::{Entered, InFlight, Sound, Steps, Table, join, lock};
use delivery_loom::sync::{AtomicU64, Mutex, Ordering};
use loom::sync::Arc;
use loom::thread;

const KEY: u64 = 7;

/// What an attempt was told.
const NOTHING: u64 = 0;
const REFUSED: u64 = 1;
const ACKED: u64 = 2;

/// A broker as far as one message goes. All relaxed, so that only the table orders anything.
struct World<S> {
    in_flight: InFlight<u64, usize, S>,
    /// How often the store will refuse.
    refusals: AtomicU64,
    /// How often the message is in the log.
    stored: AtomicU64,
    /// Whether the memory knows it.
    remembered: AtomicU64,
    told: Vec<AtomicU64>,
    turnstile: Turnstile,
}

impl<S: Steps> World<S> {
    fn new(attempts: usize, refusals: u64) -> Self {
        World {
            in_flight: InFlight::with_steps(),
            refusals: AtomicU64::new(refusals),
            stored: AtomicU64::new(0),
            remembered: AtomicU64::new(0),
            told: (0..attempts).map(|_| AtomicU64::new(NOTHING)).collect(),
            turnstile: Turnstile::new(),
        }
    }

    fn is_remembered(&self) -> bool {
        self.remembered.load(Ordering::Relaxed) == 1
    }

    /// Stores the message and has the memory know it, unless the store refuses.
    fn store(&self) -> u64 {
        let refusals = self.refusals.load(Ordering::Relaxed);
        if refusals > 0 {
            self.refusals.store(refusals - 1, Ordering::Relaxed);
            return REFUSED;
        }
        self.stored.fetch_add(1, Ordering::Relaxed);
        self.remembered.store(1, Ordering::Relaxed);
        ACKED
    }

    fn tell(&self, attempt: usize, result: u64) {
        assert_eq!(self.told[attempt].swap(result, Ordering::Relaxed), NOTHING, "an attempt is told once");
    }

    /// One attempt, by the calling contract. Whether it joined another.
    fn attempt(&self, attempt: usize) -> bool {
        self.turnstile.pass();
        let Entered::Leads(attempt) = self.in_flight.enter(KEY, attempt) else {
            return true;
        };
        let result = if self.is_remembered() { ACKED } else { self.store() };
        self.finish(attempt, result);
        false
    }

    /// One attempt that asks the memory before it enters.
    fn attempt_looking_first(&self, attempt: usize) -> bool {
        self.turnstile.pass();
        let is_remembered = self.is_remembered();
        self.turnstile.pass();
        let Entered::Leads(attempt) = self.in_flight.enter(KEY, attempt) else {
            return true;
        };
        let result = if is_remembered { ACKED } else { self.store() };
        self.finish(attempt, result);
        false
    }

    /// One attempt that ends its lead before the memory knows what it stored.
    fn attempt_finishing_first(&self, attempt: usize) -> bool {
        self.turnstile.pass();
        let Entered::Leads(attempt) = self.in_flight.enter(KEY, attempt) else {
            return true;
        };
        let is_remembered = self.is_remembered();
        self.finish(attempt, ACKED);
        if !is_remembered {
            self.store();
        }
        false
    }

    fn finish(&self, leader: usize, result: u64) {
        self.turnstile.pass();
        self.tell(leader, result);
        self.in_flight.finish(&KEY).into_iter().for_each(|joined| self.tell(joined, result));
    }
}

/// So many attempts at once, of which the store refuses the first so many.
fn attempts_at_once<S: Steps + Send + Sync + 'static>(
    attempts: usize,
    refusals: u64,
    attempt: fn(&World<S>, usize) -> bool,
    seen: &Seen,
) {
    let world = Arc::new(World::<S>::new(attempts, refusals));
    let others: Vec<_> = (1..attempts)
        .map(|number| {
            let world = Arc::clone(&world);
            thread::spawn(move || attempt(&world, number))
        })
        .collect();
    let mut joined = vec![attempt(&world, 0)];
    joined.extend(others.into_iter().map(|other| other.join().expect("an attempt ends")));
    let told: Vec<u64> = world.told.iter().map(|told| told.load(Ordering::Relaxed)).collect();
    let stored = world.stored.load(Ordering::Relaxed);
    assert!(!told.contains(&NOTHING), "every attempt is told a result: {told:?}");
    assert!(stored <= 1, "a message is stored once");
    assert_eq!(told.contains(&ACKED), stored == 1, "what is confirmed is stored, what is refused is not: {told:?}");
    seen.note(match joined.into_iter().filter(|joined| *joined).count() {
        0 => "one after the other",
        1 => "one joined",
        _ => "two joined",
    });
}

#[test]
fn a_retry_of_what_is_in_flight_joins_it_and_the_message_is_stored_once() {
    let ways = ["one after the other", "one joined"];
    let attempt = World::<Sound>::attempt;
    holds("in flight, two attempts", &ways, move |seen| attempts_at_once(2, 0, attempt, seen));
    let ways = ["one after the other", "one joined", "two joined"];
    holds("in flight, three attempts", &ways, move |seen| attempts_at_once(3, 0, attempt, seen));
}

#[test]
fn a_retry_that_joined_a_failure_is_refused_and_never_a_duplicate() {
    let ways = ["one after the other", "one joined", "two joined"];
    holds("in flight, refused", &ways, |seen| attempts_at_once(3, 1, World::<Sound>::attempt, seen));
}

/// Looks whether somebody leads, and becomes the leader under another lock.
enum EntersInTwoSteps {}

impl Steps for EntersInTwoSteps {
    fn enter<K: Ord, W>(table: &Mutex<Table<K, W>>, key: K, who: W) -> Entered<W> {
        if let Some(joined) = lock(table).get_mut(&key) {
            return join(joined, who);
        }
        lock(table).insert(key, Vec::new());
        Entered::Leads(who)
    }
}

#[test]
fn a_check_and_an_insert_apart_store_a_message_twice() {
    let attempt = World::<EntersInTwoSteps>::attempt;
    is_caught("in flight, entered in two steps", "stored once", move |seen| attempts_at_once(2, 0, attempt, seen));
}

/// Takes those who joined, and ends the lead under another lock.
enum FinishesInTwoSteps {}

impl Steps for FinishesInTwoSteps {
    fn finish<K: Ord, W>(table: &Mutex<Table<K, W>>, key: &K) -> Vec<W> {
        let joined = lock(table).get_mut(key).map(std::mem::take).unwrap_or_default();
        lock(table).remove(key);
        joined
    }
}

#[test]
fn a_retry_that_joins_a_lead_half_ended_is_never_told() {
    let attempt = World::<FinishesInTwoSteps>::attempt;
    let complaint = "every attempt is told";
    is_caught("in flight, finished in two steps", complaint, move |seen| attempts_at_once(2, 0, attempt, seen));
}

#[test]
fn a_memory_that_is_asked_before_entering_stores_a_message_twice() {
    let attempt = World::<Sound>::attempt_looking_first;
    is_caught("in flight, memory first", "stored once", move |seen| attempts_at_once(2, 0, attempt, seen));
}

#[test]
fn a_lead_that_ends_before_the_memory_knows_stores_a_message_twice() {
    let attempt = World::<Sound>::attempt_finishing_first;
    is_caught("in flight, finished first", "stored once", move |seen| attempts_at_once(2, 0, attempt, seen));
}

/// A leader that is lost, and a retry that comes at that moment.
fn a_leader_is_lost<S: Steps + Send + Sync + 'static>(lose: fn(&World<S>) -> Option<usize>, seen: &Seen) {
    let world = Arc::new(World::<S>::new(2, 0));
    let Entered::Leads(_) = world.in_flight.enter(KEY, 0) else { panic!("nobody else is there") };
    let retry = {
        let world = Arc::clone(&world);
        thread::spawn(move || world.attempt(1))
    };
    world.turnstile.pass();
    let next = lose(&world);
    if let Some(next) = next {
        let result = world.store();
        world.finish(next, result);
    }
    let joined = retry.join().expect("an attempt ends");
    assert_eq!(world.told[1].load(Ordering::Relaxed), ACKED, "somebody leads on when a leader is lost");
    assert_eq!(world.stored.load(Ordering::Relaxed), 1, "a message is stored once");
    seen.note(if joined { "handed over" } else { "started anew" });
}

#[test]
fn a_retry_leads_when_its_leader_is_lost() {
    let lose = |world: &World<Sound>| world.in_flight.hand_over(&KEY);
    holds("leader lost", &["handed over", "started anew"], move |seen| a_leader_is_lost(lose, seen));
    let finish_unheard = |world: &World<Sound>| {
        drop(world.in_flight.finish(&KEY));
        None
    };
    let complaint = "somebody leads on";
    is_caught("leader lost, not handed over", complaint, move |seen| a_leader_is_lost(finish_unheard, seen));
}
