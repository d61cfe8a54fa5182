//! The checks: simulation, strategies, refinement and exploration of the running code, and what the command line shows.
//!
//! | module | what |
//! |---|---|
//! | [`verify`] | a pipeline in both worlds, the model and the simulated cores, and whether they agree |
//! | [`party`] | the traits by which a producer, broker or consumer of your own goes through these checks |
//! | [`simulation`] | the cores on a simulated network, disk and clock, under drawn schedules |
//! | [`lockstep`] | the cores beside the model, step by step |
//! | [`real`] | threads, TCP and disk under planned faults |
//! | [`mutants`] | seeded bugs, and what catches each |
//! | [`atlas`] | which faults break which preset |
//!
//! A campaign of drawn faults finds that a consumer without an inbox repeats effects, and tells the schedule:
//!
//! ```
//! use delivery_model::pipeline::{Pipeline, Semantics};
//! use delivery_model::semantics::Verdict;
//! use delivery_proofs::mutants::Mutant;
//! use delivery_proofs::simulation::campaign::campaign;
//!
//! let orders = Pipeline::from_toml("[consumer]\nremembers = \"nothing\"\n", "orders").unwrap();
//! let report = campaign(&orders, Mutant::None, 200, 7, &mut |_| true);
//! assert_eq!(report.verdicts.of(Semantics::ExactlyOnce), Verdict::Violated);
//! let found = report.counterexample(Semantics::ExactlyOnce).expect("one schedule shows it");
//! assert_eq!(found.property.to_string(), "no-duplicate-effect");
//! found.schedule.faults.iter().for_each(|fault| println!("{fault}"));
//! ```

pub mod atlas;
pub mod lockstep;
pub mod mutants;
pub mod party;
pub mod real;
pub mod simulation;
pub mod verify;
