//! The lease table under loom: a slot that goes on to its next position while somebody still means the old one.

use delivery_loom::explore::{Seen, Turnstile, holds, is_caught};
use delivery_loom::shared::ack_window::{AckWindow, Advance, ReserveError};
use delivery_loom::shared::lease_slot::{self, LeaseError, LeaseSlot, SlotLease, SlotPhase, State, Tick};
use delivery_loom::shared::lease_table::{GrantError, Granted, LeaseTable, SetAsideError, Sound, Steps};
use delivery_model::vocab::{DeliveryNumber, Position};
use loom::sync::Arc;
use loom::thread;

/// The window has one word of 32 positions, so these two share a slot; the second has room when the first is settled.
const FIRST: Position = Position(31);
const NEXT: Position = Position(63);
const SOON: Tick = Tick(10);

/// Two threads with one table, and what each does.
fn race<S: Steps + Send + Sync + 'static, A: 'static, B>(
    deliveries_max: u32,
    before: impl FnOnce(&LeaseTable<S>) -> Granted,
    first: impl FnOnce(&LeaseTable<S>) -> A + 'static,
    second: impl FnOnce(&LeaseTable<S>, Granted) -> B,
) -> (Arc<LeaseTable<S>>, A, B) {
    let table = Arc::new(LeaseTable::<S>::with_steps(FIRST, 1, deliveries_max));
    let granted = before(&table);
    let turnstile = Turnstile::new();
    let other = {
        let (table, turnstile) = (Arc::clone(&table), turnstile.clone());
        thread::spawn(move || {
            turnstile.pass();
            first(&table)
        })
    };
    turnstile.pass();
    let second = second(&table, granted);
    (table, other.join().expect("a thread ends"), second)
}

fn grant<S: Steps>(table: &LeaseTable<S>) -> Granted {
    table.grant(FIRST, SOON).expect("it is free")
}

fn settle<S: Steps>(table: &LeaseTable<S>, granted: Granted) -> Option<Advance> {
    table.begin_settle(granted).expect("its lease is current");
    table.finish_settle(granted).expect("its settle is under way")
}

/// A dispatcher means the first position while that one settles and its slot goes on to the next.
fn slow_dispatcher<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let (table, late, next) = race::<S, _, _>(
        0,
        grant,
        |table| table.grant(FIRST, SOON),
        |table, granted| {
            assert!(settle(table, granted).is_some(), "the prefix moves past its only position");
            table.grant(NEXT, SOON)
        },
    );
    let refused = late.expect_err("a leased or settled position is not granted");
    assert_eq!(next.map(|granted| granted.lease.delivery), Ok(DeliveryNumber(1)), "the next one is granted, new");
    assert_eq!(table.watermark().0, FIRST.0 + 1, "it is not settled");
    seen.note(match refused {
        GrantError::Refused(lease_slot::GrantError::Leased { .. }) => "leased",
        GrantError::Refused(lease_slot::GrantError::Settled) => "settled",
        GrantError::OutOfWindow(ReserveError::Stale { .. }) => "behind the window",
        _ => "something else",
    });
}

#[test]
fn a_slow_dispatcher_never_leases_a_settled_position_or_the_next_one_for_it() {
    let ways = ["leased", "settled", "behind the window"];
    holds("slow dispatcher", &ways, slow_dispatcher::<Sound>);
}

/// Asks the window first, and reads the slot then.
enum AsksWindowFirst {}

impl Steps for AsksWindowFirst {
    fn grant(
        slot: &LeaseSlot,
        deadline: Tick,
        seen_as: impl Fn(State) -> Result<State, GrantError>,
    ) -> Result<SlotLease, GrantError> {
        seen_as(slot.state())?;
        slot.grant_as(deadline, |state| {
            Ok(if state.phase == SlotPhase::Settled { state.for_next_position() } else { state })
        })
    }
}

/// Marks a settle in the slot first.
enum FinishesSlotFirst {}

impl Steps for FinishesSlotFirst {
    fn finish(window: &AckWindow, slot: &LeaseSlot, granted: Granted) -> Result<Option<Advance>, LeaseError> {
        slot.finish_settle(granted.lease)?;
        Ok(window.settle(granted.position).expect("it is settled once"))
    }
}

