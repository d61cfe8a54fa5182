//! The lease slot under loom: its races, each with the twin that has it.

use delivery_loom::explore::{Seen, Turnstile, holds, is_caught};
use delivery_loom::shared::lease_slot::{
    GrantError, LeaseError, LeaseSlot, NotExhausted, SlotLease, SlotPhase, Sound, State, Steps, Tick, current,
};
use delivery_loom::sync::{AtomicU64, Ordering};
use loom::sync::Arc;
use loom::thread;

/// When the first lease ends, and its timer comes.
const SOON: Tick = Tick(10);
/// When the second lease ends.
const LATER: Tick = Tick(20);

/// Looks at the state, then writes what comes of it: a change in between is undone.
enum ChangesInTwoSteps {}

impl Steps for ChangesInTwoSteps {
    fn change<E>(word: &AtomicU64, next: impl Fn(State) -> Result<State, E>) -> Result<State, E> {
        let state = next(State::unpack(word.load(Ordering::Acquire)))?;
        word.store(state.pack(), Ordering::Release);
        Ok(state)
    }
}

/// A slot whose first lease, until [`SOON`], is granted; and two threads, with what each does.
fn race<S: Steps + Send + Sync + 'static, A: 'static, B>(
    first: impl FnOnce(&LeaseSlot<S>, SlotLease) -> A + 'static,
    second: impl FnOnce(&LeaseSlot<S>, SlotLease) -> B,
) -> (Arc<LeaseSlot<S>>, A, B) {
    let slot = Arc::new(LeaseSlot::<S>::with_steps(0));
    let lease = slot.grant(SOON).expect("it is free");
    let turnstile = Turnstile::new();
    let other = {
        let (slot, turnstile) = (Arc::clone(&slot), turnstile.clone());
        thread::spawn(move || {
            turnstile.pass();
            first(&slot, lease)
        })
    };
    turnstile.pass();
    let second = second(&slot, lease);
    (slot, other.join().expect("a thread ends"), second)
}

/// The first lease's timer, while its worker gives it back and the position is granted anew.
fn old_timer_and_new_lease<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let (slot, expired, new) = race::<S, _, _>(
        |slot, lease| slot.expire(lease, SOON),
        |slot, lease| {
            // Refused where the timer came first: the position is free then, too.
            let _ = slot.release(lease);
            slot.grant(LATER).expect("given back or expired, the position is free")
        },
    );
    assert_eq!(current(slot.state(), new, SlotPhase::Held).err(), None, "the new lease lives until its own deadline");
    seen.note(if expired.is_ok() { "expired" } else { "given back" });
}

#[test]
fn a_timer_of_an_old_lease_never_ends_the_new_one() {
    holds("old timer, new lease", &["expired", "given back"], old_timer_and_new_lease::<Sound>);
}

#[test]
fn a_timer_that_checks_and_then_writes_ends_the_new_lease() {
    let complaint = "the new lease lives until its own deadline";
    is_caught("old timer, two steps", complaint, old_timer_and_new_lease::<ChangesInTwoSteps>);
}

/// Ends whatever lease is held: the timer fired, so somebody's time is up.
enum ForgetsGeneration {}

impl Steps for ForgetsGeneration {
    fn expired(state: State, lease: SlotLease, _now: Tick) -> Result<State, LeaseError> {
        let held = SlotLease { generation: state.generation, ..lease };
        current(state, held, SlotPhase::Held).map(|state| State { phase: SlotPhase::Free, ..state })
    }
}

#[test]
fn a_timer_that_names_no_lease_ends_the_new_one() {
    let complaint = "the new lease lives until its own deadline";
    is_caught("old timer, no generation", complaint, old_timer_and_new_lease::<ForgetsGeneration>);
}

/// A worker that gives its lease back while the timer comes.
fn two_ends<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let (_, expired, released) =
        race::<S, _, _>(|slot, lease| slot.expire(lease, SOON), |slot, lease| slot.release(lease));
    assert_ne!(expired.is_ok(), released.is_ok(), "a lease ends once");
    seen.note(if expired.is_ok() { "expired" } else { "given back" });
}

#[test]
fn a_lease_ends_once() {
    holds("two ends", &["expired", "given back"], two_ends::<Sound>);
    is_caught("two ends, two steps", "a lease ends once", two_ends::<ChangesInTwoSteps>);
}

/// Two dispatchers that find the position free.
fn two_grants<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let grant_anew = |slot: &LeaseSlot<S>, lease: SlotLease| (slot.release(lease).is_ok(), slot.grant(LATER).is_ok());
    let (_, (first_released, first), (_, second)) = race(grant_anew, grant_anew);
    assert!(!(first && second), "at most one lease is live");
    assert!(first || second, "a free position is granted");
    seen.note(match (first_released, first) {
        (true, true) => "released and granted by the first",
        (true, false) => "released by the first, granted by the second",
        (false, true) => "released by the second, granted by the first",
        (false, false) => "released and granted by the second",
    });
}

