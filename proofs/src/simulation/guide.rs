//! Guided search: schedules that did something new are kept, and later ones are made by changing them.
//!
//! New is a step together with the fault that struck last and the [shape](super::world::Shape) of the world after it, that no
//! earlier schedule came to. One schedule in `FRESH_ONE_IN` is drawn as an unguided campaign draws it, so that nothing is
//! out of reach. The same pipeline, seed and bug give the same schedules.
//!
//! ```
//! use delivery_model::presets;
//! use delivery_proofs::mutants::Mutant;
//! use delivery_proofs::simulation::guide::Guide;
//!
//! let pipeline = presets::named("exactly-once").expect("a preset");
//! let mut guide = Guide::new(&pipeline, Mutant::None, 7);
//! for _ in 0..100 {
//!     let (_schedule, judged) = guide.run_next();
//!     assert!(judged.broken.is_empty());
//! }
//! println!("{} things seen, {} schedules kept", guide.seen(), guide.kept());
//! ```

use delivery_model::pipeline::{FaultBudget, Pipeline};
use delivery_model::schedule::{PlannedFault, Point};
use delivery_model::vocab::{Fault, MessageId, Position, Target};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::seeded_runner;
use super::simulator::{Judged, Simulator};
use super::strategy::{Drawn, MESSAGES_MAX, drawn, faults_max};
use crate::mutants::Mutant;

/// One schedule in so many is drawn anew.
const FRESH_ONE_IN: usize = 3;
/// The most schedules that are kept; the oldest leave first.
const KEPT_MAX: usize = 512;
/// The most changes that make one schedule of another.
const CHANGES_MAX: usize = 3;
/// The largest `nth` of a point that a change gives.
const NTH_MAX: u32 = 3;

/// Makes, runs and judges one schedule after the other.
pub struct Guide {
    budget: FaultBudget,
    kinds: Vec<Fault>,
    fresh: Box<dyn Fn(&mut TestRunner) -> Drawn>,
    runner: TestRunner,
    choice: ChaCha8Rng,
    simulator: Simulator,
    kept: Vec<Drawn>,
    /// The place in `kept` of the next schedule that is kept.
    next: usize,
}

impl Guide {
    /// Searches this pipeline, with this bug in the cores.
    pub fn new(pipeline: &Pipeline, mutant: Mutant, seed: u64) -> Guide {
        let strategy = drawn(pipeline);
        let fresh =
            move |runner: &mut TestRunner| strategy.new_tree(runner).expect("nothing is filtered out").current();
        Guide {
            budget: pipeline.faults,
            kinds: pipeline.faults.kinds().collect(),
            fresh: Box::new(fresh),
            runner: seeded_runner(seed),
            choice: ChaCha8Rng::seed_from_u64(seed),
            simulator: Simulator::guided(pipeline, mutant),
            kept: Vec::new(),
            next: 0,
        }
    }

    /// Runs and judges the next schedule.
    pub fn run_next(&mut self) -> (Drawn, Judged) {
        let schedule = self.make();
        let judged = self.simulator.run(schedule.messages, &schedule.faults, schedule.seed);
        if self.simulator.coverage().news() > 0 {
            self.keep(schedule.clone());
        }
        (schedule, judged)
    }

    /// How many different things were seen.
    pub fn seen(&self) -> usize {
        self.simulator.coverage().seen()
    }

    /// How many schedules are kept.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// What runs the schedules, for the figures of the latest run.
    pub(super) fn simulator(&self) -> &Simulator {
        &self.simulator
    }

    fn keep(&mut self, schedule: Drawn) {
        match self.kept.get_mut(self.next) {
            Some(oldest) => *oldest = schedule,
            None => self.kept.push(schedule),
        }
        self.next = (self.next + 1) % KEPT_MAX;
    }

    fn make(&mut self) -> Drawn {
        if self.kept.is_empty() || self.below(FRESH_ONE_IN) == 0 {
            return (self.fresh)(&mut self.runner);
        }
        // Of two, the later one: what was found last leads on.
        let place = self.below(self.kept.len()).max(self.below(self.kept.len()));
        let mut schedule = self.kept[place].clone();
        for _ in 0..=self.below(CHANGES_MAX) {
            self.change(&mut schedule);
        }
        schedule.seed = if self.below(2) == 0 { schedule.seed } else { self.choice.next_u64() };
        schedule
    }

