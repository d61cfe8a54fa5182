//! What exploring a pipeline's protocol comes to: verdicts, and for each broken property the shortest story.
//!
//! "Shortest" is what a reader wants first: the fewest messages, then the fewest faults, then the fewest steps. A plain
//! breadth-first search would rather crash a bystander than wait for it to finish.

use std::borrow::Borrow;

use stateright::Model;

use super::graph::{Check, Checks, Completeness, Cut, Exploration, Progress, Walk};
use super::limits::{Limits, budgets};
use super::liveness::{Claim, LivenessFinding, liveness};
use super::needed;
use super::protocol::{Moment, Protocol};
use super::reduced::{Reduced, conditions_hold};
use super::signs;
use super::violation::Violation;
use crate::pipeline::{DeadLetters, Pipeline};
use crate::semantics::{Bounded, Doubt, Monitor, PropertyId, PropertySet, Rules, Verdict, Verdicts};
use crate::spec::State;
use crate::spec::bounds::{self, Bound, BoundCut, MESSAGES_MAX, TooManyMessages};
use crate::vocab::{Fault, MessageId, Step};

/// What an exploration comes to.
#[derive(Clone, Debug)]
pub struct Explored {
    /// The verdict on each semantics.
    pub verdicts: Verdicts,
    /// Every watched property that is broken.
    pub violations: Vec<Violation>,
    /// Where the verdict that nothing is lost rests on dead letters: the shortest run in which a message that must not be
    /// lost ends as one, and not as it was promised. None where it does not rest on them.
    pub dead_letter: Option<Violation>,
    /// The watched properties.
    pub watched: PropertySet,
    /// Faults in the budget that never fired: such a check would be vacuous.
    pub never_fired: Vec<Fault>,
    /// Bounds that kept the exploration from seeing all it was asked to; none when it did, or was stopped by the caller.
    pub bounds_exceeded: Vec<BoundCut>,
    /// Whether every state within the bounds was seen.
    pub completeness: Completeness,
    /// Whether the verdicts are those of a reduced walk, and so are the states and the depth.
    pub reduced: bool,
    /// Unique states; of a reduced walk, its junctions.
    pub states: usize,
    /// Steps of the longest shortest path; of a reduced walk, those between junctions.
    pub depth: usize,
}

impl Explored {
    /// Everything within the stated bounds was seen.
    pub fn is_complete(&self) -> bool {
        self.completeness == Completeness::Complete && self.bounds_exceeded.is_empty()
    }
}

/// Explores the protocol of a pipeline.
///
/// `keep_going` is asked now and then; when it says no, the verdicts that were not reached are unknown.
pub fn explore(
    pipeline: &Pipeline,
    limits: Limits,
    keep_going: &dyn Fn(&Progress) -> bool,
) -> Result<Explored, TooManyMessages> {
    explore_whole(pipeline, limits, &[], keep_going).map(|(explored, _)| explored)
}

