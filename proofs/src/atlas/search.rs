//! One walk of a pipeline's graph that gives the verdicts for every set of at most two faults, at both levels.
//!
//! A run in which exactly the faults `g` struck is a run under every budget that allows `g`. So the graph in which
//! any two faults may strike, each once, contains the graphs of all single faults and pairs. A set of faults `f`
//! breaks what is broken in a state whose fired marks all lie in `f`. A fault that cannot strike adds no states. Each
//! level has its own monitor, because the not-lost properties are read at the level.
//!
//! One fault is different: a budget for `lease-expiry` gives the group a second consumer, whether or not a lease
//! expires. So the sets that contain it have a search of their own, in which every other fault may strike only
//! together with it.
//!
//! Leaves out: a fault that strikes twice, and three faults in one run.

use std::collections::BTreeMap;
use std::fmt;

use delivery_model::check::graph::{Checks, Completeness, Cut, Exploration, Progress, StateId, Walk};
use delivery_model::check::{Shares, Watched, class, fairness, run_with_two_monitors};
use delivery_model::pipeline::{Level, Pipeline, Semantics};
use delivery_model::semantics::{Monitor, PropertyId, PropertySet, Rules};
use delivery_model::spec::Spec;
use delivery_model::spec::bounds::TooManyMessages;
use delivery_model::vocab::{Fault, MessageId, Step};
use stateright::{Model, Property};

use super::faults::FaultSet;
use delivery_model::numbers::count;

/// A property at a level, which may be broken.
pub type Promise = (Level, PropertyId);

/// A search: one pipeline, a number of messages, and the sets of faults with or without `lease-expiry`.
#[derive(Clone, Debug)]
pub struct Search {
    pipeline: Pipeline,
    messages: u32,
    /// Whether this search covers the sets with `lease-expiry`, or those without.
    leases: bool,
    spec: Spec,
    monitors: [Monitor; Level::ALL.len()],
}

/// A state of the protocol, with what the monitors of both levels have observed on the way to it.
type Moment = Watched<{ Level::ALL.len() }>;

/// What is owed to a message by a promise.
struct Debt {
    promise: Promise,
    /// The place of the level's monitor.
    place: usize,
    /// Watches the promised property alone.
    monitor: Monitor,
    message: MessageId,
}

impl Debt {
    fn is_owed(&self, moment: &Moment) -> bool {
        self.monitor.is_owed(&moment.observed[self.place], self.message)
    }
}

/// The findings of one search.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The broken promises, by set of faults, each with a shortest story. A set may be missing if a smaller one
    /// within it breaks the same promise.
    pub broken: BTreeMap<(FaultSet, Promise), Story>,
    /// The sets of faults under which a message becomes a dead letter, each with a shortest story.
    pub dead_letters: BTreeMap<FaultSet, Story>,
    /// The kinds of fault that struck in any state.
    pub fired: FaultSet,
    /// The sets of faults under which a bound of the encoding was met.
    pub bounds_met: Vec<FaultSet>,
    /// The number of unique states.
    pub states: usize,
}

/// A run that breaks a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The number of messages that are submitted.
    pub messages: u32,
    /// The steps of the run. For a run without end: the steps before its loop.
    pub steps: Vec<Step>,
    /// The steps of the loop, which are repeated without end; empty if the run ends.
    pub cycle: Vec<Step>,
}

impl Search {
    /// The searches that cover all sets of at most two of these faults. Searches with fewer messages come first, so
    /// that each story has as few messages as possible.
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

    /// An estimate of the size of the search, to start the longest search first.
    pub(super) fn weight(&self) -> impl Ord + use<> {
        (self.messages, self.pipeline.producer.in_flight.min(self.messages), self.leases)
    }

    /// The name of the pipeline.
    pub fn title(&self) -> &str {
        &self.pipeline.name
    }

    /// Walks the whole graph on one thread, until it is done or `keep_going` returns false.
    pub fn run(&self, states_max: u32, keep_going: &dyn Fn(&Progress) -> bool) -> Findings {
        let walk = Walk::new(self).checks(Checks::none()).edges(class).states_max(states_max).keep_going(keep_going);
        let exploration = run_with_two_monitors(&self.spec, self.monitors.each_ref(), walk);
        let mut found = Findings { states: exploration.graph.len(), ..Findings::default() };
        found.bounds_met = self.bounds_met(&exploration);
        let debts = self.debts();
        let owed = self.read(&exploration, &debts, &mut found);
        if exploration.graph.has_cycle() {
            self.read_loops(&exploration, &debts, &owed, &mut found);
        }
        found
    }

