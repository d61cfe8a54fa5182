//! The kill matrix: every seeded bug in every world in which it can show, with what it cost to see it there.
//!
//! | world | what is run | cost |
//! |---|---|---|
//! | model | the bug's twin, a setting that amounts to the same mistake | states until the property is broken |
//! | lockstep | spec and cores beside each other | steps until they part |
//! | simulation | the bug's kill schedule | interleavings until the property is broken |
//! | simulation, unguided | random schedules of the same pipeline and faults | schedules until it is broken |
//! | loom | shared parts, broken ([`SHARED_BUGS`]; [`same_mistake`]) | runs until an assertion fails |
//! | real run | threads, TCP and disk, on the kill schedule | runs until the property is broken ([`in_real_runs`]) |
//!
//! [`hunt`] compares unguided with guided search.
//!
//! All but the last is the same in every run of the same build. Of the last, [`for_real`] says what is the same whenever it is
//! tried. [`markdown`] writes it down.

mod guided;
mod markdown;
mod races;
mod real;

use std::ops::ControlFlow;

use delivery_model::check::graph::Walk;
use delivery_model::check::{Claim, Limits, Protocol, liveness};
use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{Interleaving, Schedule, StepWord};
use delivery_model::semantics::{PropertyId, PropertySet, Rules, Verdict};

pub use self::guided::{Hunt, SEARCH_SEEDS, Searches, compared, guided_markdown, hunt, schedules};
pub use self::markdown::markdown;
pub use self::races::{Race, SHARED_BUGS, SharedBug, same_mistake};
pub use self::real::{ForReal, InRealRuns, RUNS_MAX, for_real, in_real_runs};
use crate::lockstep::{self, Difference};
use crate::mutants::Mutant;
use crate::simulation::campaign::{broken_by, schedules_until};
use crate::simulation::kill_schedules::{KillSchedule, kill_schedule};
use crate::simulation::run::run;

/// So many random schedules are tried of each bug.
pub const UNGUIDED_MAX: u32 = 2_000;
/// Where the random schedules come from.
const SEED: u64 = 1;

/// One seeded bug's row of the matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Which bug.
    pub mutant: Mutant,
    /// The property that must catch it.
    pub property: PropertyId,
    /// Its twin in the model; none, if no setting amounts to the same.
    pub twin: Option<Twin>,
    /// Where spec and cores part; none, if they do not.
    pub parted: Option<Parted>,
    /// How the kill schedule catches it; none, if it survives.
    pub caught: Option<Caught>,
    /// How many random schedules it took until one broke the property; none, if [`UNGUIDED_MAX`] did not.
    pub unguided: Option<u32>,
    /// The race under loom whose broken part makes the same mistake, if there is one.
    pub race: Option<Race>,
    /// What a real run of the kill schedule shows.
    pub for_real: ForReal,
}

/// A mistake in the words of the settings, in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twin {
    /// The changed settings, as files write them.
    pub settings: Vec<String>,
    /// How many states the checker saw until the property was broken; none, if the twin keeps it.
    pub states: Option<usize>,
}

/// Where spec and cores part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parted {
    /// Which step of the run it is, counted from 1.
    pub at: usize,
    /// The step that one side takes and the other does not, or that is other events; none, if it is a fault.
    pub step: Option<StepWord>,
}

/// A run of the kill schedule that breaks the property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// How many interleavings were tried, the one that breaks it included.
    pub interleavings: u64,
    /// The schedule with that interleaving.
    pub schedule: Schedule,
    /// All that it breaks.
    pub broken: PropertySet,
}

/// Hunts a seeded bug through the worlds. `keep_going` is asked now and then; after a no, the row says nothing.
///
/// # Panics
/// If the bug has no kill schedule.
pub fn row(mutant: Mutant, keep_going: &dyn Fn() -> bool) -> Row {
    let kill = kill_schedule(mutant).expect("every seeded bug has a kill schedule");
    Row {
        mutant,
        property: kill.property,
        twin: twin(&kill, keep_going),
        parted: parted(&kill, mutant, keep_going),
        caught: caught(&kill, mutant),
        unguided: unguided(&kill, mutant, keep_going),
        race: same_mistake(mutant),
        for_real: for_real(mutant),
    }
}

fn twin(kill: &KillSchedule, keep_going: &dyn Fn() -> bool) -> Option<Twin> {
    let twin = kill.twin.as_ref()?;
    let (before, after) = (kill.schedule.pipeline.to_toml(), twin.to_toml());
    let changed = after.lines().zip(before.lines()).filter(|(after, before)| after != before);
    let settings = changed.map(|(after, _)| after.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    Some(Twin { settings, states: states_until_broken(kill, twin, keep_going) })
}

/// How many states the graph checker sees, under the kill schedule's faults, until this pipeline breaks the property: all
/// there are, where it is a run without end that does.
pub fn states_until_broken(kill: &KillSchedule, pipeline: &Pipeline, keep_going: &dyn Fn() -> bool) -> Option<usize> {
    // What a pipeline must allow for besides, so that retention keeps the log, is nothing to the model, which has none.
    let (pipeline, messages) = (Pipeline { faults: kill.struck(), ..pipeline.clone() }, kill.schedule.messages);
    let protocol = Protocol::watching(&pipeline, messages, PropertySet::of(&[kill.property])).expect("so few fit");
    let exploration = Walk::new(&protocol).keep_going(|_| keep_going()).run();
    let finding = exploration.finding(kill.property.word()).expect("the property is checked");
    if let Some(state) = finding.decided_by {
        return Some(state.0 as usize + 1);
    }
    if !PropertySet::OF_ENDLESS_RUNS.contains(kill.property) {
        return None;
    }
    let limits = Limits { messages, ..Limits::default() };
    let findings = liveness(&pipeline, [Claim::Arrives], limits, &|_| keep_going()).expect("so few fit");
    let is_broken = findings.iter().any(|finding| finding.verdict == Verdict::Violated);
    is_broken.then_some(exploration.graph.len())
}

fn parted(kill: &KillSchedule, mutant: Mutant, keep_going: &dyn Fn() -> bool) -> Option<Parted> {
    let pipeline = Pipeline { faults: kill.budget(), ..kill.schedule.pipeline.clone() };
    let walked = lockstep::walk(&pipeline, kill.schedule.messages, mutant, &mut |_, _| keep_going());
    let parted = walked.expect("so few fit").parted?;
    let step = match &parted.how {
        Difference::Enabled { spec_only, cores_only } => spec_only.first().or(cores_only.first()),
        Difference::Refused { step, .. } | Difference::Events { step, .. } => Some(step),
    };
    Some(Parted { at: parted.path.len() + 1, step: step.and_then(StepWord::of) })
}

fn caught(kill: &KillSchedule, mutant: Mutant) -> Option<Caught> {
    let schedule = kill.catches(mutant)?;
    let Interleaving::Seeded(seed) = schedule.interleaving else { unreachable!("interleavings are drawn from seeds") };
    let run = run(&schedule, mutant).expect("it ran before");
    let broken = broken_by(&run, Rules::from(&schedule.pipeline));
    Some(Caught { interleavings: seed + 1, schedule, broken })
}

fn unguided(kill: &KillSchedule, mutant: Mutant, keep_going: &dyn Fn() -> bool) -> Option<u32> {
    let pipeline = Pipeline { faults: kill.budget(), ..kill.schedule.pipeline.clone() };
    let step = |_| if keep_going() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    schedules_until(&pipeline, mutant, kill.property, SEED, UNGUIDED_MAX, &step)
}
