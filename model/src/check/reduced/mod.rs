//! The protocol with fewer steps: where one step may as well come first, no other is offered.
//!
//! Most of a protocol's states differ in the order of steps that have nothing to do with each other. A partial order
//! reduction looks at one order of them. [`Reduced`] offers, in a state with a *commuting* step, nothing but that one, and does
//! not stop there: it goes on until there is something to choose, at a [`Junction`]. In terms of Godefroid
//! ("Partial-Order Methods for the Verification of Concurrent Systems", 1996) and Peled ("All from One, One for All", 1993),
//! the commuting step alone is a persistent, or ample, set. It answers whether a property *can* be broken, and no other
//! question: the shortest story needs the full protocol, and so does anything about whole runs, but for one thing: where
//! the reduced graph has no cycle, every run of the full protocol ends, as each has a run of the reduced one that is no
//! shorter.
//!
//! # Why no verdict changes
//!
//! The rules are in `spec::commuting`. Write `t` for a step that they name in a state `s`, and `a` for any other step that `s`
//! enables, a fault or not. Moments are the protocol's state *and* what the monitors have observed. Then
//!
//! 1. `t` is enabled, and is no fault.
//! 2. `a` is enabled after `t`. Either `t` is enabled after `a`, both orders end in the same moment, and the rules name `t`
//!    after `a`, too; or `a` ends in the same moment whether `t` was taken before it or not (a crash that leaves nothing of
//!    it).
//! 3. If `a` breaks a white-box property in `s`, it breaks it after `t`, too; and if `t` breaks one after `a`, it does in `s`.
//! 4. If `a` leads beyond the bounds of the encoding, it does so after `t`, too; `t` itself does not.
//! 5. Commuting steps alone make no circle.
//!
//! Let a run lead from `s` to a moment `q`, and follow it until it takes `t`, or a step that absorbs it.
//!
//! * It takes `t`: by 2, `t` can be moved to the front, and the run still ends in `q`; what is left of it after `t` is shorter.
//! * It takes a step that absorbs `t`: by 2, the same steps can be taken after `t`, and they end in `q`.
//! * It takes neither: by 2, the same steps can be taken after `t`, and they end in what `t` makes of `q`. That will do:
//!   what was broken stays broken ([`Observed`](crate::semantics::Observed)), and a fault that fired has fired. Losses, which are
//!   judged where nothing but faults is enabled, are not judged in such a `q`: `t` is enabled there, and no fault.
//!
//! What a step of the run breaks of the inside, it or `t` breaks after the change as well, by 3, and by 4 the bounds are met
//! no later. So from `t` on there is a run that shows as much and is no longer. Where it begins there is a commuting step
//! again, or every step is offered; by 5 the latter comes in finitely many steps, and there the run gets shorter. By
//! induction every breach, every quiescent moment, every fault's mark and every cut of the full graph is met in the
//! reduced one. As its steps are the protocol's, it meets nothing else.
//!
//! The argument is about all pipelines, but the conditions are local: [`audit`] checks them, rather than their consequences, on
//! one moment. The tests do so on every moment of every preset, and on the first moments of drawn pipelines under drawn
//! faults (`proofs/tests/reduction.rs`). They compare the consequences besides, and both notice rules that are blind to one
//! kind of fault (`tests/reduction`).
//!
//! # When it is used
//!
//! [`explore`](super::explore) searches in this way unless it is told to look at all steps, or [`conditions_hold`] finds
//! on the first moments of the pipeline at hand that the conditions do not. Whole runs are looked at in the whole graph.
//!
//! # What it saves
//!
//! States of the walk over all steps and of the reduced one, under the usual faults:
//!
//! | pipeline | 2 messages | reduced | 3 messages | reduced |
//! |---|--:|--:|--:|--:|
//! | at-most-once | 2,754 | 910 | 20,578 | 3,638 |
//! | at-least-once | 58,374 | 3,011 | 302,872 | 11,018 |
//! | exactly-once | 16,993 | 1,412 | 74,100 | 4,772 |
//! | kafka-idempotent | 113,467 | 5,819 | 3,968,754 | 84,463 |
//! | rabbitmq-confirms | 889,127 | 30,423 | more than 5,000,000 | 1,345,873 |
//! | redis-streams | 140,371 | 22,684 | 1,205,458 | 165,089 |
//! | nats-core | 2,324 | 1,090 | 30,210 | 7,971 |
//!
//! `cargo run --release -p delivery-model --example reduction` prints all presets' for two messages, with the time they
//! take; `reduction 3 5000000`, in the same place, for three and at most five million states. Least is saved where
//! deliveries are counted (a hand-off then outlives a crash), where settles are recorded lazily, and where leases can
//! end early, so that a second consumer joins in: what those do is not reduced.
//!
//! # Message symmetry
//!
//! The other classic reduction, taking states for one that differ in the names of messages, does not hold here. The
//! application submits in order, the lowest message that waits is sent first, sequence numbers follow that order, and
//! `order` judges by it: a state with two messages swapped offers other steps. It would hold for messages that are not yet
//! submitted, which look the same anyhow, and for messages that the producer is done with and that carry no number. Those
//! lie in the log in the order of their submission, unless retries overtook each other: there is next to nothing to merge.
//!
//! # Refused for liveness
//!
//! A run of the reduced graph need not be fair to the steps it leaves out, and a circle of the full graph may have no
//! counterpart in it. So a [`Junction`] is not [`Eq`], which [`Exploration::leads_to`](super::graph::Exploration::leads_to) needs:
//!
//! ```compile_fail,E0599
//! # use delivery_model::check::{Protocol, Reduced, graph::{Fairness, Walk}};
//! # let protocol = Protocol::new(&Default::default(), 1).expect("one message fits");
//! let model = Reduced(protocol.clone());
//! let exploration = protocol.run(Walk::new(&model).edges(|_| 0));
//! exploration.leads_to(&model, Fairness::default(), |_| true, |_| true);
//! ```
//!
//! The full protocol's graph may be:
//!
//! ```
//! # use delivery_model::check::{Protocol, graph::{Fairness, Walk}};
//! # let protocol = Protocol::new(&Default::default(), 1).expect("one message fits");
//! let model = protocol.clone();
//! let exploration = protocol.run(Walk::new(&model).edges(|_| 0));
//! exploration.leads_to(&model, Fairness::default(), |_| true, |_| true);
//! ```

