//! What holds of the monitors for any events whatever, legal or not.

use delivery_model::{
    history::{At, Header, History, PipelineOf},
    pipeline::{DeadLetters, Level, Obligation, Pipeline},
    semantics::{
        Bounded, Doubt, Finding, Judgement, Monitor, MonitorStore, Observed, PropertyId, PropertySet, Question, Rules,
        SettleRule, Unbounded, Verdict, judge,
    },
    vocab::{
        Event,
        EventKind::{self, *},
        GroupId, MessageId, Outcome as Of, PayloadId, Position, ProcessId, SettleOutcome as Settled,
    },
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
};

const MESSAGES: u64 = 4;

fn rules() -> impl Strategy<Value = Rules> {
    let settle = select(&[SettleRule::AfterEffect, SettleRule::BeforeEffect]);
    let words = (select(&Level::ALL), select(&Obligation::ALL), settle);
    (words, any::<bool>(), any::<bool>()).prop_map(|((level, obligation, settle), dead_letters, ordered)| Rules {
        requeues: false,
        sets_aside: true,
        level,
        obligation,
        dead_letters,
        ordered,
        settle,
    })
}

/// Any event of two producers and two groups. A message is stored at one of two positions, which are its own.
fn events() -> impl Strategy<Value = Event> {
    let about = (1..=MESSAGES, option::of(any::<bool>()), 0..2_u16, option::weighted(0.2, 0..2_u32));
    (about, 0..12_usize).prop_map(|((number, place, process, payload), what)| {
        let (message, group, payload) = (MessageId(number), GroupId(process), payload.map(PayloadId));
        let position = place.map(|second| Position(number + if second { MESSAGES } else { 0 }));
        let outcome = |outcome| Outcome { message, attempt: None, outcome, partition: Default::default(), position };
        let settle =
            |outcome| Settle { message, group, partition: Default::default(), position, delivery: None, outcome };
        let kind = match what {
            0 | 1 => Submit { message, payload },
            2 => Attempt { message, attempt: None, payload },
            3 => outcome(Of::Acked),
            4 => outcome(Of::Refused),
            5 => outcome([Of::Unknown, Of::Refused][usize::from(process)]),
            6 | 7 => Deliver { message, group, partition: Default::default(), position, delivery: None, payload },
            8 => Effect { message, group, payload },
            9 => settle(Settled::Ok),
            10 => settle([Settled::Unknown, Settled::Refused][usize::from(process)]),
            _ if position.is_none() => DeadLetter { message, group },
            _ => Rewind { group, partition: Default::default(), position: Position(number + 3) },
        };
        Event { process: ProcessId(process), kind }
    })
}

/// Events as a model has them: one producer that submits by number, one group, no payloads.
fn model_events() -> impl Strategy<Value = Vec<Event>> {
    vec(events(), 0..40).prop_map(|mut events| {
        let mut submitted = 0;
        events.iter_mut().for_each(|event| as_in_a_model(event, &mut submitted));
        events
    })
}

fn as_in_a_model(event: &mut Event, submitted: &mut u64) {
    event.process = ProcessId(0);
    match &mut event.kind {
        Submit { message, payload } => {
            *submitted = (*submitted + 1).min(MESSAGES);
            (*message, *payload) = (MessageId(*submitted), None);
        }
        Deliver { group, payload, .. } | Effect { group, payload, .. } => (*group, *payload) = (GroupId(0), None),
        Attempt { payload, .. } => *payload = None,
        Settle { group, .. } | DeadLetter { group, .. } | Rewind { group, .. } => *group = GroupId(0),
        Outcome { .. } | Commit { .. } | Abort { .. } | Fault { .. } | Heal { .. } | Quiescent => {}
    }
}

/// What a monitor finds while events come, and what when nothing more does.
fn watch<S: MonitorStore + Default>(monitor: Monitor, events: &[Event]) -> (PropertySet, PropertySet) {
    let mut observed = Observed::<S>::default();
    events.iter().for_each(|event| monitor.observe(&mut observed, event));
    (observed.violated(), monitor.at_quiescence(&observed))
}

/// How often the judge finds each property broken.
fn breaches(rules: Rules, events: &[Event], at_rest: bool) -> Vec<(PropertyId, u64)> {
    let judgement = judged(rules, events, at_rest);
    judgement.findings.iter().map(|finding| (finding.property, finding.breaches)).collect()
}

