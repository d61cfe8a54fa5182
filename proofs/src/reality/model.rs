//! What the model says of a setting: the broker of its preset, with the producer and the consumer of the audit.

use std::collections::BTreeMap;

use delivery_model::check::{Limits, explore};
use delivery_model::pipeline::{Commits, FaultBudget, Level, Obligation, OnRestart, Pipeline, Remembers, Settles};
use delivery_model::presets;
use delivery_model::semantics::{PropertyId, PropertySet};
use delivery_model::vocab::Fault;

/// The bound of each search: so many messages, one crash of the broker.
const MESSAGES: u32 = 2;

/// What the model says of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It can happen.
    Allows,
    /// It cannot happen within the bound.
    Forbids,
    /// No preset stands for the setting, or the finding is none of the model's properties.
    Silent,
}

impl Answer {
    /// The word in tables.
    pub fn word(self) -> &'static str {
        match self {
            Answer::Allows => "allows it",
            Answer::Forbids => "forbids it",
            Answer::Silent => "-",
        }
    }
}

/// The broken properties of presets, each searched once.
#[derive(Debug, Default)]
pub struct Models {
    broken: BTreeMap<String, PropertySet>,
}

impl Models {
    /// What the model of this preset says of a finding when the broker crashes.
    pub fn answer(&mut self, preset: Option<&str>, finding: &str) -> Answer {
        let property = match finding {
            "acked-not-lost" | "queue-forgotten" => PropertyId::AckedNotLost,
            "no-delivery-after-settle" => PropertyId::NoDeliveryAfterSettle,
            _ => return Answer::Silent,
        };
        let Some(pipeline) = preset.and_then(presets::named) else { return Answer::Silent };
        let broken = self.broken.entry(pipeline.name.clone()).or_insert_with(|| broken(pipeline));
        if broken.contains(property) { Answer::Allows } else { Answer::Forbids }
    }
}

/// What one crash of this pipeline's broker can break for the audit's parties.
fn broken(mut pipeline: Pipeline) -> PropertySet {
    pipeline.level = Level::Delivery;
    pipeline.obligation = Obligation::Acked;
    pipeline.promises = None;
    pipeline.producer = delivery_model::pipeline::Producer {
        // What the broker's deduplication goes by; a message always has a number of its own.
        identity: pipeline.producer.identity,
        on_restart: OnRestart::Outbox,
        ..Default::default()
    };
    pipeline.consumer = delivery_model::pipeline::Consumer {
        settles: Settles::AfterEffect,
        commits: Commits::Each,
        remembers: Remembers::WithEffect,
        ..Default::default()
    };
    pipeline.faults = FaultBudget::once_each([Fault::BrokerCrash]);
    let limits = Limits { messages: MESSAGES, ..Limits::default() };
    let explored = explore(&pipeline, limits, &|_| true).expect("two messages fit");
    explored.violations.iter().map(|violation| violation.property).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_syncs_forbids_what_one_that_does_not_allows() {
        let mut models = Models::default();
        let lost = "acked-not-lost";
        assert_eq!(models.answer(Some("redis-streams-always"), lost), Answer::Forbids);
        assert_eq!(models.answer(Some("redis-streams-everysec"), lost), Answer::Allows);
        assert_eq!(models.answer(Some("jetstream-r1-sync-always"), lost), Answer::Forbids);
        assert_eq!(models.answer(Some("jetstream-r1-sync-always"), "no-delivery-after-settle"), Answer::Allows);
        for finding in [lost, "no-delivery-after-settle"] {
            assert_eq!(models.answer(Some("exactly-once"), finding), Answer::Forbids);
        }
        assert_eq!(models.answer(None, lost), Answer::Silent);
        assert_eq!(models.answer(Some("redis-streams"), "unmarked-redelivery"), Answer::Silent);
    }
}
