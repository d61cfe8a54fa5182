//! The bounds of the state's encoding: every one of them is stated beside a result, and a run that meets one is cut,
//! never silently narrowed.
//!
//! Each is as wide as some bug needs, which `model/tests/bounds.rs` shows, but for two: no bug is known that needs the
//! log's eighth record (it has room for every message twice), or a counter beyond three.

use crate::pipeline::{Attempts, Pipeline};
use crate::vocab::Fault;

/// At most so many messages: their ids, phases and identities are packed.
pub const MESSAGES_MAX: usize = 4;
/// At most so many records in the log: marks of positions are bits of a byte.
pub const LOG_MAX: usize = 8;
/// At most so many restarts of the producer: epochs are two bits.
pub const RESTARTS_MAX: u32 = 3;
/// At most so many stragglers (late copies and zombies) on the way at once.
pub const STRAGGLERS_MAX: u32 = 2;
/// Counters of faults, attempts and deliveries stop here.
pub const COUNT_MAX: u32 = 15;

/// A model for more messages than the encoding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a model has 1 to {MESSAGES_MAX} messages, not {0}")]
pub struct TooManyMessages(pub u32);

/// What a pipeline asks for beyond the encoding: such a model is explored within the bound, and its verdicts other than
/// "violated" are "unknown".
pub fn exceeded(pipeline: &Pipeline) -> Vec<String> {
    let faults = &pipeline.faults;
    let cap = |times: u32| if faults.total == 0 { times } else { times.min(faults.total) };
    let mut exceeded = Vec::new();
    let mut bound = |what: &str, asked: u32, max: u32| {
        if asked > max {
            exceeded.push(format!("{what}: {asked} asked for, the model stops at {max}"));
        }
    };
    let restarts = faults.of(Fault::ProducerCrash).saturating_add(faults.of(Fault::ProducerZombie));
    bound("restarts of the producer", cap(restarts), RESTARTS_MAX);
    let stragglers = faults.of(Fault::PublishDuplicated).saturating_add(faults.of(Fault::ProducerZombie));
    bound("late copies and zombies", cap(stragglers), STRAGGLERS_MAX);
    for fault in faults.kinds() {
        bound(fault.word(), cap(faults.of(fault)), COUNT_MAX);
    }
    if let Attempts::AtMost(attempts) = pipeline.producer.attempts {
        bound("producer.attempts", attempts, COUNT_MAX);
    }
    bound("broker.max-deliveries", pipeline.broker.max_deliveries, COUNT_MAX);
    exceeded
}
