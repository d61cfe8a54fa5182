//! Strategies for every value of the three formats, and mutations of their texts.
//!
//! Values are drawn from all that the formats allow, not from what makes sense to run.

use delivery_model::history::{At, Extra, Header, History, Partition, PartitionName, PipelineOf, Subscribed};
use delivery_model::pipeline::*;
use delivery_model::schedule::{Interleaving, PlannedFault, Point, Schedule};
use delivery_model::vocab::*;
use delivery_model::words::Word;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option::{of as maybe, weighted};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::value::RawValue;

/// Any word of a type.
fn word<W: Word + std::fmt::Debug>() -> impl Strategy<Value = W> {
    select(W::ALL)
}

/// Any name that a format takes.
fn name() -> impl Strategy<Value = String> {
    "\\PC{1,40}"
}

fn producer() -> impl Strategy<Value = Producer> {
    let attempts = prop_oneof![Just(Attempts::UntilAcked), (1..=1000u32).prop_map(Attempts::AtMost)];
    let restarts = (word(), word(), word(), word());
    (attempts, word(), restarts, 1..=64u32).prop_map(
        |(attempts, identity, (on_restart, on_refusal, outbox, relay_commits), in_flight)| Producer {
            attempts,
            identity,
            on_restart,
            on_refusal,
            outbox,
            relay_commits,
            in_flight,
        },
    )
}

fn broker() -> impl Strategy<Value = Broker> {
    let dedup = (word(), 0..=1_000_000u32, word(), any::<bool>(), word(), word());
    let queue = (0..=3u32, word(), word(), word(), word());
    let deliveries = (word(), word(), word(), 0..=1000u32);
    (word(), dedup, queue, deliveries).prop_map(|(acks, dedup, queue, deliveries)| Broker {
        acks,
        dedup: dedup.0,
        dedup_window: dedup.1,
        dedup_on_restart: dedup.2,
        fencing: dedup.3,
        answers_duplicates: dedup.4,
        forgotten_producers: dedup.5,
        capacity: queue.0,
        overflow: queue.1,
        hands_off: queue.2,
        dead_lettering: queue.3,
        new_group: queue.4,
        delivers: deliveries.0,
        records_settles: deliveries.1,
        leases: deliveries.2,
        max_deliveries: deliveries.3,
    })
}

fn consumer() -> impl Strategy<Value = Consumer> {
    let at_once = (1..=64u32, 1..=3u32, 0..=2u32);
    (word(), word(), word(), word(), word(), at_once).prop_map(
        |(settles, commits, remembers, on_failure, on_duplicate, (workers, batch, prefetch))| Consumer {
            settles,
            commits,
            remembers,
            on_failure,
            on_duplicate,
            workers,
            batch,
            prefetch,
        },
    )
}

fn faults() -> impl Strategy<Value = FaultBudget> {
    let times = || prop_oneof![Just(0), 0..=1_000_000u32];
    let some = (times(), proptest::array::uniform(times())).prop_map(|(total, each)| FaultBudget { total, each });
    prop_oneof![Just(FaultBudget::NONE), Just(FaultBudget::default()), some]
}

/// Any pipeline that means something.
pub fn pipeline() -> impl Strategy<Value = Pipeline> {
    let top = (name(), maybe(word()), word(), word(), any::<bool>(), word());
    let pipeline = (top, producer(), broker(), consumer(), faults()).prop_map(
        |((name, promises, level, obligation, ordered, dead_letters), producer, broker, consumer, faults)| Pipeline {
            name,
            promises,
            level,
            obligation,
            ordered,
            dead_letters,
            producer,
            broker,
            consumer,
            faults,
        },
    );
    pipeline.prop_filter("settings that mean something together", Pipeline::means_something)
}

const MESSAGES: u32 = 5;

fn message() -> impl Strategy<Value = MessageId> {
    (1..=u64::from(MESSAGES)).prop_map(MessageId)
}

fn planned_fault() -> impl Strategy<Value = PlannedFault> {
    let details = (weighted(0.8, any::<u64>()), weighted(0.8, any::<u64>()));
    let parts = (word::<Fault>(), any::<Index>(), message(), 1..=1000u32, details);
    parts.prop_map(|(fault, step, message, nth, (keeps, to))| {
        let step = *step.get(fault.row().at);
        let at = Point { step, message: step.has_message().then_some(message), nth };
        PlannedFault {
            fault,
            at,
            keeps: keeps.filter(|_| fault == Fault::BrokerCrash),
            to: to.map(Position).filter(|_| fault == Fault::Rewind),
        }
    })
}

