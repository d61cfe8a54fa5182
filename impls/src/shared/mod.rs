//! What threads share: each piece is small, free of `unsafe`, and explored by loom from these very files.
//!
//! Architecture Invariant: everything here takes its atomics from [`crate::sync`] and nothing else from this crate, so
//! that `proofs/loom` can compile these files a second time. No unit tests stand in them for the same reason: they
//! would run on loom's atomics outside a loom model. The sequential ones are in `impls/tests`.
//!
//! Each piece keeps the steps in which threads race apart, as a trait whose default methods are the shipped ones. A
//! broken twin in `proofs/loom` replaces one of them, and loom must catch it by the assertion that guards it.

//!
//! | piece | between whom | in which driver | loom |
//! |---|---|---|---|
//! | [`ack_window`] | workers that settle in any order; its snapshot, with whoever stores it | consumer (`prefix`), and under the lease table | `ack_window.rs`, `commits.rs`, `snapshot.rs` |
//! | [`lease_slot`] | workers, timers and dispatchers of one position | under the lease table | `lease_slot.rs` |
//! | [`lease_table`] | the same, of a window of positions | broker (`leasing`) | `lease_table.rs` |
//! | [`in_flight`] | attempts at one message, and whoever stores it | broker (`joining`) | `in_flight.rs` |
//! | [`group_sync`] | those who append, and the one who syncs | broker (`syncing`) | `group_sync.rs` |
//! | [`handle`] | the clones of a delivery's handle | broker (`joining`, `leasing`) | `handle.rs` |

pub mod ack_window;
pub mod group_sync;
pub mod handle;
pub mod in_flight;
pub mod lease_slot;
pub mod lease_table;
