//! The judge of a history that is not in memory: it takes one event after another and keeps a few bytes a message.
//!
//! Feeds every consumer group's events to the automata, each group owing every message. Adds what a history needs and a
//! model does not: doubts, counts, contradictions, and which messages broke what.
//!
//! Memory: tables of pages, in which messages that are delivered as usual share one value (`pages.rs`). The benchmark `judge`
//! measures it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

use super::contradictions::{Acting, Contradicted, Contradictions, Found};
use super::doubts::Doubts;
use super::numbers::Numbers;
use super::on_record::Missing;
use super::states::{GroupStates, MessageStates, UnboundedGroup};
use super::store::PartitionedPosition;
use super::tally::Tally;
use super::topics::Topics;
use super::{
    Breach, Counts, Doubt, Finding, Finite, Judgement, Late, Monitor, PropertyId, PropertySet, Question,
    VIOLATIONS_TOLD, Verdict, Verdicts, Violation,
};
use crate::history::{At, EventWord, Extra, Header, Names, PipelineOf, Recorded};
use crate::pages::Column;
use crate::pipeline::Level;
use crate::vocab::{EventKind, GroupId, MessageId};

const _: () = assert!(MessageStates::BITS <= u32::BITS, "the states of a message are kept as a u32");

/// A judge that takes a history event by event. See [`judge`](super::judge()) for a history in memory.
///
/// Transactions are not resolved, because that needs later events: use [`judge`](super::judge()) for a history that has any.
#[derive(Clone, Debug)]
pub struct Judge {
    monitor: Monitor,
    /// The settings of the pipeline are known.
    knows_pipeline: bool,
    endless: bool,
    numbers: Numbers,
    /// The states of a group without an event of its own: those of a group that appears later.
    ungrouped: Group,
    groups: BTreeMap<GroupId, Group>,
    tally: Tally,
    contradictions: Contradictions,
    missing: Missing,
    /// The messages of transactions without an end.
    pub(super) undecided: BTreeSet<MessageId>,
    topics: Topics,
    broken: Broken,
    violations: Vec<Violation>,
    at_rest: AtRest,
    owed: Vec<Owed>,
    /// The messages below this number are closed.
    closed: u32,
    /// The ids of told messages that the tables may have forgotten.
    named: BTreeMap<u32, MessageId>,
    horizon: Option<Horizon>,
    late: Vec<Late>,
    lates: u64,
    /// How many events there were, and how many of them are about no message.
    pub(super) events: u64,
    common: u64,
    pub(super) last: Option<(u32, At)>,
    /// The last event apart from faults says that things came to rest.
    pub(super) rest: bool,
}

/// How often each property was broken, and why breaches that were found are not told: something that is not on record
/// may excuse them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Broken {
    pub breaches: [u64; PropertyId::ALL.len()],
    pub withheld: [Option<Doubt>; PropertyId::ALL.len()],
}

impl Broken {
    /// Adds those of another share.
    pub fn add(&mut self, other: &Broken) {
        for (count, more) in self.breaches.iter_mut().zip(other.breaches) {
            *count += more;
        }
        for (doubt, other) in self.withheld.iter_mut().zip(other.withheld) {
            other.into_iter().for_each(|other| lowest(doubt, other));
        }
    }

    /// What messages owe that were settled and not delivered. Where deliveries are on record, they got there, and it is
    /// unknown how.
    fn where_deliveries(&self, are_on_record: bool) -> Broken {
        if !are_on_record {
            return *self;
        }
        let withheld = self.breaches.map(|breaches| (breaches > 0).then_some(Doubt::Contradiction));
        Broken { breaches: Default::default(), withheld }
    }

    /// The breaches of these properties alone, and every reason.
    fn only(mut self, properties: PropertySet) -> Broken {
        for &property in PropertyId::ALL.iter().filter(|&&property| !properties.contains(property)) {
            self.breaches[property as usize] = 0;
        }
        self
    }
}

