//! The cores under a simulated network, disk and clock.
//!
//! [`world`] joins producer, broker and consumers with wires and disks, and offers the protocol's micro-steps. [`run`]
//! drives it by a schedule, whose faults strike by [`plan`]; [`strategy`] draws schedules; [`simulator`] runs and judges one
//! after the other in one place; [`campaign`] judges many of them, on several threads (`workers`), [`partial`] writes what a share of them found and [`join`] joins the shares, and
//! [`shrink`] makes a small one of one that fails. [`party_state`] watches what the cores hold on the way. [`kill_schedules`]
//! has one for every seeded bug.
//!
//! Determinism: a world is a plain value without clock, thread or hash order; every choice of a run comes from its
//! schedule's seed. The same schedule gives the same bytes of history.

pub mod campaign;
pub mod coverage;
mod enabled;
pub mod guide;
pub mod guided;
pub mod join;
pub mod kill_schedules;
pub mod partial;
pub mod party_state;
pub mod pipelines;
pub mod plan;
pub mod points;
pub mod report;
pub mod run;
pub mod shrink;
pub mod simulator;
pub mod strategy;
mod workers;
pub mod world;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A runner whose draws depend on the seed alone.
pub fn seeded_runner(seed: u64) -> TestRunner {
    numbered_runner(seed, 0)
}

/// A runner whose draws depend on the seed and on the number of what is drawn, and not on what was drawn before.
pub fn numbered_runner(seed: u64, number: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[cfg(test)]
mod tests;