/// Explores the protocol of a pipeline, and what these promises about whole runs come to: they need the whole graph,
/// however much of it the search for the other verdicts leaves out.
pub fn explore_whole(
    pipeline: &Pipeline,
    limits: Limits,
    claims: &[Claim],
    keep_going: &dyn Fn(&Progress) -> bool,
) -> Result<(Explored, Vec<LivenessFinding>), TooManyMessages> {
    let protocol = Protocol::new(pipeline, limits.messages)?;
    let limits = Limits { reduced: limits.reduced && conditions_hold(&protocol).is_ok(), ..limits };
    let survey = survey(&protocol, limits, claims.is_empty(), keep_going);
    let mut bounds_exceeded = bounds::exceeded(pipeline);
    bounds_exceeded.extend(survey.met.iter().cloned());
    let complete = survey.completeness == Completeness::Complete && bounds_exceeded.is_empty();
    let in_the_end = |property| match () {
        _ if survey.broken.contains(property) => Verdict::Violated,
        _ if complete => Verdict::Holds,
        _ if survey.completeness == Completeness::Incomplete(Cut::Stopped) => Verdict::Unknown(Doubt::Stopped),
        _ => Verdict::Unknown(Doubt::BoundCut),
    };
    let mut violations = stories(pipeline, limits, survey.broken, keep_going)?;
    needed::prefer(pipeline, limits, &mut violations, keep_going)?;
    // Whatever ends has shown its losses. What goes on for ever is looked at besides, in the whole graph: a reduced one
    // only tells whether there is such a run.
    let not_lost = protocol.watched() & PropertySet::OF_ENDLESS_RUNS;
    let is_open = survey.may_go_on_for_ever && !(not_lost - survey.broken).is_empty();
    let (mut findings, mut without_end) = (Vec::new(), Verdict::Holds);
    if is_open || !claims.is_empty() {
        let debt = is_open.then_some(Claim::Arrives);
        findings = liveness(pipeline, claims.iter().copied().chain(debt), limits, keep_going)?;
        if let Some(arrives) = debt.and_then(|_| findings.iter().find(|finding| finding.claim == Claim::Arrives)) {
            without_end = arrives.verdict;
            violations.extend(not_lost.iter().zip(arrives.broken_by.clone()).map(|(property, run)| Violation {
                property,
                message: Some(run.message),
                messages: run.messages,
                steps: run.stem,
                cycle: run.cycle,
                needs: None,
                is_shortest: true,
            }));
            violations.sort_by_key(|violation| violation.property);
        }
    }
    let of_property = |property| match PropertySet::OF_ENDLESS_RUNS.contains(property) {
        true => in_the_end(property).and(without_end),
        false => in_the_end(property),
    };
    findings.retain(|finding| claims.contains(&finding.claim));
    let is_lost = violations.iter().any(|violation| not_lost.contains(violation.property));
    let dead_letter = match protocol.monitor.rules.dead_letters && !is_lost {
        true => dead_letter(pipeline, not_lost, limits, keep_going)?,
        false => None,
    };
    let explored = Explored {
        verdicts: Verdicts::new(&protocol.monitor.rules, of_property),
        violations,
        dead_letter,
        watched: protocol.watched(),
        never_fired: survey.never_fired,
        bounds_exceeded,
        completeness: survey.completeness,
        reduced: limits.reduced,
        states: survey.states,
        depth: survey.depth,
    };
    Ok((explored, findings))
}

/// The shortest run that loses a message where dead letters count as losses.
fn dead_letter(
    pipeline: &Pipeline,
    not_lost: PropertySet,
    limits: Limits,
    keep_going: &dyn Fn(&Progress) -> bool,
) -> Result<Option<Violation>, TooManyMessages> {
    let strict = Pipeline { dead_letters: DeadLetters::AreLost, ..pipeline.clone() };
    let broken = survey(&Protocol::watching(&strict, limits.messages, not_lost)?, limits, false, keep_going).broken;
    Ok(stories(&strict, limits, broken, keep_going)?.pop())
}

/// What a walk over a whole graph tells, reduced or not.
struct Survey {
    broken: PropertySet,
    never_fired: Vec<Fault>,
    completeness: Completeness,
    /// The bounds that it met.
    met: Vec<BoundCut>,
    /// There is a run that does not end, or nobody has looked.
    may_go_on_for_ever: bool,
    states: usize,
    depth: usize,
}

/// `ends`: whether every run ends is found out where all steps are looked at, too.
fn survey(protocol: &Protocol, limits: Limits, ends: bool, keep_going: &dyn Fn(&Progress) -> bool) -> Survey {
    if limits.reduced {
        let model = Reduced(protocol.clone());
        let walk = limited(&model, protocol.checks(), limits, keep_going).edges(|_| 0);
        let exploration = protocol.run(walk);
        // Where the reduced graph has no circle the full one has none: every run of the full one has one of the reduced
        // one that is no shorter.
        let may_go_on_for_ever = exploration.graph.has_cycle();
        Survey { met: met(&model, &exploration, limits), may_go_on_for_ever, ..Survey::of(protocol, &exploration) }
    } else {
        let walk = limited(protocol, protocol.checks(), limits, keep_going);
        let exploration = protocol.run(if ends { walk.cycles() } else { walk });
        let may_go_on_for_ever = exploration.has_cycle != Some(false);
        Survey { met: met(protocol, &exploration, limits), may_go_on_for_ever, ..Survey::of(protocol, &exploration) }
    }
}

