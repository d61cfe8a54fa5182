//! The judge: verdicts of a whole recorded history, with witnesses.
//!
//! Feeds every consumer group's events to the automata, each group owing every message. Adds what a history needs and a
//! model does not: doubts (nothing was read, not quiescent, truncated), counts, and the lines behind each violation.
//! Defines no property of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{
    Breach, Contradiction, Doubt, Monitor, PropertyId, PropertySet, Rules, Unbounded, Verdict, Verdicts,
    contradictions::Contradictions, on_record::Missing, tally::Counts, topics::Topics, transactions, unbounded::Map,
};
use crate::{
    history::{Header, History, MessageName, Names, PipelineOf, Recorded},
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
    /// The history is one of a run without end, and what comes next is a loop that is repeated for ever and pays nothing.
    pub endless: bool,
}

/// What the judge found.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The groups that owe every message. One, where the history names none.
    pub groups: Vec<GroupId>,
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
    fn rules(&self, header: &Header) -> Rules {
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
    let rules = question.rules(&history.header);
    let transactions = transactions::resolved(history);
    let events = &*transactions.events;
    let counts = Counts::of(events);
    let watched = rules.applicable() - untellable(&history.header, &rules, &counts);
    let mut judging = Judging::new(Monitor { rules, watched }, groups(history));
    judging.missing = Missing::from(&history.header);
    judging.undecided = transactions.undecided;
    judging.topics = Topics::of(history);
    for recorded in events {
        judging.observe(recorded);
    }
    let quiescent = history.rest().is_some();
    let contradictions = Contradictions::of(events, rules.level, quiescent);
    let mut doubt = Doubts::about(history, &counts, rules.level, quiescent);
    doubt.duplicates = contradictions.duplicates_unknown;
    doubt.endless = question.endless;
    if quiescent {
        judging.finish(PropertySet::BLACK_BOX, &contradictions);
    } else if question.endless {
        judging.finish(PropertySet::OF_ENDLESS_RUNS, &contradictions);
    }
    tell_lines(&mut judging.violations, &history.events);
    judging.conclude(&counts, &doubt, contradictions)
}

/// The properties that this history cannot tell of, broken or kept.
///
/// Without its pipeline it is not known whether a history records effects, nor, at the delivery level, whether they
/// matter: then a settle without an effect before it means nothing.
fn untellable(header: &Header, rules: &Rules, counts: &Counts) -> PropertySet {
    let whole = matches!(header.pipeline, Some(PipelineOf::Whole(_)));
    let effects_told = rules.level == Level::Effect && counts.effects > 0;
    if whole || effects_told { PropertySet::EMPTY } else { PropertyId::SettledAfterEffect.into() }
}

/// Every group that is named or has an event; the one unnamed group, where there is none.
fn groups(history: &History) -> BTreeSet<GroupId> {
    let named = (0..history.names.groups().len()).map(|id| GroupId(id as u16));
    let acting = history.events.iter().filter_map(|recorded| recorded.event.kind.group());
    let groups: BTreeSet<_> = named.chain(acting).collect();
    if groups.is_empty() { BTreeSet::from([GroupId(0)]) } else { groups }
}

/// What keeps a history without a violation from being evidence.
struct Doubts {
    any: Option<Doubt>,
    /// Nothing of what is counted was read.
    nothing_at_level: bool,
    quiescent: bool,
    /// What the history shows goes on for ever.
    endless: bool,
    /// Something may have come twice that is not on record.
    duplicates: bool,
}

impl Doubts {
    fn about(history: &History, counts: &Counts, level: Level, quiescent: bool) -> Self {
        let truncated = history.truncated.is_some();
        let nothing_read = counts.delivered == 0 && counts.effects == 0;
        let any = match (truncated, nothing_read) {
            (true, _) => Some(Doubt::Truncated),
            (false, true) => Some(Doubt::NothingRead),
            (false, false) => None,
        };
        let counted = if level == Level::Effect { counts.effects } else { counts.delivered };
        Doubts { any, nothing_at_level: counted == 0, quiescent, endless: false, duplicates: false }
    }

    /// The verdict on a property that was not broken, as far as is known.
    fn verdict(&self, property: PropertyId, withheld: Option<Doubt>) -> Verdict {
        let ends = self.quiescent || self.endless && PropertySet::OF_ENDLESS_RUNS.contains(property);
        let unfinished = !ends && PropertySet::NEED_QUIESCENCE.contains(property);
        let duplicates = PropertySet::of(&[PropertyId::NoDuplicateDelivery, PropertyId::NoDuplicateEffect]);
        let counts = duplicates.contains(property);
        let contradicted = self.duplicates && counts;
        let doubt = self
            .any
            .or(withheld)
            .or(contradicted.then_some(Doubt::Contradiction))
            .or((self.nothing_at_level && counts).then_some(Doubt::NothingAtLevel))
            .or(unfinished.then_some(Doubt::NotQuiescent));
        doubt.map_or(Verdict::Holds, Verdict::Unknown)
    }
}

