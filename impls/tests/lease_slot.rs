//! The lease slot without its races: any sequence of calls against a plain record, and the corners of its word.
//!
//! Loom explores the races (`proofs/loom`).

use delivery_impls::shared::lease_slot::{GrantError, LeaseError, LeaseSlot, SlotLease, SlotPhase, Tick};
use delivery_model::vocab::DeliveryNumber;
use proptest::prelude::*;

/// What the slot must say, in as many fields as it takes.
#[derive(Default)]
struct Reference {
    granted: Vec<SlotLease>,
    deadline: u32,
    phase: Option<SlotPhase>,
    deliveries_max: usize,
}

impl Reference {
    fn phase(&self) -> SlotPhase {
        self.phase.unwrap_or(SlotPhase::Free)
    }

    fn grant_refused(&self) -> Option<GrantError> {
        let deliveries = DeliveryNumber(self.granted.len() as u32);
        match self.phase() {
            SlotPhase::Held | SlotPhase::Settling => Some(GrantError::Leased { delivery: deliveries }),
            SlotPhase::Settled => Some(GrantError::Settled),
            SlotPhase::Free if self.deliveries_max == 0 || self.granted.len() < self.deliveries_max => None,
            SlotPhase::Free => Some(GrantError::Exhausted { deliveries }),
        }
    }

    fn step(&mut self, lease: SlotLease, expected: SlotPhase, to: SlotPhase) -> Result<(), LeaseError> {
        let (delivery, phase) = (lease.delivery, self.phase());
        if self.granted.last() != Some(&lease) || phase == SlotPhase::Free {
            return Err(LeaseError::Ended { delivery, current: DeliveryNumber(self.granted.len() as u32), phase });
        }
        if phase != expected {
            return Err(LeaseError::WrongPhase { delivery, expected, phase });
        }
        self.phase = Some(to);
        Ok(())
    }

    fn expire(&mut self, lease: SlotLease, now: u32) -> Result<(), LeaseError> {
        if self.granted.last() == Some(&lease) && self.phase() == SlotPhase::Held && now < self.deadline {
            let (deadline, now) = (Tick(self.deadline), Tick(now));
            return Err(LeaseError::NotDue { delivery: lease.delivery, deadline, now });
        }
        self.step(lease, SlotPhase::Held, SlotPhase::Free)
    }
}

/// A call; those that speak for a lease take the latest one or an older one.
#[derive(Clone, Copy, Debug)]
enum Call {
    Grant { deadline: u32 },
    BeginSettle { ago: usize },
    FinishSettle { ago: usize },
    AbandonSettle { ago: usize },
    WithdrawSettle { ago: usize },
    Release { ago: usize },
    Revoke { ago: usize },
    Expire { ago: usize, now: u32 },
}

fn call() -> impl Strategy<Value = Call> {
    let ago = || prop_oneof![4 => Just(0_usize), 1 => 1..4_usize];
    prop_oneof![
        3 => (0..100u32).prop_map(|deadline| Call::Grant { deadline }),
        2 => ago().prop_map(|ago| Call::BeginSettle { ago }),
        1 => ago().prop_map(|ago| Call::FinishSettle { ago }),
        2 => ago().prop_map(|ago| Call::AbandonSettle { ago }),
        1 => ago().prop_map(|ago| Call::WithdrawSettle { ago }),
        2 => ago().prop_map(|ago| Call::Release { ago }),
        1 => ago().prop_map(|ago| Call::Revoke { ago }),
        2 => (ago(), 0..100u32).prop_map(|(ago, now)| Call::Expire { ago, now }),
    ]
}

