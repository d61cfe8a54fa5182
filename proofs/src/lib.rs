//! The checks: simulation, strategies, refinement and exploration of the running code, and what the command line shows.
//!
//! | module | what |
//! |---|---|
//! | [`verify`] | a pipeline in both worlds, the model and the simulated cores, and whether they agree |
//! | [`party`] | the traits by which a producer, broker or consumer of your own goes through these checks |
//! | [`conformance`] | suites for a store, a broker or a consumer alone |
//! | [`simulation`] | the cores on a simulated network, disk and clock, under drawn schedules |
//! | [`lockstep`] | the cores beside the model, step by step |
//! | [`real`] | threads, TCP and disk under planned faults |
//! | [`mutants`] | seeded bugs, and what catches each |
//! | [`judgement_page`] | the judgement of a recorded history as an HTML page |
//! | [`figures`] | what the benches measured, as a page and as Markdown |
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
//!
//! # Bring your own
//!
//! A producer, a broker or a consumer of yours goes through simulation, kill schedules, judge and conformance: see
//! [`party`] and [`conformance`], and `docs/bring-your-own.md` for the guide. The smallest of it is a broker that forgets a
//! message when it hands it off, joined with the producer and the consumer of this project. Schedules of faults are drawn
//! by proptest, and the one that breaks the claim is shrunk to the shortest story:
//!
//! ```
//! use std::{collections::VecDeque, time::Duration};
//!
//! use delivery_model::{pipeline::Semantics, presets, vocab::Fault};
//! use delivery_proofs::party::{Bounds, Claim, Delivery, FromBroker, Party, Publish, Reply, Suite, ToBroker, shipped};
//!
//! #[derive(Default)]
//! struct Forgetful {
//!     waiting: VecDeque<Publish>,
//!     says: VecDeque<FromBroker>,
//! }
//!
//! impl Party for Forgetful {
//!     type Input = ToBroker;
//!     type Output = FromBroker;
//!     type Disk = ();
//!
//!     fn handle_input(&mut self, _now: Duration, input: ToBroker) {
//!         match input {
//!             ToBroker::Publish { publish, .. } => {
//!                 let (message, attempt) = (publish.message, publish.attempt);
//!                 self.says.push_back(FromBroker::Reply(Reply::Acked { message, attempt, position: None }));
//!                 self.waiting.push_back(publish);
//!             }
//!             ToBroker::Receive { consumer } => self.says.extend(self.waiting.pop_front().map(|it| {
//!                 let delivery = Delivery::new(it.message.to_string(), it.message, it.payload);
//!                 FromBroker::Deliver { consumer, delivery }
//!             })),
//!             _ => {}
//!         }
//!     }
//!
//!     fn poll_output(&mut self) -> Option<FromBroker> {
//!         self.says.pop_front()
//!     }
//!
//!     fn crash(self) {}
//! }
//!
//! let claim = Claim::new("forgetful", Semantics::AtLeastOnce).surviving([Fault::PublishLost, Fault::DeliveryLost]);
//! let others = presets::named("at-least-once").unwrap();
//! let (producer, consumer) = (shipped::producer(&others), shipped::consumer(&others));
//! let suite = Suite::new(claim, producer, |()| Forgetful::default(), consumer);
//!
//! let found = suite.check(Bounds::default()).unwrap_err();
//! println!("{found}");
//! let story = found.to_string();
//! assert!(story.starts_with("forgetful breaks acked-not-lost: message 1 "));
//! assert!(story.contains("delivery-lost: the hand-off of message 1, first time"));
//! assert!(story.contains("✗ the hand-off of 1 is lost"));
//! ```

pub mod atlas;
pub mod conformance;
pub mod figures;
pub mod judgement_page;
pub mod kill_matrix;
pub mod lockstep;
pub mod mutants;
pub mod party;
pub mod real;
pub mod reality;
pub mod simulation;
pub mod theme;
pub mod verify;

/// The guide's examples run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/bring-your-own.md")]
pub struct BringYourOwn;
