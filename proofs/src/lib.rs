//! The checks: simulation, strategies, refinement and exploration of the running code, and what the command line shows.

pub mod atlas;
pub mod lockstep;
pub mod mutants;
pub mod party;
pub mod real;
pub mod simulation;
pub mod verify;
