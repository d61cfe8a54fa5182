//! The ways to recognise a retry that brokers use, side by side: same question, same words for the answer, and each says
//! what it forgets and how it errs then.
//!
//! | memory | as in | what it forgets | errs |
//! |---|---|---|---|
//! | [`HighWater`] | Pulsar, RabbitMQ streams | which numbers below the highest were stored | [suppresses](Errs::Suppresses) |
//! | [`BitWindow`] | QUIC, WireGuard (RFC 6479) | numbers left of the window | [refuses](Errs::Refuses) |
//! | [`ProducerTable`] | QUIC's window, for producers with epochs | the producer that was quiet the longest | [refuses](Errs::Refuses) |
//! | [`LastFive`] | Kafka | numbers before the last five | [refuses](Errs::Refuses) |
//! | [`ExactIds`] | NATS JetStream, by count in place of time | ids before the last so many | [accepts](Errs::Accepts) |
//! | [`TwoGenerations`] | the same, forgotten by the heap | ids before the last so many, up to twice as many | [accepts](Errs::Accepts) |
//! | [`Durable`] | an inbox table | nothing | [never](Errs::Never) |
//!
//! None of them is probabilistic: a Bloom filter's "seen" may be about a message that never came, and suppressing that one
//! loses it. Of these, only the high-water mark can do that, and says so.
//!
//! What the broker runs with is [`Memory`](delivery_impls::core::dedup::Memory), chosen by the pipeline's settings; these
//! are what it is compared with, and nothing but the benches runs them. Left out: forgetting by time.
//!
//! A new memory is a file here, its line below and a line in the bench `dedup`; the tests hold it to what it says of itself.

mod bit_window;
mod durable;
mod exact_ids;
mod high_water;
mod last_five;
mod producer_table;
mod two_generations;

use std::fmt::Debug;

use delivery_impls::data::record::{Identity, Reader, Session};
use delivery_impls::data::snapshot;
pub use delivery_impls::data::snapshot::SnapshotError;

pub use self::bit_window::BitWindow;
pub use self::durable::Durable;
pub use self::exact_ids::ExactIds;
pub use self::high_water::HighWater;
pub use self::last_five::LastFive;
pub use self::producer_table::ProducerTable;
pub use self::two_generations::TwoGenerations;

/// What a memory says to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Not seen: store it.
    New,
    /// Seen: confirm it again, store nothing.
    Duplicate,
    /// Not seen, and something before it is missing: refuse it for now.
    Gap,
    /// Nobody can tell any more: refuse it.
    Forgotten,
}

/// What a memory does about a name that it cannot tell any more, whether it was seen or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Errs {
    /// It can tell every one.
    Never,
    /// Calls it new: what was seen may be stored twice, and nothing is lost.
    Accepts,
    /// Refuses it: nothing is lost or stored twice, but what is new may be turned away, and its producer knows.
    Refuses,
    /// Calls it a duplicate, and so has it confirmed: nothing is stored twice, but what is new may be lost.
    Suppresses,
}

/// A message by its number: the name by which a producer with a session numbers its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Numbered {
    /// Who numbers.
    pub session: Session,
    /// Counted from 0.
    pub number: u64,
}

/// A memory of names by which a retry is recognised.
///
/// Calling contract: [`judge`](Dedup::judge) a name; if it is new and its record is stored, [`remember`](Dedup::remember)
/// it before the next one is judged. To restart, [`recover`](Dedup::recover) from what
/// [`into_snapshot`](Dedup::into_snapshot) left.
pub trait Dedup: Sized {
    /// How it errs about what it has forgotten. About everything else it does not err.
    const ERRS: Errs;

    /// By what it recognises messages: [`Numbered`], or an [`Identity`].
    type Name: Copy + Debug + Ord;

    /// Why it could not answer or remember: nothing, for what is in memory.
    type Error: Debug;

    /// What outlives a restart: bytes, or the store itself.
    type Snapshot;

    /// Why a snapshot cannot be recovered from.
    type RecoverError: Debug;

    /// What it says to this name.
    fn judge(&self, name: Self::Name) -> Result<Answer, Self::Error>;

    /// Whether it can tell for certain if this name was seen. If it cannot, it errs as [`Dedup::ERRS`] says.
    fn is_certain(&self, name: Self::Name) -> Result<bool, Self::Error>;

    /// What this name stands for is stored.
    fn remember(&mut self, name: Self::Name) -> Result<(), Self::Error>;

    /// Gives what a restart needs.
    fn into_snapshot(self) -> Self::Snapshot;

    /// A memory that answers as the one that left this snapshot.
    fn recover(snapshot: Self::Snapshot) -> Result<Self, Self::RecoverError>;
}

/// Reads a list of identities, in the order in which they were written.
fn identities(reader: &mut Reader<'_>) -> Result<Vec<Identity>, SnapshotError> {
    snapshot::list(reader, |reader| Ok(Identity::decode(reader)?))
}

#[cfg(test)]
mod tests;
