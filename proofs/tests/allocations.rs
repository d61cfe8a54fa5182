//! The simulation allocates next to nothing for a schedule: the room that one run took is used by the next.
//!
//! A file of its own, with one test, because the counting allocator counts the allocations of the whole process.

use std::alloc::System;

use delivery_model::presets;
use delivery_proofs::mutants::Mutant;
use delivery_proofs::simulation::simulator::Simulator;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The messages of a schedule, none of which meets a fault.
const MESSAGES: u32 = 10;
const SCHEDULES: u64 = 200;

#[test]
fn a_schedule_allocates_little_once_there_was_one_before() {
    for (name, most) in [("at-most-once", 150), ("at-least-once", 250), ("exactly-once", 250)] {
        let pipeline = presets::named(name).expect("a reference");
        let mut simulator = Simulator::new(&pipeline, Mutant::None);
        let mut run = |seeds: std::ops::Range<u64>| {
            let steps: usize = seeds.map(|seed| simulator.run(MESSAGES, &[], seed).steps).sum();
            assert!(steps > 100, "{name}");
        };
        run(0..SCHEDULES);
        let region = Region::new(ALLOCATOR);
        run(SCHEDULES..2 * SCHEDULES);
        let change = region.change();
        let each = (change.allocations + change.reallocations) as u64 / SCHEDULES;
        assert!(each <= most, "{name}: {each} allocations a schedule, at most {most} are allowed");
    }
}
