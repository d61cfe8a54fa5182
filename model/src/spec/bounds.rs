//! The bounds of the state's encoding: every one of them is stated beside a result, and a run that meets one is cut,
//! never silently narrowed.
//!
//! `model/tests/bounds.rs` shows for most of them a bug that needs as much. No bug is known that needs the log's eighth
//! record (it has room for every message twice), a counter beyond three, or as many restarts, stragglers and late
//! deliveries as fit: those are as wide as budgets of a few faults of each kind ask for.

use std::fmt;

use serde::Serialize;

use crate::numbers::grouped;
use crate::pipeline::{Attempts, Pipeline};
use crate::vocab::Fault;

/// At most so many messages: their ids, phases and identities are packed.
pub const MESSAGES_MAX: usize = 4;
/// At most so many records in the log: marks of positions are bits of a byte.
pub const LOG_MAX: usize = 8;
/// At most so many new epochs of the producer, by restarts or refusals: epochs are three bits.
pub const RESTARTS_MAX: u32 = 7;
/// At most so many stragglers (late copies and zombies) on the way at once.
pub const STRAGGLERS_MAX: usize = 4;
/// At most so many hand-offs that have outlived their lease at once.
pub const LATE_MAX: usize = 8;
/// At most so many records that the log has lost are remembered by consumers.
pub const SEEN_LOST_MAX: usize = 4;
/// Counters of faults, attempts and deliveries stop here.
pub const COUNT_MAX: u32 = 15;

/// A model for more messages than the encoding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a model has 1 to {MESSAGES_MAX} messages, not {0}")]
pub struct TooManyMessages(pub u32);

/// A bound that a run can meet on its way, whatever the pipeline asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Bound {
    /// A record is to be appended to a full log.
    Log = 1,
    /// A lease ends under one hand-off more than can be told apart.
    LateHands = 2,
    /// The producer starts over in an epoch more than can be told apart.
    Epochs = 3,
    /// Consumers remember one record more that the log has lost.
    SeenLost = 4,
}

impl Bound {
    /// Every such bound.
    pub const ALL: [Bound; 4] = [Bound::Log, Bound::LateHands, Bound::Epochs, Bound::SeenLost];

    /// What a run asked for beyond it, and what to change.
    pub fn cut(self) -> BoundCut {
        let (bound, asked, limit, change) = match self {
            Bound::Log => (
                "records in the log",
                format!("{}", LOG_MAX + 1),
                LOG_MAX as u64,
                "fewer messages, or smaller budgets of the faults by which a message is stored again",
            ),
            Bound::LateHands => (
                "deliveries at once that have outlived their lease",
                format!("{}", LATE_MAX + 1),
                LATE_MAX as u64,
                "fewer workers, or smaller budgets of lease-expiry, rebalance, broker-crash and rewind",
            ),
            Bound::SeenLost => (
                "remembered records that the log has lost",
                format!("{}", SEEN_LOST_MAX + 1),
                SEEN_LOST_MAX as u64,
                "smaller budgets of broker-crash and failover",
            ),
            Bound::Epochs => (
                "new epochs of the producer",
                format!("{}", RESTARTS_MAX + 1),
                RESTARTS_MAX.into(),
                "smaller budgets of the faults that lead to a refusal, or another `producer.on-refusal`",
            ),
        };
        BoundCut { bound: bound.to_owned(), asked, limit, change: change.to_owned() }
    }
}

/// A bound that kept a search from seeing everything: which, what was asked for beyond it, and what to change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BoundCut {
    /// What is bounded.
    pub bound: String,
    /// How much of it was asked for.
    pub asked: String,
    /// How much of it there can be.
    pub limit: u64,
    /// What to change so that the search is complete.
    pub change: String,
}

impl fmt::Display for BoundCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BoundCut { bound, asked, limit, change } = self;
        write!(f, "{bound}: {asked} asked for, the model stops at {}; {change}", grouped(*limit))
    }
}

/// What a pipeline asks for beyond the encoding: such a model is explored within the bound, and its verdicts other than
/// "violated" are "unknown".
pub fn exceeded(pipeline: &Pipeline) -> Vec<BoundCut> {
    let faults = &pipeline.faults;
    let cap = |times: u32| if faults.total == 0 { times } else { times.min(faults.total) };
    let mut exceeded = Vec::new();
    let mut bound = |what: &str, asked: u32, max: u32, change: String| {
        if asked > max {
            exceeded.push(BoundCut { bound: what.to_owned(), asked: asked.to_string(), limit: max.into(), change });
        }
    };
    let budgets = |of: &str, max: u32| format!("budgets of {of} that sum up to {max}, or a faults.total of {max}");
    let restarts = faults.of(Fault::ProducerCrash).saturating_add(faults.of(Fault::ProducerZombie));
    let change = budgets("producer-crash and producer-zombie", RESTARTS_MAX);
    bound("restarts of the producer", cap(restarts), RESTARTS_MAX, change);
    let stragglers = faults.of(Fault::PublishDuplicated).saturating_add(faults.of(Fault::ProducerZombie));
    let change = budgets("publish-duplicated and producer-zombie", STRAGGLERS_MAX as u32);
    bound("late copies and zombies", cap(stragglers), STRAGGLERS_MAX as u32, change);
    for fault in faults.kinds() {
        let change = format!("a budget of {COUNT_MAX}");
        bound(&format!("faults.{}", fault.word()), cap(faults.of(fault)), COUNT_MAX, change);
    }
    if let Attempts::AtMost(attempts) = pipeline.producer.attempts {
        bound("producer.attempts", attempts, COUNT_MAX, format!("\"until-acked\", or at most {COUNT_MAX}"));
    }
    let change = format!("at most {COUNT_MAX}");
    bound("broker.max-deliveries", pipeline.broker.max_deliveries, COUNT_MAX, change);
    exceeded
}
