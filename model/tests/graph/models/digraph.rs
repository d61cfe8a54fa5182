//! Graphs given edge by edge, for fixtures and for chance to draw.

use proptest::prelude::*;
use stateright::{Model, Property};

/// A graph whose states are numbers and whose actions are arrows.
#[derive(Clone, Debug, Default)]
pub struct Digraph {
    pub roots: Vec<u8>,
    pub arrows: Vec<Vec<Arrow>>,
    /// What the properties say of each state, as bits.
    pub marks: Vec<u8>,
    /// States beyond the boundary.
    pub beyond: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Arrow {
    pub class: u8,
    /// None: an action that turns out to lead nowhere.
    pub target: Option<u8>,
}

impl Digraph {
    /// Whether the state has this mark.
    pub fn is(&self, state: u8, mark: u8) -> bool {
        self.marks[state as usize] & mark != 0
    }
}

impl Model for Digraph {
    type State = u8;
    type Action = Arrow;

    fn init_states(&self) -> Vec<u8> {
        self.roots.clone()
    }

    fn actions(&self, state: &u8, actions: &mut Vec<Arrow>) {
        actions.extend(&self.arrows[*state as usize]);
    }

    fn next_state(&self, _: &u8, arrow: Arrow) -> Option<u8> {
        arrow.target
    }

    fn within_boundary(&self, state: &u8) -> bool {
        !self.beyond.contains(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("never 1", |graph, state| graph.marks[*state as usize] & 1 == 0),
            Property::sometimes("once 2", |graph, state| graph.marks[*state as usize] & 2 != 0),
            // Stateright stops as soon as everything is decided, so something must not be.
            Property::always("true", |_, _| true),
        ]
    }
}

/// Graphs of at most `states` states with at most three arrows each of `classes` classes; some with a boundary.
pub fn digraphs(states: u8, classes: u8) -> impl Strategy<Value = Digraph> {
    let arrow =
        move |n| (0..classes, prop::option::weighted(0.9, 0..n)).prop_map(|(class, target)| Arrow { class, target });
    (1..=states).prop_flat_map(move |n| {
        (
            prop::collection::vec(0..n, 1..3),
            prop::collection::vec(prop::collection::vec(arrow(n), 0..4), n as usize),
            prop::collection::vec(prop_oneof![4 => Just(0), 1 => 0u8..4], n as usize),
            prop::collection::vec(0..n, 0..3),
            prop::bool::weighted(0.3),
        )
            .prop_map(|(roots, arrows, marks, beyond, bounded)| {
                let beyond = if bounded { beyond } else { Vec::new() };
                Digraph { roots, arrows, marks, beyond }
            })
    })
}
