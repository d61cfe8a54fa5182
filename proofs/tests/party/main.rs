//! Parties put through the suites: the shipped ones, the seeded bugs, and foreign ones.

mod behaviour;
mod cursor_log;
mod foreign;
mod outbox_relay;
mod shipped;
mod stores;
mod threaded;
mod visibility_queue;
