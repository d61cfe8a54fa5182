//! What the parties say to each other survives the wire, and nothing else is taken for it.

use delivery_impls::core::delivery::{ConsumerId, DeliveryId, HandOff, Lease, SettleRequest};
use delivery_impls::core::producer::PAYLOAD_MAX;
use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::{DecodeError, Identity, ProducerId, Publish, Record, Reply, Session, Verdict};
use delivery_impls::driver::frame::BODY_MAX;
use delivery_impls::driver::secret::Secret;
use delivery_impls::driver::settings::Settings;
use delivery_impls::driver::wire::{FromBroker, ToBroker, WireError};
use delivery_impls::store::{Covers, Generation};
use delivery_model::pipeline::Pipeline;
use delivery_model::vocab::{AttemptNumber, DeliveryNumber, Epoch, MessageId, Position, SettleOutcome};
use proptest::collection::vec;
use proptest::prelude::*;

fn hand() -> impl Strategy<Value = DeliveryId> {
    any::<(u64, u32, u32)>().prop_map(|(position, incarnation, number)| DeliveryId {
        position: Position(position),
        lease: Lease { incarnation, number },
    })
}

fn record() -> impl Strategy<Value = Record> {
    let session = any::<(u32, u32)>()
        .prop_map(|(producer, session)| Session { producer: ProducerId(producer), session: Epoch(session) });
    let identity = prop_oneof![
        Just(Identity::None),
        (session, any::<u64>()).prop_map(|(session, number)| Identity::Sequence { session, number }),
    ];
    (any::<(u64, u32, u32)>(), identity, vec(any::<u8>(), 0..20)).prop_map(
        |((message, producer, epoch), identity, payload)| Record {
            message: MessageId(message),
            identity,
            producer: ProducerId(producer),
            epoch: Epoch(epoch),
            payload: payload.into(),
        },
    )
}

fn positions() -> impl Strategy<Value = Positions> {
    vec(any::<u16>(), 0..9).prop_map(|members| {
        let mut positions = Positions::default();
        for member in members {
            positions.insert(Position(member.into()));
        }
        positions
    })
}

fn to_broker() -> impl Strategy<Value = ToBroker> {
    let below = prop::option::of(any::<u64>().prop_map(|end| Covers::Below(Position(end))));
    prop_oneof![
        any::<(u32, u32)>()
            .prop_map(|(producer, epoch)| ToBroker::Register { producer: ProducerId(producer), epoch: Epoch(epoch) }),
        (record(), any::<u32>())
            .prop_map(|(record, attempt)| ToBroker::Publish(Publish { record, attempt: AttemptNumber(attempt) })),
        (any::<(u8, u32)>(), vec(hand(), 0..4), positions()).prop_map(|((consumer, workers), hands, has)| {
            ToBroker::Subscribe { consumer: ConsumerId(consumer), workers, hands, has }
        }),
        positions().prop_map(ToBroker::Has),
        any::<u64>().prop_map(|end| ToBroker::Finished(Position(end))),
        any::<u64>().prop_map(|to| ToBroker::Rewind(Position(to))),
        (hand(), below, any::<bool>()).prop_map(|(hand, below, finishes)| ToBroker::Settle(SettleRequest {
            hand,
            covers: below.unwrap_or(Covers::One(hand.position)),
            finishes
        })),
        hand().prop_map(ToBroker::Release),
        vec(any::<u8>(), 0..40).prop_map(|bytes| ToBroker::Hello(Secret::new(bytes))),
        (0..64u32).prop_map(|workers| {
            let mut pipeline = Pipeline::default();
            pipeline.consumer.workers = workers;
            ToBroker::Settings { name: format!("consumer-{workers}"), settings: Settings::of(&pipeline) }
        }),
        Just(ToBroker::Leave),
    ]
}

fn from_broker() -> impl Strategy<Value = FromBroker> {
    let verdict = prop_oneof![
        Just(Verdict::Refused),
        any::<Option<u64>>().prop_map(|position| Verdict::Acked(position.map(Position))),
    ];
    let outcome = prop::sample::select(vec![SettleOutcome::Ok, SettleOutcome::Refused, SettleOutcome::Unknown]);
    prop_oneof![
        Just(FromBroker::Registered),
        (any::<(u64, u32)>(), verdict).prop_map(|((message, attempt), verdict)| FromBroker::Reply(Reply {
            message: MessageId(message),
            attempt: AttemptNumber(attempt),
            verdict,
        })),
        positions().prop_map(FromBroker::Committed),
        (hand(), any::<(u8, u32)>(), prop::option::of(1..u32::MAX), record()).prop_map(
            |(hand, (consumer, generation), delivery, record)| FromBroker::HandOff(HandOff {
                hand,
                consumer: ConsumerId(consumer),
                generation: Generation(generation),
                delivery: delivery.map(DeliveryNumber),
                record,
            })
        ),
        (hand(), outcome).prop_map(|(hand, outcome)| FromBroker::Settled { hand, outcome }),
        Just(FromBroker::Denied),
        Just(FromBroker::Left),
        "[ -~]{0,40}".prop_map(FromBroker::Unfit),
        Just(FromBroker::Rewound),
        any::<(u64, u64)>()
            .prop_map(|(start, end)| FromBroker::NotInLog { start: Position(start), end: Position(end) }),
    ]
}

