//! Where a record contradicts itself: something that must have happened is not in it.
//!
//! | kind | says | at the delivery level |
//! |---|---|---|
//! | first-delivery-numbered | the first delivery on record is not numbered 1: earlier ones are missing | duplicates are unknown |
//! | acked-elsewhere | acked at one position, delivered only at others | duplicates are unknown |
//! | settled-undelivered | settled before any delivery | duplicates are unknown; without any delivery, so is its loss |
//! | same-position | two messages at one position of one partition | a note: positions come again after a log was lost |
//! | silent-group | a group that acts, and of which no delivery and no effect is on record | a note |
//!
//! A message that was seen where it was acked is not "acked elsewhere", whichever group saw it there.
//!
//! At the effect level all of them are notes: effects are events of their own, and no delivery stands for one.
//!
//! A delivery that the broker began and no consumer received is none, so numbers begin late and acked positions stay
//! undelivered where a fault on record lost a hand-off: that is no contradiction. Nor is a copy at another position
//! beside the acked one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::store::PartitionedPosition;
use super::{LINES_TOLD, VIOLATIONS_TOLD};
use crate::history::{Names, Recorded};
use crate::pages::{Column, Sparse};
use crate::pipeline::Level;
use crate::vocab::{EventKind, Fault, GroupId, MessageId, Outcome, PartitionId, Position, SettleOutcome};

/// What contradicts what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContradictionKind {
    /// The first delivery on record has this number.
    FirstDeliveryNumbered(u32),
    /// The message was acked there, and delivered only elsewhere.
    AckedElsewhere(PartitionedPosition),
    /// The message was settled before any delivery of it.
    SettledUndelivered,
    /// Another message is there, too.
    SamePosition(PartitionedPosition, MessageId),
    /// The group acts, and nothing was delivered to it.
    SilentGroup,
}

impl ContradictionKind {
    /// The word that output uses.
    pub fn word(self) -> &'static str {
        match self {
            ContradictionKind::FirstDeliveryNumbered(_) => "first-delivery-numbered",
            ContradictionKind::AckedElsewhere(_) => "acked-elsewhere",
            ContradictionKind::SettledUndelivered => "settled-undelivered",
            ContradictionKind::SamePosition(..) => "same-position",
            ContradictionKind::SilentGroup => "silent-group",
        }
    }
}

/// One contradiction of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// Which.
    pub kind: ContradictionKind,
    /// About which message; none where it is about a group.
    pub message: Option<MessageId>,
    /// In which group.
    pub group: GroupId,
    /// The lines that show it.
    pub lines: Vec<u32>,
    /// No verdict changes by it.
    pub is_note: bool,
}

impl Contradiction {
    /// The contradiction as a sentence.
    pub fn told(&self, names: &Names) -> String {
        let message = names.message(self.message.unwrap_or_default());
        let place = |place: PartitionedPosition| match names.partition(place.partition) {
            Some(partition) => format!("position {} of {partition}", place.position),
            None => format!("position {}", place.position),
        };
        match self.kind {
            ContradictionKind::FirstDeliveryNumbered(number) => {
                let missing = number.saturating_sub(1);
                let them = if missing == 1 { "the one before it is" } else { "those before it are" };
                format!("the first delivery of message {message} is numbered {number}: {them} not on record")
            }
            ContradictionKind::AckedElsewhere(at) => {
                format!("message {message} was acked at {} and delivered only elsewhere", place(at))
            }
            ContradictionKind::SettledUndelivered => {
                format!("message {message} was settled before any delivery of it")
            }
            ContradictionKind::SamePosition(at, other) => {
                format!("messages {} and {message} are both at {}", names.message(other), place(at))
            }
            ContradictionKind::SilentGroup => {
                let group = names.group(self.group);
                format!("group {group} acts, and no delivery to it is on record")
            }
        }
    }
}

impl fmt::Display for ContradictionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A fault by which a hand-off that the broker began is never received, or is received late.
fn swallows(kind: &EventKind) -> bool {
    use Fault::*;
    matches!(
        kind,
        EventKind::Fault {
            fault: DeliveryLost | ConsumerCrash | HandlerCrashes | BrokerCrash | LeaseExpiry | Rebalance | Rewind
        }
    ) || matches!(kind, EventKind::Rewind { .. })
}

