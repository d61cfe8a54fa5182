//! The conditions of the argument for [`Reduced`](super::Reduced), checked on one moment.
//!
//! They are local, so a graph on which they hold at every moment is reduced soundly: nothing is left of the argument that
//! the graph itself could refute.

use std::ops::ControlFlow;

use stateright::Model;

use super::super::graph::{Checks, Walk};
use super::super::protocol::{Moment, Protocol};
use super::IN_A_ROW_MAX;
use crate::semantics::PropertySet;
use crate::spec::State;
use crate::vocab::{Fault, Step};

/// A step that the rules name although it does not commute, and the other step that shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are the two steps")]
pub enum Unsound {
    /// Against condition 1.
    #[error("`{step}` is a fault, or not enabled")]
    NotEnabled { step: Step },
    /// Against condition 2.
    #[error("`{step}` disables `{other}`")]
    Disables { step: Step, other: Step },
    /// Against condition 2.
    #[error("`{step}` is disabled by `{other}`")]
    DisabledBy { step: Step, other: Step },
    /// Against condition 2.
    #[error("`{step}` and `{other}` end in another moment the other way round")]
    OrderMatters { step: Step, other: Step },
    /// Against condition 2.
    #[error("`{step}` is not named any more after `{other}`")]
    NotNamedAfter { step: Step, other: Step },
    /// Against condition 3.
    #[error("what `{other}` breaks, it does not break after `{step}`")]
    HidesBreach { step: Step, other: Step },
    /// Against condition 3.
    #[error("`{step}` breaks more after `{other}`")]
    BreaksMoreAfter { step: Step, other: Step },
    /// Against condition 4.
    #[error("`{step}` leads beyond the bounds, or keeps `{other}` from it")]
    BoundsDiffer { step: Step, other: Step },
    /// Against condition 5.
    #[error("`{step}` is one of a circle of commuting steps")]
    Circle { step: Step },
}

/// Checks the conditions on one moment of the protocol, for rules that take `may_strike`'s word for the faults to come.
pub fn audit(protocol: &Protocol, moment: &Moment, may_strike: &impl Fn(&State, Fault) -> bool) -> Result<(), Unsound> {
    let rules = Rules { protocol, may_strike };
    let enabled = rules.enabled(moment);
    for step in rules.named(moment) {
        if step.fault().is_some() || !enabled.contains(&step) {
            return Err(Unsound::NotEnabled { step });
        }
        let after = protocol.step(moment, step);
        let enabled_after = rules.enabled(&after);
        for &other in enabled.iter().filter(|&&other| other != step) {
            if !enabled_after.contains(&other) {
                return Err(Unsound::Disables { step, other });
            }
            rules.pair(moment, step, &after, other)?;
        }
    }
    rules.ends(*moment)
}

/// So many moments are audited before a search is reduced.
const AUDITED: usize = 256;

/// Checks the conditions on the first moments of a protocol's whole graph: what a caller does before it relies on them.
///
/// The rules are sound for every pipeline; this notices, for the pipeline at hand, that they are not.
pub fn conditions_hold(protocol: &Protocol) -> Result<(), Unsound> {
    conditions_hold_for(protocol, &|state, fault| protocol.spec.is_in_budget(state, fault))
}

/// The same for rules that take `may_strike`'s word for the faults to come.
pub fn conditions_hold_for(protocol: &Protocol, may_strike: &impl Fn(&State, Fault) -> bool) -> Result<(), Unsound> {
    let walk = Walk::new(protocol).checks(Checks::none()).states_max(AUDITED as u32);
    let graph = protocol.run(walk).graph;
    graph.ids().take(AUDITED).try_for_each(|id| audit(protocol, &graph.state(id), may_strike))
}

struct Rules<'a, F> {
    protocol: &'a Protocol,
    may_strike: &'a F,
}

impl<F: Fn(&State, Fault) -> bool> Rules<'_, F> {
    /// The steps that the rules name.
    fn named(&self, moment: &Moment) -> Vec<Step> {
        let mut named = Vec::new();
        if !moment.state.is_cut() {
            let may_strike = |fault| (self.may_strike)(&moment.state, fault);
            let _ = self.protocol.spec.commuting(&moment.state, may_strike, &mut |it| {
                named.push(it.into());
                ControlFlow::Continue(())
            });
        }
        named
    }

    fn enabled(&self, moment: &Moment) -> Vec<Step> {
        let mut enabled = Vec::new();
        self.protocol.actions(moment, &mut enabled);
        enabled
    }

    fn breaks(&self, moment: &Moment, step: Step) -> PropertySet {
        let mut broken = PropertySet::EMPTY;
        self.protocol.breaks(&moment.state, step, |property, _| broken.insert(property));
        broken
    }

    /// Conditions 2 to 4 for two steps that the moment enables, given the moment after the first.
    fn pair(&self, moment: &Moment, step: Step, after: &Moment, other: Step) -> Result<(), Unsound> {
        let (instead, both) = (self.protocol.step(moment, other), self.protocol.step(after, other));
        if after.state.is_cut() || instead.state.is_cut() != both.state.is_cut() {
            return Err(Unsound::BoundsDiffer { step, other });
        }
        if !(self.breaks(moment, other) - self.breaks(after, other)).is_empty() {
            return Err(Unsound::HidesBreach { step, other });
        }
        if instead.state.is_cut() || instead == both {
            return Ok(());
        }
        if !self.enabled(&instead).contains(&step) {
            return Err(Unsound::DisabledBy { step, other });
        }
        if self.protocol.step(&instead, step) != both {
            return Err(Unsound::OrderMatters { step, other });
        }
        if !self.named(&instead).contains(&step) {
            return Err(Unsound::NotNamedAfter { step, other });
        }
        if !(self.breaks(&instead, step) - self.breaks(moment, step)).is_empty() {
            return Err(Unsound::BreaksMoreAfter { step, other });
        }
        Ok(())
    }

    /// Condition 5.
    fn ends(&self, mut moment: Moment) -> Result<(), Unsound> {
        for _ in 0..IN_A_ROW_MAX {
            let Some(&step) = self.named(&moment).first() else { return Ok(()) };
            moment = self.protocol.step(&moment, step);
        }
        self.named(&moment).first().map_or(Ok(()), |&step| Err(Unsound::Circle { step }))
    }
}
