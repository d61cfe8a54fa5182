//! Each property with histories that break it and their legal neighbours, a step apart.
//!
//! Every table is read by one [`check`], which wants exactly the named properties broken, by the monitor on either store
//! and by the judge.

mod semantics_notation;

use delivery_model::{
    history::{Header, History, PipelineOf},
    pipeline::{DeadLetters, Level, Obligation, Pipeline},
    semantics::{
        Bounded, Monitor, MonitorStore, Observed, PropertyId, PropertySet, Question, Rules, SettleRule, Unbounded,
        judge,
    },
    vocab::{EventKind, MessageId},
    words::Word,
};
use semantics_notation::history;

/// The properties of a claim at the delivery level, for acked messages.
fn delivery() -> Rules {
    Rules::bare(Level::Delivery, Obligation::Acked)
}

/// The properties of a claim at the effect level, for acked messages.
fn effect() -> Rules {
    Rules::bare(Level::Effect, Obligation::Acked)
}

/// Wants exactly the named properties broken, in each history of the table, which is judged to its end.
fn check(rules: Rules, table: &[(&str, &str)]) {
    for (text, expected) in table {
        let expected: PropertySet = expected.split_whitespace().map(property).collect();
        let history = history(text);
        assert_eq!(watch::<Unbounded>(rules, &history), expected, "by the monitor: {text}");
        if fits_a_model(&history) {
            assert_eq!(watch::<Bounded<4>>(rules, &history), expected, "by a model's monitor: {text}");
        }
        assert_eq!(judged(rules, history), expected, "by the judge: {text}");
    }
}

fn property(word: &str) -> PropertyId {
    PropertyId::from_word(word).unwrap_or_else(|| panic!("{word:?} is no property"))
}

/// What a monitor of one group finds.
fn watch<S: MonitorStore + Default>(rules: Rules, history: &History) -> PropertySet {
    let monitor = Monitor::new(rules);
    let mut observed = Observed::<S>::default();
    for recorded in &history.events {
        monitor.observe(&mut observed, &recorded.event);
    }
    let at_rest = history.events.last().is_some_and(|recorded| recorded.event.kind == EventKind::Quiescent);
    if at_rest { monitor.at_quiescence(&observed) } else { observed.violated() }
}

/// A model has one producer, which submits messages by number, and no payloads.
fn fits_a_model(history: &History) -> bool {
    let submitted = history.events.iter().filter_map(|recorded| match recorded.event.kind {
        EventKind::Submit { message, .. } => Some(message),
        _ => None,
    });
    let one_producer = history.names.processes().all(|name| name == "a" || name == "consumer");
    one_producer && submitted.is_sorted() && history.events.iter().all(|recorded| !carries(&recorded.event.kind))
}

fn carries(kind: &EventKind) -> bool {
    use EventKind::*;
    matches!(
        kind,
        Submit { payload: Some(_), .. } | Attempt { payload: Some(_), .. } | Deliver { payload: Some(_), .. }
    )
}

/// What the judge finds in the same history, recorded with a pipeline that makes these rules.
fn judged(rules: Rules, mut history: History) -> PropertySet {
    let mut pipeline = Pipeline { level: rules.level, obligation: rules.obligation, ..Pipeline::default() };
    pipeline.ordered = rules.ordered;
    pipeline.broker.max_deliveries = u32::from(rules.sets_aside);
    pipeline.dead_letters = if rules.dead_letters { DeadLetters::Pay } else { DeadLetters::AreLost };
    if rules.settle == SettleRule::BeforeEffect {
        pipeline.consumer.settles = delivery_model::pipeline::Settles::BeforeEffect;
    }
    assert_eq!(Rules::from(&pipeline), rules);
    history.header = Header { pipeline: Some(PipelineOf::Whole(Box::new(pipeline))), ..Header::default() };
    judge(&history, Question::default()).violated()
}

