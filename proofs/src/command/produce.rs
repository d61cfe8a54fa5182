//! `delivery produce`: the order service as a process of its own.

use std::net::SocketAddr;

use delivery_impls::data::record::ProducerId;
use delivery_proofs::real::PartyRole;

use super::address::address;
use super::{Outcome, role};

/// The messages to submit, and the arguments that all parties share.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    common: role::Common,
    /// The address of the broker
    #[arg(long, value_name = "HOST:PORT", default_value = role::BROKER, value_parser = address)]
    connect: SocketAddr,
    /// The number of messages of all producers, numbered from 1
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    messages: u64,
    /// The number of producers that share the messages, taking turns
    #[arg(long, value_name = "N", default_value_t = 1)]
    producers: u32,
    /// The id of this producer, counted from 0
    #[arg(long, value_name = "ID", default_value_t = 0)]
    producer: u32,
}

/// Submits this producer's share of the messages and ends when all are finished. After Ctrl-C it submits no more, and
/// finishes those that are unfinished.
pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let Arguments { ref common, connect, messages, producers, producer } = *arguments;
    role::run(common, PartyRole::Producer { id: ProducerId(producer), of: producers, messages, broker: connect })
}
