//! The delivery handle under loom: clones that settle and go at once.

use delivery_loom::explore::{Seen, Turnstile, holds, is_caught};
use delivery_loom::shared::handle::{Handle, Holders, Sound, Steps};
use delivery_loom::sync::{AtomicU64, Ordering};
use loom::sync::Arc;
use loom::thread;

/// What became of the one delivery. All relaxed, so that only the handle orders anything.
struct World {
    /// How often it was called not handled.
    not_handled: AtomicU64,
    /// What the clones' holders did, a place each.
    work: [AtomicU64; 2],
    /// How many holders have let go.
    gone: AtomicU64,
    turnstile: Turnstile,
}

/// What came of it.
struct Came {
    /// Whose settle was accepted.
    accepted: [bool; 2],
    /// Who had nobody beside it any more when it was about to settle or let go.
    was_alone: [bool; 2],
    /// How often the delivery was called not handled.
    not_handled: u64,
}

/// Two holders of a delivery, and whether each settles before it lets go.
fn two_holders<S: Steps + Send + Sync + 'static>(settles: [bool; 2]) -> Came {
    let zero = || AtomicU64::new(0);
    let world =
        Arc::new(World { not_handled: zero(), work: [zero(), zero()], gone: zero(), turnstile: Turnstile::new() });
    let told = Arc::clone(&world);
    let handle = Handle::<_, _, S>::with_steps(7_u64, move |delivery| {
        assert_eq!(delivery, 7, "the delivery that was not handled is named");
        assert!(told.work.iter().all(|work| work.load(Ordering::Relaxed) == 1), "what the holders did is seen");
        told.not_handled.fetch_add(1, Ordering::Relaxed);
    });
    let hold = |number: usize, handle: Handle<_, _, S>| {
        let world = Arc::clone(&world);
        move || {
            world.work[number].store(1, Ordering::Relaxed);
            let was_alone = world.gone.fetch_add(0, Ordering::Relaxed) == 1;
            let is_accepted = settles[number] && handle.settle().is_ok();
            world.turnstile.pass();
            drop(handle);
            world.gone.fetch_add(1, Ordering::Relaxed);
            (is_accepted, was_alone)
        }
    };
    let other = thread::spawn(hold(1, handle.clone()));
    let first = hold(0, handle)();
    let second = other.join().expect("a holder ends");
    Came {
        accepted: [first.0, second.0],
        was_alone: [first.1, second.1],
        not_handled: world.not_handled.load(Ordering::Relaxed),
    }
}

fn both_drop<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let came = two_holders::<S>([false, false]);
    assert_eq!(came.not_handled, 1, "what nobody settled is called not handled once");
    seen.note(match came.was_alone {
        [true, _] => "the second went before the first",
        [_, true] => "the first went before the second",
        _ => "both at once",
    });
}

fn one_settles<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let came = two_holders::<S>([true, false]);
    assert_eq!(came.accepted, [true, false], "the only settle is accepted");
    assert_eq!(came.not_handled, 0, "what was settled is not called unhandled");
    seen.note(match came.was_alone {
        [true, _] => "settled by the last holder",
        [_, true] => "settled and let go before the other",
        _ => "both at once",
    });
}

fn both_settle<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let came = two_holders::<S>([true, true]);
    assert!(came.accepted[0] != came.accepted[1], "one settle is accepted");
    assert_eq!(came.not_handled, 0, "what was settled is not called unhandled");
    seen.note(if came.accepted[0] { "settled by the first" } else { "settled by the second" });
}

#[test]
fn a_delivery_whose_last_holder_goes_unsettled_is_called_not_handled_once() {
    let ways = ["the first went before the second", "the second went before the first", "both at once"];
    holds("handle, both drop", &ways, both_drop::<Sound>);
}

#[test]
fn a_settled_delivery_is_never_called_not_handled() {
    let ways = ["settled by the last holder", "settled and let go before the other", "both at once"];
    holds("handle, one settles", &ways, one_settles::<Sound>);
    let ways = ["settled by the first", "settled by the second"];
    holds("handle, both settle", &ways, both_settle::<Sound>);
}

/// Asks whether it is the last one, and goes then.
enum CountsInTwoSteps {}

impl Steps for CountsInTwoSteps {
    fn let_go(holders: &AtomicU64) -> bool {
        let seen = Holders::unpack(holders.load(Ordering::Acquire));
        holders.fetch_sub(Holders::ONE, Ordering::AcqRel);
        seen.is_last_unsettled()
    }
}

#[test]
fn two_that_ask_first_and_go_then_tell_nobody() {
    let complaint = "what nobody settled is called not handled once";
    is_caught("handle, counted in two steps", complaint, both_drop::<CountsInTwoSteps>);
}

/// Asks whether somebody has settled, and goes then.
enum LooksForSettleFirst {}

impl Steps for LooksForSettleFirst {
    fn let_go(holders: &AtomicU64) -> bool {
        let Holders { is_settled, .. } = Holders::unpack(holders.load(Ordering::Acquire));
        let Holders { clones, .. } = Holders::unpack(holders.fetch_sub(Holders::ONE, Ordering::AcqRel));
        Holders { clones, is_settled }.is_last_unsettled()
    }
}

#[test]
fn one_that_looks_for_a_settle_before_it_goes_calls_a_settled_delivery_unhandled() {
    let complaint = "what was settled is not called unhandled";
    is_caught("handle, settle looked up first", complaint, one_settles::<LooksForSettleFirst>);
}

/// Looks whether somebody has settled, and settles then.
enum SettlesInTwoSteps {}

impl Steps for SettlesInTwoSteps {
    fn settle(holders: &AtomicU64) -> bool {
        let seen = Holders::unpack(holders.load(Ordering::Acquire));
        holders.fetch_or(Holders::SETTLED, Ordering::AcqRel);
        !seen.is_settled
    }
}

#[test]
fn two_that_look_first_both_settle() {
    is_caught("handle, settled in two steps", "one settle is accepted", both_settle::<SettlesInTwoSteps>);
}

/// Goes without ordering what was done before.
enum LetsGoRelaxed {}

impl Steps for LetsGoRelaxed {
    fn let_go(holders: &AtomicU64) -> bool {
        Holders::unpack(holders.fetch_sub(Holders::ONE, Ordering::Relaxed)).is_last_unsettled()
    }
}

#[test]
fn a_relaxed_count_calls_unhandled_before_it_sees_what_was_done() {
    is_caught("handle, relaxed count", "what the holders did is seen", both_drop::<LetsGoRelaxed>);
}
