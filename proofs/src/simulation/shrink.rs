//! Makes a small schedule of one that fails: fewer faults, fewer messages, simpler points, a shorter run.
//!
//! Greedy passes until nothing changes. Leaving out a fault changes what is enabled after it, and so every choice that
//! comes later; so each candidate is tried under a few other interleavings too.

use std::collections::BTreeSet;

use delivery_model::pipeline::Pipeline;
use delivery_model::schedule::{Interleaving, PlannedFault, Schedule};
use delivery_model::semantics::PropertyId;
use delivery_model::vocab::MessageId;

use super::report::Counterexample;
use super::simulator::Simulator;
use super::strategy::Drawn;
use crate::mutants::Mutant;

/// So many interleavings are tried for each candidate, besides its own.
const SEEDS: u64 = 8;
/// So many are tried at the end, for the shortest run.
const SEEDS_LAST: u64 = 64;
/// A round without a change ends it; more rounds than this were never needed, and a bound costs nothing.
const ROUNDS_MAX: usize = 16;

/// The smallest schedule found that still fails. `fails` says how many steps a failing run takes; `schedule` must fail.
pub fn shrink(schedule: Schedule, fails: &mut impl FnMut(&Schedule) -> Option<usize>) -> Schedule {
    let mut smallest = schedule;
    for _ in 0..ROUNDS_MAX {
        let candidate = simpler(&smallest, fails);
        match candidate {
            Some(simpler) => smallest = simpler,
            None => break,
        }
    }
    shortest(smallest, fails)
}

/// The counterexample that becomes of the schedule of this run, which breaks the property.
pub(super) fn shrunk(
    pipeline: &Pipeline,
    mutant: Mutant,
    property: PropertyId,
    run: u32,
    drawn: Drawn,
) -> Counterexample {
    let faults_found = drawn.faults.len();
    let mut simulator = Simulator::new(pipeline, mutant);
    let mut fails = |candidate: &Schedule| {
        let Interleaving::Seeded(seed) = candidate.interleaving else { unreachable!("it was drawn") };
        let judged = simulator.run(candidate.messages, &candidate.faults, seed);
        judged.broken.contains(property).then_some(judged.steps)
    };
    let schedule = shrink(drawn.of(pipeline), &mut fails);
    Counterexample { property, schedule, faults_found, run }
}

/// One pass of each kind; none, if nothing could be left out.
fn simpler(schedule: &Schedule, fails: &mut impl FnMut(&Schedule) -> Option<usize>) -> Option<Schedule> {
    let mut smallest = schedule.clone();
    for index in (0..schedule.faults.len()).rev() {
        let mut candidate = smallest.clone();
        candidate.faults.remove(index);
        smallest = under_any_seed(candidate, fails).unwrap_or(smallest);
    }
    let fewest = smallest.faults.iter().filter_map(|planned| planned.at.message).max();
    for messages in fewest.map_or(1, |message| message.0 as u32).max(1)..smallest.messages {
        if let Some(fewer) = under_any_seed(Schedule { messages, ..smallest.clone() }, fails) {
            smallest = fewer;
            break;
        }
    }
    if let Some(renumbered) = renumbered(&smallest).and_then(|candidate| under_any_seed(candidate, fails)) {
        smallest = renumbered;
    }
    for index in 0..smallest.faults.len() {
        for plainer in plainer(smallest.faults[index]) {
            let mut candidate = smallest.clone();
            candidate.faults[index] = plainer;
            smallest = under_any_seed(candidate, fails).unwrap_or(smallest);
        }
    }
    (smallest != *schedule).then_some(smallest)
}

/// The same faults on the first messages, in the same order, and no messages beside; none, if they are there already.
fn renumbered(schedule: &Schedule) -> Option<Schedule> {
    let befallen: BTreeSet<MessageId> = schedule.faults.iter().filter_map(|planned| planned.at.message).collect();
    let mut candidate = schedule.clone();
    candidate.messages = (befallen.len() as u32).max(1);
    for planned in &mut candidate.faults {
        let place = |message: MessageId| MessageId(befallen.range(..=message).count() as u64);
        planned.at.message = planned.at.message.map(place);
    }
    (candidate != *schedule).then_some(candidate)
}

