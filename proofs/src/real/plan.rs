//! The faults of a real run, and the points at which they strike.
//!
//! A generated plan spreads each kind of fault in the pipeline's budget evenly over the messages. Each fault has a
//! message of its own while there are enough messages, and no message has two faults of one kind. The plan holds
//! spare faults of each kind, because a fault can prevent the point of another: a message that a producer forgets in
//! a crash is never appended. No more faults strike than were asked for ([`FaultPlan::limits`]).

use std::collections::BTreeMap;

use delivery_impls::driver::faults::crashed_by;
use delivery_model::pipeline::{Acks, Pipeline, Remembers, Settles};
use delivery_model::schedule::{PlannedFault, Point, StepWord};
use delivery_model::vocab::{Fault, MessageId, Strikes};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The faults of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultPlan {
    /// These faults and no others.
    Given(Vec<PlannedFault>),
    /// Faults of every kind in the pipeline's budget that a real run can inject, `each` of a kind, at points drawn
    /// from the seed. A kind strikes a message at most once, so there may be fewer. The numbers of the budget bound
    /// the model's search, not a run of many messages.
    Generated {
        /// The number of faults of each kind.
        each: u32,
        /// The seed of the points.
        seed: u64,
    },
}

/// The kinds in the pipeline's budget that no generated plan holds: a real run cannot inject them, or the pipeline
/// does not take the step at which they strike.
pub fn left_out(pipeline: &Pipeline) -> Vec<Fault> {
    pipeline.faults.kinds().filter(|&fault| steps(pipeline, fault).is_empty()).collect()
}

impl FaultPlan {
    /// The faults of a part of a run. `fired` holds how often each kind struck in earlier parts.
    pub(super) fn faults(
        &self,
        pipeline: &Pipeline,
        unsubmitted: &[MessageId],
        undelivered: &[MessageId],
        fired: &BTreeMap<Fault, u64>,
    ) -> Vec<PlannedFault> {
        let (each, seed) = match self {
            FaultPlan::Given(faults) => return faults.clone(),
            FaultPlan::Generated { each, seed } => (u64::from(*each), *seed),
        };
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let kinds: Vec<Fault> = pipeline.faults.kinds().collect();
        let mut planned = Vec::new();
        for (index, &fault) in kinds.iter().enumerate() {
            let missing = each.saturating_sub(fired.get(&fault).copied().unwrap_or(0));
            let spares = if missing == 0 { 0 } else { missing.div_ceil(5) + 3 };
            let steps = steps(pipeline, fault);
            let messages = if is_of_delivery(fault) { undelivered } else { unsubmitted };
            let times = (missing + spares).min(messages.len() as u64);
            if steps.is_empty() || messages.is_empty() {
                continue;
            }
            let place = Slot { kind: index, kinds: kinds.len(), times };
            planned.extend((0..times).map(|nth| {
                let message = place.pick(messages, nth, &mut random);
                let step = *steps.choose(&mut random).expect("it is not empty");
                PlannedFault::new(fault, Point { step, message: Some(message), nth: 1 })
            }));
        }
        planned
    }

    /// The limit of strikes of each kind in a part of a run: the number that was asked for, less the strikes of
    /// earlier parts. A given plan has no spares, so it has no limits.
    pub(super) fn limits(&self, pipeline: &Pipeline, fired: &BTreeMap<Fault, u64>) -> BTreeMap<Fault, u64> {
        let FaultPlan::Generated { each, .. } = self else {
            return BTreeMap::new();
        };
        let left = |fault| u64::from(*each).saturating_sub(fired.get(&fault).copied().unwrap_or(0));
        pipeline.faults.kinds().map(|fault| (fault, left(fault))).collect()
    }
}

/// The choice of the messages of one kind of fault. The messages are divided into as many stretches as the fault
/// strikes, and each stretch into one slot for each kind.
struct Slot {
    kind: usize,
    kinds: usize,
    times: u64,
}

impl Slot {
    fn pick(&self, messages: &[MessageId], nth: u64, random: &mut ChaCha8Rng) -> MessageId {
        let slots = self.times as f64 * self.kinds as f64;
        let slot = nth as f64 * self.kinds as f64 + self.kind as f64 + random.random_range(0.0..1.0);
        let index = (slot / slots * messages.len() as f64) as usize;
        messages[index.min(messages.len() - 1)]
    }
}

