//! The shared-memory parts that ship, compiled a second time against loom, and what it takes to explore them.
//!
//! [`shared`] is not a copy: it is `impls/src/shared`, by path, and finds loom's atomics in [`sync`] where the shipped
//! crate finds the standard library's. No flag is needed, so plain `cargo test` explores every interleaving.
//!
//! The tests pair each piece with broken twins: the same code with one step replaced. A check that cannot tell the
//! twin from the piece would be worthless, so each twin must fail, by the assertion that names its mistake.
//!
//! Bounds: every interleaving with at most three preemptions, of two or three threads with a handful of calls each.
//! Leaves out what loom does not explore: load buffering, spurious failures of weak exchanges, real time.

pub mod explore;
#[path = "../../../impls/src/shared/mod.rs"]
pub mod shared;
pub mod table;
pub mod twins;

/// What `delivery_impls::sync` is in the shipped crate: here loom's.
pub mod sync {
    pub use std::sync::PoisonError;

    pub use loom::sync::atomic::{AtomicU64, Ordering, fence};
    pub use loom::sync::{Condvar, Mutex, MutexGuard};
}
