//! `delivery consume`: the inventory service as a process of its own.

use std::net::SocketAddr;

use delivery_model::vocab::Position;
use delivery_proofs::real::Role;

use super::{Outcome, role};

/// Where the broker is, and what every role wants to know.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: role::Common,
    /// Where the broker is
    #[arg(long, value_name = "ADDR", default_value = role::BROKER)]
    connect: SocketAddr,
    /// Go back to this position of the broker's log first: everything from there on is delivered again
    #[arg(long, value_name = "POSITION")]
    rewind: Option<u64>,
}

/// Takes deliveries until Ctrl-C: then it wants no more, and finishes those that came.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let rewind = arguments.rewind.map(Position);
    role::run(&arguments.common, Role::Consumer { broker: arguments.connect, rewind })
}