/// Any step.
pub fn step() -> impl Strategy<Value = Step> {
    let position = || any::<u64>().prop_map(Position);
    let hand = (position(), 0..=3u8).prop_map(|(position, late)| DeliveryRef { position, late });
    let named = (message(), position(), hand, any::<u8>(), any::<u64>());
    let targets = named.prop_map(|(message, position, hand, consumer, keeps)| {
        let things = [Target::Message(message), Target::Position(position), Target::Delivery(hand)];
        things.into_iter().chain([Target::Consumer(consumer), Target::Records(keeps), Target::Nothing])
    });
    let moves = word::<StepWord>().prop_map(Ok);
    let kind = prop_oneof![moves, word::<Fault>().prop_map(Err)];
    (kind, targets).prop_map(|(kind, mut targets)| {
        let step = targets.find_map(|target| match kind {
            Ok(word) => Move::at(word, target).map(Step::Move),
            Err(fault) => Strike::at(fault, target).map(Step::Fault),
        });
        step.expect("every kind names one of these")
    })
}

/// Any schedule.
pub fn schedule() -> impl Strategy<Value = Schedule> {
    let seeded = (vec(planned_fault(), 0..6), any::<u64>().prop_map(Interleaving::Seeded));
    let exact = (Just(Vec::new()), vec(step(), 0..12).prop_map(Interleaving::Exact));
    let repeated = (vec(step(), 0..6), 1..4_usize).prop_map(|(mut steps, times)| {
        let from = steps.len();
        steps.extend(std::iter::repeat_n(Step::Move(Move::Sync), times));
        Interleaving::Endless { steps, from }
    });
    let endless = (Just(Vec::new()), repeated);
    (pipeline(), prop_oneof![seeded, exact, endless]).prop_map(|(pipeline, (faults, interleaving))| Schedule {
        pipeline,
        messages: MESSAGES,
        faults,
        interleaving,
    })
}

fn header() -> impl Strategy<Value = Header> {
    let whole = pipeline().prop_map(|pipeline| PipelineOf::Whole(Box::new(pipeline)));
    let pipeline = maybe(prop_oneof![name().prop_map(PipelineOf::Named), whole]);
    let topics = vec(any::<String>(), 0..3).prop_map(|topics| Subscribed { topics });
    let groups = btree_map(name(), topics, 0..3);
    let complete = maybe(btree_set(word(), 0..4));
    (pipeline, maybe(word()), maybe(word()), groups, complete).prop_map(
        |(pipeline, level, obligation, groups, complete)| Header { pipeline, level, obligation, groups, complete },
    )
}

/// Points in time that never fall: whole ones, fractions, both, or dates and times.
fn times(events: usize) -> impl Strategy<Value = Vec<At>> {
    let exact_as_double = 0..1u64 << 53;
    let whole = vec(any::<u64>().prop_map(At::Whole), events);
    let both = vec(
        prop_oneof![
            exact_as_double.prop_map(At::Whole),
            proptest::num::f64::NORMAL.prop_map(At::Fraction),
            (-1e6..1e6f64).prop_map(At::Fraction)
        ],
        events,
    );
    let instants = vec(any::<i64>().prop_map(At::Instant), events);
    prop_oneof![whole, both, instants].prop_map(|mut times| {
        times.sort_by(|this, other| this.partial_cmp(other).expect("no NaN is drawn"));
        times
    })
}

/// What an event says, with names by index, which become ids in the order of their first appearance.
#[derive(Clone, Debug)]
struct Draft {
    kind: usize,
    process: usize,
    group: usize,
    payload: Option<usize>,
    message: u64,
    attempt: Option<u32>,
    position: u64,
    with_position: bool,
    outcome: Outcome,
    settle: SettleOutcome,
    fault: Fault,
}

fn draft() -> impl Strategy<Value = Draft> {
    let names = (0..13usize, 0..4usize, 0..3usize, maybe(0..4usize));
    let numbers = (0..u64::MAX - 100, maybe(any::<u32>()), any::<u64>(), any::<bool>());
    (names, numbers, word(), word(), word()).prop_map(|(names, numbers, outcome, settle, fault)| Draft {
        kind: names.0,
        process: names.1,
        group: names.2,
        payload: names.3,
        message: numbers.0,
        attempt: numbers.1,
        position: numbers.2,
        with_position: numbers.3,
        outcome,
        settle,
        fault,
    })
}

/// The texts that a history's names and payloads are drawn from.
#[derive(Clone, Debug)]
struct Texts {
    processes: Vec<String>,
    /// None: every group is left out.
    groups: Option<Vec<String>>,
    payloads: Vec<String>,
    messages: Vec<String>,
}

fn texts() -> impl Strategy<Value = Texts> {
    let payload = prop_oneof![any::<String>(), Just(String::new())];
    let texts = (vec(name(), 4), maybe(vec(name(), 3)), vec(payload, 4), vec(name(), 4));
    texts.prop_map(|(processes, groups, payloads, messages)| Texts { processes, groups, payloads, messages })
}

