//! A schedule: one run of a pipeline, told so that every world can replay it.
//!
//! It says which faults strike at which logical points ("the ack of message 2, first time"), or the exact
//! interleaving of all steps. It never names wall-clock times. Loading is validation of what the document says; whether
//! a fault's point is ever reached only a run can tell.

mod error;
mod point;
mod read;
mod write;

pub use self::error::ScheduleError;
pub use self::point::Point;
pub(crate) use self::point::TIME_LIMIT;
use crate::pipeline::Pipeline;
use crate::vocab::{Fault, Position, Step};
pub use crate::vocab::{StepWord, Strikes};

/// The most messages of a schedule: it is read and replayed as a whole.
pub const MESSAGES_LIMIT: u32 = 1_000_000;
/// The most faults of a schedule.
pub const FAULTS_LIMIT: usize = 100_000;
/// The most steps of an exact interleaving.
pub const STEPS_LIMIT: usize = 10_000_000;

/// The `format` of a schedule's document.
pub(crate) const FORMAT: &str = "delivery-schedule";
/// The `version` of a schedule's document.
pub(crate) const VERSION: u32 = 1;

/// One run of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Schedule {
    /// The pipeline that runs. Its budgets do not bind the schedule, which may strike more often on purpose.
    pub pipeline: Pipeline,
    /// How many messages the application submits: those numbered from 1 to this, at least 1.
    pub messages: u32,
    /// The faults that strike, in no particular order; empty if the interleaving is exact, as they stand in it then.
    pub faults: Vec<PlannedFault>,
    /// In which order the steps happen.
    pub interleaving: Interleaving,
}

/// In which order the steps of a run happen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Interleaving {
    /// Whoever runs it chooses among the enabled steps, pseudo-randomly from this seed.
    Seeded(u64),
    /// These steps and no others, faults included.
    Exact(Vec<Step>),
    /// These steps, and those from `from` on (counted from 0) again and again, for ever. No fault is among the repeated.
    Endless {
        /// The steps, the repeated ones once.
        steps: Vec<Step>,
        /// Where the loop begins.
        from: usize,
    },
}

impl Interleaving {
    /// The exact steps, the repeated ones once; none if whoever runs it chooses them.
    pub fn steps(&self) -> Option<&[Step]> {
        match self {
            Interleaving::Seeded(_) => None,
            Interleaving::Exact(steps) | Interleaving::Endless { steps, .. } => Some(steps),
        }
    }

    /// The faults that stand among the exact steps.
    pub fn faults(&self) -> impl Iterator<Item = Fault> + '_ {
        self.steps().unwrap_or_default().iter().filter_map(Step::fault)
    }
}

impl Default for Interleaving {
    /// What a left-out `order` means.
    fn default() -> Self {
        Interleaving::Seeded(0)
    }
}

/// One fault, and the logical point at which it strikes.
///
/// A loss ([`Strikes::Of`]) befalls what the point's step put on its way: the fault's step is taken as soon as it is
/// enabled. What decides the step's outcome ([`Strikes::Before`]) comes before it. A crash or the like ([`Strikes::After`]) is the very next step after the point; if it is not enabled there
/// (nothing to lose, hands still at work), it waits until it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlannedFault {
    /// What strikes.
    pub fault: Fault,
    /// Where.
    pub at: Point,
    /// Of a broker crash: how many records survive beyond the synced ones; left out: none.
    pub keeps: Option<u64>,
    /// Of a rewind: the position to which the group is reset; left out: 0.
    pub to: Option<Position>,
}

impl PlannedFault {
    /// A fault at the first time of a point, without any of the details that some kinds have.
    pub fn new(fault: Fault, at: Point) -> PlannedFault {
        PlannedFault { fault, at, keeps: None, to: None }
    }
}
