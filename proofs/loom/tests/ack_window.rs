//! The ack window under loom: its races, each with the twin that has it.
//!
//! A window of words of 32 positions needs no 32 settles to show a race between words or between laps: it starts just
//! below the end of a word, with everything before settled. What a lost or doubled commit means for the messages is
//! judged in `commits.rs`; here the window's own promises are.

use delivery_loom::explore::{Seen, Turnstile, holds, is_caught};
use delivery_loom::shared::ack_window::{
    AckWindow, Advance, BITS, Marked, Ring, SettleError, Slot, Sound, Steps, Word,
};
use delivery_loom::sync::{AtomicU64, Ordering};
use delivery_loom::twins::MarksInTwoSteps;
use delivery_model::vocab::Position;
use loom::sync::Arc;
use loom::thread;

/// What is said of a run of settled positions that nobody reports.
const STICKS: &str = "all is settled, but the watermark sticks";

type Settled = Result<Option<Advance>, SettleError>;

/// Settles each list of positions on a thread of its own, the first on this one. What came of it, in the lists' order.
fn settle_concurrently<S: Steps + 'static>(window: &Arc<AckWindow<S>>, lists: &[&'static [u64]]) -> Vec<Vec<Settled>> {
    fn settle_all<S: Steps>(window: &AckWindow<S>, turnstile: &Turnstile, list: &[u64]) -> Vec<Settled> {
        let mut worker = window.worker();
        let settle = |&position: &u64| {
            turnstile.pass();
            worker.settle(Position(position))
        };
        list.iter().map(settle).collect()
    }
    let turnstile = Turnstile::new();
    let spawn = |&list: &&'static [u64]| {
        let (window, turnstile) = (Arc::clone(window), turnstile.clone());
        thread::spawn(move || settle_all(&window, &turnstile, list))
    };
    let others: Vec<_> = lists[1..].iter().map(spawn).collect();
    let mut results = vec![settle_all(window, &turnstile, lists[0])];
    results.extend(others.into_iter().map(|thread| thread.join().expect("a worker ends")));
    results
}

/// The advances tile `start..end`, and the watermark stands at the end. How many advances there were.
fn assert_prefix_complete<S: Steps>(window: &AckWindow<S>, results: &[Vec<Settled>], start: u64, end: u64) -> usize {
    let mut advances: Vec<Advance> = results.iter().flatten().filter_map(|settled| (*settled).ok().flatten()).collect();
    advances.sort();
    let mut reached = Position(start);
    for advance in &advances {
        assert_eq!(advance.from, reached, "an advance starts where the one before ended: {advances:?}");
        reached = advance.to;
    }
    assert_eq!(reached, Position(end), "{STICKS}: {advances:?}");
    assert_eq!(window.watermark(), reached, "the watermark stands where the last advance ended");
    advances.len()
}

fn settle_all_of<S: Steps + 'static>(seen: &Seen, start: u64, end: u64, lists: &[&'static [u64]]) {
    // Two words, of which the first begins below `start`.
    let window = Arc::new(AckWindow::<S>::with_steps(Position(start), 2));
    let results = settle_concurrently(&window, lists);
    seen.note(match assert_prefix_complete(&window, &results, start, end) {
        1 => "one advance over all",
        2 => "two advances",
        _ => "three advances",
    });
}

fn neighbours_in_one_word<S: Steps + 'static>(seen: &Seen) {
    settle_all_of::<S>(seen, 0, 2, &[&[0], &[1]]);
}

fn neighbours_in_two_words<S: Steps + 'static>(seen: &Seen) {
    settle_all_of::<S>(seen, 31, 33, &[&[31], &[32]]);
}

#[test]
fn neighbours_settled_at_once_move_the_watermark_past_both() {
    let ways = ["one advance over all", "two advances"];
    holds("neighbours in one word", &ways, neighbours_in_one_word::<Sound>);
    holds("neighbours in two words", &ways, neighbours_in_two_words::<Sound>);
}

#[test]
fn three_workers_across_a_word_boundary_leave_nothing_behind() {
    let ways = ["one advance over all", "two advances", "three advances"];
    let lists: &[&[u64]] = &[&[30], &[32], &[31]];
    holds("three workers, two words", &ways, |seen| settle_all_of::<Sound>(seen, 30, 33, lists));
}

#[test]
fn a_worker_that_looks_from_a_word_already_reused_still_moves_the_watermark() {
    // The first worker frees word 0 and settles in its next lap, while the other may still be looking at it.
    let window = || Arc::new(AckWindow::new(Position(31), 2));
    holds("a lap ahead", &["first moved it", "second moved it"], move |seen| {
        let window = window();
        let results = settle_concurrently(&window, &[&[31, 64], &[32]]);
        assert_prefix_complete(&window, &results, 31, 33);
        seen.note(if results[1][0] == Ok(None) { "first moved it" } else { "second moved it" });
    });
}

