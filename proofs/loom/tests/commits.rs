//! What the ack window is for: a consumer that commits its prefix loses nothing when it crashes.
//!
//! Two workers handle a message each and mark its position in the window, without a lock; then, under the core's lock, each
//! takes what the window has by then and commits that far, as the consumer's driver does. The consumer crashes at any moment,
//! starts again at what it had committed, and is handed everything from there on. The monitors of `delivery_model::semantics` judge
//! what the workers did, in the order in which they did it: the same definition that judges the model and a real run.

use std::sync::Mutex as Witness;

use delivery_loom::explore::{Seen, Turnstile, holds, is_caught};
use delivery_loom::shared::ack_window::{AckWindow, BITS, Marked, Ring, Slot, Snapshot, Sound, Steps, Word};
use delivery_loom::sync::{AtomicU64, Mutex, MutexGuard, Ordering};
use delivery_loom::twins::MarksInTwoSteps;
use delivery_model::pipeline::{Level, Obligation, Semantics};
use delivery_model::semantics::{Bounded, Monitor, Observed, Rules};
use delivery_model::vocab::{Event, EventKind, Fault, GroupId, MessageId, Outcome, Position, ProcessId, SettleOutcome};
use loom::thread;

/// The two positions: the last of one word of the window and the first of the next.
const POSITIONS: [Position; 2] = [Position(31), Position(32)];
const PRODUCER: ProcessId = ProcessId(0);
const CONSUMER: ProcessId = ProcessId(1);
const GROUP: GroupId = GroupId(0);

/// Everything that outlives the consumer, and what its workers share.
struct World<S> {
    window: AckWindow<S>,
    /// The core, of which only this matters: everything below was committed.
    core: Mutex<Position>,
    /// The database: whether a position has its effect. Relaxed throughout, so that only the window orders anything.
    effects: [AtomicU64; POSITIONS.len()],
    /// Set once the consumer has crashed.
    crashed: AtomicU64,
    /// Not loom's: the witness takes no part in the race.
    observed: Witness<Observed<Bounded<{ POSITIONS.len() }>>>,
}

/// Judges exactly-once effects of what was acked; the broker needs no part in it here, so nothing else is watched.
fn monitor() -> Monitor {
    let rules = Rules::bare(Level::Effect, Obligation::Acked);
    Monitor { rules, watched: rules.required_by(Semantics::ExactlyOnce) }
}

fn slot(position: Position) -> usize {
    (position.0 - POSITIONS[0].0) as usize
}

fn message(position: Position) -> MessageId {
    MessageId(slot(position) as u64 + 1)
}

impl<S: Steps> World<S> {
    /// Both messages are submitted and acked; nothing is delivered.
    fn new() -> Self {
        let world = World {
            window: AckWindow::with_steps(POSITIONS[0], POSITIONS.len() as u32),
            core: Mutex::new(POSITIONS[0]),
            effects: [AtomicU64::new(0), AtomicU64::new(0)],
            crashed: AtomicU64::new(0),
            observed: Witness::default(),
        };
        for position in POSITIONS {
            let message = message(position);
            world.record(PRODUCER, EventKind::Submit { message, payload: None });
            let acked = Outcome::Acked;
            world.record(
                PRODUCER,
                EventKind::Outcome {
                    message,
                    attempt: None,
                    outcome: acked,
                    partition: Default::default(),
                    position: None,
                },
            );
        }
        world
    }

    fn record(&self, process: ProcessId, kind: EventKind) {
        monitor().observe(&mut self.observed.lock().expect("no panic in between"), &Event { process, kind });
    }

    /// A read-modify-write, so that loom tries the crash before and after each step of each worker.
    fn is_up(&self) -> bool {
        self.crashed.fetch_or(0, Ordering::Relaxed) == 0
    }

    fn deliver(&self, position: Position) {
        let (message, position) = (message(position), Some(position));
        self.record(
            CONSUMER,
            EventKind::Deliver {
                message,
                group: GROUP,
                partition: Default::default(),
                position,
                delivery: None,
                payload: None,
            },
        );
    }

    fn has_effect(&self, position: Position) -> bool {
        self.effects[slot(position)].load(Ordering::Relaxed) == 1
    }

    fn effect(&self, position: Position) {
        self.effects[slot(position)].store(1, Ordering::Relaxed);
        self.record(CONSUMER, EventKind::Effect { message: message(position), group: GROUP, payload: None });
    }

