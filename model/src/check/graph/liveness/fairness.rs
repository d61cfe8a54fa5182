//! Which runs are fair.
//!
//! A run goes on for ever or stays in a state for ever, as in TLA (Lamport, "The Temporal Logic of Actions", 1994): any
//! run may stay where it is, unless fairness says that something must happen. A terminal state is one where nothing can.
//! A step that leaves the state as it was is no step: it enables no class and takes none.

use super::super::exploration::Graph;
use super::components::Regions;

/// What is promised of each class of actions. Of a class without a promise, any action may stay away for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Fairness {
    weak: u64,
    strong: u64,
}

impl Fairness {
    /// Classes are below this.
    pub const CLASSES: u8 = u64::BITS as u8;

    /// Nothing is promised.
    pub const NONE: Fairness = Fairness { weak: 0, strong: 0 };

    /// A class whose actions are enabled from some moment on, without a break, has one of them taken.
    #[must_use]
    pub fn weak(mut self, class: u8) -> Self {
        self.weak |= bit(class);
        self
    }

    /// A class whose actions are enabled again and again has one of them taken again and again.
    #[must_use]
    pub fn strong(mut self, class: u8) -> Self {
        self.strong |= bit(class);
        self
    }

    /// Whether a run that for ever does this, and nothing else, is fair.
    pub(super) fn allows(&self, run: &Run) -> bool {
        self.starved(run) | self.passed_over(run) == 0
    }

    /// The strongly fair classes that are enabled now and then and never taken.
    pub(super) fn starved(&self, run: &Run) -> u64 {
        self.strong & run.enabled_once & !run.taken
    }

    /// The weakly fair classes that are enabled all the time and never taken.
    pub(super) fn passed_over(&self, run: &Run) -> u64 {
        self.weak & run.enabled_always & !run.taken
    }
}

fn bit(class: u8) -> u64 {
    assert!(class < Fairness::CLASSES, "fairness knows {} classes, found class {class}", Fairness::CLASSES);
    1 << class
}

/// What a run does for ever, as classes: bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    taken: u64,
    enabled_once: u64,
    enabled_always: u64,
}

impl Run {
    /// A run that does nothing and is nowhere.
    pub(super) const NONE: Run = Run { taken: 0, enabled_once: 0, enabled_always: u64::MAX };

    /// One that visits every state of a component again and again, and takes every edge between them.
    pub(super) fn around<S>(graph: &Graph<S>, regions: &Regions, component: &[u32]) -> Self {
        let mut run = Run::NONE;
        for &state in component {
            run.visit(enabled(graph, state));
            let inside = steps(graph, state).filter(|&(_, target, _)| regions.together(state, target));
            inside.for_each(|(.., class)| run.take(class));
        }
        run
    }

    pub(super) fn visit(&mut self, enabled: u64) {
        self.enabled_once |= enabled;
        self.enabled_always &= enabled;
    }

    pub(super) fn take(&mut self, class: u8) {
        self.taken |= bit(class);
    }
}

/// The classes that the state enables, as bits: in the whole graph, wherever they lead.
pub(super) fn enabled<S>(graph: &Graph<S>, state: u32) -> u64 {
    steps(graph, state).fold(0, |bits, (.., class)| bits | bit(class))
}

/// The state's edges that are steps: each one's place among the edges, its target and its class.
pub(super) fn steps<S>(graph: &Graph<S>, state: u32) -> impl Iterator<Item = (usize, u32, u8)> + '_ {
    let edges = graph.targets(state).iter().zip(graph.classes(state)).enumerate();
    edges.map(|(place, (&target, &class))| (place, target, class)).filter(move |&(_, target, _)| target != state)
}
