//! The lease table without its races: any sequence of calls, over many laps of its slots, against plain records.
//!
//! Loom explores the races (`proofs/loom`).

use std::collections::BTreeMap;

use delivery_impls::shared::ack_window::ReserveError;
use delivery_impls::shared::lease_slot::{self, LeaseError, Tick};
use delivery_impls::shared::lease_table::{GrantError, Granted, LeaseTable, SetAsideError};
use delivery_model::vocab::{DeliveryNumber, Position};
use proptest::prelude::*;

/// What a position has come to. One that is not listed was never granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Free,
    Held { deadline: u32 },
    Settling,
    Settled,
}

/// A window of 32 positions, as plain records.
#[derive(Default)]
struct Reference {
    positions: BTreeMap<u64, (Stands, u32, Option<Granted>)>,
}

const DELIVERIES_MAX: u32 = 3;
/// Close to the end of a lap, so that slots are used again soon.
const START: u64 = 26;

impl Reference {
    fn of(&self, position: u64) -> (Stands, u32, Option<Granted>) {
        self.positions.get(&position).copied().unwrap_or((Stands::Free, 0, None))
    }

    fn watermark(&self) -> u64 {
        (START..).find(|position| self.of(*position).0 != Stands::Settled).expect("there is no end to it")
    }

    /// Why the position is not free, if it is not.
    fn refuses(&self, position: u64) -> Option<GrantError> {
        let (watermark, at) = (self.watermark(), Position(position));
        let end = Position((watermark / 32 + 1) * 32);
        let (stands, deliveries, _) = self.of(position);
        let refused = |error: lease_slot::GrantError| Some(error.into());
        match stands {
            _ if position < watermark => {
                Some(ReserveError::Stale { position: at, watermark: Position(watermark) }.into())
            }
            _ if at >= end => Some(ReserveError::Full { position: at, end }.into()),
            Stands::Settled => refused(lease_slot::GrantError::Settled),
            Stands::Held { .. } | Stands::Settling => {
                refused(lease_slot::GrantError::Leased { delivery: DeliveryNumber(deliveries) })
            }
            Stands::Free => None,
        }
    }

    fn stand(&mut self, position: u64, stands: Stands) {
        self.positions.get_mut(&position).expect("it was granted").0 = stands;
    }

    /// The position's latest lease, if it stands so.
    fn lease(&self, position: u64, is: impl Fn(Stands) -> bool) -> Option<Granted> {
        let (stands, _, granted) = self.of(position);
        granted.filter(|_| is(stands))
    }
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Grant { deadline: u32 },
    BeginSettle,
    FinishSettle,
    AbandonSettle,
    Release,
    SetAside,
    ExpireDue { now: u32 },
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => (0..100u32).prop_map(|deadline| Call::Grant { deadline }),
        6 => Just(Call::BeginSettle),
        6 => Just(Call::FinishSettle),
        1 => Just(Call::AbandonSettle),
        1 => Just(Call::Release),
        2 => Just(Call::SetAside),
        1 => (0..100u32).prop_map(|now| Call::ExpireDue { now }),
    ]
}

fn is_held(stands: Stands) -> bool {
    matches!(stands, Stands::Held { .. })
}

