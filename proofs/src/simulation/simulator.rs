//! Runs many schedules of one pipeline and judges each, in one place: the room that a run took is used for the next.
//!
//! Nothing is recorded. The monitors take in each event when it happens, and what a report counts is counted. A schedule that
//! needs more than the pipeline's own settings allow for, or whose run goes on for ever, is run by itself (`super::run`).

use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{PlannedFault, Schedule};
use delivery_model::semantics::{Monitor, Observed, PropertySet, Rules, Unbounded};
use delivery_model::vocab::{Event, EventKind, Step};

use super::coverage::Coverage;
use super::party_state::Inspector;
use super::plan::Plan;
use super::report::CampaignReport;
use super::run::{Ending, Listener, Run, Running, run, steps_max};
use super::strategy::Drawn;
use super::world::World;
use crate::mutants::Mutant;

/// Runs and judges schedules of one pipeline, one after the other.
pub struct Simulator {
    pipeline: Pipeline,
    mutant: Mutant,
    rules: Rules,
    plan: Plan,
    running: Running<Judge>,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The properties that it broke, as [`broken_by`] says.
    pub broken: PropertySet,
    /// The number of its steps, faults included.
    pub steps: usize,
    /// The number of its events.
    pub events: u64,
    /// The number of its deliveries and effects.
    pub deliveries_and_effects: u64,
    /// The number of messages that were set aside.
    pub dead_lettered: u64,
    /// How it ended.
    pub ending: Ending,
}

/// Takes in the events of a run.
struct Judge {
    monitor: Monitor,
    observed: Observed<Unbounded>,
    events: u64,
    deliveries_and_effects: u64,
    dead_lettered: u64,
    coverage: Option<Coverage>,
}

impl Listener for Judge {
    fn hear(&mut self, _: u64, event: Event) {
        self.monitor.observe(&mut self.observed, &event);
        self.events += 1;
        self.deliveries_and_effects += u64::from(is_delivery_or_effect(&event.kind));
        self.dead_lettered += u64::from(matches!(event.kind, EventKind::DeadLetter { .. }));
    }

    fn look(&mut self, step: Step, world: &World) {
        if let Some(coverage) = &mut self.coverage {
            coverage.note(step, world);
        }
    }
}

fn is_delivery_or_effect(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Deliver { .. } | EventKind::Effect { .. })
}

impl Simulator {
    /// Runs schedules of this pipeline, with this bug in the cores.
    pub fn new(pipeline: &Pipeline, mutant: Mutant) -> Simulator {
        let rules = Rules::from(pipeline);
        let schedule = Drawn { messages: 1, faults: Vec::new(), seed: 0 }.of(pipeline);
        let judge = Judge {
            monitor: Monitor::new(rules),
            observed: Observed::default(),
            events: 0,
            deliveries_and_effects: 0,
            dead_lettered: 0,
            coverage: None,
        };
        let running = Running::new(World::new(pipeline, 1, mutant), Inspector::new(&schedule), judge);
        Simulator { pipeline: pipeline.clone(), mutant, rules, plan: Plan::default(), running }
    }

    /// The same, noting what its runs come to.
    pub(super) fn guided(pipeline: &Pipeline, mutant: Mutant) -> Simulator {
        let mut simulator = Simulator::new(pipeline, mutant);
        simulator.running.listener.coverage = Some(Coverage::default());
        simulator
    }

    /// What the runs came to.
    ///
    /// # Panics
    /// If that was not to be noted.
    pub(super) fn coverage(&self) -> &Coverage {
        self.running.listener.coverage.as_ref().expect("it is guided")
    }

    /// Runs and judges a schedule of so many messages under these planned faults, whose choices come from the seed.
    pub fn run(&mut self, messages: u32, faults: &[PlannedFault], seed: u64) -> Judged {
        let budget = &self.pipeline.faults;
        if faults.iter().any(|planned| budget.of(planned.fault) == 0) {
            return self.alone(messages, faults, seed);
        }
        self.begin(messages, faults);
        let steps_max = steps_max(messages, faults.len());
        let has_ended = self.running.seeded(&mut self.plan, steps_max, seed);
        if let Some(from) = self.running.long_loop(steps_max) {
            let schedule = self.schedule(messages, faults, seed);
            let (looping, looped) = self.running.looping_soonest(&schedule, self.mutant, from);
            return self.judged(&looping.finish(Vec::new(), looped));
        }
        let Running { world, inspector, listener: judge, steps, .. } = &mut self.running;
        let rests = has_ended || world.is_quiescent();
        if rests {
            judge.events += 1; // the rest itself
            inspector.at_rest(world);
        }
        let seen = match rests {
            true => judge.monitor.at_quiescence(&judge.observed),
            false => judge.observed.violated(),
        };
        Judged {
            broken: seen | inspector.breaches().iter().map(|(property, _)| *property).collect(),
            steps: steps.len(),
            events: judge.events,
            deliveries_and_effects: judge.deliveries_and_effects,
            dead_lettered: judge.dead_lettered,
            ending: if rests { Ending::Rest } else { Ending::Cut },
        }
    }

