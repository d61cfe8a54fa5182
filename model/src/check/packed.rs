//! A moment of the protocol as a row of bits: what a search keeps of it.

use std::array::from_fn;
use std::hash::{Hash, Hasher};
use std::ops::{BitAnd, BitOr, BitXor};

use stateright::Model;

use super::graph::{Exploration, Packing, Walk};
use super::packed_observed::ObservedLayout;
use super::protocol::{Moment, Protocol};
use crate::bits::{Bits, Put, Sieve, Take, Used};
use crate::semantics::{Bounded, Monitor, Observed};
use crate::spec::bounds::{LOG_MAX, MESSAGES_MAX};
use crate::spec::{self, Spec, State};
use crate::vocab::Step;

/// A state of the protocol, with what each of `N` monitors has observed on the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Watched<const N: usize> {
    /// What producer, wires, broker and consumer know.
    pub state: State,
    /// What happened so far, as the properties of each monitor see it.
    pub observed: [Observed<Bounded<MESSAGES_MAX>>; N],
}

impl<const N: usize> Default for Watched<N> {
    fn default() -> Self {
        Watched { state: State::default(), observed: [Observed::default(); N] }
    }
}

impl From<Watched<1>> for Moment {
    #[inline(always)]
    fn from(Watched { state, observed: [observed] }: Watched<1>) -> Self {
        Moment { state, observed }
    }
}

impl From<Moment> for Watched<1> {
    #[inline(always)]
    fn from(Moment { state, observed }: Moment) -> Self {
        Watched { state, observed: [observed] }
    }
}

/// The words of an image of a state with what so many monitors have observed.
pub(super) const fn image(monitors: usize) -> usize {
    spec::WORDS + monitors * ObservedLayout::WORDS
}

/// Packs what `N` monitors watch in so many words. `IMAGE` is [`image`] of `N`.
pub(super) struct Rows<const WORDS: usize, const N: usize, const IMAGE: usize> {
    fields: Fields<N>,
    sieve: Sieve<IMAGE>,
}

/// A packed moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<const WORDS: usize>([u64; WORDS]);

impl<const WORDS: usize> Row<WORDS> {
    /// No bit.
    pub(super) const NONE: Self = Row([0; WORDS]);
}

impl<const WORDS: usize> BitAnd for Row<WORDS> {
    type Output = Self;

    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Row(from_fn(|word| self.0[word] & other.0[word]))
    }
}

impl<const WORDS: usize> BitOr for Row<WORDS> {
    type Output = Self;

    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Row(from_fn(|word| self.0[word] | other.0[word]))
    }
}

impl<const WORDS: usize> BitXor for Row<WORDS> {
    type Output = Self;

    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        Row(from_fn(|word| self.0[word] ^ other.0[word]))
    }
}

impl<const WORDS: usize> PartialEq for Row<WORDS> {
    /// Without a jump: rows that are compared are mostly equal.
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).fold(0, |unlike, (one, other)| unlike | one ^ other) == 0
    }
}

impl<const WORDS: usize> Eq for Row<WORDS> {}

impl<const WORDS: usize> Hash for Row<WORDS> {
    #[inline(always)]
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.iter().for_each(|&word| hasher.write_u64(word));
    }
}

impl<const WORDS: usize, const N: usize, const IMAGE: usize, S> Packing<S> for Rows<WORDS, N, IMAGE>
where
    S: Into<Watched<N>> + From<Watched<N>>,
{
    type Packed = Row<WORDS>;

    #[inline]
    fn pack(&self, state: S) -> Row<WORDS> {
        let mut words = [Put::default(); IMAGE];
        self.fields.code(&mut state.into(), &mut words);
        let (image, fits) = Put::finish(words);
        let row = self.sieve.narrow(&image).filter(|_| fits);
        Row(row.expect("every value fits into the bits that its settings are said to use"))
    }

    #[inline]
    fn unpack(&self, row: &Row<WORDS>) -> S {
        let mut watched = Watched::default();
        self.fields.code(&mut watched, &mut self.sieve.widen(&row.0).map(|rest| Take { rest }));
        watched.into()
    }
}

impl<const WORDS: usize, const IMAGE: usize> Rows<WORDS, 1, IMAGE> {
    /// The rows of this protocol's moments, which must not take more words.
    pub(super) fn of(protocol: &Protocol) -> Self {
        let (fields, sieve) = packing::<1, IMAGE>(&protocol.spec, [&protocol.monitor]);
        debug_assert!(sieve.words() <= WORDS, "{} words are needed", sieve.words());
        Rows { fields, sieve }
    }

    /// How many words a row needs.
    pub(super) fn words(&self) -> usize {
        self.sieve.words()
    }

    /// The bits that come from these bits of the state's image, and from these of what was observed.
    pub(super) fn select(&self, state: [u64; spec::WORDS], observed: [u64; ObservedLayout::WORDS]) -> Row<WORDS> {
        let words = state.iter().chain(&observed);
        let mut image = [0; IMAGE];
        image.iter_mut().zip(words).for_each(|(word, bits)| *word = *bits);
        Row(self.sieve.select(image))
    }

