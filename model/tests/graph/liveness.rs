//! `P ~> Q` under fairness: each known pitfall as a graph of a few states.

use std::collections::BTreeSet;

use delivery_model::check::graph::{Checks, Cut, Fairness, Lasso, Liveness, Walk};
use stateright::Model;

use crate::models::{Arrow, Digraph};

const A: u8 = 0;
const B: u8 = 1;
const C: u8 = 2;

/// Marks of a state: it makes the promise, it keeps it.
pub const P: u8 = 1;
pub const Q: u8 = 2;

/// A graph from state 0 on, as its marks and its arrows.
fn graph(marks: &[u8], arrows: &[(u8, u8, u8)]) -> Digraph {
    let mut graph = Digraph { roots: vec![0], marks: marks.to_vec(), ..Digraph::default() };
    graph.arrows = vec![Vec::new(); marks.len()];
    for &(source, class, target) in arrows {
        graph.arrows[source as usize].push(Arrow { class, target: Some(target) });
    }
    graph
}

pub fn answer(graph: &Digraph, fairness: Fairness) -> Liveness<u8, Arrow> {
    let walked = Walk::new(graph).checks(Checks::none()).edges(|arrow: &Arrow| arrow.class).run();
    walked.leads_to(graph, fairness, |&state| graph.is(state, P), |&state| graph.is(state, Q))
}

/// The states of the lasso: those of the stem, and those after each step of the cycle.
pub fn shape(lasso: &Lasso<u8, Arrow>) -> (Vec<u8>, Vec<u8>) {
    (lasso.stem.states().copied().collect(), lasso.cycle.states().skip(1).copied().collect())
}

fn holds(graph: &Digraph, fairness: Fairness) {
    assert_eq!(answer(graph, fairness), Liveness::Holds);
}

fn broken(graph: &Digraph, fairness: Fairness, stem: &[u8], cycle: &[u8]) {
    match answer(graph, fairness) {
        Liveness::Violated(lasso) => assert_eq!(shape(&lasso), (stem.to_vec(), cycle.to_vec())),
        other => panic!("expected a run that breaks it, found {other:?}"),
    }
}

const NONE: Fairness = Fairness::NONE;

#[test]
fn a_state_that_nothing_leaves_breaks_a_promise_that_is_open() {
    let all = NONE.strong(A).strong(B);
    broken(&graph(&[P, 0, Q], &[(0, A, 1), (0, B, 2)]), all, &[0, 1], &[]);
    holds(&graph(&[P, Q, Q], &[(0, A, 1), (0, B, 2)]), all);
    holds(&graph(&[P | Q, 0], &[(0, A, 1)]), all);
    holds(&graph(&[0, 0], &[(0, A, 1)]), all);
}

/// tla-rs issue 62: a run may stay where it is for ever, unless something is promised to happen.
#[test]
fn a_run_may_stay_where_nothing_promises_that_it_leaves() {
    let one_step = graph(&[P, Q], &[(0, A, 1)]);
    broken(&one_step, NONE, &[0], &[]);
    broken(&one_step, NONE.weak(B).strong(C), &[0], &[]);
    holds(&one_step, NONE.weak(A));
    holds(&one_step, NONE.strong(A));
}

/// tla-rs issue 63: a step that changes nothing is none. It neither satisfies fairness nor is it promised.
#[test]
fn a_step_that_changes_nothing_satisfies_no_fairness() {
    holds(&graph(&[P, Q], &[(0, A, 0), (0, A, 1)]), NONE.weak(A));
    holds(&graph(&[P, Q], &[(0, A, 0), (0, A, 1)]), NONE.strong(A));
    broken(&graph(&[P], &[(0, A, 0)]), NONE.weak(A), &[0], &[]);
}

#[test]
fn weak_fairness_asks_for_what_is_enabled_without_a_break() {
    let without_break = graph(&[P, 0, Q], &[(0, A, 1), (1, A, 0), (0, B, 2), (1, B, 2)]);
    broken(&without_break, NONE.weak(A), &[0], &[1, 0]);
    holds(&without_break, NONE.weak(B));
    let with_a_break = graph(&[P, 0, Q], &[(0, A, 1), (1, A, 0), (0, B, 2)]);
    broken(&with_a_break, NONE.weak(A).weak(B), &[0], &[1, 0]);
}

#[test]
fn strong_fairness_asks_for_what_is_enabled_again_and_again() {
    let with_a_break = graph(&[P, 0, Q], &[(0, A, 1), (1, A, 0), (0, B, 2)]);
    holds(&with_a_break, NONE.weak(A).strong(B));
    broken(&with_a_break, NONE.strong(B), &[0, 1], &[]);
}

/// The states where the starved class is enabled are left, but not the others: they may hold a cycle of their own.
#[test]
fn strong_fairness_leaves_what_can_do_without() {
    let arrows = [(0, A, 1), (1, A, 2), (2, A, 1), (2, A, 0), (0, B, 3)];
    broken(&graph(&[P, 0, 0, Q], &arrows), NONE.weak(A).strong(B), &[0, 1], &[2, 1]);
    // Without the starved class's state, what is left falls apart.
    let arrows = [(0, A, 1), (1, A, 2), (2, A, 0), (0, B, 3)];
    holds(&graph(&[P, 0, 0, Q], &arrows), NONE.weak(A).strong(B));
}