fn judged(rules: Rules, events: &[Event], at_rest: bool) -> Judgement {
    let mut pipeline = Pipeline { level: rules.level, obligation: rules.obligation, ..Pipeline::default() };
    (pipeline.ordered, pipeline.broker.max_deliveries) = (rules.ordered, u32::from(rules.sets_aside));
    pipeline.dead_letters = if rules.dead_letters { DeadLetters::Pay } else { DeadLetters::AreLost };
    let header = Header { pipeline: Some(PipelineOf::Whole(Box::new(pipeline))), ..Header::default() };
    let mut history = History { header, ..History::default() };
    let rest = Event { process: ProcessId(0), kind: Quiescent };
    let rest = at_rest.then_some(&rest);
    (0..).zip(events.iter().chain(rest)).for_each(|(step, &event)| history.push(At::Whole(step), event));
    judge(&history, Question::default())
}

fn renamed(kind: &EventKind, to: impl Fn(MessageId) -> MessageId) -> EventKind {
    let mut kind = *kind;
    match &mut kind {
        Submit { message, .. }
        | Attempt { message, .. }
        | Outcome { message, .. }
        | Deliver { message, .. }
        | Effect { message, .. }
        | Settle { message, .. }
        | DeadLetter { message, .. } => *message = to(*message),
        Rewind { .. } | Commit { .. } | Abort { .. } | Fault { .. } | Heal { .. } | Quiescent => {}
    }
    kind
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_come_to_the_same(rules in rules(), events in model_events()) {
        let monitor = Monitor::new(rules);
        for until in 0..=events.len() {
            let small = watch::<Bounded<{ MESSAGES as usize }>>(monitor, &events[..until]);
            prop_assert_eq!(small, watch::<Unbounded>(monitor, &events[..until]));
        }
    }

    #[test]
    fn each_property_is_judged_alike_alone_and_among_others(rules in rules(), events in model_events()) {
        let all = Monitor { rules, watched: PropertyId::BLACK_BOX.iter().copied().collect() };
        let (on_the_way, at_rest) = watch::<Unbounded>(all, &events);
        for &property in PropertyId::BLACK_BOX {
            let alone = watch::<Unbounded>(Monitor { rules, watched: property.into() }, &events);
            let only = |set: PropertySet| if set.contains(property) { property.into() } else { PropertySet::EMPTY };
            prop_assert_eq!(alone, (only(on_the_way), only(at_rest)), "{}", property);
        }
    }

    #[test]
    fn what_was_broken_on_the_way_stays_broken(
        rules in rules(), events in vec(events(), 0..40), until in any::<Index>(),
    ) {
        let before = breaches(rules, &events[..until.index(events.len() + 1)], false);
        let after = breaches(rules, &events, false);
        for ((property, before), (_, after)) in before.into_iter().zip(after) {
            prop_assert!(before <= after, "{}", property);
        }
    }

    #[test]
    fn a_model_s_monitor_and_the_judge_agree(rules in rules(), events in model_events()) {
        // The judge takes its rule for settles from the promise; its default is this one.
        let rules = Rules { settle: SettleRule::AfterEffect, ..rules };
        let (_, at_rest) = watch::<Bounded<{ MESSAGES as usize }>>(Monitor::new(rules), &events);
        let judgement = judged(rules, &events, true);
        // The events of a model never contradict themselves. These may, and then they are no evidence of a loss.
        let contradicted = |finding: &&Finding| finding.verdict == Verdict::Unknown(Doubt::Contradiction);
        let untold: PropertySet = judgement.findings.iter().filter(contradicted).map(|finding| finding.property).collect();
        prop_assert!(untold.is_empty() || judgement.contradicted > 0);
        prop_assert_eq!(at_rest - untold, judgement.violated());
    }

    #[test]
    fn where_no_order_is_claimed_other_messages_events_may_come_earlier_or_later(
        rules in rules(), mut events in vec(events(), 2..40), swaps in vec(any::<Index>(), 1..40),
    ) {
        let rules = Rules { ordered: false, ..rules };
        let before = breaches(rules, &events, true);
        for swap in swaps {
            let at = swap.index(events.len() - 1);
            if let (Some(one), Some(other)) = (events[at].kind.message(), events[at + 1].kind.message())
                && one != other
            {
                events.swap(at, at + 1);
            }
        }
        prop_assert_eq!(breaches(rules, &events, true), before);
    }

    #[test]
    fn names_do_not_matter(rules in rules(), events in vec(events(), 0..40), key in 1..u64::MAX) {
        let rename = |event: &Event| Event { kind: renamed(&event.kind, |m| MessageId(m.0 ^ key)), ..*event };
        let others: Vec<_> = events.iter().map(rename).collect();
        prop_assert_eq!(breaches(rules, &others, true), breaches(rules, &events, true));
    }
}
