//! What threads share: each piece is small, free of `unsafe`, and explored by loom from these very files.
//!
//! Architecture Invariant: everything here takes its atomics from [`crate::sync`] and nothing else from this crate, so
//! that `proofs/loom` can compile these files a second time. No unit tests stand in them for the same reason: they
//! would run on loom's atomics outside a loom model. The sequential ones are in `impls/tests`.
//!
//! Each piece keeps the steps in which threads race apart, as a trait whose default methods are the shipped ones. A
//! broken twin in `proofs/loom` replaces one of them, and loom must catch it by the assertion that guards it.

pub mod ack_window;
pub mod lease_slot;
