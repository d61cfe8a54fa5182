//! Stories say which step breaks a property, and what never comes: by the properties' own word.

use delivery_model::check::{Limits, explore};
use delivery_model::pipeline::*;
use delivery_model::presets;
use delivery_model::semantics::{PropertyId, PropertySet, Rules};
use delivery_model::story::{Asked, Break, End, Ink, Story, spec_for};
use delivery_model::vocab::{Fault, MessageId, Step};
use expect_test::{Expect, expect};

fn pipeline(faults: &[Fault], change: fn(&mut Pipeline)) -> Pipeline {
    let mut pipeline = presets::named("exactly-once").expect("a reference");
    pipeline.faults = FaultBudget::once_each(faults.iter().copied());
    change(&mut pipeline);
    assert!(pipeline.means_something(), "a user may write it");
    pipeline
}

fn no_inbox() -> Pipeline {
    pipeline(&[Fault::ConsumerCrash], |it| it.consumer.remembers = Remembers::Nothing)
}

fn forgetful() -> Pipeline {
    pipeline(&[Fault::BrokerCrash], |it| it.broker.acks = Acks::OnReceipt)
}

/// The model's story of this property: its steps, and how many of them come before its loop.
fn found(pipeline: &Pipeline, property: PropertyId) -> (u32, Vec<Step>, Option<usize>) {
    let found = explore(pipeline, Limits::default(), &|_| true).expect("two messages fit");
    let violation = found.violations.into_iter().find(|it| it.property == property).expect("it is broken");
    let from = (!violation.cycle.is_empty()).then_some(violation.steps.len());
    (violation.messages, [violation.steps, violation.cycle].concat(), from)
}

fn told(
    pipeline: &Pipeline,
    property: PropertyId,
    steps: &[Step],
    messages: u32,
    from: Option<usize>,
) -> (Vec<Break>, Story) {
    let spec = spec_for(pipeline, messages, steps).expect("the model's own story");
    let asked = Asked::new(pipeline, Rules::from(pipeline), property.into());
    let breaks = asked.breaks(&spec, steps, if from.is_some() { End::Loop } else { End::Last });
    let story = Story::of(&spec, steps).marked(&breaks);
    (breaks, from.map_or(story.clone(), |from| story.endless(from)))
}

/// The last lines of the story, from this one on.
fn check(pipeline: &Pipeline, property: PropertyId, lines: usize, expected: Expect) {
    let (messages, steps, from) = found(pipeline, property);
    let (breaks, story) = told(pipeline, property, &steps, messages, from);
    assert_eq!(breaks.len(), 1, "{breaks:?}");
    let text = story.text(Ink::Plain, 80);
    let last: Vec<&str> = text.lines().skip(text.lines().count() - lines).collect();
    expected.assert_eq(&format!("...\n{}\n", last.join("\n")));
    // The same in the picture, and in red.
    let svg = story.svg();
    assert!(svg.contains("<text class='broken'") && svg.contains(&breaks[0].words), "{svg}");
}

#[test]
fn the_second_effect_is_marked() {
    check(
        &no_inbox(),
        PropertyId::NoDuplicateEffect,
        4,
        expect![[r#"
        ...
         10 │                          ├ deliver 1 (position 0) ─▶│
         11 │                          │                          ● receives 1
         12 │                          │                          ✗ reserves stock for 1
            │                          │                          │ ◀ 2nd effect
    "#]],
    );
}

#[test]
fn a_loss_ends_with_what_never_comes() {
    check(
        &forgetful(),
        PropertyId::SubmittedNotLost,
        3,
        expect![[r#"
        ...
          4 ● learns: acked 1          │                          │
          5 │                          ✗ crashes and restarts     │
        ✗ message 1 is never delivered
    "#]],
    );
}

#[test]
fn a_message_that_fails_for_ever_has_no_effect() {
    check(
        &pipeline(&[Fault::Poison], |_| {}),
        PropertyId::SubmittedNotLost,
        5,
        expect![[r#"
        ...
        loop: for ever from here on
          9 │                          ├ deliver 1 (position 0) ─▶│
         10 │                          │                          ● receives 1
         11 │                          │                          ● fails to handle 1
        ✗ message 1 has no effect
    "#]],
    );
}

#[test]
fn a_step_that_breaks_what_a_party_should_hold_is_marked() {
    let forgetful = forgetful();
    let (messages, steps, from) = found(&forgetful, PropertyId::SubmittedNotLost);
    let (breaks, story) = told(&forgetful, PropertyId::AckHonesty, &steps, messages, from);
    let [only] = &*breaks else { panic!("{breaks:?}") };
    assert_eq!(
        (only.property, only.message, &*only.words),
        (PropertyId::AckHonesty, MessageId(1), "breaks ack-honesty")
    );
    let row = &story.rows[only.step.expect("a step breaks it")];
    assert_eq!(row.told(), "learns: acked 1 ◀ breaks ack-honesty");
}

#[test]
fn nothing_is_marked_before_it_is_broken_nor_where_the_rest_is_not_told() {
    let no_inbox = no_inbox();
    let (messages, steps, from) = found(&no_inbox, PropertyId::NoDuplicateEffect);
    for length in 0..steps.len() {
        for property in Rules::from(&no_inbox).required_by(Semantics::ExactlyOnce).iter() {
            let (breaks, story) = told(&no_inbox, property, &steps[..length], messages, from);
            assert_eq!(breaks, [], "{property} after {length} steps");
            assert!(story.rows.iter().all(|row| row.breaks.is_none()) && story.never.is_empty());
        }
    }
}

#[test]
fn of_two_things_broken_by_one_step_both_are_told() {
    let no_inbox = no_inbox();
    let (messages, steps, _) = found(&no_inbox, PropertyId::NoDuplicateEffect);
    let spec = spec_for(&no_inbox, messages, &steps).expect("the model's own story");
    let all = Asked::new(&no_inbox, Rules::from(&no_inbox), PropertySet::of(PropertyId::ALL));
    let mut breaks = all.breaks(&spec, &steps, End::Last);
    let second = breaks.iter().find(|it| it.property == PropertyId::NoDuplicateEffect).expect("it is broken").clone();
    breaks.push(Break { words: "something else".to_owned(), ..second.clone() });
    breaks.push(second.clone());
    let story = Story::of(&spec, &steps).marked(&breaks);
    let row = &story.rows[second.step.expect("a step breaks it")];
    assert_eq!(row.breaks.as_deref(), Some("2nd effect, something else"));
}
