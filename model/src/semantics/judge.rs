//! The judge: verdicts of a whole recorded history, with witnesses.
//!
//! [`judge`] takes a history in memory. [`Judge`](super::Judge) takes one event after another, and keeps no event: the
//! lines behind each violation are filled in afterwards, from the events about the few messages that are told. Defines
//! no property of its own.

use std::collections::BTreeSet;
use std::fmt;

use super::Judge;
use super::{
    Breach, Contradiction, ContradictionKind, Counts, PropertyId, PropertySet, Rules, Verdict, Verdicts,
    transactions::{self, Resolved},
};
use crate::pages::Map;
use crate::{
    history::{At, Header, History, MessageName, Names, PipelineOf, Recorded},
    pipeline::{Level, Obligation, Semantics},
    vocab::{GroupId, MessageId},
};

/// So many violations of each property are told; the rest are counted.
pub const VIOLATIONS_TOLD: usize = 100;

/// So many lines are told of each violation, the first ones: what led to it rather than what came of it.
pub const LINES_TOLD: usize = 64;

/// What the judge is asked. What is left open is taken from the history's header, then from the defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// What is counted.
    pub level: Option<Level>,
    /// Which messages must not be lost.
    pub obligation: Option<Obligation>,
    /// The semantics that the history should show.
    pub expect: Option<Semantics>,
    /// After so long (in nanoseconds, or in the unit of numbers that are not), counted from the first event about it, a
    /// message that is not paid is lost, and nothing is known of it any more. None: never.
    pub horizon: Option<u64>,
    /// The history is one of a run without end, and what comes next is a loop that is repeated for ever and pays nothing.
    pub endless: bool,
}

/// What the judge found.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// How the properties were read.
    pub rules: Rules,
    /// Every property that was judged, in the order of [`PropertyId::ALL`].
    pub findings: Vec<Finding>,
    /// The verdict on each semantics.
    pub verdicts: Verdicts,
    /// The first [`VIOLATIONS_TOLD`] of each property, as they came; those found at quiescence last.
    pub violations: Vec<Violation>,
    /// Where the record contradicts itself: the first [`VIOLATIONS_TOLD`].
    pub contradictions: Vec<Contradiction>,
    /// How many contradictions there are.
    pub contradicted: u64,
    /// How much there was to judge.
    pub counts: Counts,
    /// How many events were judged.
    pub events: u64,
    /// The line and the time of the last event.
    pub last: Option<(u32, At)>,
    /// What came about messages that the horizon had passed: the first [`VIOLATIONS_TOLD`].
    pub late: Vec<Late>,
    /// How many events came late.
    pub lates: u64,
    /// The groups that owe every message. One, where the history names none.
    pub groups: Vec<GroupId>,
}

/// An event about a message that the horizon had passed, or that was never submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// The message.
    pub message: MessageId,
    /// The line of the event.
    pub line: u32,
}

/// What was found out about one property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub property: PropertyId,
    /// How it came out.
    pub verdict: Verdict,
    /// How often it was broken, in all groups.
    pub breaches: u64,
}

/// One breach of one property by one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which property.
    pub property: PropertyId,
    /// How it was broken.
    pub breach: Breach,
    /// By which message.
    pub message: MessageId,
    /// In which group.
    pub group: GroupId,
    /// The line that broke it; none, where it was broken by what had not happened when things came to rest.
    pub line: Option<u32>,
    /// The lines about this message in this group, at most [`LINES_TOLD`].
    pub lines: Vec<u32>,
}

impl Violation {
    /// The violation with the names of its history, such as "no-duplicate-effect: message order-9f1c had its effect again
    /// (line 9)".
    pub fn told(&self, names: &Names) -> String {
        self.with_message(names.message(self.message))
    }

    fn with_message(&self, message: MessageName<'_>) -> String {
        let line = self.line.map_or_else(String::new, |line| format!(" (line {line})"));
        format!("{}: message {message} {}{line}", self.property, self.breach)
    }
}

impl fmt::Display for Violation {
    /// The violation without names: a message that is named by a text is shown by its id. See [`Violation::told`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_message(MessageName::Number(self.message.0)))
    }
}

