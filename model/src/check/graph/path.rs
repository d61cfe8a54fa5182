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
    /// If the model is another one than the graph was made from, or does not repeat itself: see [`Graph::along`].
    pub fn path_to<M: Model<State = S>>(&self, model: &M, id: StateId) -> Path<S, M::Action> {
        let mut ids: Vec<_> = std::iter::successors(Some(id), |&id| self.parent(id)).collect();
        ids.reverse();
        let root = self.state(ids[0]);
        let mut path = self.along(model, &ids, |_, _| true);
        path.root = model.init_states().iter().position(|state| state == root);
        assert!(path.root.is_some(), "the model no longer has the initial state that it had");
        path
    }

    /// The path through these states, by the first action of each that leads to the next and that `takes` accepts; it
    /// is asked with the step's place in the path, from 0.
    ///
    /// # Panics
    ///
    /// If there is no such action: then the model's `actions` or `next_state` depend on more than their arguments, or
    /// the states do not follow each other. And if there are no states.
    pub(super) fn along<M: Model<State = S>>(
        &self,
        model: &M,
        ids: &[StateId],
        takes: impl Fn(usize, &M::Action) -> bool,
    ) -> Path<S, M::Action> {
        let last = self.state(*ids.last().expect("a path has a state")).clone();
        let mut path = Path { steps: Vec::new(), last, choices: Vec::new(), root: None };
        for (step, pair) in ids.windows(2).enumerate() {
            let (state, next) = (self.state(pair[0]), self.state(pair[1]));
            let found = steps_of(model, state).find(|(_, action, target)| target == next && takes(step, action));
            let Some((choice, action, _)) = found else {
                panic!("the model does not repeat itself: state {} no longer leads to state {}", pair[0], pair[1]);
            };
            path.steps.push((state.clone(), action));
            path.choices.push(choice);
        }
        path
    }
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