    /// For each planned fault of the latest run the step that it was, counted from 0; none if it did not strike.
    pub fn fired(&self) -> &[Option<usize>] {
        self.plan.fired()
    }

    /// Adds the latest run, of these planned faults, to a report.
    pub(super) fn count(&self, report: &mut CampaignReport, faults: &[PlannedFault], judged: &Judged) {
        report.runs += 1;
        report.steps += judged.steps as u64;
        report.events += judged.events;
        report.deliveries_and_effects += judged.deliveries_and_effects;
        report.dead_lettered += judged.dead_lettered;
        report.not_quiescent += u32::from(judged.ending == Ending::Cut);
        report.endless += u32::from(matches!(judged.ending, Ending::Loop { .. }));
        for (planned, fired) in faults.iter().zip(self.fired()) {
            report.planned[planned.fault as usize] += 1;
            report.fired[planned.fault as usize] += u64::from(fired.is_some());
        }
    }

    fn begin(&mut self, messages: u32, faults: &[PlannedFault]) {
        self.plan.begin(self.pipeline.broker.acks, faults);
        self.running.world.start_over(messages);
        self.running.begin();
        let Running { inspector, listener: judge, .. } = &mut self.running;
        inspector.begin();
        judge.observed.clear();
        judge.coverage.iter_mut().for_each(Coverage::begin);
        (judge.events, judge.deliveries_and_effects, judge.dead_lettered) = (0, 0, 0);
    }

    fn schedule(&self, messages: u32, faults: &[PlannedFault], seed: u64) -> Schedule {
        Drawn { messages, faults: faults.to_vec(), seed }.of(&self.pipeline)
    }

    /// Runs a schedule with settings of its own.
    fn alone(&mut self, messages: u32, faults: &[PlannedFault], seed: u64) -> Judged {
        let schedule = self.schedule(messages, faults, seed);
        let run = run(&schedule, self.mutant).expect("a seeded run takes only what is offered");
        self.plan.fired_at(&run.fired);
        self.judged(&run)
    }

    fn judged(&self, run: &Run) -> Judged {
        let count = |is_it: &dyn Fn(&EventKind) -> bool| {
            run.history.events.iter().filter(|recorded| is_it(&recorded.event.kind)).count() as u64
        };
        Judged {
            broken: broken_by(run, self.rules),
            steps: run.steps.len(),
            events: run.history.events.len() as u64,
            deliveries_and_effects: count(&is_delivery_or_effect),
            dead_lettered: count(&|kind| matches!(kind, EventKind::DeadLetter { .. })),
            ending: run.ending,
        }
    }
}

/// The properties that a run breaks, black-box and white-box: of those that need it to come to rest only if it did, but
/// for what stays owed in a run without end.
pub fn broken_by(run: &Run, rules: Rules) -> PropertySet {
    let monitor = Monitor::new(rules);
    let mut observed = Observed::<Unbounded>::default();
    run.history.events.iter().for_each(|recorded| monitor.observe(&mut observed, &recorded.event));
    let seen = match run.ending {
        Ending::Rest => monitor.at_quiescence(&observed),
        Ending::Loop { .. } => monitor.in_a_loop(&observed),
        Ending::Cut => observed.violated(),
    };
    seen | run.breaches.iter().map(|(property, _)| *property).collect()
}

#[cfg(test)]
mod tests {
    use delivery_model::presets;
    use proptest::strategy::{Strategy, ValueTree};

    use super::super::{seeded_runner, strategy};
    use super::*;

    /// Else what one run left would change the next.
    #[test]
    fn a_world_that_starts_over_is_equal_to_a_new_one_and_judges_alike() {
        for (name, _) in presets::ALL {
            let pipeline = presets::named(name).expect("it is a preset");
            let mut simulator = Simulator::new(&pipeline, Mutant::None);
            let (drawn, mut runner) = (strategy::drawn(&pipeline), seeded_runner(11));
            for _ in 0..40 {
                let Drawn { messages, faults, seed } = drawn.new_tree(&mut runner).expect("all are fine").current();
                let judged = simulator.run(messages, &faults, seed);
                let alone = Simulator::new(&pipeline, Mutant::None).alone(messages, &faults, seed);
                assert_eq!(judged, alone, "{name}: {messages} messages, {faults:?}, seed {seed}");
                simulator.begin(messages, &faults);
                assert!(simulator.running.world == World::new(&pipeline, messages, Mutant::None), "{name}");
            }
        }
    }
}
