//! Every bound is as wide as some bug needs: found within it, and not within one less.
//!
//! Bounds hide bugs. Each is justified here by a weak setting, or by a bug seeded into the protocol: in some situations
//! it acts by other settings, or forgets what it should keep. All searches are complete.

use delivery_model::check::graph::{Check, Checks, Completeness, Walk};
use delivery_model::check::{Limits, Moment, Protocol, explore};
use delivery_model::party_state::{Decision, PartyState};
use delivery_model::pipeline::*;
use delivery_model::presets;
use delivery_model::semantics::PropertyId;
use delivery_model::semantics::whitebox::Happened;
use delivery_model::vocab::{DeliveryRef, Fault, Move, Step, Strike};
use stateright::{Model, Property};

/// The exactly-once reference with some settings changed, under these faults.
fn pipeline(faults: &[(Fault, u32)], change: fn(&mut Pipeline)) -> Pipeline {
    let mut pipeline = presets::named("exactly-once").expect("a reference");
    pipeline.faults = faults.iter().fold(FaultBudget::NONE, |budget, &(fault, times)| budget.with(fault, times));
    change(&mut pipeline);
    pipeline
}

/// The pipeline breaks the property within so many messages.
fn breaks(property: PropertyId, pipeline: &Pipeline, messages: u32) -> bool {
    let explored = explore(pipeline, Limits { messages, ..Limits::default() }, &|_| true).expect("they fit");
    assert!(explored.is_complete(), "{}", explored.completeness);
    assert!(explored.watched.contains(property), "{property} is not watched");
    explored.violations.iter().any(|violation| violation.property == property)
}

/// A protocol with a bug: of the sound protocol's moment and step, what comes of it, or nothing where the step is not
/// there to be taken.
struct Bugged<F> {
    sound: Protocol,
    bug: F,
}

impl<F: Fn(&Protocol, &Moment, Step) -> Option<Moment>> Model for Bugged<F> {
    type State = Moment;
    type Action = Step;

    fn init_states(&self) -> Vec<Moment> {
        self.sound.init_states()
    }

    fn actions(&self, moment: &Moment, actions: &mut Vec<Step>) {
        self.sound.actions(moment, actions);
    }

    fn next_state(&self, moment: &Moment, step: Step) -> Option<Moment> {
        (self.bug)(&self.sound, moment, step)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        Vec::new()
    }
}

impl<F: Fn(&Protocol, &Moment, Step) -> Option<Moment>> Bugged<F> {
    /// The step, as the bug has it, breaks what is watched of the inside. Its events are left out: who needs them here
    /// is a black-box property.
    fn breaks_by(&self, moment: &Moment, step: Step) -> bool {
        let (watch, spec) = (&self.sound.watch, &self.sound.spec);
        let Some(next) = self.next_state(moment, step) else { return false };
        let before = watch.before(step, &spec.look(&moment.state));
        let mut is_broken = false;
        watch.after(before, step, Happened::default(), &spec.look(&next.state), |_, _| is_broken = true);
        is_broken
    }
}

/// The pipeline with this bug breaks the property, with one message.
fn breaks_with<F>(property: PropertyId, pipeline: &Pipeline, bug: F) -> bool
where
    F: Fn(&Protocol, &Moment, Step) -> Option<Moment> + Sync,
{
    let sound = Protocol::watching(pipeline, 1, property.into()).expect("one message fits");
    let bugged = Bugged { sound, bug };
    let kept = |moment: &Moment, steps: &[Step]| {
        let quiescent = steps.iter().all(|step| step.fault().is_some());
        let is_broken = bugged.sound.broken(moment, quiescent).contains(property);
        u64::from(!is_broken && !steps.iter().any(|&step| bugged.breaks_by(moment, step)))
    };
    let exploration = Walk::new(&bugged).checks(Checks::new(vec![Check::always("kept")], kept)).run();
    assert_eq!(exploration.completeness, Completeness::Complete);
    exploration.finding("kept").expect("it was checked").decided_by.is_some()
}

/// The second of two is committed while the first is at work.
#[test]
fn committing_the_highest_position_needs_two_messages() {
    let highest = pipeline(&[(Fault::ConsumerCrash, 1)], |it| {
        (it.consumer.workers, it.consumer.commits) = (2, Commits::Highest);
    });
    assert_eq!([1, 2].map(|messages| breaks(PropertyId::SubmittedNotLost, &highest, messages)), [false, true]);
}

