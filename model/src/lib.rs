//! The definitions of message delivery: words and formats, the semantics as monitors, the protocol as a model, and the
//! checkers over it. No clock, no IO, no randomness.
//!
//! # Judge a history of your own
//!
//! Record what your system does as [JSON Lines](history), one event a line, and ask:
//!
//! ```
//! use delivery_model::history::{History, ReadOptions};
//! use delivery_model::pipeline::Semantics;
//! use delivery_model::semantics::{Question, Verdict, judge};
//!
//! let recorded = r#"{"format":"delivery-history","version":1}
//! {"at":1,"process":"shop","event":"submit","message":7}
//! {"at":2,"process":"shop","event":"outcome","message":7,"outcome":"acked"}
//! {"at":3,"process":"stock","event":"effect","message":7}
//! {"at":4,"process":"stock","event":"effect","message":7}
//! {"at":5,"process":"stock","event":"quiescent"}
//! "#;
//! let history = History::read(recorded.as_bytes(), ReadOptions::default())?;
//! let judgement = judge(&history, Question::default());
//! assert_eq!(judgement.verdicts.of(Semantics::AtLeastOnce), Verdict::Holds);
//! assert_eq!(judgement.verdicts.of(Semantics::ExactlyOnce), Verdict::Violated);
//! let violation = &judgement.violations[0];
//! println!("{} by message {}, lines {:?}", violation.property, violation.message, violation.lines);
//! # assert_eq!((violation.property.to_string().as_str(), violation.line), ("no-duplicate-effect", Some(5)));
//! # Ok::<(), delivery_model::history::HistoryError>(())
//! ```
//!
//! A test has its events at hand, and needs no text:
//!
//! ```
//! use delivery_model::history::History;
//! use delivery_model::semantics::{Question, judge};
//! use delivery_model::vocab::EventKind;
//!
//! let mut history = History::default();
//! history.record("shop", EventKind::submit(7))?;
//! history.record("shop", EventKind::acked(7))?;
//! history.record("stock", EventKind::effect(7))?;
//! history.record("stock", EventKind::Quiescent)?;
//! assert_eq!(judge(&history, Question::default()).verdicts.strongest_word(), "exactly-once");
//! # Ok::<(), delivery_model::history::TooManyNames>(())
//! ```
//!
//! Two examples go further: `proptest` draws the faults of a queue and judges each run, `tracing` lets a service record its
//! history from the events that it emits anyway.
//!
//! # Ask what settings give
//!
//! ```
//! # #[cfg(all(feature = "check", feature = "toml"))] {
//! use delivery_model::check::{Limits, explore};
//! use delivery_model::pipeline::{Pipeline, Semantics};
//! use delivery_model::semantics::Verdict;
//!
//! let orders = Pipeline::from_toml("[consumer]\nremembers = \"nothing\"\n", "orders").unwrap();
//! let explored = explore(&orders, Limits { messages: 1, ..Limits::default() }, &|_| true).unwrap();
//! assert_eq!(explored.verdicts.strongest(), Some(Semantics::AtLeastOnce));
//! assert_eq!(explored.verdicts.of(Semantics::ExactlyOnce), Verdict::Violated);
//! let story = explored.violations.iter().find(|it| it.property.to_string() == "no-duplicate-effect").unwrap();
//! story.steps.iter().for_each(|step| println!("{step}"));
//! # }
//! ```
//!
//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `toml` (default) | pipelines from TOML, the presets, the formats' reference |
//! | `check` (default) | the protocol as a `stateright::Model`, the graph checker and their threads |
//!
//! Without both, a history can be read and judged, and little else is compiled.
//!
//! # Arrows
//!
//! They point down only: `check` -> `spec`, `semantics` -> `party_state`, `pipeline`, `history`, `schedule` -> `document`
//! -> `vocab`, `words`, `bits`.

#![cfg_attr(
    not(feature = "toml"),
    allow(dead_code, unused_imports, reason = "what the formats' reference alone reads")
)]

pub mod bits;
#[cfg(feature = "check")]
pub mod check;
pub mod document;
pub mod history;
pub mod numbers;
mod pages;
pub mod party_state;
pub mod pipeline;
#[cfg(feature = "toml")]
pub mod presets;
#[cfg(feature = "toml")]
pub mod reference;
pub mod schedule;
pub mod semantics;
pub mod spec;
pub mod story;
pub mod vocab;
pub mod words;
