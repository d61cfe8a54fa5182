//! The cores under a simulated network, disk and clock.
//!
//! [`world`] joins producer, broker and consumers with wires and disks, and offers the protocol's micro-steps. [`run`]
//! drives it by a schedule, [`strategy`] draws schedules, [`campaign`] judges many of them and shrinks what fails.
//!
//! Determinism: a world is a plain value without clock, thread or hash order; every choice of a run comes from its
//! schedule's seed. The same schedule gives the same bytes of history.

pub mod world;
