//! The monitors' updates by events, remembered by the part of the monitors' state that the events touch.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::Sides;
use crate::check::packed::{Row, Watched};
use crate::vocab::{Event, EventKind};

/// Events that come together, and the bits of a row that they read as long as they break nothing.
struct Told<const WORDS: usize> {
    events: Vec<Event>,
    reads: Row<WORDS>,
}

/// About so many changes are remembered; then all are forgotten.
const CHANGES_MAX: usize = 1 << 16;

/// The lists of events that steps tell, and what became of them.
pub(super) struct Observing<const WORDS: usize> {
    /// Numbered from 1.
    lists: Vec<Told<WORDS>>,
    numbers: HashMap<Vec<Event>, u32, FixedState>,
    /// The bits that such a list changes, by what it reads; none if it breaks something there, and so reads all.
    known: HashMap<(Row<WORDS>, u32), Option<Row<WORDS>>, FixedState>,
    /// The bits that it changes, by all that was observed.
    breaking: HashMap<(Row<WORDS>, u32), Row<WORDS>, FixedState>,
}

impl<const WORDS: usize> Observing<WORDS> {
    pub(super) fn new() -> Self {
        Observing {
            lists: Vec::new(),
            numbers: HashMap::default(),
            known: HashMap::default(),
            breaking: HashMap::default(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.known.capacity() * size_of::<((Row<WORDS>, u32), Option<Row<WORDS>>)>()
            + self.breaking.capacity() * size_of::<((Row<WORDS>, u32), Row<WORDS>)>()
    }

    /// The number of these events, as far as they are about messages or the group; 0 if none is.
    pub(super) fn number<const IMAGE: usize>(&mut self, sides: &Sides<WORDS, IMAGE>, mut events: Vec<Event>) -> u32 {
        let is_rewind = |event: &Event| matches!(event.kind, EventKind::Rewind { .. });
        events.retain(|event| event.kind.message().is_some() || is_rewind(event));
        if events.is_empty() || sides.observed.all == Row::NONE {
            return 0;
        }
        if let Some(number) = self.numbers.get(&events) {
            return *number;
        }
        let of_event = |event: &Event| {
            let message = event.kind.message().filter(|_| !is_rewind(event))?;
            sides.observed.of_message.get((message.0 as usize).wrapping_sub(1)).copied()
        };
        let reads = events.iter().map(|event| of_event(event).unwrap_or(sides.observed.all));
        let reads = reads.fold(Row::NONE, |all, bits| all | bits);
        self.lists.push(Told { events: events.clone(), reads });
        let number = self.lists.len() as u32;
        self.numbers.insert(events, number);
        number
    }

    /// The number of the events of one number, and then those of another.
    pub(super) fn joined<const IMAGE: usize>(&mut self, sides: &Sides<WORDS, IMAGE>, first: u32, then: u32) -> u32 {
        if first == 0 || then == 0 {
            return first | then;
        }
        let events = |number: u32| self.lists[number as usize - 1].events.iter().copied();
        self.number(sides, events(first).chain(events(then)).collect())
    }

    /// The bits of this row that the events of this number change.
    #[inline(always)]
    pub(super) fn changes<const IMAGE: usize>(
        &mut self,
        sides: &Sides<WORDS, IMAGE>,
        row: &Row<WORDS>,
        number: u32,
    ) -> Row<WORDS> {
        let told = &self.lists[number as usize - 1];
        match self.known.get(&(*row & told.reads, number)) {
            Some(Some(changes)) => *changes,
            Some(None) => match self.breaking.get(&(*row & sides.observed.all, number)) {
                Some(changes) => *changes,
                None => self.learn(sides, row, number),
            },
            None => self.learn(sides, row, number),
        }
    }

    #[inline(never)]
    fn learn<const IMAGE: usize>(&mut self, sides: &Sides<WORDS, IMAGE>, row: &Row<WORDS>, number: u32) -> Row<WORDS> {
        if self.known.len() + self.breaking.len() >= CHANGES_MAX {
            self.known.clear();
            self.breaking.clear();
        }
        let told = &self.lists[number as usize - 1];
        let observe = |row: Row<WORDS>| {
            let before = Watched { observed: sides.unpack(&row).observed, ..Watched::default() };
            let mut after = before;
            let [observed] = &mut after.observed;
            told.events.iter().for_each(|event| sides.protocol.monitor.observe(observed, event));
            let breaks = before.observed[0].violated() != after.observed[0].violated();
            (breaks, sides.pack(before) ^ sides.pack(after))
        };
        let own = *row & told.reads;
        if let (false, changes) = observe(own) {
            self.known.insert((own, number), Some(changes));
            return changes;
        }
        // What is broken is forgotten of every message.
        self.known.insert((own, number), None);
        let all = *row & sides.observed.all;
        let (_, changes) = observe(all);
        self.breaking.insert((all, number), changes);
        changes
    }
}