impl Question {
    /// How the properties are to be read in a history with this header.
    pub(super) fn rules(&self, header: &Header) -> Rules {
        let mut rules = match &header.pipeline {
            Some(PipelineOf::Whole(pipeline)) => Rules::from(&**pipeline),
            Some(PipelineOf::Named(_)) | None => Rules::bare(Level::default(), Obligation::default()),
        };
        rules.level = self.level.or(header.level).unwrap_or(rules.level);
        rules.obligation = self.obligation.or(header.obligation).unwrap_or(rules.obligation);
        self.expect.map_or(rules, |semantics| rules.expecting(semantics))
    }
}

/// Judges a history.
pub fn judge(history: &History, question: Question) -> Judgement {
    let transactions = transactions::resolved(history);
    let mut judgement = judging(history, &transactions, question).finish(&history.names, history.truncated);
    tell_lines(&mut judgement.violations, &history.events);
    judgement.contradictions.iter_mut().for_each(|it| it.tell(&transactions.events));
    judgement
}

/// The judge that has taken in a whole history.
pub(super) fn judging(history: &History, transactions: &Resolved<'_>, question: Question) -> Judge {
    let mut judge = Judge::new(&history.header, question);
    judge.undecided.clone_from(&transactions.undecided);
    for recorded in &*transactions.events {
        judge.observe(recorded, history.extra(recorded.line), &history.names);
    }
    judge.rest = history.rest().is_some();
    judge.last = history.events.last().map(|last| (last.line, last.at));
    judge.events = history.events.len() as u64;
    judge
}

/// Fills in which lines are about each violation's message.
fn tell_lines(violations: &mut [Violation], events: &[Recorded]) {
    let mut of_message: Map<MessageId, Vec<usize>> = Map::default();
    for (index, violation) in violations.iter().enumerate() {
        of_message.entry(violation.message).or_default().push(index);
    }
    for recorded in events {
        let kind = &recorded.event.kind;
        let Some(indices) = kind.message().and_then(|message| of_message.get(&message)) else { continue };
        for &index in indices {
            let violation = &mut violations[index];
            let concerned = kind.group().is_none_or(|group| group == violation.group);
            if concerned && violation.lines.len() < LINES_TOLD {
                violation.lines.push(recorded.line);
            }
        }
    }
}

impl Judgement {
    /// Fills in the lines of violations and contradictions. `events`: all events about the messages of these.
    pub fn tell(&mut self, events: &[Recorded]) {
        tell_lines(&mut self.violations, events);
        self.contradictions.iter_mut().for_each(|it| it.tell(events));
    }

    /// The messages of the violations and contradictions that are told.
    pub fn told(&self) -> BTreeSet<MessageId> {
        let contradicted = self.contradictions.iter().flat_map(|it| {
            let other = match it.kind {
                ContradictionKind::SamePosition(_, other) => Some(other),
                _ => None,
            };
            [it.message, other]
        });
        let late = self.late.iter().map(|it| it.message);
        self.violations.iter().map(|it| it.message).chain(contradicted.flatten()).chain(late).collect()
    }

    /// The finding on this property, if it was judged.
    pub fn finding(&self, property: PropertyId) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.property == property)
    }

    /// Whether that nothing is lost rests on dead letters, which pay the debt.
    pub fn or_dead_lettered(&self) -> bool {
        self.rules.dead_letters && self.counts.dead_lettered > 0
    }

    /// The properties that were broken.
    pub fn violated(&self) -> PropertySet {
        let violated = self.findings.iter().filter(|finding| finding.verdict == Verdict::Violated);
        violated.map(|finding| finding.property).collect()
    }

    /// How often messages were counted again at the level, in all groups.
    pub fn duplicates(&self) -> u64 {
        self.breaches_of(&[PropertyId::NoDuplicateDelivery, PropertyId::NoDuplicateEffect])
    }

    /// How many messages were lost under the obligation, in all groups; 0 as long as things have not come to rest.
    pub fn lost(&self) -> u64 {
        self.breaches_of(&[PropertyId::AckedNotLost, PropertyId::SubmittedNotLost])
    }

    /// Only one property of each kind is judged: that of the level, or of the obligation.
    fn breaches_of(&self, kind: &[PropertyId]) -> u64 {
        kind.iter().filter_map(|&property| self.finding(property)).map(|finding| finding.breaches).sum()
    }
}