/// One monitor over the groups, and what it found.
struct Judging {
    monitor: Monitor,
    stores: BTreeMap<GroupId, Unbounded>,
    breaches: [u64; PropertyId::ALL.len()],
    violations: Vec<Violation>,
    /// Why breaches that were found are not told: something that is not on record may excuse them.
    withheld: [Option<Doubt>; PropertyId::ALL.len()],
    missing: Missing,
    /// The messages of transactions without an end.
    undecided: BTreeSet<MessageId>,
    topics: Topics,
}

impl Judging {
    fn new(monitor: Monitor, groups: BTreeSet<GroupId>) -> Self {
        let stores = groups.into_iter().map(|group| (group, Unbounded::default())).collect();
        let (violations, missing, undecided, topics) = Default::default();
        let (breaches, withheld) = ([0; _], [None; _]);
        Judging { monitor, stores, breaches, violations, withheld, missing, undecided, topics }
    }

    /// Feeds an event to its group, or to every group where it belongs to all.
    fn observe(&mut self, recorded: &Recorded) {
        let Judging { monitor, stores, breaches, violations, withheld, missing, .. } = self;
        let kind = &recorded.event.kind;
        let concerned = match kind.group() {
            Some(group) => stores.range_mut(group..=group),
            None => stores.range_mut(..),
        };
        for (&group, store) in concerned {
            monitor.feed(store, &recorded.event, |property, breach| {
                if let Some(word) = missing.behind(breach, monitor.rules.level) {
                    withheld[property as usize].get_or_insert(Doubt::NotOnRecord(word));
                    return;
                }
                let message = kind.message().expect("only what a message does breaks a property");
                let line = Some(recorded.line);
                note(breaches, violations, Violation { property, breach, message, group, line, lines: Vec::new() });
            });
        }
    }

    /// Takes what is owed of these properties for broken, unless that is not known of a message.
    fn finish(&mut self, properties: PropertySet, contradictions: &Contradictions) {
        let Judging { monitor, stores, breaches, violations, withheld, missing, undecided, topics } = self;
        for (&group, store) in stores {
            monitor.finish(store, |message, property, breach| {
                let is_loss = PropertySet::OF_ENDLESS_RUNS.contains(property);
                let got_there = monitor.rules.level == Level::Delivery && contradictions.got_there(group, message);
                let is_owed = if is_loss { topics.owes(group, message) } else { Some(true) };
                let doubt = match is_owed {
                    Some(false) => return,
                    _ if is_loss && got_there => Some(Doubt::Contradiction),
                    _ if is_loss && undecided.contains(&message) => Some(Doubt::OpenTransaction),
                    None => Some(Doubt::UnknownTopic),
                    Some(true) => missing.behind(breach, monitor.rules.level).map(Doubt::NotOnRecord),
                };
                if let Some(doubt) = doubt {
                    withheld[property as usize].get_or_insert(doubt);
                    return;
                }
                if !properties.contains(property) {
                    return;
                }
                note(
                    breaches,
                    violations,
                    Violation { property, breach, message, group, line: None, lines: Vec::new() },
                );
            });
        }
    }

    fn conclude(self, counts: &Counts, doubts: &Doubts, contradictions: Contradictions) -> Judgement {
        let breaches = |property| self.breaches[property as usize];
        let unseen = |property| self.missing.needed_to_hold(property).map(Doubt::NotOnRecord);
        let withheld = |property| self.withheld[property as usize].or_else(|| unseen(property));
        let verdict = |property| match breaches(property) {
            0 => doubts.verdict(property, withheld(property)),
            _ => Verdict::Violated,
        };
        let finding = |property| Finding { property, verdict: verdict(property), breaches: breaches(property) };
        let rules = self.monitor.rules;
        Judgement {
            rules,
            findings: self.monitor.watched.iter().map(finding).collect(),
            verdicts: Verdicts::new(&rules, verdict),
            violations: self.violations,
            contradictions: contradictions.told,
            contradicted: contradictions.count,
            counts: *counts,
            groups: self.stores.into_keys().collect(),
        }
    }
}

/// Counts a violation, and keeps it if it is one of the first of its property.
fn note(breaches: &mut [u64], violations: &mut Vec<Violation>, violation: Violation) {
    let count = &mut breaches[violation.property as usize];
    *count += 1;
    if *count <= VIOLATIONS_TOLD as u64 {
        violations.push(violation);
    }
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