/// Two workers that settle two positions each: the second time, each goes by the word as it left it.
fn workers_with_old_knowledge<S: Steps + 'static>(seen: &Seen) {
    settle_all_of::<S>(seen, 0, 4, &[&[1, 0], &[2, 3]]);
}

#[test]
fn a_worker_that_goes_by_what_it_left_keeps_the_marks_that_were_made_since() {
    let ways = ["one advance over all", "two advances", "three advances"];
    holds("old knowledge", &ways, workers_with_old_knowledge::<Sound>);
}

/// Writes what the word would be if it still were as the worker left it.
enum TrustsWhatItLeft {}

impl Steps for TrustsWhatItLeft {
    fn mark(word: &AtomicU64, slot: Slot, seen: Word) -> Marked {
        let found = seen.on(slot.lap).expect("it is not used anew");
        word.store(found.and(slot.bit).0, Ordering::Release);
        Marked::First { found }
    }
}

#[test]
fn a_worker_that_trusts_what_it_left_wipes_out_the_marks_that_were_made_since() {
    is_caught("old knowledge, trusted", STICKS, workers_with_old_knowledge::<TrustsWhatItLeft>);
}

/// Looks what is settled in the word that it enters, then says that it is reached: a mark in between is not found, and does
/// not find that either.
enum LooksBeforeItEnters {}

impl Steps for LooksBeforeItEnters {
    fn reach(word: &AtomicU64, lap: u32) -> u32 {
        let seen = Word(word.load(Ordering::Acquire)).on(lap).map_or(0, Word::settled);
        Sound::reach(word, lap);
        seen
    }
}

#[test]
fn a_look_before_a_word_is_entered_lets_the_watermark_stick() {
    is_caught("looks before it enters", STICKS, neighbours_in_two_words::<LooksBeforeItEnters>);
}

/// Reads the word that it enters, then writes it: a mark in between is lost.
enum EntersInTwoSteps {}

impl Steps for EntersInTwoSteps {
    fn reach(word: &AtomicU64, lap: u32) -> u32 {
        let found = Word(word.load(Ordering::Acquire)).on(lap).expect("it is not used anew yet");
        word.store(found.reached().0, Ordering::Release);
        found.settled()
    }
}

#[test]
fn a_word_that_is_entered_in_two_steps_loses_a_mark() {
    is_caught("enters in two steps", STICKS, neighbours_in_two_words::<EntersInTwoSteps>);
}

/// Goes by what the word holds after the mark, others' later marks included.
enum LooksAfterTheMark {}

impl Steps for LooksAfterTheMark {
    fn mark(word: &AtomicU64, slot: Slot, seen: Word) -> Marked {
        match Sound::mark(word, slot, seen) {
            Marked::First { .. } => {
                let now = Word(word.load(Ordering::Acquire));
                Marked::First { found: Word(now.0 & !(1 << slot.bit)) }
            }
            not_first => not_first,
        }
    }
}

#[test]
fn a_look_after_the_mark_reports_the_same_advance_twice() {
    is_caught("looks after the mark", "starts where the one before ended", neighbours_in_one_word::<LooksAfterTheMark>);
}

/// A word of which one position is missing is entered while that one is settled: whoever comes second completes it, and
/// enters the next one.
fn a_word_is_completed_while_it_is_entered<S: Steps + 'static>(seen: &Seen) {
    let window = Arc::new(AckWindow::<S>::with_steps(Position(31), 2));
    for position in 33..2 * u64::from(BITS) {
        assert_eq!(window.settle(Position(position)), Ok(None), "it is ahead");
    }
    let results = settle_concurrently(&window, &[&[31], &[32]]);
    let end = 2 * u64::from(BITS);
    let advances = assert_prefix_complete(&window, &results, 31, end);
    assert_eq!(window.try_reserve(Position(2 * end - 1)), Ok(()), "two words are settled, so two have room");
    seen.note(if advances == 1 { "one advance over all" } else { "two advances" });
}

#[test]
fn a_word_that_is_completed_while_it_is_entered_leads_to_the_next() {
    let ways = ["one advance over all", "two advances"];
    holds("completed while entered", &ways, a_word_is_completed_while_it_is_entered::<Sound>);
}

/// Says that the word is reached, then notes its number: another thread may have noted the next one meanwhile.
enum NotesAfterwards {}

impl Steps for NotesAfterwards {
    fn enter(ring: &Ring, reached: &AtomicU64, number: u64) -> u32 {
        let slot = ring.slot(number * u64::from(BITS));
        let settled = Sound::reach(ring.word(slot), slot.lap);
        reached.store(number, Ordering::Release);
        settled
    }
}

