//! A moment of the protocol as a row of bits: what a search keeps of it.

use std::hash::{Hash, Hasher};

use stateright::Model;

use super::graph::{Exploration, Packing, Walk};
use super::packed_observed::ObservedLayout;
use super::protocol::{Moment, Protocol};
use crate::bits::{Bits, Put, Sieve, Take, Used};
use crate::spec::bounds::LOG_MAX;
use crate::spec::{self, Spec};
use crate::vocab::Step;

/// The words of a moment's image.
const IMAGE: usize = spec::WORDS + ObservedLayout::WORDS;

/// Packs the moments of one protocol in so many words.
struct Rows<const WORDS: usize> {
    fields: Fields,
    sieve: Sieve<IMAGE>,
}

/// A packed moment.
#[derive(Clone, Copy)]
struct Row<const WORDS: usize>([u64; WORDS]);

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

impl<const WORDS: usize, S: Into<Moment> + From<Moment>> Packing<S> for Rows<WORDS> {
    type Packed = Row<WORDS>;

    #[inline]
    fn pack(&self, state: S) -> Row<WORDS> {
        let mut moment = state.into();
        let mut words = [Put::default(); IMAGE];
        self.fields.code(&mut moment, &mut words);
        let (image, fits) = Put::finish(words);
        let row = self.sieve.narrow(&image).filter(|_| fits);
        Row(row.expect("every value fits into the bits that its settings are said to use"))
    }

    #[inline]
    fn unpack(&self, row: &Row<WORDS>) -> S {
        let mut moment = Moment::default();
        self.fields.code(&mut moment, &mut self.sieve.widen(&row.0).map(|rest| Take { rest }));
        moment.into()
    }
}

/// Every field of a moment, one by one.
struct Fields {
    spec: Spec,
    layout: ObservedLayout,
}

impl Fields {
    #[inline(always)]
    fn code<B: Bits>(&self, moment: &mut Moment, words: &mut [B; IMAGE]) {
        let (state, observed) = words.split_first_chunk_mut::<{ spec::WORDS }>().expect("an image has both");
        let (observed, _) = observed.split_first_chunk_mut::<{ ObservedLayout::WORDS }>().expect("an image has both");
        self.spec.code(&mut moment.state, state.each_mut());
        self.layout.code(&mut moment.observed, observed.each_mut());
    }
}

impl Protocol {
    /// Walks, over the protocol or a model made of it, and keeps moments in as few words as this protocol's take.
    pub fn run<M>(&self, walk: Walk<'_, M>) -> Exploration<M::State>
    where
        M: Model<Action = Step> + Sync,
        M::State: Into<Moment> + From<Moment> + 'static,
    {
        let (fields, sieve) = self.packing();
        match sieve.words() {
            0..=3 => walk.run_packed(Rows::<3> { fields, sieve }),
            4 => walk.run_packed(Rows::<4> { fields, sieve }),
            5 => walk.run_packed(Rows::<5> { fields, sieve }),
            6..=7 => walk.run_packed(Rows::<7> { fields, sieve }),
            _ => walk.run_packed(Rows::<IMAGE> { fields, sieve }),
        }
    }

    fn packing(&self) -> (Fields, Sieve<IMAGE>) {
        let messages = self.spec.settings().messages();
        let layout = ObservedLayout::new(&self.monitor, messages, LOG_MAX as u32);
        let fields = Fields { spec: self.spec.clone(), layout };
        let mut used = [Used::default(); IMAGE];
        fields.code(&mut Moment::default(), &mut used);
        (fields, Sieve::new(used.map(|word| word.mask)))
    }
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
            assert!(protocol.packing().1.words() <= IMAGE, "{name}");
        }
    }
}