#[test]
fn what_arrives_was_submitted_with_the_same_payload() {
    let table = [
        ("submit 1, deliver 1, effect 1", ""),
        ("deliver 1, effect 1", "integrity"),
        ("effect 1", "integrity"),
        ("submit 1, deliver 2", "integrity"),
        ("submit 1, deliver 9", "integrity"),
        ("deliver 1, submit 1", "integrity"),
        ("attempt 1, acked 1, deliver 1", "integrity"),
        ("submit 1 =red, deliver 1 =red, effect 1 =red", ""),
        ("submit 1 =red, deliver 1 =blue", "integrity"),
        ("submit 1 =red, deliver 1 =red, effect 1 =blue", "integrity"),
        ("submit 1 =red, deliver 1, effect 1", ""),
        ("submit 1, deliver 1 =red, effect 1 =blue", ""),
        ("submit 1, attempt 1 =red, deliver 1 =blue", "integrity"),
        ("submit 1, attempt 1 =red, deliver 1 =red", ""),
        ("submit 1 =red, attempt 1 =blue, deliver 1 =red", ""),
        ("submit 1 =red, attempt 1 =blue, deliver 1 =blue", "integrity"),
        ("submit 1 =red, submit 2 =blue, deliver 1 =blue", "integrity"),
        ("submit 1 =red, submit 2 =blue, deliver 2 =blue, deliver 1 =red", ""),
    ];
    check(delivery(), &table);
    check(effect(), &table);
}

#[test]
fn nothing_is_delivered_twice() {
    let table = [
        ("submit 1, deliver 1", ""),
        ("submit 1, deliver 1, deliver 1", "no-duplicate-delivery"),
        ("submit 1, submit 2, deliver 1, deliver 2", ""),
        ("submit 1, submit 2, deliver 1, deliver 2, deliver 1", "no-duplicate-delivery"),
        ("submit 1, deliver 1 @0, deliver 1 @1", "no-duplicate-delivery"),
        ("submit 1, deliver 1 @0, rewind @0, deliver 1 @0", "no-duplicate-delivery"),
        ("submit 1, deliver 1, effect 1, effect 1", ""),
        ("submit 1, deliver 1 in g, deliver 1 in g", "no-duplicate-delivery"),
    ];
    check(delivery(), &table);
}

#[test]
fn nothing_has_its_effect_twice() {
    let table = [
        ("submit 1, deliver 1, effect 1", ""),
        ("submit 1, deliver 1, effect 1, effect 1", "no-duplicate-effect"),
        ("submit 1, deliver 1, deliver 1, deliver 1, effect 1", ""),
        ("submit 1, deliver 1, effect 1, deliver 1, effect 1", "no-duplicate-effect"),
        ("submit 1, submit 2, effect 1, effect 2", ""),
        ("submit 1, deliver 1 @0, effect 1, rewind @0, deliver 1 @0", ""),
        ("submit 1, deliver 1 @0, effect 1, rewind @0, deliver 1 @0, effect 1", "no-duplicate-effect"),
    ];
    check(effect(), &table);
}

#[test]
fn what_was_acked_is_not_lost() {
    let table = [
        ("submit 1, attempt 1, acked 1, deliver 1, effect 1, quiescent", ""),
        ("submit 1, attempt 1, acked 1, quiescent", "acked-not-lost"),
        ("submit 1, attempt 1, acked 1", ""),
        ("submit 1, attempt 1, deliver 1, effect 1, acked 1, quiescent", ""),
        ("submit 1, attempt 1, unknown 1, quiescent", ""),
        ("submit 1, attempt 1, refused 1, quiescent", ""),
        ("submit 1, quiescent", ""),
        ("submit 1, attempt 1, unknown 1, attempt 1, acked 1, quiescent", "acked-not-lost"),
        ("submit 1, attempt 1, acked 1, attempt 1, unknown 1, quiescent", "acked-not-lost"),
        ("submit 1, submit 2, acked 1, acked 2, deliver 2, effect 2, quiescent", "acked-not-lost"),
        ("submit 1, acked 1, dead-letter 1, quiescent", ""),
    ];
    check(delivery(), &table);
    check(effect(), &table);
    let forbidden = Rules { dead_letters: false, ..effect() };
    check(forbidden, &[("submit 1, acked 1, deliver 1, dead-letter 1, quiescent", "acked-not-lost")]);
    check(effect(), &[("submit 1, acked 1, deliver 1, quiescent", "acked-not-lost")]);
    check(delivery(), &[("submit 1, acked 1, deliver 1, quiescent", "")]);
    check(delivery(), &[("submit 1, acked 1, effect 1, quiescent", "acked-not-lost")]);
}

