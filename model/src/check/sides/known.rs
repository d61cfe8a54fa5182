//! The steps of one side, by what they read.

use std::ops::ControlFlow;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::observing::Observing;
use super::{Sides, StepClass};
use crate::check::packed::{Row, Watched};
use crate::check::reduced::IN_A_ROW_MAX;
use crate::semantics::PropertySet;
use crate::spec::{Side, State, run_of};
use crate::vocab::{Fault, Step};

/// About so many steps of a side are remembered. Then all are forgotten: what comes next needs few of them.
const STEPS_MAX: usize = 1 << 19;
/// The same of chains.
const CHAINS_MAX: usize = 1 << 17;

/// A step as what it does to a row.
pub(super) struct Local<const WORDS: usize> {
    pub(super) leads: Leads<WORDS>,
    /// What the monitors are told, as a number of [`Observing`]; 0: nothing.
    pub(super) told: u32,
    /// Its place in the order of steps: see [`run_of`].
    pub(super) run: u8,
    /// The class of its edge; 0 where edges are not kept.
    pub(super) class: u8,
    /// What it breaks of the inside.
    pub(super) breaks: PropertySet,
}

/// Where a step leads.
#[derive(Clone, Copy)]
pub(super) enum Leads<const WORDS: usize> {
    /// To where these bits of the state are others, and the count of its fault.
    To(Row<WORDS>),
    /// Beyond the bounds.
    Beyond,
    /// To what has no room in a row: a fault that has struck as often as it may, and that seems to be left where the
    /// counts of faults are not read. It is not taken.
    Nowhere,
}

/// The steps of one side, in order.
#[derive(Clone, Copy)]
pub(super) struct OfSide<'a, const WORDS: usize> {
    pub(super) steps: &'a [Local<WORDS>],
    commuting: u32,
}

impl<'a, const WORDS: usize> OfSide<'a, WORDS> {
    /// The first one that commutes with all others, under the outlook that was asked for.
    pub(super) fn commuting(self) -> Option<&'a Local<WORDS>> {
        self.steps.get(self.commuting as usize)
    }
}

/// Where the steps of a side stand.
#[derive(Clone, Copy)]
struct Place {
    first: u32,
    end: u32,
    /// Counted from the first; [`u32::MAX`] for none.
    commuting: u32,
}

/// The commuting steps of one side that follow each other, as one.
#[derive(Clone, Copy)]
pub(super) struct Chain<const WORDS: usize> {
    /// The bits of the state that they change.
    pub(super) changes: Row<WORDS>,
    /// What the monitors are told, as a number of [`Observing`]; 0: nothing.
    pub(super) told: u32,
    pub(super) ends: ChainEnds,
}

/// Why a chain has no more steps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ChainEnds {
    /// No step of this side commutes with all others.
    NothingCommutes,
    /// The next one breaks something.
    Breaks,
    /// The last one leads beyond the bounds.
    Beyond,
}

/// What is known of one side.
pub(super) struct Known<const WORDS: usize> {
    /// By what the steps read, and which faults may strike, where that matters.
    places: HashMap<(Row<WORDS>, u32), Place, FixedState>,
    steps: Vec<Local<WORDS>>,
    /// By the same.
    chains: HashMap<(Row<WORDS>, u32), Chain<WORDS>, FixedState>,
}

impl<const WORDS: usize> Known<WORDS> {
    pub(super) fn new() -> Self {
        Known { places: HashMap::default(), steps: Vec::new(), chains: HashMap::default() }
    }

    pub(super) fn bytes(&self) -> usize {
        let places = self.places.capacity() * size_of::<((Row<WORDS>, u32), Place)>();
        let chains = self.chains.capacity() * size_of::<((Row<WORDS>, u32), Chain<WORDS>)>();
        places + self.steps.capacity() * size_of::<Local<WORDS>>() + chains
    }

    pub(super) fn forget_if_full(&mut self) {
        if self.steps.len() >= STEPS_MAX {
            self.places.clear();
            self.steps.clear();
        }
        if self.chains.len() >= CHAINS_MAX {
            self.chains.clear();
        }
    }

    /// The commuting steps of this side that follow at a moment; `outlook` as in [`Known::of`].
    #[inline(always)]
    pub(super) fn chain<const IMAGE: usize>(
        &mut self,
        sides: &Sides<WORDS, IMAGE>,
        side: Side,
        row: &Row<WORDS>,
        outlook: u32,
        observing: &mut Observing<WORDS>,
    ) -> Chain<WORDS> {
        let key = (*row & sides.reads[side as usize], outlook);
        match self.chains.get(&key) {
            Some(chain) => *chain,
            None => self.learn_chain(sides, side, key, observing),
        }
    }

