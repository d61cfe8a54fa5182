//! The ack window without its races, against a set of settled positions; and under real threads, with an exact count.
//!
//! Loom explores the races themselves (`proofs/loom`), in small windows. Here are the long runs: many laps of the ring,
//! and the wrap of the lap counter.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use delivery_impls::shared::ack_window::{
    AckWindow, Advance, BITS, Marked, ReserveError, Ring, SettleError, Slot, Snapshot, Sound, Steps, Word,
};
use delivery_model::vocab::Position;
use proptest::prelude::*;

/// What the window must say, from a set that remembers everything.
struct Reference {
    watermark: u64,
    settled: BTreeSet<u64>,
    words: u64,
}

impl Reference {
    fn new(start: u64, capacity: u32) -> Self {
        let words = (u64::from(capacity + BITS - 1)).div_ceil(u64::from(BITS)).next_power_of_two();
        Reference { watermark: start, settled: BTreeSet::new(), words }
    }

    /// Whole words are reused, so the room ends where the word of the watermark would come round again.
    fn end(&self) -> u64 {
        (self.watermark / u64::from(BITS) + self.words) * u64::from(BITS)
    }

    fn try_reserve(&self, position: u64) -> Result<(), ReserveError> {
        let at = Position(position);
        if position < self.watermark {
            Err(ReserveError::Stale { position: at, watermark: Position(self.watermark) })
        } else if position >= self.end() {
            Err(ReserveError::Full { position: at, end: Position(self.end()) })
        } else {
            Ok(())
        }
    }

    fn is_settled(&self, position: u64) -> bool {
        position < self.watermark || self.settled.contains(&position)
    }

    fn settle(&mut self, position: u64) -> Result<Option<Advance>, SettleError> {
        let (at, watermark) = (Position(position), Position(self.watermark));
        if position < self.watermark {
            return Err(SettleError::Stale { position: at, watermark });
        }
        if position >= self.end() {
            return Err(SettleError::NotReserved { position: at, end: Position(self.end()) });
        }
        if !self.settled.insert(position) {
            return Err(SettleError::AlreadySettled { position: at });
        }
        while self.settled.contains(&self.watermark) {
            self.watermark += 1;
        }
        let to = Position(self.watermark);
        Ok((to > watermark).then_some(Advance { from: watermark, to }))
    }
}

/// One call, its position relative to the watermark so that calls stay interesting however far the window has moved.
#[derive(Clone, Copy, Debug)]
enum Call {
    Reserve(i64),
    Settle(i64),
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        2 => Just(Call::Settle(0)),
        6 => (0..40i64).prop_map(Call::Settle),
        1 => (-70..200i64).prop_map(Call::Settle),
        1 => (-70..200i64).prop_map(Call::Reserve),
    ]
}

/// The first position, near the ends of words and laps and of the lap counter itself (2^31 laps of one word of 32).
fn start() -> impl Strategy<Value = u64> {
    prop_oneof![0..200u64, (1 << 36) - 100..(1u64 << 36) + 10]
}

proptest! {
    #[test]
    fn any_sequence_of_calls_says_what_a_set_of_settled_positions_would(
        start in start(), capacity in 0..100u32, calls in prop::collection::vec(call(), 1..800),
    ) {
        let window = AckWindow::new(Position(start), capacity);
        let mut reference = Reference::new(start, capacity);
        for call in calls {
            let at = |offset: i64| reference.watermark.saturating_add_signed(offset);
            match call {
                Call::Reserve(offset) => {
                    let position = at(offset);
                    prop_assert_eq!(window.try_reserve(Position(position)), reference.try_reserve(position));
                }
                Call::Settle(offset) => {
                    let position = at(offset);
                    prop_assert_eq!(window.settle(Position(position)), reference.settle(position));
                }
            }
            prop_assert_eq!(window.watermark(), Position(reference.watermark));
            for position in reference.watermark.saturating_sub(40)..reference.end() {
                prop_assert_eq!(window.is_settled(Position(position)), reference.is_settled(position));
            }
            prop_assert!(reference.end() >= reference.watermark + u64::from(capacity));
        }
    }
}

