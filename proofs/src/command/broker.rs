//! `delivery broker`: the broker as a process of its own.

use std::net::SocketAddr;

use delivery_impls::driver::run::RETAINED;
use delivery_proofs::real::PartyRole;

use super::address::address;
use super::{Outcome, role};

/// The address of the broker, and the arguments that all parties share.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: role::Common,
    /// The address to listen on; one beyond the loopback address needs a secret
    #[arg(long, value_name = "HOST:PORT", default_value = role::BROKER, value_parser = address)]
    listen: SocketAddr,
    /// The number of latest records to keep although they are settled
    #[arg(long, value_name = "N", default_value_t = RETAINED)]
    retain: u64,
}

/// Runs the broker. After Ctrl-C it answers open attempts and hands off what is left to a consumer that is connected,
/// then ends.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    role::run(&arguments.common, PartyRole::Broker { listen: arguments.listen, retain: arguments.retain })
}
