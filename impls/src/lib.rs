//! The judged: producer, broker and consumer as sans-IO cores, their stores, and drivers over threads and TCP.
//!
//! Architecture Invariant: this crate sees the model's words and formats, never its semantics or its protocol, so that
//! what is judged and what judges it share nothing but the words.

pub mod core;
pub mod data;
pub mod driver;
pub mod inventory;
pub mod shared;
pub mod store;
pub mod sync;
