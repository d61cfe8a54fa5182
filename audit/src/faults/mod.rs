//! Faults: one file each behind one trait.

mod consumer_crash;
mod kill;
mod power;
mod producer_crash;
mod stop;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use delivery_model::vocab::Fault as Word;

pub use self::consumer_crash::ConsumerCrash;
pub use self::kill::Kill;
pub use self::power::Power;
pub use self::producer_crash::ProducerCrash;
pub use self::stop::Stop;
use crate::clock;
use crate::plan::{At, Load, Party, Patience};
use crate::product::{Broker, Trouble};

/// What a fault can strike.
pub struct Strike<'a> {
    /// The broker.
    pub broker: &'a mut dyn Broker,
    patience: Patience,
    interrupt: &'a AtomicBool,
    crashed: Option<Party>,
}

impl<'a> Strike<'a> {
    /// The targets of one fault. Waiting ends early when the interrupt is raised.
    pub fn new(broker: &'a mut dyn Broker, patience: Patience, interrupt: &'a AtomicBool) -> Strike<'a> {
        Strike { broker, patience, interrupt, crashed: None }
    }

    /// Makes this party crash where it stands.
    pub fn crash(&mut self, party: Party) {
        self.crashed = Some(party);
    }

    /// The party that is to crash.
    pub fn crashed(&self) -> Option<Party> {
        self.crashed
    }

    /// Waits until clients have given up, and leases have run out.
    pub fn wait_out_the_clients(&self) {
        clock::pass(self.patience.answer.max(self.patience.lease) * 5 / 4, self.interrupt);
    }
}

/// A kind of fault.
pub trait Fault: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// What it does, in one sentence without a full stop.
    fn means(&self) -> &'static str;

    /// The word for it in a history.
    fn word(&self) -> Word;

    /// The kind of point at which it strikes under this load.
    fn at(&self, load: Load) -> At;

    /// Whether it can strike on this machine. May try, in this directory, which is empty.
    fn possible(&self, _directory: &Path) -> Result<(), Trouble> {
        Ok(())
    }

    /// Whether it strikes the server itself, which must then be one that the audit started.
    fn strikes_the_server(&self) -> bool {
        true
    }

    /// Whether the broker's data must be on a file system of its own.
    fn needs_own_file_system(&self) -> bool {
        false
    }

    /// Strikes. The party that reached the point waits until this returns.
    fn strike(&self, strike: &mut Strike<'_>) -> Result<(), Trouble>;

    /// Ends the fault. Parties run meanwhile, and meet its consequences.
    fn heal(&self, strike: &mut Strike<'_>) -> Result<(), Trouble>;
}

/// Every fault, in the order in which tables list them.
pub const ALL: [&dyn Fault; 5] = [&Kill, &Stop, &Power, &ProducerCrash, &ConsumerCrash];

/// The usual point of a fault that befalls the broker: where a backlog is kept, the last publishes tell more than settles.
fn of_the_broker(load: Load) -> At {
    match load {
        Load::KeepsUp => At::Settled,
        Load::Lags => At::Acked,
    }
}
