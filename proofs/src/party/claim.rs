//! What a pipeline with foreign parties claims: the semantics, what it must survive, and what else must hold.

use std::time::Duration;

use delivery_model::pipeline::{Delivers, FaultBudget, Leases, Level, Obligation, Pipeline, RecordsSettles, Semantics};
use delivery_model::semantics::{PropertyId, PropertySet, Rules};
use delivery_model::vocab::Fault;

/// How often a fault that is survived may strike: more often than any schedule has it.
const TIMES: u32 = 1_000;

/// What is claimed, and so what is judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    pub(super) pipeline: Pipeline,
    pub(super) properties: PropertySet,
    pub(super) lease: Option<Duration>,
}

impl Claim {
    /// This semantics, for durable effects and for every message that was acked. Say next which faults it
    /// [survives](Claim::surviving). No setting of a [`Pipeline`] is claimed.
    pub fn new(name: &str, promises: Semantics) -> Claim {
        let (promises, faults) = (Some(promises), FaultBudget::NONE);
        let pipeline = Pipeline { name: name.to_owned(), promises, faults, ..Pipeline::default() };
        Claim { pipeline, properties: PropertySet::EMPTY, lease: None }.and(PropertyId::RefusedNotDelivered)
    }

    /// What these settings promise: their semantics at their level and for their obligation, the faults that they must
    /// survive, and every property that a setting stands for.
    pub fn of(pipeline: &Pipeline) -> Claim {
        let claim = Claim { pipeline: pipeline.clone(), properties: PropertySet::EMPTY, lease: None };
        promised_by(pipeline).iter().fold(claim, Claim::and)
    }

    /// Counts hand-offs in place of effects.
    pub fn at(mut self, level: Level) -> Claim {
        self.pipeline.level = level;
        self
    }

    /// Says which messages must not be lost.
    pub fn for_all(mut self, obligation: Obligation) -> Claim {
        self.pipeline.obligation = obligation;
        self
    }

    /// Survives these faults, each as often as it strikes, beside those that were named before.
    pub fn surviving(mut self, faults: impl IntoIterator<Item = Fault>) -> Claim {
        self.pipeline.faults = faults.into_iter().fold(self.pipeline.faults, |all, fault| all.with(fault, TIMES));
        self
    }

    /// Keeps this property too.
    pub fn and(mut self, property: PropertyId) -> Claim {
        self.properties.insert(property);
        self
    }

    /// Claims exclusive leases of this length: for so long after a hand-off, no other consumer is handed the message.
    pub fn lease(mut self, lasts: Duration) -> Claim {
        self.lease = Some(lasts);
        self.and(PropertyId::LeaseExclusive)
    }

    /// The pipeline that a history of it is judged by.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Everything that must hold.
    pub fn properties(&self) -> PropertySet {
        let of = |semantics| Rules::from(&self.pipeline).required_by(semantics);
        self.properties | self.pipeline.promises.map_or(PropertySet::EMPTY, of)
    }
}

/// The properties, beside those of a semantics, that settings stand for and that can be seen from outside.
fn promised_by(pipeline: &Pipeline) -> PropertySet {
    let Pipeline { level, ordered, broker, .. } = pipeline;
    // A delivery that was late all along may arrive when somebody else has settled.
    let comes_late = pipeline.faults.of(Fault::LeaseExpiry) > 0;
    let settles_last = broker.records_settles == RecordsSettles::AfterSync && !comes_late;
    let each = [
        (PropertyId::RefusedNotDelivered, true),
        (PropertyId::SettledAfterEffect, *level == Level::Effect && pipeline.promises.is_some()),
        (PropertyId::Order, *ordered),
        (PropertyId::NoDeliveryAfterSettle, settles_last),
        (PropertyId::StaleSettleRefused, broker.leases == Leases::Checked),
        (PropertyId::LeaseExclusive, broker.delivers == Delivers::UntilSettled),
        (PropertyId::EffectOrDeadLetter, broker.max_deliveries > 0),
    ];
    each.into_iter().filter(|(_, is_promised)| *is_promised).map(|(property, _)| property).collect()
}