#[test]
fn of_two_dispatchers_one_gets_the_lease() {
    let ways = [
        "released and granted by the first",
        "released by the first, granted by the second",
        "released and granted by the second",
        "released by the second, granted by the first",
    ];
    holds("two grants", &ways, two_grants::<Sound>);
    is_caught("two grants, two steps", "at most one lease is live", two_grants::<ChangesInTwoSteps>);
}

/// A worker whose settle goes to the disk while its lease runs out and the position is granted again.
fn settle_on_its_way_to_the_disk<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let (slot, delivered_again, settled) = race::<S, _, _>(
        |slot, lease| slot.expire(lease, SOON).is_ok() && slot.grant(LATER).is_ok(),
        |slot, lease| {
            let written = slot.begin_settle(lease).is_ok();
            written.then(|| slot.finish_settle(lease))
        },
    );
    let is_settled = slot.state().phase == SlotPhase::Settled;
    assert_eq!(settled.is_some(), is_settled, "a settle that was written stands");
    assert!(!(is_settled && delivered_again), "a settled position is not delivered again");
    seen.note(if is_settled { "settled in time" } else { "delivered again" });
}

/// Ends a lease whose settle is on its way to the disk.
enum ExpiresPending {}

impl Steps for ExpiresPending {
    fn expired(state: State, lease: SlotLease, now: Tick) -> Result<State, LeaseError> {
        let phase = if state.phase == SlotPhase::Settling { SlotPhase::Held } else { state.phase };
        Sound::expired(State { phase, ..state }, lease, now)
    }
}

#[test]
fn a_settle_on_its_way_to_the_disk_keeps_its_lease() {
    holds("settle under way", &["settled in time", "delivered again"], settle_on_its_way_to_the_disk::<Sound>);
}

#[test]
fn a_lease_that_runs_out_under_a_settle_delivers_what_was_settled() {
    let complaint = "a settle that was written stands";
    is_caught("settle under way, expired", complaint, settle_on_its_way_to_the_disk::<ExpiresPending>);
}

/// A worker is gone, and whoever learns of it ends its lease, while the settle that it left behind begins.
fn a_settle_of_one_who_is_gone<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let (slot, begun, again) = race::<S, _, _>(
        |slot, lease| slot.begin_settle(lease),
        |slot, lease| {
            slot.revoke(lease).expect("held or settling, its lease ends");
            slot.grant(LATER).expect("the position is free")
        },
    );
    assert_eq!(current(slot.state(), again, SlotPhase::Held).err(), None, "the new lease is held");
    seen.note(if begun.is_ok() { "begun, and revoked" } else { "revoked before" });
}

/// Looks what the lease is at, and then ends it as if it still were.
enum RevokesWhatItSaw {}

impl Steps for RevokesWhatItSaw {
    fn revoke(word: &AtomicU64, lease: SlotLease) -> Result<State, LeaseError> {
        let seen = State::unpack(word.load(Ordering::Acquire)).phase;
        Self::change(word, |state| current(state, lease, seen).map(|state| State { phase: SlotPhase::Free, ..state }))
    }
}

#[test]
fn a_lease_whose_holder_is_gone_ends_whether_or_not_its_settle_has_begun() {
    let ways = ["begun, and revoked", "revoked before"];
    holds("holder gone", &ways, a_settle_of_one_who_is_gone::<Sound>);
    let complaint = "held or settling, its lease ends";
    is_caught("holder gone, seen and then ended", complaint, a_settle_of_one_who_is_gone::<RevokesWhatItSaw>);
}

/// A settle that nobody will write is withdrawn, while its lease is revoked and the next one's settle begins.
fn old_settle_and_new_lease<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let slot = Arc::new(LeaseSlot::<S>::with_steps(0));
    let old = slot.grant(SOON).expect("it is free");
    slot.begin_settle(old).expect("it is held");
    let turnstile = Turnstile::new();
    let dropped = {
        let (slot, turnstile) = (Arc::clone(&slot), turnstile.clone());
        thread::spawn(move || {
            turnstile.pass();
            slot.withdraw_settle(old)
        })
    };
    turnstile.pass();
    slot.revoke(old).expect("held or settling, its lease ends");
    let new = slot.grant(LATER).expect("the position is free");
    turnstile.pass();
    slot.begin_settle(new).expect("it is held");
    let withdrawn = dropped.join().expect("a thread ends");
    assert_eq!(slot.finish_settle(new), Ok(()), "the new settle is under way");
    seen.note(if withdrawn.is_ok() { "withdrawn, then revoked" } else { "revoked before" });
}

/// Withdraws whatever settle is under way.
enum WithdrawsAnySettle {}

impl Steps for WithdrawsAnySettle {
    fn withdrawn(state: State, lease: SlotLease) -> Result<State, LeaseError> {
        Sound::withdrawn(state, SlotLease { generation: state.generation, ..lease })
    }
}

