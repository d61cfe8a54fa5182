//! Which positions a consumer group still needs, and what may be handed off next.
//!
//! A subscription is leased (each hand-off has a lease, any consumer of the group may get any position) or a cursor
//! (one consumer owns the work, follows its own position, and commits a prefix or stores positions itself).
//!
//! Architecture Invariant: nothing is written from here. The broker writes the [`ledger`](super::ledger) first and
//! tells this state afterwards, and a restart replays the ledger into it.

use std::borrow::Cow;
use std::ops::Range;

use delivery_model::pipeline::{Delivers, Pipeline};
use delivery_model::vocab::{DeliveryNumber, Position};

use super::delivery::{ConsumerId, DeliveryId};
use super::leases::Leases;
use super::ledger::Entry;
use super::time::Millis;
use crate::data::positions::Positions;
use crate::data::small_map::SmallMap;
use crate::store::{Covers, Generation};

/// How a group follows the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subscription {
    /// The broker knows of every position who has it.
    Leased,
    /// The consumer knows which positions it has; the broker knows what it committed.
    Cursor,
}

impl Subscription {
    /// The subscription of a pipeline's consumers.
    pub fn of(pipeline: &Pipeline) -> Self {
        if pipeline.consumer.follows_cursor() { Subscription::Cursor } else { Subscription::Leased }
    }
}

/// What to do about the lowest position that a consumer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Next {
    /// Hand it off.
    HandOff(Position),
    /// Set it aside: its hand-offs are used up.
    DeadLetter(Position),
}

/// What may be handed off to one consumer.
#[derive(Clone, Debug)]
pub struct Candidates<'a> {
    /// To whom.
    pub consumer: ConsumerId,
    /// What it holds, has done or keeps as finished itself.
    pub has: &'a [&'a Positions],
    /// The part of the log that may be handed off.
    pub of: Range<Position>,
    /// How often a position may be handed off; 0: no limit.
    pub deliveries_max: u32,
}

/// The deliveries of one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deliveries {
    subscription: Subscription,
    delivers: Delivers,
    /// 0: no limit.
    max_deliveries: u32,
    /// Hand-offs are counted up to here.
    counts_max: u32,
    settled: Positions,
    /// The part of `settled` that a crash cannot forget.
    durable: Positions,
    dead: Positions,
    /// The part of `dead` that a crash cannot forget.
    dead_durable: Positions,
    /// The part of `dead` that is no dead letter which could be put back: it expired, was dropped or lost, or was put back.
    vanished: Positions,
    /// What its consumer asked to be set aside.
    rejected: Positions,
    /// Consumers may ask for that.
    rejects: bool,
    /// What was handed off, where that may happen only once.
    handed: Positions,
    /// The group was set to a position.
    was_rewound: bool,
    /// How often each position was handed off that is not settled yet.
    counts: SmallMap<Position, u32>,
    leases: Leases,
    owner: ConsumerId,
    generation: Generation,
}

impl Deliveries {
    /// What the ledger amounts to, in this incarnation of the broker.
    pub fn replay(pipeline: &Pipeline, numbers_max: u32, entries: &[Entry], incarnation: u32) -> Self {
        let max_deliveries = pipeline.broker.max_deliveries;
        let mut deliveries = Deliveries {
            subscription: Subscription::of(pipeline),
            delivers: pipeline.broker.delivers,
            max_deliveries,
            // A limit on the deliveries is one on their count.
            counts_max: if max_deliveries > 0 { u32::MAX } else { numbers_max },
            settled: Positions::default(),
            durable: Positions::default(),
            dead: Positions::default(),
            dead_durable: Positions::default(),
            vanished: Positions::default(),
            rejected: Positions::default(),
            rejects: pipeline.consumer.rejects_failures(),
            handed: Positions::default(),
            was_rewound: false,
            counts: SmallMap::default(),
            leases: Leases::new(incarnation),
            owner: ConsumerId::default(),
            generation: Generation::default(),
        };
        entries.iter().for_each(|entry| deliveries.apply(*entry));
        deliveries
    }