/// What is broken if nothing more happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AtRest {
    /// What messages owe that were not settled without a delivery.
    pub owed: Broken,
    /// What messages owe that were settled and not delivered.
    pub silent: Broken,
}

impl AtRest {
    /// Adds that of another share.
    pub fn add(&mut self, other: &AtRest) {
        self.owed.add(&other.owed);
        self.silent.add(&other.silent);
    }

    /// What is broken of these properties.
    fn broken(&self, properties: PropertySet, reads_deliveries: bool) -> Broken {
        let mut broken = self.owed;
        broken.add(&self.silent.where_deliveries(reads_deliveries));
        broken.only(properties)
    }
}

/// What a judge found, apart from what is told of single messages. The figures of shares add up to those of the whole.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Totals {
    /// Events about messages.
    pub events: u64,
    /// Events about none: every share has them.
    pub common: u64,
    pub counts: Counts,
    pub broken: Broken,
    pub at_rest: AtRest,
    pub contradicted: Contradicted,
    pub lates: u64,
    pub last: Option<(u32, At)>,
    pub rest: bool,
    pub truncated: Option<u32>,
}

/// The messages that the horizon has not passed.
#[derive(Clone, Debug)]
struct Horizon {
    /// How long a message is remembered.
    span: u64,
    /// How many groups the header names, which come first.
    groups: usize,
    /// Each message with the time of the first event about it, by number.
    open: VecDeque<(MessageId, At)>,
    /// How many were closed since the tables were swept.
    unswept: usize,
    /// The tables were swept, and whoever reads the history should forget too.
    swept: bool,
}

/// The fewest messages that are closed between two sweeps of the tables.
const SWEEP: usize = 1 << 12;

/// What is kept of one consumer group.
#[derive(Clone, Debug, Default)]
struct Group {
    /// The states of each message, as numbers.
    states: Column<u32>,
    beyond: UnboundedGroup,
}

/// A breach that counts if nothing more happens.
#[derive(Clone, Copy, Debug)]
struct Owed {
    group: GroupId,
    nth: u32,
    property: PropertyId,
    breach: Breach,
    /// It was settled and not delivered.
    is_silent: bool,
}

impl Group {
    fn feed(&mut self, monitor: &Monitor, recorded: &Recorded, nth: u32, breached: impl FnMut(PropertyId, Breach)) {
        let before = self.states.get(nth);
        let mut states = before.map_or_else(MessageStates::default, |bits| MessageStates::from_bits(bits.into()));
        self.beyond.observe(monitor, &mut states, &recorded.event, nth as usize, breached);
        let after = states.to_bits() as u32;
        if before != Some(after) {
            self.states.set(nth, after);
        }
    }
}

impl Judge {
    /// A judge of a history with this header.
    pub fn new(header: &Header, question: Question) -> Self {
        let rules = question.rules(header);
        let knows_pipeline = matches!(header.pipeline, Some(PipelineOf::Whole(_)));
        let monitor = Monitor { rules, watched: rules.applicable() };
        let (numbers, ungrouped, groups, tally, undecided) = Default::default();
        let (broken, at_rest) = Default::default();
        Judge {
            monitor,
            knows_pipeline,
            endless: question.endless,
            numbers,
            ungrouped,
            groups,
            tally,
            contradictions: Contradictions::new(rules.level),
            missing: Missing::from(header),
            undecided,
            topics: Topics::new(header),
            broken,
            violations: Vec::new(),
            at_rest,
            owed: Vec::new(),
            closed: 0,
            named: BTreeMap::new(),
            horizon: question.horizon.map(|span| Horizon {
                span,
                groups: header.groups.len(),
                open: VecDeque::new(),
                unswept: 0,
                swept: false,
            }),
            late: Vec::new(),
            lates: 0,
            events: 0,
            common: 0,
            last: None,
            rest: false,
        }
    }