/// What is known of a message's places: these bits.
mod place {
    /// It was acked at a place.
    pub const ACKED: u32 = 1;
    /// It was seen at the place where it was acked.
    pub const REACHED: u32 = 2;
    /// It was delivered elsewhere in the partition in which it was acked.
    pub const ELSEWHERE: u32 = 4;
}

/// What is known of a message in a group: these bits.
mod group {
    /// It was delivered.
    pub const DELIVERED: u32 = 1;
    /// Its first delivery has a later number, which no fault explains.
    pub const NUMBERED_LATE: u32 = 2;
    /// It was settled before any delivery.
    pub const SETTLED_FIRST: u32 = 4;
}

/// The contradictions of a record so far, and what is unknown by them.
#[derive(Clone, Debug)]
pub(super) struct Contradictions {
    /// No verdict changes: effects are events of their own.
    is_note: bool,
    is_swallowed: bool,
    messages: Column<u32>,
    groups: BTreeMap<GroupId, OfGroup>,
    /// Where messages were acked that were not yet seen there: one more than the position, and the partition. 0 where the
    /// message is not acked, or was seen there.
    acked: (Column<u64>, Column<u32>),
    /// In which partition a message was first delivered, if that was before it was acked anywhere.
    early: Column<u32>,
    /// The message that was seen first at each position, by partition.
    places: BTreeMap<PartitionId, Sparse<u32>>,
    /// Other messages that were seen at the same positions.
    others: BTreeSet<(PartitionedPosition, u32)>,
    /// The messages below this number are not looked at any more.
    pub forgotten: u32,
    /// Those of positions, as they were found.
    shared: Vec<Found>,
    /// Those of messages, by kind, in the order of messages.
    found: [Vec<Found>; 3],
    /// How many there are.
    pub counts: Contradicted,
}

/// How many contradictions there are of each kind, and what decides whether they count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Contradicted {
    pub numbered_late: u64,
    /// They count if deliveries are on record at all.
    pub settled_undelivered: u64,
    /// They count if things came to rest.
    pub acked_elsewhere: u64,
    pub same_position: u64,
    pub reads_deliveries: bool,
}

impl Contradicted {
    /// Adds those of another share, but for positions, which shares have in common.
    pub fn add(&mut self, other: Contradicted) {
        self.numbered_late += other.numbered_late;
        self.settled_undelivered += other.settled_undelivered;
        self.acked_elsewhere += other.acked_elsewhere;
        self.reads_deliveries |= other.reads_deliveries;
    }

    /// How many of messages count, by the places of [`Contradictions::found`].
    fn counted(&self, ends: bool) -> [u64; 3] {
        let settled = if self.reads_deliveries { self.settled_undelivered } else { 0 };
        [self.numbered_late, settled, if ends { self.acked_elsewhere } else { 0 }]
    }
}

/// What a group does and gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Acting {
    /// The line of its first event.
    pub first: u32,
    /// It settles, dead-letters or rewinds.
    pub acts: bool,
    /// Something was delivered to it, or had its effect there.
    pub gets: bool,
}

#[derive(Clone, Debug, Default)]
struct OfGroup {
    /// The line of its first event.
    first: u32,
    /// It settles, dead-letters or rewinds.
    acts: bool,
    /// Something was delivered to it, or had its effect there.
    gets: bool,
    messages: Column<u32>,
}

/// A contradiction by the numbers of its messages, without its lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    /// Which.
    pub kind: FoundKind,
    /// About which message.
    pub nth: Option<u32>,
    /// In which group.
    pub group: GroupId,
    is_note: bool,
}

/// Which contradiction was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FoundKind {
    NumberedLate,
    SettledUndelivered,
    AckedElsewhere(PartitionedPosition),
    /// The place, and the message that was seen there first.
    SamePosition(PartitionedPosition, u32),
    /// The line of its first event.
    SilentGroup(u32),
}

impl Contradictions {
    pub fn new(level: Level) -> Self {
        Contradictions {
            is_note: level == Level::Effect,
            is_swallowed: false,
            messages: Column::default(),
            groups: BTreeMap::new(),
            acked: Default::default(),
            early: Column::default(),
            places: BTreeMap::new(),
            others: BTreeSet::new(),
            forgotten: 0,
            shared: Vec::new(),
            found: Default::default(),
            counts: Contradicted::default(),
        }
    }

