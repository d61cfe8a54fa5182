//! The protocol's promises about whole runs: that what was begun ends.
//!
//! Every fault has a budget, so faults strike finitely often and every run has a suffix without them: `until-acked` ends
//! although each single loss may happen. What can still go wrong is a run that stops too early, and one that goes in
//! circles: both are shown as a stem and a cycle. What is owed of whom is said in `fair`, the promises in `claim`.
//!
//! The story of a broken promise is the one with the fewest messages, then the fewest faults, then the fewest steps.

mod claim;
mod fair;

use std::collections::BTreeSet;

use super::graph::{Checks, Completeness, Cut, Exploration, Lasso, Liveness, Progress, StateId, Walk};
use super::limits::{Limits, budgets};
use super::protocol::{Moment, Protocol};
use crate::pipeline::Pipeline;
use crate::semantics::{Doubt, PropertySet, Verdict};
use crate::spec::bounds::{self, TooManyMessages};
use crate::vocab::{MessageId, Step};

use claim::Subject;

pub use claim::Claim;
pub use fair::{Shares, Turn, class, fairness};

/// What a promise about whole runs comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LivenessFinding {
    /// The promise.
    pub claim: Claim,
    /// Whether it is kept.
    pub verdict: Verdict,
    /// How fair the shares must be for it to be kept; where it is broken, it is even so.
    pub shares: Shares,
    /// A run that breaks it.
    pub broken_by: Option<EndlessRun>,
}

/// A run that does not end: its stem, and what it then does for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndlessRun {
    /// For which message the promise is broken.
    pub message: MessageId,
    /// How many messages the story needs.
    pub messages: u32,
    /// What happens first.
    pub stem: Vec<Step>,
    /// What happens again and again; empty where nothing more does.
    pub cycle: Vec<Step>,
}

/// Checks these promises about whole runs, each once.
///
/// `keep_going` is asked now and then; when it says no, the verdicts that were not reached are unknown.
pub fn liveness(
    pipeline: &Pipeline,
    claims: impl IntoIterator<Item = Claim>,
    limits: Limits,
    keep_going: &dyn Fn(&Progress) -> bool,
) -> Result<Vec<LivenessFinding>, TooManyMessages> {
    let claims: Vec<Claim> = claims.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let searched = Searched::new(pipeline, &claims, limits, keep_going)?;
    let cut = !bounds::exceeded(pipeline).is_empty();
    let mut findings: Vec<LivenessFinding> = claims.iter().map(|&claim| searched.finding(claim)).collect();
    for finding in findings.iter_mut().filter(|finding| cut && finding.verdict == Verdict::Holds) {
        finding.verdict = Verdict::Unknown(Doubt::BoundCut);
    }
    simplify(&mut findings, pipeline, limits, keep_going)?;
    Ok(findings)
}

/// Puts the shortest story in the place of each: within ever larger bounds, until all are told.
fn simplify(
    findings: &mut [LivenessFinding],
    pipeline: &Pipeline,
    limits: Limits,
    keep_going: &dyn Fn(&Progress) -> bool,
) -> Result<(), TooManyMessages> {
    let mut untold: Vec<&mut LivenessFinding> =
        findings.iter_mut().filter(|finding| finding.verdict == Verdict::Violated).collect();
    for messages in 1..=limits.messages {
        for faults in budgets(pipeline.faults) {
            if untold.is_empty() {
                return Ok(());
            }
            let smaller = Pipeline { faults, ..pipeline.clone() };
            let claims: Vec<Claim> = untold.iter().map(|finding| finding.claim).collect();
            let searched = Searched::new(&smaller, &claims, Limits { messages, ..limits }, keep_going)?;
            untold.retain_mut(|finding| {
                let told = searched.broken(finding.claim, Shares::Fair).found;
                told.map(|run| finding.broken_by = Some(run)).is_none()
            });
        }
    }
    Ok(())
}

/// The graph of a protocol, to read promises off.
struct Searched {
    protocol: Protocol,
    exploration: Exploration<Moment>,
    /// The claims, each with a message or a position that it is about.
    promises: Vec<(Claim, Subject)>,
    /// By state: the promises that it makes, and those that it keeps, as bits.
    made_and_kept: Vec<[u32; 2]>,
}