    #[inline(never)]
    fn learn_chain<const IMAGE: usize>(
        &mut self,
        sides: &Sides<WORDS, IMAGE>,
        side: Side,
        key: (Row<WORDS>, u32),
        observing: &mut Observing<WORDS>,
    ) -> Chain<WORDS> {
        let (mut changes, mut events, mut taken) = (Row::NONE, Vec::new(), 0);
        let ends = loop {
            let Watched { state, .. } = sides.unpack(&(key.0 ^ changes));
            let Some(step) = commuting(sides, side, &state, key.1) else { break ChainEnds::NothingCommutes };
            let mut breaks = false;
            sides.protocol.breaks(&state, step, |_, _| breaks = true);
            if breaks {
                break ChainEnds::Breaks;
            }
            let mut next = state;
            sides.protocol.spec.take_telling(&mut next, step, |event| events.push(*event));
            if next.is_cut() {
                break ChainEnds::Beyond;
            }
            changes = changes ^ sides.changes(state, next).expect("moves need no more bits than there are");
            taken += 1;
            assert!(taken < IN_A_ROW_MAX, "{step:?} is one of a circle of commuting steps:\n{state}");
        };
        let chain = Chain { changes, told: observing.number(sides, events), ends };
        self.chains.insert(key, chain);
        chain
    }

    /// The steps of this side at a moment. `outlook`: the faults that may still strike, as bits, where commuting steps are
    /// asked for; else 0.
    #[inline(always)]
    pub(super) fn of<const IMAGE: usize>(
        &mut self,
        sides: &Sides<WORDS, IMAGE>,
        side: Side,
        row: &Row<WORDS>,
        outlook: u32,
        class: Option<&StepClass<'_>>,
        observing: &mut Observing<WORDS>,
    ) -> OfSide<'_, WORDS> {
        let key = (*row & sides.reads[side as usize], outlook);
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => self.learn(sides, side, key, class, observing),
        };
        OfSide { steps: &self.steps[place.first as usize..place.end as usize], commuting: place.commuting }
    }

    #[inline(never)]
    fn learn<const IMAGE: usize>(
        &mut self,
        sides: &Sides<WORDS, IMAGE>,
        side: Side,
        key: (Row<WORDS>, u32),
        class: Option<&StepClass<'_>>,
        observing: &mut Observing<WORDS>,
    ) -> Place {
        let (row, outlook) = key;
        let spec = &sides.protocol.spec;
        let Watched { state, .. } = sides.unpack(&row);
        let mut steps: Vec<Step> = Vec::new();
        spec.steps(&state, &mut |step| steps.extend((Side::of(step) == Some(side)).then_some(step)));
        let commuting = if sides.is_reduced { commuting(sides, side, &state, outlook) } else { None };
        let commuting = commuting.and_then(|first| steps.iter().position(|&step| step == first));
        let first = self.steps.len() as u32;
        for step in steps {
            self.steps.push(local(sides, state, step, class, observing));
        }
        let commuting = commuting.map_or(u32::MAX, |place| place as u32);
        let place = Place { first, end: self.steps.len() as u32, commuting };
        self.places.insert(key, place);
        place
    }
}

/// The first step of a side that commutes with all others, given the faults that may still strike.
fn commuting<const WORDS: usize, const IMAGE: usize>(
    sides: &Sides<WORDS, IMAGE>,
    side: Side,
    state: &State,
    outlook: u32,
) -> Option<Step> {
    let may_strike = |fault: Fault| outlook >> fault as u32 & 1 != 0;
    let mut first = None;
    let _ = sides.protocol.spec.commuting(state, may_strike, &mut |it| {
        if Side::of(it.into()) != Some(side) {
            return ControlFlow::Continue(());
        }
        first = Some(Step::Move(it));
        ControlFlow::Break(())
    });
    first
}

/// What a step does, in a state of which only one side is known.
fn local<const WORDS: usize, const IMAGE: usize>(
    sides: &Sides<WORDS, IMAGE>,
    state: State,
    step: Step,
    class: Option<&StepClass<'_>>,
    observing: &mut Observing<WORDS>,
) -> Local<WORDS> {
    let protocol = &sides.protocol;
    let mut breaks = PropertySet::EMPTY;
    protocol.breaks(&state, step, |property, _| breaks.insert(property));
    let (mut next, mut told) = (state, Vec::new());
    protocol.spec.take_telling(&mut next, step, |event| told.push(*event));
    let leads = match next.is_cut() {
        true => Leads::Beyond,
        false => sides.changes(state, next).map_or(Leads::Nowhere, Leads::To),
    };
    Local {
        leads,
        told: observing.number(sides, told),
        run: run_of(step),
        class: class.map_or(0, |class| class(&step)),
        breaks,
    }
}