#[test]
fn what_was_submitted_is_not_lost() {
    let table = [
        ("submit 1, attempt 1, acked 1, deliver 1, effect 1, quiescent", ""),
        ("submit 1, quiescent", "submitted-not-lost"),
        ("submit 1", ""),
        ("submit 1, attempt 1, acked 1, quiescent", "submitted-not-lost"),
        ("submit 1, attempt 1, unknown 1, quiescent", "submitted-not-lost"),
        ("submit 1, attempt 1, unknown 1, deliver 1, effect 1, quiescent", ""),
        ("submit 1, attempt 1, refused 1, quiescent", "submitted-not-lost"),
        ("attempt 1, acked 1, quiescent", ""),
        ("submit 1, dead-letter 1, quiescent", ""),
    ];
    for level in Level::ALL {
        check(Rules::bare(level, Obligation::Submitted), &table);
    }
    let forbidden = Rules { dead_letters: false, ..Rules::bare(Level::Effect, Obligation::Submitted) };
    check(forbidden, &[("submit 1, dead-letter 1, quiescent", "submitted-not-lost")]);
}

#[test]
fn what_was_refused_every_time_is_not_delivered() {
    let table = [
        ("submit 1, attempt 1, refused 1, quiescent", ""),
        ("submit 1, attempt 1, refused 1, deliver 1, quiescent", "refused-not-delivered"),
        ("submit 1, attempt 1, refused 1, effect 1, quiescent", "refused-not-delivered"),
        ("submit 1, attempt 1, refused 1, deliver 1", ""),
        ("submit 1, attempt 1, deliver 1, refused 1, quiescent", "refused-not-delivered"),
        ("submit 1, refused 1, deliver 1, quiescent", "refused-not-delivered"),
        ("submit 1, deliver 1, quiescent", ""),
        ("submit 1, attempt 1, deliver 1, quiescent", ""),
        ("submit 1, attempt 1, unknown 1, deliver 1, quiescent", ""),
        ("submit 1, attempt 1, refused 1, attempt 1, unknown 1, deliver 1, quiescent", ""),
        ("submit 1, attempt 1, unknown 1, attempt 1, refused 1, deliver 1, quiescent", ""),
        ("submit 1, attempt 1, refused 1, attempt 1, refused 1, deliver 1, quiescent", "refused-not-delivered"),
        // An attempt of which nothing was heard, because its producer crashed, may have been stored.
        ("submit 1, attempt 1, attempt 1, refused 1, deliver 1, quiescent", ""),
        ("submit 1, attempt 1, attempt 1, refused 1, refused 1, deliver 1, quiescent", "refused-not-delivered"),
        ("submit 1, attempt 1, attempt 1, attempt 1, refused 1, refused 1, deliver 1, quiescent", ""),
        ("submit 1, refused 1, refused 1, attempt 1, deliver 1, quiescent", ""),
        ("submit 1, refused 1, refused 1, attempt 1, refused 1, deliver 1, quiescent", "refused-not-delivered"),
    ];
    check(Rules::bare(Level::Delivery, Obligation::Acked), &table);
    check(Rules::bare(Level::Effect, Obligation::Acked), &table);
}

#[test]
fn four_attempts_without_an_outcome_are_never_again_taken_for_refused() {
    let asked = |attempts: usize| {
        let attempts_and_refusals = ["attempt 1, ".repeat(attempts), "refused 1, ".repeat(attempts)].concat();
        format!("submit 1, {attempts_and_refusals} deliver 1, quiescent")
    };
    check(delivery(), &[(&asked(3), "refused-not-delivered"), (&asked(4), "")]);
}

