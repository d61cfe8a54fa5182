//! What a pipeline leaves to the one who runs it: waits, and how far to count.

use super::time::{BackOff, Millis};

/// Waits and counts that decide when things happen and how they are numbered, never what may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tuning {
    /// How long the producer waits for a reply.
    pub reply_timeout: Millis,
    /// How long it waits before a retry.
    pub back_off: BackOff,
    /// How long a lease lasts.
    pub lease: Millis,
    /// Attempts and deliveries are numbered up to here and carry no number beyond. An explorer sets it low, so that an
    /// endless loop of retries closes instead of counting on for ever.
    pub numbers_max: u32,
    /// What the broker drops that nobody needs any more; none: nothing, ever.
    pub retention: Option<Retention>,
}

/// How much the broker keeps although nobody needs it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Retention {
    /// So many of the latest records stay in the log, whatever became of them: so far back a group can be rewound.
    pub records: u64,
    /// What may go waits until it is so many: to drop a single record, all that stay are written anew.
    pub batch: u64,
}

impl Retention {
    /// Keeps so many of the latest records, and waits for a quarter as many to go, 256 at least.
    pub fn of(records: u64) -> Retention {
        Retention { records, batch: (records / 4).max(256) }
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            reply_timeout: Millis(1_000),
            back_off: BackOff::default(),
            lease: Millis(30_000),
            numbers_max: u32::MAX,
            retention: None,
        }
    }
}
