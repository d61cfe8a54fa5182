//! A snapshot of the ack window under loom, taken while positions settle.

use delivery_loom::explore::{Seen, Turnstile, holds, is_caught};
use delivery_loom::shared::ack_window::{AckWindow, BITS, Ring, Snapshot, Sound, Steps};
use delivery_loom::sync::{AtomicU64, Ordering};
use delivery_model::vocab::Position;
use loom::sync::Arc;
use loom::thread;

/// The first word's last position, and the next word's first two.
const POSITIONS: [Position; 3] = [Position(31), Position(32), Position(33)];

/// Settles these, one after the other, each after its effect, while a snapshot is taken.
fn snapshot_while_settling<S: Steps + 'static>(order: &'static [usize], seen: &Seen) {
    let window = Arc::new(AckWindow::<S>::with_steps(POSITIONS[0], 3));
    // Relaxed, so that only the window orders them.
    let effects = Arc::new(POSITIONS.map(|_| AtomicU64::new(0)));
    let turnstile = Turnstile::new();
    let worker = {
        let (window, effects, turnstile) = (Arc::clone(&window), Arc::clone(&effects), turnstile.clone());
        thread::spawn(move || {
            for &number in order {
                effects[number].store(1, Ordering::Relaxed);
                turnstile.pass();
                window.settle(POSITIONS[number]).expect("it is settled once");
            }
        })
    };
    turnstile.pass();
    let before = window.watermark();
    let snapshot = window.snapshot();
    assert!(snapshot.offset() >= before, "a snapshot does not fall behind what was known settled");
    let has: Vec<bool> = POSITIONS.into_iter().map(|position| snapshot.is_settled(position)).collect();
    for (number, _) in has.iter().enumerate().filter(|(_, has)| **has) {
        let is_done = effects[number].load(Ordering::Relaxed) == 1;
        assert!(is_done, "what a snapshot has settled was handled: {snapshot:?}");
    }
    worker.join().expect("a worker ends");
    seen.note(match has.into_iter().filter(|has| *has).count() {
        0 => "none",
        1 => "one",
        2 => "two",
        _ => "three",
    });
}

fn forwards<S: Steps + 'static>(seen: &Seen) {
    snapshot_while_settling::<S>(&[0, 1, 2], seen);
}

fn hole_first<S: Steps + 'static>(seen: &Seen) {
    snapshot_while_settling::<S>(&[2, 0, 1], seen);
}

#[test]
fn a_snapshot_while_settles_go_on_has_what_was_handled_and_nothing_else() {
    let ways = ["none", "one", "two", "three"];
    holds("snapshot, settled in order", &ways, forwards::<Sound>);
    holds("snapshot, settled with a hole", &ways, hole_first::<Sound>);
}

/// Takes the bitmap, then looks up the offset once more: two states in one pair.
enum OffsetReadAgain {}

impl Steps for OffsetReadAgain {
    fn snapshot(ring: &Ring, reached: &AtomicU64) -> Snapshot {
        let offset = || reached.load(Ordering::Acquire) * u64::from(BITS);
        let bitmap = ring.settled_from(offset());
        Snapshot::new(offset(), bitmap)
    }
}

#[test]
fn an_offset_and_a_bitmap_of_two_states_claim_what_was_never_handled() {
    let complaint = "what a snapshot has settled was handled";
    is_caught("snapshot, offset read again", complaint, hole_first::<OffsetReadAgain>);
}

/// Goes by an offset that it read relaxed: what is below it is settled, but not seen handled.
enum OffsetReadRelaxed {}

impl Steps for OffsetReadRelaxed {
    fn snapshot(ring: &Ring, reached: &AtomicU64) -> Snapshot {
        let offset = reached.load(Ordering::Relaxed) * u64::from(BITS);
        Snapshot::new(offset, ring.settled_from(offset))
    }
}

#[test]
fn a_relaxed_offset_claims_what_is_not_seen_handled() {
    let complaint = "what a snapshot has settled was handled";
    is_caught("snapshot, relaxed offset", complaint, forwards::<OffsetReadRelaxed>);
}
