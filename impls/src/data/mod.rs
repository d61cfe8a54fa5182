//! Plain values that travel and are stored: records, keys, sets of positions, and the bytes of each.
//!
//! Architecture Invariant: nothing here decides anything, and nothing here sees a store, a core or a driver. All of them
//! see it.

pub mod keys;
pub mod positions;
pub mod range_set;
pub mod record;
pub mod snapshot;
