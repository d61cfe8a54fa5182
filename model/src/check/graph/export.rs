//! The graph for other tools: DOT for drawing, JSON Lines for everything else.
//!
//! Actions are not kept, so each state's are asked of the model again, as for a path.

use std::fmt::Debug;
use std::io::{self, Write};

use serde_json::json;
use stateright::Model;

use super::exploration::{Completeness, Edge, Exploration, StateId};
use super::path::within_boundary;

impl<S: Clone + Eq> Exploration<S> {
    /// Writes the graph in the DOT language, each state under a name such as `s7` with what `label` says of it.
    ///
    /// Initial states have a double border, states that were not expanded a dashed one. An edge's action is its label,
    /// its class an attribute that drawings as SVG keep.
    ///
    /// # Errors
    ///
    /// If writing does.
    ///
    /// # Panics
    ///
    /// If the walk kept no edges.
    pub fn write_dot<M: Model<State = S>>(
        &self,
        model: &M,
        label: impl Fn(&S) -> String,
        out: &mut impl Write,
    ) -> io::Result<()>
    where
        M::Action: Debug,
    {
        writeln!(out, "digraph {{")?;
        writeln!(out, "  // {}", self.completeness)?;
        writeln!(out, "  node [shape=box];")?;
        for id in self.graph.ids() {
            let initial = if self.graph.parent(id).is_none() { ", peripheries=2" } else { "" };
            let unexpanded = if (id.0 as usize) < self.graph.expanded() { "" } else { ", style=dashed" };
            writeln!(out, "  s{id} [label={}{initial}{unexpanded}];", quoted(&label(&self.graph.state(id))))?;
            for (edge, action) in self.labelled_edges(model, id) {
                writeln!(out, "  s{id} -> s{} [label={}, class=\"c{}\"];", edge.target, quoted(&action), edge.class)?;
            }
        }
        writeln!(out, "}}")
    }

    /// Writes the graph as JSON Lines: a header, then each state, by id, and behind it the edges that leave it.
    ///
    /// ```json
    /// {"format":"delivery-graph","version":1,"states":2,"transitions":1,"complete":true,"completeness":"complete"}
    /// {"state":0,"depth":0,"label":"empty"}
    /// {"from":0,"to":1,"class":3,"action":"order service submits message 1"}
    /// {"state":1,"depth":1,"label":"full"}
    /// ```
    ///
    /// # Errors
    ///
    /// If writing does.
    ///
    /// # Panics
    ///
    /// If the walk kept no edges.
    pub fn write_json_lines<M: Model<State = S>>(
        &self,
        model: &M,
        label: impl Fn(&S) -> String,
        out: &mut impl Write,
    ) -> io::Result<()>
    where
        M::Action: Debug,
    {
        let header = json!({
            "format": "delivery-graph",
            "version": 1,
            "states": self.graph.len(),
            "transitions": self.graph.transitions(),
            "complete": self.completeness == Completeness::Complete,
            "completeness": self.completeness.to_string(),
        });
        writeln!(out, "{header}")?;
        for id in self.graph.ids() {
            let (depth, label) = (self.graph.depth_of(id), label(&self.graph.state(id)));
            writeln!(out, "{}", json!({"state": id.0, "depth": depth, "label": label}))?;
            for (edge, action) in self.labelled_edges(model, id) {
                let Edge { target, class } = edge;
                writeln!(out, "{}", json!({"from": id.0, "to": target.0, "class": class, "action": action}))?;
            }
        }
        Ok(())
    }

    /// The state's edges, each with what the model calls its action.
    fn labelled_edges<M: Model<State = S>>(&self, model: &M, id: StateId) -> Vec<(Edge, String)>
    where
        M::Action: Debug,
    {
        assert!(self.graph.has_edges(), "a graph is exported with its edges, and this walk kept none");
        let state = self.graph.state(id);
        let actions = within_boundary(model, &state).map(|(_, action, _)| model.format_action(&action));
        self.graph.edges(id).zip(actions).collect()
    }
}

/// A quoted text of the DOT language, whose lines begin at the left.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\l"))
}
