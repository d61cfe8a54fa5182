//! The atomics and locks that [`shared`](crate::shared) is built on: here the standard library's.
//!
//! Architecture Invariant: this is the one place that names them. The loom crate (`proofs/loom`) compiles the same shared
//! files beside a `sync` module of its own that names loom's, so what loom explores is what ships.

pub use std::sync::atomic::{AtomicU64, Ordering, fence};
pub use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
