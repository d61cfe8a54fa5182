//! The memories by which brokers recognise a retry, with one interface. Each says what it forgets, and how it errs
//! about what it forgot.
//!
//! | memory | as in | what it forgets | errs |
//! |---|---|---|---|
//! | [`HighWater`] | Pulsar, RabbitMQ streams | which numbers below the highest were stored | [suppresses](Errs::Suppresses) |
//! | [`BitWindow`] | QUIC, WireGuard (RFC 6479) | numbers left of the window | [refuses](Errs::Refuses) |
//! | [`ProducerTable`] | QUIC's window, for producers with epochs | the producer that was idle the longest | [refuses](Errs::Refuses) |
//! | [`LastFive`] | Kafka | numbers before the last five | [refuses](Errs::Refuses) |
//! | [`ExactIds`] | NATS JetStream, by count in place of time | ids before the last so many | [accepts](Errs::Accepts) |
//! | [`TwoGenerations`] | the same, but forgets half of its ids at once | ids before the last so many, up to twice as many | [accepts](Errs::Accepts) |
//! | [`Durable`] | an inbox table | nothing | [never](Errs::Never) |
//!
//! None of them is probabilistic: a Bloom filter may call a message seen that never came, and to suppress that
//! message loses it. Of these memories only the high-water mark can do that, and its table entry says so.
//!
//! The broker's own memory is [`Memory`](delivery_impls::core::dedup::Memory), chosen by the pipeline's settings; the
//! memories here are compared with it, and only the benches use them. Left out: windows of time.
//!
//! A new memory is a file here, its line below and a line in the bench `dedup`; the tests check what it says of
//! itself.

mod bit_window;
mod durable;
mod exact_ids;
mod high_water;
mod idle;
mod last_five;
mod producer_table;
mod sealed;
mod sessions;
mod slots;
mod table;
mod tags;
mod two_generations;

use std::fmt::Debug;

use delivery_impls::data::record::{Reader, Session};
pub use delivery_impls::data::snapshot::SnapshotError;
use delivery_impls::data::snapshot::{self, Writer};

pub use self::bit_window::BitWindow;
pub use self::durable::Durable;
pub use self::exact_ids::ExactIds;
pub use self::high_water::HighWater;
pub use self::last_five::LastFive;
pub use self::producer_table::{ProducerState, ProducerTable};
pub use self::two_generations::TwoGenerations;

/// The answer of a memory on a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// It was not seen: store the record.
    New,
    /// It was seen: confirm it again and store nothing.
    Duplicate,
    /// It was not seen, and a number before it is missing: refuse it for now.
    Gap,
    /// It is forgotten whether it was seen: refuse it.
    Forgotten,
}

/// The treatment of a name of which a memory has forgotten whether it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Errs {
    /// There is no such name: it forgets nothing.
    Never,
    /// The name is called new: a seen message may be stored twice, and none is lost.
    Accepts,
    /// The name is refused: nothing is lost or stored twice, but a new message may be refused, and its producer
    /// learns it.
    Refuses,
    /// The name is called a duplicate and confirmed: nothing is stored twice, but a new message may be lost.
    Suppresses,
}

/// The name of a message by its number in its producer's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Numbered {
    /// The session.
    pub session: Session,
    /// The number, counted from 0.
    pub number: u64,
}

/// An id of 128 bits that an application drew for its message, such as a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64, pub u64);

impl Id {
    fn write(writer: Writer, Id(first, second): Id) -> Writer {
        writer.u64(first).u64(second)
    }
}

/// A memory of names by which a retry is recognised.
///
/// Calling contract: [`judge`](Dedup::judge) a name; if it is new and its record is stored,
/// [`remember`](Dedup::remember) it before the next one is judged. [`admit`](Dedup::admit) is both at once, for a caller
/// that stores what is new in any case, and [`admit_all`](Dedup::admit_all) that for a batch. To restart, [`recover`](Dedup::recover) from the
/// result of [`into_snapshot`](Dedup::into_snapshot).
pub trait Dedup: Sized {
    /// The kind of its errors about names that it forgot. It makes no other errors.
    const ERRS: Errs;

    /// The kind of names that it recognises: [`Numbered`], an [`Id`], or an
    /// [`Identity`](delivery_impls::data::record::Identity).
    type Name: Copy + Debug + Ord;

    /// The reason why it could not answer or remember; a memory in RAM has none.
    type Error: Debug;

    /// What survives a restart: bytes, or the store itself.
    type Snapshot;

    /// The reason why a snapshot cannot be recovered.
    type RecoverError: Debug;

    /// The answer on this name.
    fn judge(&self, name: Self::Name) -> Result<Answer, Self::Error>;

    /// Whether it knows for certain if this name was seen. If not, it errs as [`Dedup::ERRS`] says.
    fn is_certain(&self, name: Self::Name) -> Result<bool, Self::Error>;

    /// Notes that the message with this name is stored.
    fn remember(&mut self, name: Self::Name) -> Result<(), Self::Error>;

    /// Judges this name, and remembers it if it is new.
    fn admit(&mut self, name: Self::Name) -> Result<Answer, Self::Error> {
        let answer = self.judge(name)?;
        if answer == Answer::New {
            self.remember(name)?;
        }
        Ok(answer)
    }

    /// [`admit`](Dedup::admit) for each of these names in turn. Appends the answers. A memory that is larger than the
    /// cache overlaps its reads for several names.
    ///
    /// On an error the names without an answer are not remembered.
    fn admit_all(&mut self, names: &[Self::Name], answers: &mut Vec<Answer>) -> Result<(), Self::Error> {
        one_by_one(self, names, answers)
    }

    /// Ends this memory. Returns what a restart needs.
    fn into_snapshot(self) -> Self::Snapshot;

    /// A memory that answers as the one that left this snapshot.
    fn recover(snapshot: Self::Snapshot) -> Result<Self, Self::RecoverError>;
}

/// [`Dedup::admit`] for each of these names in turn.
fn one_by_one<M: Dedup>(memory: &mut M, names: &[M::Name], answers: &mut Vec<Answer>) -> Result<(), M::Error> {
    answers.reserve(names.len());
    for name in names {
        answers.push(memory.admit(*name)?);
    }
    Ok(())
}

/// Reads a list of ids, in the order in which they were written.
fn ids(reader: &mut Reader<'_>) -> Result<Vec<Id>, SnapshotError> {
    snapshot::list(reader, |reader| Ok(Id(reader.u64()?, reader.u64()?)))
}

#[cfg(test)]
mod tests;
