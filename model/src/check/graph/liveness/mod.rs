//! Promises about whole runs: "whenever P, then Q at that moment or later" (`P ~> Q`), for all fair runs.
//!
//! A promise is broken by a run that makes it, and then for ever stays among states that do not keep it. In a finite graph
//! such a run is a *lasso*: a stem, and a cycle that is repeated for ever, or a state where it stays. So the checker looks
//! in the part of the graph where the promise is open for strongly connected components that a fair run can circle in, as
//! Lichtenstein and Pnueli do ("Checking That Finite State Concurrent Programs Satisfy Their Linear Specification", 1985).
//! Where weak fairness passes a component over, all of it is dropped; where strong fairness does, only the states that
//! enable the starved class are, and the rest is searched again.
//!
//! What is easily got wrong, each with a fixture among the tests: fairness is judged by edges, of which several may join
//! the same two states; what is *enabled* is read off the whole graph, what is *taken* inside the component, and the
//! component is one of the open part, not of the graph; a state that nothing forces a run to leave is a cycle of its own;
//! a step that changes nothing satisfies no fairness; a counterexample is one run, not a component; and of states whose
//! steps were left out, nothing is claimed.
//!
//! Left out: a walk that takes symmetric states for one. Its cycles need not be any run's, so there is none to refuse.

mod components;
mod fairness;
mod lasso;
mod open;

use stateright::Model;

use self::components::{Components, Regions};
use self::fairness::Run;
use self::open::Open;
use super::exploration::{Completeness, Cut, Exploration, Graph, StateId};
use super::path::Path;

pub use self::fairness::Fairness;
pub use self::lasso::Lasso;

/// What a promise comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Liveness<S, A> {
    /// Every fair run keeps it.
    Holds,
    /// This one does not.
    Violated(Lasso<S, A>),
    /// Too little was seen to tell.
    Unknown(Cut),
}

impl<S: Clone + Eq> Exploration<S> {
    /// Whether every fair run that meets `from` meets `to`, at that moment or later.
    ///
    /// Of the runs that do not, it gives one with the shortest stem. A run that was found stays one however much the
    /// walk has missed: only states of which every step is known are part of a cycle.
    ///
    /// # Panics
    ///
    /// If the walk kept no edges, if a class is not below [`Fairness::CLASSES`], or if the model is another one.
    pub fn leads_to<M: Model<State = S>>(
        &self,
        model: &M,
        fairness: Fairness,
        from: impl Fn(&S) -> bool,
        to: impl Fn(&S) -> bool,
    ) -> Liveness<S, M::Action> {
        self.leads_to_by_id(model, fairness, |id| from(&self.graph.state(id)), |id| to(&self.graph.state(id)))
    }

    /// The same, of conditions on a state's id: for a caller that has evaluated many promises in one pass over the states.
    ///
    /// # Panics
    ///
    /// As [`leads_to`](Exploration::leads_to).
    pub fn leads_to_by_id<M: Model<State = S>>(
        &self,
        model: &M,
        fairness: Fairness,
        from: impl Fn(StateId) -> bool,
        to: impl Fn(StateId) -> bool,
    ) -> Liveness<S, M::Action> {
        assert!(self.graph.has_edges(), "liveness is read off the edges, and this walk kept none");
        let open = Open::new(&self.graph, from, to);
        let loops = Loops::of(&self.graph, fairness, &open);
        match (open.states.iter().find(|&&state| loops.contain(state)), self.completeness) {
            (Some(&state), _) => {
                let stem = self.graph.path_through(model, &open.run_to(&self.graph, state));
                let cycle = lasso::cycle(&self.graph, &loops.regions, fairness, state);
                Liveness::Violated(Lasso { stem, cycle: self.graph.path_over(model, state, &cycle) })
            }
            (None, Completeness::Complete) => Liveness::Holds,
            (None, Completeness::Incomplete(cut)) => Liveness::Unknown(cut),
        }
    }
}

/// The states in which a fair run can stay for ever while a promise is open.
pub struct FairLoops {
    loops: Loops,
    fairness: Fairness,
    states: Vec<u32>,
}

impl<S: Clone + Eq> Exploration<S> {
    /// Every state in which a fair run can stay for ever, or come back to again and again, while a promise is open.
    /// `is_open` gives the states in which it is.
    ///
    /// # Panics
    ///
    /// As [`leads_to`](Exploration::leads_to).
    pub fn fair_loops(&self, fairness: Fairness, is_open: impl Fn(StateId) -> bool) -> FairLoops {
        assert!(self.graph.has_edges(), "liveness is read off the edges, and this walk kept none");
        let open = Open::new(&self.graph, &is_open, |id| !is_open(id));
        let loops = Loops::of(&self.graph, fairness, &open);
        let states = open.states.iter().copied().filter(|&state| loops.contain(state)).collect();
        FairLoops { loops, fairness, states }
    }

    /// What a run does for ever that comes back to this state of the loops again and again; empty where it stays.
    ///
    /// # Panics
    ///
    /// If the state is not one of the loops', or the model is another one.
    pub fn cycle_at<M: Model<State = S>>(&self, model: &M, loops: &FairLoops, state: StateId) -> Path<S, M::Action> {
        assert!(loops.loops.contain(state.0), "{state} is in a loop");
        let cycle = lasso::cycle(&self.graph, &loops.loops.regions, loops.fairness, state.0);
        self.graph.path_over(model, state.0, &cycle)
    }
}

impl FairLoops {
    /// Those states.
    pub fn states(&self) -> impl Iterator<Item = StateId> + '_ {
        self.states.iter().copied().map(StateId)
    }
}

/// The components in which a fair run can stay for ever.
struct Loops {
    regions: Regions,
    /// By region.
    fair: Vec<bool>,
}

impl Loops {
    fn of<S>(graph: &Graph<S>, fairness: Fairness, open: &Open) -> Self {
        let mut loops = Loops { regions: Regions::new(graph.len()), fair: Vec::new() };
        let mut components = Components::new(graph);
        let known = open.states.iter().copied().filter(|&state| graph.is_known(state));
        let mut unsearched: Vec<Vec<u32>> = vec![known.collect()];
        while let Some(states) = unsearched.pop() {
            components.split(&states, &mut loops.regions, |regions, region, component| {
                let run = Run::around(graph, regions, component);
                let starved = fairness.starved(&run);
                if fairness.allows(&run) {
                    loops.fair.resize(region as usize + 1, false);
                    loops.fair[region as usize] = true;
                } else if fairness.passed_over(&run) == 0 {
                    let fed = component.iter().filter(|&&state| fairness::enabled(graph, state) & starved == 0);
                    unsearched.extend(Some(fed.copied().collect()).filter(|rest: &Vec<u32>| !rest.is_empty()));
                }
            });
        }
        loops
    }

    fn contain(&self, state: u32) -> bool {
        self.fair.get(self.regions.of(state) as usize) == Some(&true)
    }
}