fn push(history: &mut History, texts: &Texts, at: At, draft: &Draft) {
    let names = &mut history.names;
    let process = names.process_id(&texts.processes[draft.process]).unwrap();
    let group = if matches!(draft.kind, 3..=7) {
        texts.groups.as_ref().map_or(GroupId(0), |groups| names.group_id(&groups[draft.group]).unwrap())
    } else {
        GroupId(0)
    };
    let payload = draft.payload.filter(|_| matches!(draft.kind, 0 | 1 | 3 | 4));
    let payload = payload.map(|payload| names.payload_id(&texts.payloads[payload]).unwrap());
    let message = match draft.message % 3 {
        0 if matches!(draft.kind, 0..=6) => names.message_id(&texts.messages[draft.process]).unwrap(),
        _ => MessageId(draft.message),
    };
    let attempt = draft.attempt.map(AttemptNumber);
    let may_be_of_a_transaction = matches!(draft.kind, 1 | 4 | 5 | 11 | 12);
    let transaction = (may_be_of_a_transaction && (draft.kind > 10 || draft.message.is_multiple_of(2)))
        .then(|| names.transaction_id(&texts.processes[draft.group]).unwrap());
    let (position, delivery) =
        (draft.with_position.then_some(Position(draft.position)), draft.attempt.map(DeliveryNumber));
    let stated = match draft.position % 3 {
        _ if !matches!(draft.kind, 2 | 3 | 5 | 7) => Partition::default(),
        0 => Partition::default(),
        1 => Partition { topic: None, partition: Some(PartitionName::Number(draft.position)) },
        _ => Partition { topic: Some("orders".into()), partition: Some(PartitionName::Text("p".into())) },
    };
    let partition = history.names.partition_id(stated).unwrap();
    let kind = match draft.kind {
        0 => EventKind::Submit { message, payload },
        1 => EventKind::Attempt { message, attempt, payload },
        2 => EventKind::Outcome { message, attempt, outcome: draft.outcome, partition, position },
        3 => EventKind::Deliver { message, group, partition, position, delivery, payload },
        4 => EventKind::Effect { message, group, payload },
        5 => EventKind::Settle { message, group, partition, position, delivery, outcome: draft.settle },
        6 => EventKind::DeadLetter { message, group },
        7 => EventKind::Rewind { group, partition, position: Position(draft.position) },
        8 => EventKind::Fault { fault: draft.fault },
        9 => EventKind::Heal { fault: draft.fault },
        11 => EventKind::Commit { transaction: transaction.unwrap() },
        12 => EventKind::Abort { transaction: transaction.unwrap() },
        _ => EventKind::Quiescent,
    };
    let attributes = draft.with_position.then(|| r#"{"host":"a","n":[1,2.50]}"#.to_owned());
    let extra = Extra {
        topic: (draft.kind < 2 && draft.with_position).then(|| texts.processes[draft.group].as_str().into()),
        transaction: transaction.filter(|_| draft.kind < 10),
        attributes: attributes.map(|json| RawValue::from_string(json).unwrap()),
    };
    history.push_with(at, Event { process, kind }, extra);
}

/// Any history that a reader can yield.
pub fn history() -> impl Strategy<Value = History> {
    let events = vec(draft(), 0..20).prop_flat_map(|drafts| (times(drafts.len()), Just(drafts)));
    (header(), texts(), events).prop_map(|(header, texts, (times, drafts))| {
        let mut history = History { header, ..History::default() };
        match &texts.groups {
            Some(_) => {
                for group in history.header.groups.keys() {
                    history.names.group_id(group).unwrap();
                }
            }
            None => history.header.groups.clear(),
        }
        for (at, draft) in times.into_iter().zip(&drafts) {
            push(&mut history, &texts, at, draft);
        }
        history
    })
}

/// One change to a text.
#[derive(Clone, Debug)]
pub enum Change {
    /// This many bytes vanish from here on.
    Cut(Index, usize),
    /// These bytes appear here.
    Insert(Index, Vec<u8>),
    /// This many bytes from here on stand there a second time.
    Repeat(Index, usize),
}

/// A few changes.
pub fn changes() -> impl Strategy<Value = Vec<Change>> {
    let bytes = prop_oneof![
        vec(any::<u8>(), 1..4),
        "[\\[\\]{}\"\\\\,:=.0-9eE\n\r -]{1,3}".prop_map(String::into_bytes),
        select(vec!["null", "true", "-1", "99999999999999999999", "\"\"", "1e999", "{}", "[]"])
            .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let change = prop_oneof![
        (any::<Index>(), 1..30usize).prop_map(|(at, bytes)| Change::Cut(at, bytes)),
        (any::<Index>(), bytes).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<Index>(), 1..60usize).prop_map(|(at, bytes)| Change::Repeat(at, bytes)),
    ];
    vec(change, 1..4)
}

/// The text with the changes made.
pub fn changed(text: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut text = text.to_vec();
    for change in changes {
        let at = |index: &Index| index.index(text.len() + 1);
        match change {
            Change::Cut(index, bytes) => {
                let at = at(index);
                text.drain(at..(at + bytes).min(text.len()));
            }
            Change::Insert(index, bytes) => {
                let at = at(index);
                text.splice(at..at, bytes.iter().copied());
            }
            Change::Repeat(index, bytes) => {
                let at = at(index);
                let again = text[at..(at + bytes).min(text.len())].to_vec();
                text.splice(at..at, again);
            }
        }
    }
    text
}
