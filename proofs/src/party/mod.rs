//! Bring your own producer, broker or consumer: what it must speak, and what it is put through.
//!
//! A [`Party`] is driven from outside: the suite hands it inputs and the time, and asks for its outputs. Which of the
//! three it is, is said by its inputs and outputs:
//!
//! | role | input | output | shipped, to mix with yours |
//! |---|---|---|---|
//! | producer | [`ToProducer`] | [`FromProducer`] | [`shipped::producer`] |
//! | broker | [`ToBroker`] | [`FromBroker`] | [`shipped::broker`] |
//! | consumer | [`ToConsumer`] | [`FromConsumer`] | [`shipped::consumer`] |
//!
//! A [`Suite`] joins one of each by a simulated network, draws schedules of faults, and judges every run by what the
//! [`Claim`] says. A broken property comes with the shortest story that was found. `docs/bring-your-own.md` is the guide.
//!
//! Determinism: the same parties, schedule and seed give the same bytes of history, as long as the parties go by their
//! inputs alone.
//!
//! Left out: groups that follow a cursor over several consumers, rewinds, and bytes on the wire.

mod claim;
mod plan;
mod record;
pub mod shipped;
mod suite;
pub mod threaded;
mod watch;
mod wire;
mod world;

use std::time::Duration;

pub use delivery_model::pipeline::{Level, Obligation, Semantics};
pub use delivery_model::semantics::PropertyId;
pub use delivery_model::vocab::{Fault, MessageId, Outcome, SettleOutcome};

pub use claim::Claim;
pub use suite::{Bounds, Failure, Passed, Run, Suite};
pub use wire::{
    Delivery, FromBroker, FromConsumer, FromProducer, Identity, Message, Publish, Reply, Settle, ToBroker, ToConsumer,
    ToProducer,
};

/// One party of a pipeline, sans IO: the suite passes in inputs and the time, and fetches the outputs.
///
/// The contract:
///
/// * `now` counts from the beginning of the run, never falls, and is the only clock.
/// * [`poll_output`](Party::poll_output) gives the outputs one by one, oldest first. They may be fetched a while after
///   the input that caused them; what was not fetched when the party crashes never left it.
/// * Of one input comes at most one [`FromConsumer::Effect`], whose durable change takes place while the input is handled, or
///   in the call that returns the effect. Between an input and its effect nothing happens; between two other outputs
///   anything may, a crash too.
/// * [`crash`](Party::crash) returns what would survive the death of the process, and nothing else. The suite opens the next
///   incarnation on it.
pub trait Party {
    /// Its inputs.
    type Input;
    /// What it says.
    type Output;
    /// What survives a crash. Its default is an empty disk; `()` says that nothing survives.
    type Disk: Default;

    /// Takes in what arrived at this time.
    fn handle_input(&mut self, now: Duration, input: Self::Input);

    /// The next thing that it says, oldest first.
    fn poll_output(&mut self) -> Option<Self::Output>;

    /// Its deadline has come. It may come late, and after inputs that arrived later than the deadline.
    fn handle_timeout(&mut self, now: Duration) {
        let _ = now;
    }

    /// Its next deadline: the instant for [`handle_timeout`](Party::handle_timeout), if no input comes before.
    fn poll_timeout(&self) -> Option<Duration> {
        None
    }

    /// The process dies.
    fn crash(self) -> Self::Disk;

    /// The same, where by luck so many of the records that were not synced are on disk.
    fn crash_keeping(self, unsynced: u64) -> Self::Disk
    where
        Self: Sized,
    {
        let _ = unsynced;
        self.crash()
    }

    /// Something is done to it that no input can do. False if it knows no such thing.
    fn suffer(&mut self, hardship: Hardship) -> bool {
        let _ = hardship;
        false
    }
}

/// A party with a producer's inputs and outputs.
pub trait Producer: Party<Input = ToProducer, Output = FromProducer> {}
impl<P: Party<Input = ToProducer, Output = FromProducer>> Producer for P {}

/// A party with a broker's inputs and outputs.
pub trait Broker: Party<Input = ToBroker, Output = FromBroker> {}
impl<P: Party<Input = ToBroker, Output = FromBroker>> Broker for P {}

/// A party with a consumer's inputs and outputs. The consumers of a group are opened on clones of one disk; if they share a
/// database, the disk is a handle to it.
pub trait Consumer: Party<Input = ToConsumer, Output = FromConsumer, Disk: Clone> {}
impl<P: Party<Input = ToConsumer, Output = FromConsumer, Disk: Clone>> Consumer for P {}

/// What is done to a party from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hardship {
    /// The broker's next write fails, definitely. For a broker that cannot inject this, the suite refuses the publish itself
    /// and does not pass it in.
    WriteFails,
    /// A broker forgets which messages it has seen.
    DedupForgotten,
    /// A consumer's handler fails on this message, the next time.
    HandlerFails(MessageId),
    /// A consumer's handler fails on this message, every time.
    Poison(MessageId),
}