    /// Takes in an event, which is about the `nth` message if it is about one.
    pub fn observe(&mut self, kind: &EventKind, nth: Option<u32>, line: u32) {
        self.is_swallowed |= swallows(kind) || matches!(kind, EventKind::Fault { fault: Fault::DedupForgotten });
        if let Some(group) = kind.group() {
            let group = self.groups.entry(group).or_insert_with(|| OfGroup { first: line, ..OfGroup::default() });
            match kind {
                EventKind::Deliver { .. } | EventKind::Effect { .. } => group.gets = true,
                _ => group.acts = true,
            }
        }
        let Some(nth) = nth else { return };
        match *kind {
            EventKind::Outcome { outcome: Outcome::Acked, partition, position: Some(position), .. } => {
                self.ack(nth, PartitionedPosition { partition, position });
            }
            EventKind::Deliver { group, partition, position, delivery, .. } => {
                self.counts.reads_deliveries = true;
                let is_late = delivery.is_some_and(|number| number.0 > 1) && !self.is_swallowed;
                let of_group = self.groups.entry(group).or_default();
                let known = of_group.messages.get(nth).unwrap_or_default();
                if known & group::DELIVERED == 0 {
                    let late = if is_late { group::NUMBERED_LATE } else { 0 };
                    of_group.messages.set(nth, known | group::DELIVERED | late);
                }
                if let Some(position) = position {
                    self.deliver(nth, PartitionedPosition { partition, position });
                }
            }
            EventKind::Settle { group, outcome: SettleOutcome::Ok, .. } => {
                let messages = &mut self.groups.entry(group).or_default().messages;
                if messages.get(nth).is_none() {
                    messages.set(nth, group::SETTLED_FIRST);
                }
            }
            _ => {}
        }
    }

    fn ack(&mut self, nth: u32, place: PartitionedPosition) {
        let known = self.messages.get(nth).unwrap_or_default();
        if known & place::ACKED == 0 {
            let was_there = self.first_at(place) == Some(nth) || self.others.contains(&(place, nth));
            let was_elsewhere = self.early.get(nth) == Some(place.partition.0);
            if !was_there {
                self.acked.0.set(nth, place.position.0.saturating_add(1));
                self.acked.1.set(nth, place.partition.0);
            }
            let elsewhere = if was_elsewhere { place::ELSEWHERE } else { 0 };
            let known = if was_there { place::REACHED } else { elsewhere };
            self.messages.set(nth, place::ACKED | known);
        }
        self.share(nth, place);
    }

    fn deliver(&mut self, nth: u32, place: PartitionedPosition) {
        let known = self.messages.get(nth).unwrap_or_default();
        if known & place::ACKED == 0 {
            if self.early.get(nth).is_none() {
                self.early.set(nth, place.partition.0);
            }
        } else if known & place::REACHED == 0
            && let Some(acked) = self.acked_at(nth)
        {
            if acked == place {
                self.acked.0.set(nth, 0);
                self.acked.1.set(nth, 0);
                self.messages.set(nth, place::ACKED | place::REACHED);
            } else if acked.partition == place.partition {
                self.messages.set(nth, known | place::ELSEWHERE);
            }
        }
        self.share(nth, place);
    }

    /// Where the message was acked, if it was not yet seen there.
    fn acked_at(&self, nth: u32) -> Option<PartitionedPosition> {
        let position = Position(self.acked.0.get(nth)?.checked_sub(1)?);
        Some(PartitionedPosition { partition: PartitionId(self.acked.1.get(nth)?), position })
    }

    fn first_at(&self, place: PartitionedPosition) -> Option<u32> {
        self.places.get(&place.partition)?.get(place.position.0)
    }

    /// A message is at a place: once for each other message that is there.
    pub fn share(&mut self, nth: u32, place: PartitionedPosition) {
        let places = self.places.entry(place.partition).or_default();
        match places.get(place.position.0).filter(|first| *first >= self.forgotten) {
            None => places.set(place.position.0, nth),
            Some(first) if first == nth => {}
            Some(first) => {
                if self.others.insert((place, nth)) {
                    self.counts.same_position += 1;
                    if self.shared.len() < VIOLATIONS_TOLD {
                        let kind = FoundKind::SamePosition(place, first);
                        self.shared.push(Found { kind, nth: Some(nth), group: GroupId(0), is_note: true });
                    }
                }
            }
        }
    }

