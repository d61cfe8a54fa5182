//! What a round shows: the judge's verdicts on its history, and beside them whether the broker came back with its queue
//! and whether it marked redeliveries.
//!
//! No property is defined here. That a delivery is marked says nothing about whether it is right.

use std::collections::BTreeSet;
use std::fmt;

use delivery_model::history::{History, Recorded};
use delivery_model::semantics::{Counts, Judgement, PropertyId, Question, judge};
use delivery_model::vocab::EventKind;

use crate::harness::{MARKED, Round};

/// A kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Acked messages never arrived.
    AckedLost,
    /// Messages came again after a confirmed settle.
    AgainAfterSettle,
    /// A message was stored and delivered twice, where the broker should recognise a retry.
    RetryStored,
    /// Records came again, and nothing marked them as such.
    UnmarkedRedelivery,
    /// Another property that the judge names is broken.
    Other(PropertyId),
    /// The broker came back without its queue.
    QueueForgotten,
    /// The broker did not come back.
    DidNotReturn,
    /// The round did not come to rest, so that losses cannot be told.
    NotAtRest,
}

impl Finding {
    /// Whether it breaks what a broker with an ack and a settle promises.
    pub fn breaks(self) -> bool {
        use Finding::{AckedLost, AgainAfterSettle, DidNotReturn, QueueForgotten, RetryStored};
        matches!(self, AckedLost | AgainAfterSettle | RetryStored | QueueForgotten | DidNotReturn)
    }

    /// The word in output.
    pub fn word(self) -> &'static str {
        match self {
            Finding::AckedLost => PropertyId::AckedNotLost.word(),
            Finding::AgainAfterSettle => PropertyId::NoDeliveryAfterSettle.word(),
            Finding::RetryStored => "retry-stored",
            Finding::UnmarkedRedelivery => "unmarked-redelivery",
            Finding::Other(property) => property.word(),
            Finding::QueueForgotten => "queue-forgotten",
            Finding::DidNotReturn => "did-not-return",
            Finding::NotAtRest => "not-at-rest",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The figures of one round.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What the judge says.
    pub judgement: Judgement,
    /// What was found.
    pub findings: BTreeSet<Finding>,
    /// Acked messages that never arrived.
    pub lost: u64,
    /// Deliveries after a confirmed settle of the same record.
    pub again: u64,
    /// Those of them that were not marked as redeliveries.
    pub again_unmarked: u64,
    /// Records of messages that were delivered by another record before: they are stored more than once.
    pub repeated: u64,
    /// Deliveries of a record that had been delivered before, and was not marked.
    pub unmarked: u64,
}

impl Judged {
    /// How much there was to judge.
    pub fn counts(&self) -> &Counts {
        &self.judgement.counts
    }
}

/// Judges a round. `recognises_retries`: the broker should store a publish that is tried again once.
pub fn judged(round: &Round, recognises_retries: bool) -> Judged {
    let history = &round.history;
    let judgement = judge(history, Question::default());
    let breaches = |judgement: &Judgement, property| judgement.finding(property).map_or(0, |it| it.breaches);
    let lost = breaches(&judgement, PropertyId::AckedNotLost);
    let again = breaches(&judgement, PropertyId::NoDeliveryAfterSettle);
    let repeated = repeated(history);
    let unmarked_only = judge(&without_marked(history), Question::default());
    let again_unmarked = breaches(&unmarked_only, PropertyId::NoDeliveryAfterSettle);
    let unmarked = unmarked(history);
    let told_apart = [
        PropertyId::AckedNotLost,
        PropertyId::NoDeliveryAfterSettle,
        // A retry that is stored twice is what at-least-once allows.
        PropertyId::NoDuplicateDelivery,
    ];
    let others = judgement.findings.iter().filter(|it| it.breaches > 0 && !told_apart.contains(&it.property));
    let mut findings: BTreeSet<Finding> = others.map(|it| Finding::Other(it.property)).collect();
    let kinds = [
        (lost > 0, Finding::AckedLost),
        (again > 0, Finding::AgainAfterSettle),
        (recognises_retries && repeated > 0, Finding::RetryStored),
        (unmarked > 0, Finding::UnmarkedRedelivery),
        (round.came_back.queues_forgotten > 0, Finding::QueueForgotten),
        (round.came_back.lost.is_some(), Finding::DidNotReturn),
        (round.came_back.lost.is_none() && history.rest().is_none(), Finding::NotAtRest),
    ];
    findings.extend(kinds.into_iter().filter_map(|(found, kind)| found.then_some(kind)));
    Judged { judgement, findings, lost, again, again_unmarked, repeated, unmarked }
}

fn is_marked(history: &History, recorded: &Recorded) -> bool {
    let attributes = history.extra(recorded.line).and_then(|extra| extra.attributes.as_ref());
    let json = attributes.and_then(|json| serde_json::from_str::<serde_json::Value>(json.get()).ok());
    json.is_some_and(|json| json[MARKED] == true)
}

/// The history as if marked deliveries had not happened.
fn without_marked(history: &History) -> History {
    let mut rest = History { header: history.header.clone(), names: history.names.clone(), ..History::default() };
    for recorded in history.events.iter().filter(|it| !is_marked(history, it)) {
        rest.push(recorded.at, recorded.event);
    }
    rest
}

/// The number of records that were delivered beyond the first one of each message. Of records without a position one is
/// like the other.
fn repeated(history: &History) -> u64 {
    let records = history.events.iter().filter_map(|recorded| match recorded.event.kind {
        EventKind::Deliver { message, position, .. } => Some((message, position)),
        _ => None,
    });
    let records: BTreeSet<_> = records.collect();
    let messages: BTreeSet<_> = records.iter().map(|(message, _)| message).collect();
    (records.len() - messages.len()) as u64
}

/// The number of deliveries of a record that was delivered before, without a mark.
fn unmarked(history: &History) -> u64 {
    let mut delivered = BTreeSet::new();
    let mut count = 0;
    for recorded in &history.events {
        if let EventKind::Deliver { message, position, .. } = recorded.event.kind {
            let again = !delivered.insert((message, position));
            count += u64::from(again && !is_marked(history, recorded));
        }
    }
    count
}
