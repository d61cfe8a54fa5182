//! The audit: what real brokers do under faults, with these versions and settings.
//!
//! A product is one file behind the traits of [`product`], a fault one file behind the trait of [`faults`]. The
//! [`harness`] runs a producer with an outbox and a consumer with an inbox against a broker, lets faults strike at logical
//! points ("the 150th acked publish"), and records a history. [`findings`] asks the judge of `delivery-model` about it.
//!
//! Architecture Invariant: this crate alone knows the clients of brokers. It defines no semantics: what a history means is
//! the judge's to say.

pub mod address;
pub mod campaign;
pub mod clock;
pub mod disk;
pub mod fake;
pub mod faults;
pub mod findings;
pub mod harness;
pub mod place;
pub mod plan;
pub mod process;
pub mod product;
pub mod products;
pub mod proxy;
pub mod results;
pub mod scheduled;
pub mod server;
pub mod shrink;
pub mod stream;
pub mod trouble;
pub mod user_server;
pub mod wire;
pub mod workers;
