//! The parts that threads share. Each is small, free of `unsafe`, and explored by loom from these files.
//!
//! Architecture Invariant: everything here takes its atomics from [`crate::sync`] and nothing else from this crate, so
//! that `proofs/loom` can compile these files a second time. No unit tests stand in them for the same reason: they
//! would run on loom's atomics outside a loom model. The sequential ones are in `impls/tests`.
//!
//! Each piece keeps the steps in which threads race apart, as a trait whose default methods are the shipped ones. A
//! broken twin in `proofs/loom` replaces one of them, and loom must catch it by the assertion that guards it.
//!
//! Nothing is decided here that a core could decide: a piece says what threads have done, and the core decides from that.
//!
//! | piece | between whom | in which driver | loom |
//! |---|---|---|---|
//! | [`ack_window`] | workers that finish positions in any order; the threads that read its snapshot | consumer (`window`) | `ack_window.rs`, `commits.rs`, `snapshot.rs` |
//! | [`arrivals`] | a connection's reader, and the loop that ends leases by time | broker (`connections`) | `arrivals.rs` |
//! | [`in_flight`] | readers with attempts at one message, and the loop that takes them | broker (`joining`) | `in_flight.rs` |
//! | [`work_queue`] | workers that wait, the threads that bring work, the one that closes | consumer (`state`) | `work_queue.rs` |
//! | [`lives`] | a worker that commits, and the crash of its life | consumer (`state`) | `lives.rs` |
//! | [`group_sync`] | those who append, and the one who syncs | broker (`syncing`) | `group_sync.rs` |

pub mod ack_window;
pub mod arrivals;
pub mod group_sync;
pub mod in_flight;
pub mod lives;
pub mod work_queue;

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, a poisoned one too: no step of these parts panics half-way, so what it guards is whole.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
