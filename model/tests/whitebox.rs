//! The white-box properties on the model: kept wherever they are claimed, and broken, by a story, where a setting gives
//! them up on purpose.

use delivery_model::check::graph::{Check, Checks, Completeness, Walk};
use delivery_model::check::{Moment, Protocol};
use delivery_model::pipeline::*;
use delivery_model::presets;
use delivery_model::semantics::whitebox::{Watch, WhiteboxRules};
use delivery_model::semantics::{PropertyId, PropertySet};
use delivery_model::vocab::{Fault, Step};
use stateright::Model;

/// The exactly-once reference with some settings changed, under these faults, each once.
fn pipeline(faults: &[Fault], change: fn(&mut Pipeline)) -> Pipeline {
    let mut pipeline = presets::named("exactly-once").expect("a reference");
    pipeline.faults = FaultBudget::once_each(faults.iter().copied());
    change(&mut pipeline);
    pipeline
}

/// Each watched property, and the shortest path by which it is broken, if it is.
fn walk(pipeline: &Pipeline, messages: u32, watch: Watch) -> Vec<(PropertyId, Option<Vec<Step>>)> {
    let mut protocol = Protocol::watching(pipeline, messages, PropertySet::EMPTY).expect("so few messages fit");
    protocol.watch = watch;
    let watched: Vec<PropertyId> = watch.watched.iter().collect();
    let always = watched.iter().map(|property| Check::always(property.word())).collect();
    let checks = Checks::new(always, |moment: &Moment, steps: &[Step]| {
        let broken = protocol.broken_here(moment, steps);
        watched.iter().enumerate().fold(0, |kept, (i, &property)| kept | u64::from(!broken.contains(property)) << i)
    });
    let exploration = Walk::new(&protocol).checks(checks).threads(2).run();
    assert_eq!(exploration.completeness, Completeness::Complete, "{}", pipeline.name);
    let path_of = |property: &PropertyId| {
        let found = exploration.finding(property.word()).expect("it was checked");
        let path = exploration.graph.path_to(&protocol, found.decided_by?);
        Some(path.actions().copied().collect())
    };
    watched.iter().map(|property| (*property, path_of(property))).collect()
}

#[test]
fn every_preset_keeps_what_it_claims_of_its_inside() {
    let mut claimed = PropertySet::EMPTY;
    for (name, _) in presets::ALL {
        let pipeline = presets::named(name).expect("it is a preset");
        let watch = Watch::new(&pipeline);
        claimed |= watch.watched;
        for (property, path) in walk(&pipeline, 2, watch) {
            assert_eq!(path, None, "{name}: {property}");
        }
    }
    assert_eq!(claimed, PropertySet::WHITE_BOX, "each is claimed by some preset");
}

/// Every fault, on the references: what is claimed under it is kept.
#[test]
fn every_fault_leaves_what_is_claimed_under_it() {
    for name in presets::REFERENCES {
        for fault in Fault::ALL {
            let mut pipeline = presets::named(name).expect("it is a preset");
            pipeline.faults = FaultBudget { total: 2, ..FaultBudget::NONE }.with(fault, 2);
            (pipeline.producer.in_flight, pipeline.broker.max_deliveries) = (2, 2);
            for (property, path) in walk(&pipeline, 2, Watch::new(&pipeline)) {
                assert_eq!(path, None, "{name} under {fault}: {property}");
            }
        }
    }
}

/// The property is claimed and kept by the pipeline. Weakened by one setting it is not claimed any more, and with
/// reason: watched all the same, it is broken, after so many steps from the start.
fn check(property: PropertyId, messages: u32, pipeline: Pipeline, weaken: fn(&mut Pipeline), steps: usize) {
    let watch = Watch::new(&pipeline);
    assert!(watch.watched.contains(property), "{property} is claimed");
    assert_eq!(broken(property, messages, &pipeline, watch.terms), None, "{property} is kept");
    let mut weakened = pipeline;
    weaken(&mut weakened);
    assert!(weakened.means_something(), "the weakened pipeline is one that a user may write");
    let watch = Watch::new(&weakened);
    assert!(!watch.watched.contains(property), "{property} is not claimed any more");
    let story = broken(property, messages, &weakened, watch.terms).unwrap_or_else(|| panic!("{property} is kept"));
    assert_eq!(story.len(), steps, "{property}: {story:#?}");
}

fn broken(property: PropertyId, messages: u32, pipeline: &Pipeline, terms: WhiteboxRules) -> Option<Vec<Step>> {
    let watched = PropertySet::from(property);
    let protocol = Protocol::watching(pipeline, messages, watched).expect("so few messages fit");
    let mut path = walk(pipeline, messages, Watch { terms, watched }).remove(0).1?;
    // The walk ends where the property is about to be broken: by one of the steps that are possible there.
    let moment = protocol.along(&path).last().expect("a path has moments");
    let mut steps = Vec::new();
    protocol.actions(&moment, &mut steps);
    let breaks = |step: &Step| {
        let mut is_broken = false;
        let by = Protocol { watch: Watch { terms, watched }, ..protocol.clone() };
        by.breaks(&moment.state, *step, |_, _| is_broken = true);
        is_broken
    };
    path.extend(steps.into_iter().find(breaks));
    Some(path)
}

#[test]
fn an_ack_on_receipt_comes_before_anything_is_durable() {
    let safe = pipeline(&[], |_| {});
    check(PropertyId::AckHonesty, 1, safe, |it| it.broker.acks = Acks::OnReceipt, 4);
}