    /// Packs a state of which nothing was observed; none if a value needs more bits than the settings are said to use.
    pub(super) fn of_state(&self, state: State) -> Option<Row<WORDS>> {
        let mut words = [Put::default(); IMAGE];
        self.fields.code(&mut Watched { state, ..Watched::default() }, &mut words);
        let (image, fits) = Put::finish(words);
        self.sieve.narrow(&image).filter(|_| fits).map(Row)
    }

    /// How what was observed is laid out.
    pub(super) fn observed(&self) -> &ObservedLayout {
        let [layout] = &self.fields.layouts;
        layout
    }
}

/// Every field of what `N` monitors watch, one by one.
struct Fields<const N: usize> {
    spec: Spec,
    layouts: [ObservedLayout; N],
}

impl<const N: usize> Fields<N> {
    #[inline(always)]
    fn code<B: Bits, const IMAGE: usize>(&self, watched: &mut Watched<N>, words: &mut [B; IMAGE]) {
        const { assert!(IMAGE == image(N), "an image has the state, and what each monitor observed") };
        let (state, observed) = words.split_first_chunk_mut::<{ spec::WORDS }>().expect("an image has both");
        self.spec.code(&mut watched.state, state.each_mut());
        let (observed, _) = observed.as_chunks_mut::<{ ObservedLayout::WORDS }>();
        for ((layout, seen), words) in self.layouts.iter().zip(&mut watched.observed).zip(observed) {
            layout.code(seen, words.each_mut());
        }
    }
}

/// Walks over a model whose states are those of this protocol, each with what these two monitors have observed. Keeps
/// them in as few words as they take.
pub fn run_with_two_monitors<M>(spec: &Spec, monitors: [&Monitor; 2], walk: Walk<'_, M>) -> Exploration<M::State>
where
    M: Model<Action = Step> + Sync,
    M::State: Into<Watched<2>> + From<Watched<2>> + 'static,
{
    const IMAGE: usize = image(2);
    let (fields, sieve) = packing::<2, IMAGE>(spec, monitors);
    match sieve.words() {
        0..=4 => walk.run_packed(Rows::<4, 2, IMAGE> { fields, sieve }),
        5 => walk.run_packed(Rows::<5, 2, IMAGE> { fields, sieve }),
        6..=7 => walk.run_packed(Rows::<7, 2, IMAGE> { fields, sieve }),
        _ => walk.run_packed(Rows::<IMAGE, 2, IMAGE> { fields, sieve }),
    }
}

fn packing<const N: usize, const IMAGE: usize>(spec: &Spec, monitors: [&Monitor; N]) -> (Fields<N>, Sieve<IMAGE>) {
    let messages = spec.settings().messages();
    let layouts = monitors.map(|monitor| ObservedLayout::new(monitor, messages, LOG_MAX as u32));
    let fields = Fields { spec: spec.clone(), layouts };
    let mut used = [Used::default(); IMAGE];
    fields.code(&mut Watched::default(), &mut used);
    (fields, Sieve::new(used.map(|word| word.mask)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{FaultBudget, Level, Obligation, Pipeline};
    use crate::presets;
    use crate::vocab::Fault;

    /// As many states as without packing: none was taken for another, and none is two.
    fn same_graph(pipeline: &Pipeline, messages: u32) {
        let protocol = Protocol::new(pipeline, messages).expect("so many messages fit");
        let walk = || Walk::new(&protocol).edges(|step| u8::from(step.fault().is_some())).states_max(20_000);
        let (packed, plain) = (protocol.run(walk()).graph, walk().run().graph);
        assert_eq!((packed.len(), packed.transitions()), (plain.len(), plain.transitions()), "{}", pipeline.name);
        for id in plain.ids() {
            assert_eq!(packed.state(id), plain.state(id), "{}", pipeline.name);
        }
    }

    #[test]
    fn packing_changes_no_graph() {
        for (name, _) in presets::ALL {
            let preset = presets::named(name).expect("a preset");
            same_graph(&preset, 1);
            let all = FaultBudget::once_each(Fault::ALL);
            let mut pipeline = Pipeline { faults: all.capped(2), ..preset };
            same_graph(&pipeline, 2);
            (pipeline.broker.max_deliveries, pipeline.ordered) = (1, true);
            pipeline.level = if pipeline.level == Level::Effect { Level::Delivery } else { Level::Effect };
            if pipeline.obligation == Obligation::Acked {
                pipeline.obligation = Obligation::Submitted;
            }
            same_graph(&pipeline, 2);
        }
    }

    #[test]
    fn the_largest_protocol_fits() {
        for (name, _) in presets::ALL {
            let mut pipeline = presets::named(name).expect("a preset");
            pipeline.faults = Fault::ALL.into_iter().fold(FaultBudget::NONE, |budget, fault| budget.with(fault, 15));
            (pipeline.broker.max_deliveries, pipeline.ordered) = (15, true);
            let protocol = Protocol::new(&pipeline, 4).expect("four messages fit");
            let (_, sieve) = packing::<1, { image(1) }>(&protocol.spec, [&protocol.monitor]);
            assert!(sieve.words() <= image(1), "{name}");
        }
    }
}
