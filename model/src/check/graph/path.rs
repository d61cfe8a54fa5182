//! Paths, rebuilt by replaying the model along states that the graph knows.

use std::fmt;

use stateright::Model;

use super::exploration::{Graph, StateId};

/// A run of a model from an initial state, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path<S, A> {
    /// Each state, and the action taken in it.
    pub steps: Vec<(S, A)>,
    /// The state after the last action.
    pub last: S,
    /// For each step, the action's place in what `Model::actions` lists.
    pub choices: Vec<usize>,
    /// The first state's place in what `Model::init_states` lists; none if it is no initial state.
    pub root: Option<usize>,
}

impl<S, A> Path<S, A> {
    /// How many actions were taken.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether no action was taken.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The actions, in order.
    pub fn actions(&self) -> impl ExactSizeIterator<Item = &A> {
        self.steps.iter().map(|(_, action)| action)
    }

    /// The states, in order: one more than there are actions.
    pub fn states(&self) -> impl Iterator<Item = &S> {
        self.steps.iter().map(|(state, _)| state).chain([&self.last])
    }

    /// Where the Explorer shows this path, below its address; none unless it starts in an initial state.
    pub fn explorer_link(&self) -> Option<String> {
        self.root
            .map(|root| self.choices.iter().fold(format!("#/steps/{root}"), |link, choice| format!("{link}/{choice}")))
    }
}

impl<S, A: fmt::Debug> fmt::Display for Path<S, A> {
    /// One action a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.actions().enumerate().try_for_each(|(i, action)| writeln!(f, "{:>4}. {action:?}", i + 1))
    }
}

impl<S: Clone + Eq> Graph<S> {
    /// A shortest path to the state.
    ///
    /// # Panics
    ///
    /// If the model is another one than the graph was made from, or its `actions` or `next_state` depend on more than
    /// their arguments.
    pub fn path_to<M: Model<State = S>>(&self, model: &M, id: StateId) -> Path<S, M::Action> {
        let mut ids: Vec<_> = std::iter::successors(Some(id), |&id| self.parent(id)).collect();
        ids.reverse();
        self.path_through(model, &ids)
    }

    /// The path through these states, of which the first is initial, by the first action of each that leads to the
    /// next. Panics as [`Graph::path_to`] does, and if the states do not follow each other.
    pub(super) fn path_through<M: Model<State = S>>(&self, model: &M, ids: &[StateId]) -> Path<S, M::Action> {
        let root = model.init_states().iter().position(|state| *state == self.state(ids[0]));
        assert!(root.is_some(), "the model no longer has the initial state that it had");
        let mut path = Path { root, ..Path::staying_in(self.state(ids[0])) };
        for pair in ids.windows(2) {
            let next = self.state(pair[1]);
            path.push(steps_of(model, &self.state(pair[0])).find(|(.., target)| *target == next), pair[0]);
        }
        path
    }

    /// The path from a state on over these edges: each is the place of an edge among those of the state it leaves.
    /// Panics as [`Graph::path_to`] does.
    pub(super) fn path_over<M: Model<State = S>>(&self, model: &M, start: u32, edges: &[usize]) -> Path<S, M::Action> {
        let mut at = start;
        let mut path = Path::staying_in(self.state(StateId(start)));
        for &edge in edges {
            let (source, state) = (StateId(at), self.state(StateId(at)));
            at = self.targets(at)[edge];
            let (mut within, next) = (within_boundary(model, &state), self.state(StateId(at)));
            let step = within.nth(edge).filter(|(.., target)| *target == next);
            path.push(step, source);
        }
        path
    }
}

impl<S, A> Path<S, A> {
    fn staying_in(state: S) -> Self {
        Path { steps: Vec::new(), last: state, choices: Vec::new(), root: None }
    }

    /// Takes a step that the graph has from its last state, whose id is `from`.
    fn push(&mut self, step: Option<(usize, A, S)>, from: StateId) {
        let Some((choice, action, target)) = step else {
            panic!("the model does not repeat itself: state {from} no longer leads where it did");
        };
        let source = std::mem::replace(&mut self.last, target);
        self.steps.push((source, action));
        self.choices.push(choice);
    }
}

/// What a state leads to within the boundary, in the order of its edges.
pub(super) fn within_boundary<'a, M: Model>(
    model: &'a M,
    state: &'a M::State,
) -> impl Iterator<Item = (usize, M::Action, M::State)> + 'a {
    steps_of(model, state).filter(|(.., target)| model.within_boundary(target))
}

/// What a state leads to: each action's place, the action, and its successor.
fn steps_of<'a, M: Model>(
    model: &'a M,
    state: &'a M::State,
) -> impl Iterator<Item = (usize, M::Action, M::State)> + 'a {
    let (mut actions, mut again) = (Vec::new(), Vec::new());
    model.actions(state, &mut actions);
    model.actions(state, &mut again); // taking an action uses it up, and it need not be `Clone`
    let pairs = actions.into_iter().zip(again).enumerate();
    pairs.filter_map(|(choice, (action, taken))| Some((choice, action, model.next_state(state, taken)?)))
}
