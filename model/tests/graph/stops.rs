//! A walk that is cut short says so, and claims nothing that it has not seen.

use std::cell::Cell;

use delivery_model::check::graph::{Completeness, Cut, Exploration, StateId, Verdict, Walk};

use crate::models::{Arrow, Digraph, Sliding, TwoPhase};

fn cut<S>(exploration: &Exploration<S>) -> Option<Cut> {
    match exploration.completeness {
        Completeness::Incomplete(cut) => Some(cut),
        Completeness::Complete => None,
    }
}

#[test]
fn a_limit_of_states_is_named_and_leaves_claims_open() {
    let ours = Walk::new(&Sliding).states_max(100).run();
    assert_eq!(cut(&ours), Some(Cut::States));
    assert!((100..360).contains(&ours.graph.len()));
    assert!(ours.graph.expanded() < ours.graph.len());
    assert_eq!(ours.finding("no tile is lost").unwrap().verdict, Verdict::Unknown);
    assert_eq!(ours.finding("two tiles are swapped").unwrap().verdict, Verdict::Unknown);
}

#[test]
fn depths_are_right_where_a_walk_was_cut_within_a_level() {
    let model = TwoPhase(7);
    let whole = Walk::new(&model).run().graph;
    let ours = Walk::new(&model).states_max(100_000).run().graph;
    let (last, next) = (StateId(ours.expanded() as u32 - 1), StateId(ours.expanded() as u32));
    assert_eq!(whole.depth_of(last), whole.depth_of(next), "the walk was not cut within a level");
    let deepest = ours.ids().last().expect("there are states");
    assert_eq!(ours.depth_of(deepest), whole.depth_of(deepest));
    assert_eq!(ours.path_to(&model, deepest).len(), ours.depth());
}

#[test]
fn a_limit_that_is_never_reached_changes_nothing() {
    let ours = Walk::new(&Sliding).states_max(361).bytes_max(1 << 30).keep_going(|_| true).run();
    assert_eq!((ours.graph.len(), ours.completeness), (360, Completeness::Complete));
}

#[test]
fn a_limit_of_memory_is_named() {
    let whole = Walk::new(&TwoPhase(5)).run().memory.total();
    let ours = Walk::new(&TwoPhase(5)).bytes_max(whole / 2).run();
    assert_eq!(cut(&ours), Some(Cut::Memory));
    assert!(ours.graph.len() < 8_832);
}

#[test]
fn a_caller_who_says_stop_is_obeyed_at_once_and_sees_progress() {
    let seen = Cell::new(None);
    let ours = Walk::new(&Sliding)
        .keep_going(|progress| {
            seen.set(Some(*progress));
            progress.depth < 5
        })
        .run();
    assert_eq!(cut(&ours), Some(Cut::Stopped));
    let progress = seen.get().unwrap();
    assert_eq!((progress.depth, progress.states, progress.expanded), (5, ours.graph.len(), ours.graph.expanded()));
    assert!(progress.generated >= progress.states as u64 && progress.bytes > 0);
}

#[test]
fn what_was_shown_before_a_stop_stays_shown() {
    let whole = Walk::new(&Sliding).run();
    let id = whole.finding("the gap comes first").unwrap().decided_by.unwrap();
    let ours = Walk::new(&Sliding).keep_going(|progress| progress.depth <= whole.graph.depth_of(id)).run();
    assert_eq!(cut(&ours), Some(Cut::Stopped));
    let finding = ours.finding("the gap comes first").unwrap();
    assert_eq!((finding.verdict, finding.decided_by), (Verdict::Holds, Some(id)));
}

#[test]
fn a_walk_may_stop_once_everything_is_decided() {
    let arrow = |target| Arrow { class: 0, target: Some(target) };
    let mut chain: Vec<_> = (1..20).map(|next| vec![arrow(next)]).collect();
    chain.push(vec![]);
    let model = Digraph {
        roots: vec![0],
        arrows: chain,
        marks: (0..20).map(|s| if s >= 5 { 3 } else { 0 }).collect(),
        beyond: vec![],
    };
    let checks = || {
        use delivery_model::check::graph::{Check, Checks};
        Checks::new(vec![Check::always("low")], |state: &u8, _: &[Arrow]| u64::from(*state < 5))
    };
    let ours = Walk::new(&model).checks(checks()).stop_when_decided().run();
    assert_eq!((cut(&ours), ours.graph.expanded()), (Some(Cut::Decided), 6));
    let whole = Walk::new(&model).checks(checks()).run();
    assert_eq!((cut(&whole), &whole.findings), (None, &ours.findings));
}

#[test]
fn a_boundary_that_leaves_something_out_is_no_completeness() {
    let arrow = |target| Arrow { class: 0, target: Some(target) };
    let arrows = vec![vec![arrow(1), arrow(2)], vec![arrow(2), arrow(0)], vec![]];
    let model = Digraph { roots: vec![0, 2], arrows, marks: vec![0; 3], beyond: vec![2] };
    let ours = Walk::new(&model).run();
    assert_eq!(cut(&ours), Some(Cut::Boundary { left_out: 3 }));
    assert_eq!((ours.graph.len(), ours.beyond_boundary, ours.terminal), (2, 3, 0));
    assert_eq!(ours.finding("never 1").unwrap().verdict, Verdict::Unknown);
    let unbounded = Walk::new(&Digraph { beyond: vec![], ..model.clone() }).run();
    assert_eq!((unbounded.completeness, unbounded.terminal), (Completeness::Complete, 1));
}

#[test]
fn a_model_without_initial_states_is_walked_completely() {
    let ours = Walk::new(&Digraph::default()).run();
    assert_eq!((ours.graph.len(), ours.graph.depth(), ours.completeness), (0, 0, Completeness::Complete));
}

#[test]
#[should_panic(expected = "this model always panics")]
fn a_model_that_panics_on_another_thread_is_not_a_result() {
    use stateright::Model;
    struct Panics;
    impl Model for Panics {
        type State = u32;
        type Action = u32;
        fn init_states(&self) -> Vec<u32> {
            (0..10_000).collect()
        }
        fn actions(&self, _: &u32, _: &mut Vec<u32>) {
            panic!("this model always panics");
        }
        fn next_state(&self, _: &u32, _: u32) -> Option<u32> {
            None
        }
    }
    Walk::new(&Panics).threads(2).run();
}
