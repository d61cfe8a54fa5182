//! A moment of the protocol as a row of bits: what a search keeps of it.

use std::borrow::Borrow;

use stateright::Model;

use super::graph::{Exploration, Packing, Walk};
use super::protocol::{Moment, Protocol};
use crate::bits::{Bits, Measure, Read, Write};
use crate::vocab::Step;

/// Packs the moments of one protocol in so many words.
struct Row<const WORDS: usize>(Protocol);

impl<const WORDS: usize, S: Borrow<Moment> + From<Moment>> Packing<S> for Row<WORDS> {
    type Packed = [u64; WORDS];

    fn pack(&self, moment: &S) -> [u64; WORDS] {
        let mut bits = Write::new();
        self.0.code(&mut { *moment.borrow() }, &mut bits);
        bits.finish()
    }

    fn unpack(&self, words: &[u64; WORDS]) -> S {
        let mut moment = Moment::default();
        self.0.code(&mut moment, &mut Read::new(words));
        moment.into()
    }
}

impl Protocol {
    /// Walks, over the protocol or a model made of it, and keeps moments in as few words as this protocol's take.
    pub fn run<M>(&self, walk: Walk<'_, M>) -> Exploration<M::State>
    where
        M: Model<Action = Step> + Sync,
        M::State: Borrow<Moment> + From<Moment> + 'static,
    {
        match self.words_max() {
            0..=3 => walk.run_packed(Row::<3>(self.clone())),
            4 => walk.run_packed(Row::<4>(self.clone())),
            5 => walk.run_packed(Row::<5>(self.clone())),
            6..=7 => walk.run_packed(Row::<7>(self.clone())),
            _ => walk.run_packed(Row::<10>(self.clone())),
        }
    }

    fn words_max(&self) -> u32 {
        let mut observed = Measure::default();
        self.monitor.code(&mut Moment::default().observed, self.messages(), &mut observed);
        (self.spec.bits_max() + observed.bits).div_ceil(u64::BITS)
    }

    fn code(&self, moment: &mut Moment, bits: &mut impl Bits) {
        self.spec.code(&mut moment.state, bits);
        self.monitor.code(&mut moment.observed, self.messages(), bits);
    }

    fn messages(&self) -> usize {
        self.spec.settings().messages() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{FaultBudget, Pipeline};
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
            let all = Fault::ALL.into_iter().fold(FaultBudget::NONE, |budget, fault| budget.with(fault, 1));
            same_graph(&Pipeline { faults: all.capped(2), ..preset }, 2);
        }
    }

    #[test]
    fn the_largest_protocol_fits() {
        for (name, _) in presets::ALL {
            let mut pipeline = presets::named(name).expect("a preset");
            pipeline.faults = Fault::ALL.into_iter().fold(FaultBudget::NONE, |budget, fault| budget.with(fault, 15));
            (pipeline.broker.max_deliveries, pipeline.ordered) = (15, true);
            let protocol = Protocol::new(&pipeline, 4).expect("four messages fit");
            assert!(protocol.words_max() <= 10, "{name}: {} words", protocol.words_max());
        }
    }
}
