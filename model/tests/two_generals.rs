//! The two generals: what no setting can give, and what the cheapest setting that gives it costs.
//!
//! A sender that hears nothing cannot know whether its message or the answer was lost. Sending again risks a second
//! hand-off, not sending again risks none. So exactly-once *hand-offs* are out of reach once hand-offs and settles can
//! vanish; exactly-once *effects* are not.
//!
//! Checked over every meaningful combination of settings, for one message: one is enough to be lost or handed off twice, and
//! what needs two (windows, order, pipelining, several workers) cannot make up for it. Each fault strikes at most once, and a
//! dead letter counts as lost, or setting a message aside after one hand-off would be a way out. Settings that only a crash
//! of the producer or the broker asks for are inert here; one value stands for all, and a test holds that.
//!
//! The search itself found who escapes the two lost messages: a consumer that follows its own position (cumulative
//! commits, or the position stored with the effect). It asks for what it has not got and needs no settle to be heard; what
//! the sender cannot know, such a receiver knows. Until it forgets: with `consumer-crash` there is no way out for anybody.

use std::collections::HashSet;

use delivery_model::check::{Moment, Protocol};
use delivery_model::pipeline::*;
use delivery_model::presets;
use delivery_model::semantics::{Monitor, Rules};
use delivery_model::vocab::{Fault, Step};
use foldhash::fast::FixedState;

const LOST_BOTH_WAYS: [Fault; 2] = [Fault::DeliveryLost, Fault::SettleLost];
const AND_FORGOTTEN: [Fault; 3] = [Fault::DeliveryLost, Fault::SettleLost, Fault::ConsumerCrash];

/// One way to change a setting, of as many as there are.
type Vary = (usize, fn(&mut Pipeline, usize));

/// The settings that can matter to one message while neither producer nor broker crashes.
const VARIED: &[Vary] = &[
    (2, |it, choice| it.obligation = Obligation::ALL[choice]),
    (2, |it, choice| it.producer.attempts = [Attempts::AtMost(1), Attempts::UntilAcked][choice]),
    (3, |it, choice| it.broker.acks = Acks::ALL[choice]),
    (3, |it, choice| it.producer.identity = Identity::ALL[choice]),
    (3, |it, choice| it.broker.dedup = Dedup::ALL[choice]),
    (2, |it, choice| it.broker.delivers = Delivers::ALL[choice]),
    (2, |it, choice| it.broker.records_settles = RecordsSettles::ALL[choice]),
    (2, |it, choice| it.broker.max_deliveries = choice as u32),
    (3, |it, choice| it.consumer.settles = Settles::ALL[choice]),
    (3, |it, choice| it.consumer.commits = Commits::ALL[choice]),
    (3, |it, choice| it.consumer.remembers = Remembers::ALL[choice]),
];

/// The settings that only a crash of the producer or the broker, or a lease that ends early, asks for.
const INERT: &[Vary] = &[
    (3, |it, choice| it.producer.on_restart = OnRestart::ALL[choice]),
    (2, |it, choice| it.broker.dedup_on_restart = DedupOnRestart::ALL[choice]),
    (2, |it, choice| it.broker.fencing = choice == 1),
    (2, |it, choice| it.broker.leases = Leases::ALL[choice]),
];

/// These pipelines with each of these settings at each of its values, as far as that means something.
fn varied(pipelines: Vec<Pipeline>, settings: &[Vary]) -> Vec<Pipeline> {
    let mut all = settings.iter().fold(pipelines, |pipelines, &(choices, set)| {
        let each = |pipeline: &Pipeline| -> Vec<Pipeline> {
            let of = |choice| {
                let mut pipeline = pipeline.clone();
                set(&mut pipeline, choice);
                pipeline
            };
            (0..choices).map(of).collect()
        };
        pipelines.iter().flat_map(each).collect()
    });
    all.retain(Pipeline::means_something);
    all
}

/// Every meaningful combination, the inert settings at their cheapest.
fn combinations() -> Vec<Pipeline> {
    let mut cheapest = Pipeline { faults: FaultBudget::NONE, ..Pipeline::default() };
    INERT.iter().for_each(|(_, set)| set(&mut cheapest, 0));
    (cheapest.broker.fencing, cheapest.broker.leases) = (false, Leases::Unchecked);
    varied(vec![cheapest], VARIED)
}

