//! One walk through a pipeline's protocol that answers for every set of at most two faults at once, at both levels.
//!
//! A run in which exactly the faults `g` struck is a run under every budget that allows `g`. So one graph in which any two
//! faults may strike, each once, contains the graphs of all single faults and pairs, and shares what they have in common:
//! a set `f` breaks whatever is broken in a state whose fired marks lie within `f`. A fault that cannot strike costs
//! nothing. Both levels are watched by a monitor each, since the not-lost properties are read at the level.
//!
//! One fault is different: a budget for `lease-expiry` gives the group a second consumer, whether or not a lease ends. So
//! the sets with it are a voyage of their own, in which each other fault may strike only beside it.
//!
//! Leaves out a fault that strikes twice, and three at once.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

use delivery_model::check::graph::{Checks, Completeness, Exploration, Progress, StateId, Walk};
use delivery_model::check::{Shares, class, fairness};
use delivery_model::pipeline::{Level, Pipeline, Semantics};
use delivery_model::semantics::{Bounded, Monitor, Observed, PropertyId, PropertySet, Rules};
use delivery_model::spec::bounds::{MESSAGES_MAX, TooManyMessages};
use delivery_model::spec::{Spec, State};
use delivery_model::vocab::{Fault, MessageId, Step};
use stateright::{Model, Property};

use super::faults::FaultSet;
use super::labels::count;

/// A promise at a level, which may break.
pub type Promise = (Level, PropertyId);

/// What one voyage is about.
#[derive(Clone, Debug)]
pub struct Search {
    pipeline: Pipeline,
    messages: u32,
    /// The sets with `lease-expiry`, or those without.
    leases: bool,
    spec: Spec,
    monitors: [Monitor; Level::ALL.len()],
}

/// One moment of a run, as both levels' monitors see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Moment {
    state: State,
    observed: [Observed<Bounded<MESSAGES_MAX>>; Level::ALL.len()],
}

/// What a voyage brought home.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// For each set of faults that were needed, what broke, with a shortest story. Sets that contain another one which
    /// breaks the same may be missing.
    pub broken: BTreeMap<(FaultSet, Promise), Story>,
    /// For each set of faults under which a message is set aside, a shortest story of it.
    pub dead_letters: BTreeMap<FaultSet, Story>,
    /// The sets within which each kind did strike.
    pub fired: FaultSet,
    /// The sets in which the encoding's bounds were met.
    pub cut: Vec<FaultSet>,
    /// Unique states.
    pub states: usize,
}

/// A run that breaks a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// How many messages it needs.
    pub messages: u32,
    /// The run; of one without end, what comes before its loop.
    pub steps: Vec<Step>,
    /// What is then repeated for ever; empty where the run ends.
    pub cycle: Vec<Step>,
}

impl Search {
    /// The voyages that answer for all sets of at most two of these faults: fewer messages first, so that stories are told with as few as will do.
    pub fn all(pipeline: &Pipeline, messages: u32, faults: FaultSet) -> Result<Vec<Search>, TooManyMessages> {
        let with_leases = [false, true].into_iter().filter(|&leases| !leases || faults.contains(Fault::LeaseExpiry));
        let each = (1..=messages.max(1)).flat_map(|messages| with_leases.clone().map(move |leases| (messages, leases)));
        each.map(|(messages, leases)| Search::new(pipeline, messages, faults, leases)).collect()
    }

    fn new(pipeline: &Pipeline, messages: u32, faults: FaultSet, leases: bool) -> Result<Self, TooManyMessages> {
        let allowed = faults.iter().filter(|&fault| leases || fault != Fault::LeaseExpiry);
        let faults = FaultSet::of(allowed).budget().capped(2);
        let spec = Spec::new(&Pipeline { faults, ..pipeline.clone() }, messages)?;
        let monitors = Level::ALL.map(|level| {
            let rules = Rules { level, ..Rules::from(pipeline) };
            Monitor { rules, watched: rules.required_by(Semantics::ExactlyOnce) }
        });
        Ok(Search { pipeline: pipeline.clone(), messages, leases, spec, monitors })
    }

    /// A guess at its size, to compare with another's: what takes long is best begun early.
    pub(super) fn weight(&self) -> impl Ord + use<> {
        (self.messages, self.pipeline.producer.in_flight.min(self.messages), self.leases)
    }

    /// The name of its pipeline.
    pub fn title(&self) -> &str {
        &self.pipeline.name
    }

