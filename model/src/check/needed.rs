//! Stories that need a setting: runs that break a property, and are none, or break nothing, where that setting has its
//! stronger word.
//!
//! The shortest story of a weak pipeline is often one that any pipeline of its kind has: a crash between effect and
//! settle repeats an effect whatever the broker does with its settles. Whoever has chosen a weaker setting wants to see
//! what that one breaks. So the weak protocol is walked beside the strong one: both take the same steps for as long as the
//! strong one offers them.
//!
//! A story is looked for among those with as many messages and faults as the shortest one.
//!
//! Left out: properties of what the parties hold, and runs without end.

use stateright::{Model, Property};

use super::graph::{Check, Checks, Progress, Walk};
use super::limits::Limits;
use super::protocol::{Moment, Protocol};
use super::violation::Violation;
use crate::pipeline::{FaultBudget, Pipeline, RecordsSettles, Settles};
use crate::semantics::{PropertyId, PropertySet};
use crate::spec::bounds::TooManyMessages;
use crate::vocab::{Fault, MessageId, Move, Step};

/// At most so many pairs of moments are searched. Without such a story, the shortest one is told.
const PAIRS_MAX: u32 = 200_000;

/// A setting with a weaker word than another one that it could have.
#[derive(Clone, Copy, Debug)]
struct Weakness {
    /// Key and value, as a pipeline has them.
    setting: &'static str,
    /// The pipeline has it, and under its faults it can matter.
    is_in: fn(&Pipeline) -> bool,
    /// Gives it the stronger word.
    strengthen: fn(&mut Pipeline),
}

/// Those whose harm hides behind what common faults do anyway, and shows in the very steps that the stronger word rules
/// out. (A story that needs unchecked leases, say, may well break the property by something else.)
const WEAKNESSES: [Weakness; 1] = [Weakness {
    setting: "broker.records-settles = \"lazily\"",
    is_in: |it| {
        it.broker.records_settles == RecordsSettles::Lazily
            && it.consumer.settles != Settles::WithEffect
            && it.faults.of(Fault::BrokerCrash) > 0
    },
    strengthen: |it| it.broker.records_settles = RecordsSettles::AfterSync,
}];

/// Puts a story that needs the pipeline's weak setting in the place of each that does not, where there is one, and says
/// which setting each needs.
pub(super) fn prefer(
    pipeline: &Pipeline,
    limits: Limits,
    violations: &mut [Violation],
    keep_going: &dyn Fn(&Progress) -> bool,
) -> Result<(), TooManyMessages> {
    let weaknesses: Vec<Weakness> = WEAKNESSES.into_iter().filter(|weakness| (weakness.is_in)(pipeline)).collect();
    let finite = |it: &&mut Violation| PropertySet::BLACK_BOX.contains(it.property) && it.cycle.is_empty();
    for violation in violations.iter_mut().filter(finite) {
        for weakness in &weaknesses {
            let struck = violation.steps.iter().filter(|step| step.fault().is_some()).count() as u32;
            let faults = match struck {
                0 => FaultBudget::NONE,
                struck => pipeline.faults.capped(struck),
            };
            let smaller = Pipeline { faults, ..pipeline.clone() };
            let needing = Needing::new(&smaller, violation.messages, weakness, violation.property)?;
            if needing.is_needed_by(&violation.steps) {
                violation.needs = Some(weakness.setting);
                break;
            }
            if let Some(found) = shortest(&needing, limits, violation, keep_going) {
                (violation.steps, violation.message) = (found.0, found.1);
                violation.needs = Some(weakness.setting);
                break;
            }
        }
    }
    Ok(())
}

/// The story with the fewest steps that needs the weak setting, of as many messages and faults as the one that was found:
/// one with more of them could break the property for another reason.
fn shortest(
    needing: &Needing,
    limits: Limits,
    told: &Violation,
    keep_going: &dyn Fn(&Progress) -> bool,
) -> Option<(Vec<Step>, Option<MessageId>)> {
    let kept = |pair: &Pair, _: &[Step]| u64::from(!needing.is_broken(pair));
    let checks = Checks::new(vec![Check::always("kept")], kept);
    let walk = Walk::new(needing).checks(checks).threads(limits.threads).states_max(PAIRS_MAX);
    let exploration = walk.keep_going(keep_going).stop_when_decided().run();
    let state = exploration.finding("kept")?.decided_by?;
    let steps: Vec<Step> = exploration.graph.path_to(needing, state).actions().copied().collect();
    let message = needing.weak.broken_for(&steps, told.property);
    Some((steps, message))
}

/// The weak protocol beside the strong one.
struct Needing {
    weak: Protocol,
    strong: Protocol,
    property: PropertyId,
}

/// A moment of the weak protocol, and that of the strong one after the same steps; none if it does not offer one of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pair {
    weak: Moment,
    strong: Option<Moment>,
}

impl Needing {
    fn new(
        pipeline: &Pipeline,
        messages: u32,
        weakness: &Weakness,
        property: PropertyId,
    ) -> Result<Self, TooManyMessages> {
        let mut strong = pipeline.clone();
        (weakness.strengthen)(&mut strong);
        let weak = Protocol::watching(pipeline, messages, property.into())?;
        // The same question of both, by the weak one's rules.
        let strong = Protocol { monitor: weak.monitor, ..Protocol::watching(&strong, messages, property.into())? };
        Ok(Needing { weak, strong, property })
    }

    fn step(&self, pair: &Pair, step: Step) -> Pair {
        let strong = pair.strong.and_then(|moment| {
            let mut offered = Vec::new();
            self.strong.actions(&moment, &mut offered);
            match step {
                _ if offered.contains(&step) => Some(self.strong.step(&moment, step)),
                // Nothing is left to sync: the strong one has done it already.
                Step::Move(Move::Sync) => Some(moment),
                _ => None,
            }
        });
        Pair { weak: self.weak.step(&pair.weak, step), strong }
    }

    /// The weak protocol breaks the property here, and the strong one does not come here or keeps it.
    fn is_broken(&self, pair: &Pair) -> bool {
        let breaks = |protocol: &Protocol, moment: &Moment| {
            let quiescent = !moment.state.is_cut() && protocol.spec.is_quiescent(&moment.state);
            protocol.broken(moment, quiescent).contains(self.property)
        };
        breaks(&self.weak, &pair.weak) && !pair.strong.as_ref().is_some_and(|moment| breaks(&self.strong, moment))
    }

    fn is_needed_by(&self, steps: &[Step]) -> bool {
        let start = Pair { weak: Moment::default(), strong: Some(Moment::default()) };
        self.is_broken(&steps.iter().fold(start, |pair, &step| self.step(&pair, step)))
    }
}

impl Model for Needing {
    type State = Pair;
    type Action = Step;

    fn init_states(&self) -> Vec<Pair> {
        vec![Pair { weak: Moment::default(), strong: Some(Moment::default()) }]
    }

    fn actions(&self, pair: &Pair, actions: &mut Vec<Step>) {
        self.weak.actions(&pair.weak, actions);
    }

    fn next_state(&self, pair: &Pair, step: Step) -> Option<Pair> {
        Some(self.step(pair, step))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Vec::new()
    }

    fn within_boundary(&self, pair: &Pair) -> bool {
        self.weak.within_boundary(&pair.weak)
    }
}
