//! Parties put through the suite: the shipped ones, the seeded bugs, and foreign ones.

mod foreign;
mod outbox_relay;
mod shipped;
mod visibility_queue;