#[test]
fn a_settle_that_is_withdrawn_late_withdraws_no_other() {
    let ways = ["withdrawn, then revoked", "revoked before"];
    holds("old settle, new lease", &ways, old_settle_and_new_lease::<Sound>);
    let complaint = "the new settle is under way";
    is_caught("old settle, no generation", complaint, old_settle_and_new_lease::<WithdrawsAnySettle>);
}

/// A worker's effect, and the next holder of the lease that its predecessor gave back.
fn what_the_last_holder_did<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let half_done = Arc::new(AtomicU64::new(0));
    let noted = Arc::clone(&half_done);
    let (_, _, granted) = race::<S, _, _>(
        move |slot, lease| {
            noted.store(1, Ordering::Relaxed);
            slot.release(lease).expect("it is current")
        },
        |slot, _| slot.grant(LATER).is_ok().then(|| half_done.load(Ordering::Relaxed)),
    );
    assert_ne!(granted, Some(0), "who gets the lease sees what its predecessor did");
    seen.note(if granted.is_some() { "granted" } else { "still leased" });
}

/// Changes with one exchange, which orders nothing else.
enum ChangesRelaxed {}

impl Steps for ChangesRelaxed {
    fn change<E>(word: &AtomicU64, next: impl Fn(State) -> Result<State, E>) -> Result<State, E> {
        let seen = word.load(Ordering::Relaxed);
        let state = next(State::unpack(seen))?;
        let exchange = word.compare_exchange(seen, state.pack(), Ordering::Relaxed, Ordering::Relaxed);
        exchange.map_or_else(|now| next(State::unpack(now)), |_| Ok(state))
    }
}

#[test]
fn the_next_holder_of_a_lease_sees_what_the_last_one_did() {
    holds("last holder", &["granted", "still leased"], what_the_last_holder_did::<Sound>);
    let complaint = "sees what its predecessor did";
    is_caught("last holder, relaxed", complaint, what_the_last_holder_did::<ChangesRelaxed>);
}

/// Writes the lower half of the word, then the upper: whoever reads in between sees one lease's generation beside
/// another's deadline.
enum TearsTheWord {}

impl Steps for TearsTheWord {
    fn change<E>(word: &AtomicU64, next: impl Fn(State) -> Result<State, E>) -> Result<State, E> {
        const LOWER: u64 = u32::MAX as u64;
        let mut seen = word.load(Ordering::Acquire);
        loop {
            let state = next(State::unpack(seen))?;
            let half = seen & !LOWER | state.pack() & LOWER;
            match word.compare_exchange(seen, half, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    // Whoever changed it meanwhile has the last word.
                    let _ = word.compare_exchange(half, state.pack(), Ordering::AcqRel, Ordering::Acquire);
                    return Ok(state);
                }
                Err(now) => seen = now,
            }
        }
    }
}

/// A timer that ends whatever lease it sees is due, while a worker gives its lease back and the position is granted anew.
fn sweep_and_new_lease<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let (slot, ended, new) = race::<S, _, _>(
        |slot, _| {
            let state = slot.state();
            state.phase == SlotPhase::Held && slot.expire(state.lease(), SOON).is_ok()
        },
        |slot, lease| {
            let _ = slot.release(lease);
            slot.grant(LATER)
        },
    );
    let new = new.expect("given back or expired, the position is free");
    assert_eq!(current(slot.state(), new, SlotPhase::Held).err(), None, "the new lease lives until its own deadline");
    seen.note(if ended { "expired" } else { "given back" });
}

#[test]
fn a_sweep_never_pairs_one_leases_generation_with_anothers_deadline() {
    holds("sweep, new lease", &["expired", "given back"], sweep_and_new_lease::<Sound>);
    let complaint = "the new lease lives until its own deadline";
    is_caught("sweep, torn word", complaint, sweep_and_new_lease::<TearsTheWord>);
}

/// Two dispatchers that find the position delivered as often as it may be.
fn two_set_aside<S: Steps + Send + Sync + 'static>(seen: &Seen) {
    let slot = Arc::new(LeaseSlot::<S>::with_steps(1));
    let lease = slot.grant(SOON).expect("it is free");
    slot.release(lease).expect("it is current");
    let set_aside = |slot: &LeaseSlot<S>| slot.begin_set_aside::<Refused>(Ok).is_ok();
    let other = {
        let slot = Arc::clone(&slot);
        thread::spawn(move || set_aside(&slot))
    };
    let mine = set_aside(&slot);
    let others = other.join().expect("a thread ends");
    assert!(mine != others, "one of them sets it aside");
    seen.note(if mine { "by the first" } else { "by the second" });
}

/// Why a position was not set aside does not matter here.
#[derive(Debug)]
struct Refused;

impl From<GrantError> for Refused {
    fn from(_: GrantError) -> Self {
        Refused
    }
}

impl From<NotExhausted> for Refused {
    fn from(_: NotExhausted) -> Self {
        Refused
    }
}

#[test]
fn a_position_is_set_aside_once() {
    holds("two set aside", &["by the first", "by the second"], two_set_aside::<Sound>);
    is_caught("two set aside, two steps", "one of them sets it aside", two_set_aside::<ChangesInTwoSteps>);
}
