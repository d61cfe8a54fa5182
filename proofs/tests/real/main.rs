//! Real runs: threads, TCP and disk under planned faults, judged by the one judge there is.

mod common;
mod killed;
mod parties;
mod parties_killed;
mod refused;
mod resumed;
mod retained;
mod rewound;
mod same_ids;
mod settings;
