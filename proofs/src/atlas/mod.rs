//! The atlas: pipelines against every fault and every pair of faults, and what survives.
//!
//! For each pipeline a [`Page`]: the strongest semantics at either level under no fault, each single fault and each pair,
//! and the minimal sets of faults that break each promise, each with a shortest story. [`survey`] charts them, on several
//! threads; `terminal`, `html`, `json` and `markdown` write them.
//!
//! Bounds: so many messages as asked for, each fault once in a run. Whole runs count: a debt that stays open in a fair run
//! without end is a loss, with stem and loop as its story.

mod faults;
mod html;
mod json;
mod labels;
mod markdown;
mod page;
mod search;
mod survey;
mod terminal;

pub use faults::FaultSet;
pub use html::html;
pub use json::json;
pub use markdown::{MARKERS, markdown};
pub use page::{Break, Page};
pub use search::{Search, Story};
pub use survey::{Lookout, Progress, Scope, Surveyed, survey};
pub use terminal::{chart, section, stories};
