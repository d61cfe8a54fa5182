//! The atlas: for each pipeline, the semantics that survive every fault and every pair of faults.
//!
//! A [`Page`] holds the result for one pipeline: the strongest semantics at either level under no fault, each single
//! fault and each pair, and the minimal sets of faults that break each promise, each with a shortest story.
//! [`survey`] makes the pages on several threads. `terminal`, `html`, `json` and `markdown` write them.
//!
//! Bounds: the number of messages that the caller gives, and each fault at most once in a run. A debt that stays open
//! in a fair run without end is a loss; its story is a stem and a loop.

mod faults;
mod html;
mod json;
mod labels;
mod markdown;
mod overview;
mod page;
mod places;
mod scope;
mod search;
mod survey;
mod terminal;

pub use faults::FaultSet;
pub use html::html;
pub use json::json;
pub use markdown::{MARKERS, markdown};
pub use page::{Break, Page};
pub use scope::Scope;
pub use search::{Search, Story};
pub use survey::{Callbacks, Progress, Surveyed, survey};
pub use terminal::{chart, section, stories};
