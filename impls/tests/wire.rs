//! What the parties say to each other survives the wire, and nothing else is taken for it.

use delivery_impls::core::hand::{ConsumerId, HandId, HandOff, Lease, SettleRequest};
use delivery_impls::core::positions::Positions;
use delivery_impls::core::record::{DecodeError, Identity, ProducerId, Publish, Record, Reply, Session, Verdict};
use delivery_impls::driver::secret::Secret;
use delivery_impls::driver::wire::{FromBroker, ToBroker};
use delivery_impls::store::{Covers, Generation};
use delivery_model::vocab::{AttemptNumber, DeliveryNumber, Epoch, MessageId, Position, SettleOutcome};
use proptest::collection::vec;
use proptest::prelude::*;

fn hand() -> impl Strategy<Value = HandId> {
    any::<(u64, u32, u32)>().prop_map(|(position, incarnation, number)| HandId {
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
    let covers = prop_oneof![
        any::<u64>().prop_map(|position| Covers::One(Position(position))),
        any::<u64>().prop_map(|end| Covers::Below(Position(end))),
    ];
    prop_oneof![
        any::<(u32, u32)>()
            .prop_map(|(producer, epoch)| ToBroker::Register { producer: ProducerId(producer), epoch: Epoch(epoch) }),
        (record(), any::<u32>())
            .prop_map(|(record, attempt)| ToBroker::Publish(Publish { record, attempt: AttemptNumber(attempt) })),
        (any::<(u8, u32)>(), vec(hand(), 0..4), positions()).prop_map(|((consumer, workers), hands, has)| {
            ToBroker::Subscribe { consumer: ConsumerId(consumer), workers, hands, has }
        }),
        positions().prop_map(ToBroker::Has),
        (hand(), covers, any::<bool>()).prop_map(|(hand, covers, finishes)| ToBroker::Settle(SettleRequest {
            hand,
            covers,
            finishes
        })),
        hand().prop_map(ToBroker::Release),
        vec(any::<u8>(), 0..40).prop_map(|bytes| ToBroker::Hello(Secret::new(bytes))),
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
    fn any_bytes_are_decoded_or_refused(tag in 0..10u8, mut body in vec(any::<u8>(), 0..80)) {
        body.insert(0, tag);
        let _ = (ToBroker::decode(&body), FromBroker::decode(&body));
    }

    /// Apart from the payload, which takes what is left, and positions, which are runs.
    #[test]
    fn a_body_that_is_cut_short_or_too_long_is_refused(hand in hand(), more in 1..9usize) {
        let body = ToBroker::Release(hand).encode();
        prop_assert!(ToBroker::decode(&body[..body.len() - more]).is_err());
        let longer = [&body[..], &vec![0; more]].concat();
        prop_assert_eq!(ToBroker::decode(&longer), Err(DecodeError::Long { offset: body.len(), found: more }));
    }
}

#[test]
fn errors_say_what_was_found_and_where() {
    let error = ToBroker::decode(&[9]).map(drop);
    assert_eq!(error, Err(DecodeError::Tag { of: "message to the broker", offset: 0, found: 9 }));
    let error = FromBroker::decode(&[9]).map(drop);
    assert_eq!(error, Err(DecodeError::Tag { of: "message from the broker", offset: 0, found: 9 }));
    assert_eq!(ToBroker::decode(&[]), Err(DecodeError::Short { offset: 0, expected: 1, found: 0 }));
}

#[test]
fn many_hands_are_claimed_and_none_come_without_much_being_allocated() {
    let mut body = vec![3, 0, 1, 0, 0, 0];
    body.extend(u32::MAX.to_le_bytes());
    assert!(matches!(ToBroker::decode(&body), Err(DecodeError::Short { offset: 10, .. })));
}
