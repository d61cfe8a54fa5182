//! The steps of one side, by what they read.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::observing::Observing;
use super::{Sides, StepClass};
use crate::check::packed::{Row, Watched};
use crate::check::reduced::IN_A_ROW_MAX;
use crate::semantics::PropertySet;
use crate::spec::{FAULT_RUNS, Side, State, run_of};
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
    /// It commutes with all others unless one of these faults may still strike, as bits; [`NEVER`]: it does not.
    unless: u32,
}

/// No fault's bit: it is set in every outlook.
const NEVER: u32 = 1 << 31;

const _: () = assert!(Fault::ALL.len() < u32::BITS as usize);

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
}

impl<'a, const WORDS: usize> OfSide<'a, WORDS> {
    /// The first one that commutes with all others. `outlook`: the faults that may still strike, as bits.
    pub(super) fn commuting(self, outlook: u32) -> Option<&'a Local<WORDS>> {
        let mut moves = self.steps.iter().take_while(|local| local.run < FAULT_RUNS);
        moves.find(|local| local.unless & (outlook | NEVER) == 0)
    }
}

/// Where the steps of a side stand.
#[derive(Clone, Copy)]
struct Place {
    first: u32,
    end: u32,
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
    /// By what the steps read.
    places: HashMap<Row<WORDS>, Place, FixedState>,
    steps: Vec<Local<WORDS>>,
    /// By the same, and by which faults may still strike.
    chains: HashMap<(Row<WORDS>, u32), Chain<WORDS>, FixedState>,
}

impl<const WORDS: usize> Known<WORDS> {
    pub(super) fn new() -> Self {
        Known { places: HashMap::default(), steps: Vec::new(), chains: HashMap::default() }
    }

    pub(super) fn bytes(&self) -> usize {
        let places = self.places.capacity() * size_of::<(Row<WORDS>, Place)>();
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

    /// The commuting steps of this side that follow at a moment; `outlook` as in [`OfSide::commuting`].
    #[inline(always)]
    pub(super) fn chain<const IMAGE: usize>(
        &mut self,
        sides: &Sides<WORDS, IMAGE>,
        side: Side,
        row: &Row<WORDS>,
        outlook: u32,
        class: Option<&StepClass<'_>>,
        observing: &mut Observing<WORDS>,
    ) -> Chain<WORDS> {
        let key = (*row & sides.reads[side as usize], outlook);
        match self.chains.get(&key) {
            Some(chain) => *chain,
            None => self.learn_chain(sides, side, key, class, observing),
        }
    }

    #[inline(never)]
    fn learn_chain<const IMAGE: usize>(
        &mut self,
        sides: &Sides<WORDS, IMAGE>,
        side: Side,
        key: (Row<WORDS>, u32),
        class: Option<&StepClass<'_>>,
        observing: &mut Observing<WORDS>,
    ) -> Chain<WORDS> {
        let (mut changes, mut told) = (Row::NONE, 0);
        for _ in 0..IN_A_ROW_MAX {
            let row = key.0 ^ changes;
            let ends = match self.of(sides, side, &row, class, observing).commuting(key.1) {
                None => ChainEnds::NothingCommutes,
                Some(local) if !local.breaks.is_empty() => ChainEnds::Breaks,
                Some(Local { leads: Leads::To(step), told: more, .. }) => {
                    changes = changes ^ *step;
                    told = observing.joined(sides, told, *more);
                    continue;
                }
                Some(Local { leads: Leads::Beyond, .. }) => ChainEnds::Beyond,
                Some(Local { leads: Leads::Nowhere, .. }) => panic!("moves need no more bits than there are"),
            };
            let chain = Chain { changes, told, ends };
            self.chains.insert(key, chain);
            return chain;
        }
        panic!("commuting steps make a circle:\n{:?}", sides.unpack(&key.0));
    }

    /// The steps of this side at a moment.
    #[inline(always)]
    pub(super) fn of<const IMAGE: usize>(
        &mut self,
        sides: &Sides<WORDS, IMAGE>,
        side: Side,
        row: &Row<WORDS>,
        class: Option<&StepClass<'_>>,
        observing: &mut Observing<WORDS>,
    ) -> OfSide<'_, WORDS> {
        let key = *row & sides.reads[side as usize];
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None => self.learn(sides, side, key, class, observing),
        };
        OfSide { steps: &self.steps[place.first as usize..place.end as usize] }
    }

    #[inline(never)]
    fn learn<const IMAGE: usize>(
        &mut self,
        sides: &Sides<WORDS, IMAGE>,
        side: Side,
        row: Row<WORDS>,
        class: Option<&StepClass<'_>>,
        observing: &mut Observing<WORDS>,
    ) -> Place {
        let spec = &sides.protocol.spec;
        let Watched { state, .. } = sides.unpack(&row);
        let is_own = |step: Step| Side::of(step) == Some(side);
        let mut commuting: Vec<(Step, u32)> = Vec::new();
        if sides.is_reduced {
            spec.commuting_unless(&state, &mut |it, unless| {
                commuting.extend(is_own(it.into()).then_some((it.into(), unless)));
            });
        }
        // They are some of the steps, in their order.
        let mut commuting = commuting.into_iter().peekable();
        let first = self.steps.len();
        spec.steps(&state, &mut |step| {
            if is_own(step) {
                let unless = commuting.next_if(|(it, _)| *it == step).map_or(NEVER, |(_, unless)| unless);
                self.steps.push(local(sides, state, step, unless, class, observing));
            }
        });
        let place = Place { first: first as u32, end: self.steps.len() as u32 };
        self.places.insert(row, place);
        place
    }
}

/// What a step does, in a state of which only one side is known.
fn local<const WORDS: usize, const IMAGE: usize>(
    sides: &Sides<WORDS, IMAGE>,
    state: State,
    step: Step,
    unless: u32,
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
        unless,
    }
}
