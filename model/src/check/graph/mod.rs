//! A model checker over any [`stateright::Model`]: it walks the whole graph once, level by level, and keeps it.
//!
//! Stateright's own searches say whether a property holds. Kept as a graph, the same walk gives more:
//!
//! * counterexamples and witnesses that are *shortest*, and the same whatever the number of threads;
//! * an honest [`Completeness`]: a walk that a bound, a limit or its caller cut short never claims that all was seen;
//! * promises about whole runs, under fairness, with the run that breaks them: [`Exploration::leads_to`];
//! * no state lost to an equal fingerprint: states are compared.
//!
//! [`Walk`] is the way in, [`Exploration`] what comes out.
//!
//! Architecture Invariant: nothing here knows the protocol, its words or its properties. There is no clock either: a
//! caller who wants a deadline, a progress bar or an orderly Ctrl-C looks at [`Progress`] and says when to stop.

mod checks;
mod cycles;
mod expand;
mod exploration;
mod export;
mod liveness;
mod named;
mod number;
mod packing;
mod path;
mod share;
mod successors;
mod table;
mod walk;

pub use checks::{Check, Checks, Expects};
pub use exploration::{Completeness, Cut, Edge, Exploration, Finding, Graph, Memory, StateId, Verdict};
pub use liveness::{FairLoops, Fairness, Lasso, Liveness};
pub use packing::{AsIs, Packing};
pub use path::Path;
pub(super) use successors::{Asked, Seen, Successors};
pub use walk::{Progress, Walk};
