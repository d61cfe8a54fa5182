//! The three formats: every refusal's words, what loads as what, and that writing and reading agree.
//!
//! After a deliberate change of words, `cargo xtask formats` writes them here and in `docs/formats`.

mod history;
mod history_join;
mod history_refusals;
mod pipeline;
mod pipeline_refusals;
mod reference;
mod schedule;
mod schedule_refusals;
mod schemas;
mod strategies;
mod streamed;
