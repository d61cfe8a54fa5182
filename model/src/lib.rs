//! The one home of the definitions: words and formats, the delivery semantics as monitors, the protocol as a model,
//! and the checkers over it. No clock, no IO, no randomness.
//!
//! Arrows point down only: `check` -> `spec` -> `semantics` -> `inside`, `pipeline`, `history`, `schedule` -> `vocab`, `bits`.

pub mod bits;
#[cfg(feature = "check")]
pub mod check;
pub mod document;
pub mod history;
pub mod party_state;
pub mod pipeline;
pub mod presets;
pub mod reference;
pub mod schedule;
pub mod semantics;
pub mod spec;
pub mod story;
pub mod vocab;
pub mod words;
