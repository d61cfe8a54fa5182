//! The tuning: time-outs and counts that the pipeline leaves to its operator.

use super::time::{BackOff, Millis};

/// Time-outs and counts. They decide when things happen and how they are numbered, never what may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// The time for which the producer waits for a reply, and the consumer for the outcome of a settle.
    pub reply_timeout: Millis,
    /// The wait of the producer before a retry.
    pub back_off: BackOff,
    /// The number of unfinished messages up to which a producer takes more. A crash finds some of them waiting.
    pub ahead: usize,
    /// The duration of a lease.
    pub lease: Millis,
    /// The highest number of attempts and deliveries; beyond it they are not numbered. An explorer sets it low, so
    /// that an endless loop of retries returns to the same state.
    pub numbers_max: u32,
    /// How far a group that is handed single positions may be ahead of the lowest one that is not settled. Far more than
    /// consumers have at work at once, so that only a message that is neither settled nor set aside makes it wait.
    pub ahead_max: u64,
    /// The number of positions, counted from the lowest one that is not finished, on which a consumer that follows a
    /// cursor works at once. It bounds what the consumer remembers.
    pub room: u64,
    /// The number of positions that a consumer that stores its positions finishes before it tells the broker.
    pub finished_step: u64,
    /// The retention of the broker's log; none: nothing is dropped.
    pub retention: Option<Retention>,
}

/// The retention of the broker's log: the records that it keeps although they are needed no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retention {
    /// The number of latest records that stay in the log. A group can be rewound as far back.
    pub records: u64,
    /// The number of records that are dropped at once: dropping even one rewrites all that stay.
    pub batch: u64,
}

impl Retention {
    /// The retention of this number of latest records, with batches of a quarter of it, at least 256.
    pub fn of(records: u64) -> Retention {
        Retention { records, batch: (records / 4).max(256) }
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            reply_timeout: Millis(1_000),
            back_off: BackOff::default(),
            ahead: 4,
            lease: Millis(30_000),
            numbers_max: u32::MAX,
            ahead_max: 1 << 16,
            room: 4096,
            finished_step: 64,
            retention: None,
        }
    }
}