/// What has to be built, kept or waited for: one for each mechanism that is on, and one more for each that must be durable.
fn cost(pipeline: &Pipeline) -> u32 {
    let Pipeline { producer, broker, consumer, .. } = pipeline;
    let on = |mechanism: bool| u32::from(mechanism);
    on(producer.attempts == Attempts::UntilAcked)
        + on(producer.identity != Identity::None)
        + [0, 1, 2][producer.on_restart as usize]
        + [0, 1, 2][broker.acks as usize]
        + on(broker.dedup != Dedup::None)
        + on(broker.dedup_on_restart == DedupOnRestart::Rebuilt)
        + on(broker.fencing)
        + on(broker.delivers == Delivers::UntilSettled)
        + on(broker.records_settles == RecordsSettles::AfterSync)
        + on(broker.leases == Leases::Checked)
        + on(broker.max_deliveries > 0)
        + [0, 0, 2][consumer.settles as usize]
        + on(consumer.commits != Commits::Each)
        + [0, 1, 2][consumer.remembers as usize]
}

/// What exploring a combination for one message came to.
struct Seen {
    /// Exactly-once holds.
    exactly_once: bool,
    /// How many states were looked at; all there are, if it holds.
    states: usize,
}

/// Explores every run, or until one breaks exactly-once.
fn see(pipeline: &Pipeline, level: Level, faults: FaultBudget) -> Seen {
    let pipeline = Pipeline { faults, level, ..pipeline.clone() };
    let rules = Rules { dead_letters: false, ..Rules::from(&pipeline) };
    let monitor = Monitor { rules, watched: rules.required_by(Semantics::ExactlyOnce) };
    let protocol = Protocol { monitor, ..Protocol::new(&pipeline, 1).expect("one message fits") };
    let mut known: HashSet<Moment, FixedState> = HashSet::default();
    let mut open = vec![Moment::default()];
    known.insert(Moment::default());
    let mut rested = false;
    while let Some(moment) = open.pop() {
        assert!(!moment.state.is_cut(), "one message is within the bounds");
        let steps = steps(&protocol, &moment);
        let quiescent = steps.iter().all(|step| step.fault().is_some());
        rested |= quiescent;
        if !protocol.broken(&moment, quiescent).is_empty() {
            return Seen { exactly_once: false, states: known.len() };
        }
        open.extend(steps.iter().map(|&step| protocol.step(&moment, step)).filter(|&next| known.insert(next)));
    }
    assert!(rested, "no run comes to rest, so that nothing is ever lost: {pipeline:?}");
    Seen { exactly_once: true, states: known.len() }
}

fn steps(protocol: &Protocol, moment: &Moment) -> Vec<Step> {
    let mut steps = Vec::new();
    protocol.spec.steps(&moment.state, &mut |step| steps.push(step));
    steps
}

/// The combinations that give exactly-once at the level under these faults.
fn survivors(level: Level, faults: &[Fault]) -> Vec<Pipeline> {
    let mut combinations = combinations();
    combinations.retain(|pipeline| see(pipeline, level, FaultBudget::once_each(faults.iter().copied())).exactly_once);
    combinations
}

/// The cheapest of them, and their cost.
fn cheapest(pipelines: Vec<Pipeline>) -> (u32, Vec<Pipeline>) {
    let least = pipelines.iter().map(cost).min().expect("some survive");
    (least, pipelines.into_iter().filter(|pipeline| cost(pipeline) == least).collect())
}

/// The consumer asks for what it has not got, by a position that it keeps itself.
fn follows_its_own_position(pipeline: &Pipeline) -> bool {
    pipeline.consumer.commits != Commits::Each || pipeline.consumer.settles == Settles::WithEffect
}

#[test]
fn the_combinations_are_all_there_are() {
    let explored = combinations();
    let all = varied(explored.clone(), INERT);
    // Of 6 pairs of identity and dedup, 3 acks with 2 attempts and 2 obligations less those that mean nothing, and the rest.
    assert_eq!(explored.len(), 6 * 9 * (2 * 2 * 2) * 27);
    assert_eq!(all.len(), explored.len() * 24);
}

