//! Which faults may still strike, by how often each has struck.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::Sides;
use crate::check::packed::{Row, Watched};
use crate::check::signs;
use crate::spec::Side;
use crate::vocab::Fault;

/// What the counts of faults in a row say.
pub(super) struct Struck<const WORDS: usize> {
    /// The faults that a budget has left, as bits.
    pub(super) may_strike: u32,
    /// Those of them whose strikes read both sides.
    pub(super) anywhere: u32,
    /// The signs of those that have struck.
    pub(super) signs: u64,
    /// The bits that count one more, by fault.
    pub(super) marks: [Row<WORDS>; Fault::ALL.len()],
}

/// A place among what is known, and what is needed most of it.
#[derive(Clone, Copy)]
pub(super) struct At {
    place: u32,
    pub(super) may_strike: u32,
}

/// What is known of counts of faults. There are few: budgets are small.
pub(super) struct Strikes<const WORDS: usize> {
    places: HashMap<Row<WORDS>, At, FixedState>,
    struck: Vec<Struck<WORDS>>,
    /// The last one asked for.
    last: Option<(Row<WORDS>, At)>,
}

const _: () = assert!(Fault::ALL.len() <= u32::BITS as usize);

impl<const WORDS: usize> Strikes<WORDS> {
    pub(super) fn new() -> Self {
        Strikes { places: HashMap::default(), struck: Vec::new(), last: None }
    }

    pub(super) fn bytes(&self) -> usize {
        self.struck.capacity() * size_of::<Struck<WORDS>>()
    }

    pub(super) fn at(&self, at: At) -> &Struck<WORDS> {
        &self.struck[at.place as usize]
    }

    /// What the counts of this row say.
    #[inline(always)]
    pub(super) fn of<const IMAGE: usize>(&mut self, sides: &Sides<WORDS, IMAGE>, row: &Row<WORDS>) -> At {
        let counts = *row & sides.faults;
        if let Some((last, at)) = self.last
            && last == counts
        {
            return at;
        }
        let at = match self.places.get(&counts) {
            Some(at) => *at,
            None => self.learn(sides, counts),
        };
        self.last = Some((counts, at));
        at
    }

    #[inline(never)]
    fn learn<const IMAGE: usize>(&mut self, sides: &Sides<WORDS, IMAGE>, counts: Row<WORDS>) -> At {
        let spec = &sides.protocol.spec;
        let Watched { state, .. } = sides.unpack(&counts);
        let (mut may_strike, mut anywhere, mut signs) = (0, 0, 0);
        let mut marks = [Row::NONE; Fault::ALL.len()];
        for fault in spec.settings().faults() {
            signs |= if state.fired(fault) > 0 { signs::of_fault(fault) } else { 0 };
            if !spec.is_in_budget(&state, fault) {
                continue;
            }
            may_strike |= 1 << fault as u32;
            anywhere |= if Side::of_fault(fault).is_none() { 1 << fault as u32 } else { 0 };
            let mut next = state;
            spec.mark(&mut next, fault);
            let pack = |state| sides.pack(Watched { state, ..Watched::default() });
            marks[fault as usize] = pack(state) ^ pack(next);
        }
        let at = At { place: self.struck.len() as u32, may_strike };
        self.struck.push(Struck { may_strike, anywhere, signs, marks });
        self.places.insert(counts, at);
        at
    }
}