    fn core(&self) -> MutexGuard<'_, Position> {
        self.core.lock().expect("no panic in between")
    }

    /// Commits as far as the window says that all is finished.
    fn commit(&self, committed: &mut Position, finished: &Snapshot) {
        let from = *committed;
        for position in POSITIONS.into_iter().filter(|position| *position >= from) {
            if !finished.is_settled(position) {
                return;
            }
            *committed = Position(position.0 + 1);
            let (message, outcome, position) = (message(position), SettleOutcome::Ok, Some(position));
            self.record(
                CONSUMER,
                EventKind::Settle {
                    message,
                    group: GROUP,
                    partition: Default::default(),
                    position,
                    delivery: None,
                    outcome,
                },
            );
        }
    }

    /// Whoever learns that a position is settled sees what its worker did.
    fn assert_effect_seen(&self, position: Position) {
        assert!(self.has_effect(position), "position {position} is settled, but its effect is not seen");
    }

    /// A worker's whole life: one position, unless the consumer crashes in between.
    fn work(&self, position: Position) {
        if self.is_up() {
            self.deliver(position);
            self.effect(position);
        }
        if self.is_up() {
            // With broken steps it may be refused. As in the driver, that is nothing to the worker.
            let _ = self.window.settle(position);
        }
        let mut committed = self.core();
        if self.is_up() {
            self.commit(&mut committed, &self.window.snapshot());
        }
    }

    /// The consumer starts again where it had committed; its inbox knows the effects that were made. How many
    /// deliveries came again.
    fn start_again(&self) -> (usize, usize) {
        let (mut handed, mut known) = (0, 0);
        let committed = *self.core();
        for position in POSITIONS.into_iter().filter(|position| *position >= committed) {
            self.deliver(position);
            handed += 1;
            if self.has_effect(position) { known += 1 } else { self.effect(position) }
        }
        (handed, known)
    }
}

fn crash_and_start_again<S: Steps + 'static>(seen: &Seen) {
    let world = loom::sync::Arc::new(World::<S>::new());
    let workers = POSITIONS.map(|position| {
        let world = loom::sync::Arc::clone(&world);
        thread::spawn(move || world.work(position))
    });
    {
        let _core = world.core();
        world.crashed.fetch_or(1, Ordering::Relaxed);
        world.record(PRODUCER, EventKind::Fault { fault: Fault::ConsumerCrash });
    }
    for worker in workers {
        worker.join().expect("a worker ends");
    }
    let redelivered = world.start_again();
    let broken = monitor().at_quiescence(&world.observed.lock().expect("no panic in between"));
    assert!(broken.is_empty(), "broken after a crash: {broken:?}");
    seen.note(match redelivered {
        (0, _) => "all was committed",
        (_, 0) => "none of the redelivered had been handled",
        (handed, known) if handed == known => "all of the redelivered had been handled",
        _ => "some of the redelivered had been handled",
    });
}

#[test]
fn a_consumer_that_commits_its_prefix_loses_nothing_in_a_crash() {
    let ways = [
        "all was committed",
        "none of the redelivered had been handled",
        "some of the redelivered had been handled",
        "all of the redelivered had been handled",
    ];
    holds("crash, prefix committed", &ways, crash_and_start_again::<Sound>);
}

/// Takes the highest position settled for the end of the prefix.
enum HighestSeen {}

impl Steps for HighestSeen {
    fn snapshot(ring: &Ring, reached: &AtomicU64) -> Snapshot {
        let number = reached.load(Ordering::Acquire);
        let bits = u64::from(BITS);
        let highest = (number..ring.end(number) / bits).filter_map(|number| {
            let slot = ring.slot(number * bits);
            let word = Word(ring.word(slot).load(Ordering::Acquire));
            let end = number * bits + u64::from(BITS - word.settled().leading_zeros());
            (word.lap() == slot.lap).then_some(end)
        });
        Snapshot::new(highest.max().unwrap_or(number * bits), Vec::new())
    }
}

#[test]
fn a_consumer_that_commits_the_highest_seen_loses_what_was_acked() {
    is_caught("crash, highest committed", "acked-not-lost", crash_and_start_again::<HighestSeen>);
}

/// Marks with a relaxed exchange: finds the others' marks, but not what was done before them.
enum FindsRelaxed {}

