//! `delivery produce`: the order service as a process of its own.

use std::net::SocketAddr;

use delivery_impls::data::record::ProducerId;
use delivery_proofs::real::Role;

use super::{Outcome, role};

/// What it submits, and what every role wants to know.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: role::Common,
    /// Where the broker is
    #[arg(long, value_name = "ADDR", default_value = role::BROKER)]
    connect: SocketAddr,
    /// How many messages there are in all, numbered from 1
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    messages: u64,
    /// How many producers share them, taking turns
    #[arg(long, value_name = "N", default_value_t = 1)]
    producers: u32,
    /// Which of them this is, counted from 0
    #[arg(long, value_name = "ID", default_value_t = 0)]
    producer: u32,
}

/// Submits its share and ends when all of it is finished. Ctrl-C: submits nothing more, and finishes what is under way.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let Arguments { ref common, connect, messages, producers, producer } = *arguments;
    role::run(common, Role::Producer { id: ProducerId(producer), of: producers, messages, broker: connect })
}