proptest! {
    #[test]
    fn what_is_said_to_the_broker_arrives(said in to_broker()) {
        prop_assert_eq!(ToBroker::decode(&said.encode()), Ok(said));
    }

    #[test]
    fn what_the_broker_says_arrives(said in from_broker()) {
        prop_assert_eq!(FromBroker::decode(&said.encode()), Ok(said));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(tag in 0..13u8, mut body in vec(any::<u8>(), 0..80)) {
        body.insert(0, tag);
        let _ = (ToBroker::decode(&body), FromBroker::decode(&body));
    }

    /// Apart from the payload, which takes what is left, and positions, which are runs.
    #[test]
    fn a_body_that_is_cut_short_or_too_long_is_refused(hand in hand(), more in 1..9usize) {
        let body = ToBroker::Release(hand).encode();
        prop_assert!(ToBroker::decode(&body[..body.len() - more]).is_err());
        let longer = [&body[..], &vec![0; more]].concat();
        prop_assert_eq!(ToBroker::decode(&longer), Err(DecodeError::Long { offset: body.len(), found: more }.into()));
    }
}

#[test]
fn errors_say_what_was_found_and_where() {
    let error = ToBroker::decode(&[99]).map(drop);
    assert_eq!(error, Err(DecodeError::Tag { of: "message to the broker", offset: 0, found: 99 }.into()));
    let error = FromBroker::decode(&[99]).map(drop);
    assert_eq!(error, Err(DecodeError::Tag { of: "message from the broker", offset: 0, found: 99 }));
    assert_eq!(ToBroker::decode(&[]), Err(DecodeError::Short { offset: 0, expected: 1, found: 0 }.into()));
}

#[test]
fn many_hands_are_claimed_and_none_come_without_much_being_allocated() {
    let mut body = vec![3, 0, 1, 0, 0, 0];
    body.extend(u32::MAX.to_le_bytes());
    assert!(matches!(ToBroker::decode(&body), Err(WireError::Decode(DecodeError::Short { offset: 10, .. }))));
}

/// A record that fits into a `publish` and not into a `hand off`, which says more besides, would be stored, and would
/// end the broker whenever it came to be handed off.
#[test]
fn the_longest_payload_that_is_let_in_can_be_handed_off() {
    let session = Session { producer: ProducerId(1), session: Epoch(1) };
    let publish = |length: usize| {
        let (message, producer, epoch) = (MessageId(1), ProducerId(1), Epoch(1));
        let identity = Identity::Sequence { session, number: 1 };
        Publish {
            record: Record { message, identity, producer, epoch, payload: vec![7; length].into() },
            attempt: AttemptNumber(1),
        }
    };
    let longest = ToBroker::Publish(publish(PAYLOAD_MAX));
    assert_eq!(ToBroker::decode(&longest.encode()), Ok(longest));
    let too_long = ToBroker::Publish(publish(PAYLOAD_MAX + 1)).encode();
    assert_eq!(ToBroker::decode(&too_long), Err(WireError::PayloadTooLong { found: PAYLOAD_MAX + 1 }));
    let (consumer, generation, delivery) = (ConsumerId(0), Generation(0), Some(DeliveryNumber(1)));
    let record = publish(PAYLOAD_MAX).record;
    let hand_off = FromBroker::HandOff(HandOff { hand: DeliveryId::default(), consumer, generation, delivery, record });
    assert!(hand_off.encode().len() <= BODY_MAX);
}

#[test]
fn what_operators_are_shown_has_no_control_characters() {
    let named = |name: &[u8]| ToBroker::decode(&[&[11, name.len() as u8][..], name, b"a = 1\n"].concat());
    assert!(named(b"consumer-0").is_ok());
    assert_eq!(named(b"\x1b[31m"), Err(WireError::Settings));
    assert_eq!(ToBroker::decode(&[11, 9, b'a']), Err(WireError::Settings));
    assert_eq!(FromBroker::decode(b"\x0aa\x1b[31m"), Ok(FromBroker::Unfit("a?[31m".into())));
}

#[test]
fn a_lease_of_one_position_does_not_settle_another_alone() {
    let settle = |hand: u64, covers| {
        let hand = DeliveryId { position: Position(hand), ..DeliveryId::default() };
        ToBroker::decode(&ToBroker::Settle(SettleRequest { hand, covers, finishes: true }).encode())
    };
    let refused = WireError::OtherPosition { found: Position(4), leased: Position(3) };
    assert_eq!(settle(3, Covers::One(Position(4))), Err(refused));
    assert!(settle(3, Covers::One(Position(3))).is_ok());
    assert!(settle(3, Covers::Below(Position(4))).is_ok());
}

/// The lowest of them: the rest counts as not said, which both sides can bear.
#[test]
fn positions_full_of_holes_are_said_as_far_as_a_body_has_room() {
    let mut positions = Positions::default();
    for number in 0..20_000 {
        positions.insert(Position(2 * number));
    }
    let body = FromBroker::Committed(positions.clone()).encode();
    assert!(body.len() <= BODY_MAX);
    let Ok(FromBroker::Committed(told)) = FromBroker::decode(&body) else { panic!("positions") };
    assert_eq!(told.minus(&positions), Positions::default());
    let end = told.runs().last().expect("some").1;
    positions.truncate(end);
    assert_eq!(told, positions);
}