proptest! {
    #[test]
    fn a_snapshot_has_what_is_settled_and_a_window_resumes_from_it(
        start in start(), capacity in 1..100u32, offsets in prop::collection::vec(0..200u64, 0..300),
    ) {
        let window = AckWindow::new(Position(start), capacity);
        let mut reference = Reference::new(start, capacity);
        for offset in offsets {
            let position = reference.watermark + offset;
            let _ = (window.settle(Position(position)), reference.settle(position));
        }
        let snapshot = window.snapshot();
        prop_assert_eq!(snapshot.offset(), Position(reference.watermark));
        let ahead: Vec<u64> = reference.settled.range(reference.watermark..).copied().collect();
        prop_assert_eq!(snapshot.ahead().map(|position| position.0).collect::<Vec<_>>(), ahead);
        let resumed = AckWindow::resume(&snapshot, capacity + BITS);
        for position in reference.watermark.saturating_sub(40)..reference.end() + 40 {
            let position = Position(position);
            prop_assert_eq!(snapshot.is_settled(position), reference.is_settled(position.0));
            prop_assert_eq!(resumed.is_settled(position), reference.is_settled(position.0));
        }
        prop_assert_eq!(resumed.snapshot(), snapshot);
    }
}

#[test]
fn a_snapshot_of_runs_has_what_they_hold_as_far_as_there_is_room() {
    let check = |runs: &[(u64, u64)], room, expected_offset, expected_ahead: &[u64]| {
        let runs = runs.iter().map(|&(start, end)| (Position(start), Position(end)));
        let snapshot = Snapshot::of(runs, room);
        assert_eq!(snapshot.offset(), Position(expected_offset));
        assert_eq!(snapshot.ahead().map(|position| position.0).collect::<Vec<_>>(), expected_ahead);
        assert_eq!(AckWindow::resume(&snapshot, room).snapshot(), snapshot, "it fits");
    };
    check(&[], 8, 0, &[]);
    check(&[(0, 5)], 8, 5, &[]);
    check(&[(2, 4)], 8, 0, &[2, 3]);
    check(&[(0, 30), (32, 33), (36, 40)], 8, 30, &[32, 36, 37]);
    check(&[(0, 30), (32, 33), (94, u64::MAX)], 66, 30, &[32, 94, 95]);
    check(&[(1, u64::MAX)], 3, 0, &[1, 2]);
}

#[test]
fn a_snapshot_that_starts_with_settled_bits_moves_its_offset_over_them() {
    let check = |offset, bitmap: &[u32], expected_offset, expected_ahead: &[u64]| {
        let snapshot = Snapshot::new(offset, bitmap.to_vec());
        assert_eq!(snapshot.offset(), Position(expected_offset), "{bitmap:?}");
        assert_eq!(snapshot.ahead().map(|position| position.0).collect::<Vec<_>>(), expected_ahead, "{bitmap:?}");
    };
    check(5, &[], 5, &[]);
    check(5, &[0b1011, 0, 0], 7, &[8]);
    check(5, &[u32::MAX, 0b101], 38, &[39]);
    check(0, &[0b10, 1 << 31], 0, &[1, 63]);
    assert_eq!(Snapshot::new(5, vec![1, 0]), Snapshot::new(6, vec![]), "equal sets are equal values");
}

#[test]
fn a_window_holds_back_what_is_ahead_of_an_unsettled_position_and_lets_it_go_after() {
    let window = AckWindow::new(Position(0), 1);
    let ahead = Position(32);
    assert_eq!(window.try_reserve(ahead), Err(ReserveError::Full { position: ahead, end: Position(32) }));
    for position in (1..32).rev() {
        assert_eq!(window.settle(Position(position)), Ok(None));
    }
    assert_eq!(window.settle(Position(0)), Ok(Some(Advance { from: Position(0), to: ahead })));
    assert_eq!(window.try_reserve(ahead), Ok(()));
}

#[test]
fn an_error_names_the_position_and_where_the_window_stands() {
    let window = AckWindow::new(Position(7), 1);
    let said = [3, 99].map(|position| window.settle(Position(position)).unwrap_err().to_string());
    assert_eq!(
        said,
        [
            "position 3 is below the watermark 7: it is settled already",
            "position 99 was never reserved: the window ends before 32",
        ]
    );
}