    /// Takes in an event, and what its line says beyond it.
    pub fn observe(&mut self, recorded: &Recorded, extra: Option<&Extra>, names: &Names) {
        let kind = &recorded.event.kind;
        self.events += 1;
        self.last = Some((recorded.line, recorded.at));
        if !matches!(kind, EventKind::Fault { .. } | EventKind::Heal { .. }) {
            self.rest = *kind == EventKind::Quiescent;
        }
        if self.horizon.is_some() {
            self.pass(recorded.at, names);
            if kind.message().is_some_and(|message| self.is_late(message, kind)) {
                self.tally.count(kind, None);
                self.contradictions.observe(kind, None, recorded.line);
                self.tell_late(recorded);
                return;
            }
        }
        let nth = kind.message().map(|message| self.number(message, recorded.at));
        self.tally.count(kind, nth);
        let shared = self.contradictions.shared().len();
        self.contradictions.observe(kind, nth, recorded.line);
        if self.horizon.is_some() && self.contradictions.shared().len() > shared {
            let last = self.contradictions.shared()[shared..].iter().flat_map(Found::numbers).collect();
            self.named.extend(self.messages(&last));
        }
        let Some(nth) = nth else {
            self.common += 1;
            if let EventKind::Rewind { group, partition, position } = *kind {
                let watched = self.monitor.watched;
                let group = self.group(group);
                group.beyond.rewind(partition, position);
                group.states.change(|bits| {
                    let mut states = MessageStates::from_bits(bits.into());
                    states.rewind(watched);
                    states.to_bits() as u32
                });
            }
            return;
        };
        self.topics.observe(kind, nth, extra.and_then(|extra| extra.topic.as_ref()), names);
        match kind.group() {
            Some(group) => {
                self.group(group);
                self.feed(recorded, nth, group..=group);
            }
            None => {
                // A submit, an attempt or an outcome breaks nothing in a group that received nothing.
                self.ungrouped.feed(&self.monitor, recorded, nth, |_, _| {});
                self.feed(recorded, nth, GroupId(0)..=GroupId(u16::MAX));
            }
        }
    }

    fn number(&mut self, message: MessageId, at: At) -> u32 {
        let nth = self.numbers.number(message);
        if let Some(horizon) = &mut self.horizon
            && nth as usize == self.closed as usize + horizon.open.len()
        {
            horizon.open.push_back((message, at));
        }
        nth
    }

    /// Whether the event came when the horizon had passed its message: it is not the first that a message has.
    fn is_late(&self, message: MessageId, kind: &EventKind) -> bool {
        let is_first = match kind {
            EventKind::Submit { .. } => true,
            EventKind::Attempt { .. } => self.missing.has(EventWord::Submit),
            _ => self.missing.has(EventWord::Submit) && self.missing.has(EventWord::Attempt),
        };
        !is_first && self.numbers.get(message).is_none()
    }

    fn tell_late(&mut self, recorded: &Recorded) {
        self.lates += 1;
        if self.late.len() < VIOLATIONS_TOLD {
            let message = recorded.event.kind.message().expect("it is about a message");
            self.late.push(Late { message, line: recorded.line });
        }
    }

    /// Closes and forgets the messages that the horizon has passed.
    fn pass(&mut self, now: At, names: &Names) {
        loop {
            let Some(horizon) = &mut self.horizon else { return };
            let Some(&(message, first)) = horizon.open.front() else { break };
            if elapsed(first, now) <= horizon.span {
                break;
            }
            horizon.open.pop_front();
            horizon.unswept += 1;
            let of_header = horizon.groups.min(names.groups().len());
            self.know_groups(of_header);
            let (nth, found) = (self.closed, self.contradictions.found().count());
            self.close(nth..nth + 1, names);
            self.numbers.forget_below(nth + 1);
            self.contradictions.forgotten = nth + 1;
            if self.contradictions.found().count() > found {
                self.named.insert(nth, message);
            }
            if self.at_rest != AtRest::default() {
                let reads_deliveries = self.contradictions.counts.reads_deliveries;
                self.tell_owed(PropertySet::BLACK_BOX, reads_deliveries, |_| message);
                let at_rest = std::mem::take(&mut self.at_rest);
                self.broken.add(&at_rest.broken(PropertySet::BLACK_BOX, reads_deliveries));
            }
        }
        let Some(horizon) = &mut self.horizon else { return };
        if horizon.unswept > SWEEP.max(horizon.open.len()) {
            (horizon.unswept, horizon.swept) = (0, true);
            self.sweep();
        }
    }

