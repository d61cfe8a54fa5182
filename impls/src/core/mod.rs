//! The pipeline's logic as sans-IO state machines: one mechanism a file, no clock, no socket, no thread.
//!
//! Producer, broker and consumer share a calling contract:
//!
//! * `handle_*` and the methods named after a micro-step (`receive`, `append_next`, `sync`, ...) take input and change
//!   state; a crash may fall between any two calls and never inside one, apart from what its store may lose;
//! * `poll_*` give output: replies and settles to send, reports of what took effect, the next deadline. Drain them after
//!   every call, before the next one;
//! * time comes in as an argument; stores are passed in or owned through the traits of [`crate::store`].
//!
//! A threaded driver calls the steps in a loop, a simulator one at a time. State is ordered maps and vectors, so that
//! equal situations are equal values and one value can be a state of a model checker.

pub mod broker;
pub mod consumer;
pub mod dedup;
pub mod deliveries;
pub mod delivery;
pub mod dropped_records;
pub mod inbox;
pub mod leases;
pub mod ledger;
pub mod log;
pub mod outbox;
pub mod producer;
pub mod report;
pub mod steps;
pub mod subscribers;
pub mod time;
pub mod tuning;

#[cfg(test)]
mod tests;
