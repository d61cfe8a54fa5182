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
//! At the effect level all of them are notes: effects are events of their own, and no delivery stands for one.
//!
//! A delivery that the broker began and no consumer received is none, so numbers begin late and acked positions stay
//! undelivered where a fault on record lost a hand-off: that is no contradiction. Nor is a copy at another position
//! beside the acked one.

use std::collections::BTreeMap;
use std::fmt;

use super::VIOLATIONS_TOLD;
use super::store::PartitionedPosition;
use super::unbounded::Map;
use crate::history::{Names, Recorded};
use crate::pipeline::Level;
use crate::vocab::{EventKind, Fault, GroupId, MessageId, Outcome, SettleOutcome};

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
                let missing = number - 1;
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

/// Every contradiction of a record, and what is unknown by them.
#[derive(Clone, Debug, Default)]
pub(super) struct Contradictions {
    /// The first of them, as many as are told of violations.
    pub told: Vec<Contradiction>,
    /// How many there are.
    pub count: u64,
    /// Whether something came twice is unknown.
    pub duplicates_unknown: bool,
    /// Settled messages without any delivery on record: they got there, however.
    undelivered: BTreeMap<(GroupId, MessageId), u32>,
}

/// What is on record of one message in one group.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The first delivery: its number, whether a fault may explain that, and its line.
    first: Option<(u32, bool, u32)>,
    settled_first: Option<u32>,
    places: Vec<(PartitionedPosition, u32)>,
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

impl Contradictions {
    /// Reads the whole record. `ends`: things came to rest, so that what is not on record will not come.
    pub(super) fn of(events: &[Recorded], level: Level, ends: bool) -> Self {
        let mut seen: Map<(GroupId, MessageId), Seen> = Map::default();
        let mut order: Vec<(GroupId, MessageId)> = Vec::new();
        let mut acked: BTreeMap<MessageId, (PartitionedPosition, u32)> = BTreeMap::new();
        let mut places: Map<PartitionedPosition, (MessageId, u32)> = Map::default();
        let mut groups: BTreeMap<GroupId, (Option<u32>, bool)> = BTreeMap::new();
        let mut found = Contradictions::default();
        let (mut is_swallowed, mut reads_deliveries) = (false, false);
        for Recorded { event, line, .. } in events {
            let kind = &event.kind;
            is_swallowed |= swallows(kind) || matches!(kind, EventKind::Fault { fault: Fault::DedupForgotten });
            let key = kind.group().zip(kind.message());
            if let Some(key) = key.filter(|_| matches!(kind, EventKind::Deliver { .. } | EventKind::Settle { .. })) {
                seen.entry(key).or_insert_with(|| {
                    order.push(key);
                    Seen::default()
                });
            }
            if let Some(group) = kind.group() {
                let (acts, gets) = groups.entry(group).or_default();
                match kind {
                    EventKind::Deliver { .. } | EventKind::Effect { .. } => *gets = true,
                    _ => drop(acts.get_or_insert(*line)),
                }
            }
            match *kind {
                EventKind::Outcome {
                    message, outcome: Outcome::Acked, partition, position: Some(position), ..
                } => {
                    let place = PartitionedPosition { partition, position };
                    acked.entry(message).or_insert((place, *line));
                    found.share(&mut places, place, message, *line);
                }
                EventKind::Deliver { message, partition, position, delivery, .. } => {
                    reads_deliveries = true;
                    let seen = key.and_then(|key| seen.get_mut(&key)).expect("it was entered");
                    seen.first.get_or_insert((delivery.map_or(1, |number| number.0), is_swallowed, *line));
                    if let Some(position) = position {
                        let place = PartitionedPosition { partition, position };
                        seen.places.push((place, *line));
                        found.share(&mut places, place, message, *line);
                    }
                }
                EventKind::Settle { outcome: SettleOutcome::Ok, .. } => {
                    let seen = key.and_then(|key| seen.get_mut(&key)).expect("it was entered");
                    if seen.first.is_none() {
                        seen.settled_first.get_or_insert(*line);
                    }
                }
                _ => {}
            }
        }
        let is_note = level == Level::Effect;
        for key @ (group, message) in order {
            let seen = &seen[&key];
            let mut add = |kind, lines| {
                found.duplicates_unknown |= !is_note;
                found.add(Contradiction { kind, message: Some(message), group, lines, is_note });
            };
            if let Some((number, false, line)) = seen.first
                && number > 1
            {
                add(ContradictionKind::FirstDeliveryNumbered(number), vec![line]);
            }
            if let Some(line) = seen.settled_first.filter(|_| reads_deliveries) {
                add(
                    ContradictionKind::SettledUndelivered,
                    [Some(line), seen.first.map(|first| first.2)].into_iter().flatten().collect(),
                );
                if seen.first.is_none() {
                    found.undelivered.insert(key, line);
                }
            }
            if let Some(&(place, line)) = acked.get(&message).filter(|_| ends && !is_swallowed) {
                let of_partition = || seen.places.iter().filter(|(other, _)| other.partition == place.partition);
                let lines: Vec<u32> = std::iter::once(line).chain(of_partition().map(|(_, line)| *line)).collect();
                if lines.len() > 1 && of_partition().all(|(other, _)| *other != place) {
                    let kind = ContradictionKind::AckedElsewhere(place);
                    found.duplicates_unknown |= !is_note;
                    found.add(Contradiction { kind, message: Some(message), group, lines, is_note });
                }
            }
        }
        for (group, (acts, gets)) in groups {
            if let (Some(line), false, true) = (acts, gets, reads_deliveries) {
                let kind = ContradictionKind::SilentGroup;
                found.add(Contradiction { kind, message: None, group, lines: vec![line], is_note: true });
            }
        }
        found
    }

    /// A message is at a place: once for each other message that is there.
    fn share(
        &mut self,
        places: &mut Map<PartitionedPosition, (MessageId, u32)>,
        place: PartitionedPosition,
        message: MessageId,
        line: u32,
    ) {
        let (first, first_line) = *places.entry(place).or_insert((message, line));
        let is_told = |it: &Contradiction| {
            matches!(it.kind, ContradictionKind::SamePosition(at, _) if at == place) && it.message == Some(message)
        };
        if first != message && !self.told.iter().any(is_told) {
            let kind = ContradictionKind::SamePosition(place, first);
            let (message, group) = (Some(message), GroupId(0));
            self.add(Contradiction { kind, message, group, lines: vec![first_line, line], is_note: true });
        }
    }

    fn add(&mut self, contradiction: Contradiction) {
        self.count += 1;
        if self.told.len() < VIOLATIONS_TOLD {
            self.told.push(contradiction);
        }
    }

    /// The message was settled in the group state, so that it got there although no delivery is on record.
    pub(super) fn got_there(&self, group: GroupId, message: MessageId) -> bool {
        self.undelivered.contains_key(&(group, message))
    }
}