/// The bounds that a walk met: those of the encoding, by the successors that were left out, and that of states.
fn met<M>(model: &M, exploration: &Exploration<M::State>, limits: Limits) -> Vec<BoundCut>
where
    M: Model<Action = Step>,
    M::State: Borrow<Moment>,
{
    let mut met: Vec<Bound> = Vec::new();
    let mut steps = Vec::new();
    for id in exploration.graph.clipped() {
        let state = exploration.graph.state(id);
        model.actions(&state, &mut steps);
        for step in steps.drain(..) {
            let cut = model.next_state(&state, step).and_then(|next| next.borrow().state.cut());
            met.extend(cut.filter(|bound| !met.contains(bound)));
        }
        if met.len() == Bound::ALL.len() {
            break;
        }
    }
    met.sort_unstable();
    let states = (exploration.completeness == Completeness::Incomplete(Cut::States)).then(|| BoundCut {
        bound: "states".to_owned(),
        asked: "more".to_owned(),
        limit: limits.states_max.into(),
        change: "fewer messages or smaller budgets of faults".to_owned(),
    });
    met.into_iter().map(Bound::cut).chain(states).collect()
}

/// A walk over the whole graph, as far as the limits and the caller allow.
fn limited<'a, M>(
    model: &'a M,
    checks: Checks<'a, M>,
    limits: Limits,
    keep_going: &'a dyn Fn(&Progress) -> bool,
) -> Walk<'a, M>
where
    M: Model + Sync,
    M::State: 'static,
{
    Walk::new(model).checks(checks).threads(limits.threads).states_max(limits.states_max).keep_going(keep_going)
}

impl Survey {
    fn of<S>(protocol: &Protocol, exploration: &Exploration<S>) -> Self {
        let is_decided = |name: &str| exploration.finding(name).is_some_and(|finding| finding.decided_by.is_some());
        Survey {
            broken: protocol.watched().iter().filter(|property| is_decided(property.word())).collect(),
            never_fired: protocol.spec.settings().faults().filter(|fault| !is_decided(fault.word())).collect(),
            completeness: exploration.completeness,
            met: Vec::new(),
            may_go_on_for_ever: true,
            states: exploration.graph.len(),
            depth: exploration.graph.depth(),
        }
    }
}

/// The shortest story of each broken property: within ever larger bounds, until all are told.
fn stories(
    pipeline: &Pipeline,
    limits: Limits,
    broken: PropertySet,
    keep_going: &dyn Fn(&Progress) -> bool,
) -> Result<Vec<Violation>, TooManyMessages> {
    let mut told: Vec<Violation> = Vec::new();
    for messages in 1..=limits.messages {
        for faults in budgets(pipeline.faults) {
            let open = broken - told.iter().map(|violation| violation.property).collect();
            if open.is_empty() {
                break;
            }
            let smaller = Pipeline { faults, ..pipeline.clone() };
            let mut protocol = Protocol::watching(&smaller, messages, open)?;
            if limits.reduced {
                let found = survey(&protocol, limits, false, keep_going).broken;
                if found.is_empty() {
                    continue;
                }
                protocol = Protocol::watching(&smaller, messages, found)?;
            }
            let checks = protocol.checks_of(protocol.watched(), Vec::new());
            let exploration = protocol.run(limited(&protocol, checks, limits, keep_going).stop_when_decided());
            let found = Survey::of(&protocol, &exploration).broken;
            told.extend(found.iter().map(|property| story(&protocol, &exploration, property, messages)));
        }
    }
    told.sort_by_key(|violation| violation.property);
    Ok(told)
}

