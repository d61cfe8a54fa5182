//! `delivery consume`: the inventory service as a process of its own.

use std::net::SocketAddr;

use delivery_model::vocab::Position;
use delivery_proofs::real::PartyRole;

use super::address::address;
use super::{Outcome, role};

/// The address of the broker, and the arguments that all parties share.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: role::Common,
    /// The address of the broker
    #[arg(long, value_name = "HOST:PORT", default_value = role::BROKER, value_parser = address)]
    connect: SocketAddr,
    /// The position of the broker's log to rewind to first: everything from there on is delivered again
    #[arg(long, value_name = "POSITION")]
    rewind: Option<u64>,
}

/// Takes deliveries until Ctrl-C. Then it takes no new ones, and finishes those that it has.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let rewind = arguments.rewind.map(Position);
    role::run(&arguments.common, PartyRole::Consumer { broker: arguments.connect, rewind })
}
