//! What is written of a graph is the graph.

use delivery_model::check::Protocol;
use delivery_model::check::graph::{Checks, Edge, Exploration, Walk};
use delivery_model::presets;
use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::models::{Arrow, Digraph, digraphs};

fn arrow(class: u8, target: u8) -> Arrow {
    Arrow { class, target: Some(target) }
}

/// Two initial states, an action that leads nowhere, a state beyond the boundary.
fn fixture() -> Digraph {
    Digraph {
        roots: vec![0, 2],
        arrows: vec![
            vec![Arrow { class: 0, target: None }, arrow(1, 1)],
            vec![arrow(2, 3), arrow(0, 0)],
            vec![],
            vec![],
        ],
        marks: vec![0; 4],
        beyond: vec![3],
    }
}

fn walked(graph: &Digraph) -> Exploration<u8> {
    Walk::new(graph).checks(Checks::none()).edges(|arrow: &Arrow| arrow.class).run()
}

fn dot(graph: &Digraph, walked: &Exploration<u8>) -> String {
    let mut out = Vec::new();
    walked.write_dot(graph, |state| format!("a \"state\"\nat \\{state}"), &mut out).expect("memory takes it");
    String::from_utf8(out).expect("it is text")
}

fn json_lines(graph: &Digraph, walked: &Exploration<u8>) -> String {
    let mut out = Vec::new();
    walked.write_json_lines(graph, |state| format!("at \"{state}\""), &mut out).expect("memory takes it");
    String::from_utf8(out).expect("it is text")
}

fn check(found: String, expected: Expect) {
    expected.assert_eq(&found);
}

#[test]
fn dot_names_states_and_actions() {
    check(
        dot(&fixture(), &walked(&fixture())),
        expect![[r#"
        digraph {
          // incomplete: the model's boundary left 1 successors out
          node [shape=box];
          s0 [label="a \"state\"\lat \\0", peripheries=2];
          s0 -> s2 [label="Arrow { class: 1, target: Some(1) }", class="c1"];
          s1 [label="a \"state\"\lat \\2", peripheries=2];
          s2 [label="a \"state\"\lat \\1"];
          s2 -> s0 [label="Arrow { class: 0, target: Some(0) }", class="c0"];
        }
    "#]],
    );
}

#[test]
fn json_lines_give_each_state_and_then_its_edges() {
    check(
        json_lines(&fixture(), &walked(&fixture())),
        expect![[r#"
        {"format":"delivery-graph","version":1,"states":3,"transitions":2,"complete":false,"completeness":"incomplete: the model's boundary left 1 successors out"}
        {"state":0,"depth":0,"label":"at \"0\""}
        {"from":0,"to":2,"class":1,"action":"Arrow { class: 1, target: Some(1) }"}
        {"state":1,"depth":0,"label":"at \"2\""}
        {"state":2,"depth":1,"label":"at \"1\""}
        {"from":2,"to":0,"class":0,"action":"Arrow { class: 0, target: Some(0) }"}
    "#]],
    );
}

#[test]
fn what_was_not_expanded_is_marked_and_has_no_edges() {
    let chain: Vec<_> = (1..5).map(|next| vec![arrow(0, next)]).chain([vec![]]).collect();
    let chain = Digraph { roots: vec![0], marks: vec![0; 5], arrows: chain, beyond: vec![] };
    let walk = Walk::new(&chain).checks(Checks::none()).edges(|_| 0);
    let cut = walk.keep_going(|progress| progress.depth < 1).run();
    check(
        dot(&chain, &cut),
        expect![[r#"
        digraph {
          // incomplete: it was stopped
          node [shape=box];
          s0 [label="a \"state\"\lat \\0", peripheries=2];
          s0 -> s1 [label="Arrow { class: 0, target: Some(1) }", class="c0"];
          s1 [label="a \"state\"\lat \\1", style=dashed];
        }
    "#]],
    );
}

#[test]
fn an_error_of_the_writer_is_reported() {
    let (graph, mut full) = (fixture(), [0; 64]);
    let error = walked(&graph).write_dot(&graph, |_| String::new(), &mut &mut full[..]).expect_err("it does not fit");
    assert_eq!(error.kind(), std::io::ErrorKind::WriteZero);
}

#[test]
fn actions_have_the_models_words() {
    let pipeline = presets::named("at-most-once").expect("a reference");
    let (model, mut out) = (Protocol::new(&pipeline, 1).expect("one message fits"), Vec::new());
    let walked = Walk::new(&model).edges(|_| 0).run();
    walked.write_json_lines(&model, |moment| moment.state.to_string(), &mut out).expect("memory takes it");
    let text = String::from_utf8(out).expect("it is text");
    assert!(text.contains(r#"{"from":0,"to":1,"class":0,"action":"order service submits message 1"}"#));
    assert_eq!(text.lines().count(), 1 + walked.graph.len() + walked.graph.transitions());
}

proptest! {
    /// Read back, the lines are the states and the edges of the graph, in their order.
    #[test]
    fn json_lines_say_all_of_any_graph(graph in digraphs(8, 3)) {
        let walked = walked(&graph);
        let text = json_lines(&graph, &walked);
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
        let header = lines.next().expect("a header");
        prop_assert_eq!(&header["states"], &json!(walked.graph.len()));
        prop_assert_eq!(&header["complete"], &json!(walked.beyond_boundary == 0));
        for id in walked.graph.ids() {
            prop_assert_eq!(lines.next().expect("a state")["state"].as_u64(), Some(id.0.into()));
            for Edge { target, class } in walked.graph.edges(id) {
                let arrow = Arrow { class, target: Some(walked.graph.state(target)) };
                let expected = json!({"from": id.0, "to": target.0, "class": class, "action": format!("{arrow:?}")});
                prop_assert_eq!(lines.next().expect("an edge"), expected);
            }
        }
        prop_assert_eq!(lines.next(), None);
    }
}