    /// Walks the whole graph on one thread, or until told to stop.
    pub fn run(&self, states_max: u32, keep_going: &dyn Fn(&Progress) -> bool) -> Log {
        let walk = Walk::new(self).checks(Checks::none()).edges(class).states_max(states_max).keep_going(keep_going);
        let exploration = walk.run();
        let mut log = Log { states: exploration.graph.len(), ..Log::default() };
        if exploration.completeness != Completeness::Complete {
            log.cut.push(self.attributed(FaultSet::NONE));
        }
        let told = |state| {
            let steps = exploration.graph.path_to(self, state).actions().copied().collect();
            Story { messages: self.messages, steps, cycle: Vec::new() }
        };
        for id in exploration.graph.ids() {
            let state = exploration.graph.state(id).state;
            let (_, dead) = state.settled_and_dead();
            let faults = self.attributed(FaultSet::fired(&state));
            if dead != 0 && !log.dead_letters.keys().any(|other| other.is_within(faults)) {
                log.dead_letters.insert(faults, told(id));
            }
        }
        let first = self.read(&exploration, &mut log);
        for (&(faults, promise), &state) in &first {
            let is_needless =
                |&(other, same): &(FaultSet, Promise)| same == promise && other != faults && other.is_within(faults);
            if !first.keys().any(is_needless) {
                log.broken.insert((faults, promise), told(state));
            }
        }
        if exploration.graph.has_cycle() {
            self.read_loops(&exploration, &mut log);
        }
        log
    }

    /// What runs without end leave owed: for each set of faults and each promise that no run breaks which ends, a run
    /// whose loop begins earliest.
    fn read_loops(&self, exploration: &Exploration<Moment>, log: &mut Log) {
        for ((place, level), &monitor) in Level::ALL.into_iter().enumerate().zip(&self.monitors) {
            for property in (monitor.watched & PropertySet::OF_ENDLESS_RUNS).iter() {
                for message in (1..=u64::from(self.messages)).map(MessageId) {
                    let monitor = Monitor { watched: property.into(), ..monitor };
                    let owed = |moment: &Moment| monitor.is_owed(&moment.observed[place], message);
                    let loops = exploration.fair_loops(fairness(Shares::Fair), owed, |moment| !owed(moment));
                    for id in loops.states() {
                        let moment = exploration.graph.state(id);
                        let faults = self.attributed(FaultSet::fired(&moment.state));
                        let promise = (level, property);
                        let is_told = |&(other, same): &(FaultSet, Promise)| same == promise && other.is_within(faults);
                        if moment.state.is_cut() || log.broken.keys().any(is_told) {
                            continue;
                        }
                        let steps = exploration.graph.path_to(self, id).actions().copied().collect();
                        let cycle = exploration.cycle_at(self, &loops, id).actions().copied().collect();
                        log.broken.insert((faults, promise), Story { messages: self.messages, steps, cycle });
                    }
                }
            }
        }
    }

    /// The first state, so one of the least depth, in which each set breaks each promise.
    fn read(&self, exploration: &Exploration<Moment>, log: &mut Log) -> BTreeMap<(FaultSet, Promise), StateId> {
        let mut first = BTreeMap::new();
        for id in exploration.graph.ids() {
            let moment = exploration.graph.state(id);
            let struck = FaultSet::fired(&moment.state);
            log.fired = struck.iter().fold(log.fired, FaultSet::with);
            let faults = self.attributed(struck);
            if moment.state.is_cut() && !log.cut.contains(&faults) {
                log.cut.push(faults);
            }
            for promise in self.broken(&moment) {
                first.entry((faults, promise)).or_insert(id);
            }
        }
        first
    }

    /// The smallest set of those asked about within which these faults strike on this voyage.
    fn attributed(&self, struck: FaultSet) -> FaultSet {
        if self.leases { struck.with(Fault::LeaseExpiry) } else { struck }
    }

    fn broken(&self, moment: &Moment) -> impl Iterator<Item = Promise> {
        let may_end = !moment.state.is_cut() && self.spec.is_quiescent(&moment.state);
        let levels = Level::ALL.into_iter().zip(&self.monitors).zip(moment.observed);
        let broken = levels.map(move |((level, monitor), observed)| {
            (level, if may_end { monitor.at_quiescence(&observed) } else { observed.violated() })
        });
        broken.flat_map(|(level, properties)| properties.iter().map(move |property| (level, property)))
    }

    /// Whether this fault may strike after those.
    fn allows(&self, struck: FaultSet, fault: Fault) -> bool {
        let all = struck.with(fault);
        all.len() <= if self.leases && !all.contains(Fault::LeaseExpiry) { 1 } else { 2 }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", count(self.messages, "message"), count(self.steps.len() as u32, "step"))?;
        if self.cycle.is_empty() { Ok(()) } else { f.write_str(" and a loop") }
    }
}

impl Model for Search {
    type State = Moment;
    type Action = Step;

    fn init_states(&self) -> Vec<Moment> {
        vec![Moment::default()]
    }

    fn actions(&self, moment: &Moment, actions: &mut Vec<Step>) {
        if moment.state.is_cut() {
            return;
        }
        let _ = self.spec.steps(&moment.state, &mut |step| {
            actions.push(step);
            ControlFlow::Continue(())
        });
        let struck = FaultSet::fired(&moment.state);
        self.spec.faults(&moment.state, &mut |step| {
            if step.fault().is_some_and(|fault| self.allows(struck, fault)) {
                actions.push(step);
            }
        });
    }

    fn next_state(&self, moment: &Moment, step: Step) -> Option<Moment> {
        let mut next = *moment;
        for event in self.spec.take(&mut next.state, step).iter() {
            for (monitor, observed) in self.monitors.iter().zip(&mut next.observed) {
                monitor.observe(observed, event);
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Vec::new()
    }
}
