//! Faults: one file each behind one trait.

mod consumer_crash;
mod kill;
mod power;
mod producer_crash;
mod stop;
mod wire;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use delivery_model::vocab::Fault as Word;

pub use self::consumer_crash::ConsumerCrash;
pub use self::kill::Kill;
pub use self::power::Power;
pub use self::producer_crash::ProducerCrash;
pub use self::stop::Stop;
pub use self::wire::{
    DELIVERY_LOST, OnTheWire, PUBLISH_ACK_LOST, PUBLISH_CUT, PUBLISH_DELAYED, PUBLISH_DUPLICATED, PUBLISH_LOST,
    SETTLE_ACK_LOST, SETTLE_LOST,
};
use crate::clock;
use crate::plan::{At, Load, Party, Patience};
use crate::product::{Broker, Product, Trouble};
use crate::proxy::FrameFault;

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
        clock::pass(self.patience.given_up(), self.interrupt);
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

    /// What it does to the frame at its point, if it is a fault on the wire.
    fn on_the_wire(&self) -> Option<FrameFault> {
        None
    }

    /// Whether it means something for this product.
    fn possible_for(&self, _product: &dyn Product) -> Result<(), Trouble> {
        Ok(())
    }

    /// Whether the broker's data must be on a file system of its own.
    fn needs_own_file_system(&self) -> bool {
        false
    }

    /// Strikes. The party that reached the point waits until this returns. A fault on the wire strikes in the proxy
    /// instead.
    fn strike(&self, _strike: &mut Strike<'_>) -> Result<(), Trouble> {
        Ok(())
    }

    /// Ends the fault. Parties run meanwhile, and meet its consequences.
    fn heal(&self, _strike: &mut Strike<'_>) -> Result<(), Trouble> {
        Ok(())
    }
}

/// Every fault, in the order in which tables list them.
pub const ALL: [&dyn Fault; 13] = [
    &Kill,
    &Stop,
    &Power,
    &ProducerCrash,
    &ConsumerCrash,
    &PUBLISH_LOST,
    &PUBLISH_CUT,
    &PUBLISH_DUPLICATED,
    &PUBLISH_DELAYED,
    &PUBLISH_ACK_LOST,
    &DELIVERY_LOST,
    &SETTLE_LOST,
    &SETTLE_ACK_LOST,
];

/// The word for all faults on the wire.
pub const WIRE: &str = "wire";

/// Whether an audit of servers that it starts runs this fault where none is named: all that are not on the wire, and of
/// those the two after which a client does not know what the server did.
pub fn is_usual(fault: &dyn Fault) -> bool {
    fault.on_the_wire().is_none() || [PUBLISH_ACK_LOST.name(), SETTLE_ACK_LOST.name()].contains(&fault.name())
}

/// The usual point of a fault of the broker: where a backlog is kept, the last publishes tell more than settles.
fn of_the_broker(load: Load) -> At {
    match load {
        Load::KeepsUp => At::Settled,
        Load::Lags => At::Acked,
    }
}