    fn sweep(&mut self) {
        let nth = self.closed;
        self.numbers.sweep();
        self.tally.forget_below(nth);
        self.contradictions.forget_below(nth);
        self.topics.forget_below(nth);
        for group in self.groups.values_mut().chain([&mut self.ungrouped]) {
            group.states.forget_below(nth);
            group.beyond.forget_below(nth);
        }
    }

    /// Whether messages were forgotten since this was last asked, so that whoever reads the history should forget them too.
    pub fn has_forgotten(&mut self) -> bool {
        self.horizon.as_mut().is_some_and(|horizon| std::mem::take(&mut horizon.swept))
    }

    /// Whether something is known of this message.
    pub fn remembers(&self, message: MessageId) -> bool {
        self.numbers.get(message).is_some()
    }

    /// The messages that are told, so far.
    pub fn told(&self) -> BTreeSet<MessageId> {
        let late = self.late.iter().map(|it| it.message);
        self.violations.iter().map(|it| it.message).chain(late).chain(self.named.values().copied()).collect()
    }

    /// Takes in that a message was at this place, and nothing else about it.
    pub(super) fn place(&mut self, message: MessageId, place: PartitionedPosition, at: At) {
        let nth = self.number(message, at);
        self.contradictions.share(nth, place);
    }

    /// The messages of which all events are needed to join this judgement with those of other shares.
    pub(super) fn carried(&self) -> BTreeSet<MessageId> {
        let found = self.contradictions.found();
        let numbers = self.owed.iter().map(|it| it.nth).chain(found.flat_map(Found::numbers)).collect();
        self.told().into_iter().chain(self.messages(&numbers).into_values()).collect()
    }

    /// What a group does; none if it has no event.
    pub(super) fn acting(&self, group: GroupId) -> Option<Acting> {
        self.contradictions.of_group(group)
    }

    /// Sets what a group does in the whole record.
    pub(super) fn know_group(&mut self, group: GroupId, acting: Acting) {
        self.contradictions.know_group(group, acting);
    }

    /// Whether order is judged, which is not one message's own.
    pub(super) fn is_ordered(&self) -> bool {
        self.monitor.watched.contains(PropertyId::Order)
    }

    /// The states of a group. A new group begins with the events that belong to every group.
    fn group(&mut self, group: GroupId) -> &mut Group {
        self.groups.entry(group).or_insert_with(|| self.ungrouped.clone())
    }

    fn feed(&mut self, recorded: &Recorded, nth: u32, groups: std::ops::RangeInclusive<GroupId>) {
        let Judge { monitor, groups: all, broken: Broken { breaches, withheld }, violations, missing, .. } = self;
        for (&group, its) in all.range_mut(groups) {
            its.feed(monitor, recorded, nth, |property, breach| {
                if let Some(word) = missing.behind(breach, monitor.rules.level) {
                    lowest(&mut withheld[property as usize], Doubt::NotOnRecord(word));
                    return;
                }
                let count = &mut breaches[property as usize];
                *count += 1;
                if *count <= VIOLATIONS_TOLD as u64 {
                    let message = recorded.event.kind.message().expect("only what a message does breaks a property");
                    let line = Some(recorded.line);
                    violations.push(Violation { property, breach, message, group, line, lines: Vec::new() });
                }
            });
        }
    }

