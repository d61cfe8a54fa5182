//! The bounds of a survey.

use delivery_model::vocab::Fault;

use super::faults::FaultSet;

/// The bounds of a survey, and the faults that it tries.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    /// The number of messages that are submitted.
    pub messages: u32,
    /// The kinds of fault that are tried: none, each single one and each pair.
    pub faults: FaultSet,
    /// The number of threads that search.
    pub threads: usize,
    /// The limit of states of one search. At the limit the search ends, and each verdict that is not "violated"
    /// becomes "unknown". A state takes about 200 bytes.
    pub states_max: u32,
}

impl Default for Scope {
    fn default() -> Self {
        Scope { messages: 2, faults: FaultSet::of(Fault::ALL), threads: 2, states_max: 10_000_000 }
    }
}
