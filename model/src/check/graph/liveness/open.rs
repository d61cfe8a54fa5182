//! The part of a graph where a promise is open: it was made, and is not kept yet.

use super::super::exploration::{Graph, StateId};

const UNSEEN: u32 = u32::MAX;

/// The states that a run can be in after a promise was made and before it is kept.
pub(super) struct Open {
    /// Those states, by the length of the shortest run that gets there with the promise open.
    pub(super) states: Vec<u32>,
    /// By state: the one before it on such a run; itself where the promise was made there; [`UNSEEN`] where none is open.
    before: Vec<u32>,
}

impl Open {
    /// Where a promise is open that `from` makes and `to` keeps.
    ///
    /// Breadth first, from all states that make the promise at once, each entered at its own depth.
    pub(super) fn new<S>(graph: &Graph<S>, from: impl Fn(StateId) -> bool, to: impl Fn(StateId) -> bool) -> Self {
        let keeps: Vec<bool> = graph.ids().map(to).collect();
        let mut open = Open { states: Vec::new(), before: vec![UNSEEN; graph.len()] };
        let mut expanded = 0;
        for depth in 0.. {
            let reached = expanded..open.states.len();
            expanded = reached.end;
            for place in reached {
                let state = open.states[place];
                for &target in graph.targets(state) {
                    if !keeps[target as usize] {
                        open.enter(target, state);
                    }
                }
            }
            let level = graph.level(depth);
            if level.is_empty() && expanded == open.states.len() {
                break;
            }
            level.filter(|&state| !keeps[state as usize] && from(StateId(state))).for_each(|state| {
                open.enter(state, state);
            });
        }
        open
    }

    fn enter(&mut self, state: u32, before: u32) {
        if self.before[state as usize] == UNSEEN {
            self.before[state as usize] = before;
            self.states.push(state);
        }
    }

    /// The states of a shortest run that gets to an open state with the promise open, from an initial state on.
    pub(super) fn run_to<S>(&self, graph: &Graph<S>, state: u32) -> Vec<StateId> {
        let mut run = vec![StateId(state)];
        let mut at = state;
        while self.before[at as usize] != at {
            at = self.before[at as usize];
            run.push(StateId(at));
        }
        run.extend(std::iter::successors(graph.parent(StateId(at)), |&id| graph.parent(id)));
        run.reverse();
        run
    }
}