    /// Says what is owed of these messages, about which no more will come.
    fn close(&mut self, messages: Range<u32>, names: &Names) {
        self.tally.close(messages.clone());
        self.contradictions.close(messages.clone());
        let undecided: BTreeSet<u32> = self.undecided.iter().filter_map(|&it| self.numbers.get(it)).collect();
        let Judge { monitor, groups, contradictions, topics, missing, owed, at_rest, .. } = self;
        for (&group, its) in groups {
            let mut told = [[0; PropertyId::ALL.len()]; 2];
            for nth in messages.clone() {
                let Some(bits) = its.states.get(nth) else { continue };
                let states = MessageStates::from_bits(bits.into());
                its.beyond.at_quiescence(monitor, &states, nth as usize, |property, breach| {
                    let is_loss = PropertySet::OF_ENDLESS_RUNS.contains(property);
                    let got_there = monitor.rules.level == Level::Delivery && contradictions.got_there(group, nth);
                    let is_owed = if is_loss { topics.owes(names.group(group), nth) } else { Some(true) };
                    let is_silent = is_loss && got_there;
                    let doubt = match is_owed {
                        Some(false) => return,
                        _ if is_silent => None,
                        _ if is_loss && undecided.contains(&nth) => Some(Doubt::OpenTransaction),
                        None => Some(Doubt::UnknownTopic),
                        Some(true) => missing.behind(breach, monitor.rules.level).map(Doubt::NotOnRecord),
                    };
                    if let Some(doubt) = doubt {
                        lowest(&mut at_rest.owed.withheld[property as usize], doubt);
                        return;
                    }
                    let broken = if is_silent { &mut at_rest.silent } else { &mut at_rest.owed };
                    broken.breaches[property as usize] += 1;
                    told[usize::from(is_silent)][property as usize] += 1;
                    if told[usize::from(is_silent)][property as usize] <= VIOLATIONS_TOLD {
                        owed.push(Owed { group, nth, property, breach, is_silent });
                    }
                });
            }
        }
        self.closed = messages.end;
    }

    /// Judges what was taken in. `truncated`: the last line, if it was cut off. The violations have no lines yet.
    pub fn finish(mut self, names: &Names, truncated: Option<u32>) -> Judgement {
        let totals = self.totals(names, truncated);
        self.conclude(&totals)
    }

    /// The first groups, so many of them, owe what belongs to all. Where no group is known, there is one that the history will
    /// name or leave unnamed, which has id 0.
    fn know_groups(&mut self, count: usize) {
        (0..count).for_each(|id| {
            self.group(GroupId(id as u16));
        });
        if self.groups.is_empty() {
            self.group(GroupId(0));
        }
    }

    /// Closes all messages, and says what was found.
    pub(super) fn totals(&mut self, names: &Names, truncated: Option<u32>) -> Totals {
        self.know_groups(names.groups().len());
        if let Some((_, now)) = self.last {
            self.pass(now, names);
        }
        self.close(self.closed..self.numbers.count(), names);
        Totals {
            events: self.events - self.common,
            common: self.common,
            counts: self.tally.counts(),
            broken: self.broken,
            at_rest: self.at_rest,
            contradicted: self.contradictions.counts,
            lates: self.lates,
            last: self.last,
            rest: self.rest && truncated.is_none(),
            truncated,
        }
    }

