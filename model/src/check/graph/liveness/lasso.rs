//! A counterexample to a promise about whole runs: a run to a state, and what it does there for ever.

use std::collections::{BTreeMap, VecDeque};

use super::super::exploration::Graph;
use super::super::path::Path;
use super::components::Regions;
use super::fairness::{Fairness, Run, enabled, steps};

/// A run that does not end: a stem, and a cycle that it then repeats for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lasso<S, A> {
    /// From an initial state to the cycle.
    pub stem: Path<S, A>,
    /// From the stem's last state back to it. Empty where the run stays there: nothing can happen, or nothing must.
    pub cycle: Path<S, A>,
}

/// A cycle from a state of a fair component back to it, as each step's place among its state's edges.
///
/// As short as taking the nearest missing thing each time makes it, which need not be the shortest.
pub(super) fn cycle<S>(graph: &Graph<S>, regions: &Regions, fairness: Fairness, start: u32) -> Vec<usize> {
    let mut cycle = Cycle { graph, regions, run: Run::NONE, at: start, edges: Vec::new() };
    cycle.run.visit(enabled(graph, start));
    loop {
        let home = if cycle.at == start { Vec::new() } else { cycle.way_to(|_, target| target == start) };
        let mut closed = cycle.run;
        home.iter().for_each(|step| step.join(graph, &mut closed));
        let (starved, passed_over) = (fairness.starved(&closed), fairness.passed_over(&closed));
        if starved | passed_over == 0 {
            cycle.edges.extend(home.iter().map(|step| step.place));
            return cycle.edges;
        }
        // Either take what is missing, or come where weak fairness asks for it no more.
        let missing = cycle.way_to(|class, target| {
            (starved | passed_over) >> class & 1 == 1 || passed_over & !enabled(graph, target) != 0
        });
        missing.into_iter().for_each(|step| cycle.take(step));
    }
}

/// A cycle that is not closed yet.
struct Cycle<'a, S> {
    graph: &'a Graph<S>,
    regions: &'a Regions,
    run: Run,
    at: u32,
    edges: Vec<usize>,
}

/// A step inside the component: from where, which of that state's edges, to where, and its class.
#[derive(Clone, Copy)]
struct Step {
    source: u32,
    place: usize,
    target: u32,
    class: u8,
}

impl Step {
    fn join<S>(self, graph: &Graph<S>, run: &mut Run) {
        run.take(self.class);
        run.visit(enabled(graph, self.target));
    }
}

impl<S> Cycle<'_, S> {
    fn take(&mut self, step: Step) {
        step.join(self.graph, &mut self.run);
        self.edges.push(step.place);
        self.at = step.target;
    }

    /// The shortest way on, inside the component, whose last step is wanted, by its class and its target.
    fn way_to(&self, wanted: impl Fn(u8, u32) -> bool) -> Vec<Step> {
        let mut reached: BTreeMap<u32, Step> = BTreeMap::new();
        let mut queue = VecDeque::from([self.at]);
        while let Some(source) = queue.pop_front() {
            let inside = steps(self.graph, source).filter(|&(_, target, _)| self.regions.together(source, target));
            for (place, target, class) in inside {
                let step = Step { source, place, target, class };
                if wanted(class, target) {
                    return way(&reached, step);
                }
                if target != self.at && !reached.contains_key(&target) {
                    reached.insert(target, step);
                    queue.push_back(target);
                }
            }
        }
        unreachable!("a fair component has within itself all that fairness asks for")
    }
}

fn way(reached: &BTreeMap<u32, Step>, last: Step) -> Vec<Step> {
    let before = |step: &Step| reached.get(&step.source).copied();
    let mut way: Vec<Step> = std::iter::successors(Some(last), before).collect();
    way.reverse();
    way
}