/// What was found of a promise under one kind of fairness.
struct Broken {
    /// The shortest run that breaks it.
    found: Option<EndlessRun>,
    /// Why it may be broken all the same.
    doubt: Option<Doubt>,
}

impl Searched {
    fn new(
        pipeline: &Pipeline,
        claims: &[Claim],
        limits: Limits,
        keep_going: &dyn Fn(&Progress) -> bool,
    ) -> Result<Self, TooManyMessages> {
        let watched = claims.iter().fold(PropertySet::EMPTY, |watched, claim| watched | claim.watched(pipeline));
        let protocol = Protocol::watching(pipeline, limits.messages, watched)?;
        let walk = Walk::new(&protocol).checks(Checks::none()).edges(class).threads(limits.threads);
        let exploration = protocol.run(walk.states_max(limits.states_max).keep_going(keep_going));
        let subjects_of = |claim: Claim| claim.subjects(limits.messages).into_iter().map(move |it| (claim, it));
        let promises: Vec<(Claim, Subject)> = claims.iter().copied().flat_map(subjects_of).collect();
        assert!(promises.len() <= u32::BITS as usize, "a promise is a bit of a word");
        // One pass over the states for all promises: to unpack a state costs more than to look at it.
        let look = |id| {
            let moment: Moment = exploration.graph.state(id);
            promises.iter().rev().fold([0, 0], |[made, kept], &(claim, subject)| {
                let is_made = claim.is_made(&protocol, &moment, subject);
                let is_kept = claim.is_kept(&protocol, &moment, subject);
                [made << 1 | u32::from(is_made), kept << 1 | u32::from(is_kept)]
            })
        };
        let made_and_kept = exploration.graph.ids().map(look).collect();
        Ok(Searched { protocol, exploration, promises, made_and_kept })
    }

    fn finding(&self, claim: Claim) -> LivenessFinding {
        let any = self.broken(claim, Shares::Any);
        let (shares, broken) = match any.found {
            None => (Shares::Any, any),
            Some(_) => (Shares::Fair, self.broken(claim, Shares::Fair)),
        };
        let verdict = match broken {
            Broken { found: Some(_), .. } => Verdict::Violated,
            Broken { doubt: Some(doubt), .. } => Verdict::Unknown(doubt),
            Broken { .. } => Verdict::Holds,
        };
        LivenessFinding { claim, verdict, shares, broken_by: broken.found }
    }

    fn broken(&self, claim: Claim, shares: Shares) -> Broken {
        let doubt = match self.exploration.completeness {
            Completeness::Complete => None,
            Completeness::Incomplete(Cut::Stopped) => Some(Doubt::Stopped),
            Completeness::Incomplete(_) => Some(Doubt::BoundCut),
        };
        let mut broken = Broken { found: None, doubt };
        for (bit, &(_, subject)) in self.promises.iter().enumerate().filter(|(_, (its, _))| *its == claim) {
            let made = |id: StateId| self.made_and_kept[id.0 as usize][0] >> bit & 1 != 0;
            let kept = |id: StateId| self.made_and_kept[id.0 as usize][1] >> bit & 1 != 0;
            match self.exploration.leads_to_by_id(&self.protocol, fairness(shares), made, kept) {
                Liveness::Holds | Liveness::Unknown(_) => {}
                Liveness::Violated(lasso) => {
                    let run = self.told(&lasso, subject);
                    let steps = |run: &EndlessRun| run.stem.len() + run.cycle.len();
                    if broken.found.as_ref().is_none_or(|other| steps(&run) < steps(other)) {
                        broken.found = Some(run);
                    }
                }
            }
        }
        broken
    }

    fn told(&self, lasso: &Lasso<Moment, Step>, subject: Subject) -> EndlessRun {
        EndlessRun {
            message: subject.message(&lasso.stem.last).expect("a promise is about a message that was submitted"),
            messages: self.protocol.spec.settings().messages(),
            stem: lasso.stem.actions().copied().collect(),
            cycle: lasso.cycle.actions().copied().collect(),
        }
    }
}