    /// One small change, within the budget.
    fn change(&mut self, schedule: &mut Drawn) {
        match self.below(6) {
            0 => schedule.seed = self.choice.next_u64(),
            1 if schedule.faults.len() < faults_max(&self.budget) => self.add(schedule),
            2 if !schedule.faults.is_empty() => {
                let place = self.below(schedule.faults.len());
                schedule.faults.remove(place);
            }
            3 => {
                schedule.messages = 1 + self.below(MESSAGES_MAX as usize) as u32;
                let last = MessageId(schedule.messages.into());
                for planned in &mut schedule.faults {
                    planned.at.message = planned.at.message.map(|message| message.min(last));
                }
            }
            _ if !schedule.faults.is_empty() => {
                let place = self.below(schedule.faults.len());
                let fault = schedule.faults[place].fault;
                schedule.faults[place] = self.planned(fault, schedule.messages);
            }
            _ => self.add(schedule),
        }
    }

    /// Adds a fault that the budget still allows.
    fn add(&mut self, schedule: &mut Drawn) {
        let planned = |fault: Fault| schedule.faults.iter().filter(|it| it.fault == fault).count();
        let allowed = |fault: &&Fault| planned(**fault) < self.budget.of(**fault) as usize;
        let allowed: Vec<Fault> = self.kinds.iter().filter(allowed).copied().collect();
        if allowed.is_empty() || schedule.faults.len() >= faults_max(&self.budget) {
            return;
        }
        let fault = allowed[self.below(allowed.len())];
        let planned = self.planned(fault, schedule.messages);
        schedule.faults.push(planned);
    }

    /// A fault of this kind at any of its points.
    fn planned(&mut self, fault: Fault, messages: u32) -> PlannedFault {
        let step = fault.row().at[self.below(fault.row().at.len())];
        let message = step.has_message().then(|| MessageId(1 + self.below(messages as usize) as u64));
        let nth = if self.below(5) == 0 { 1 + self.below(NTH_MAX as usize) as u32 } else { 1 };
        let at = Point { step, message, nth };
        let keeps = Some(self.below(4) as u64).filter(|keeps| *keeps > 0 && fault.names(Target::Records(0)));
        let to = Position(self.below(messages as usize) as u64);
        PlannedFault { fault, at, keeps, to: fault.names(Target::Position(to)).then_some(to) }
    }

    /// A number below this one, each equally likely.
    fn below(&mut self, limit: usize) -> usize {
        ((u64::from(self.choice.next_u32()) * limit as u64) >> 32) as usize
    }
}

#[cfg(test)]
mod tests {
    use delivery_model::presets;
    use delivery_model::schedule::Schedule;

    use super::*;

    fn reference() -> Pipeline {
        presets::named("exactly-once").expect("a preset")
    }

    #[test]
    fn the_same_seed_gives_the_same_schedules() {
        let made = |seed| {
            let mut guide = Guide::new(&reference(), Mutant::None, seed);
            let schedules: Vec<(Drawn, Judged)> = (0..200).map(|_| guide.run_next()).collect();
            (schedules, guide.seen(), guide.kept())
        };
        assert_eq!(made(3), made(3));
        assert_ne!(made(3).0, made(4).0);
    }

    /// A schedule that a file could not hold would be no counterexample.
    #[test]
    fn what_is_made_is_within_the_budget_and_can_be_written() {
        let mut pipeline =
            Pipeline { faults: FaultBudget::once_each(Fault::ALL).with(Fault::PublishLost, 2), ..reference() };
        for total in [0, 3] {
            pipeline.faults.total = total;
            let mut guide = Guide::new(&pipeline, Mutant::None, 5);
            for _ in 0..300 {
                let (drawn, _) = guide.run_next();
                assert!(drawn.faults.len() <= faults_max(&pipeline.faults), "{drawn:?}");
                for fault in Fault::ALL {
                    let planned = drawn.faults.iter().filter(|planned| planned.fault == fault).count();
                    assert!(planned <= pipeline.faults.of(fault) as usize, "{fault}: {drawn:?}");
                }
                let schedule = drawn.of(&pipeline);
                assert_eq!(Schedule::from_json(&schedule.to_json()), Ok(schedule));
            }
        }
    }

    /// Else keeping and changing schedules would be no better than drawing them.
    #[test]
    fn a_guided_search_comes_to_more_than_an_unguided_one() {
        const SCHEDULES: u32 = 1_000;
        let pipeline = reference();
        for seed in [1, 2, 3] {
            let mut guide = Guide::new(&pipeline, Mutant::None, seed);
            (0..SCHEDULES).for_each(|_| drop(guide.run_next()));
            let (strategy, mut runner) = (drawn(&pipeline), seeded_runner(seed));
            let mut unguided = Simulator::guided(&pipeline, Mutant::None);
            for _ in 0..SCHEDULES {
                let drawn = strategy.new_tree(&mut runner).expect("nothing is filtered out").current();
                unguided.run(drawn.messages, &drawn.faults, drawn.seed);
            }
            assert!(guide.seen() > unguided.coverage().seen(), "{} {}", guide.seen(), unguided.coverage().seen());
        }
    }
}