#[test]
fn a_mark_tells_a_first_settle_from_a_second_one_and_from_one_that_comes_a_lap_late() {
    let word = Word::new;
    let check = |before: Word, expected, after: Word| {
        let shared = AtomicU64::new(before.0);
        let marked = Sound::mark(&shared, Slot { index: 0, lap: 5, bit: 3 }, before);
        assert_eq!((marked, Word(shared.into_inner())), (expected, after), "{before:?}");
    };
    for is_reached in [false, true] {
        for settled in [0, 0b1, 0b111] {
            let found = word(5, is_reached, settled);
            check(found, Marked::First { found }, word(5, is_reached, settled | 0b1000));
        }
        check(word(5, is_reached, 0b1000), Marked::Again, word(5, is_reached, 0b1000));
        check(word(4, is_reached, u32::MAX), Marked::First { found: word(5, false, 0) }, word(5, false, 0b1000));
        check(word(6, is_reached, 0b1000), Marked::LapGone, word(6, is_reached, 0b1000));
        check(word(6, is_reached, 0), Marked::LapGone, word(6, is_reached, 0));
    }
}

#[test]
fn a_word_that_is_entered_keeps_its_marks_and_one_of_the_lap_before_begins_anew() {
    let word = Word::new;
    let check = |before: Word, expected, after: Word| {
        let shared = AtomicU64::new(before.0);
        let found = Sound::reach(&shared, 5);
        assert_eq!((found, Word(shared.into_inner())), (expected, after), "{before:?}");
    };
    check(word(5, false, 0b101), 0b101, word(5, true, 0b101));
    check(word(5, false, u32::MAX), u32::MAX, word(5, true, u32::MAX));
    check(word(4, true, u32::MAX), 0, word(5, true, 0));
}

/// Takes its snapshot from position 0 on, as a look at the window would that is very old by now.
enum Slow {}

impl Steps for Slow {
    fn snapshot(ring: &Ring, _reached: &AtomicU64) -> Snapshot {
        Snapshot::new(0, ring.settled_from(0))
    }
}

#[test]
fn positions_whose_word_serves_a_later_lap_count_as_settled() {
    let window = AckWindow::<Slow>::with_steps(Position(0), 1);
    for position in 0..33 {
        assert!(window.settle(Position(position)).is_ok());
    }
    assert_eq!(window.snapshot(), Snapshot::new(32, vec![]));
}

const WORKERS: usize = 4;
const POSITIONS: u64 = 400_000;
/// What a worker takes at once, and settles from the last to the first.
const BATCH: u64 = 8;

/// A worker's share of the stress run: its advances, and how many second settles were turned away.
fn work(window: &AckWindow, next: &AtomicU64) -> (Vec<Advance>, u64) {
    let (mut advances, mut turned_away) = (Vec::new(), 0);
    loop {
        let first = next.fetch_add(BATCH, Ordering::Relaxed);
        if first >= POSITIONS {
            return (advances, turned_away);
        }
        for position in (first..first + BATCH).rev().map(Position) {
            // The lowest unsettled position is at most a batch away from what its own worker asks for, so that worker
            // always gets room, and the others' turns end.
            while window.try_reserve(position).is_err() {
                thread::yield_now();
            }
            advances.extend(window.settle(position).expect("the first settle of a position is accepted"));
            turned_away += u64::from(window.settle(position).is_err());
        }
    }
}

#[test]
fn four_threads_settle_every_position_once_and_their_advances_tile_the_whole_run() {
    let (window, next) = (AckWindow::new(Position(0), 64), AtomicU64::new(0));
    let shares: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(|| work(&window, &next))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker ends")).collect()
    });
    let mut advances: Vec<Advance> = shares.iter().flat_map(|(advances, _)| advances.clone()).collect();
    advances.sort();
    let mut reached = Position(0);
    for advance in &advances {
        assert_eq!(advance.from, reached, "advances follow each other: {advance:?}");
        assert!(advance.to > advance.from, "an advance moves: {advance:?}");
        reached = advance.to;
    }
    assert_eq!(reached, Position(POSITIONS));
    assert_eq!(window.watermark(), Position(POSITIONS));
    assert_eq!(shares.iter().map(|(_, turned_away)| turned_away).sum::<u64>(), POSITIONS);
}