#[test]
fn a_word_that_is_noted_after_it_is_entered_takes_room_back() {
    is_caught("notes afterwards", "so two have room", a_word_is_completed_while_it_is_entered::<NotesAfterwards>);
}

#[test]
fn a_mark_in_two_steps_loses_the_neighbours_mark() {
    is_caught("mark in two steps", STICKS, neighbours_in_one_word::<MarksInTwoSteps>);
}

/// Two workers first to need a word on its next lap: both find it still on the old one.
fn takeover<S: Steps + 'static>(seen: &Seen) {
    let window = Arc::new(AckWindow::<S>::with_steps(Position(31), 1));
    window.settle(Position(31)).expect("it is the first");
    let results = settle_concurrently(&window, &[&[32], &[33]]);
    let advances = assert_prefix_complete(&window, &results, 32, 34);
    seen.note(if advances == 1 { "one advance over all" } else { "two advances" });
}

#[test]
fn two_workers_that_take_a_word_over_keep_each_others_marks() {
    holds("takeover", &["one advance over all", "two advances"], takeover::<Sound>);
    is_caught("takeover in two steps", STICKS, takeover::<MarksInTwoSteps>);
}

/// One position, settled by two workers: an old delivery of it and a new one. The position before it is settled between.
fn one_position_twice<S: Steps + 'static>(seen: &Seen) {
    let window = Arc::new(AckWindow::<S>::with_steps(Position(0), 1));
    let results = settle_concurrently(&window, &[&[1, 0], &[1]]);
    let accepted = results.iter().filter(|result| result[0].is_ok()).count();
    assert_eq!(accepted, 1, "exactly one settle of a position is accepted: {results:?}");
    let refused = results.iter().find_map(|result| result[0].err()).expect("the other one");
    seen.note(match refused {
        SettleError::AlreadySettled { .. } => "told that it is settled",
        SettleError::Stale { .. } => "told that the prefix has passed",
        SettleError::NotReserved { .. } => "told that it was not reserved",
    });
}

#[test]
fn of_two_settles_of_a_position_exactly_one_is_accepted() {
    let ways = ["told that it is settled", "told that the prefix has passed"];
    holds("one position twice", &ways, one_position_twice::<Sound>);
}

#[test]
fn a_mark_in_two_steps_accepts_a_position_twice() {
    is_caught("twice, in two steps", "exactly one settle", one_position_twice::<MarksInTwoSteps>);
}

/// A settle that is late by more than its position: the word is on its next lap when it comes to mark.
fn late_settle_over_a_reused_word<S: Steps + 'static>(seen: &Seen) {
    let window = Arc::new(AckWindow::<S>::with_steps(Position(31), 1));
    let results = settle_concurrently(&window, &[&[31, 32], &[31]]);
    // The bit of 31 is the bit of 63 on the next lap, which nobody has settled yet.
    let next_lap = window.settle(Position(63));
    assert_eq!(next_lap, Ok(None), "a late settle counts for its position only");
    seen.note(if results[1][0].is_ok() { "in time" } else { "late" });
}

/// Marks whatever lap the word is on, if it is not the one before.
enum IgnoresLap {}

impl Steps for IgnoresLap {
    fn mark(word: &AtomicU64, slot: Slot, _: Word) -> Marked {
        let seen = Word(word.load(Ordering::Acquire));
        let lap = if seen.on(slot.lap).is_none() { seen.lap() } else { slot.lap };
        Sound::mark(word, Slot { lap, ..slot }, seen)
    }
}

#[test]
fn a_late_settle_never_marks_the_words_next_lap() {
    holds("late settle", &["in time", "late"], late_settle_over_a_reused_word::<Sound>);
    is_caught("late settle, no laps", "counts for its position only", late_settle_over_a_reused_word::<IgnoresLap>);
}

#[test]
fn a_position_beyond_a_full_window_waits_until_its_word_is_free() {
    let ways = ["held back, settled later", "let in"];
    holds("back-pressure", &ways, |seen| {
        let window = Arc::new(AckWindow::new(Position(30), 1));
        let turnstile = Turnstile::new();
        let worker = {
            let (window, turnstile) = (Arc::clone(&window), turnstile.clone());
            let settle = move |position| {
                turnstile.pass();
                window.settle(Position(position))
            };
            thread::spawn(move || [30, 31].map(settle).to_vec())
        };
        let ahead = Position(32);
        turnstile.pass();
        let at_once = window.try_reserve(ahead).is_ok().then(|| window.settle(ahead));
        let mut results = vec![worker.join().expect("a worker ends")];
        results.push(vec![at_once.unwrap_or_else(|| {
            window.try_reserve(ahead).expect("its word is free");
            window.settle(ahead)
        })]);
        assert_prefix_complete(&window, &results, 30, 33);
        seen.note(if at_once.is_some() { "let in" } else { "held back, settled later" });
    });
}
