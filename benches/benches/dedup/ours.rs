//! Our memories, as the bench asks them: those of `delivery_memories`, and the broker's own.

use std::path::Path;

use delivery_impls::core::dedup::{Familiarity, Memory};
use delivery_impls::data::record::{Identity, ProducerId, Session};
use delivery_impls::store::embedded::EmbeddedInventory;
use delivery_memories::{
    Answer, BitWindow, Dedup, Durable, Errs, ExactIds, HighWater, Id, LastFive, Numbered, ProducerTable, TwoGenerations,
};
use delivery_model::pipeline::{self, Broker};
use delivery_model::vocab::{Epoch, MessageId, Position};

use crate::memories::{Entrant, Recognise, Takes};

/// The words of a bit window that is wide enough for every shuffled load.
const WIDE: usize = 32;
/// The words of a bit window for many producers.
const NARROW: usize = 2;

/// A memory of `delivery_memories`.
struct Ours<M>(M);

impl<M: Dedup> Recognise<M::Name> for Ours<M> {
    fn admit_all(&mut self, names: &[M::Name], answers: &mut Vec<Answer>) {
        self.0.admit_all(names, answers).expect("it answers");
    }
}

fn ours<M: Dedup + 'static>(memory: M) -> Box<dyn Recognise<M::Name>> {
    Box::new(Ours(memory))
}

/// A kind of names that the broker knows by an identity.
pub trait Identified: Copy {
    fn identity(self) -> Identity;
}

impl Identified for Numbered {
    fn identity(self) -> Identity {
        Identity::Sequence { session: self.session, number: self.number }
    }
}

impl Identified for Id {
    fn identity(self) -> Identity {
        let session = Session { producer: ProducerId(self.1 as u32), session: Epoch((self.1 >> 32) as u32) };
        Identity::Message { message: MessageId(self.0), session }
    }
}

/// The broker's memory, and the position of the next record.
struct OfBroker(Memory, u64);

impl OfBroker {
    fn new(dedup: pipeline::Dedup, window: usize) -> OfBroker {
        let settings = Broker { dedup, dedup_window: window as u32, ..Broker::default() };
        OfBroker(Memory::new(&settings, Position(0)), 0)
    }
}

impl<N: Identified> Recognise<N> for OfBroker {
    fn admit_all(&mut self, names: &[N], answers: &mut Vec<Answer>) {
        answers.extend(names.iter().map(|name| {
            let identity = name.identity();
            match self.0.judge(identity) {
                Familiarity::New => {
                    self.0.remember(Position(self.1), identity);
                    self.1 += 1;
                    Answer::New
                }
                Familiarity::Duplicate => Answer::Duplicate,
                Familiarity::Gap => Answer::Gap,
            }
        }));
    }
}

/// A durable memory, as the store's user asks it: a transaction for each message.
struct OnDisk(Durable<EmbeddedInventory>);

impl Recognise<Id> for OnDisk {
    fn admit_all(&mut self, names: &[Id], answers: &mut Vec<Answer>) {
        answers.extend(names.iter().map(|name| self.0.admit(name.identity()).expect("a sound disk")));
    }
}

/// A durable memory in a new file in this folder.
pub fn durable(folder: &Path) -> Box<dyn Recognise<Id>> {
    let Ok(memory) = Durable::recover(EmbeddedInventory::open(&folder.join("ids.redb")).expect("a new database"));
    Box::new(OnDisk(memory))
}

const fn by_number(
    id: &'static str,
    errs: Errs,
    takes: Takes,
    new: fn(usize) -> Box<dyn Recognise<Numbered>>,
) -> Entrant<Numbered> {
    Entrant { id, errs, takes, new }
}

/// The memories by number, for one producer.
pub const ONE_PRODUCER: [Entrant<Numbered>; 5] = [
    by_number("bit-window", Errs::Refuses, Takes::AnyOrder, |_| ours(BitWindow::<WIDE>::default())),
    PRODUCER_TABLE,
    HIGH_WATER,
    LAST_FIVE,
    BROKER_SEQUENCE,
];

/// The memories by number, for many producers.
pub const PRODUCERS: [Entrant<Numbered>; 5] = [
    PRODUCER_TABLE,
    by_number("bit-window", Errs::Refuses, Takes::AnyOrder, |_| ours(BitWindow::<NARROW>::default())),
    HIGH_WATER,
    LAST_FIVE,
    BROKER_SEQUENCE,
];

const PRODUCER_TABLE: Entrant<Numbered> =
    by_number("producer-table", Errs::Refuses, Takes::Within(128), |count| ours(ProducerTable::new(count)));
const HIGH_WATER: Entrant<Numbered> =
    by_number("high-water", Errs::Suppresses, Takes::AnyOrder, |_| ours(HighWater::default()));
const LAST_FIVE: Entrant<Numbered> =
    by_number("last-five", Errs::Refuses, Takes::Within(1), |_| ours(LastFive::default()));
const BROKER_SEQUENCE: Entrant<Numbered> = by_number("broker-sequence", Errs::Refuses, Takes::Within(1), |_| {
    Box::new(OfBroker::new(pipeline::Dedup::Sequence, 0))
});

/// The memories by id.
pub const IDS: [Entrant<Id>; 3] = [
    Entrant { id: "exact-ids", errs: Errs::Accepts, takes: Takes::AnyOrder, new: |count| ours(ExactIds::new(count)) },
    Entrant {
        id: "two-generations",
        errs: Errs::Accepts,
        takes: Takes::AnyOrder,
        new: |count| ours(TwoGenerations::new(count)),
    },
    Entrant {
        id: "broker-message-id",
        errs: Errs::Accepts,
        takes: Takes::AnyOrder,
        new: |count| Box::new(OfBroker::new(pipeline::Dedup::MessageId, count)),
    },
];
