//! Real runs: threads, TCP and disk under planned faults, judged by the one judge there is.

mod common;
mod killed;
mod refused;
mod resumed;
mod retained;
mod settings;