mod audit;

use std::borrow::Borrow;
use std::ops::ControlFlow;

use stateright::{Model, Property};

use super::packed::Watched;
use super::protocol::{KEEPS, Moment, Protocol, conditions};
use crate::semantics::PropertySet;
use crate::vocab::Step;

pub use audit::{Unsound, audit, conditions_hold, conditions_hold_for};

/// The protocol, of whose steps only one is offered where it commutes with all others.
#[derive(Clone, Debug)]
pub struct Reduced(pub Protocol);

/// A moment at which a reduced run stops to choose, or to show what its next step breaks.
///
/// Deliberately not `Eq`: that keeps its graph from being asked about whole runs, but for whether it has a cycle.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Junction(Moment);

impl Borrow<Moment> for Junction {
    fn borrow(&self) -> &Moment {
        &self.0
    }
}

impl From<Junction> for Watched<1> {
    fn from(junction: Junction) -> Self {
        junction.0.into()
    }
}

impl From<Watched<1>> for Junction {
    fn from(watched: Watched<1>) -> Self {
        Junction(watched.into())
    }
}

/// More commuting steps than this in a row are going in circles: four messages at eight positions make about a hundred.
pub(super) const IN_A_ROW_MAX: usize = 1_000;

impl Reduced {
    /// A step that may as well be taken first.
    fn commuting(&self, moment: &Moment) -> Option<Step> {
        let spec = &self.0.spec;
        if moment.state.is_cut() {
            return None;
        }
        let may_strike = |fault| spec.is_in_budget(&moment.state, fault);
        let mut first = None;
        let _ = spec.commuting(&moment.state, may_strike, &mut |it| {
            first = Some(it.into());
            ControlFlow::Break(())
        });
        first
    }

    /// Takes commuting steps until there is a choice, or one that breaks something.
    fn go_on(&self, mut moment: Moment) -> Junction {
        let mut taken = 0;
        while let Some(step) = self.commuting(&moment) {
            let mut is_broken = false;
            self.0.breaks(&moment.state, step, |_, _| is_broken = true);
            if is_broken {
                break;
            }
            moment = self.0.step(&moment, step);
            taken += 1;
            assert!(taken < IN_A_ROW_MAX, "{step:?} is one of a circle of commuting steps:\n{moment:?}");
        }
        Junction(moment)
    }
}

impl Model for Reduced {
    type State = Junction;
    type Action = Step;

    fn init_states(&self) -> Vec<Junction> {
        self.0.init_states().into_iter().map(|moment| self.go_on(moment)).collect()
    }

    fn actions(&self, junction: &Junction, actions: &mut Vec<Step>) {
        match self.commuting(&junction.0) {
            Some(step) => actions.push(step),
            None => self.0.actions(&junction.0, actions),
        }
    }

    /// The junction that this step leads to, and commuting steps after it.
    fn next_state(&self, junction: &Junction, step: Step) -> Option<Junction> {
        Some(self.go_on(self.0.step(&junction.0, step)))
    }

    fn format_action(&self, step: &Step) -> String {
        self.0.format_action(step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        self.0
            .monitor
            .watched
            .iter()
            .map(|property| Property::always(property.word(), KEEPS_AT[property as usize]))
            .collect()
    }

    fn within_boundary(&self, junction: &Junction) -> bool {
        self.0.within_boundary(&junction.0)
    }
}

type Condition = fn(&Reduced, &Junction) -> bool;

fn keeps<const PROPERTY: usize>(reduced: &Reduced, junction: &Junction) -> bool {
    KEEPS[PROPERTY](&reduced.0, &junction.0)
}

const KEEPS_AT: [Condition; PropertySet::CAPACITY] = conditions!(keeps);