/// tlaplus issue 201: two states may be joined by steps of several classes, and a cycle may take either.
#[test]
fn fairness_is_judged_by_edges_and_not_by_the_states_they_join() {
    let twice = graph(&[P, 0, Q], &[(0, A, 1), (0, B, 1), (1, A, 0), (1, C, 2)]);
    let Liveness::Violated(lasso) = answer(&twice, NONE.weak(A).strong(B)) else { panic!("a run takes both") };
    let classes: BTreeSet<u8> = lasso.cycle.actions().map(|arrow| arrow.class).collect();
    assert_eq!(classes, BTreeSet::from([A, B]), "{lasso:?}");
    holds(&twice, NONE.weak(A).strong(B).strong(C));
}

/// tla-rs issue 59: a step that a run could take where the promise is kept is not taken where it is open.
#[test]
fn fairness_is_judged_in_the_open_part_and_not_in_the_component_around_it() {
    let arrows = [(0, A, 1), (1, A, 0), (0, B, 2), (1, B, 2), (2, A, 0)];
    holds(&graph(&[P, 0, Q], &arrows), NONE.weak(A).weak(B));
    // And what is enabled is read off the whole graph: class B leads out of the open part only.
    holds(&graph(&[P, 0, Q], &arrows[..4]), NONE.weak(A).weak(B));
}

/// tla-rs issue 64: the counterexample is one run. Its cycle takes what it must, and not the whole component.
#[test]
fn the_counterexample_is_one_run_and_not_a_component() {
    let ring = [(0, A, 1), (1, A, 2), (2, A, 3), (3, A, 0), (2, B, 1), (3, C, 2)];
    broken(&graph(&[P, 0, 0, 0], &ring), NONE.weak(A), &[0], &[1, 2, 3, 0]);
    let Liveness::Violated(lasso) = answer(&graph(&[P, 0, 0, 0], &ring), NONE.weak(A).strong(B)) else {
        panic!("nothing keeps the promise");
    };
    assert_eq!(shape(&lasso), (vec![0], vec![1, 2, 1, 2, 3, 0]));
}

#[test]
fn the_stem_is_the_shortest() {
    // The promise is made in state 3 too, one step from the start, and a run is stuck right there.
    let arrows = [(0, A, 1), (1, A, 2), (0, A, 3)];
    broken(&graph(&[0, P, 0, P], &arrows), NONE, &[0, 1], &[]);
    broken(&graph(&[0, P, 0, P], &arrows), NONE.weak(A), &[0, 3], &[]);
}

/// tlaplus issue 839: a boundary that leaves out the steps of a state says nothing about what happens there.
#[test]
fn beyond_a_boundary_nothing_is_claimed() {
    let all = graph(&[P, 0, Q], &[(0, A, 1), (1, A, 2)]);
    let bounded = Digraph { beyond: vec![2], ..all.clone() };
    holds(&all, NONE.weak(A));
    assert_eq!(answer(&bounded, NONE.weak(A)), Liveness::Unknown(Cut::Boundary { left_out: 1 }));
    // A run that is broken before the boundary is broken.
    broken(&bounded, NONE, &[0], &[]);
}

#[test]
fn of_a_walk_that_was_cut_short_nothing_is_claimed() {
    let chain: Vec<(u8, u8, u8)> = (0..20).map(|state| (state, A, state + 1)).collect();
    let chain = graph(&[&[P][..], &[0; 20]].concat(), &chain);
    let cut = |depth: usize| {
        let walk = Walk::new(&chain).checks(Checks::none()).edges(|_| A);
        let walked = walk.keep_going(move |progress| progress.depth < depth).run();
        walked.leads_to(&chain, NONE.weak(A), |&state| state == 0, |&state| state == 21)
    };
    assert_eq!(cut(10), Liveness::Unknown(Cut::Stopped));
    assert!(matches!(cut(30), Liveness::Violated(lasso) if lasso.stem.len() == 20 && lasso.cycle.is_empty()));
}

#[test]
#[should_panic(expected = "this walk kept none")]
fn a_walk_without_edges_is_refused() {
    let graph = graph(&[P], &[]);
    Walk::new(&graph).checks(Checks::none()).run().leads_to(&graph, NONE, |_| true, |_| false);
}

#[test]
fn a_component_deeper_than_a_threads_stack_is_searched() {
    struct Ring(u32);
    impl Model for Ring {
        type State = u32;
        type Action = ();
        fn init_states(&self) -> Vec<u32> {
            vec![0]
        }
        fn actions(&self, _: &u32, actions: &mut Vec<()>) {
            actions.push(());
        }
        fn next_state(&self, state: &u32, (): ()) -> Option<u32> {
            Some((state + 1) % self.0)
        }
    }
    let ring = Ring(200_000);
    let walked = Walk::new(&ring).edges(|()| A).run();
    let Liveness::Violated(lasso) = walked.leads_to(&ring, NONE.weak(A), |&state| state == 7, |_| false) else {
        panic!("it runs in a circle for ever");
    };
    assert_eq!((lasso.stem.len(), lasso.cycle.len()), (7, 200_000));
}
