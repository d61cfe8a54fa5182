//! The three formats: every refusal's words, what loads as what, and that writing and reading agree.
//!
//! After a deliberate change of words, `UPDATE_EXPECT=1 cargo test -p delivery-model --test formats` writes them here.

mod history;
mod history_join;
mod history_refusals;
mod pipeline;
mod pipeline_refusals;
mod schedule;
mod schedule_refusals;
mod strategies;
