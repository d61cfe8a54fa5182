//! Arrivals under loom: a reader that brings a settle while its lease's time is up, and the ways in which one that arrived
//! in time is refused.

use delivery_loom::explore::{Seen, Turnstile, holds, is_caught};
use delivery_loom::shared::arrivals::{Arrivals, Mark, Sound, Steps};
use delivery_loom::sync::{AtomicU64, Mutex, Ordering};
use loom::sync::Arc;
use loom::thread;

/// When the lease ends. The clock begins before.
const DEADLINE: u64 = 1;

/// Whose settle it is: the readers' connections.
const ITS: usize = 0;
const ANOTHERS: usize = 1;

/// A loop and its readers. The clock does not fall, and orders nothing.
struct World<S> {
    clock: AtomicU64,
    arrivals: [Arrivals<S>; 2],
    /// Over which connection a settle came, and when.
    queue: Mutex<Vec<(usize, u64)>>,
    turnstile: Turnstile,
}

/// What has become of the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lease {
    Live,
    Settled,
    Ended,
    /// A settle that arrived then was refused.
    Refused {
        arrived: u64,
    },
}

impl<S: Steps> World<S> {
    fn new() -> Arc<Self> {
        Arc::new(World {
            clock: AtomicU64::new(0),
            arrivals: [Arrivals::with_steps(), Arrivals::with_steps()],
            queue: Mutex::new(Vec::new()),
            turnstile: Turnstile::new(),
        })
    }

    fn now(&self) -> u64 {
        self.turnstile.pass();
        self.clock.load(Ordering::Relaxed)
    }

    /// The loop looks at the clock as the lease's time runs out.
    fn look(&self) -> u64 {
        self.turnstile.pass();
        self.clock.store(DEADLINE, Ordering::Relaxed);
        DEADLINE
    }

    fn queue(&self, connection: usize, arrived: u64) {
        self.turnstile.pass();
        self.queue.lock().expect("no panic in between").push((connection, arrived));
    }

    /// A reader's turn, by the calling contract.
    fn read(&self, connection: usize) {
        self.turnstile.pass();
        let arrived = self.arrivals[connection].arrive(|| self.now());
        self.queue(connection, arrived);
    }

    /// A reader that queues its input and announces it then.
    fn read_announcing_last(&self, connection: usize) {
        let arrived = self.now();
        self.queue(connection, arrived);
        self.turnstile.pass();
        self.arrivals[connection].arrive(|| ());
    }

    /// A reader that announces where all do.
    fn read_with_all(&self, connection: usize) {
        self.turnstile.pass();
        let arrived = self.arrivals[ITS].arrive(|| self.now());
        self.queue(connection, arrived);
    }

    fn mark(&self) -> Mark<u64> {
        self.turnstile.pass();
        let mark = self.arrivals[ITS].mark(|| self.look());
        self.turnstile.pass();
        mark
    }

    fn take(&self) -> Vec<(usize, u64)> {
        std::mem::take(&mut self.queue.lock().expect("no panic in between"))
    }
}

/// One look at the lease as its time runs out: what became of it, and how many inputs are handled.
type Turn<S> = fn(&World<S>) -> (Lease, usize);

/// The loop's turn, by the calling contract.
fn turn<S: Steps>(world: &World<S>) -> (Lease, usize) {
    let mark = world.mark();
    let taken = world.take();
    (end_by_time(settled(Lease::Live, &taken), mark, of(ITS, &taken)), taken.len())
}

/// A loop that counts what it takes, and handles it after its look at the deadline.
fn turn_counting_first<S: Steps>(world: &World<S>) -> (Lease, usize) {
    let mark = world.mark();
    let taken = world.take();
    (settled(end_by_time(Lease::Live, mark, of(ITS, &taken)), &taken), taken.len())
}

/// A loop that looks at the deadline as soon as its queue is empty, whatever is announced.
fn turn_by_the_queue<S: Steps>(world: &World<S>) -> (Lease, usize) {
    let at = world.look();
    let taken = world.take();
    let lease = settled(Lease::Live, &taken);
    (end_by_time(lease, Mark { at, announced: 0 }, 0), taken.len())
}

/// A loop that counts the inputs of all connections.
fn turn_counting_all<S: Steps>(world: &World<S>) -> (Lease, usize) {
    let mark = world.mark();
    let taken = world.take();
    (end_by_time(settled(Lease::Live, &taken), mark, taken.len()), taken.len())
}

fn of(connection: usize, taken: &[(usize, u64)]) -> usize {
    taken.iter().filter(|(its, _)| *its == connection).count()
}

fn end_by_time(lease: Lease, mark: Mark<u64>, handled: usize) -> Lease {
    let is_over = mark.at >= DEADLINE && mark.is_reached(handled as u64);
    if lease == Lease::Live && is_over { Lease::Ended } else { lease }
}

/// A settle counts if it arrived before the deadline and finds the lease live.
fn settled(lease: Lease, taken: &[(usize, u64)]) -> Lease {
    match (lease, taken.iter().find(|(connection, _)| *connection == ITS)) {
        (lease, None) => lease,
        (Lease::Live, Some((_, arrived))) if *arrived < DEADLINE => Lease::Settled,
        (_, Some((_, arrived))) => Lease::Refused { arrived: *arrived },
    }
}

