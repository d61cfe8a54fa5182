//! The known ways in which a consumer's rarer settings break a promise. Each is a minimal pair, as in `known.rs`: without the
//! setting, or without the fault, there is no such story.

use std::collections::HashSet;

use delivery_model::pipeline::*;
use delivery_model::semantics::PropertyId;
use delivery_model::spec::{Spec, State};
use delivery_model::vocab::{EventKind, Fault, MessageId, Step, Strike};

use super::{explored, pipeline, told};

/// The property is kept by the pipeline, and by the weakened one without faults; the weakened one breaks it by a story with as
/// many messages and steps.
fn check(property: PropertyId, pipeline: &Pipeline, weaken: fn(&mut Pipeline), (messages, steps): (u32, usize)) {
    assert_eq!(told(pipeline, property), None, "the neighbour breaks it as well");
    let mut weakened = pipeline.clone();
    weaken(&mut weakened);
    assert!(weakened.means_something(), "the weakened pipeline is one that a user may write");
    let faultless = Pipeline { faults: FaultBudget::NONE, ..weakened.clone() };
    assert_eq!(told(&faultless, property), None, "it needs no fault");
    let story = told(&weakened, property).expect("the weakened pipeline breaks it");
    assert_eq!((story.messages, story.steps.len()), (messages, steps), "{:#?}", story.steps);
}

/// The settle is lost, the message comes again, and the inbox knows it. As nobody settles what is ignored, its deliveries are
/// used up, and what has its effect is set aside all the same.
#[test]
fn a_duplicate_that_is_ignored_becomes_a_dead_letter_although_it_has_its_effect() {
    check(
        PropertyId::EffectOrDeadLetter,
        &pipeline(&[Fault::SettleLost], |it| it.broker.max_deliveries = 2),
        |it| it.consumer.on_duplicate = OnDuplicate::Ignore,
        (1, 14),
    );
}

/// What was received is committed by itself, and the consumer crashes before it has made the effect.
#[test]
fn a_settle_in_the_background_loses_what_was_not_handled_yet() {
    check(
        PropertyId::SubmittedNotLost,
        &pipeline(&[Fault::ConsumerCrash], |it| it.consumer.commits = Commits::Prefix),
        |it| it.consumer.settles = Settles::InBackground,
        (1, 12),
    );
}

/// The handler fails once. Its delivery is given back, but its position has been committed by itself.
#[test]
fn a_failure_does_not_call_back_a_settle_in_the_background() {
    check(
        PropertyId::SubmittedNotLost,
        &pipeline(&[Fault::HandlerFails], |_| {}),
        |it| it.consumer.settles = Settles::InBackground,
        (1, 12),
    );
}

/// The second message of a batch fails once. The whole batch is given back, and with it the first one, which has its effect.
#[test]
fn a_failure_in_a_batch_repeats_what_was_done_before_it() {
    check(
        PropertyId::NoDuplicateEffect,
        &pipeline(&[Fault::HandlerFails], |it| it.consumer.remembers = Remembers::Nothing),
        |it| it.consumer.batch = 2,
        (2, 21),
    );
}

/// The partition moves while its owner is at work, and both have their effect: nothing fences the old owner off.
#[test]
fn a_rebalance_without_a_fence_repeats_an_effect() {
    check(
        PropertyId::NoDuplicateEffect,
        &pipeline(&[Fault::Rebalance], |it| {
            (it.consumer.settles, it.consumer.remembers) = (Settles::WithEffect, Remembers::Nothing);
        }),
        |it| it.broker.leases = Leases::Unchecked,
        (1, 12),
    );
}

/// A rebalance is one of a cursor: a group with a lease for each position has none.
#[test]
fn a_group_with_leases_is_not_rebalanced() {
    let leased = pipeline(&[Fault::Rebalance], |_| {});
    let explored = explored(&leased);
    assert_eq!(explored.never_fired, [Fault::Rebalance]);
}

/// A state, and which messages have their effect.
type Moment = (State, [bool; 2]);

/// The shortest way to a dead letter without an effect that is not the message which kills its consumer.
fn innocent_dead_letter(pipeline: &Pipeline) -> Option<Vec<Step>> {
    let spec = Spec::new(pipeline, 2).expect("two messages fit");
    let mut seen = HashSet::from([Moment::default()]);
    let mut reached = vec![(Moment::default(), 0, None)];
    let mut next = 0;
    while let Some(&((state, effected), ..)) = reached.get(next) {
        let mut steps = Vec::new();
        spec.steps(&state, &mut |step| steps.push(step));
        for step in steps {
            let (mut after, mut effected) = (state, effected);
            let events = spec.take(&mut after, step);
            for event in events.iter() {
                match event.kind {
                    EventKind::Effect { message, .. } => effected[message.0 as usize - 1] = true,
                    EventKind::DeadLetter { message: MessageId(id), .. }
                        if !effected[id as usize - 1] && !state.kills(id as usize) =>
                    {
                        return Some(path(&reached, next, step));
                    }
                    _ => {}
                }
            }
            if seen.insert((after, effected)) {
                reached.push(((after, effected), next, Some(step)));
            }
        }
        next += 1;
    }
    None
}

fn path(reached: &[(Moment, usize, Option<Step>)], mut at: usize, last: Step) -> Vec<Step> {
    let mut path = vec![last];
    while let (_, before, Some(step)) = reached[at] {
        path.push(step);
        at = before;
    }
    path.reverse();
    path
}

/// One message kills its consumer, over and over. The one behind it waits in the client's buffer: each crash takes it along,
/// its deliveries are counted, and it is set aside although no handler ever saw it.
#[test]
fn a_message_that_waits_behind_one_that_kills_its_consumer_becomes_a_dead_letter() {
    let killing = pipeline(&[Fault::HandlerCrashes], |it| it.broker.max_deliveries = 2);
    assert_eq!(innocent_dead_letter(&killing), None, "one at a time, nobody else is in hand");
    let in_hand: [fn(&mut Pipeline); 2] = [|it| it.consumer.prefetch = 1, |it| it.consumer.workers = 2];
    for change in in_hand {
        let mut shared = killing.clone();
        change(&mut shared);
        let story = innocent_dead_letter(&shared).expect("the neighbour is in hand");
        assert!(story.iter().any(|step| matches!(step, Step::Fault(Strike::HandlerCrashes { .. }))), "{story:#?}");
        let faultless = Pipeline { faults: FaultBudget::NONE, ..shared };
        assert_eq!(innocent_dead_letter(&faultless), None, "without the crash nobody is in hand twice");
    }
}