    /// Adds what runs with an end tell. Returns which debts are open in each state, as bits.
    ///
    /// States are in order of depth, so the first that breaks a promise is as close to the start as any.
    fn read(&self, exploration: &Exploration<Moment>, debts: &[Debt], found: &mut Findings) -> Vec<u16> {
        assert!(debts.len() <= 16, "a debt is a bit of 16");
        let mut first = BTreeMap::new();
        let mut first_dead = BTreeMap::new();
        let owed = exploration.graph.ids().map(|id| {
            let moment = exploration.graph.state(id);
            let struck = FaultSet::fired(&moment.state);
            found.fired = found.fired.union(struck);
            let faults = self.attributed(struck);
            let (_, dead) = moment.state.settled_and_dead();
            if dead != 0 && !first_dead.keys().any(|other: &FaultSet| other.is_within(faults)) {
                first_dead.insert(faults, id);
            }
            for promise in self.broken(&moment) {
                first.entry((faults, promise)).or_insert(id);
            }
            debts.iter().rev().fold(0, |bits, debt| bits << 1 | u16::from(debt.is_owed(&moment)))
        });
        let owed = owed.collect();
        let story_to = |state| {
            let steps = exploration.graph.path_to(self, state).actions().copied().collect();
            Story { messages: self.messages, steps, cycle: Vec::new() }
        };
        found.dead_letters = first_dead.into_iter().map(|(faults, state)| (faults, story_to(state))).collect();
        for (&(faults, promise), &state) in &first {
            let is_needless =
                |&(other, same): &(FaultSet, Promise)| same == promise && other != faults && other.is_within(faults);
            if !first.keys().any(is_needless) {
                found.broken.insert((faults, promise), story_to(state));
            }
        }
        owed
    }

    /// Adds the debts that stay open in runs without end: for each set of faults, each promise that no run with an
    /// end breaks, with a run whose loop begins earliest.
    fn read_loops(&self, exploration: &Exploration<Moment>, debts: &[Debt], owed: &[u16], found: &mut Findings) {
        for (bit, debt) in debts.iter().enumerate() {
            let is_owed = |id: StateId| owed[id.0 as usize] >> bit & 1 != 0;
            let loops = exploration.fair_loops(fairness(Shares::Fair), is_owed);
            for id in loops.states() {
                let faults = self.attributed(FaultSet::fired(&exploration.graph.state(id).state));
                let is_told = |&(other, same): &(FaultSet, Promise)| same == debt.promise && other.is_within(faults);
                if found.broken.keys().any(is_told) {
                    continue;
                }
                let steps = exploration.graph.path_to(self, id).actions().copied().collect();
                let cycle = exploration.cycle_at(self, &loops, id).actions().copied().collect();
                found.broken.insert((faults, debt.promise), Story { messages: self.messages, steps, cycle });
            }
        }
    }

    /// What may stay owed in a run without end.
    fn debts(&self) -> Vec<Debt> {
        let mut debts = Vec::new();
        for ((place, level), &monitor) in Level::ALL.into_iter().enumerate().zip(&self.monitors) {
            for property in (monitor.watched & PropertySet::OF_ENDLESS_RUNS).iter() {
                let monitor = Monitor { watched: property.into(), ..monitor };
                let messages = (1..=u64::from(self.messages)).map(MessageId);
                debts.extend(messages.map(|message| Debt { promise: (level, property), place, monitor, message }));
            }
        }
        debts
    }

    /// The sets of faults under which the search left runs out: at a bound of the encoding, or at that of states.
    fn bounds_met(&self, exploration: &Exploration<Moment>) -> Vec<FaultSet> {
        let mut met = match exploration.completeness {
            Completeness::Complete | Completeness::Incomplete(Cut::Boundary { .. }) => Vec::new(),
            Completeness::Incomplete(_) => vec![self.attributed(FaultSet::NONE)],
        };
        let mut steps = Vec::new();
        for id in exploration.graph.clipped() {
            let moment = exploration.graph.state(id);
            self.actions(&moment, &mut steps);
            for step in steps.drain(..) {
                let next = self.next_state(&moment, step).expect("every step that is offered can be taken");
                let faults = self.attributed(FaultSet::fired(&next.state));
                if next.state.is_cut() && !met.contains(&faults) {
                    met.push(faults);
                }
            }
        }
        met
    }

    /// The smallest set of faults whose verdict a state with these fired marks decides in this search.
    fn attributed(&self, struck: FaultSet) -> FaultSet {
        if self.leases { struck.with(Fault::LeaseExpiry) } else { struck }
    }

    fn broken(&self, moment: &Moment) -> impl Iterator<Item = Promise> {
        let may_end = self.spec.is_quiescent(&moment.state);
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
        write!(f, "{}, {}", count(self.messages.into(), "message"), count(self.steps.len() as u64, "step"))?;
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
        let struck = FaultSet::fired(&moment.state);
        self.spec.steps(&moment.state, &mut |step| {
            if step.fault().is_none_or(|fault| self.allows(struck, fault)) {
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

    fn within_boundary(&self, moment: &Moment) -> bool {
        !moment.state.is_cut()
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Vec::new()
    }
}