    /// Adds what can be said of these messages, about which no more will come.
    pub fn close(&mut self, messages: Range<u32>) {
        let Contradictions { groups, found, counts, is_note, .. } = self;
        let is_note = *is_note;
        let add = |found: &mut Vec<Found>, count: &mut u64, it: Found| {
            *count += 1;
            if found.len() < VIOLATIONS_TOLD {
                found.push(it);
            }
        };
        for nth in messages.clone() {
            for (&group, of_group) in &*groups {
                let known = of_group.messages.get(nth).unwrap_or_default();
                let it = |kind| Found { kind, nth: Some(nth), group, is_note };
                if known & group::NUMBERED_LATE != 0 {
                    add(&mut found[0], &mut counts.numbered_late, it(FoundKind::NumberedLate));
                }
                if known & group::SETTLED_FIRST != 0 {
                    add(&mut found[1], &mut counts.settled_undelivered, it(FoundKind::SettledUndelivered));
                }
            }
        }
        for nth in messages.filter(|_| !self.is_swallowed) {
            let known = self.messages.get(nth).unwrap_or_default();
            if known & (place::REACHED | place::ELSEWHERE) == place::ELSEWHERE
                && let Some(acked) = self.acked_at(nth)
            {
                let kind = FoundKind::AckedElsewhere(acked);
                let it = Found { kind, nth: Some(nth), group: GroupId(0), is_note };
                add(&mut self.found[2], &mut self.counts.acked_elsewhere, it);
            }
        }
    }

    /// All that are told, and how many there are. `ends`: what is not on record will not come. `counts`: of the whole
    /// record, if this is a part of it.
    pub fn finish(&mut self, ends: bool, counts: Contradicted) -> (Vec<Found>, u64) {
        let counted = counts.counted(ends);
        let mut told = std::mem::take(&mut self.shared);
        let of_messages = self.found.iter_mut().zip(counted).filter(|(_, count)| *count > 0);
        let mut of_messages: Vec<Found> = of_messages.flat_map(|(found, _)| std::mem::take(found)).collect();
        of_messages.sort_by_key(|it| (it.nth, it.group));
        told.extend(of_messages);
        let silent = self.groups.iter().filter(|(_, of_group)| of_group.acts && !of_group.gets);
        let silent: Vec<Found> = silent
            .filter(|_| counts.reads_deliveries)
            .map(|(&group, its)| Found { kind: FoundKind::SilentGroup(its.first), nth: None, group, is_note: true })
            .collect();
        let all = counts.same_position + counted.iter().sum::<u64>() + silent.len() as u64;
        told.extend(silent);
        told.truncate(VIOLATIONS_TOLD);
        (told, all)
    }

    /// All that were found so far, told or not.
    pub fn found(&self) -> impl Iterator<Item = &Found> {
        self.shared.iter().chain(self.found.iter().flatten())
    }

    /// The messages that were found at one position, as they were found.
    pub fn shared(&self) -> &[Found] {
        &self.shared
    }

    /// Whether something came twice is unknown.
    pub fn hides_duplicates(&self, ends: bool, counts: Contradicted) -> bool {
        !self.is_note && counts.counted(ends).iter().any(|count| *count > 0)
    }

    /// What this group does and gets is known from elsewhere.
    pub fn know_group(&mut self, group: GroupId, acting: Acting) {
        let of_group = self.groups.entry(group).or_default();
        (of_group.first, of_group.acts, of_group.gets) = (acting.first, acting.acts, acting.gets);
    }

    /// What a group does and gets.
    pub fn of_group(&self, group: GroupId) -> Option<Acting> {
        let OfGroup { first, acts, gets, .. } = *self.groups.get(&group)?;
        Some(Acting { first, acts, gets })
    }

    /// The message was settled in the group, so that it got there although no delivery is on record.
    pub fn got_there(&self, group: GroupId, nth: u32) -> bool {
        let known = self.groups.get(&group).and_then(|of_group| of_group.messages.get(nth));
        known == Some(group::SETTLED_FIRST)
    }

