//! The protocol as a [`stateright::Model`], with the monitors of the semantics as its history variable.
//!
//! Source: implements `Model` directly, not through Stateright's actors, so that a crash can fall between any two steps.
//! The invariants are the monitors' verdicts and, of single steps, the watch's; nothing here says what a property means.

use std::fmt;
use std::ops::ControlFlow;

use stateright::{Model, Path, Property};

use crate::pipeline::Pipeline;
use crate::semantics::whitebox::{Happened, Watch, WhiteboxRules};
use crate::semantics::{Bounded, Monitor, Observed, PropertyId, PropertySet, Rules};
use crate::spec::bounds::{MESSAGES_MAX, TooManyMessages};
use crate::spec::{Spec, State};
use crate::story::{Asked, End, Story};
use crate::vocab::{Fault, MessageId, Step};

/// The protocol of one pipeline, watched.
#[derive(Clone, Debug)]
pub struct Protocol {
    /// What may happen.
    pub spec: Spec,
    /// Who judges it by its events.
    pub monitor: Monitor,
    /// Who judges it by what the parties hold.
    pub watch: Watch,
}

/// One moment of a run: the protocol's state, and what the monitors have seen on the way to it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Moment {
    /// What producer, wires, broker and consumer know.
    pub state: State,
    /// What happened so far, as the properties see it.
    pub observed: Observed<Bounded<MESSAGES_MAX>>,
}

impl fmt::Debug for Moment {
    /// As a person would say it: this is what the Explorer shows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.state)?;
        let broken: Vec<&str> = self.observed.violated().iter().map(PropertyId::word).collect();
        write!(f, "broken so far: {}", if broken.is_empty() { "nothing".to_owned() } else { broken.join(", ") })
    }
}

impl Protocol {
    /// The protocol of this pipeline for so many messages, watched by every property that says something about it.
    pub fn new(pipeline: &Pipeline, messages: u32) -> Result<Self, TooManyMessages> {
        Self::watching(pipeline, messages, Rules::from(pipeline).applicable() | Watch::new(pipeline).watched)
    }

    /// The same, watched by these properties alone. What is not watched costs no states.
    pub fn watching(pipeline: &Pipeline, messages: u32, watched: PropertySet) -> Result<Self, TooManyMessages> {
        let monitor = Monitor { rules: Rules::from(pipeline), watched: watched & PropertySet::BLACK_BOX };
        let watch = Watch { terms: WhiteboxRules::from(pipeline), watched: watched & PropertySet::WHITE_BOX };
        Ok(Protocol { spec: Spec::new(pipeline, messages)?, monitor, watch })
    }

    /// Takes a step, and shows its events to the monitors.
    #[inline]
    pub fn step(&self, moment: &Moment, step: Step) -> Moment {
        let mut next = *moment;
        let Moment { state, observed } = &mut next;
        self.spec.take_telling(state, step, |event| self.monitor.observe(observed, event));
        next
    }

    /// What is broken at this moment: what already happened, and, where the run may end here, what never will.
    pub fn broken(&self, moment: &Moment, quiescent: bool) -> PropertySet {
        if quiescent { self.monitor.at_quiescence(&moment.observed) } else { moment.observed.violated() }
    }

    /// Every watched property.
    pub fn watched(&self) -> PropertySet {
        self.monitor.watched | self.watch.watched
    }

    /// What is broken at this moment, or will be by one of the steps that are possible now.
    ///
    /// A step that breaks what the parties should hold makes no state of its own: the one it starts from tells of it.
    pub fn broken_here(&self, moment: &Moment, steps: &[Step]) -> PropertySet {
        let quiescent = !moment.state.is_cut() && steps.iter().all(|step| step.fault().is_some());
        let mut broken = self.broken(moment, quiescent);
        if quiescent {
            self.breaks_at_rest(&moment.state, |property, _| broken.insert(property));
        }
        for &step in steps {
            self.breaks(&moment.state, step, |property, _| broken.insert(property));
        }
        broken
    }

    /// What taking this step breaks, by what the parties hold before and after it, and for which message.
    pub fn breaks(&self, state: &State, step: Step, breached: impl FnMut(PropertyId, MessageId)) {
        self.breaks_for(&self.watch, state, step, breached);
    }

    fn breaks_for(&self, watch: &Watch, state: &State, step: Step, breached: impl FnMut(PropertyId, MessageId)) {
        if !watch.concerns(step) {
            return;
        }
        let before = watch.before(step, &self.spec.look(state));
        let mut next = *state;
        let mut happened = Happened::default();
        self.spec.take_telling(&mut next, step, |event| happened.note(event));
        if !next.is_cut() {
            watch.after(before, step, happened, &self.spec.look(&next), breached);
        }
    }

