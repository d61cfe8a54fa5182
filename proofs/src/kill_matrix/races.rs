//! The seeded bugs of what threads share, and what loom finds of each: the loom column of the matrix.
//!
//! Each is a broken step in a test under `proofs/loom/tests`, or a broken caller there. Its figures are the rows of `races.txt`,
//! which those tests write and keep true. A bug of the cores may be the same mistake as one of these; [`same_mistake`] says which.

use std::str::FromStr;

use crate::mutants::Mutant;

const TABLE: &str = include_str!("races.txt");

/// An exploration under loom whose shared part is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Race {
    /// The file of its test, and its name there.
    pub name: &'static str,
    /// The assertion that a run fails by.
    pub caught_by: &'static str,
    /// How many runs it took.
    pub runs: u64,
}

impl Race {
    /// Every race in which a shared part is broken.
    ///
    /// # Panics
    /// If `races.txt` is no table.
    pub fn broken() -> impl Iterator<Item = Race> {
        TABLE.lines().skip(1).map(Race::of_line).filter(|race| race.caught_by != "holds")
    }

    fn of_line(line: &'static str) -> Race {
        let mut cells = line.split(" | ");
        let mut cell = || cells.next().expect("three cells a row");
        let (name, caught_by) = (cell(), cell());
        Race { name, caught_by, runs: u64::from_str(cell()).expect("a number of runs") }
    }

    fn named(name: &str) -> Option<Race> {
        Race::broken().find(|race| race.name == name)
    }
}

/// A seeded bug of a shared part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedBug {
    /// Its name, most often that of the broken step.
    pub name: &'static str,
    /// The names of its races.
    races: &'static [&'static str],
    /// What it does, in a sentence without a full stop.
    pub sentence: &'static str,
    /// Where it was seen, or what warns of it.
    pub source: &'static str,
}

impl SharedBug {
    /// Its races, with what loom finds.
    ///
    /// # Panics
    /// If loom's tests do not have one of them.
    pub fn races(&self) -> impl Iterator<Item = Race> {
        self.races.iter().map(|name| Race::named(name).unwrap_or_else(|| panic!("no broken race \"{name}\"")))
    }
}

/// The race whose broken part makes the same mistake as this bug of the cores.
///
/// # Panics
/// If loom's tests do not have it.
pub fn same_mistake(mutant: Mutant) -> Option<Race> {
    let name = match mutant {
        Mutant::AckBeforeSync => "group_sync: group sync, claims too much",
        Mutant::CommitsHighest => "commits: crash, highest committed",
        Mutant::FenceIgnored => "lives: lives, looks before locking",
        Mutant::LeaseEndsEarly => "arrivals: arrivals, by the queue",
        Mutant::LeaseUnchecked => "ack_window: late settle, no laps",
        _ => return None,
    };
    Some(Race::named(name).unwrap_or_else(|| panic!("no broken race \"{name}\"")))
}

const MEMORY_ORDER: &str = "cppreference, std::memory_order: relaxed operations order nothing else";
const DOCKET: &str = "chrisguidry/docket #246: a message's answer races with its redelivery time-out";
const LOST_WAKEUP: &str = "tokio-rs/tokio #2134: a sender's notification was lost, and it waited for ever";

macro_rules! bugs {
    ($($name:ident: [$($race:literal),+], $sentence:literal, $source:expr;)*) => {
        /// Every seeded bug of the shared parts.
        pub const SHARED_BUGS: &[SharedBug] = &[$(SharedBug {
            name: stringify!($name),
            races: &[$($race),+],
            sentence: $sentence,
            source: $source,
        }),*];
    };
}