    /// What an empty ledger amounts to, in this incarnation of the broker, in the room that these deliveries took.
    pub fn start_over(&mut self, incarnation: u32) {
        for marks in [
            &mut self.settled,
            &mut self.durable,
            &mut self.dead,
            &mut self.dead_durable,
            &mut self.vanished,
            &mut self.rejected,
            &mut self.handed,
        ] {
            *marks = Positions::default();
        }
        self.was_rewound = false;
        self.counts.clear();
        self.leases.start_over(incarnation);
        (self.owner, self.generation) = Default::default();
    }

    /// An entry of the ledger takes effect.
    pub fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Started(_) | Entry::Registered(..) => {}
            Entry::Settled(start, end) => self.settle_run(start, end),
            Entry::HandedOff(position) => self.count(position),
            Entry::DeadLettered(position) => {
                self.set_aside(position);
                self.dead_durable.insert(position);
                self.counts.remove(&position);
            }
            Entry::Dropped(position) => {
                self.apply(Entry::DeadLettered(position));
                self.vanished.insert(position);
            }
            // A dead letter that a crash forgot is none: the position may be set aside anew.
            Entry::PutBack(position) => {
                if self.dead.contains(position) {
                    self.vanished.insert(position);
                }
            }
            Entry::Forgotten => self.rewind(Position(0)),
            Entry::Truncated(end) => {
                self.rewind(end);
                for marks in [&mut self.dead, &mut self.dead_durable, &mut self.vanished] {
                    marks.truncate(end);
                }
            }
            Entry::Rewound(to) => {
                self.rewind(to);
                self.was_rewound = true;
            }
            Entry::Owned(consumer, generation) => (self.owner, self.generation) = (consumer, generation),
            Entry::Counted(position, times) => drop(self.counts.insert(position, times.min(self.counts_max))),
            Entry::HandedOffOnce(start, end) => self.handed.insert_run(start.0, end.0),
        }
    }

    /// Adds what a ledger must have to amount to this, as far as it was recorded there.
    pub fn add_entries(&self, entries: &mut Vec<Entry>) {
        if self.was_rewound {
            entries.push(Entry::Rewound(Position(0)));
        }
        entries.extend(runs(&self.durable));
        entries.extend(each(&self.dead_durable).map(|position| match self.vanished.contains(position) {
            true => Entry::Dropped(position),
            false => Entry::DeadLettered(position),
        }));
        if self.must_record_hand_off() {
            entries.extend(self.handed.runs().map(|(start, end)| Entry::HandedOffOnce(start, end)));
            entries.extend(self.counts.iter().map(|(position, &times)| Entry::Counted(position, times)));
        }
        if self.owner() != Default::default() {
            entries.push(Entry::Owned(self.owner, self.generation));
        }
    }

    /// The first position, from this one on, that may have to be handed off (again) after a restart. `elsewhere`: what
    /// consumers who keep their own positions have finished for good.
    pub fn first_open(&self, from: Position, elsewhere: &Positions) -> Position {
        let handed = self.done_when_handed();
        Positions::first_in_none(from, [&self.durable, &self.dead, &handed, elsewhere].into_iter())
    }

    /// What was handed off, is not to be handed off again, and will not be set aside either, as far as can be told.
    fn done_when_handed(&self) -> Cow<'_, Positions> {
        if !self.rejects {
            return Cow::Borrowed(&self.handed);
        }
        let mut open = self.rejected.clone();
        for hand in self.leases.live() {
            open.insert(hand.position);
        }
        Cow::Owned(self.handed.minus(&open))
    }

    /// The position is set aside, for as long as the broker does not crash.
    pub fn set_aside(&mut self, position: Position) {
        self.dead.insert(position);
        self.forget_rejected(position, Position(position.0 + 1));
    }

    /// Its consumer asks for a position to be set aside that is neither settled nor set aside.
    pub fn reject(&mut self, position: Position) {
        if !self.settled.contains(position) && !self.dead.contains(position) {
            self.rejected.insert(position);
        }
    }

    /// What consumers asked to be set aside, and is not yet.
    pub fn rejected(&self) -> &Positions {
        &self.rejected
    }

    fn forget_rejected_of(&mut self, positions: &Positions) {
        if !self.rejected.is_empty() {
            self.rejected = self.rejected.minus(positions);
        }
    }

    fn forget_rejected(&mut self, start: Position, end: Position) {
        if !self.rejected.is_empty() {
            let mut gone = Positions::default();
            gone.insert_run(start.0, end.0);
            self.rejected = self.rejected.minus(&gone);
        }
    }

    /// The part of [`dead`](Deliveries::dead) that is no dead letter which could be put back.
    pub fn vanished(&self) -> &Positions {
        &self.vanished
    }

    /// The first position, from this one on, that is neither settled nor set aside, nor done with when it was handed off.
    pub fn first_unfinished(&self, from: Position) -> Position {
        Positions::first_in_none(from, [&self.settled, &self.dead, &self.handed].into_iter())
    }

    /// Forgets how often positions before this one were handed off.
    pub fn forget_counts_below(&mut self, start: Position) {
        if self.counts.first().is_some_and(|(first, _)| first < start) {
            self.counts.retain(|position, _| *position >= start);
        }
    }

    fn settle_run(&mut self, start: Position, end: Position) {
        self.durable.insert_run(start.0, end.0);
        self.settled.insert_run(start.0, end.0);
        self.forget_rejected(start, end);
        while let Some(position) = self.counts.first_from(start).filter(|position| *position < end) {
            self.counts.remove(&position);
            self.leases.forget(position);
        }
    }

    fn rewind(&mut self, to: Position) {
        for marks in [&mut self.settled, &mut self.durable, &mut self.handed, &mut self.rejected] {
            marks.truncate(to);
        }
        self.counts.truncate(&to);
    }

    fn count(&mut self, position: Position) {
        if self.delivers == Delivers::Once {
            self.handed.insert(position);
        }
        let count = self.counts.or_default(position);
        *count = count.saturating_add(1).min(self.counts_max);
    }

    /// Whether the group has a position: something is settled or set aside, or it was rewound.
    pub fn is_placed(&self) -> bool {
        self.was_rewound || !self.settled.is_empty() || !self.dead.is_empty()
    }

    /// The runs that a settle of these positions adds to what cannot be forgotten, lowest first.
    pub fn newly_settled(&self, covers: Covers) -> Vec<Entry> {
        let mut covered = Positions::default();
        covers.mark(&mut covered);
        runs(&covered.minus(&self.dead).minus(&self.durable)).collect()
    }

    /// The same for a settle of one position.
    pub fn newly_settled_at(&self, position: Position) -> Option<Entry> {
        let is_new = !self.dead.contains(position) && !self.durable.contains(position);
        is_new.then_some(Entry::Settled(position, Position(position.0 + 1)))
    }

    /// The positions are settled, for as long as the broker does not crash.
    pub fn settle_in_memory(&mut self, covers: Covers) {
        if let Covers::One(position) = covers {
            if !self.dead.contains(position) {
                self.settled.insert(position);
            }
            return self.forget_rejected(position, Position(position.0 + 1));
        }
        let mut covered = Positions::default();
        covers.mark(&mut covered);
        self.settled.extend(&covered.minus(&self.dead));
        self.forget_rejected_of(&covered);
    }

    /// What is settled or set aside in memory only.
    pub fn unsynced(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = runs(&self.settled.minus(&self.durable)).collect();
        for position in each(&self.dead.minus(&self.dead_durable)) {
            let was_put_back = self.vanished.contains(position).then_some(Entry::PutBack(position));
            entries.extend([Entry::DeadLettered(position)].into_iter().chain(was_put_back));
        }
        entries
    }

    /// Something is settled or set aside that a crash would forget.
    pub fn has_unsynced(&self) -> bool {
        // Most runs set nothing aside.
        let has_dead = !(self.dead.is_empty() && self.dead_durable.is_empty());
        self.settled != self.durable || has_dead && self.dead != self.dead_durable
    }

    /// The lowest of the positions that this consumer may have and does not have, and what to do about it.
    pub fn next(&self, candidates: &Candidates<'_>) -> Option<Next> {
        let Candidates { consumer, has, of, deliveries_max } = candidates;
        if self.subscription == Subscription::Cursor && *consumer != self.owner {
            return None;
        }
        let position = self.first_eligible(of.start, has);
        if position >= of.end {
            return None;
        }
        let is_used_up = self.is_used_up(position, *deliveries_max) || self.rejected.contains(position);
        Some(if is_used_up { Next::DeadLetter(position) } else { Next::HandOff(position) })
    }

    /// Whether the position was handed off as often as this; 0: never.
    pub fn is_used_up(&self, position: Position, deliveries_max: u32) -> bool {
        let count = self.counts.get(&position).copied().unwrap_or_default();
        deliveries_max > 0 && count >= deliveries_max
    }

    /// Whether the hand-offs of the position are used up with the last one.
    pub fn is_last_delivery(&self, position: Position) -> bool {
        self.is_used_up(position, self.max_deliveries)
    }

    /// The first position from here on that nothing speaks against; it may lie beyond the log.
    fn first_eligible(&self, from: Position, has: &[&Positions]) -> Position {
        let handed = match self.rejected.is_empty() {
            true => Cow::Borrowed(&self.handed),
            false => Cow::Owned(self.handed.minus(&self.rejected)),
        };
        let own = [&self.settled, &self.dead, &*handed];
        let mut position = from;
        loop {
            let later = Positions::first_in_none(position, own.into_iter().chain(has.iter().copied()));
            let free = self.leases.first_free(later);
            if free == later {
                return free;
            }
            position = free;
        }
    }

    /// What was handed off and is neither settled nor set aside.
    pub fn in_hand(&self) -> Positions {
        let mut in_hand = Positions::default();
        for position in self.counts.keys() {
            in_hand.insert(position);
        }
        in_hand
    }

    /// Whether the hand-off must be in the ledger before it happens.
    pub fn must_record_hand_off(&self) -> bool {
        self.delivers == Delivers::Once || self.max_deliveries > 0
    }

    /// Grants the lease of a hand-off that was counted.
    pub fn grant(&mut self, position: Position, consumer: ConsumerId, ends: Millis) -> DeliveryId {
        DeliveryId { position, lease: self.leases.grant(position, consumer, ends) }
    }

    /// Which hand-off of the position the last one was; none where the count stopped.
    pub fn delivery_number(&self, position: Position) -> Option<DeliveryNumber> {
        self.counts.get(&position).filter(|count| **count < self.counts_max).map(|count| DeliveryNumber(*count))
    }

    /// The leases.
    pub fn leases(&self) -> &Leases {
        &self.leases
    }

    /// The leases, to grant and end them.
    pub fn leases_mut(&mut self) -> &mut Leases {
        &mut self.leases
    }

    /// Everything settled, durable or not.
    pub fn settled(&self) -> &Positions {
        &self.settled
    }

    /// The part of [`settled`](Deliveries::settled) that a crash cannot forget.
    pub fn durable(&self) -> &Positions {
        &self.durable
    }

    /// Everything set aside.
    pub fn dead(&self) -> &Positions {
        &self.dead
    }

    /// Everything settled or set aside: what the consumers of a cursor are told.
    pub fn committed(&self) -> Positions {
        let mut committed = self.settled.clone();
        committed.extend(&self.dead);
        committed
    }

    /// Everything handed off, where that happens only once.
    pub fn handed(&self) -> &Positions {
        &self.handed
    }

    /// Whether the position was ever handed off since it was last settled or rewound, as far as that is counted.
    pub fn was_handed_off(&self, position: Position) -> bool {
        self.handed.contains(position) || self.max_deliveries > 0 && self.counts.contains_key(&position)
    }

    /// Whether any position was that is not set aside for good, as far as that is counted.
    pub fn has_handed_off(&self) -> bool {
        !self.handed.minus(&self.dead_durable).is_empty() || self.max_deliveries > 0 && !self.counts.is_empty()
    }

    /// Who owns a cursor, and in which generation.
    pub fn owner(&self) -> (ConsumerId, Generation) {
        (self.owner, self.generation)
    }

    /// How the group follows the log.
    pub fn subscription(&self) -> Subscription {
        self.subscription
    }
}

fn each(positions: &Positions) -> impl Iterator<Item = Position> + '_ {
    positions.runs().flat_map(|(start, end)| start.0..end.0).map(Position)
}

fn runs(positions: &Positions) -> impl Iterator<Item = Entry> + '_ {
    positions.runs().map(|(start, end)| Entry::Settled(start, end))
}
