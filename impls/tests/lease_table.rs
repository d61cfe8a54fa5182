//! The lease table without its races: any sequence of calls, over many laps of its slots, against plain records.
//!
//! Loom explores the races (`proofs/loom`).

use std::collections::BTreeMap;

use delivery_impls::shared::ack_window::{ReserveError, Snapshot};
use delivery_impls::shared::lease_slot::{self, LeaseError, Tick};
use delivery_impls::shared::lease_table::{GrantError, Granted, LeaseTable, SetAsideError};
use delivery_model::vocab::{DeliveryNumber, Position};
use proptest::prelude::*;

/// What a position has come to. One that is not listed was never granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stands {
    Free,
    Held {
        deadline: u32,
    },
    /// No deadline: it is being set aside.
    Settling {
        deadline: Option<u32>,
    },
    Settled,
}

impl Stands {
    fn is_live(self) -> bool {
        matches!(self, Stands::Held { .. } | Stands::Settling { .. })
    }

    fn is_settling(self) -> bool {
        matches!(self, Stands::Settling { .. })
    }
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
            Stands::Held { .. } | Stands::Settling { .. } => {
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
    WithdrawSettle,
    Release,
    Revoke,
    SetAside,
    Expire { now: u32 },
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        6 => (0..100u32).prop_map(|deadline| Call::Grant { deadline }),
        6 => Just(Call::BeginSettle),
        6 => Just(Call::FinishSettle),
        1 => Just(Call::AbandonSettle),
        1 => Just(Call::WithdrawSettle),
        1 => Just(Call::Release),
        1 => Just(Call::Revoke),
        2 => Just(Call::SetAside),
        2 => (0..100u32).prop_map(|now| Call::Expire { now }),
    ]
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
            let (stands, deliveries, granted) = reference.of(position);
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
                            reference.positions.insert(position, (Stands::Settling { deadline: None }, deliveries, Some(granted)));
                        }
                        (Err(SetAsideError::NotExhausted(said)), None) => {
                            prop_assert_eq!(said.deliveries, DeliveryNumber(deliveries));
                            prop_assert!(deliveries < DELIVERIES_MAX);
                        }
                        (taken, expected) => prop_assert_eq!(taken.err(), expected),
                    }
                }
                Call::Expire { now } => if let Some(granted) = reference.lease(position, Stands::is_live) {
                    let is_due = matches!(stands, Stands::Held { deadline } if deadline <= now);
                    prop_assert_eq!(table.expire(granted, Tick(now)).is_ok(), is_due);
                    if is_due {
                        reference.stand(position, Stands::Free);
                    }
                },
                Call::Revoke => if let Some(granted) = reference.lease(position, Stands::is_live) {
                    prop_assert_eq!(table.revoke(granted), Ok(()));
                    reference.stand(position, Stands::Free);
                },
                Call::BeginSettle => if let (Stands::Held { deadline }, _, Some(granted)) = reference.of(position) {
                    prop_assert_eq!(table.begin_settle(granted), Ok(()));
                    reference.stand(position, Stands::Settling { deadline: Some(deadline) });
                },
                Call::WithdrawSettle => {
                    if let (Stands::Settling { deadline: Some(deadline) }, _, Some(granted)) = reference.of(position) {
                        prop_assert_eq!(table.withdraw_settle(granted), Ok(()));
                        reference.stand(position, Stands::Held { deadline });
                    }
                }
                Call::Release => if let (Stands::Held { .. }, _, Some(granted)) = reference.of(position) {
                    prop_assert_eq!(table.release(granted), Ok(()));
                    reference.stand(position, Stands::Free);
                },
                Call::AbandonSettle => if let Some(granted) = reference.lease(position, Stands::is_settling) {
                    prop_assert_eq!(table.abandon_settle(granted), Ok(()));
                    reference.stand(position, Stands::Free);
                },
                Call::FinishSettle => if let Some(granted) = reference.lease(position, Stands::is_settling) {
                    let before = reference.watermark();
                    reference.stand(position, Stands::Settled);
                    let moved = (reference.watermark() > before)
                        .then(|| (Position(before), Position(reference.watermark())));
                    let advance = table.finish_settle(granted).expect("its settle is under way");
                    prop_assert_eq!(advance.map(|advance| (advance.from, advance.to)), moved);
                    prop_assert!(table.finish_settle(granted).is_err(), "a settle finishes once");
                },
            }
            if let Some(granted) = granted {
                prop_assert_eq!(table.is_settling(granted), reference.lease(position, Stands::is_settling) == Some(granted));
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
    for (deadline, granted) in granted.into_iter().enumerate() {
        assert_eq!(table.expire(granted, Tick(39)).is_ok(), deadline < 40, "{deadline}");
        assert_eq!(table.release(granted).is_ok(), deadline >= 40, "{deadline}");
    }
}

/// What is settled, what was delivered how often, and what is beyond: all as another table left it.
#[test]
fn a_table_goes_on_where_another_stopped() {
    let runs = [(0, 5), (7, 8), (40, 50)].map(|(start, end)| (Position(start), Position(end)));
    let counted = [(5, 1), (6, 2), (51, 3)].map(|(position, count)| (Position(position), DeliveryNumber(count)));
    let table = LeaseTable::resume(&Snapshot::of(runs, 60), 60, 3, counted);
    assert_eq!(table.watermark(), Position(5));
    let grant = |position| table.grant(Position(position), Tick(9)).map(|granted| granted.lease.delivery.0);
    let settled = |position| Err(GrantError::Refused(lease_slot::GrantError::Settled)) == grant(position);
    assert!([7, 40, 49].into_iter().all(settled));
    assert_eq!((grant(5), grant(6), grant(8), grant(50)), (Ok(2), Ok(3), Ok(1), Ok(1)));
    let exhausted = lease_slot::GrantError::Exhausted { deliveries: DeliveryNumber(3) };
    assert_eq!(grant(51), Err(exhausted.into()));
    assert!(table.begin_set_aside(Position(51)).is_ok());
}
