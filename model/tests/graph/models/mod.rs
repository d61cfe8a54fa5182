//! Models to walk: a protocol, a puzzle, and graphs given edge by edge.

mod digraph;
mod sliding;
mod two_phase;

pub use digraph::{Arrow, Digraph, digraphs};
pub use sliding::Sliding;
pub use two_phase::TwoPhase;