impl Steps for FindsRelaxed {
    fn mark(word: &AtomicU64, slot: Slot, _: Word) -> Marked {
        let mark = |seen| Word(seen).on(slot.lap).map(|found| found.and(slot.bit).0);
        match word.fetch_update(Ordering::Release, Ordering::Relaxed, mark) {
            Ok(seen) => Marked::First { found: Word(seen).on(slot.lap).expect("it was marked on that lap") },
            Err(_) => Marked::LapGone,
        }
    }
}

/// Enters words with relaxed steps: who reads the number learns how far, but not what was done.
enum EntersRelaxed {}

impl Steps for EntersRelaxed {
    fn enter(ring: &Ring, reached: &AtomicU64, number: u64) -> u32 {
        reached.store(number, Ordering::Relaxed);
        let slot = ring.slot(number * u64::from(BITS));
        Self::reach(ring.word(slot), slot.lap)
    }

    fn reach(word: &AtomicU64, lap: u32) -> u32 {
        let reach = |seen| Word(seen).on(lap).map(|found| found.reached().0);
        let seen = word.fetch_update(Ordering::Relaxed, Ordering::Relaxed, reach).expect("it is not used anew yet");
        Word(seen).on(lap).map_or(0, Word::settled)
    }
}

/// Two workers, and the loop, which looks at the window while they finish.
fn see_what_a_look_covers<S: Steps + 'static>(seen: &Seen) {
    let (world, turnstile) = (loom::sync::Arc::new(World::<S>::new()), Turnstile::new());
    for position in POSITIONS {
        let (world, turnstile) = (loom::sync::Arc::clone(&world), turnstile.clone());
        thread::spawn(move || {
            world.effect(position);
            turnstile.pass();
            if let Some(advance) = world.window.settle(position).expect("it is the first settle") {
                POSITIONS.into_iter().filter(|&it| it < advance.to).for_each(|it| world.assert_effect_seen(it));
            }
        });
    }
    turnstile.pass();
    let finished = world.window.snapshot();
    let settled: Vec<Position> = POSITIONS.into_iter().filter(|it| finished.is_settled(*it)).collect();
    settled.iter().for_each(|it| world.assert_effect_seen(*it));
    seen.note(match settled[..] {
        [] => "none settled",
        [_] => "one settled",
        _ => "both settled",
    });
}

#[test]
fn whoever_looks_at_the_window_sees_the_effects_of_what_is_settled() {
    let ways = ["none settled", "one settled", "both settled"];
    holds("look and effects", &ways, see_what_a_look_covers::<Sound>);
}

#[test]
fn relaxed_marks_and_entries_cover_effects_that_are_not_seen() {
    is_caught("relaxed mark", "its effect is not seen", see_what_a_look_covers::<FindsRelaxed>);
    is_caught("relaxed entry", "its effect is not seen", see_what_a_look_covers::<EntersRelaxed>);
}

/// The core has what another consumer settled before, and marks it; a worker that was handed it again finishes it too. A
/// third position waits behind both.
fn a_worker_finishes_what_the_core_marks<S: Steps + 'static>(seen: &Seen) {
    let window = loom::sync::Arc::new(AckWindow::<S>::with_steps(POSITIONS[0], POSITIONS.len() as u32));
    let turnstile = Turnstile::new();
    let worker = {
        let (window, turnstile) = (loom::sync::Arc::clone(&window), turnstile.clone());
        thread::spawn(move || {
            turnstile.pass();
            window.settle(POSITIONS[0]).is_ok()
        })
    };
    turnstile.pass();
    let is_first = window.settle(POSITIONS[0]).is_ok();
    window.settle(POSITIONS[1]).expect("nobody else has it");
    let was_first = worker.join().expect("it ends");
    assert!(is_first != was_first, "one of the two is the first: {is_first} {was_first}");
    assert_eq!(window.watermark(), Position(POSITIONS[1].0 + 1), "the watermark sticks");
    seen.note(if is_first { "the core" } else { "the worker" });
}

#[test]
fn what_the_core_marks_and_a_worker_finishes_is_settled_once() {
    let ways = ["the core", "the worker"];
    holds("core and worker", &ways, a_worker_finishes_what_the_core_marks::<Sound>);
    is_caught(
        "core and worker, mark in two steps",
        "one of the two",
        a_worker_finishes_what_the_core_marks::<MarksInTwoSteps>,
    );
}