/// The second of three is lost on the way while the memory is, too: the third begins the session anew, as far as the
/// broker knows, and the second comes again as an old one.
#[test]
fn a_forgotten_session_lets_numbers_lie() {
    let safe = pipeline(&[Fault::PublishLost], |it| it.producer.in_flight = 2);
    let broken_in = |pipeline: &Pipeline| {
        let watch = Watch::new(pipeline);
        assert!(watch.watched.contains(PropertyId::DedupHonesty), "it is claimed wherever retries are recognised");
        broken(PropertyId::DedupHonesty, 3, pipeline, watch.terms).map(|story| story.len())
    };
    assert_eq!(broken_in(&safe), None);
    let forgetful = Pipeline { faults: safe.faults.with(Fault::DedupForgotten, 1), ..safe };
    assert_eq!(broken_in(&forgetful), Some(19));
}

#[test]
fn a_memory_that_a_restart_loses_stores_a_retry_again() {
    let safe = pipeline(&[Fault::BrokerCrash], |_| {});
    check(PropertyId::DedupCompleteness, 1, safe, |it| it.broker.dedup_on_restart = DedupOnRestart::Forgotten, 9);
}

/// Within its window the memory is complete; that it ends there is shown by asking for more.
#[test]
fn past_the_window_a_retry_is_stored_again() {
    let window = pipeline(&[Fault::PublishDuplicated], |it| {
        (it.producer.identity, it.broker.dedup) = (Identity::MessageId, Dedup::MessageId);
        it.broker.dedup_window = 1;
    });
    let watch = Watch::new(&window);
    assert!(watch.watched.contains(PropertyId::DedupCompleteness));
    assert_eq!(broken(PropertyId::DedupCompleteness, 2, &window, watch.terms), None);
    let all = WhiteboxRules { window: 0, ..watch.terms };
    let story = broken(PropertyId::DedupCompleteness, 2, &window, all).expect("an evicted message comes late");
    assert_eq!(story.len(), 14, "{story:#?}");
}

#[test]
fn an_unchecked_lease_lets_a_stale_settle_through() {
    let safe = pipeline(&[Fault::LeaseExpiry], |_| {});
    check(PropertyId::StaleSettleRefused, 1, safe, |it| it.broker.leases = Leases::Unchecked, 11);
}

#[test]
fn without_a_fence_a_zombie_is_stored() {
    // Under message ids that come anew, so that dedup does not stand in for the fence.
    let safe = pipeline(&[Fault::ProducerZombie], |it| it.producer.on_restart = OnRestart::Resubmits);
    check(PropertyId::Fencing, 1, safe, |it| it.broker.fencing = false, 5);
}

#[test]
fn without_a_fence_a_former_owner_makes_its_effect() {
    let safe = pipeline(&[Fault::LeaseExpiry], |it| it.consumer.settles = Settles::WithEffect);
    check(PropertyId::Fencing, 1, safe, |it| it.broker.leases = Leases::Unchecked, 9);
}

#[test]
fn committing_the_highest_position_commits_what_is_still_at_work() {
    let safe = pipeline(&[], |it| (it.consumer.workers, it.consumer.commits) = (2, Commits::Prefix));
    check(PropertyId::CumulativeCommit, 2, safe, |it| it.consumer.commits = Commits::Highest, 18);
}

#[test]
fn a_message_that_is_handed_off_once_vanishes_with_its_delivery() {
    let safe = pipeline(&[Fault::DeliveryLost], |_| {});
    let terms = Watch::new(&safe).terms;
    assert_eq!(broken(PropertyId::PoisonBounded, 1, &safe, terms), None);
    let once = Pipeline { broker: Broker { delivers: Delivers::Once, ..safe.broker.clone() }, ..safe };
    assert!(!Watch::new(&once).watched.contains(PropertyId::PoisonBounded), "nothing was said to be kept");
    let story = broken(PropertyId::PoisonBounded, 1, &once, terms).expect("it vanishes");
    assert_eq!(story.len(), 9, "{story:#?}");
}

/// The limit is met exactly: asked to keep one less, the broker does not.
#[test]
fn a_poisoned_message_is_handed_off_as_often_as_it_may_be() {
    let poisoned = pipeline(&[Fault::Poison], |it| it.broker.max_deliveries = 2);
    let terms = Watch::new(&poisoned).terms;
    assert_eq!(broken(PropertyId::PoisonBounded, 1, &poisoned, terms), None);
    let fewer = WhiteboxRules { deliveries_max: 1, ..terms };
    let story = broken(PropertyId::PoisonBounded, 1, &poisoned, fewer).expect("it is handed off twice");
    assert_eq!(story.len(), 10, "{story:#?}");
}

#[test]
fn a_rewind_without_an_inbox_repeats_effects() {
    let safe = pipeline(&[Fault::Rewind], |_| {});
    check(PropertyId::ReplaySafe, 1, safe, |it| it.consumer.remembers = Remembers::Nothing, 11);
}

/// The walk with everything watched and the one with nothing: as many states.
#[test]
fn watching_the_inside_adds_no_states() {
    for name in presets::REFERENCES {
        let pipeline = presets::named(name).expect("it is a preset");
        let states = |watched| {
            let protocol = Protocol::watching(&pipeline, 2, watched).expect("two messages fit");
            let checks = Checks::new(vec![Check::always("kept")], |moment: &Moment, steps: &[Step]| {
                u64::from(protocol.broken_here(moment, steps).is_empty())
            });
            Walk::new(&protocol).checks(checks).run().graph.len()
        };
        assert_eq!(states(PropertySet::WHITE_BOX), states(PropertySet::EMPTY), "{name}");
    }
}