fn story(protocol: &Protocol, exploration: &Exploration<Moment>, property: PropertyId, messages: u32) -> Violation {
    let state = exploration.finding(property.word()).and_then(|finding| finding.decided_by).expect("it was found");
    let path = exploration.graph.path_to(protocol, state);
    let mut steps: Vec<Step> = path.actions().copied().collect();
    let message = match protocol.watch.watched.contains(property) {
        true => broken_inside(protocol, &exploration.graph.state(state), property, &mut steps),
        false => protocol.broken_for(&steps, property),
    };
    Violation { property, message, messages, steps, cycle: Vec::new(), needs: None, is_shortest: true }
}

/// Adds the step from this moment that breaks the property, unless it is broken by there being none, and says for which
/// message.
fn broken_inside(
    protocol: &Protocol,
    moment: &Moment,
    property: PropertyId,
    steps: &mut Vec<Step>,
) -> Option<MessageId> {
    let mut possible = Vec::new();
    protocol.actions(moment, &mut possible);
    let mut broken_for = None;
    let step = possible.into_iter().find(|&step| {
        protocol.breaks(&moment.state, step, |broken, message| {
            broken_for = broken_for.or((broken == property).then_some(message));
        });
        broken_for.is_some()
    });
    steps.extend(step);
    if step.is_none() {
        protocol.breaks_at_rest(&moment.state, |broken, message| {
            broken_for = broken_for.or((broken == property).then_some(message));
        });
    }
    broken_for
}

impl Protocol {
    /// The watched properties as claims about every moment, and each fault's mark as one about some moment: what
    /// `Model::properties` says one by one, answered together.
    pub fn checks<M>(&self) -> Checks<'_, M>
    where
        M: Model<Action = Step>,
        M::State: Borrow<Moment>,
    {
        self.checks_of(self.watched(), self.spec.settings().faults().collect())
    }

    fn checks_of<M>(&self, properties: PropertySet, faults: Vec<Fault>) -> Checks<'_, M>
    where
        M: Model<Action = Step>,
        M::State: Borrow<Moment>,
    {
        let properties: Vec<PropertyId> = properties.iter().collect();
        let all_kept = (1 << properties.len()) - 1;
        let always = properties.iter().map(|property| Check::always(property.word()));
        let sometimes = faults.iter().map(|fault| Check::sometimes(fault.word()));
        let broken = |&property: &PropertyId| signs::REST | signs::of_properties(property.into());
        let struck = |&fault: &Fault| signs::of_fault(fault);
        let signs = properties.iter().map(broken).chain(faults.iter().map(struck)).collect();
        let checks = Checks::new(always.chain(sometimes).collect(), move |state: &M::State, steps: &[Step]| {
            let moment = state.borrow();
            let broken = self.broken_here(moment, steps);
            let bit = |(i, &property)| u64::from(!broken.contains(property)) << i;
            let kept = if broken.is_empty() { all_kept } else { properties.iter().enumerate().map(bit).sum() };
            let fired = faults.iter().enumerate().map(|(i, &fault)| u64::from(moment.state.fired(fault) > 0) << i);
            kept | fired.sum::<u64>() << properties.len()
        });
        checks.shown_by(signs)
    }

    /// For which message the path breaks the property.
    pub fn broken_for(&self, path: &[Step], property: PropertyId) -> Option<MessageId> {
        let watching = Monitor { watched: property.into(), ..self.monitor };
        let mut store = Bounded::<MESSAGES_MAX>::default();
        let mut state = State::default();
        let mut broken = None;
        for &step in path {
            for event in self.spec.take(&mut state, step).iter() {
                watching.feed(&mut store, event, |_, _| broken = broken.or(event.kind.message()));
            }
        }
        if self.spec.is_quiescent(&state) {
            watching.finish(&store, |message, _, _| broken = broken.or(Some(message)));
        }
        broken
    }

    /// The rules by which its runs are judged.
    pub fn rules(&self) -> &Rules {
        &self.monitor.rules
    }
}
