//! Group sync under loom: two that append, one that syncs, and the ways in which a wake-up or a sync gets lost.

use delivery_loom::explore::{Seen, Turnstile, holds, is_caught};
use delivery_loom::shared::group_sync::{GroupSync, Sound, Steps, Wanted};
use delivery_loom::sync::{AtomicU64, Mutex, Ordering};
use delivery_model::vocab::Position;
use loom::sync::Arc;
use loom::thread;

/// How many records are appended, each by a thread of its own.
const RECORDS: usize = 2;

/// A log, a disk, and what stands between them. Records and disk are relaxed, so that only the group sync orders them.
struct World<S> {
    group: GroupSync<S>,
    end: Mutex<usize>,
    records: [AtomicU64; RECORDS],
    disk: [AtomicU64; RECORDS],
    /// The syncer's park token: set by a wake-up, used up by a sleep.
    token: AtomicU64,
    turnstile: Turnstile,
}

/// What a syncer did before it slept.
#[derive(Default)]
struct Synced {
    syncs: usize,
    sleeps: usize,
}

impl<S: Steps> World<S> {
    fn new() -> Self {
        let zeros = || [AtomicU64::new(0), AtomicU64::new(0)];
        World {
            group: GroupSync::with_steps(Position(0)),
            end: Mutex::new(0),
            records: zeros(),
            disk: zeros(),
            token: AtomicU64::new(0),
            turnstile: Turnstile::new(),
        }
    }

    /// Appends a record, asks for its sync, and looks once whether it can be confirmed. Whether the syncer was woken.
    fn append(&self) -> bool {
        let end = {
            let mut end = self.end.lock().expect("no panic in between");
            self.records[*end].store(1, Ordering::Relaxed);
            *end += 1;
            *end
        };
        self.turnstile.pass();
        let wakes = self.group.request(Position(end as u64));
        if wakes {
            self.token.fetch_or(1, Ordering::Relaxed);
        }
        self.turnstile.pass();
        if self.group.synced().0 >= end as u64 {
            assert_eq!(self.disk[end - 1].load(Ordering::Relaxed), 1, "what is confirmed is on the disk");
        }
        wakes
    }

    /// The syncer's turn, until it finds nothing more to do.
    fn sync_until_asleep(&self, synced: &mut Synced) {
        self.turnstile.pass();
        while let Some(end) = self.group.begin() {
            for position in self.group.synced().0 as usize..end.0 as usize {
                assert_eq!(self.records[position].load(Ordering::Relaxed), 1, "what is synced is there");
                self.disk[position].store(1, Ordering::Relaxed);
            }
            self.turnstile.pass();
            self.group.finish(end);
            synced.syncs += 1;
            self.turnstile.pass();
        }
        synced.sleeps += 1;
    }

    /// Sleeps. True if it was woken, before or since.
    fn is_woken(&self) -> bool {
        self.token.swap(0, Ordering::Relaxed) == 1
    }
}

fn append_and_sync<S: Steps + 'static>(seen: &Seen) {
    let world = Arc::new(World::<S>::new());
    let appenders: Vec<_> = (0..RECORDS)
        .map(|_| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.append())
        })
        .collect();
    let mut synced = Synced::default();
    world.sync_until_asleep(&mut synced);
    world.turnstile.pass();
    if world.is_woken() {
        world.sync_until_asleep(&mut synced);
    }
    let wakes: Vec<bool> = appenders.into_iter().map(|appender| appender.join().expect("it ends")).collect();
    // Whoever sleeps with a token that was set goes on; one that was not woken sleeps for ever.
    while world.is_woken() {
        world.sync_until_asleep(&mut synced);
    }
    assert_eq!(world.group.synced(), Position(RECORDS as u64), "all is synced, or somebody wakes the syncer");
    let wakes = wakes.into_iter().filter(|wakes| *wakes).count();
    assert!(wakes < synced.sleeps, "who is awake is not woken");
    seen.note(match (synced.syncs, wakes) {
        (1, 0) => "one sync of both, awake",
        (1, _) => "one sync of both, woken",
        (_, 0) => "two syncs, awake",
        (_, 1) => "two syncs, woken once",
        (_, _) => "two syncs, woken twice",
    });
}

