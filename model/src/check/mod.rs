//! The checkers over a model: the protocol as a `stateright::Model`, and what exploring it comes to.

mod explore;
pub mod graph;
mod limits;
mod liveness;
mod needed;
mod packed;
mod packed_observed;
mod protocol;
mod reduced;
mod running;
mod sides;
mod signs;
mod violation;

pub use explore::{Explored, explore, explore_whole};
pub use limits::Limits;
pub use liveness::{Claim, EndlessRun, LivenessFinding, Shares, Turn, class, fairness, liveness};
pub use packed::{Watched, run_with_two_monitors};
pub use protocol::{Moment, Protocol};
pub use reduced::{Junction, Reduced, Unsound, audit, conditions_hold, conditions_hold_for};
pub use running::OfMoments;
pub use violation::Violation;
