//! The rules of the reduction are about any pipeline, and so are checked on any: drawn settings, drawn faults.

use delivery_model::check::graph::{Checks, Walk};
use delivery_model::check::{Protocol, audit};
use delivery_proofs::simulation::pipelines::pipelines;
use proptest::prelude::*;

/// As many states of each pipeline's graph as are looked at, those with the fewest steps first.
const STATES_MAX: u32 = 2_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_rules_call_commuting_commutes(pipeline in pipelines(), messages in 1..=3u32, total in 0..=3u32) {
        let mut pipeline = pipeline;
        pipeline.faults.total = total;
        let protocol = Protocol::new(&pipeline, messages).expect("three messages fit");
        let graph = protocol.run(Walk::new(&protocol).checks(Checks::none()).states_max(STATES_MAX)).graph;
        for moment in graph.ids().map(|id| graph.state(id)) {
            let sound = audit(&protocol, &moment, &|state, fault| protocol.spec.is_in_budget(state, fault));
            prop_assert_eq!(sound, Ok(()), "{:?}", moment);
        }
    }
}
