//! What is claimed of the outbox, and with whom it is joined.

use delivery_model::pipeline::{Obligation, Semantics};
use delivery_model::presets;
use delivery_model::vocab::Fault::*;
use delivery_proofs::party::shipped::{self, Effects, ShippedBroker, ShippedConsumer};
use delivery_proofs::party::{Claim, Suite};

use super::glue::{OrderService, open};
use super::outbox::Bug;

/// At least once for whatever was submitted, whatever fails. Broker and consumer are the shipped ones.
pub fn suite(bug: Bug) -> Suite<OrderService, ShippedBroker, ShippedConsumer<Effects>> {
    let claim = Claim::new("outbox-relay", Semantics::AtLeastOnce)
        .for_all(Obligation::Submitted)
        .surviving([PublishLost, PublishRefused, PublishAckLost, PublishDuplicated, ProducerCrash, ProducerZombie])
        .surviving([BrokerCrash, DeliveryLost, ConsumerCrash, SettleLost]);
    let mut others = presets::named("at-least-once").expect("the preset exists");
    others.faults = claim.pipeline().faults;
    let (broker, consumer) = (shipped::broker(&others), shipped::consumer(&others));
    Suite::new(claim, move |table| open(table, bug), broker, consumer)
}