proptest! {
    #[test]
    fn any_sequence_of_calls_says_what_a_plain_record_would(
        deliveries_max in prop_oneof![Just(0), 1..6u32], calls in prop::collection::vec(call(), 1..60),
    ) {
        let slot = LeaseSlot::new(deliveries_max);
        let mut reference = Reference { deliveries_max: deliveries_max as usize, ..Reference::default() };
        for call in calls {
            let lease = |reference: &Reference, ago| reference.granted.iter().rev().nth(ago).copied();
            match call {
                Call::Grant { deadline } => match (slot.grant(Tick(deadline)), reference.grant_refused()) {
                    (Ok(lease), None) => {
                        prop_assert!(!reference.granted.contains(&lease), "{lease:?} was granted before");
                        reference.granted.push(lease);
                        prop_assert_eq!(lease.delivery, DeliveryNumber(reference.granted.len() as u32));
                        (reference.deadline, reference.phase) = (deadline, Some(SlotPhase::Held));
                    }
                    (granted, refused) => prop_assert_eq!(granted.err(), refused),
                },
                Call::BeginSettle { ago } => if let Some(lease) = lease(&reference, ago) {
                    prop_assert_eq!(slot.begin_settle(lease), reference.step(lease, SlotPhase::Held, SlotPhase::Settling));
                },
                Call::FinishSettle { ago } => if let Some(lease) = lease(&reference, ago) {
                    prop_assert_eq!(slot.finish_settle(lease), reference.step(lease, SlotPhase::Settling, SlotPhase::Settled));
                },
                Call::AbandonSettle { ago } => if let Some(lease) = lease(&reference, ago) {
                    prop_assert_eq!(slot.abandon_settle(lease), reference.step(lease, SlotPhase::Settling, SlotPhase::Free));
                },
                Call::WithdrawSettle { ago } => if let Some(lease) = lease(&reference, ago) {
                    prop_assert_eq!(slot.withdraw_settle(lease), reference.step(lease, SlotPhase::Settling, SlotPhase::Held));
                },
                Call::Revoke { ago } => if let Some(lease) = lease(&reference, ago) {
                    let found = reference.phase();
                    let expected = if found == SlotPhase::Settling { found } else { SlotPhase::Held };
                    prop_assert_eq!(slot.revoke(lease), reference.step(lease, expected, SlotPhase::Free));
                },
                Call::Release { ago } => if let Some(lease) = lease(&reference, ago) {
                    prop_assert_eq!(slot.release(lease), reference.step(lease, SlotPhase::Held, SlotPhase::Free));
                },
                Call::Expire { ago, now } => if let Some(lease) = lease(&reference, ago) {
                    prop_assert_eq!(slot.expire(lease, Tick(now)), reference.expire(lease, now));
                },
            }
            prop_assert_eq!(slot.state().phase, reference.phase());
        }
    }
}

#[test]
fn a_deadline_comes_across_the_wrap_of_the_tick_counter() {
    for (deadline, now, expected) in [
        (5, 5, true),
        (5, 4, false),
        (5, u32::MAX, false),
        (u32::MAX, u32::MAX - 1, false),
        (u32::MAX, 3, true),
        (0, (1 << 31) - 1, true),
        (0, 1 << 31, false),
    ] {
        let slot = LeaseSlot::new(0);
        let lease = slot.grant(Tick(deadline)).expect("it is free");
        assert_eq!(slot.expire(lease, Tick(now)).is_ok(), expected, "deadline {deadline}, now {now}");
    }
}

#[test]
fn more_grants_than_the_word_counts_still_tell_leases_apart() {
    let slot = LeaseSlot::new(0);
    let mut last = None;
    for _ in 0..1 << 21 {
        let lease = slot.grant(Tick(u32::MAX)).expect("it is free");
        assert_ne!(Some(lease.generation), last);
        last = Some(lease.generation);
        slot.release(lease).expect("it is current");
    }
    assert_eq!((slot.state().phase, slot.state().deliveries), (SlotPhase::Free, DeliveryNumber(1023)));
    assert_eq!(slot.state().deadline, Tick(u32::MAX));
}

#[test]
fn a_slot_goes_on_counting_where_another_stopped() {
    for (before, grants) in [(0, 3), (1, 2), (3, 0), (2000, 0)] {
        let slot = LeaseSlot::delivered(3, DeliveryNumber(before));
        for number in before + 1..=before + grants {
            let lease = slot.grant(Tick(9)).expect("it may be delivered three times");
            assert_eq!(lease.delivery, DeliveryNumber(number));
            slot.release(lease).expect("it is current");
        }
        assert!(matches!(slot.grant(Tick(9)), Err(GrantError::Exhausted { .. })), "{before}");
    }
}

#[test]
fn a_lease_whose_settle_was_withdrawn_ends_at_its_own_deadline() {
    let slot = LeaseSlot::new(0);
    let lease = slot.grant(Tick(7)).expect("it is free");
    slot.begin_settle(lease).expect("it is held");
    assert!(slot.expire(lease, Tick(7)).is_err(), "its settle is under way");
    slot.withdraw_settle(lease).expect("its settle is under way");
    assert!(slot.expire(lease, Tick(6)).is_err(), "it lasts");
    assert_eq!(slot.expire(lease, Tick(7)), Ok(()));
}

#[test]
fn an_error_says_what_was_expected_and_what_was_found() {
    let slot = LeaseSlot::new(1);
    let lease = slot.grant(Tick(7)).expect("it is free");
    let said = [slot.expire(lease, Tick(6)), slot.finish_settle(lease), slot.release(lease), slot.release(lease)];
    let said: Vec<_> = said.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
    assert_eq!(
        said,
        [
            "the lease of delivery 1 lasts until Tick(7), it is Tick(6)",
            "the lease of delivery 1 is Held, expected Settling",
            "the lease of delivery 1 has ended: the position is at delivery 1, Free",
        ]
    );
    let exhausted = slot.grant(Tick(9)).expect_err("it was delivered once");
    assert_eq!(exhausted.to_string(), "the position was delivered 1 times, as often as it may be");
}