    /// Forgets the messages below the `nth`.
    pub fn forget_below(&mut self, nth: u32) {
        self.messages.forget_below(nth);
        self.early.forget_below(nth);
        self.groups.values_mut().for_each(|of_group| of_group.messages.forget_below(nth));
        self.places.values_mut().for_each(|places| places.retain(|_, its| its >= nth));
        self.acked.0.forget_below(nth);
        self.acked.1.forget_below(nth);
        self.others.retain(|(_, its)| *its >= nth);
    }
}

impl Found {
    /// The numbers of the messages that it is about.
    pub fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        let other = match self.kind {
            FoundKind::SamePosition(_, first) => Some(first),
            _ => None,
        };
        self.nth.into_iter().chain(other)
    }

    /// The contradiction with its message, and without its lines.
    pub fn told(&self, message: impl Fn(u32) -> MessageId) -> Contradiction {
        let kind = match self.kind {
            FoundKind::NumberedLate => ContradictionKind::FirstDeliveryNumbered(0),
            FoundKind::SettledUndelivered => ContradictionKind::SettledUndelivered,
            FoundKind::AckedElsewhere(place) => ContradictionKind::AckedElsewhere(place),
            FoundKind::SamePosition(place, first) => ContradictionKind::SamePosition(place, message(first)),
            FoundKind::SilentGroup(_) => ContradictionKind::SilentGroup,
        };
        Contradiction {
            kind,
            message: self.nth.map(message),
            group: self.group,
            lines: match self.kind {
                FoundKind::SilentGroup(line) => vec![line],
                _ => Vec::new(),
            },
            is_note: self.is_note,
        }
    }
}

impl Contradiction {
    /// Fills in the lines that show it, and what they say.
    pub(super) fn tell(&mut self, events: &[Recorded]) {
        let place_of = |kind: &EventKind| match *kind {
            EventKind::Outcome { outcome: Outcome::Acked, partition, position: Some(position), .. }
            | EventKind::Deliver { partition, position: Some(position), .. } => {
                Some(PartitionedPosition { partition, position })
            }
            _ => None,
        };
        let (message, group) = (self.message, self.group);
        let is_its = move |it: &&Recorded| it.event.kind.message() == message;
        let in_group = move |it: &&Recorded| is_its(it) && it.event.kind.group() == Some(group);
        let is_delivery = |it: &&Recorded| matches!(it.event.kind, EventKind::Deliver { .. });
        let is_settle = |it: &&Recorded| matches!(it.event.kind, EventKind::Settle { outcome: SettleOutcome::Ok, .. });
        let first_delivery = || events.iter().filter(in_group).find(is_delivery);
        let at = |place| move |it: &&Recorded| place_of(&it.event.kind) == Some(place);
        let its: Vec<&Recorded> = match &mut self.kind {
            ContradictionKind::FirstDeliveryNumbered(told) => {
                let first = first_delivery();
                if let Some(EventKind::Deliver { delivery: Some(number), .. }) = first.map(|it| it.event.kind) {
                    *told = number.0;
                }
                first.into_iter().collect()
            }
            ContradictionKind::SettledUndelivered => {
                events.iter().filter(in_group).find(is_settle).into_iter().chain(first_delivery()).collect()
            }
            ContradictionKind::AckedElsewhere(place) => {
                let acked = events.iter().filter(is_its).find(|it| at(*place)(it) && !is_delivery(it));
                let in_partition =
                    |it: &&Recorded| place_of(&it.event.kind).is_some_and(|it| it.partition == place.partition);
                let delivered = events.iter().filter(is_its).filter(is_delivery).filter(in_partition);
                acked.into_iter().chain(delivered).take(LINES_TOLD).collect()
            }
            ContradictionKind::SamePosition(place, first) => {
                let is_first = |it: &&Recorded| it.event.kind.message() == Some(*first);
                let one = events.iter().filter(is_first).find(at(*place));
                one.into_iter().chain(events.iter().filter(is_its).find(at(*place))).collect()
            }
            // Its line is known.
            ContradictionKind::SilentGroup => return,
        };
        self.lines = its.into_iter().map(|it| it.line).collect();
    }
}
