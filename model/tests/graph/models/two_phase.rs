//! Two-phase commit after Gray and Lamport, "Consensus on Transaction Commit" (2006): a transaction manager and `n`
//! resource managers. The counts for 3 and 5 of them are those that Stateright's own example pins.

use stateright::{Model, Property};

pub struct TwoPhase(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    Working,
    Prepared,
    Committed,
    Aborted,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    resources: Vec<Resource>,
    heard: Vec<bool>,
    told: Vec<bool>,
    decision: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Hear(usize),
    Decide(bool),
    Prepare(usize),
    GiveUp(usize),
    Obey(usize),
}

impl Model for TwoPhase {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let n = self.0;
        vec![State {
            resources: vec![Resource::Working; n],
            heard: vec![false; n],
            told: vec![false; n],
            decision: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.decision.is_none() {
            actions.extend(state.heard.iter().all(|heard| *heard).then_some(Action::Decide(true)));
            actions.push(Action::Decide(false));
        }
        for r in 0..self.0 {
            if state.decision.is_none() && state.told[r] {
                actions.push(Action::Hear(r));
            }
            if state.resources[r] == Resource::Working {
                actions.extend([Action::Prepare(r), Action::GiveUp(r)]);
            }
            if state.decision.is_some() {
                actions.push(Action::Obey(r));
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Hear(r) => next.heard[r] = true,
            Action::Decide(commit) => next.decision = Some(commit),
            Action::Prepare(r) => (next.resources[r], next.told[r]) = (Resource::Prepared, true),
            Action::GiveUp(r) => next.resources[r] = Resource::Aborted,
            Action::Obey(r) => {
                next.resources[r] = if state.decision? { Resource::Committed } else { Resource::Aborted };
            }
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        fn all(state: &State, resource: Resource) -> bool {
            state.resources.iter().all(|&r| r == resource)
        }
        vec![
            Property::sometimes("all abort", |_, state| all(state, Resource::Aborted)),
            Property::sometimes("all commit", |_, state| all(state, Resource::Committed)),
            Property::always("consistent", |_, state: &State| {
                !(state.resources.contains(&Resource::Aborted) && state.resources.contains(&Resource::Committed))
            }),
        ]
    }
}
