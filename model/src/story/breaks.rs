//! Where a run of the protocol breaks a property: at a step, or by what never comes.
//!
//! The properties say what is broken; here is only which step it was.

use std::collections::{BTreeMap, BTreeSet};

use super::marks::Counted;
use crate::pipeline::Pipeline;
use crate::semantics::whitebox::{Happened, Watch, WhiteboxRules};
use crate::semantics::{Bounded, Breach, Monitor, PropertyId, PropertySet, Rules};
use crate::spec::bounds::MESSAGES_MAX;
use crate::spec::{Spec, State};
use crate::vocab::{Event, MessageId, Step};

/// One break of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// Which property.
    pub property: PropertyId,
    /// For which message.
    pub message: MessageId,
    /// The step that breaks it, counted from 0; none if it is broken by what never comes.
    pub step: Option<usize>,
    /// What the story says of it, such as "2nd effect" beside the step, or "message 1 is never delivered" below all steps.
    pub words: String,
}

/// The end of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The run ends where nothing more can happen; otherwise its rest is not told.
    Last,
    /// Some of its last steps are repeated for ever, and pay nothing.
    Loop,
}

/// The properties that a run is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The properties of the run's events.
    pub monitor: Monitor,
    /// The properties of what the parties hold.
    pub watch: Watch,
}

impl Asked {
    /// These properties of a pipeline, read by these rules.
    pub fn new(pipeline: &Pipeline, rules: Rules, properties: PropertySet) -> Self {
        Asked {
            monitor: Monitor { rules, watched: properties & PropertySet::BLACK_BOX },
            watch: Watch { terms: WhiteboxRules::from(pipeline), watched: properties & PropertySet::WHITE_BOX },
        }
    }

    /// The first break of each property for each message, in the order of the steps; what never comes is last.
    ///
    /// # Panics
    /// May panic if the path is not one of `spec`.
    pub fn breaks(&self, spec: &Spec, path: &[Step], end: End) -> Vec<Break> {
        let mut search = Search::default();
        let mut state = State::default();
        for (at, &step) in path.iter().enumerate() {
            self.step(spec, &mut state, (at, step), &mut search);
        }
        self.end(spec, &state, end, &mut search);
        search.found
    }

    fn step(&self, spec: &Spec, state: &mut State, (at, step): (usize, Step), search: &mut Search) {
        let before = self.watch.before(step, &spec.look(state));
        let mut happened = Happened::default();
        spec.take_telling(state, step, |event| {
            happened.note(event);
            search.observe(&self.monitor, at, event);
        });
        if !state.is_cut() {
            self.watch.after(before, step, happened, &spec.look(state), |property, message| {
                search.add(property, message, Some(at), format!("breaks {property}"));
            });
        }
    }

    fn end(&self, spec: &Spec, state: &State, end: End, search: &mut Search) {
        let rests = spec.is_quiescent(state) && !state.is_cut();
        let broken = match (end, rests) {
            (End::Last, true) => PropertySet::of(PropertyId::ALL),
            (End::Loop, _) => PropertySet::OF_ENDLESS_RUNS,
            (End::Last, false) => return,
        };
        let store = search.store;
        self.monitor.finish(&store, |message, property, breach| {
            if broken.contains(property) {
                search.never(&self.monitor, property, message, breach);
            }
        });
        if rests {
            self.watch.at_rest(&spec.look(state), |property, message| {
                search.add(property, message, None, format!("message {message} breaks {property}"));
            });
        }
    }
}

#[derive(Default)]
struct Search {
    store: Bounded<MESSAGES_MAX>,
    counted: BTreeMap<MessageId, Counted>,
    known: BTreeSet<(PropertyId, MessageId)>,
    found: Vec<Break>,
}

impl Search {
    fn observe(&mut self, monitor: &Monitor, at: usize, event: &Event) {
        let message = event.kind.message();
        let counted = message.map(|message| self.counted.entry(message).or_default());
        let counted = counted.map(|counted| {
            counted.count(&event.kind);
            *counted
        });
        let mut broken = Vec::new();
        monitor.feed(&mut self.store, event, |property, breach| broken.push((property, breach)));
        // Only what a message does breaks a property.
        for (message, counted) in message.into_iter().zip(counted) {
            for &(property, breach) in &broken {
                self.add(property, message, Some(at), counted.mark(breach));
            }
        }
    }

    fn never(&mut self, monitor: &Monitor, property: PropertyId, message: MessageId, breach: Breach) {
        let counted = self.counted.get(&message).copied().unwrap_or_default();
        let never = counted.never(message, breach, monitor.rules.level);
        self.add(property, message, None, never.unwrap_or_else(|| format!("message {message} {breach}")));
    }

    fn add(&mut self, property: PropertyId, message: MessageId, step: Option<usize>, words: String) {
        if self.known.insert((property, message)) {
            self.found.push(Break { property, message, step, words });
        }
    }
}