/// Whether the fault can strike only after its message is stored.
fn is_of_delivery(fault: Fault) -> bool {
    fault.row().at.iter().all(|step| step.is_of_delivery())
}

/// The steps at which the fault can strike in this pipeline, if a real run injects it. A crash follows a step of its own
/// party, so that its place is exact.
fn steps(pipeline: &Pipeline, fault: Fault) -> Vec<StepWord> {
    let row = fault.row();
    let is_its_own = |step: StepWord| row.strikes != Strikes::After || crashed_by(fault) == Some(step.party());
    let is_point = |step: &StepWord| row.in_real_runs && comes_once(pipeline, *step) && is_its_own(*step);
    row.at.iter().copied().filter(is_point).collect()
}

/// Whether the step comes once for every message where nothing goes wrong.
fn comes_once(pipeline: &Pipeline, step: StepWord) -> bool {
    use StepWord::*;
    match step {
        Submit | Attempt | Receive | Append | HandOff | Deliver | Handle => true,
        Ack | TakeReply => pipeline.broker.acks != Acks::Never,
        Settle | RecordSettle => pipeline.consumer.settles != Settles::WithEffect,
        Remember => pipeline.consumer.remembers == Remembers::InMemory,
        Sync | SyncSettles | ReceiveLate | TimeOut | DeadLetter => false,
    }
}
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn plan(messages: u64, fired: &[(Fault, u64)]) -> Vec<PlannedFault> {
        let messages: Vec<MessageId> = (1..=messages).map(MessageId).collect();
        let fired = fired.iter().copied().collect();
        FaultPlan::Generated { each: 20, seed: 7 }.faults(&Pipeline::default(), &messages, &messages, &fired)
    }

    #[test]
    fn every_kind_of_the_budget_is_there_often_enough_each_on_a_message_of_its_own() {
        let plan = plan(10_000, &[]);
        for fault in Pipeline::default().faults.kinds() {
            assert_eq!(plan.iter().filter(|planned| planned.fault == fault).count(), 27, "{fault}");
        }
        let messages: BTreeSet<_> = plan.iter().map(|planned| planned.at.message).collect();
        assert_eq!(messages.len(), plan.len());
    }

    /// A regression: the plan once had 240,003 faults of each kind, 24 on one message, and the run crashed over the
    /// first few messages without end.
    #[test]
    fn no_message_is_struck_twice_by_a_kind_however_many_faults_are_asked_for() {
        let messages: Vec<MessageId> = (1..=10_000).map(MessageId).collect();
        let plan = FaultPlan::Generated { each: 200_000, seed: 7 };
        let faults = plan.faults(&Pipeline::default(), &messages, &messages, &BTreeMap::new());
        let struck: BTreeSet<_> = faults.iter().map(|planned| (planned.fault, planned.at.message)).collect();
        assert_eq!((struck.len(), faults.len()), (80_000, 80_000));
    }

    #[test]
    fn what_struck_in_an_earlier_part_is_not_planned_again() {
        let plan = plan(10_000, &[(Fault::BrokerCrash, 20), (Fault::SettleLost, 15)]);
        let count = |fault| plan.iter().filter(|planned| planned.fault == fault).count();
        assert_eq!([Fault::BrokerCrash, Fault::SettleLost, Fault::PublishLost].map(count), [0, 9, 27]);
    }

    #[test]
    fn the_same_seed_gives_the_same_plan_and_no_messages_give_none() {
        assert_eq!(plan(100, &[]), plan(100, &[]));
        assert_eq!(plan(0, &[]), []);
    }

    #[test]
    fn faults_that_cannot_strike_are_named() {
        let mut pipeline = Pipeline::default();
        assert_eq!(left_out(&pipeline), []);
        pipeline.consumer.settles = Settles::WithEffect;
        pipeline.faults = pipeline.faults.with(Fault::Rewind, 1);
        assert_eq!(left_out(&pipeline), [Fault::SettleLost, Fault::Rewind]);
    }
}