/// Readers, a turn of the loop beside them as time runs out, and what is left to do afterwards.
fn settle_while_time_is_up<S: Steps + 'static>(
    connections: usize,
    read: fn(&World<S>, usize),
    turn: Turn<S>,
    seen: &Seen,
) {
    let world = World::<S>::new();
    let readers: Vec<_> = (0..connections)
        .map(|connection| {
            let world = Arc::clone(&world);
            thread::spawn(move || read(&world, connection))
        })
        .collect();
    let (before, handled) = turn(&world);
    readers.into_iter().for_each(|reader| reader.join().expect("a reader ends"));
    let taken = world.take();
    let lease = settled(before, &taken);
    if let Lease::Refused { arrived } = lease {
        assert!(arrived >= DEADLINE, "a settle that arrived in time counts");
    }
    let mark = world.mark();
    assert!(mark.is_reached((handled + taken.len()) as u64), "what was announced is queued, and the loop gets there");
    seen.note(match (before, lease) {
        (Lease::Live, Lease::Settled) => "the loop waited for a settle in time",
        (Lease::Settled, _) => "settled before the look at the deadline",
        (Lease::Ended, _) => "ended, and settled too late",
        (_, _) => "settled too late, and not ended yet",
    });
}

const IN_TIME: &str = "a settle that arrived in time counts";

#[test]
fn a_settle_that_arrived_in_time_counts_however_late_it_is_taken() {
    let ways = [
        "the loop waited for a settle in time",
        "settled before the look at the deadline",
        "ended, and settled too late",
        "settled too late, and not ended yet",
    ];
    holds("arrivals", &ways, |seen| settle_while_time_is_up(1, World::<Sound>::read, turn, seen));
    let read: fn(&World<Sound>, usize) = World::read;
    holds("arrivals over two connections", &ways, move |seen| settle_while_time_is_up(ANOTHERS + 1, read, turn, seen));
}

#[test]
fn an_input_that_is_announced_when_it_is_queued_comes_too_late() {
    let read: fn(&World<Sound>, usize) = World::read_announcing_last;
    is_caught("arrivals, announced last", IN_TIME, move |seen| settle_while_time_is_up(1, read, turn, seen));
}

/// Reads the clock, and announces then.
enum ReadsClockFirst {}

impl Steps for ReadsClockFirst {
    fn arrive<T>(announced: &AtomicU64, clock: impl FnOnce() -> T) -> T {
        let at = clock();
        announced.fetch_add(1, Ordering::Acquire);
        at
    }
}

/// Counts, and reads the clock then.
enum MarksClockLast {}

impl Steps for MarksClockLast {
    fn mark<T>(announced: &AtomicU64, clock: impl FnOnce() -> T) -> Mark<T> {
        let announced = announced.fetch_add(0, Ordering::Release);
        Mark { at: clock(), announced }
    }
}

#[test]
fn a_clock_on_the_wrong_side_of_the_count_refuses_what_came_in_time() {
    is_caught("arrivals, stamped first", IN_TIME, |seen| {
        settle_while_time_is_up(1, World::<ReadsClockFirst>::read, turn, seen);
    });
    is_caught("arrivals, marked first", IN_TIME, |seen| {
        settle_while_time_is_up(1, World::<MarksClockLast>::read, turn, seen);
    });
}

/// Announces, but takes no notice of what the loop did before.
enum ArrivesRelaxed {}

impl Steps for ArrivesRelaxed {
    fn arrive<T>(announced: &AtomicU64, clock: impl FnOnce() -> T) -> T {
        announced.fetch_add(1, Ordering::Relaxed);
        clock()
    }
}

/// Counts, but says nothing of its look at the clock.
enum MarksRelaxed {}

impl Steps for MarksRelaxed {
    fn mark<T>(announced: &AtomicU64, clock: impl FnOnce() -> T) -> Mark<T> {
        let at = clock();
        Mark { at, announced: announced.fetch_add(0, Ordering::Relaxed) }
    }
}

/// Counts without taking part in the order of announcements.
enum MarksByLoad {}

impl Steps for MarksByLoad {
    fn mark<T>(announced: &AtomicU64, clock: impl FnOnce() -> T) -> Mark<T> {
        let at = clock();
        Mark { at, announced: announced.load(Ordering::Acquire) }
    }
}

#[test]
fn a_count_that_orders_nothing_lets_a_reader_see_an_older_clock() {
    is_caught("arrivals, relaxed reader", IN_TIME, |seen| {
        settle_while_time_is_up(1, World::<ArrivesRelaxed>::read, turn, seen);
    });
    is_caught("arrivals, relaxed loop", IN_TIME, |seen| {
        settle_while_time_is_up(1, World::<MarksRelaxed>::read, turn, seen);
    });
    is_caught("arrivals, loaded", IN_TIME, |seen| {
        settle_while_time_is_up(1, World::<MarksByLoad>::read, turn, seen);
    });
}

#[test]
fn a_loop_that_does_not_wait_for_what_is_announced_refuses_it() {
    let check = |name, connections, read: fn(&World<Sound>, usize), turn: Turn<Sound>| {
        is_caught(name, IN_TIME, move |seen| settle_while_time_is_up(connections, read, turn, seen));
    };
    check("arrivals, by the queue", 1, World::read, turn_by_the_queue);
    check("arrivals, counted before they are handled", 1, World::read, turn_counting_first);
    check("arrivals, one word for all", 2, World::read_with_all, turn_counting_all);
}
