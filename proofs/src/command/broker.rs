//! `delivery broker`: the broker as a process of its own.

use std::net::SocketAddr;

use delivery_impls::driver::run::RETAINED;
use delivery_proofs::real::Role;

use super::{Outcome, role};

/// Where it listens, and what every role wants to know.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: role::Common,
    /// Where to listen; beyond the loopback address only with a secret
    #[arg(long, value_name = "ADDR", default_value = role::BROKER)]
    listen: SocketAddr,
    /// How many of the latest records it keeps although they are delivered for good
    #[arg(long, value_name = "N", default_value_t = RETAINED)]
    retain: u64,
}

/// Serves. Ctrl-C: producers get what they are owed, a consumer that is there gets what is left.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    role::run(&arguments.common, Role::Broker { listen: arguments.listen, retain: arguments.retain })
}
