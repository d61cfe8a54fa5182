//! A database of effects changes effect, inbox and finished positions together, and refuses who was fenced off.

use std::collections::{BTreeMap, BTreeSet};

use delivery_impls::data::positions::Positions;
use delivery_impls::data::record::{Identity, Key, ProducerId, Session};
use delivery_impls::store::{Change, Covers, EffectStore, Generation, StoreError};
use delivery_model::vocab::{Epoch, MessageId, Position};
use proptest::prelude::*;

use super::{Nonconforming, Place, run, same};

/// A place for a database of effects, with access to the application's own data.
pub trait EffectPlace: Place<Store: EffectStore> {
    /// The bytes of a message, another for every number.
    fn payload(&self, number: u32) -> Vec<u8>;

    /// How often the effect of these bytes was made.
    fn made(&self, store: &Self::Store, payload: &[u8]) -> u64;
}

#[derive(Clone, Debug)]
enum Operation {
    Apply { fenced_by: Option<Generation>, effect: Option<u32>, inbox: Option<Key>, finished: Option<Covers> },
    Fence(u32),
    Rewind(u64),
    Crash,
}

/// So many different messages.
const MESSAGES: u32 = 4;
/// So many positions.
const POSITIONS: u64 = 20;

/// Puts a kind of database through so many sequences of transactions and crashes, each on a place of its own.
pub fn effects<P: EffectPlace>(cases: u32, place: impl Fn() -> P) -> Result<(), Nonconforming> {
    run("effect, inbox and positions change together", cases, operation(), |operations| {
        Subject::new(place()).check(operations)
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let covers = prop_oneof![
        3 => (0..POSITIONS).prop_map(|position| Covers::One(Position(position))),
        1 => (0..POSITIONS).prop_map(|end| Covers::Below(Position(end))),
    ];
    let fenced_by = proptest::option::of((0..4u32).prop_map(Generation));
    let (effect, inbox) = (proptest::option::of(0..MESSAGES), proptest::option::of(prop::sample::select(keys())));
    let apply = (fenced_by, effect, inbox, proptest::option::of(covers))
        .prop_map(|(fenced_by, effect, inbox, finished)| Operation::Apply { fenced_by, effect, inbox, finished });
    prop_oneof![
        8 => apply,
        1 => (0..4u32).prop_map(Operation::Fence),
        1 => (0..POSITIONS).prop_map(Operation::Rewind),
        1 => Just(Operation::Crash),
    ]
}

fn keys() -> Vec<Key> {
    let session = Session { producer: ProducerId(1), session: Epoch(2) };
    let of = |number| {
        [
            Key::Position(Position(number)),
            Key::Identity(Identity::Sequence { session, number }),
            Key::Identity(Identity::Message { session, message: MessageId(number) }),
        ]
    };
    (0..4).flat_map(of).collect()
}

/// A database, and what it should hold.
struct Subject<P: EffectPlace> {
    place: P,
    store: Option<P::Store>,
    made: BTreeMap<u32, u64>,
    inbox: BTreeSet<Key>,
    finished: Positions,
    generation: Generation,
}

impl<P: EffectPlace> Subject<P> {
    fn new(mut place: P) -> Self {
        let store = Some(place.open());
        let (made, inbox, finished, generation) = Default::default();
        Subject { place, store, made, inbox, finished, generation }
    }

    fn store(&mut self) -> &mut P::Store {
        self.store.as_mut().expect("it is open")
    }

    fn check(mut self, operations: &[Operation]) -> Result<(), String> {
        for operation in operations {
            self.take(operation)?;
            let (found, expected) = (self.store().finished(), Ok(self.finished.clone()));
            same("what is finished", found, expected)?;
        }
        self.compare()
    }

    fn take(&mut self, operation: &Operation) -> Result<(), String> {
        match *operation {
            Operation::Apply { fenced_by, effect, inbox, finished } => self.apply(fenced_by, effect, inbox, finished),
            Operation::Fence(to) => {
                self.generation = self.generation.max(Generation(to));
                same("a fence", self.store().fence(Generation(to)), Ok(()))
            }
            Operation::Rewind(to) => {
                self.finished.truncate(Position(to));
                same("a rewind", self.store().rewind(Position(to)), Ok(()))
            }
            Operation::Crash => {
                let store = self.store.take().expect("it is open");
                self.place.crash(store);
                self.store = Some(self.place.open());
                Ok(())
            }
        }
    }

    fn apply(
        &mut self,
        fenced_by: Option<Generation>,
        effect: Option<u32>,
        inbox: Option<Key>,
        finished: Option<Covers>,
    ) -> Result<(), String> {
        let payload = effect.map(|number| self.place.payload(number));
        let made = payload.map(|payload| self.store().effect_of(&payload)).transpose();
        let made = made.map_err(|why| format!("a payload of the application's is none: {why}"))?;
        let fence = fenced_by.filter(|found| *found < self.generation);
        let expected = fence.map_or(Ok(()), |found| Err(StoreError::Fenced { current: self.generation, found }));
        let applied = self.store().apply(&Change { fenced_by, effect: made, inbox, finished });
        same("a transaction", applied, expected.clone())?;
        if expected.is_ok() {
            effect.into_iter().for_each(|number| *self.made.entry(number).or_default() += 1);
            self.inbox.extend(inbox);
            finished.into_iter().for_each(|covers| covers.mark(&mut self.finished));
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), String> {
        let store = self.store.as_ref().expect("it is open");
        for number in 0..MESSAGES {
            let found = self.place.made(store, &self.place.payload(number));
            let expected = self.made.get(&number).copied().unwrap_or_default();
            same(&format!("how often effect {number} was made"), found, expected)?;
        }
        for key in keys() {
            same(&format!("whether {key:?} is in the inbox"), store.seen(&key), Ok(self.inbox.contains(&key)))?;
        }
        Ok(())
    }
}