#[test]
fn first_deliveries_come_in_order_and_without_gaps() {
    let ordered = Rules { ordered: true, ..effect() };
    let table = [
        ("submit 1, submit 2, deliver 1, deliver 2, quiescent", ""),
        ("submit 1, submit 2, deliver 2, deliver 1", "order"),
        ("submit 1, submit 2, submit 3, deliver 1, deliver 3, deliver 2", "order"),
        ("submit 1, submit 2, deliver 1, deliver 2, deliver 1", ""),
        ("submit 1, submit 2, deliver 1, deliver 1, deliver 2, deliver 1, deliver 2", ""),
        ("submit 1, deliver 1, submit 2, deliver 2", ""),
        ("submit 1, submit 1, submit 2, submit 1, deliver 1, deliver 2", ""),
        // A gap is one for good only when nothing more comes.
        ("submit 1, submit 2, deliver 2", ""),
        ("submit 1, submit 2, deliver 2, quiescent", "order"),
        ("submit 1, submit 2, deliver 1, quiescent", ""),
        ("submit 1, attempt 1, unknown 1, submit 2, deliver 2, quiescent", "order"),
        ("submit 1, attempt 1, refused 1, submit 2, deliver 2, quiescent", ""),
        ("submit 1, attempt 1, submit 2, deliver 2, refused 1, quiescent", ""),
        ("submit 1, attempt 1, attempt 1, refused 1, submit 2, deliver 2, quiescent", "order"),
        ("submit 1, submit 2, dead-letter 1, deliver 2, quiescent", ""),
        ("submit 1, submit 2, deliver 2, dead-letter 1, quiescent", ""),
        ("submit 1, submit 2, dead-letter 1, deliver 2, deliver 1, quiescent", "order"),
        // Each producer has an order of its own.
        ("submit 1 by a, submit 2 by b, deliver 2, deliver 1, quiescent", ""),
        ("submit 1 by a, submit 2 by b, submit 3 by a, deliver 2, deliver 3, deliver 1", "order"),
        ("submit 2 by a, submit 1 by a, deliver 2, deliver 1, quiescent", ""),
        ("submit 2 by a, submit 1 by a, deliver 1, deliver 2, quiescent", "order"),
        // What was never submitted has no place.
        ("submit 1, deliver 4, submit 4, deliver 1, quiescent", "integrity"),
        ("submit 1, submit 2, dead-letter 3, deliver 1, deliver 2, quiescent", ""),
    ];
    check(ordered, &table);
    check(effect(), &[("submit 1, submit 2, deliver 2, deliver 1, quiescent", "")]);
}

#[test]
fn a_settle_comes_after_the_effect_when_nothing_may_be_lost() {
    let table = [
        ("submit 1, deliver 1, effect 1, settle 1", ""),
        ("submit 1, deliver 1, settle 1, effect 1", "settled-after-effect"),
        ("submit 1, deliver 1, settle 1", "settled-after-effect"),
        ("submit 1, deliver 1, settle-refused 1, effect 1", ""),
        ("submit 1, deliver 1, settle-unknown 1, effect 1", ""),
        ("submit 1, submit 2, effect 1, settle 2", "settled-after-effect"),
        ("submit 1, deliver 1, effect 1, settle-unknown 1, deliver 1, settle 1", ""),
    ];
    check(effect(), &table);
}

#[test]
fn a_settle_comes_before_the_effect_when_nothing_may_come_twice() {
    let table = [
        ("submit 1, deliver 1, settle 1, effect 1", ""),
        ("submit 1, deliver 1, effect 1, settle 1", "settled-after-effect"),
        ("submit 1, deliver 1, settle 1", ""),
        ("submit 1, deliver 1, effect 1", ""),
        ("submit 1, deliver 1, effect 1, settle-unknown 1", ""),
        ("submit 1, deliver 1, effect 1, settle-refused 1", ""),
        ("submit 1, deliver 1, settle 1, effect 1, settle 1", ""),
        ("submit 1, submit 2, settle 2, effect 1, settle 1", "settled-after-effect"),
    ];
    check(Rules { settle: SettleRule::BeforeEffect, ..effect() }, &table);
}