/// A setting that no fault in the budget asks for changes neither the verdict nor the number of states.
#[test]
fn the_inert_settings_are_inert() {
    for pipeline in combinations().into_iter().step_by(211) {
        for level in Level::ALL {
            let once = see(&pipeline, level, FaultBudget::once_each(AND_FORGOTTEN));
            for other in varied(vec![pipeline.clone()], INERT) {
                let seen = see(&other, level, FaultBudget::once_each(AND_FORGOTTEN));
                assert_eq!((seen.exactly_once, seen.states), (once.exactly_once, once.states), "{other:?}");
            }
        }
    }
}

#[test]
fn no_setting_gives_exactly_once_hand_offs_when_hand_offs_and_settles_are_lost_unless_the_consumer_asks_by_itself() {
    let survivors = survivors(Level::Delivery, &LOST_BOTH_WAYS);
    assert!(!survivors.is_empty(), "a consumer that follows its own position escapes");
    let sender_decides: Vec<_> = survivors.iter().filter(|it| !follows_its_own_position(it)).collect();
    assert!(sender_decides.is_empty(), "{sender_decides:?}");
}

#[test]
fn no_setting_whatever_gives_exactly_once_hand_offs_once_the_consumer_can_forget_as_well() {
    assert_eq!(survivors(Level::Delivery, &AND_FORGOTTEN), []);
}

/// The handler waits until its settle is confirmed: lost before, it comes again; lost after, it cannot be.
#[test]
fn the_cheapest_exactly_once_effect_when_only_messages_are_lost_is_to_wait_for_the_settle() {
    let (least, cheapest) = cheapest(survivors(Level::Effect, &LOST_BOTH_WAYS));
    let [only] = &cheapest[..] else { panic!("{cheapest:?}") };
    assert_eq!(
        (least, only.broker.delivers, only.consumer.settles),
        (1, Delivers::UntilSettled, Settles::BeforeEffect)
    );
    assert_eq!(only.consumer.remembers, Remembers::Nothing);
}

/// Redelivery, and a memory that is one with the effect: an inbox, or the position.
#[test]
fn the_cheapest_exactly_once_effect_that_outlives_a_crash_remembers_in_the_effects_transaction() {
    let (least, cheapest) = cheapest(survivors(Level::Effect, &AND_FORGOTTEN));
    let means: Vec<_> = cheapest.iter().map(|it| (it.consumer.settles, it.consumer.remembers)).collect();
    assert_eq!(least, 3);
    assert_eq!(means, [(Settles::AfterEffect, Remembers::WithEffect), (Settles::WithEffect, Remembers::Nothing)]);
    assert!(cheapest.iter().all(|it| it.broker.delivers == Delivers::UntilSettled && it.broker.dedup == Dedup::None));
}

/// Under the usual faults every submitted order needs an outbox, retries, an id, acks after the sync, redelivery and an
/// inbox, and no deduplication in the broker. Nothing of it can be left out.
#[test]
fn no_mechanism_of_the_cheapest_exactly_once_effect_for_every_order_can_be_left_out() {
    let mut whole = presets::named("postgres-outbox-inbox").expect("a preset");
    whole.broker.dedup_on_restart = DedupOnRestart::Forgotten;
    (whole.broker.fencing, whole.broker.leases) = (false, Leases::Unchecked);
    whole.broker.records_settles = RecordsSettles::Lazily;
    let usual = FaultBudget::default();
    assert!(see(&whole, Level::Effect, usual).exactly_once);
    assert_eq!(cost(&whole), 9);
    let without: [fn(&mut Pipeline); 6] = [
        |it| it.producer.attempts = Attempts::AtMost(1),
        |it| it.producer.identity = Identity::None,
        |it| it.producer.on_restart = OnRestart::Resubmits,
        |it| it.broker.acks = Acks::OnReceipt,
        |it| it.broker.delivers = Delivers::Once,
        |it| it.consumer.remembers = Remembers::InMemory,
    ];
    for (place, leave_out) in without.into_iter().enumerate() {
        let mut less = whole.clone();
        leave_out(&mut less);
        assert!(less.means_something() && cost(&less) < 9);
        assert!(!see(&less, Level::Effect, usual).exactly_once, "mechanism {place} is needless");
    }
}