    /// The judgement of a record with these totals. What is told comes from the messages that were taken in, which are
    /// those of the whole or the first of each kind.
    pub(super) fn conclude(mut self, totals: &Totals) -> Judgement {
        let Totals { counts, rest, .. } = *totals;
        let owing = match (rest, self.endless) {
            (true, _) => PropertySet::BLACK_BOX,
            (false, true) => PropertySet::OF_ENDLESS_RUNS,
            (false, false) => PropertySet::EMPTY,
        };
        let reads_deliveries = totals.contradicted.reads_deliveries;
        let mut broken = totals.broken;
        if !owing.is_empty() {
            broken.add(&totals.at_rest.broken(owing, reads_deliveries));
        }
        let owed = self.owed.iter().map(|it| it.nth).collect();
        let names = self.messages(&owed);
        self.tell_owed(owing, reads_deliveries, |nth| names[&nth]);
        let (found, contradicted) = self.contradictions.finish(rest, totals.contradicted);

        let rules = self.monitor.rules;
        let watched = self.monitor.watched - self.untellable(counts.effects);
        self.violations.retain(|violation| watched.contains(violation.property));
        let mut doubts = Doubts::about(totals.truncated.is_some(), &counts, rules.level, rest);
        doubts.duplicates = self.contradictions.hides_duplicates(rest, totals.contradicted);
        doubts.endless = self.endless;
        doubts.late = totals.lates > 0;
        let unseen = |property| self.missing.needed_to_hold(property).map(Doubt::NotOnRecord);
        let verdict = |property: PropertyId| match broken.breaches[property as usize] {
            0 => doubts.verdict(property, broken.withheld[property as usize].or_else(|| unseen(property))),
            _ => Verdict::Violated,
        };
        let finding =
            |property| Finding { property, verdict: verdict(property), breaches: broken.breaches[property as usize] };
        Judgement {
            rules,
            findings: watched.iter().map(finding).collect(),
            verdicts: Verdicts::new(&rules, verdict),
            contradictions: self.contradicted(&found),
            contradicted,
            counts,
            events: totals.events + totals.common,
            last: totals.last,
            groups: self.groups.keys().copied().collect(),
            violations: self.violations,
            late: self.late,
            lates: totals.lates,
        }
    }

    /// Adds what is owed of these properties to the violations that are told: the first of each property.
    fn tell_owed(&mut self, properties: PropertySet, reads_deliveries: bool, message: impl Fn(u32) -> MessageId) {
        let mut owed = std::mem::take(&mut self.owed);
        owed.retain(|it| properties.contains(it.property) && !(it.is_silent && reads_deliveries));
        owed.sort_by_key(|it| (it.group, it.nth));
        let mut told = self.broken.breaches;
        owed.retain(|it| {
            told[it.property as usize] += 1;
            told[it.property as usize] <= VIOLATIONS_TOLD as u64
        });
        self.violations.extend(owed.into_iter().map(|Owed { group, nth, property, breach, .. }| Violation {
            property,
            breach,
            message: message(nth),
            group,
            line: None,
            lines: Vec::new(),
        }));
    }

    /// The messages with these numbers.
    fn messages(&self, numbers: &BTreeSet<u32>) -> BTreeMap<u32, MessageId> {
        if numbers.is_empty() {
            return BTreeMap::new();
        }
        let mut named = self.named.clone();
        named.extend(self.numbers.named(|nth| numbers.contains(&nth)));
        named.retain(|nth, _| numbers.contains(nth));
        named
    }

    fn contradicted(&self, found: &[Found]) -> Vec<super::Contradiction> {
        let numbers = found.iter().flat_map(Found::numbers).collect();
        let names = self.messages(&numbers);
        found.iter().map(|it| it.told(|nth| names[&nth])).collect()
    }

    /// The properties that this history cannot tell of, broken or kept.
    ///
    /// Without its pipeline it is not known whether a history records effects, nor, at the delivery level, whether they
    /// matter: then a settle without an effect before it means nothing.
    fn untellable(&self, effects: u64) -> PropertySet {
        let effects_told = self.monitor.rules.level == Level::Effect && effects > 0;
        if self.knows_pipeline || effects_told { PropertySet::EMPTY } else { PropertyId::SettledAfterEffect.into() }
    }
}

/// How much time lies between the two, in nanoseconds or in the unit of the history's numbers.
fn elapsed(first: At, now: At) -> u64 {
    now.since(first).unwrap_or_else(|| (now.as_f64() - first.as_f64()).max(0.0) as u64)
}

/// Keeps the lowest of the reasons, so that it does not depend on the order of messages.
fn lowest(reason: &mut Option<Doubt>, other: Doubt) {
    *reason = Some(reason.map_or(other, |reason| reason.min(other)));
}