#[test]
fn a_settled_position_is_not_delivered_again_unless_rewound() {
    let table = [
        ("submit 1, deliver 1 @0, effect 1, settle 1 @0", ""),
        ("submit 1, deliver 1 @0, effect 1, settle 1 @0, deliver 1 @0", "no-delivery-after-settle"),
        ("submit 1, deliver 1 @0, effect 1, deliver 1 @0, settle 1 @0", ""),
        ("submit 1, deliver 1 @0, effect 1, settle-unknown 1 @0, deliver 1 @0", ""),
        ("submit 1, deliver 1 @0, effect 1, settle-refused 1 @0, deliver 1 @0", ""),
        // The same message at another position was not settled.
        ("submit 1, effect 1, settle 1 @0, deliver 1 @1", ""),
        ("submit 1, effect 1, settle 1 @0, settle 1 @1, deliver 1 @0", "no-delivery-after-settle"),
        ("submit 1, effect 1, settle 1 @3, rewind @3, deliver 1 @3", ""),
        ("submit 1, effect 1, settle 1 @3, rewind @2, deliver 1 @3", ""),
        ("submit 1, effect 1, settle 1 @3, rewind @4, deliver 1 @3", "no-delivery-after-settle"),
        ("submit 1, effect 1, rewind @0, settle 1 @3, deliver 1 @3", "no-delivery-after-settle"),
        ("submit 1, effect 1, settle 1 @0, settle 1 @15, rewind @15, deliver 1 @15", ""),
        ("submit 1, effect 1, settle 1 @15, rewind @40, deliver 1 @15", "no-delivery-after-settle"),
        ("submit 1, effect 1, settle 1 @15, rewind @16, deliver 1 @15", "no-delivery-after-settle"),
        // Without a position, the message has only one.
        ("submit 1, deliver 1, effect 1, settle 1, deliver 1", "no-delivery-after-settle"),
        ("submit 1, deliver 1 @0, effect 1, settle 1, deliver 1 @0", "no-delivery-after-settle"),
        ("submit 1, deliver 1, effect 1, settle 1 @0, deliver 1", "no-delivery-after-settle"),
        ("submit 1, effect 1, settle 1 @0, settle 1, deliver 1 @5", "no-delivery-after-settle"),
        ("submit 1, effect 1, settle 1, settle 1 @0, deliver 1 @5", "no-delivery-after-settle"),
        ("submit 1, submit 2, effect 1, settle 1, deliver 2", ""),
        ("submit 1, effect 1, settle 1, rewind @7, deliver 1", ""),
    ];
    check(effect(), &table);
    // Another message at the same position is another record, of another partition or after the log was lost.
    let other = history("submit 1, submit 2, effect 1, settle 1 @0, deliver 2 @0");
    assert!(watch::<Unbounded>(effect(), &other).is_empty());
    let far = "submit 1, effect 1, settle 1 @9000000000, deliver 1 @9000000000";
    assert_eq!(watch::<Unbounded>(effect(), &history(far)), PropertyId::NoDeliveryAfterSettle.into());
    assert!(watch::<Bounded<4>>(effect(), &history(far)).is_empty(), "a model watches the first positions only");
}

/// What a model's monitor of one property remembers of these events.
fn remembered(property: PropertyId, text: &str) -> Observed<Bounded<2>> {
    let monitor = Monitor { rules: effect(), watched: property.into() };
    let mut observed = Observed::default();
    for recorded in &history(text).events {
        monitor.observe(&mut observed, &recorded.event);
    }
    observed
}

#[test]
fn a_broken_property_stays_broken_and_costs_no_more_states() {
    use PropertyId::*;
    // However it was broken, and whatever comes after, a model is in the same state.
    let ways = [
        (NoDuplicateEffect, "effect 1, effect 1", "effect 2, effect 1, effect 2, effect 1, effect 1"),
        (NoDeliveryAfterSettle, "settle 1 @0, deliver 1 @0", "settle 2 @1, settle 1 @2, deliver 2 @1, settle 1 @3"),
        (Integrity, "deliver 1", "submit 1, effect 2, submit 2"),
    ];
    for (property, one, other) in ways {
        assert_eq!(remembered(property, one).violated(), property.into());
        assert_eq!(remembered(property, one), remembered(property, other), "{property}");
    }
}

#[test]
fn what_can_no_longer_break_a_property_is_not_remembered() {
    use PropertyId::*;
    let ways = [
        (RefusedNotDelivered, "attempt 1, unknown 1", "attempt 1, deliver 1, unknown 1, deliver 1, attempt 1"),
        (AckedNotLost, "effect 1", "acked 1, effect 1, acked 1, effect 1"),
        (Order, "submit 1, deliver 1", "submit 1, attempt 1, refused 1, deliver 1, dead-letter 1, attempt 1"),
        (NoDuplicateEffect, "effect 1", "submit 1, deliver 1, effect 1, deliver 1, settle 1"),
    ];
    for (property, one, other) in ways {
        assert!(remembered(property, one).violated().is_empty());
        assert_eq!(remembered(property, one), remembered(property, other), "{property}");
    }
}

#[test]
fn what_is_not_watched_is_not_remembered() {
    let nothing = Monitor { watched: PropertySet::EMPTY, ..Monitor::new(effect()) };
    let mut observed = Observed::<Bounded<2>>::default();
    let all =
        "submit 1, attempt 1, refused 1, deliver 1 @0, effect 1, settle 1 @0, rewind @0, dead-letter 1, quiescent";
    for recorded in &history(all).events {
        nothing.observe(&mut observed, &recorded.event);
    }
    assert_eq!(observed, Observed::default());
}

#[test]
fn the_state_of_a_model_with_two_messages_stays_small() {
    assert!(size_of::<Observed<Bounded<2>>>() <= 32, "{} bytes", size_of::<Observed<Bounded<2>>>());
    assert_eq!(MessageId(3), Bounded::<3>::default().messages().last().unwrap().0);
}