#[test]
fn every_append_is_synced_and_nobody_confirms_early() {
    let ways = [
        "one sync of both, awake",
        "one sync of both, woken",
        "two syncs, awake",
        "two syncs, woken once",
        "two syncs, woken twice",
    ];
    holds("group sync", &ways, append_and_sync::<Sound>);
}

/// Finds nothing to do, then says that it sleeps: a request in between is wiped out.
enum SleepsInTwoSteps {}

impl Steps for SleepsInTwoSteps {
    fn begin(wanted: &AtomicU64, synced: u64) -> Option<u64> {
        let Wanted { end, .. } = Wanted::unpack(wanted.load(Ordering::Acquire));
        if end > synced {
            return Some(end);
        }
        wanted.store(Wanted { end, is_asleep: true }.pack(), Ordering::Release);
        None
    }
}

/// Looks whether the syncer sleeps, then asks: the syncer falls asleep in between, or a later end is overwritten.
enum RequestsInTwoSteps {}

impl Steps for RequestsInTwoSteps {
    fn request(wanted: &AtomicU64, end: u64) -> bool {
        let seen = Wanted::unpack(wanted.load(Ordering::Acquire));
        if end <= seen.end {
            return false;
        }
        wanted.store(Wanted { end, is_asleep: false }.pack(), Ordering::Release);
        seen.is_asleep
    }
}

/// Raises the end without looking whether the syncer sleeps.
enum WakesNobody {}

impl Steps for WakesNobody {
    fn request(wanted: &AtomicU64, end: u64) -> bool {
        Sound::request(wanted, end);
        false
    }
}

#[test]
fn a_flag_that_is_lost_between_look_and_write_leaves_an_append_unsynced() {
    let complaint = "all is synced, or somebody wakes the syncer";
    is_caught("group sync, sleeps in two steps", complaint, append_and_sync::<SleepsInTwoSteps>);
    is_caught("group sync, requests in two steps", complaint, append_and_sync::<RequestsInTwoSteps>);
    is_caught("group sync, wakes nobody", complaint, append_and_sync::<WakesNobody>);
}

/// Wakes the syncer whenever it asks for something.
enum WakesAlways {}

impl Steps for WakesAlways {
    fn request(wanted: &AtomicU64, end: u64) -> bool {
        Sound::request(wanted, end);
        true
    }
}

#[test]
fn a_request_that_always_wakes_is_told_from_one_that_must() {
    is_caught("group sync, wakes always", "who is awake is not woken", append_and_sync::<WakesAlways>);
}

/// Reports what is asked for by the end of the sync in place of what it has synced.
enum FinishesWhatIsWanted {}

impl Steps for FinishesWhatIsWanted {
    fn finish(wanted: &AtomicU64, synced: &AtomicU64, _end: u64) {
        synced.store(Wanted::unpack(wanted.load(Ordering::Acquire)).end, Ordering::Release);
    }
}

/// Reports the right end, but orders nothing by it.
enum FinishesRelaxed {}

impl Steps for FinishesRelaxed {
    fn finish(_wanted: &AtomicU64, synced: &AtomicU64, end: u64) {
        synced.store(end, Ordering::Relaxed);
    }
}

#[test]
fn a_sync_that_claims_what_came_meanwhile_confirms_before_the_disk() {
    let complaint = "what is confirmed is on the disk";
    is_caught("group sync, claims too much", complaint, append_and_sync::<FinishesWhatIsWanted>);
    is_caught("group sync, relaxed finish", complaint, append_and_sync::<FinishesRelaxed>);
}

/// Asks, but orders nothing by it.
enum RequestsRelaxed {}

impl Steps for RequestsRelaxed {
    fn request(wanted: &AtomicU64, end: u64) -> bool {
        let raised = wanted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
            (end > Wanted::unpack(seen).end).then(|| Wanted { end, is_asleep: false }.pack())
        });
        raised.is_ok_and(|before| Wanted::unpack(before).is_asleep)
    }
}

#[test]
fn a_relaxed_request_syncs_what_is_not_there() {
    is_caught("group sync, relaxed request", "what is synced is there", append_and_sync::<RequestsRelaxed>);
}