bugs! {
    MarksInTwoSteps: ["ack_window: mark in two steps", "ack_window: takeover in two steps", "ack_window: twice, in two steps",
        "commits: core and worker, mark in two steps"],
        "a worker reads a word of the window, then writes it: a mark in between is lost, or made twice",
        "confluentinc/parallel-consumer #664: work that completed in between was marked as committed";
    LooksBeforeItEnters: ["ack_window: looks before it enters"],
        "the next word is looked at, then told that the prefix has reached it, so that each of two settles misses the other's mark",
        "cppreference, std::memory_order: only sequentially consistent operations have one order for all threads";
    EntersInTwoSteps: ["ack_window: enters in two steps"],
        "the next word is read, then written with the news that the prefix has reached it: a mark in between is lost",
        "confluentinc/parallel-consumer #664: a state that changed in between was overwritten";
    LooksAfterTheMark: ["ack_window: looks after the mark"],
        "a settle goes by what the word holds after its mark, so that two report the same advance",
        "Herlihy, Wait-free synchronization (1991): reads and writes alone do not decide between two threads";
    TrustsWhatItLeft: ["ack_window: old knowledge, trusted"],
        "a worker writes a word as it left it, with one more mark: those that others made since are lost",
        "confluentinc/parallel-consumer #664: a state that changed in between was overwritten";
    NotesAfterwards: ["ack_window: notes afterwards"],
        "a word is told that it is reached, and its number noted then, when the next number may have been",
        "confluentinc/parallel-consumer #664: a state that changed in between was overwritten";
    IgnoresLap: ["ack_window: late settle, no laps"],
        "a late settle marks the word of its position, whatever positions the word is used for by now",
        "cloudtoid/interprocess #30: an offset that has wrapped around is taken for the old one";
    AnnouncedLast: ["arrivals: arrivals, announced last"],
        "a reader puts a settle into the queue, and announces it then",
        DOCKET;
    ByTheQueue: ["arrivals: arrivals, by the queue"],
        "the loop takes an empty queue for a sign that nothing arrived",
        DOCKET;
    CountedFirst: ["arrivals: arrivals, counted before they are handled"],
        "the loop counts an arrival before it has handled it",
        DOCKET;
    OneWordForAll: ["arrivals: arrivals, one word for all"],
        "two connections announce in one word",
        DOCKET;
    ReadsClockFirst: ["arrivals: arrivals, stamped first"],
        "a reader reads the clock, and announces then",
        DOCKET;
    MarksClockLast: ["arrivals: arrivals, marked first"],
        "the loop counts the announcements, and reads the clock then",
        DOCKET;
    ArrivesRelaxed: ["arrivals: arrivals, relaxed reader"],
        "a reader's announcement takes no notice of what the loop did before",
        MEMORY_ORDER;
    MarksRelaxed: ["arrivals: arrivals, relaxed loop"],
        "the loop's count says nothing of its look at the clock",
        MEMORY_ORDER;
    MarksByLoad: ["arrivals: arrivals, loaded"],
        "the loop counts by a load, which takes no part in the order of announcements",
        MEMORY_ORDER;
    HighestSeen: ["commits: crash, highest committed"],
        "the highest position settled is taken for the end of the prefix",
        "confluentinc/parallel-consumer #826";
    FindsRelaxed: ["commits: relaxed mark"],
        "a settle finds the marks of others with a relaxed exchange, but not what was done before them",
        MEMORY_ORDER;
    EntersRelaxed: ["commits: relaxed entry"],
        "the number of the word that is reached is written relaxed: it is seen, but not what was done before it",
        MEMORY_ORDER;
    SleepsInTwoSteps: ["group_sync: group sync, sleeps in two steps"],
        "the syncer finds nothing to do, then says that it sleeps: a request in between is wiped out",
        LOST_WAKEUP;
    RequestsInTwoSteps: ["group_sync: group sync, requests in two steps"],
        "a request looks whether the syncer sleeps, then asks: the syncer falls asleep in between",
        LOST_WAKEUP;
    WakesNobody: ["group_sync: group sync, wakes nobody"],
        "a request does not look whether the syncer sleeps",
        LOST_WAKEUP;
    WakesAlways: ["group_sync: group sync, wakes always"],
        "a request wakes the syncer whether it sleeps or not: nothing is lost, but each wake is a system call",
        "futex(2): a wake of nobody is a system call too";
    FinishesWhatIsWanted: ["group_sync: group sync, claims too much"],
        "a sync reports what was asked for by its end, in place of what it has synced",
        "milvus-io/talon #428: only what an fsync provably covered may be acknowledged";
    FinishesRelaxed: ["group_sync: group sync, relaxed finish"],
        "a sync reports the right end, but orders nothing by it",
        MEMORY_ORDER;
    RequestsRelaxed: ["group_sync: group sync, relaxed request"],
        "a request orders nothing, so that the sync does not cover what was appended before it",
        MEMORY_ORDER;
    PostsInTwoSteps: ["in_flight: in flight, posted in two steps"],
        "a reader looks whether an attempt of the message is on its way, and posts its own under another lock",
        "KanishJebaMathewM/Truxify #3975: a get and a set in two steps, in a map of what is in flight";
    TakesInTwoSteps: ["in_flight: in flight, taken in two steps"],
        "the loop takes the attempts, and ends their wait under another lock",
        "KanishJebaMathewM/Truxify #3975: a get and a set in two steps, in a map of what is in flight";
    TakesAndStays: ["in_flight: in flight, taken and left"],
        "the loop takes the attempts, and leaves their entry as if they were still on their way",
        "nodejs/undici #5817: an entry that stayed let later requests wait for ever";
    QueuedFirst: ["in_flight: in flight, queued first"],
        "a reader queues the input, and posts its attempt then",
        "octos-org/octos #927: a notification comes before what it is about";
    LooksForRoomFirst: ["in_flight: in flight, room first"],
        "a reader looks whether there is room, and waits with the others under another lock",
        "mdbergmann/cl-gserver #86: a bounded queue looked at its limit outside of its lock";
    LooksBeforeLocking: ["lives: lives, looks before locking"],
        "a worker looks whether its life goes on, and takes the lock afterwards",
        "NousResearch/hermes-agent #46479: whether a session is open was looked at outside of its lock";
    OffsetReadAgain: ["snapshot: snapshot, offset read again"],
        "a snapshot takes the bitmap, then reads the offset once more: two states in one pair",
        "Lamport, Concurrent reading and writing (1977)";
    OffsetReadRelaxed: ["snapshot: snapshot, relaxed offset"],
        "a snapshot goes by an offset that it read relaxed: what is below it is settled, but not seen handled",
        MEMORY_ORDER;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_race_is_of_one_seeded_bug_and_loom_has_every_race_that_is_named() {
        let mut named: Vec<&str> = SHARED_BUGS.iter().flat_map(SharedBug::races).map(|race| race.name).collect();
        named.sort_unstable();
        let mut broken: Vec<&str> = Race::broken().map(|race| race.name).collect();
        broken.sort_unstable();
        assert_eq!(named, broken);
        assert!(SHARED_BUGS.iter().all(|bug| !bug.source.is_empty() && !bug.sentence.is_empty()));
    }

    #[test]
    fn a_bug_of_the_cores_that_is_the_same_mistake_names_a_race_that_is_broken() {
        let named: Vec<Race> = Mutant::ALL.into_iter().filter_map(same_mistake).collect();
        assert_eq!(named.len(), 5, "{named:?}");
    }
}