/// A session is begun, forgotten, and begun anew by the third while the second is on its way.
#[test]
fn a_forgotten_session_needs_three_messages() {
    let forgets = pipeline(&[(Fault::DedupForgotten, 1), (Fault::PublishLost, 1)], |it| it.producer.in_flight = 2);
    assert_eq!([2, 3].map(|messages| breaks(PropertyId::SubmittedNotLost, &forgets, messages)), [false, true]);
}

/// An attempt is lost, and so is the one retry.
#[test]
fn two_attempts_need_two_faults() {
    let twice = |total| Pipeline {
        producer: Producer { attempts: Attempts::AtMost(2), ..Producer::default() },
        obligation: Obligation::Submitted,
        faults: FaultBudget::default().capped(total),
        ..Pipeline::default()
    };
    assert_eq!([1, 2].map(|total| breaks(PropertyId::SubmittedNotLost, &twice(total), 1)), [false, true]);
}

/// Both consumers are told that their settle counts, and both go on to the effect. One alone is busy with the first.
#[test]
fn an_unchecked_lease_needs_two_consumers() {
    let unchecked = pipeline(&[(Fault::LeaseExpiry, 1)], |it| {
        (it.consumer.settles, it.consumer.remembers) = (Settles::BeforeEffect, Remembers::Nothing);
        it.broker.leases = Leases::Unchecked;
    });
    let within = |consumers: u8| {
        breaks_with(PropertyId::NoDuplicateEffect, &unchecked, move |sound, moment, step| {
            let next = sound.step(moment, step);
            let Step::Move(Move::HandOff { position }) = step else { return Some(next) };
            let holding = next.state.holding(DeliveryRef { position, late: 0 }).expect("it was handed off");
            (holding.consumer < consumers).then_some(next)
        })
    };
    assert_eq!([1, 2].map(within), [false, true]);
}

/// A fence that counts epochs modulo three takes the third successor for the first incarnation.
#[test]
fn a_fence_that_wraps_needs_three_restarts() {
    let within = |crashes| {
        let fenced = pipeline(&[(Fault::ProducerZombie, 1), (Fault::ProducerCrash, crashes)], |_| {});
        let unfenced = Pipeline { broker: Broker { fencing: false, ..fenced.broker.clone() }, ..fenced.clone() };
        let unfenced = Protocol::watching(&unfenced, 1, PropertyId::Fencing.into()).expect("one message fits");
        breaks_with(PropertyId::Fencing, &fenced, move |sound, moment, step| {
            let look = sound.spec.look(&moment.state);
            let is_old = |epoch: u32| epoch % 3 < look.epoch().0 % 3;
            let is_let_in = look.received().is_some_and(|it| !is_old(it.epoch.0));
            let by = if matches!(step, Step::Move(Move::Append { .. })) && is_let_in { &unfenced } else { sound };
            Some(by.step(moment, step))
        })
    };
    assert_eq!([1, 2].map(within), [false, true], "with the zombie's own restart, two and three");
}

/// A memory that drops what it has recognised knows the first late copy, and not the second.
#[test]
fn a_memory_that_recognises_once_needs_two_stragglers() {
    let within = |copies| {
        let duplicated = pipeline(&[(Fault::PublishDuplicated, copies)], |it| {
            it.consumer.remembers = Remembers::Nothing;
        });
        breaks_with(PropertyId::NoDuplicateEffect, &duplicated, |sound, moment, step| {
            let decision = sound.spec.look(&moment.state).received().map(|received| received.decision);
            let next = sound.step(moment, step);
            let is_hit = matches!(step, Step::Move(Move::Append { .. })) && decision == Some(Decision::Duplicate);
            Some(if is_hit { sound.step(&next, Step::Fault(Strike::DedupForgotten)) } else { next })
        })
    };
    assert_eq!([1, 2].map(within), [false, true]);
}

/// A window of so many records is left by the message that many others follow.
#[test]
fn a_window_needs_one_message_more_than_it_is_long() {
    let evicts = |window: u32, messages| {
        let mut window_of = pipeline(&[(Fault::PublishDuplicated, 1)], |it| {
            (it.producer.identity, it.broker.dedup) = (Identity::MessageId, Dedup::MessageId);
            it.consumer.remembers = Remembers::Nothing;
        });
        window_of.broker.dedup_window = window;
        breaks(PropertyId::NoDuplicateEffect, &window_of, messages)
    };
    assert_eq!([(1, 1), (1, 2)].map(|(window, messages)| evicts(window, messages)), [false, true]);
    assert_eq!([(2, 2), (2, 3)].map(|(window, messages)| evicts(window, messages)), [false, true]);
    assert_eq!([(3, 3), (3, 4)].map(|(window, messages)| evicts(window, messages)), [false, true]);
}