/// The same fault with a simpler detail, one at a time, each unlike the original.
fn plainer(planned: PlannedFault) -> impl Iterator<Item = PlannedFault> {
    let first = PlannedFault { at: delivery_model::schedule::Point { nth: 1, ..planned.at }, ..planned };
    let forgetful = PlannedFault { keeps: None, ..planned };
    let earliest = PlannedFault { to: None, ..planned };
    [first, forgetful, earliest].into_iter().filter(move |plainer| *plainer != planned)
}

fn under_any_seed(candidate: Schedule, fails: &mut impl FnMut(&Schedule) -> Option<usize>) -> Option<Schedule> {
    if fails(&candidate).is_some() {
        return Some(candidate);
    }
    let seeded = |seed| Schedule { interleaving: Interleaving::Seeded(seed), ..candidate.clone() };
    (0..SEEDS).map(seeded).find(|candidate| fails(candidate).is_some())
}

/// The same faults under the interleaving with the fewest steps.
fn shortest(schedule: Schedule, fails: &mut impl FnMut(&Schedule) -> Option<usize>) -> Schedule {
    let seeded = |seed| Schedule { interleaving: Interleaving::Seeded(seed), ..schedule.clone() };
    let candidates = std::iter::once(schedule.clone()).chain((0..SEEDS_LAST).map(seeded));
    let failing = candidates.filter_map(|candidate| Some((fails(&candidate)?, candidate)));
    failing.min_by_key(|(steps, _)| *steps).map_or(schedule, |(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use delivery_model::schedule::{Point, StepWord};
    use delivery_model::vocab::Fault;

    use super::*;

    fn fault(fault: Fault, message: u64, nth: u32) -> PlannedFault {
        PlannedFault::new(fault, Point { step: StepWord::Attempt, message: Some(MessageId(message)), nth })
    }

    #[test]
    fn the_culprits_become_the_first_messages() {
        let faults = vec![fault(Fault::PublishLost, 7, 1), fault(Fault::PublishLost, 5, 1)];
        let schedule =
            Schedule { pipeline: Pipeline::default(), messages: 8, faults, interleaving: Interleaving::Seeded(0) };
        let mut fails = |schedule: &Schedule| (schedule.faults.len() == 2).then_some(10);
        let small = shrink(schedule, &mut fails);
        assert_eq!(small.messages, 2);
        assert_eq!(small.faults, [fault(Fault::PublishLost, 2, 1), fault(Fault::PublishLost, 1, 1)]);
    }

    #[test]
    fn only_what_makes_it_fail_is_left() {
        let culprit = fault(Fault::ProducerCrash, 2, 3);
        let faults = vec![fault(Fault::PublishLost, 1, 1), culprit, fault(Fault::PublishLost, 5, 1)];
        let schedule =
            Schedule { pipeline: Pipeline::default(), messages: 7, faults, interleaving: Interleaving::Seeded(99) };
        // Fails whenever the culprit is there, and there are at least three messages.
        let mut fails = |schedule: &Schedule| {
            let is_culprit = |planned: &PlannedFault| planned.fault == Fault::ProducerCrash && planned.at.nth >= 2;
            let fails = schedule.messages >= 3 && schedule.faults.iter().any(is_culprit);
            let Interleaving::Seeded(seed) = schedule.interleaving else { unreachable!() };
            fails.then_some(if seed == 5 { 10 } else { 20 })
        };
        let small = shrink(schedule, &mut fails);
        assert_eq!((small.messages, &small.faults[..]), (3, &[culprit][..]));
        assert_eq!(small.interleaving, Interleaving::Seeded(5));
    }
}