    /// Whether no step that is possible now breaks this white-box property, nor the want of one.
    fn keeps_inside(&self, state: &State, property: PropertyId) -> bool {
        let watch = Watch { watched: property.into(), ..self.watch };
        let (mut rests, mut is_kept) = (true, true);
        let _ = self.spec.moves(state, &mut |it| {
            rests = false;
            self.breaks_for(&watch, state, it.into(), |_, _| is_kept = false);
            if is_kept { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if is_kept {
            self.spec.faults(state, &mut |it| self.breaks_for(&watch, state, it.into(), |_, _| is_kept = false));
        }
        if rests {
            watch.at_rest(&self.spec.look(state), |_, _| is_kept = false);
        }
        is_kept
    }

    /// What the parties still owe in this state, if nothing more can happen.
    pub fn breaks_at_rest(&self, state: &State, breached: impl FnMut(PropertyId, MessageId)) {
        self.watch.at_rest(&self.spec.look(state), breached);
    }

    /// Where the Explorer shows this path, below its address; none if it is not one of the protocol's.
    pub fn explorer_link(&self, path: &[Step]) -> Option<String> {
        let mut link = "#/steps/0".to_owned();
        let mut steps = Vec::new();
        for (moment, step) in self.along(path).zip(path) {
            self.actions(&moment, &mut steps);
            link += &format!("/{}", steps.drain(..).position(|offered| offered == *step)?);
        }
        Some(link)
    }

    /// The moments along a path, the first one included.
    pub fn along<'a>(&'a self, path: &'a [Step]) -> impl Iterator<Item = Moment> + 'a {
        let rest = path.iter().scan(Moment::default(), |moment, &step| {
            *moment = self.step(moment, step);
            Some(*moment)
        });
        std::iter::once(Moment::default()).chain(rest)
    }
}

impl Model for Protocol {
    type State = Moment;
    type Action = Step;

    fn init_states(&self) -> Vec<Moment> {
        vec![Moment::default()]
    }

    fn actions(&self, moment: &Moment, actions: &mut Vec<Step>) {
        if moment.state.is_cut() {
            return;
        }
        self.spec.steps(&moment.state, &mut |step| actions.push(step));
    }

    #[inline]
    fn next_state(&self, moment: &Moment, step: Step) -> Option<Moment> {
        Some(self.step(moment, step))
    }

    fn format_action(&self, step: &Step) -> String {
        step.to_string()
    }

    fn as_svg(&self, path: Path<Moment, Step>) -> Option<String> {
        let steps: Vec<Step> = path.into_actions();
        let asked = Asked { monitor: self.monitor, watch: self.watch };
        let breaks = asked.breaks(&self.spec, &steps, End::Last);
        Some(Story::of(&self.spec, &steps).marked(&breaks).svg())
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let watched = self.watched();
        let always = watched.iter().map(|property| Property::always(property.word(), KEEPS[property as usize]));
        let fired = self.spec.settings().faults().map(|fault| Property::sometimes(fault.word(), FIRED[fault as usize]));
        always.chain(fired).collect()
    }

    fn within_boundary(&self, moment: &Moment) -> bool {
        !moment.state.is_cut()
    }
}

type Condition = fn(&Protocol, &Moment) -> bool;

/// Stateright's conditions are plain functions, so each property and each fault has one of its own.
fn keeps<const PROPERTY: usize>(protocol: &Protocol, moment: &Moment) -> bool {
    let property = PropertyId::ALL[PROPERTY];
    if PropertySet::WHITE_BOX.contains(property) {
        return moment.state.is_cut() || protocol.keeps_inside(&moment.state, property);
    }
    let quiescent = protocol.spec.is_quiescent(&moment.state);
    !protocol.broken(moment, quiescent).contains(property)
}

fn fired<const FAULT: usize>(_: &Protocol, moment: &Moment) -> bool {
    Fault::ALL.get(FAULT).is_some_and(|&fault| moment.state.fired(fault) > 0)
}

/// As many conditions as a set of properties has room for; those beyond the last property or fault are never asked.
macro_rules! conditions {
    ($function:ident) => {
        conditions!($function: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
    };
    ($function:ident: $($index:literal)*) => { [$($function::<$index> as Condition),*] };
}
pub(super) use conditions;

pub(super) const KEEPS: [Condition; PropertySet::CAPACITY] = conditions!(keeps);
/// More than there are faults, so that a new one needs no change here.
const FIRED: [Condition; 32] = conditions!(fired);
const _: () = assert!(Fault::ALL.len() <= FIRED.len());
