//! What of a pipeline's settings the white-box properties are read by. Whether they are claimed is each one's own say.

use crate::pipeline::{Commits, Delivers, Identity, Pipeline, Settles};
use crate::vocab::Fault;

/// The settings that matter. Constant for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WhiteboxRules {
    /// How many of the latest records the broker recognises a retry of; 0: all.
    pub window: u64,
    /// How often a position may be handed off; 0: no limit.
    pub deliveries_max: u32,
    /// Attempts carry their producer's epoch.
    pub has_epochs: bool,
    /// Effects and settles are made in one transaction, so that both can be refused.
    pub is_transactional: bool,
    /// A settle covers other positions than its own.
    pub is_cumulative: bool,
    /// A record is owed its effect until it is settled or dead-lettered.
    pub is_owed: bool,
    /// The group may be rewound.
    pub rewinds: bool,
}

impl From<&Pipeline> for WhiteboxRules {
    fn from(pipeline: &Pipeline) -> Self {
        let (broker, consumer) = (&pipeline.broker, &pipeline.consumer);
        WhiteboxRules {
            window: broker.dedup_window.into(),
            deliveries_max: broker.max_deliveries,
            has_epochs: pipeline.producer.identity == Identity::Sequence,
            is_transactional: consumer.settles == Settles::WithEffect,
            is_cumulative: consumer.commits != Commits::Each,
            is_owed: broker.delivers == Delivers::UntilSettled
                && consumer.settles.follow_effects()
                && !consumer.skips_failures()
                && !consumer.requeues_failures(),
            rewinds: pipeline.faults.of(Fault::Rewind) > 0,
        }
    }
}