proptest! {
    #[test]
    fn any_sequence_of_calls_says_what_plain_records_would(
        calls in prop::collection::vec((0..4u64, call()), 1..600),
    ) {
        let (table, mut reference) = (LeaseTable::new(Position(START), 1, DELIVERIES_MAX), Reference::default());
        for (ahead, call) in calls {
            // Close to the watermark, so that it moves and slots are used again; now and then behind or beyond.
            let position = (reference.watermark() + ahead * ahead * 4).saturating_sub(ahead % 2);
            let at = Position(position);
            let (_, deliveries, _) = reference.of(position);
            match call {
                Call::Grant { deadline } => {
                    let expected = reference.refuses(position).or_else(|| (deliveries >= DELIVERIES_MAX).then(|| {
                        lease_slot::GrantError::Exhausted { deliveries: DeliveryNumber(deliveries) }.into()
                    }));
                    let granted = table.grant(at, Tick(deadline));
                    prop_assert_eq!(granted.err(), expected);
                    if let Ok(granted) = granted {
                        prop_assert_eq!((granted.position, granted.lease.delivery.0), (at, deliveries + 1));
                        reference.positions.insert(position, (Stands::Held { deadline }, deliveries + 1, Some(granted)));
                    }
                }
                Call::SetAside => {
                    let expected = reference.refuses(position).map(SetAsideError::from);
                    let taken = table.begin_set_aside(at);
                    match (taken, expected) {
                        (Ok(granted), None) if deliveries >= DELIVERIES_MAX => {
                            reference.positions.insert(position, (Stands::Settling, deliveries, Some(granted)));
                        }
                        (Err(SetAsideError::NotExhausted(said)), None) => {
                            prop_assert_eq!(said.deliveries, DeliveryNumber(deliveries));
                            prop_assert!(deliveries < DELIVERIES_MAX);
                        }
                        (taken, expected) => prop_assert_eq!(taken.err(), expected),
                    }
                }
                Call::ExpireDue { now } => {
                    let is_due = |stands: Stands| matches!(stands, Stands::Held { deadline } if deadline <= now);
                    let due: Vec<u64> = reference.positions.iter().filter(|(_, (stands, ..))| is_due(*stands))
                        .map(|(&position, _)| position).collect();
                    prop_assert_eq!(table.expire_due(Tick(now)), due.len());
                    due.into_iter().for_each(|position| reference.stand(position, Stands::Free));
                }
                Call::BeginSettle => if let Some(granted) = reference.lease(position, is_held) {
                    prop_assert_eq!(table.begin_settle(granted), Ok(()));
                    reference.stand(position, Stands::Settling);
                },
                Call::Release => if let Some(granted) = reference.lease(position, is_held) {
                    prop_assert_eq!(table.release(granted), Ok(()));
                    reference.stand(position, Stands::Free);
                },
                Call::AbandonSettle => if let Some(granted) = reference.lease(position, |s| s == Stands::Settling) {
                    prop_assert_eq!(table.abandon_settle(granted), Ok(()));
                    reference.stand(position, Stands::Free);
                },
                Call::FinishSettle => if let Some(granted) = reference.lease(position, |s| s == Stands::Settling) {
                    let before = reference.watermark();
                    reference.stand(position, Stands::Settled);
                    let moved = (reference.watermark() > before)
                        .then(|| (Position(before), Position(reference.watermark())));
                    let advance = table.finish_settle(granted).expect("its settle is under way");
                    prop_assert_eq!(advance.map(|advance| (advance.from, advance.to)), moved);
                    prop_assert!(table.finish_settle(granted).is_err(), "a settle finishes once");
                },
            }
            prop_assert_eq!(table.watermark(), Position(reference.watermark()));
        }
    }
}

/// Position 0 and position 32 share a slot.
#[test]
fn a_lease_of_the_position_before_in_its_slot_can_do_nothing_to_the_next_one() {
    let table = LeaseTable::new(Position(0), 1, 0);
    let settle = |granted: Granted| {
        table.begin_settle(granted).expect("its lease is current");
        table.finish_settle(granted).expect("its settle is under way")
    };
    let first: Vec<Granted> = (0..32).map(|p| table.grant(Position(p), Tick(9)).expect("it is free")).collect();
    assert_eq!(
        table.grant(Position(32), Tick(9)),
        Err(ReserveError::Full { position: Position(32), end: Position(32) }.into())
    );
    let old = first[0];
    assert_eq!(first.into_iter().filter_map(settle).count(), 32, "each moves the prefix");
    let next = table.grant(Position(32), Tick(9)).expect("its slot is free");
    assert_eq!(next.lease.delivery, DeliveryNumber(1), "deliveries are counted anew");
    for said in [table.begin_settle(old), table.release(old), table.abandon_settle(old)] {
        assert!(matches!(said, Err(LeaseError::Ended { .. })), "{said:?}");
    }
    let disguised = Granted { position: Position(0), ..next };
    table.begin_settle(next).expect("it is held");
    assert!(table.finish_settle(disguised).is_err(), "the window knows that position 0 is settled");
    assert!(table.finish_settle(next).is_ok(), "and position 32 settles all the same");
}

#[test]
fn a_table_has_a_slot_for_every_position_that_its_window_has_room_for() {
    let table = LeaseTable::new(Position(0), 64, 0);
    let granted: Vec<Granted> =
        (0..64).map(|p| table.grant(Position(p), Tick(p as u32)).expect("it is free")).collect();
    assert_eq!(table.expire_due(Tick(39)), 40);
    for granted in &granted[40..] {
        assert_eq!(table.release(*granted), Ok(()));
    }
    assert!(granted[..40].iter().all(|granted| table.release(*granted).is_err()), "they have expired");
}
