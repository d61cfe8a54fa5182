//! An outbox keeps every call, whatever crashes.

use std::collections::BTreeMap;

use delivery_impls::store::{OutboxContents, OutboxRow, OutboxStore};
use delivery_model::vocab::{Epoch, MessageId};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::{Nonconforming, Place, run, same};

#[derive(Clone, Debug)]
enum Operation {
    Begin(u32),
    Advance(u64),
    Renew(u32, BTreeMap<u64, u64>),
    Insert(u64, Vec<u8>, Option<u64>),
    Delete(u64),
    Crash,
}

/// Puts a kind of outbox through so many sequences of calls and crashes, each on a place of its own.
pub fn outbox<P: Place<Store: OutboxStore>>(cases: u32, place: impl Fn() -> P) -> Result<(), Nonconforming> {
    run("an outbox keeps every call", cases, operation(), |operations| check(place(), operations))
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        1 => any::<u32>().prop_map(Operation::Begin),
        1 => any::<u64>().prop_map(Operation::Advance),
        1 => (any::<u32>(), btree_map(0..6u64, 0..100u64, 0..4))
            .prop_map(|(epoch, numbers)| Operation::Renew(epoch, numbers)),
        6 => (0..6u64, vec(any::<u8>(), 0..9), proptest::option::of(0..100u64))
            .prop_map(|(message, payload, number)| Operation::Insert(message, payload, number)),
        3 => (0..6u64).prop_map(Operation::Delete),
        1 => Just(Operation::Crash),
    ]
}

fn check<P: Place<Store: OutboxStore>>(mut place: P, operations: &[Operation]) -> Result<(), String> {
    let mut outbox = place.open();
    let mut expected = OutboxContents::default();
    same("a new outbox", outbox.recover(), Ok(expected.clone()))?;
    let mut rows: BTreeMap<u64, (Vec<u8>, Option<u64>)> = BTreeMap::new();
    for operation in operations.iter().chain([&Operation::Crash]) {
        match operation.clone() {
            Operation::Begin(epoch) => {
                same("a begin", outbox.begin(Epoch(epoch)), Ok(()))?;
                expected.epoch = Some(Epoch(epoch));
            }
            Operation::Advance(position) => {
                same("a new position", outbox.advance(MessageId(position)), Ok(()))?;
                expected.position = MessageId(position);
            }
            Operation::Renew(epoch, numbers) => {
                let given: Vec<_> = numbers.iter().map(|(&message, &number)| (MessageId(message), number)).collect();
                same("a renewal", outbox.renew(Epoch(epoch), &given), Ok(()))?;
                (expected.epoch, expected.session) = (Some(Epoch(epoch)), Epoch(epoch));
                expected.next_number = numbers.values().map(|number| number + 1).max().unwrap_or(0);
                rows.iter_mut().for_each(|(message, (_, number))| *number = numbers.get(message).copied());
            }
            Operation::Insert(message, payload, number) => {
                same("an insert", outbox.insert(MessageId(message), &payload.as_slice().into(), number), Ok(()))?;
                expected.next_number = number.map_or(expected.next_number, |number| number + 1);
                rows.insert(message, (payload, number));
            }
            Operation::Delete(message) => {
                same("a delete", outbox.delete(MessageId(message)), Ok(()))?;
                rows.remove(&message);
            }
            Operation::Crash => {
                place.crash(outbox);
                outbox = place.open();
                expected.rows = rows.iter().map(|(message, kept)| row(*message, kept)).collect();
                same("what a crash leaves", outbox.recover(), Ok(expected.clone()))?;
            }
        }
    }
    Ok(())
}

fn row(message: u64, (payload, number): &(Vec<u8>, Option<u64>)) -> OutboxRow {
    OutboxRow { message: MessageId(message), payload: payload.as_slice().into(), number: *number }
}
