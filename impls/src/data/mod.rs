//! Plain values that are sent and stored (records, keys, sets of positions), with their encodings.
//!
//! Architecture Invariant: nothing here makes a decision, and nothing here sees a store, a core or a driver. All of
//! them see it.

pub mod keys;
mod payload;
pub mod positions;
pub mod range_set;
pub mod record;
pub mod small_map;
pub mod snapshot;