#[test]
fn a_window_asked_before_the_slot_or_marked_after_it_grants_what_is_settled() {
    let complaint = "a leased or settled position is not granted";
    is_caught("slow dispatcher, window first", complaint, slow_dispatcher::<AsksWindowFirst>);
    is_caught("slow dispatcher, slot first", complaint, slow_dispatcher::<FinishesSlotFirst>);
}

/// Two dispatchers that find the position delivered as often as it may be.
fn poison<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let set_aside = |table: &LeaseTable<S>| {
        let granted = table.begin_set_aside(FIRST)?;
        Ok::<_, SetAsideError>(table.finish_settle(granted).expect("nobody else ends a settle"))
    };
    let (table, first, second) = race::<S, _, _>(
        1,
        |table| {
            let granted = grant(table);
            table.release(granted).expect("its lease is current");
            granted
        },
        set_aside,
        |table, _| {
            let refused = table.grant(FIRST, SOON).expect_err("it was delivered as often as it may be");
            (refused, set_aside(table))
        },
    );
    assert_ne!(first.is_ok(), second.1.is_ok(), "one of them sets it aside");
    assert_eq!(table.watermark().0, FIRST.0 + 1, "and it is out of the way");
    assert_eq!(table.grant(NEXT, SOON).map(|granted| granted.lease.delivery), Ok(DeliveryNumber(1)));
    seen.note(match (second.0, first.is_ok()) {
        (GrantError::Refused(lease_slot::GrantError::Exhausted { .. }), true) => "exhausted, set aside by the other",
        (GrantError::Refused(lease_slot::GrantError::Exhausted { .. }), false) => "exhausted, and set aside",
        (GrantError::Refused(lease_slot::GrantError::Leased { .. }), _) => "being set aside",
        (GrantError::Refused(lease_slot::GrantError::Settled), _) => "just set aside",
        (GrantError::OutOfWindow(_), _) => "set aside before",
    });
}

#[test]
fn a_poisoned_position_is_set_aside_once_and_never_granted_again() {
    let ways = [
        "exhausted, set aside by the other",
        "exhausted, and set aside",
        "being set aside",
        "just set aside",
        "set aside before",
    ];
    holds("poison", &ways, poison::<Sound>);
}

/// Settles what is to be set aside like any other, but in the slot first: meanwhile it looks new.
#[test]
fn a_poisoned_position_that_is_marked_in_its_slot_first_is_granted_again() {
    let complaint = "it was delivered as often as it may be";
    is_caught("poison, slot first", complaint, poison::<FinishesSlotFirst>);
}

/// One thread reads a settle, begins it, and passes it on; the other ends the lease by time first, and grants anew what
/// that frees. Then it deals with what was passed on.
fn settle_read_while_time_is_up(seen: &Seen, ends: impl Fn(&LeaseTable, Granted) -> bool) {
    let table = Arc::new(LeaseTable::new(FIRST, 1, 0));
    let granted = grant(&table);
    let turnstile = Turnstile::new();
    let reader = {
        let (table, turnstile) = (Arc::clone(&table), turnstile.clone());
        thread::spawn(move || {
            turnstile.pass();
            table.begin_settle(granted)
        })
    };
    turnstile.pass();
    let again = ends(&table, granted).then(|| grant(&table));
    let begun = reader.join().expect("a thread ends");
    assert_ne!(begun.is_ok(), again.is_some(), "a lease is settled or ends");
    match again {
        None => {
            let advance = table.finish_settle(granted).expect("its settle is under way");
            assert!(advance.is_some(), "and moves the prefix");
        }
        Some(again) => assert!(settle(&table, again).is_some(), "the new lease settles"),
    }
    assert_eq!(table.grant(NEXT, SOON).map(|granted| granted.lease.delivery), Ok(DeliveryNumber(1)));
    seen.note(if again.is_none() { "read in time" } else { "read too late" });
}

#[test]
fn a_settle_that_was_read_in_time_is_finished_and_one_that_was_not_is_refused() {
    let ways = ["read in time", "read too late"];
    holds("settle read while time is up", &ways, |seen| {
        settle_read_while_time_is_up(seen, |table, granted| table.expire(granted, SOON).is_ok());
    });
    let complaint = "a lease is settled or ends";
    is_caught("settle read while time is up, asked and then ended", complaint, |seen| {
        settle_read_while_time_is_up(seen, |table, granted| {
            !table.is_settling(granted) && table.revoke(granted).is_ok()
        });
    });
}
