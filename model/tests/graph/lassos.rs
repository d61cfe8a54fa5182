//! Any small graph, under any fairness, judged as by a search that tries every set of states in which a run could circle;
//! and every run that is given for a counterexample is looked at step by step.

use std::collections::BTreeSet;

use delivery_model::check::graph::{Fairness, Lasso, Liveness, Path};
use proptest::prelude::*;
use stateright::Model;

use crate::liveness::{P, Q, answer, shape};
use crate::models::{Arrow, Digraph, digraphs};

const CLASSES: u8 = 3;

/// The successors of a state that lie within the boundary, each with the class of its arrow.
fn next(graph: &Digraph, state: u8) -> impl Iterator<Item = (u8, u8)> + '_ {
    let arrows = graph.arrows[state as usize].iter().filter_map(|arrow| Some((arrow.class, arrow.target?)));
    arrows.filter(|(_, target)| graph.within_boundary(target))
}

/// The least number of steps of a run that gets to each state with the promise open.
fn open(graph: &Digraph) -> Vec<Option<usize>> {
    let states = graph.arrows.len();
    let mut reached = vec![None; states];
    let mut open = vec![None; states];
    let roots = graph.roots.iter().filter(|root| graph.within_boundary(root));
    let mut frontier: BTreeSet<(u8, bool)> = roots.map(|&root| (root, false)).collect();
    for steps in 0..=2 * states {
        let mut after = BTreeSet::new();
        for (state, was_open) in frontier {
            let is_open = (was_open || graph.is(state, P)) && !graph.is(state, Q);
            let known = if is_open { &mut open } else { &mut reached };
            if known[state as usize].is_none() {
                known[state as usize] = Some(steps);
                after.extend(next(graph, state).map(|(_, target)| (target, is_open)));
            }
        }
        frontier = after;
    }
    open
}

/// Whether a run that visits these states, all of them and no other, again and again, can be fair.
fn circles(graph: &Digraph, states: &[u8], fair: &[u8]) -> bool {
    let inside = |state: u8| next(graph, state).filter(move |&(_, to)| to != state && states.contains(&to));
    let mut reach: Vec<BTreeSet<u8>> = states.iter().map(|&state| BTreeSet::from([state])).collect();
    for reached in &mut reach {
        for _ in states {
            let more: Vec<u8> = reached.iter().flat_map(|&state| inside(state)).map(|(_, to)| to).collect();
            reached.extend(more);
        }
    }
    let enables = |state: u8, class| next(graph, state).any(|(of, to)| of == class && to != state);
    let is_fair = |class: u8| {
        let taken = states.iter().any(|&state| inside(state).any(|(of, _)| of == class));
        match fair[class as usize] {
            1 => taken || states.iter().any(|&state| !enables(state, class)),
            2 => taken || states.iter().all(|&state| !enables(state, class)),
            _ => true,
        }
    };
    reach.iter().all(|reached| reached.len() == states.len()) && (0..CLASSES).all(is_fair)
}

/// The shortest stem of a run that breaks the promise, by trying every set of states to circle in.
fn shortest_stem(graph: &Digraph, fair: &[u8]) -> Option<usize> {
    let open = open(graph);
    let candidates: Vec<u8> = (0..graph.arrows.len() as u8).filter(|&state| open[state as usize].is_some()).collect();
    let sets = (1u32..1 << candidates.len()).map(|set| {
        let members = candidates.iter().enumerate().filter(|(place, _)| set >> place & 1 == 1);
        members.map(|(_, &state)| state).collect::<Vec<u8>>()
    });
    let runs = sets.filter(|states| circles(graph, states, fair));
    runs.filter_map(|states| states.iter().filter_map(|&state| open[state as usize]).min()).min()
}

fn fairness_of(fair: &[u8]) -> Fairness {
    (0..CLASSES).fold(Fairness::NONE, |fairness, class| match fair[class as usize] {
        1 => fairness.weak(class),
        2 => fairness.strong(class),
        _ => fairness,
    })
}

/// Each step is the model's, and each state but the last is where the step before led.
fn is_real(graph: &Digraph, path: &Path<u8, Arrow>) -> bool {
    let states: Vec<u8> = path.states().copied().collect();
    let mut steps = path.steps.iter().zip(&states[1..]).zip(&path.choices);
    steps.all(|(((state, arrow), after), &choice)| {
        graph.arrows[*state as usize][choice] == *arrow && arrow.target == Some(*after)
    })
}

/// The run itself is checked: that it is one, that it closes, that the promise stays open, that it is fair.
fn breaks(graph: &Digraph, fair: &[u8], lasso: &Lasso<u8, Arrow>) -> Result<(), TestCaseError> {
    let (stem, cycle) = shape(lasso);
    prop_assert!(is_real(graph, &lasso.stem) && is_real(graph, &lasso.cycle), "not the model's");
    prop_assert_eq!(Some(&stem[0]), lasso.stem.root.map(|root| &graph.roots[root]));
    prop_assert_eq!(lasso.cycle.states().next(), stem.last());
    prop_assert_eq!(cycle.last().unwrap_or(&lasso.stem.last), &lasso.stem.last);
    let kept = stem.iter().rposition(|&state| graph.is(state, Q)).map_or(0, |place| place + 1);
    prop_assert!(stem[kept..].iter().any(|&state| graph.is(state, P)), "no promise is open");
    prop_assert!(!cycle.iter().any(|&state| graph.is(state, Q)), "the promise is kept");
    let mut visited: Vec<u8> = cycle.iter().copied().chain([lasso.stem.last]).collect();
    visited.sort();
    visited.dedup();
    for class in 0..CLASSES {
        let taken = lasso.cycle.actions().any(|arrow| arrow.class == class);
        let enables = |&state: &u8| {
            graph.arrows[state as usize]
                .iter()
                .any(|arrow| arrow.class == class && arrow.target.is_some_and(|target| target != state))
        };
        prop_assert!(fair[class as usize] != 1 || taken || !visited.iter().all(enables), "class {} weakly", class);
        prop_assert!(fair[class as usize] != 2 || taken || !visited.iter().any(enables), "class {} strongly", class);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_graph_is_judged_as_by_trying_every_set_of_states(
        graph in digraphs(7, CLASSES),
        fair in prop::collection::vec(0u8..3, CLASSES as usize),
    ) {
        let fairness = fairness_of(&fair);
        let whole = Digraph { beyond: Vec::new(), ..graph.clone() };
        match answer(&whole, fairness) {
            Liveness::Violated(lasso) => {
                breaks(&whole, &fair, &lasso)?;
                prop_assert_eq!(Some(lasso.stem.len()), shortest_stem(&whole, &fair));
            }
            Liveness::Holds => prop_assert_eq!(shortest_stem(&whole, &fair), None),
            Liveness::Unknown(cut) => prop_assert!(false, "nothing was left out, {}", cut),
        }
        // What is said within a boundary is true without it.
        match answer(&graph, fairness) {
            Liveness::Violated(lasso) => breaks(&whole, &fair, &lasso)?,
            Liveness::Holds => prop_assert_eq!(shortest_stem(&whole, &fair), None),
            Liveness::Unknown(_) => prop_assert!(!graph.beyond.is_empty()),
        }
    }
}
