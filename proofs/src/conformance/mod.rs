//! Suites that one part alone is put through, yours like ours: what its contract says, as named checks.
//!
//! [`stores`] asks a journal, an outbox or a database of effects; [`behaviour`] asks a broker or a consumer for what its
//! settings promise.

pub mod behaviour;
pub mod stores;
